package route

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	mutationv3 "github.com/envoyproxy/go-control-plane/envoy/config/common/mutation_rules/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
)

// mirrorPolicy is RouteAction.RequestMirrorPolicy.
type mirrorPolicy struct {
	proto   *routev3.RouteAction_RequestMirrorPolicy
	changes []mirrorChange
}

// mirrorChange is one envoy.config.common.mutation_rules.v3.HeaderMutation.
type mirrorChange struct {
	mutations
	match *stringMatcher // removes the headers whose name it takes
}

func (b *builder) mirrorPolicy(m *routev3.RouteAction_RequestMirrorPolicy) (mirrorPolicy, error) {
	out := mirrorPolicy{proto: m}
	var faults []error
	if m.GetCluster() != "" && m.GetClusterHeader() != "" {
		faults = append(faults, errors.New("cluster and cluster_header are set together; only one of them can be"))
	}
	for i, change := range m.GetRequestHeadersMutations() {
		one, err := b.mirrorChange(change)
		if err != nil {
			faults = append(faults, fmt.Errorf("request_headers_mutations[%d]: %w", i, err))
		}
		out.changes = append(out.changes, one)
	}
	return out, errors.Join(faults...)
}

func (b *builder) mirrorChange(m *mutationv3.HeaderMutation) (mirrorChange, error) {
	var out mirrorChange
	var err error
	switch a := m.GetAction().(type) {
	case *mutationv3.HeaderMutation_Remove:
		out.remove = []string{lowerASCII(a.Remove)}
	case *mutationv3.HeaderMutation_Append:
		var one addition
		one, err = newAddition(a.Append)
		out.add = []addition{one}
	case *mutationv3.HeaderMutation_RemoveOnMatch_:
		var matcher stringMatcher
		matcher, err = b.stringMatcher(a.RemoveOnMatch.GetKeyMatcher())
		out.match = &matcher
	}
	return out, err
}

// mirrors finds the policies: the most specific level that has any holds alone
// (VirtualHost.request_mirror_policies).
func (e *evaluation) mirrors() {
	policies := e.d.Route.effects.mirrors
	for _, l := range []*level{&e.d.VirtualHost.effects.level, e.c.effects} {
		if len(policies) == 0 {
			policies = l.mirrors
			for _, p := range policies {
				e.notes(p.proto)
			}
		}
	}
	for i := range policies {
		if m, ok := e.mirror(&policies[i]); ok {
			e.out.Mirrors = append(e.out.Mirrors, m)
		}
	}
}

func (e *evaluation) mirror(p *mirrorPolicy) (Mirror, bool) {
	out := Mirror{Cluster: p.proto.GetCluster(), Share: 1}
	if name := p.proto.GetClusterHeader(); name != "" {
		out.Cluster, _ = e.request.first(name)
	}
	if out.Cluster == "" {
		return out, false
	}
	if f := p.proto.GetRuntimeFraction(); f != nil {
		out.Share = e.share(f)
	}
	copied := e.request.clone()
	f := e.formatter("")
	f.request = copied
	for i := range p.changes {
		change := &p.changes[i]
		if change.match != nil {
			copied.fields = slices.DeleteFunc(copied.fields, func(f field) bool {
				return !reserved(f.name) && change.match.match(f.name) == yes
			})
		}
		change.apply(copied, f, func(string) {})
	}
	out.RequestHeaders = copied.headers()
	out.Path = e.out.Path
	switch out.Authority = p.proto.GetHostRewriteLiteral(); {
	case out.Authority != "":
	case p.proto.GetDisableShadowHostSuffixAppend():
		out.Authority = e.out.Authority
	default:
		out.Authority = shadowHost(e.out.Authority)
	}
	return out, true
}

// shadowHost appends "-shadow" to the host, before the port (docs:
// RequestMirrorPolicy.disable_shadow_host_suffix_append).
func shadowHost(authority string) string {
	bare := withoutPort(authority)
	return bare + "-shadow" + strings.TrimPrefix(authority, bare)
}

// share is the part of all requests that a fraction takes; where the runtime
// layer decides the key, it is 1 or 0.
func (e *evaluation) share(m *corev3.RuntimeFractionalPercent) float64 {
	f := newFraction(m)
	if f.key != "" && e.v.r.Runtime != nil {
		if f.match(e.v.r) {
			return 1
		}
		return 0
	}
	return min(float64(f.numerator)/float64(f.denominator), 1)
}
