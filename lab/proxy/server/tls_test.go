package server

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
)

// authority signs certificates.
type authority struct {
	t    testing.TB
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	pem  []byte
}

func newAuthority(t testing.TB) *authority {
	a := &authority{t: t}
	a.pem, _, a.cert, a.key = a.sign(&x509.Certificate{Subject: pkix.Name{CommonName: "root"}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign})
	return a
}

var serial int64

func (a *authority) sign(template *x509.Certificate) (chain, key []byte, cert *x509.Certificate, priv *ecdsa.PrivateKey) {
	a.t.Helper()
	priv, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.t.Fatal(err)
	}
	serial++
	template.SerialNumber = big.NewInt(serial)
	template.NotBefore, template.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	parent, signer := a.cert, a.key
	if parent == nil {
		parent, signer = template, priv
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &priv.PublicKey, signer)
	if err != nil {
		a.t.Fatal(err)
	}
	cert, _ = x509.ParseCertificate(der)
	raw, _ := x509.MarshalPKCS8PrivateKey(priv)
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: raw}), cert, priv
}

func (a *authority) leaf(names ...string) (chain, key []byte) {
	chain, key, _, _ = a.sign(&x509.Certificate{DNSNames: names, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}})
	return chain, key
}

func (a *authority) secret(name string, names ...string) *tlsv3.Secret {
	chain, key := a.leaf(names...)
	return &tlsv3.Secret{Name: name, Type: &tlsv3.Secret_TlsCertificate{TlsCertificate: &tlsv3.TlsCertificate{CertificateChain: inline(chain), PrivateKey: inline(key)}}}
}

func inline(b []byte) *corev3.DataSource {
	return &corev3.DataSource{Specifier: &corev3.DataSource_InlineBytes{InlineBytes: b}}
}

const inspector = `"listenerFilters":[{"name":"tls","typedConfig":{"@type":"type.googleapis.com/envoy.extensions.filters.listener.tls_inspector.v3.TlsInspector"}}]`

func tlsChain(name, server, filter, context string) string {
	return `{"name":"` + name + `","filterChainMatch":{"serverNames":["` + server + `"]},"filters":[` + filter + `],"transportSocket":{"name":"tls","typedConfig":{
	"@type":"type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext",` + context + `}}}`
}

func (w *world) tlsListener(port string, chains ...string) {
	w.listener(`{"name":"0.0.0.0_` + port + `","address":{"socketAddress":{"address":"0.0.0.0","portValue":` + port + `}},` + inspector + `,"filterChains":[` + strings.Join(chains, ",") + `]}`)
}

// get asks over TLS and gives the protocol, the certificate's first name and the
// body.
func (w *world) get(ca *authority, server string, alpn []string, certs ...tls.Certificate) (proto, name, body string, err error) {
	pool := x509.NewCertPool()
	pool.AddCert(ca.cert)
	cfg := &tls.Config{RootCAs: pool, ServerName: server, NextProtos: alpn, Certificates: certs, MinVersion: tls.VersionTLS12}
	tr := &http.Transport{TLSClientConfig: cfg, ForceAttemptHTTP2: len(alpn) > 0 && alpn[0] == "h2",
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "tcp", w.address(8443))
		}}
	defer tr.CloseIdleConnections()
	resp, err := (&http.Client{Transport: tr, Timeout: 20 * time.Second}).Get("https://" + server + "/")
	if err != nil {
		return "", "", "", err
	}
	b, err := io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	return resp.Proto, resp.TLS.PeerCertificates[0].DNSNames[0], string(b), err
}

