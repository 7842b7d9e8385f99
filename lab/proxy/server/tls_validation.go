package server

import (
	"crypto/x509"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	matcherv3 "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"
)

// validation is how client certificates are checked: a context in the listener,
// in a secret, or both together.
type validation struct {
	context *tlsv3.CertificateValidationContext // nil for none
	secret  string                              // "" for none
}

func newValidation(c *tlsv3.CommonTlsContext) (*validation, error) {
	var v *validation
	switch {
	case c.GetValidationContext() != nil:
		v = &validation{context: c.GetValidationContext()}
	case c.GetValidationContextSdsSecretConfig() != nil:
		v = &validation{secret: c.GetValidationContextSdsSecretConfig().GetName()}
	case c.GetCombinedValidationContext() != nil:
		v = &validation{context: c.GetCombinedValidationContext().GetDefaultValidationContext(),
			secret: c.GetCombinedValidationContext().GetValidationContextSdsSecretConfig().GetName()}
	default:
		return nil, nil
	}
	_, err := newChecker(v.context)
	return v, err
}

// checker verifies client certificates by the secrets of one moment.
type checker struct {
	roots   *x509.CertPool // nil where none are configured
	sans    []func(*x509.Certificate) bool
	hashes  []string
	spki    []string
	revoked []*x509.RevocationList
	expired bool // allow_expired_certificate
	lax     bool // trust_chain_verification ACCEPT_UNTRUSTED
	now     func() time.Time
}

