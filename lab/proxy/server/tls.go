package server

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
)

// termination ends TLS for a filter chain.
type termination struct {
	secrets  *secrets
	mesh     bool // wants the mesh's certificates, which the lab does not have
	base     *tls.Config
	certs    []certSource
	require  bool // a client certificate
	validate *validation
	sni      bool // the client must name a server
}

// certSource is a certificate's place: in the listener, or a secret's name.
type certSource struct {
	secret string
	inline *tlsv3.TlsCertificate
}

// termination compiles a transport socket; refusal says why a chain with it
// closes its connections.
func (s *Server) termination(t *corev3.TransportSocket) (*termination, string, error) {
	m, err := t.GetTypedConfig().UnmarshalNew()
	if err != nil {
		return nil, fmt.Sprintf("transport socket %s (%s) is not supported", t.GetName(), typeName(t.GetTypedConfig())), nil //nolint:nilerr // a refusal, not a fault
	}
	d, ok := m.(*tlsv3.DownstreamTlsContext)
	if !ok {
		if string(m.ProtoReflect().Descriptor().FullName()) == "envoy.extensions.transport_sockets.raw_buffer.v3.RawBuffer" {
			return nil, "", nil
		}
		return nil, fmt.Sprintf("transport socket %s (%s) is not supported", t.GetName(), m.ProtoReflect().Descriptor().FullName()), nil
	}
	common := d.GetCommonTlsContext()
	term := &termination{secrets: s.secrets, require: d.GetRequireClientCertificate().GetValue(), sni: d.GetRequireSni().GetValue()}
	if refusal := unsupportedTLS(d); refusal != "" {
		return term, refusal, nil
	}
	if needsMesh(common) {
		term.mesh = true
		return term, "", nil
	}
	if err := term.readParameters(d); err != nil {
		return nil, "", err
	}
	for _, c := range common.GetTlsCertificates() {
		term.certs = append(term.certs, certSource{inline: c})
	}
	for _, c := range common.GetTlsCertificateSdsSecretConfigs() {
		term.certs = append(term.certs, certSource{secret: c.GetName()})
	}
	if len(term.certs) == 0 {
		return nil, "", errors.New("DownstreamTlsContext: no TLS certificates found")
	}
	term.validate, err = newValidation(common)
	return term, "", err
}

// unsupportedTLS names a field that would change who is let in or how, and that
// the proxy does not evaluate.
func unsupportedTLS(d *tlsv3.DownstreamTlsContext) string {
	c := d.GetCommonTlsContext()
	for name, set := range map[string]bool{
		"tls_certificate_provider_instance": c.GetTlsCertificateProviderInstance() != nil,
		"custom_tls_certificate_selector":   c.GetCustomTlsCertificateSelector() != nil,
		"custom_handshaker":                 c.GetCustomHandshaker() != nil,
		"ocsp_staple_policy MUST_STAPLE":    d.GetOcspStaplePolicy() == tlsv3.DownstreamTlsContext_MUST_STAPLE,
	} {
		if set {
			return "DownstreamTlsContext." + name + " is not supported"
		}
	}
	return ""
}

// needsMesh tells whether the context asks for the workload's own certificate or
// the mesh's root, which istiod lets the agent serve (SDS names default and
// ROOTCA).
func needsMesh(c *tlsv3.CommonTlsContext) bool {
	mesh := func(sds *tlsv3.SdsSecretConfig) bool {
		return sds.GetName() == "default" || sds.GetName() == "ROOTCA"
	}
	return slices.ContainsFunc(c.GetTlsCertificateSdsSecretConfigs(), mesh) ||
		mesh(c.GetValidationContextSdsSecretConfig()) ||
		mesh(c.GetCombinedValidationContext().GetValidationContextSdsSecretConfig())
}

var tlsVersions = map[tlsv3.TlsParameters_TlsProtocol]uint16{
	tlsv3.TlsParameters_TLSv1_0: tls.VersionTLS10, tlsv3.TlsParameters_TLSv1_1: tls.VersionTLS11,
	tlsv3.TlsParameters_TLSv1_2: tls.VersionTLS12, tlsv3.TlsParameters_TLSv1_3: tls.VersionTLS13,
}

// suites are the OpenSSL names of TLS 1.2's cipher suites; those of TLS 1.3
// cannot be chosen.
var suites = map[string]uint16{
	"ECDHE-ECDSA-AES256-GCM-SHA384": tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
	"ECDHE-RSA-AES256-GCM-SHA384":   tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
	"ECDHE-ECDSA-AES128-GCM-SHA256": tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
	"ECDHE-RSA-AES128-GCM-SHA256":   tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
	"ECDHE-ECDSA-CHACHA20-POLY1305": tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
	"ECDHE-RSA-CHACHA20-POLY1305":   tls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
	"ECDHE-ECDSA-AES128-SHA":        tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA,
	"ECDHE-RSA-AES128-SHA":          tls.TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA,
	"ECDHE-ECDSA-AES256-SHA":        tls.TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA,
	"ECDHE-RSA-AES256-SHA":          tls.TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA,
	"AES256-GCM-SHA384":             tls.TLS_RSA_WITH_AES_256_GCM_SHA384,
	"AES128-GCM-SHA256":             tls.TLS_RSA_WITH_AES_128_GCM_SHA256,
	"AES256-SHA":                    tls.TLS_RSA_WITH_AES_256_CBC_SHA,
	"AES128-SHA":                    tls.TLS_RSA_WITH_AES_128_CBC_SHA,
}

