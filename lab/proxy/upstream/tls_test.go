package upstream_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"errors"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"

	"github.com/meshstorm/meshstorm/lab/pod"
	"github.com/meshstorm/meshstorm/lab/proxy/upstream"
	"github.com/meshstorm/meshstorm/lab/proxy/xds"
)

// authority signs certificates.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	pem  string
}

func newAuthority(t testing.TB) *authority {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"}, NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign, SubjectKeyId: []byte{1}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return &authority{cert, key, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))}
}

func (a *authority) sign(t testing.TB, names ...string) (certificate, key string) {
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(2), NotAfter: time.Now().Add(time.Hour), ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}}
	for _, n := range names {
		if u, err := url.Parse(n); err == nil && u.Scheme != "" {
			template.URIs = append(template.URIs, u)
			continue
		}
		template.DNSNames = append(template.DNSNames, n)
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, &k.PublicKey, a.key)
	if err != nil {
		t.Fatal(err)
	}
	packed, err := x509.MarshalPKCS8PrivateKey(k)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})), string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: packed}))
}

// revoke is a revocation list with one serial number.
func (a *authority) revoke(t testing.TB, serial int64) string {
	der, err := x509.CreateRevocationList(rand.Reader, &x509.RevocationList{Number: big.NewInt(1), NextUpdate: time.Now().Add(time.Hour),
		RevokedCertificateEntries: []x509.RevocationListEntry{{SerialNumber: big.NewInt(serial), RevocationTime: time.Now()}}}, a.cert, a.key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: der}))
}

// secure is a TLS upstream that says protocol, SNI and the client's names.
func secure(t testing.TB, a *authority, names ...string) netip.AddrPort {
	cert, key := a.sign(t, names...)
	pair, err := tls.X509KeyPair([]byte(cert), []byte(key))
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		said := r.Proto + " " + r.TLS.ServerName
		for _, c := range r.TLS.PeerCertificates {
			said += " " + strings.Join(c.DNSNames, ",")
		}
		_, _ = io.WriteString(w, said)
	}))
	s.TLS = &tls.Config{Certificates: []tls.Certificate{pair}, ClientAuth: tls.RequestClientCert}
	s.EnableHTTP2 = true
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.StartTLS()
	t.Cleanup(func() {
		s.CloseClientConnections()
		s.Close()
	})
	return netip.MustParseAddrPort(s.Listener.Addr().String())
}

func quote(s string) string {
	b, _ := json.Marshal(s)
	return string(b)
}

func tlsCluster(context, more string) string {
	return `{"transportSocket":{"name":"envoy.transport_sockets.tls","typedConfig":{"@type":"type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext",` + context + `}}` + more + `}`
}