// checker joins the context of the listener with that of the secret.
func (v *validation) checker(s *secrets) (*checker, error) {
	out, err := newChecker(v.context)
	if err != nil {
		return nil, err
	}
	out.now = s.now
	contexts := []*tlsv3.CertificateValidationContext{v.context}
	if v.secret != "" {
		context, err := s.validation(v.secret)
		if err != nil {
			return nil, err
		}
		more, err := newChecker(context)
		if err != nil {
			return nil, err
		}
		out.sans = append(out.sans, more.sans...)
		out.hashes, out.spki = append(out.hashes, more.hashes...), append(out.spki, more.spki...)
		contexts = append(contexts, context)
	}
	for _, c := range contexts {
		if err := out.addTrust(c, s); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (k *checker) addTrust(c *tlsv3.CertificateValidationContext, s *secrets) error {
	if c.GetTrustedCa() != nil {
		pem, err := s.data(c.GetTrustedCa())
		if err != nil {
			return fmt.Errorf("trusted_ca: %w", err)
		}
		if k.roots == nil {
			k.roots = x509.NewCertPool()
		}
		if !k.roots.AppendCertsFromPEM(pem) {
			return errors.New("trusted_ca holds no certificate")
		}
	}
	if c.GetSystemRootCerts() != nil {
		roots, err := x509.SystemCertPool()
		if err != nil {
			return fmt.Errorf("system_root_certs: %w", err)
		}
		k.roots = roots
	}
	if c.GetCrl() != nil {
		data, err := s.data(c.GetCrl())
		if err != nil {
			return fmt.Errorf("crl: %w", err)
		}
		lists, err := parseCRLs(data)
		if err != nil {
			return fmt.Errorf("crl: %w", err)
		}
		k.revoked = append(k.revoked, lists...)
	}
	k.expired = k.expired || c.GetAllowExpiredCertificate()
	k.lax = k.lax || c.GetTrustChainVerification() == tlsv3.CertificateValidationContext_ACCEPT_UNTRUSTED
	return nil
}

func newChecker(c *tlsv3.CertificateValidationContext) (*checker, error) {
	k := &checker{hashes: slices.Clone(c.GetVerifyCertificateHash()), spki: slices.Clone(c.GetVerifyCertificateSpki())}
	switch {
	case c.GetCustomValidatorConfig() != nil:
		return nil, errors.New("CertificateValidationContext.custom_validator_config is not supported")
	case c.GetRequireSignedCertificateTimestamp().GetValue():
		return nil, errors.New("CertificateValidationContext.require_signed_certificate_timestamp is not supported")
	case c.GetCaCertificateProviderInstance() != nil:
		return nil, errors.New("CertificateValidationContext.ca_certificate_provider_instance is not supported")
	}
	for _, m := range c.GetMatchTypedSubjectAltNames() {
		match, err := sanMatcher(m.GetMatcher(), m.GetSanType())
		if err != nil {
			return nil, err
		}
		k.sans = append(k.sans, match)
	}
	for _, m := range c.GetMatchSubjectAltNames() { // istiod still sends it
		match, err := sanMatcher(m, tlsv3.SubjectAltNameMatcher_SAN_TYPE_UNSPECIFIED)
		if err != nil {
			return nil, err
		}
		k.sans = append(k.sans, match)
	}
	return k, nil
}

func sanMatcher(m *matcherv3.StringMatcher, kind tlsv3.SubjectAltNameMatcher_SanType) (func(*x509.Certificate) bool, error) {
	match, err := stringMatcher(m)
	if err != nil {
		return nil, err
	}
	return func(cert *x509.Certificate) bool {
		return slices.ContainsFunc(namesOf(cert, kind), match)
	}, nil
}

// namesOf are a certificate's subject alternative names of one kind, or all.
func namesOf(cert *x509.Certificate, kind tlsv3.SubjectAltNameMatcher_SanType) []string {
	var out []string
	is := func(k tlsv3.SubjectAltNameMatcher_SanType) bool {
		return kind == tlsv3.SubjectAltNameMatcher_SAN_TYPE_UNSPECIFIED || kind == k
	}
	if is(tlsv3.SubjectAltNameMatcher_DNS) {
		out = append(out, cert.DNSNames...)
	}
	if is(tlsv3.SubjectAltNameMatcher_EMAIL) {
		out = append(out, cert.EmailAddresses...)
	}
	if is(tlsv3.SubjectAltNameMatcher_URI) {
		for _, u := range cert.URIs {
			out = append(out, u.String())
		}
	}
	if is(tlsv3.SubjectAltNameMatcher_IP_ADDRESS) {
		for _, ip := range cert.IPAddresses {
			out = append(out, ip.String())
		}
	}
	return out
}

// stringMatcher reads a StringMatcher.
func stringMatcher(m *matcherv3.StringMatcher) (func(string) bool, error) {
	fold := func(s string) string { return s }
	if m.GetIgnoreCase() {
		fold = strings.ToLower
	}
	switch p := m.GetMatchPattern().(type) {
	case *matcherv3.StringMatcher_Exact:
		return func(s string) bool { return fold(s) == fold(p.Exact) }, nil
	case *matcherv3.StringMatcher_Prefix:
		return func(s string) bool { return strings.HasPrefix(fold(s), fold(p.Prefix)) }, nil
	case *matcherv3.StringMatcher_Suffix:
		return func(s string) bool { return strings.HasSuffix(fold(s), fold(p.Suffix)) }, nil
	case *matcherv3.StringMatcher_Contains:
		return func(s string) bool { return strings.Contains(fold(s), fold(p.Contains)) }, nil
	case *matcherv3.StringMatcher_SafeRegex:
		re, err := regexp.Compile("^(?:" + p.SafeRegex.GetRegex() + ")$")
		if err != nil {
			return nil, fmt.Errorf("string matcher: %w", err)
		}
		return re.MatchString, nil
	}
	return nil, fmt.Errorf("string matcher %T is not supported", m.GetMatchPattern())
}

// verify checks the client's certificates; none is fine where none is required,
// which was checked before.
func (k *checker) verify(certs []*x509.Certificate) error {
	if len(certs) == 0 {
		return nil
	}
	leaf := certs[0]
	if k.roots != nil && !k.lax {
		if err := k.trust(certs); err != nil {
			return err
		}
	}
	for _, list := range k.revoked {
		for _, entry := range list.RevokedCertificateEntries {
			if entry.SerialNumber.Cmp(leaf.SerialNumber) == 0 && list.Issuer.String() == leaf.Issuer.String() {
				return errors.New("verify cert failed: certificate revoked")
			}
		}
	}
	if len(k.hashes)+len(k.spki) > 0 && !fingerprint(k.hashes, leaf) && !publicKey(k.spki, leaf) {
		return errors.New("verify cert failed: cert hash and spki")
	}
	if len(k.sans) > 0 && !slices.ContainsFunc(k.sans, func(f func(*x509.Certificate) bool) bool { return f(leaf) }) {
		return errors.New("verify cert failed: SAN matcher")
	}
	return nil
}

func (k *checker) trust(certs []*x509.Certificate) error {
	o := x509.VerifyOptions{Roots: k.roots, Intermediates: x509.NewCertPool(), KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}
	if k.now != nil {
		o.CurrentTime = k.now()
	}
	if k.expired && o.CurrentTime.After(certs[0].NotAfter) {
		o.CurrentTime = certs[0].NotAfter
	}
	for _, c := range certs[1:] {
		o.Intermediates.AddCert(c)
	}
	if _, err := certs[0].Verify(o); err != nil {
		return fmt.Errorf("verify cert failed: %w", err)
	}
	return nil
}
