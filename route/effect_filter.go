package route

import (
	"maps"
	"slices"
	"strconv"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	faultv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/fault/v3"
	matcherv3 "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"
	typev3 "github.com/envoyproxy/go-control-plane/envoy/type/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

// filters evaluates typed_per_filter_config: of each filter the entry of the
// most specific level holds, and says whether the filter runs at all
// (FilterConfig.disabled).
func (e *evaluation) filters() {
	levels := []*level{&e.d.Route.effects.level, &e.d.VirtualHost.effects.level, e.c.effects}
	if w := e.weighted(); w != nil {
		levels = slices.Insert(levels, 0, w)
	}
	names := map[string]bool{}
	for _, l := range levels {
		for name := range l.filters {
			names[name] = true
		}
	}
	var policies []corsPolicy
	anyCORS := false
	for _, name := range slices.Sorted(maps.Keys(names)) {
		var all []filter
		for _, l := range levels {
			if f, ok := l.filters[name]; ok {
				all = append(all, f)
			}
		}
		anyCORS = anyCORS || slices.ContainsFunc(all, func(f filter) bool { return f.cors != nil })
		policies = append(policies, e.filter(name, all)...)
	}
	if !anyCORS {
		policies = e.oldCORS(names)
	}
	e.out.CORS = e.cors(policies)
}

// corsFilter is the usual name of the filter.
const corsFilter = "envoy.filters.http.cors"

// oldCORS gives the deprecated fields, which only hold where no level configures
// the filter (RouteAction.cors, VirtualHost.cors).
func (e *evaluation) oldCORS(names map[string]bool) []corsPolicy {
	if names[corsFilter] {
		return nil // present without a policy: it is switched off
	}
	var out []corsPolicy
	if p := oldRouteCORS(e.d.Route.Proto.GetRoute()); p != nil {
		out = append(out, p)
	}
	if p := oldHostCORS(e.d.VirtualHost.Proto); p != nil {
		out = append(out, p)
	}
	return out
}

// filter evaluates one filter, given the entries from the most specific level
// on; it gives the CORS policies among them.
func (e *evaluation) filter(name string, all []filter) []corsPolicy {
	first := all[0]
	if first.optional {
		e.unsupported(notShown("FilterConfig.is_optional", "it matters only to proxies that do not know the filter"))
	}
	if first.disabled {
		known := name == corsFilter || slices.ContainsFunc(all, func(f filter) bool { return f.cors != nil || f.fault != nil })
		if !known {
			e.unsupported("unsupported: typed_per_filter_config of " + name + " (the filter is switched off here)")
		}
		return nil
	}
	switch {
	case first.fault != nil:
		e.fault(first.fault)
	case first.config != "":
		e.unsupported("unsupported: typed_per_filter_config of " + name)
	}
	var out []corsPolicy
	for _, f := range all {
		if f.cors != nil && !f.disabled {
			out = append(out, f.cors)
		}
	}
	return out
}

// corsPolicy is either of the two messages, which have the same fields.
type corsPolicy interface {
	proto.Message
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

func (b *builder) corsOrigins(all []*matcherv3.StringMatcher) error {
	for _, m := range all {
		if _, err := b.stringMatcher(m); err != nil {
			return err
		}
	}
	return nil
}

// cors merges the policies: each field is taken from the most specific one that
// sets it, as the filter does; whether it runs, from the most specific one.
func (e *evaluation) cors(policies []corsPolicy) *CORS {
	if len(policies) == 0 {
		return nil
	}
	share := 1.0
	if f := policies[0].GetFilterEnabled(); f != nil {
		if share = e.share(f); share == 0 {
			return nil
		}
	}
	out := &CORS{}
	if share < 1 {
		out.Share = share
	}
	var credentials, private, forward *wrapperspb.BoolValue
	b := builder{patterns: map[string]*pattern{}, patternErrors: map[string]error{}}
	for _, p := range slices.Backward(policies) {
		e.notes(p)
		if all := p.GetAllowOriginStringMatch(); len(all) > 0 {
			out.AllowOrigins = nil
			for _, m := range all {
				if matcher, err := b.stringMatcher(m); err == nil {
					out.AllowOrigins = append(out.AllowOrigins, matcher.words())
				}
			}
		}
		take(&out.AllowMethods, p.GetAllowMethods())
		take(&out.AllowHeaders, p.GetAllowHeaders())
		take(&out.ExposeHeaders, p.GetExposeHeaders())
		take(&out.MaxAge, p.GetMaxAge())
		takeSet(&credentials, p.GetAllowCredentials())
		takeSet(&private, p.GetAllowPrivateNetworkAccess())
		takeSet(&forward, p.GetForwardNotMatchingPreflights())
	}
	out.AllowCredentials, out.AllowPrivateNetwork = credentials.GetValue(), private.GetValue()
	out.RejectPreflights = forward != nil && !forward.GetValue()
	return out
}

func take(into *string, text string) {
	if text != "" {
		*into = text
	}
}

func takeSet(into **wrapperspb.BoolValue, b *wrapperspb.BoolValue) {
	if b != nil {
		*into = b
	}
}

// faultPolicy is envoy.extensions.filters.http.fault.v3.HTTPFault.
type faultPolicy struct {
	proto   *faultv3.HTTPFault
	headers []headerMatcher
}

func (b *builder) faultPolicy(m *faultv3.HTTPFault) (*faultPolicy, error) {
	headers, err := b.headerMatchers(m.GetHeaders())
	return &faultPolicy{proto: m, headers: headers}, err
}

// fault evaluates a fault policy; a request that its conditions leave out gets
// none.
func (e *evaluation) fault(p *faultPolicy) {
	m := p.proto
	if m.GetUpstreamCluster() != "" && m.GetUpstreamCluster() != e.d.Cluster {
		return
	}
	if allMatch(p.headers, &e.v) == no {
		return
	}
	if nodes := m.GetDownstreamNodes(); len(nodes) > 0 {
		if node, ok := e.request.first("x-envoy-downstream-service-node"); !ok || !slices.Contains(nodes, node) {
			return
		}
	}
	e.notes(m)
	out := &Fault{OnlyUpstream: m.GetUpstreamCluster()}
	for i := range p.headers {
		out.Headers = append(out.Headers, p.headers[i].words())
	}
	if d := m.GetDelay(); d.GetHeaderDelay() != nil {
		if n, ok := e.number("x-envoy-fault-delay-request"); ok {
			out.Delay = time.Duration(n) * time.Millisecond
			out.DelayShare = e.capped(d.GetPercentage(), "x-envoy-fault-delay-request-percentage")
		}
	} else if d != nil {
		out.Delay, out.DelayShare = d.GetFixedDelay().AsDuration(), percent(d.GetPercentage())
	}
	e.abort(out, m.GetAbort())
	if l := m.GetResponseRateLimit(); l.GetHeaderLimit() != nil {
		if n, ok := e.number("x-envoy-fault-throughput-response"); ok && n > 0 {
			out.ResponseKiB = n
			out.ResponseShare = e.capped(l.GetPercentage(), "x-envoy-fault-throughput-response-percentage")
		}
	} else if l != nil {
		out.ResponseKiB, out.ResponseShare = l.GetFixedLimit().GetLimitKbps(), percent(l.GetPercentage())
	}
	if out.DelayShare > 0 || out.AbortShare > 0 || out.ResponseShare > 0 {
		e.out.Fault = out
	}
}

func (e *evaluation) abort(out *Fault, a *faultv3.FaultAbort) {
	switch kind := a.GetErrorType().(type) {
	case *faultv3.FaultAbort_HttpStatus:
		out.Abort, out.AbortShare = int(kind.HttpStatus), percent(a.GetPercentage())
	case *faultv3.FaultAbort_GrpcStatus:
		out.AbortGRPC, out.AbortShare = int(kind.GrpcStatus), percent(a.GetPercentage())
	case *faultv3.FaultAbort_HeaderAbort_:
		if n, ok := e.number("x-envoy-fault-abort-request"); ok && n >= 200 && n < 600 {
			out.Abort = int(n)
		} else if n, ok := e.number("x-envoy-fault-abort-grpc-request"); ok && n <= 16 {
			out.AbortGRPC = int(n)
		} else {
			return
		}
		out.AbortShare = e.capped(a.GetPercentage(), "x-envoy-fault-abort-request-percentage")
	}
}

func (e *evaluation) number(header string) (uint64, bool) {
	text, ok := e.request.first(header)
	if !ok {
		return 0, false
	}
	n, err := strconv.ParseUint(text, 10, 32)
	return n, err == nil
}

// capped is a percentage whose numerator a request header may lower (docs:
// configuration/http/http_filters/fault_filter, "Controlling fault injection via
// HTTP headers").
func (e *evaluation) capped(p *typev3.FractionalPercent, header string) float64 {
	if n, ok := e.number(header); ok && n < uint64(p.GetNumerator()) {
		return percent(&typev3.FractionalPercent{Numerator: uint32(n), Denominator: p.GetDenominator()})
	}
	return percent(p)
}

func percent(p *typev3.FractionalPercent) float64 {
	return min(float64(p.GetNumerator())/float64(denominator(p)), 1)
}