var curves = map[string]tls.CurveID{"P-256": tls.CurveP256, "P-384": tls.CurveP384, "P-521": tls.CurveP521,
	"X25519": tls.X25519, "X25519MLKEM768": tls.X25519MLKEM768}

func (t *termination) readParameters(d *tlsv3.DownstreamTlsContext) error {
	p := d.GetCommonTlsContext().GetTlsParams()
	t.base = &tls.Config{MinVersion: tls.VersionTLS12, MaxVersion: tls.VersionTLS13, //nolint:gosec // lower only where the configuration asks
		NextProtos: d.GetCommonTlsContext().GetAlpnProtocols(), SessionTicketsDisabled: d.GetDisableStatelessSessionResumption()}
	if v, ok := tlsVersions[p.GetTlsMinimumProtocolVersion()]; ok {
		t.base.MinVersion = v
	}
	if v, ok := tlsVersions[p.GetTlsMaximumProtocolVersion()]; ok {
		t.base.MaxVersion = v
	}
	for _, group := range p.GetCipherSuites() {
		for _, name := range strings.Split(strings.Trim(group, "[]"), "|") {
			id, ok := suites[name]
			if !ok {
				return fmt.Errorf("DownstreamTlsContext: cipher suite %q is not supported", name)
			}
			t.base.CipherSuites = append(t.base.CipherSuites, id)
		}
	}
	for _, name := range p.GetEcdhCurves() {
		id, ok := curves[name]
		if !ok {
			return fmt.Errorf("DownstreamTlsContext: curve %q is not supported", name)
		}
		t.base.CurvePreferences = append(t.base.CurvePreferences, id)
	}
	return nil
}

// secured is a TLS connection with what was read of it to tell its protocol.
type secured struct {
	*tls.Conn
	peeked []byte
}

// Read gives what was peeked before what comes.
func (s *secured) Read(b []byte) (int, error) {
	if len(s.peeked) > 0 {
		n := copy(b, s.peeked)
		s.peeked = s.peeked[n:]
		return n, nil
	}
	return s.Conn.Read(b)
}

func (s *secured) startsWith(text string, wait time.Duration) (bool, error) {
	return startsWith(s, &s.peeked, text, wait)
}

// secure makes the TLS handshake where the chain asks for it.
func (c *chain) secure(ctx context.Context, conn *connection) (net.Conn, error) {
	if c.tls == nil {
		return conn, nil
	}
	if c.tls.mesh {
		return nil, errors.New(noMutual)
	}
	if c.shake > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, c.shake)
		defer cancel()
	}
	stream := tls.Server(conn, &tls.Config{MinVersion: tls.VersionTLS12, GetConfigForClient: c.tls.configFor})
	if err := stream.HandshakeContext(ctx); err != nil {
		return nil, err
	}
	state := stream.ConnectionState()
	conn.down.TLS = &state
	if conn.sni == "" {
		conn.sni = state.ServerName
	}
	return &secured{Conn: stream}, nil
}

// configFor gives the configuration with the secrets as they are now.
func (t *termination) configFor(h *tls.ClientHelloInfo) (*tls.Config, error) {
	if t.sni && h.ServerName == "" {
		return nil, errors.New("the client names no server, and require_sni is set")
	}
	cfg := t.base.Clone()
	for _, source := range t.certs {
		cert, err := t.secrets.certificate(source)
		if err != nil {
			return nil, err
		}
		cfg.Certificates = append(cfg.Certificates, *cert)
	}
	// Envoy agrees on no protocol where client and server have none in common;
	// Go would refuse the client (RFC 7301, section 3.2).
	if !slices.ContainsFunc(h.SupportedProtos, func(p string) bool { return slices.Contains(cfg.NextProtos, p) }) {
		cfg.NextProtos = nil
	}
	if t.require {
		cfg.ClientAuth = tls.RequireAnyClientCert
	}
	if t.validate == nil {
		return cfg, nil
	}
	if !t.require {
		cfg.ClientAuth = tls.RequestClientCert
	}
	check, err := t.validate.checker(t.secrets)
	if err != nil {
		return nil, err
	}
	cfg.ClientCAs = check.roots
	cfg.VerifyConnection = func(state tls.ConnectionState) error { return check.verify(state.PeerCertificates) }
	cfg.SessionTicketsDisabled = true // a resumed session would skip nothing of the above, but keep old roots
	return cfg, nil
}

// fingerprint tells whether a certificate is one of those whose hash is listed:
// verify_certificate_hash in hexadecimal, with or without colons.
func fingerprint(hashes []string, cert *x509.Certificate) bool {
	sum := sha256.Sum256(cert.Raw)
	text := hex.EncodeToString(sum[:])
	return slices.ContainsFunc(hashes, func(h string) bool {
		return strings.EqualFold(strings.ReplaceAll(h, ":", ""), text)
	})
}

// publicKey is fingerprint for verify_certificate_spki, in base64.
func publicKey(hashes []string, cert *x509.Certificate) bool {
	sum := sha256.Sum256(cert.RawSubjectPublicKeyInfo)
	return slices.Contains(hashes, base64.StdEncoding.EncodeToString(sum[:]))
}