func TestTLS(t *testing.T) {
	ca, other := newAuthority(t), newAuthority(t)
	w := newWorld(t, true)
	w.cluster("a", backend(t, hello2))
	w.routes("r", "a")
	w.snap.Secrets["kubernetes://one"] = ca.secret("kubernetes://one", "one.example.com")
	w.snap.Secrets["kubernetes://wild"] = ca.secret("kubernetes://wild", "*.example.com")
	w.snap.Secrets["kubernetes://mutual"] = ca.secret("kubernetes://mutual", "mutual.test")
	w.snap.Secrets["kubernetes://mutual-cacert"] = &tlsv3.Secret{Name: "kubernetes://mutual-cacert", Type: &tlsv3.Secret_ValidationContext{
		ValidationContext: &tlsv3.CertificateValidationContext{TrustedCa: inline(ca.pem)}}}
	sds := func(name, more string) string {
		return `"commonTlsContext":{"alpnProtocols":["h2","http/1.1"],"tlsCertificateSdsSecretConfigs":[{"name":"` + name + `","sdsConfig":{"ads":{}}}]` + more + `}`
	}
	check := `,"combinedValidationContext":{"defaultValidationContext":{"matchTypedSubjectAltNames":[{"sanType":"DNS","matcher":{"exact":"client.test"}}]},"validationContextSdsSecretConfig":{"name":"kubernetes://mutual-cacert"}}`
	w.tlsListener("8443",
		tlsChain("one", "one.example.com", hcm("r", ""), sds("kubernetes://one", "")),
		tlsChain("wild", "*.example.com", hcm("r", ""), sds("kubernetes://wild", "")),
		tlsChain("missing", "missing.test", hcm("r", ""), sds("kubernetes://missing", "")),
		tlsChain("mutual", "mutual.test", hcm("r", ""), sds("kubernetes://mutual", check)+`,"requireClientCertificate":true`),
		tlsChain("optional", "optional.test", hcm("r", ""), sds("kubernetes://mutual", check)))
	w.mustApply()
	client := func(a *authority, name string) tls.Certificate {
		c, err := tls.X509KeyPair(a.leaf(name))
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	cases := []struct {
		name, server string
		alpn         []string
		certs        []tls.Certificate
		proto, cert  string // "" for a refusal
		log          string
	}{
		{"HTTP/2 by ALPN, the chain by SNI", "one.example.com", []string{"h2"}, nil, "HTTP/2.0", "one.example.com", ""},
		{"HTTP/1.1 by ALPN", "one.example.com", []string{"http/1.1"}, nil, "HTTP/1.1", "one.example.com", ""},
		{"no ALPN", "one.example.com", nil, nil, "HTTP/1.1", "one.example.com", ""},
		{"a wildcard's certificate", "two.example.com", []string{"h2"}, nil, "HTTP/2.0", "*.example.com", ""},
		{"a name that no chain has", "other.test", nil, nil, "", "", ""},
		{"a secret that is missing", "missing.test", nil, nil, "", "", "the secret kubernetes://missing is missing"},
		{"MUTUAL without a certificate", "mutual.test", nil, nil, "", "", "TLS handshake failed"},
		{"MUTUAL with a good certificate", "mutual.test", nil, []tls.Certificate{client(ca, "client.test")}, "HTTP/1.1", "mutual.test", ""},
		{"MUTUAL with another name", "mutual.test", nil, []tls.Certificate{client(ca, "stranger.test")}, "", "", "SAN matcher"},
		{"MUTUAL with another authority", "mutual.test", nil, []tls.Certificate{client(other, "client.test")}, "", "", "verify cert failed"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			proto, cert, body, err := w.get(ca, c.server, c.alpn, c.certs...)
			if proto != c.proto || cert != c.cert || (err == nil) != (c.proto != "") || err == nil && body != "hello" {
				t.Errorf("got %q, %q, %q, %v", proto, cert, body, err)
			}
			eventually(t, c.log, func() bool { return strings.Contains(w.notes.String(), c.log) })
		})
	}
	t.Run("OPTIONAL_MUTUAL lets clients without a certificate in, and checks others", func(t *testing.T) {
		w.snap.Secrets["kubernetes://mutual"] = ca.secret("kubernetes://mutual", "optional.test", "mutual.test")
		w.mustApply()
		if _, _, body, err := w.get(ca, "optional.test", nil); body != "hello" {
			t.Error(err)
		}
		if _, _, _, err := w.get(ca, "optional.test", nil, client(other, "client.test")); err == nil {
			t.Error("a certificate of another authority is accepted")
		}
	})
	t.Run("a secret is rotated", func(t *testing.T) {
		w.snap.Secrets["kubernetes://one"] = ca.secret("kubernetes://one", "new.example.com", "one.example.com")
		w.mustApply()
		if _, cert, _, err := w.get(ca, "one.example.com", nil); cert != "new.example.com" {
			t.Errorf("got %q, %v", cert, err)
		}
	})
}

// FuzzParseHello must not read out of bounds, and an honest ClientHello is read.
func FuzzParseHello(f *testing.F) {
	f.Add(clientHello("a.example.com", "h2", "istio"))
	f.Add([]byte{22, 3, 1, 0, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		h, state := parseHello(b)
		if state != helloFull && (h.server != "" || h.protocols != nil) {
			t.Error("half a hello is told")
		}
	})
}

func TestParseHello(t *testing.T) {
	b := clientHello("a.example.com", "h2", "istio")
	for n := 1; n < len(b); n++ {
		if _, state := parseHello(b[:n]); state != helloMore {
			t.Fatalf("%d of %d bytes: state %d", n, len(b), state)
		}
	}
	h, state := parseHello(b)
	if state != helloFull || h.server != "a.example.com" || strings.Join(h.protocols, " ") != "h2 istio" {
		t.Errorf("got %+v, %d", h, state)
	}
	if _, state := parseHello([]byte("GET / HTTP/1.1")); state != helloNone {
		t.Error("HTTP is taken for TLS")
	}
}

// clientHello is what crypto/tls sends first.
func clientHello(server string, alpn ...string) []byte {
	near, far := net.Pipe()
	defer func() { _, _ = near.Close(), far.Close() }()
	go func() {
		_ = tls.Client(near, &tls.Config{ServerName: server, NextProtos: alpn, MinVersion: tls.VersionTLS12}).Handshake()
	}()
	head := make([]byte, 5)
	_, _ = io.ReadFull(far, head)
	rest := make([]byte, int(head[3])<<8|int(head[4]))
	_, _ = io.ReadFull(far, rest)
	return append(head, rest...)
}
