package upstream

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"

	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
)

// suites are the TLS 1.2 cipher suites by the names that Envoy has from BoringSSL.
var suites = map[string]uint16{
	"ECDHE-ECDSA-AES128-GCM-SHA256": tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
	"ECDHE-ECDSA-AES256-GCM-SHA384": tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
	"ECDHE-ECDSA-CHACHA20-POLY1305": tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
	"ECDHE-ECDSA-AES128-SHA":        tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA,
	"ECDHE-ECDSA-AES256-SHA":        tls.TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA,
	"ECDHE-RSA-AES128-GCM-SHA256":   tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
	"ECDHE-RSA-AES256-GCM-SHA384":   tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
	"ECDHE-RSA-CHACHA20-POLY1305":   tls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
	"ECDHE-RSA-AES128-SHA":          tls.TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA,
	"ECDHE-RSA-AES256-SHA":          tls.TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA,
	"AES128-GCM-SHA256":             tls.TLS_RSA_WITH_AES_128_GCM_SHA256,
	"AES256-GCM-SHA384":             tls.TLS_RSA_WITH_AES_256_GCM_SHA384,
	"AES128-SHA":                    tls.TLS_RSA_WITH_AES_128_CBC_SHA,
	"AES256-SHA":                    tls.TLS_RSA_WITH_AES_256_CBC_SHA,
}

var curves = map[string]tls.CurveID{
	"X25519": tls.X25519, "P-256": tls.CurveP256, "P-384": tls.CurveP384, "P-521": tls.CurveP521, "X25519MLKEM768": tls.X25519MLKEM768,
}

// parameters limits what the handshake may agree on. "[A|B]" are suites of equal
// preference, which Go chooses among by itself.
func parameters(config *tls.Config, p *tlsv3.TlsParameters) error {
	config.MinVersion = version(p.GetTlsMinimumProtocolVersion(), tls.VersionTLS12)
	config.MaxVersion = version(p.GetTlsMaximumProtocolVersion(), tls.VersionTLS13)
	for _, entry := range p.GetCipherSuites() {
		for _, name := range strings.Split(strings.Trim(entry, "[]"), "|") {
			id, ok := suites[name]
			if !ok {
				return fmt.Errorf("cipher suite %s is unsupported", name)
			}
			config.CipherSuites = append(config.CipherSuites, id)
		}
	}
	for _, name := range p.GetEcdhCurves() {
		id, ok := curves[name]
		if !ok {
			return fmt.Errorf("curve %s is unsupported", name)
		}
		config.CurvePreferences = append(config.CurvePreferences, id)
	}
	return nil
}

// hashesMatch tells whether the certificate is one of those that are pinned: by
// the SHA-256 of all of it (hex) or of its key (base64).
func hashesMatch(leaf *x509.Certificate, v *tlsv3.CertificateValidationContext) bool {
	if len(v.GetVerifyCertificateHash()) == 0 && len(v.GetVerifyCertificateSpki()) == 0 {
		return true
	}
	all, key := sha256.Sum256(leaf.Raw), sha256.Sum256(leaf.RawSubjectPublicKeyInfo)
	for _, want := range v.GetVerifyCertificateHash() {
		if strings.EqualFold(strings.ReplaceAll(want, ":", ""), hex.EncodeToString(all[:])) {
			return true
		}
	}
	for _, want := range v.GetVerifyCertificateSpki() {
		if want == base64.StdEncoding.EncodeToString(key[:]) {
			return true
		}
	}
	return false
}

// revocations are the lists of the validation context, which may be several in
// one PEM text.
func (t *tlsSocket) revocations(v *tlsv3.CertificateValidationContext) ([]*x509.RevocationList, error) {
	if v.GetCrl() == nil {
		return nil, nil
	}
	rest, err := t.read(v.GetCrl())
	if err != nil {
		return nil, err
	}
	var lists []*x509.RevocationList
	for {
		block, more := pem.Decode(rest)
		if block == nil {
			break
		}
		rest = more
		list, err := x509.ParseRevocationList(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("crl: %w", err)
		}
		lists = append(lists, list)
	}
	if len(lists) == 0 {
		return nil, errors.New("crl holds no revocation list")
	}
	return lists, nil
}

// revoked looks for the certificates of a chain in the lists of their issuers.
// As in Envoy a chain needs a list for each issuer, unless only the leaf is to be
// looked for.
func revoked(chain []*x509.Certificate, lists []*x509.RevocationList, leafOnly bool) error {
	for i := range len(chain) - 1 {
		if leafOnly && i > 0 {
			return nil
		}
		found := false
		for _, list := range lists {
			if list.CheckSignatureFrom(chain[i+1]) != nil {
				continue
			}
			found = true
			for _, entry := range list.RevokedCertificateEntries {
				if entry.SerialNumber.Cmp(chain[i].SerialNumber) == 0 {
					return errors.New("CERTIFICATE_VERIFY_FAILED: certificate revoked")
				}
			}
		}
		if !found {
			return errors.New("CERTIFICATE_VERIFY_FAILED: unable to get certificate CRL")
		}
	}
	return nil
}
