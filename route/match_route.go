package route

import (
	"errors"
	"fmt"
	"strings"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	typev3 "github.com/envoyproxy/go-control-plane/envoy/type/v3"
)

// conditions is envoy.config.route.v3.RouteMatch: all of them have to hold.
type conditions struct {
	path     pathMatcher
	headers  []headerMatcher
	query    []queryMatcher
	cookies  []cookieMatcher
	grpc     bool
	tls      tlsMatcher
	fraction *fraction
	blind    bool   // a condition nobody can evaluate, whatever the request
	unknown  string // why the result may be unknown; "" where it never is
}

func (b *builder) conditions(m *routev3.RouteMatch) (conditions, error) {
	out := conditions{grpc: m.GetGrpc() != nil, fraction: newFraction(m.GetRuntimeFraction())}
	b.unknown = b.unknown[:0]
	var faults []error
	keep := func(err error) {
		if err != nil {
			faults = append(faults, err)
		}
	}
	var err error
	out.path, err = b.pathMatcher(m)
	keep(err)
	for _, h := range m.GetHeaders() {
		c, err := b.headerMatcher(h)
		out.headers = append(out.headers, c)
		keep(err)
	}
	for _, q := range m.GetQueryParameters() {
		c, err := b.queryMatcher(q)
		out.query = append(out.query, c)
		keep(err)
	}
	for _, k := range m.GetCookies() {
		c, err := b.cookieMatcher(k)
		out.cookies = append(out.cookies, c)
		keep(err)
	}
	out.tls = newTLSMatcher(m.GetTlsContext())
	for _, d := range m.GetDynamicMetadata() {
		b.unsupported("RouteMatch.dynamic_metadata", d.GetFilter())
		out.blind = true
	}
	for _, f := range m.GetFilterState() {
		b.unsupported("RouteMatch.filter_state", f.GetKey())
		out.blind = true
	}
	out.unknown = strings.Join(b.unknown, "; ")
	return out, errors.Join(faults...)
}

// match goes through the conditions. Where why is given, it gets the first
// condition that does not hold. A condition that does not hold decides, even
// beside one that is unknown.
func (c *conditions) match(v *view, why *string) result {
	out := c.path.match(v)
	if out == no {
		if why != nil {
			*why = c.path.why(v)
		}
		return no
	}
	for i := range c.headers {
		switch c.headers[i].match(v) {
		case unknown:
			out = unknown
		case no:
			if why != nil {
				*why = c.headers[i].why(v)
			}
			return no
		}
	}
	if out = c.matchQuery(v, why, out); out == no {
		return no
	}
	text := ""
	switch {
	case c.grpc && !isGRPC(v):
		text = "grpc"
	case !c.tls.match(v.r.TLS):
		text = "tls"
	case c.fraction != nil && !c.fraction.match(v.r):
		text = "fraction"
	case c.blind:
		return unknown
	default:
		return out
	}
	if why != nil {
		*why = c.whyOther(v, text)
	}
	return no
}

func (c *conditions) matchQuery(v *view, why *string, out result) result {
	for i := range c.query {
		switch c.query[i].match(v) {
		case unknown:
			out = unknown
		case no:
			if why != nil {
				*why = c.query[i].why(v)
			}
			return no
		}
	}
	for i := range c.cookies {
		switch c.cookies[i].match(v) {
		case unknown:
			out = unknown
		case no:
			if why != nil {
				*why = c.cookies[i].why(v)
			}
			return no
		}
	}
	return out
}

func (c *conditions) whyOther(v *view, what string) string {
	switch what {
	case "grpc":
		if kind, n := v.first(contentType); n > 0 {
			return fmt.Sprintf("content-type %q is not gRPC (application/grpc or application/grpc+...)", kind)
		}
		return "content-type is missing: not a gRPC request"
	case "tls":
		return c.tls.why(v.r.TLS)
	}
	return c.fraction.why(v.r)
}

var contentType = headerName{text: "content-type"}

// isGRPC follows RouteMatch.grpc.
func isGRPC(v *view) bool {
	kind, _ := v.first(contentType)
	rest, ok := strings.CutPrefix(kind, "application/grpc")
	return ok && !v.pathless && (rest == "" || rest[0] == '+')
}

// tlsMatcher is RouteMatch.tls_context; the fields are nil where it does not
// matter.
type tlsMatcher struct {
	presented, validated *bool
}

func newTLSMatcher(m *routev3.RouteMatch_TlsContextMatchOptions) tlsMatcher {
	var out tlsMatcher
	if p := m.GetPresented(); p != nil {
		out.presented = &p.Value
	}
	if p := m.GetValidated(); p != nil {
		out.validated = &p.Value
	}
	return out
}

func (m tlsMatcher) match(t *TLS) bool {
	if m.presented != nil && *m.presented != (t != nil && t.Presented) {
		return false
	}
	return m.validated == nil || *m.validated == (t != nil && t.Validated)
}

func (m tlsMatcher) why(t *TLS) string {
	switch presented := t != nil && t.Presented; {
	case m.presented != nil && *m.presented && !presented:
		return "no client certificate is presented"
	case m.presented != nil && !*m.presented && presented:
		return "a client certificate is presented"
	case *m.validated:
		return "no client certificate is validated"
	}
	return "the client certificate is validated"
}

// fraction is RouteMatch.runtime_fraction.
type fraction struct {
	key                    string
	numerator, denominator uint32
}

func newFraction(m *corev3.RuntimeFractionalPercent) *fraction {
	if m == nil {
		return nil
	}
	return &fraction{
		key:         m.GetRuntimeKey(),
		numerator:   m.GetDefaultValue().GetNumerator(),
		denominator: denominator(m.GetDefaultValue()),
	}
}

func denominator(p *typev3.FractionalPercent) uint32 {
	switch p.GetDenominator() {
	case typev3.FractionalPercent_TEN_THOUSAND:
		return 10_000
	case typev3.FractionalPercent_MILLION:
		return 1_000_000
	}
	return 100
}

// match draws as RouteMatch.runtime_fraction says: the random value modulo the
// denominator has to be below the numerator.
func (f *fraction) match(r *Request) bool {
	if f.key != "" && r.Runtime != nil {
		return r.Runtime(f.key, f.numerator, f.denominator, r.Random)
	}
	return r.Random%uint64(f.denominator) < uint64(f.numerator)
}

func (f *fraction) why(r *Request) string {
	if f.key != "" && r.Runtime != nil {
		return "runtime key " + f.key + " does not take this request"
	}
	return fmt.Sprintf("random value %d is outside of the fraction %d of %d",
		r.Random%uint64(f.denominator), f.numerator, f.denominator)
}
