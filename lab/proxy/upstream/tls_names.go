package upstream

import (
	"crypto/x509"
	"regexp"
	"strings"

	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	matcherv3 "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"
)

// namesMatch tells whether one of the certificate's subject alternative names is
// one of those that are wanted.
func namesMatch(leaf *x509.Certificate, v *tlsv3.CertificateValidationContext) bool {
	typed := v.GetMatchTypedSubjectAltNames()
	if len(typed) == 0 && len(v.GetMatchSubjectAltNames()) == 0 {
		return true
	}
	names := map[tlsv3.SubjectAltNameMatcher_SanType][]string{
		tlsv3.SubjectAltNameMatcher_DNS: leaf.DNSNames, tlsv3.SubjectAltNameMatcher_EMAIL: leaf.EmailAddresses,
	}
	for _, u := range leaf.URIs {
		names[tlsv3.SubjectAltNameMatcher_URI] = append(names[tlsv3.SubjectAltNameMatcher_URI], u.String())
	}
	for _, ip := range leaf.IPAddresses {
		names[tlsv3.SubjectAltNameMatcher_IP_ADDRESS] = append(names[tlsv3.SubjectAltNameMatcher_IP_ADDRESS], ip.String())
	}
	for _, m := range typed {
		for _, name := range names[m.GetSanType()] {
			if nameMatches(m.GetMatcher(), name, m.GetSanType() == tlsv3.SubjectAltNameMatcher_DNS) {
				return true
			}
		}
	}
	for _, m := range v.GetMatchSubjectAltNames() {
		for kind, list := range names {
			for _, name := range list {
				if nameMatches(m, name, kind == tlsv3.SubjectAltNameMatcher_DNS) {
					return true
				}
			}
		}
	}
	return false
}

// nameMatches lets a certificate's wildcard stand for one label, as Envoy does
// for exact DNS matches.
func nameMatches(m *matcherv3.StringMatcher, name string, dns bool) bool {
	fold := func(s string) string {
		if m.GetIgnoreCase() || dns {
			return strings.ToLower(s)
		}
		return s
	}
	name = fold(name)
	switch p := m.GetMatchPattern().(type) {
	case *matcherv3.StringMatcher_Exact:
		want := fold(p.Exact)
		if suffix, ok := strings.CutPrefix(name, "*."); ok && dns {
			_, rest, found := strings.Cut(want, ".")
			return found && rest == suffix
		}
		return name == want
	case *matcherv3.StringMatcher_Prefix:
		return strings.HasPrefix(name, fold(p.Prefix))
	case *matcherv3.StringMatcher_Suffix:
		return strings.HasSuffix(name, fold(p.Suffix))
	case *matcherv3.StringMatcher_Contains:
		return strings.Contains(name, fold(p.Contains))
	case *matcherv3.StringMatcher_SafeRegex:
		re, err := regexp.Compile("^(?:" + p.SafeRegex.GetRegex() + ")$")
		return err == nil && re.MatchString(name)
	}
	return false
}
