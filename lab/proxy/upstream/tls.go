package upstream

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	"google.golang.org/protobuf/proto"
)

// The names of istiod's own certificates, which only mTLS between sidecars uses.
const (
	workloadSecret = "default"
	meshRootSecret = "ROOTCA"
)

const noMutual = "ISTIO_MUTUAL: the lab has no mTLS between sidecars"

// tlsSocket is TLS as a client.
type tlsSocket struct {
	owner      *Clusters
	context    *tlsv3.UpstreamTlsContext
	autoSAN    bool
	autoSNI    bool
	certName   string // SDS
	rootName   string // SDS
	validation *tlsv3.CertificateValidationContext
}

// newTLSSocket gives why there can be none, if so.
func newTLSSocket(owner *Clusters, c *clusterv3.Cluster, m *tlsv3.UpstreamTlsContext) (*tlsSocket, string) {
	common := m.GetCommonTlsContext()
	s := newSettings(c)
	t := &tlsSocket{owner: owner, context: m, autoSAN: s.autoSAN || m.GetAutoSniSanValidation(), autoSNI: s.autoSNI}
	if sds := common.GetTlsCertificateSdsSecretConfigs(); len(sds) > 0 {
		t.certName = sds[0].GetName()
	}
	switch v := common.GetValidationContextType().(type) {
	case *tlsv3.CommonTlsContext_ValidationContext:
		t.validation = v.ValidationContext
	case *tlsv3.CommonTlsContext_ValidationContextSdsSecretConfig:
		t.rootName = v.ValidationContextSdsSecretConfig.GetName()
	case *tlsv3.CommonTlsContext_CombinedValidationContext:
		t.validation = v.CombinedValidationContext.GetDefaultValidationContext()
		t.rootName = v.CombinedValidationContext.GetValidationContextSdsSecretConfig().GetName()
	case nil:
	default:
		return t, fmt.Sprintf("%T is unsupported", v)
	}
	switch {
	case t.certName == workloadSecret || t.rootName == meshRootSecret && t.certName == "":
		return t, noMutual
	case common.GetTlsCertificateProviderInstance() != nil, common.GetCustomTlsCertificateSelector() != nil, common.GetCustomHandshaker() != nil:
		return t, "certificates from a provider are unsupported"
	}
	return t, refusedValidation(t.validation)
}

// refusedValidation names a check that the proxy does not make: a connection
// that was to be checked and is not must not be.
func refusedValidation(v *tlsv3.CertificateValidationContext) string {
	switch {
	case v.GetCustomValidatorConfig() != nil:
		return "custom_validator_config is unsupported"
	case v.GetCaCertificateProviderInstance() != nil:
		return "ca_certificate_provider_instance is unsupported"
	case v.GetRequireSignedCertificateTimestamp().GetValue():
		return "require_signed_certificate_timestamp is unsupported"
	case v.GetMaxVerifyDepth() != nil:
		return "max_verify_depth is unsupported"
	}
	for _, m := range v.GetMatchTypedSubjectAltNames() {
		if m.GetSanType() == tlsv3.SubjectAltNameMatcher_OTHER_NAME {
			return "subject alternative names of type OTHER_NAME are unsupported"
		}
	}
	return ""
}

// config builds the client's configuration with the secrets as they are now.
func (t *tlsSocket) config(sni string, alpn []string) (*tls.Config, error) {
	common := t.context.GetCommonTlsContext()
	if sni == "" {
		sni = t.context.GetSni()
	}
	config := &tls.Config{
		ServerName:         sni,
		InsecureSkipVerify: true, // VerifyConnection does what Envoy does, which takes no name for granted
		NextProtos:         common.GetAlpnProtocols(),
	}
	if err := parameters(config, common.GetTlsParams()); err != nil {
		return nil, err
	}
	if alpn != nil {
		config.NextProtos = alpn
	} else {
		config.NextProtos = slices.DeleteFunc(slices.Clone(config.NextProtos), func(p string) bool { return p == "h2" })
	}
	if err := t.certificate(config); err != nil {
		return nil, err
	}
	validation, err := t.validationNow()
	if err != nil || validation == nil {
		return config, err
	}
	if reason := refusedValidation(validation); reason != "" {
		return nil, errors.New(reason)
	}
	roots, err := t.roots(validation)
	if err != nil {
		return nil, err
	}
	lists, err := t.revocations(validation)
	if err != nil {
		return nil, err
	}
	config.VerifyConnection = func(state tls.ConnectionState) error { return t.verify(state, validation, roots, lists, sni) }
	return config, nil
}

// certificate adds the client's certificate, if the cluster has one.
func (t *tlsSocket) certificate(config *tls.Config) error {
	var source *tlsv3.TlsCertificate
	switch inline := t.context.GetCommonTlsContext().GetTlsCertificates(); {
	case strings.HasPrefix(t.certName, "file-cert:"):
		chain, key, ok := strings.Cut(strings.TrimPrefix(t.certName, "file-cert:"), "~")
		if !ok {
			return fmt.Errorf("secret %s names no key", t.certName)
		}
		source = &tlsv3.TlsCertificate{CertificateChain: file(chain), PrivateKey: file(key)}
	case t.certName != "":
		secret := (*t.owner.secrets.Load())[t.certName]
		if source = secret.GetTlsCertificate(); source == nil {
			return fmt.Errorf("the certificate %s is not there", t.certName)
		}
	case len(inline) > 0:
		source = inline[0]
	default:
		return nil
	}
	chain, err := t.read(source.GetCertificateChain())
	if err != nil {
		return err
	}
	key, err := t.read(source.GetPrivateKey())
	if err != nil {
		return err
	}
	pair, err := tls.X509KeyPair(chain, key)
	if err != nil {
		return fmt.Errorf("the client's certificate: %w", err)
	}
	config.Certificates = []tls.Certificate{pair}
	return nil
}

