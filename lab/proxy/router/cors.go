package router

import (
	"net/http"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	matcherv3 "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"
	typev3 "github.com/envoyproxy/go-control-plane/envoy/type/v3"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

// corsProto is either of the two messages, which have the same fields.
type corsProto interface {
	GetAllowOriginStringMatch() []*matcherv3.StringMatcher
	GetAllowMethods() string
	GetAllowHeaders() string
	GetExposeHeaders() string
	GetMaxAge() string
	GetAllowCredentials() *wrapperspb.BoolValue
	GetFilterEnabled() *corev3.RuntimeFractionalPercent
	GetAllowPrivateNetworkAccess() *wrapperspb.BoolValue
	GetForwardNotMatchingPreflights() *wrapperspb.BoolValue
}

// corsPolicy is the policy that holds for a route.
type corsPolicy struct {
	origins                           []stringMatch
	methods, headers, expose, maxAge  string
	credentials, private, forwardMiss bool
	share                             fraction
}

// fraction is numerator of denominator requests.
type fraction struct{ numerator, denominator uint64 }

func newFraction(p *typev3.FractionalPercent) fraction {
	f := fraction{uint64(p.GetNumerator()), 100}
	switch p.GetDenominator() {
	case typev3.FractionalPercent_TEN_THOUSAND:
		f.denominator = 10_000
	case typev3.FractionalPercent_MILLION:
		f.denominator = 1_000_000
	}
	return f
}

func (f fraction) take(random func() uint64) bool {
	if f.numerator == 0 {
		return false
	}
	return f.numerator >= f.denominator || random()%f.denominator < f.numerator
}

// newCORS merges the policies, the most specific one first: each field is taken
// from the first that sets it, as Envoy's filter does.
func newCORS(policies []corsProto) (*corsPolicy, error) {
	out := &corsPolicy{share: fraction{1, 1}, forwardMiss: true}
	if f := policies[0].GetFilterEnabled(); f != nil {
		out.share = newFraction(f.GetDefaultValue())
	}
	take := func(to *string, v string) {
		if *to == "" {
			*to = v
		}
	}
	var credentials, private, forward *wrapperspb.BoolValue
	takeSet := func(to **wrapperspb.BoolValue, v *wrapperspb.BoolValue) {
		if *to == nil {
			*to = v
		}
	}
	for _, p := range policies {
		if len(out.origins) == 0 {
			for _, m := range p.GetAllowOriginStringMatch() {
				one, err := newStringMatch(m)
				if err != nil {
					return nil, err
				}
				out.origins = append(out.origins, one)
			}
		}
		take(&out.methods, p.GetAllowMethods())
		take(&out.headers, p.GetAllowHeaders())
		take(&out.expose, p.GetExposeHeaders())
		take(&out.maxAge, p.GetMaxAge())
		takeSet(&credentials, p.GetAllowCredentials())
		takeSet(&private, p.GetAllowPrivateNetworkAccess())
		takeSet(&forward, p.GetForwardNotMatchingPreflights())
	}
	out.credentials, out.private = credentials.GetValue(), private.GetValue()
	out.forwardMiss = forward == nil || forward.GetValue()
	return out, nil
}

func (p *corsPolicy) allows(origin string) bool {
	for i := range p.origins {
		if m := &p.origins[i]; m.m == nil && m.exact == "*" || m.match(origin) {
			return true
		}
	}
	return false
}

// corsMatch is a request from an origin that the policy allows.
type corsMatch struct {
	policy *corsPolicy
	origin string
}

// corsFilter is envoy.filters.http.cors.
type corsFilter struct {
	name     string
	disabled bool
}

func (f *corsFilter) request(x *exchange) bool {
	origin := first(x.in, "Origin")
	if origin == "" || x.plan == nil {
		return false
	}
	p := x.plan.corsFor(x.decision.Weighted)
	if p == nil || !p.share.take(x.r.o.Random) {
		return false
	}
	preflight := x.req.Method == http.MethodOptions && first(x.in, "Access-Control-Request-Method") != ""
	if !p.allows(origin) {
		if preflight && !p.forwardMiss {
			x.reply(reply{status: http.StatusOK, details: "cors_response", own: true})
			return true
		}
		return false
	}
	x.cors = &corsMatch{p, origin}
	if !preflight {
		return false
	}
	x.reply(reply{status: http.StatusOK, details: "cors_response", own: true, header: func(h http.Header) {
		set := func(name, v string) {
			if v != "" {
				h[name] = []string{v}
			}
		}
		methods, headers := p.methods, p.headers
		if p.credentials && methods == "*" {
			methods = first(x.in, "Access-Control-Request-Method")
		}
		if p.credentials && headers == "*" {
			headers = first(x.in, "Access-Control-Request-Headers")
		}
		set("Access-Control-Allow-Methods", methods)
		set("Access-Control-Allow-Headers", headers)
		set("Access-Control-Max-Age", p.maxAge)
		if p.private && first(x.in, "Access-Control-Request-Private-Network") == "true" {
			set("Access-Control-Allow-Private-Network", "true")
		}
	}})
	return true
}

func (f *corsFilter) response(x *exchange) {
	if x.cors == nil {
		return
	}
	h := x.w.Header()
	h["Access-Control-Allow-Origin"] = []string{x.cors.origin}
	if x.cors.policy.credentials {
		h["Access-Control-Allow-Credentials"] = trueValue
	}
	if e := x.cors.policy.expose; e != "" && first(h, "Access-Control-Allow-Methods") == "" {
		h["Access-Control-Expose-Headers"] = []string{e}
	}
}
