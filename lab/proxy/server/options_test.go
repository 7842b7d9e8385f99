package server

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"io"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"

	"github.com/meshstorm/meshstorm/lab/pod"
)

func TestTCPOptions(t *testing.T) {
	w := newWorld(t, true)
	w.cluster("a", echo(t, "a"))
	w.listener(gatewayListener(9000, `{"filters":[`+tcp("a", `"maxDownstreamConnectionDuration":"0.05s"`)+`]}`))
	w.listener(gatewayListener(9001, `{"name":"often","filters":[`+tcp("a", `"accessLogOptions":{"flushAccessLogOnConnected":true,"accessLogFlushInterval":"0.01s"}`)+`]}`))
	w.listener(gatewayListener(9002, `{"name":"hashed","filters":[`+tcp("a", `"hashPolicy":[{"sourceIp":{}}]`)+`]}`))
	w.mustApply()
	t.Run("the longest duration", func(t *testing.T) {
		if got, _ := io.ReadAll(w.dial(9000)); string(got) != "a " {
			t.Errorf("got %q", got)
		}
	})
	t.Run("a line when connected, and one in between", func(t *testing.T) {
		_ = w.dial(9001)
		eventually(t, "lines while the connection lives", func() bool { return strings.Count(w.log.String(), "chain=often") >= 3 })
	})
	t.Run("a hash of the source", func(t *testing.T) {
		if got := exchange(t, w.dial(9002), "x"); got != "a x bye" {
			t.Errorf("got %q", got)
		}
	})
}

func TestProxyProtocol(t *testing.T) {
	w := newWorld(t, true)
	w.cluster("a", echo(t, "a"))
	chain := `"listenerFilters":[{"name":"p","typedConfig":{"@type":"type.googleapis.com/envoy.extensions.filters.listener.proxy_protocol.v3.ProxyProtocol"%s}}],"filterChains":[{"filters":[` + tcp("a", "") + `]}]}`
	w.listener(`{"name":"9000","address":{"socketAddress":{"address":"0.0.0.0","portValue":9000}},` + strings.Replace(chain, "%s", "", 1))
	w.listener(`{"name":"9001","address":{"socketAddress":{"address":"0.0.0.0","portValue":9001}},` + strings.Replace(chain, "%s", `,"allowRequestsWithoutProxyProtocol":true`, 1))
	w.mustApply()
	t.Run("a header tells the client", func(t *testing.T) {
		if got := exchange(t, w.dial(9000), "PROXY TCP4 192.0.2.7 192.0.2.8 7 8\r\nhi"); got != "a hi bye" {
			t.Errorf("got %q", got)
		}
		eventually(t, "the client in the access log", func() bool { return strings.Contains(w.log.String(), "from=192.0.2.7:7 to=192.0.2.8:8") })
	})
	t.Run("a header is asked for", func(t *testing.T) {
		conn := w.dial(9000)
		_, _ = io.WriteString(conn, "hello there, no header\r\n")
		if got, _ := io.ReadAll(conn); len(got) > 0 {
			t.Errorf("got %q", got)
		}
		if got := exchange(t, w.dial(9001), "hello there, no header"); got != "a hello there, no header bye" {
			t.Errorf("got %q", got)
		}
	})
}