// validationNow is the validation context with what SDS says; nil for none,
// which checks nothing (insecureSkipVerify).
func (t *tlsSocket) validationNow() (*tlsv3.CertificateValidationContext, error) {
	if t.rootName == "" {
		return t.validation, nil
	}
	merged := &tlsv3.CertificateValidationContext{}
	if t.validation != nil {
		proto.Merge(merged, t.validation)
	}
	switch name, fromFile := strings.CutPrefix(t.rootName, "file-root:"); {
	case fromFile && name == "system":
		merged.SystemRootCerts = &tlsv3.CertificateValidationContext_SystemRootCerts{}
	case fromFile:
		merged.TrustedCa = file(name)
	default:
		secret := (*t.owner.secrets.Load())[t.rootName]
		if secret.GetValidationContext() == nil {
			return nil, fmt.Errorf("the CA %s is not there", t.rootName)
		}
		proto.Merge(merged, secret.GetValidationContext())
	}
	return merged, nil
}

// roots are the trusted CAs; nil where the chain is not checked.
func (t *tlsSocket) roots(v *tlsv3.CertificateValidationContext) (*x509.CertPool, error) {
	if v.GetTrustedCa() == nil {
		if v.GetSystemRootCerts() != nil {
			return x509.SystemCertPool()
		}
		return nil, nil
	}
	if systemBundle(v.GetTrustedCa().GetFilename()) {
		return x509.SystemCertPool()
	}
	pem, err := t.read(v.GetTrustedCa())
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, errors.New("the trusted CA has no certificate")
	}
	return pool, nil
}

// systemBundle tells whether a file is where a container has the system's CAs,
// which the lab's host may have elsewhere.
func systemBundle(name string) bool {
	switch name {
	case "/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/ca-bundle.pem", "/etc/ssl/cert.pem":
		return true
	}
	return false
}

func file(name string) *corev3.DataSource {
	return &corev3.DataSource{Specifier: &corev3.DataSource_Filename{Filename: name}}
}

// read gives the bytes of a data source; files are those of the container.
func (t *tlsSocket) read(d *corev3.DataSource) ([]byte, error) {
	switch s := d.GetSpecifier().(type) {
	case *corev3.DataSource_InlineBytes:
		return s.InlineBytes, nil
	case *corev3.DataSource_InlineString:
		return []byte(s.InlineString), nil
	case *corev3.DataSource_Filename:
		name := s.Filename
		if spec := t.owner.options.Spec; spec != nil {
			host, ok := spec.HostPath(filepath.ToSlash(name))
			if !ok {
				return nil, fmt.Errorf("no volume of the container holds %s", name)
			}
			name = host
		}
		return os.ReadFile(name)
	case *corev3.DataSource_EnvironmentVariable:
		return []byte(os.Getenv(s.EnvironmentVariable)), nil
	}
	return nil, errors.New("a certificate or key is missing")
}

// verify checks the chain and the names as Envoy does: no names asked for, none
// checked.
func (t *tlsSocket) verify(state tls.ConnectionState, v *tlsv3.CertificateValidationContext, roots *x509.CertPool, lists []*x509.RevocationList, sni string) error {
	if len(state.PeerCertificates) == 0 {
		return errors.New("the upstream has no certificate")
	}
	leaf := state.PeerCertificates[0]
	if roots != nil && v.GetTrustChainVerification() != tlsv3.CertificateValidationContext_ACCEPT_UNTRUSTED {
		options := x509.VerifyOptions{Roots: roots, Intermediates: x509.NewCertPool(), KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}
		for _, c := range state.PeerCertificates[1:] {
			options.Intermediates.AddCert(c)
		}
		if v.GetAllowExpiredCertificate() {
			options.CurrentTime = leaf.NotAfter
		}
		chains, err := leaf.Verify(options)
		if err != nil {
			return fmt.Errorf("CERTIFICATE_VERIFY_FAILED: %w", err)
		}
		if len(lists) > 0 {
			if err := revoked(chains[0], lists, v.GetOnlyVerifyLeafCertCrl()); err != nil {
				return err
			}
		}
	}
	if !hashesMatch(leaf, v) {
		return errors.New("CERTIFICATE_VERIFY_FAILED: the certificate is none of those that are pinned")
	}
	if t.autoSAN && sni != "" && net.ParseIP(sni) == nil {
		if err := leaf.VerifyHostname(sni); err != nil {
			return fmt.Errorf("CERTIFICATE_VERIFY_FAILED: %w", err)
		}
	}
	if !namesMatch(leaf, v) {
		return errors.New("CERTIFICATE_VERIFY_FAILED: verify SAN list")
	}
	return nil
}

func version(v tlsv3.TlsParameters_TlsProtocol, otherwise uint16) uint16 {
	switch v {
	case tlsv3.TlsParameters_TLSv1_0:
		return tls.VersionTLS10
	case tlsv3.TlsParameters_TLSv1_1:
		return tls.VersionTLS11
	case tlsv3.TlsParameters_TLSv1_2:
		return tls.VersionTLS12
	case tlsv3.TlsParameters_TLSv1_3:
		return tls.VersionTLS13
	}
	return otherwise
}