func TestTLS(t *testing.T) {
	ca, foreign := newAuthority(t), newAuthority(t)
	at := secure(t, ca, "order.example.com", "spiffe://cluster.local/ns/default/sa/order")
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "ca.pem"), []byte(ca.pem), 0o600); err != nil {
		t.Fatal(err)
	}
	clientCert, clientKey := ca.sign(t, "client.example.com")
	secrets := map[string]*tlsv3.Secret{
		"kubernetes://order-cacert": {Type: &tlsv3.Secret_ValidationContext{ValidationContext: &tlsv3.CertificateValidationContext{TrustedCa: text(ca.pem)}}},
		"kubernetes://order":        {Type: &tlsv3.Secret_TlsCertificate{TlsCertificate: &tlsv3.TlsCertificate{CertificateChain: text(clientCert), PrivateKey: text(clientKey)}}},
	}
	inline := func(pem, rest string) string {
		return `"validationContext":{"trustedCa":{"inlineString":` + quote(pem) + `}` + rest + `}`
	}
	for _, c := range []struct {
		name, cluster, want string
		kind                error
	}{
		{"a CA inline", tlsCluster(`"commonTlsContext":{`+inline(ca.pem, "")+`},"sni":"order.example.com"`, ""), "HTTP/1.1 order.example.com", nil},
		{"another CA", tlsCluster(`"commonTlsContext":{`+inline(foreign.pem, "")+`},"sni":"order.example.com"`, ""), "TLS_error: CERTIFICATE_VERIFY_FAILED", upstream.ErrConnect},
		{"no validation context checks nothing", tlsCluster(`"sni":"x.example.com"`, ""), "HTTP/1.1 x.example.com", nil},
		{"the name that is wanted", tlsCluster(`"commonTlsContext":{`+inline(ca.pem, `,"matchSubjectAltNames":[{"exact":"order.example.com"}]`)+`}`, ""), "HTTP/1.1 ", nil},
		{"a typed URI name", tlsCluster(`"commonTlsContext":{`+inline(ca.pem, `,"matchTypedSubjectAltNames":[{"sanType":"URI","matcher":{"prefix":"spiffe://cluster.local/"}}]`)+`}`, ""), "HTTP/1.1 ", nil},
		{"another name", tlsCluster(`"commonTlsContext":{`+inline(ca.pem, `,"matchSubjectAltNames":[{"exact":"evil.example.com"}]`)+`}`, ""), "verify SAN list", upstream.ErrConnect},
		{"a CA from SDS", tlsCluster(`"commonTlsContext":{"combinedValidationContext":{"defaultValidationContext":{"matchSubjectAltNames":[{"suffix":".example.com"}]},"validationContextSdsSecretConfig":{"name":"kubernetes://order-cacert"}}}`, ""), "HTTP/1.1 ", nil},
		{"a CA that SDS does not have", tlsCluster(`"commonTlsContext":{"validationContextSdsSecretConfig":{"name":"kubernetes://none-cacert"}}`, ""), "the CA kubernetes://none-cacert is not there", upstream.ErrTLS},
		{"a CA from the container's file", tlsCluster(`"commonTlsContext":{"combinedValidationContext":{"validationContextSdsSecretConfig":{"name":"file-root:/etc/certs/ca.pem"}}}`, ""), "HTTP/1.1 ", nil},
		{"a file that no volume holds", tlsCluster(`"commonTlsContext":{"combinedValidationContext":{"validationContextSdsSecretConfig":{"name":"file-root:/etc/other/ca.pem"}}}`, ""), "no volume of the container holds /etc/other/ca.pem", upstream.ErrTLS},
		{"a client's certificate from SDS", tlsCluster(`"commonTlsContext":{"tlsCertificateSdsSecretConfigs":[{"name":"kubernetes://order"}]}`, ""), "HTTP/1.1  client.example.com", nil},
		{"HTTP/2 by ALPN", tlsCluster(`"sni":"a.example.com","commonTlsContext":{"alpnProtocols":["h2"]}`, `,"http2ProtocolOptions":{}`), "HTTP/2.0 a.example.com", nil},
		{"HTTP/1.1 although the socket would offer h2", tlsCluster(`"commonTlsContext":{"alpnProtocols":["h2","http/1.1"]}`, ""), "HTTP/1.1 ", nil},
		{"the SNI is the authority", tlsCluster(`"commonTlsContext":{}`, `,"upstreamHttpProtocolOptions":{"autoSni":true}`), "HTTP/1.1 order.default", nil},
		{"the SNI is a header", tlsCluster(`"commonTlsContext":{}`, `,"upstreamHttpProtocolOptions":{"autoSni":true,"overrideAutoSniHeader":"x-sni"}`), "HTTP/1.1 other.example.com", nil},
		{"and the certificate must be for it", tlsCluster(`"commonTlsContext":{`+inline(ca.pem, "")+`}`, `,"upstreamHttpProtocolOptions":{"autoSni":true,"autoSanValidation":true}`), "CERTIFICATE_VERIFY_FAILED", upstream.ErrConnect},
		{"a revocation list that cannot be read", tlsCluster(`"commonTlsContext":{`+inline(ca.pem, `,"crl":{"inlineString":"x"}`)+`}`, ""), "crl holds no revocation list", upstream.ErrTLS},
		{"a revoked certificate", tlsCluster(`"commonTlsContext":{`+inline(ca.pem, `,"crl":{"inlineString":`+quote(ca.revoke(t, 2))+`}`)+`}`, ""), "certificate revoked", upstream.ErrConnect},
		{"a list without the certificate", tlsCluster(`"commonTlsContext":{`+inline(ca.pem, `,"crl":{"inlineString":`+quote(ca.revoke(t, 3))+`}`)+`}`, ""), "HTTP/1.1 ", nil},
		{"a pinned certificate that is another", tlsCluster(`"commonTlsContext":{`+inline(ca.pem, `,"verifyCertificateHash":["00"]`)+`}`, ""), "none of those that are pinned", upstream.ErrConnect},
		{"a pinned key that is another", tlsCluster(`"commonTlsContext":{`+inline(ca.pem, `,"verifyCertificateSpki":["AA=="]`)+`}`, ""), "none of those that are pinned", upstream.ErrConnect},
		{"an untrusted chain that is accepted", tlsCluster(`"commonTlsContext":{`+inline(foreign.pem, `,"trustChainVerification":"ACCEPT_UNTRUSTED"`)+`}`, ""), "HTTP/1.1 ", nil},
		{"a version that the upstream does not speak", tlsCluster(`"commonTlsContext":{"tlsParams":{"tlsMinimumProtocolVersion":"TLSv1_0","tlsMaximumProtocolVersion":"TLSv1_1"}}`, ""), "TLS_error", upstream.ErrConnect},
		{"a cipher suite that Go has", tlsCluster(`"commonTlsContext":{"tlsParams":{"tlsMaximumProtocolVersion":"TLSv1_2","cipherSuites":["ECDHE-ECDSA-AES128-GCM-SHA256"],"ecdhCurves":["P-256"]}}`, ""), "HTTP/1.1 ", nil},
		{"a cipher suite that nobody has", tlsCluster(`"commonTlsContext":{"tlsParams":{"cipherSuites":["ROT13"]}}`, ""), "cipher suite ROT13 is unsupported", upstream.ErrTLS},
		{"a client's certificate in the cluster", tlsCluster(`"commonTlsContext":{"tlsCertificates":[{"certificateChain":{"inlineString":`+quote(clientCert)+`},"privateKey":{"inlineString":`+quote(clientKey)+`}}]}`, ""), "HTTP/1.1  client.example.com", nil},
		{"ISTIO_MUTUAL", tlsCluster(`"commonTlsContext":{"tlsCertificateSdsSecretConfigs":[{"name":"default"}],"combinedValidationContext":{"validationContextSdsSecretConfig":{"name":"ROOTCA"}}}`, ""), "the lab has no mTLS between sidecars", upstream.ErrTLS},
		{"another transport socket", `{"transportSocket":{"name":"envoy.transport_sockets.upstream_proxy_protocol","typedConfig":{"@type":"type.googleapis.com/google.protobuf.Struct","value":{}}}}`, "envoy.transport_sockets.upstream_proxy_protocol", upstream.ErrTLS},
		{"one whose configuration is unknown", `{"transportSocket":{"name":"quic"}}`, "transport socket quic", upstream.ErrTLS},
	} {
		t.Run(c.name, func(t *testing.T) {
			spec := &pod.Spec{Mounts: []pod.Mount{{Path: "/etc/certs", Host: dir}}}
			k, all := cluster(t, upstream.Options{Spec: spec}, c.cluster, endpoints(at))
			s := snapshot(k.Proto(), endpoints(at))
			s.Secrets = secrets
			all.Update(s)
			r := request(t, "GET", "/", nil)
			r.Header.Set("X-Sni", "other.example.com")
			resp, err := k.Do(context.Background(), pick(t, k), r)
			if c.kind != nil {
				if !errors.Is(err, c.kind) || !strings.Contains(upstream.TransportFailure(err), c.want) {
					t.Errorf("got %v, want %v: %s", err, c.kind, c.want)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			body, _ := io.ReadAll(resp.Body)
			resp.Body.Close()
			if string(body) != c.want {
				t.Errorf("the upstream saw %q, want %q", body, c.want)
			}
		})
	}
}

func text(s string) *corev3.DataSource {
	return &corev3.DataSource{Specifier: &corev3.DataSource_InlineString{InlineString: s}}
}

// What istiod sends with auto-mTLS: an endpoint that is labelled for it gets
// nothing in plain text, one that is not gets plain text.
func TestTransportSocketMatches(t *testing.T) {
	received := make(chan struct{}, 10)
	at := raw(t, func(c net.Conn) {
		received <- struct{}{}
		if _, err := c.Read(make([]byte, 1000)); err == nil {
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok")
		}
	})
	const cds = `{"transportSocketMatches":[
		{"name":"tlsMode-istio","match":{"tlsMode":"istio"},"transportSocket":{"name":"envoy.transport_sockets.tls","typedConfig":{"@type":"type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext","commonTlsContext":{"tlsCertificateSdsSecretConfigs":[{"name":"default"}]}}}},
		{"name":"tlsMode-disabled","match":{},"transportSocket":{"name":"envoy.transport_sockets.raw_buffer","typedConfig":{"@type":"type.googleapis.com/envoy.extensions.transport_sockets.raw_buffer.v3.RawBuffer"}}}]}`
	load := endpoints(at)
	k, all := cluster(t, upstream.Options{}, cds, load)
	if _, body := do(t, k, request(t, "GET", "/", nil)); body != "ok" {
		t.Errorf("got %q", body)
	}
	<-received
	labelled := endpoints(at)
	labelled.Endpoints[0].LbEndpoints[0].Metadata = config(t, `{"metadata":{"filterMetadata":{"envoy.transport_socket_match":{"tlsMode":"istio"}}}}`).Metadata
	all.Update(&xds.Snapshot{Clusters: snapshot(k.Proto(), nil).Clusters, Endpoints: map[string]*endpointv3.ClusterLoadAssignment{"c": labelled}})
	for _, exchange := range []func() error{
		func() error {
			_, err := k.Do(context.Background(), pick(t, k), request(t, "GET", "/", nil))
			return err
		},
		func() error { _, err := k.Connect(context.Background(), pick(t, k)); return err },
	} {
		if err := exchange(); !errors.Is(err, upstream.ErrTLS) || !strings.Contains(err.Error(), "ISTIO_MUTUAL") {
			t.Errorf("got %v, want ErrTLS that names ISTIO_MUTUAL", err)
		}
	}
	if len(received) > 0 {
		t.Error("a connection was made that must not be")
	}
}