func TestNetworkFilterByDiscovery(t *testing.T) {
	w := newWorld(t, true)
	w.cluster("a", echo(t, "a"))
	w.listener(gatewayListener(9000, `{"filters":[{"name":"direct","configDiscovery":{"configSource":{"ads":{}},"typeUrls":["x"]}}]}`))
	for _, want := range []string{"one", "two"} {
		e := &corev3.TypedExtensionConfig{}
		parse(t, `{"name":"direct","typedConfig":{"@type":"type.googleapis.com/envoy.extensions.filters.network.direct_response.v3.Config","response":{"inlineString":"`+want+`"}}}`, e)
		w.snap.Filters["direct"] = e
		w.mustApply()
		if got, _ := io.ReadAll(w.dial(9000)); string(got) != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

// TestTLSPassthrough is an AUTO_PASSTHROUGH gateway: the SNI is the cluster, and
// TLS is ended behind it.
func TestTLSPassthrough(t *testing.T) {
	ca := newAuthority(t)
	cert, err := tls.X509KeyPair(ca.leaf("x.test"))
	if err != nil {
		t.Fatal(err)
	}
	ln, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ln.Close() })
	go func() {
		if c, err := ln.Accept(); err == nil {
			_, _ = io.WriteString(c, "behind")
			_ = c.Close()
		}
	}()
	w := newWorld(t, true)
	w.cluster("x.test", ln.Addr().String())
	w.tlsListener("8443", `{"filterChainMatch":{"transportProtocol":"tls"},"filters":[{"name":"sni","typedConfig":{"@type":"type.googleapis.com/envoy.extensions.filters.network.sni_cluster.v3.SniCluster"}},`+tcp("BlackHoleCluster", "")+`]}`)
	w.mustApply()
	pool := x509.NewCertPool()
	pool.AddCert(ca.cert)
	got, err := io.ReadAll(tls.Client(w.dial(8443), &tls.Config{RootCAs: pool, ServerName: "x.test", MinVersion: tls.VersionTLS12}))
	if string(got) != "behind" {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestTLSHandshakeTimeout(t *testing.T) {
	ca := newAuthority(t)
	w := newWorld(t, true)
	w.cluster("a", backend(t, hello2))
	w.routes("r", "a")
	w.snap.Secrets["s"] = ca.secret("s", "x.test")
	chain := tlsChain("c", "x.test", hcm("r", ""), `"commonTlsContext":{"tlsCertificateSdsSecretConfigs":[{"name":"s"}]}`)
	w.tlsListener("8443", strings.TrimSuffix(chain, "}")+`,"transportSocketConnectTimeout":"0.05s"}`)
	w.mustApply()
	conn := w.dial(8443)
	_, _ = conn.Write(clientHello("x.test"))
	_, _ = io.ReadAll(conn) // ends because the server does not wait for ever
	eventually(t, "the reason in the log", func() bool { return strings.Contains(w.notes.String(), "TLS handshake failed") })
}

func quoted(b []byte) string {
	text, _ := json.Marshal(string(b))
	return string(text)
}

func TestTLSParameters(t *testing.T) {
	ca := newAuthority(t)
	chainPEM, keyPEM := ca.leaf("x.test")
	dir := t.TempDir()
	for name, data := range map[string][]byte{"cert.pem": chainPEM, "key.pem": keyPEM} {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	files := `"tlsCertificates":[{"certificateChain":{"filename":"/etc/certs/cert.pem"},"privateKey":{"inlineString":` + quoted(keyPEM) + `}}]`
	stored := `"tlsCertificateSdsSecretConfigs":[{"name":"file-cert:/etc/certs/cert.pem~/etc/certs/key.pem"}]`
	trusted := `"validationContext":{"trustedCa":{"inlineString":` + quoted(ca.pem) + `}}`
	cert, err := tls.X509KeyPair(ca.leaf("client.test"))
	if err != nil {
		t.Fatal(err)
	}
	cases := []struct {
		name, context string
		change        func(*tls.Config)
		ok            bool
	}{
		{"certificates from files and in the listener", `"commonTlsContext":{` + files + `}`, nil, true},
		{"a secret that names files", `"commonTlsContext":{` + stored + `}`, nil, true},
		{"an old version", `"commonTlsContext":{` + files + `,"tlsParams":{"tlsMinimumProtocolVersion":"TLSv1_3"}}`, func(c *tls.Config) { c.MaxVersion = tls.VersionTLS12 }, false},
		{"cipher suites", `"commonTlsContext":{` + files + `,"tlsParams":{"tlsMaximumProtocolVersion":"TLSv1_2","cipherSuites":["ECDHE-ECDSA-AES128-GCM-SHA256"]}}`,
			func(c *tls.Config) { c.CipherSuites = []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384} }, false},
		{"curves", `"commonTlsContext":{` + files + `,"tlsParams":{"ecdhCurves":["P-384"]}}`, func(c *tls.Config) { c.CurvePreferences = []tls.CurveID{tls.X25519} }, false},
		{"no session tickets", `"commonTlsContext":{` + files + `},"disableStatelessSessionResumption":true`, nil, true},
		{"a server name is required", `"commonTlsContext":{` + files + `},"requireSni":true`, func(c *tls.Config) { c.ServerName, c.InsecureSkipVerify = "", true }, false},
		{"a staple that must be there", `"commonTlsContext":{` + files + `},"ocspStaplePolicy":"MUST_STAPLE"`, nil, false},
		{"client certificates by a context in the listener", `"commonTlsContext":{` + files + `,` + trusted + `},"requireClientCertificate":true`,
			func(c *tls.Config) { c.Certificates = []tls.Certificate{cert} }, true},
		{"client certificates by a secret", `"commonTlsContext":{` + files + `,"validationContextSdsSecretConfig":{"name":"ca"}},"requireClientCertificate":true`,
			func(c *tls.Config) { c.Certificates = []tls.Certificate{cert} }, true},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, true, func(o *Options) { o.Spec.Mounts = []pod.Mount{{Path: "/etc/certs", Host: dir}} })
			w.cluster("a", echo(t, "a"))
			w.snap.Secrets["ca"] = &tlsv3.Secret{Name: "ca", Type: &tlsv3.Secret_ValidationContext{ValidationContext: &tlsv3.CertificateValidationContext{TrustedCa: inline(ca.pem)}}}
			w.tlsListener("8443", strings.Replace(tlsChain("c", "x.test", tcp("a", ""), c.context), `"serverNames":["x.test"]`, "", 1))
			w.mustApply()
			pool := x509.NewCertPool()
			pool.AddCert(ca.cert)
			cfg := &tls.Config{RootCAs: pool, ServerName: "x.test", MinVersion: tls.VersionTLS12}
			if c.change != nil {
				c.change(cfg)
			}
			got := make([]byte, 2)
			_, err := io.ReadFull(tls.Client(w.dial(8443), cfg), got)
			if (err == nil) != c.ok || c.ok && string(got) != "a " {
				t.Errorf("got %q, %v", got, err)
			}
		})
	}
}

