package router

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"net/url"
	"strconv"
	"strings"

	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
)

func itoa(n int) string { return strconv.Itoa(n) }

// newID is a random UUID (RFC 9562, version 4) of two random numbers.
func newID(a, b uint64) string {
	const digits = "0123456789abcdef"
	a = a&^0xf000 | 0x4000
	b = b&^(3<<62) | 2<<62
	var out [36]byte
	at := 0
	for i := range 32 {
		if i == 8 || i == 12 || i == 16 || i == 20 {
			out[at] = '-'
			at++
		}
		n := a
		if i >= 16 {
			n = b
		}
		out[at] = digits[n>>(60-4*(uint(i)%16))&15]
		at++
	}
	return string(out[:])
}

// certificateElement is the client's certificate as x-forwarded-client-cert has
// it. "By", the proxy's own identity, is left out: nobody tells it here.
func certificateElement(chain []*x509.Certificate, d *hcmv3.HttpConnectionManager_SetCurrentClientCertDetails) string {
	leaf := chain[0]
	sum := sha256.Sum256(leaf.Raw)
	parts := []string{"Hash=" + hex.EncodeToString(sum[:])}
	encode := func(certs []*x509.Certificate) string {
		var text []byte
		for _, c := range certs {
			text = append(text, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})...)
		}
		return strings.ReplaceAll(url.QueryEscape(string(text)), "+", "%20")
	}
	if d.GetCert() {
		parts = append(parts, `Cert="`+encode(chain[:1])+`"`)
	}
	if d.GetChain() {
		parts = append(parts, `Chain="`+encode(chain)+`"`)
	}
	if d.GetSubject().GetValue() {
		parts = append(parts, `Subject="`+leaf.Subject.String()+`"`)
	}
	if d.GetUri() {
		uri := ""
		if len(leaf.URIs) > 0 {
			uri = leaf.URIs[0].String()
		}
		parts = append(parts, "URI="+uri)
	}
	if d.GetDns() {
		for _, name := range leaf.DNSNames {
			parts = append(parts, "DNS="+name)
		}
	}
	return strings.Join(parts, ";")
}