func TestClientCertificates(t *testing.T) {
	ca, other := newAuthority(t), newAuthority(t)
	_, _, leaf, _ := ca.sign(&x509.Certificate{DNSNames: []string{"c.test"}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
	hash, key := sha256.Sum256(leaf.Raw), sha256.Sum256(leaf.RawSubjectPublicKeyInfo)
	crl, err := x509.CreateRevocationList(rand.Reader, &x509.RevocationList{Number: big.NewInt(1), NextUpdate: time.Now().Add(time.Hour),
		RevokedCertificateEntries: []x509.RevocationListEntry{{SerialNumber: leaf.SerialNumber, RevocationTime: time.Now()}}}, ca.signer(), ca.key)
	if err != nil {
		t.Fatal(err)
	}
	later := time.Now().Add(48 * time.Hour)
	cases := []struct {
		name    string
		context *tlsv3.CertificateValidationContext
		at      time.Time
		ok      bool
	}{
		{"a hash", &tlsv3.CertificateValidationContext{VerifyCertificateHash: []string{hex.EncodeToString(hash[:])}}, time.Time{}, true},
		{"another hash", &tlsv3.CertificateValidationContext{VerifyCertificateHash: []string{"00"}}, time.Time{}, false},
		{"a key's hash", &tlsv3.CertificateValidationContext{VerifyCertificateSpki: []string{base64.StdEncoding.EncodeToString(key[:])}}, time.Time{}, true},
		{"a revoked certificate", &tlsv3.CertificateValidationContext{TrustedCa: inline(ca.pem), Crl: inline(pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: crl}))}, time.Time{}, false},
		{"a certificate whose time is over", &tlsv3.CertificateValidationContext{TrustedCa: inline(ca.pem)}, later, false},
		{"an expired certificate", &tlsv3.CertificateValidationContext{TrustedCa: inline(ca.pem), AllowExpiredCertificate: true}, later, true},
		{"another authority", &tlsv3.CertificateValidationContext{TrustedCa: inline(other.pem)}, time.Time{}, false},
		{"any authority", &tlsv3.CertificateValidationContext{TrustedCa: inline(other.pem), TrustChainVerification: tlsv3.CertificateValidationContext_ACCEPT_UNTRUSTED}, time.Time{}, true},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			now := func() time.Time {
				if c.at.IsZero() {
					return time.Now()
				}
				return c.at
			}
			k, err := (&validation{context: c.context}).checker(newSecrets(nil, now))
			if err != nil {
				t.Fatal(err)
			}
			if err := k.verify([]*x509.Certificate{leaf}); (err == nil) != c.ok {
				t.Errorf("got %v", err)
			}
		})
	}
}

// signer is the authority's certificate with the right to sign revocations.
func (a *authority) signer() *x509.Certificate {
	c := *a.cert
	c.KeyUsage |= x509.KeyUsageCRLSign
	c.SubjectKeyId = []byte{1}
	return &c
}
