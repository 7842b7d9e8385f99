package route

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	corsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/cors/v3"
	faultv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/fault/v3"
	"google.golang.org/protobuf/types/known/anypb"
)

// level is what can be set on each level: weighted cluster, route, virtual host
// and configuration.
type level struct {
	request, response mutations
	filters           map[string]filter // by the filter's name
	mirrors           []mirrorPolicy
}

type levelProto interface {
	GetRequestHeadersToAdd() []*corev3.HeaderValueOption
	GetRequestHeadersToRemove() []string
	GetResponseHeadersToAdd() []*corev3.HeaderValueOption
	GetResponseHeadersToRemove() []string
	GetTypedPerFilterConfig() map[string]*anypb.Any
}

// filter is one entry of typed_per_filter_config.
type filter struct {
	disabled bool
	optional bool
	cors     *corsv3.CorsPolicy
	fault    *faultPolicy
	config   string // the type of a configuration that is not evaluated
}

func (b *builder) level(m levelProto, mirrors []*routev3.RouteAction_RequestMirrorPolicy) (level, error) {
	var out level
	var faults []error
	var err error
	if out.request, err = newMutations("request", m.GetRequestHeadersToAdd(), m.GetRequestHeadersToRemove()); err != nil {
		faults = append(faults, err)
	}
	if out.response, err = newMutations("response", m.GetResponseHeadersToAdd(), m.GetResponseHeadersToRemove()); err != nil {
		faults = append(faults, err)
	}
	if configs := m.GetTypedPerFilterConfig(); len(configs) > 0 {
		out.filters = make(map[string]filter, len(configs))
		for _, name := range slices.Sorted(maps.Keys(configs)) {
			if out.filters[name], err = b.filter(configs[name]); err != nil {
				faults = append(faults, fmt.Errorf("typed_per_filter_config %q: %w", name, err))
			}
		}
	}
	for i, m := range mirrors {
		one, err := b.mirrorPolicy(m)
		if err != nil {
			faults = append(faults, fmt.Errorf("request_mirror_policies[%d]: %w", i, err))
		}
		out.mirrors = append(out.mirrors, one)
	}
	return out, errors.Join(faults...)
}

func (b *builder) filter(config *anypb.Any) (filter, error) {
	var out filter
	wrapper := &routev3.FilterConfig{}
	if config.MessageIs(wrapper) {
		if err := config.UnmarshalTo(wrapper); err != nil {
			return out, err
		}
		out.disabled, out.optional, config = wrapper.GetDisabled(), wrapper.GetIsOptional(), wrapper.GetConfig()
	}
	cors, fault := &corsv3.CorsPolicy{}, &faultv3.HTTPFault{}
	switch {
	case config == nil:
	case config.MessageIs(cors):
		if err := errors.Join(config.UnmarshalTo(cors), cors.ValidateAll(), b.corsOrigins(cors.GetAllowOriginStringMatch())); err != nil {
			return out, err
		}
		out.cors = cors
	case config.MessageIs(fault):
		if err := errors.Join(config.UnmarshalTo(fault), fault.ValidateAll()); err != nil {
			return out, err
		}
		var err error
		out.fault, err = b.faultPolicy(fault)
		return out, err
	default:
		out.config = config.GetTypeUrl()
	}
	return out, nil
}

// routeEffects is what a route does beside choosing the cluster.
type routeEffects struct {
	level
	weighted   []level // of each weighted cluster
	path       pathRewrite
	hostRegex  *substitution
	hostFormat *format
	answered   answered
	retry      []headerMatcher // RetryPolicy.retriable_request_headers
}

// hostEffects is what a virtual host does for all of its routes.
type hostEffects struct {
	level
	clusters []virtualCluster
	retry    []headerMatcher
}

func (b *builder) routeEffects(rt *Route) (*routeEffects, error) {
	a := rt.Proto.GetRoute()
	out := &routeEffects{}
	var faults []error
	keep := func(err error) {
		if err != nil {
			faults = append(faults, err)
		}
	}
	var err error
	out.level, err = b.level(rt.Proto, a.GetRequestMirrorPolicies())
	keep(err)
	for i, c := range a.GetWeightedClusters().GetClusters() {
		one, err := b.level(c, nil)
		if err != nil {
			keep(fmt.Errorf("weighted_clusters.clusters[%d]: %w", i, err))
		}
		out.weighted = append(out.weighted, one)
	}
	out.path, err = b.pathRewrite(rt)
	keep(err)
	out.hostRegex = newSubstitution(a.GetHostRewritePathRegex())
	out.hostFormat, err = optionalFormat("host_rewrite", a.GetHostRewrite())
	keep(err)
	out.answered, err = b.answered(rt)
	keep(err)
	out.retry, err = b.retryPolicy(a.GetRetryPolicy())
	keep(err)
	keep(b.corsOrigins(oldRouteCORS(a).GetAllowOriginStringMatch()))
	for i, h := range a.GetHashPolicy() {
		if rewrite := h.GetHeader().GetRegexRewrite(); rewrite != nil {
			if err := checkRewrite("regex_rewrite", rewrite); err != nil {
				keep(fmt.Errorf("hash_policy[%d]: %w", i, err))
			}
		}
	}
	return out, errors.Join(faults...)
}

func (b *builder) hostEffects(proto *routev3.VirtualHost) (*hostEffects, error) {
	out := &hostEffects{}
	var faults []error
	keep := func(err error) {
		if err != nil {
			faults = append(faults, err)
		}
	}
	var err error
	out.level, err = b.level(proto, proto.GetRequestMirrorPolicies())
	keep(err)
	out.retry, err = b.retryPolicy(proto.GetRetryPolicy())
	keep(err)
	keep(b.corsOrigins(oldHostCORS(proto).GetAllowOriginStringMatch()))
	for i, c := range proto.GetVirtualClusters() {
		one, err := b.virtualCluster(c)
		if err != nil {
			keep(fmt.Errorf("virtual_clusters[%d]: %w", i, err))
		}
		out.clusters = append(out.clusters, one)
	}
	return out, errors.Join(faults...)
}

func (b *builder) configEffects(rc *routev3.RouteConfiguration) (*level, error) {
	out, err := b.level(rc, rc.GetRequestMirrorPolicies())
	return &out, err
}

func (b *builder) headerMatchers(all []*routev3.HeaderMatcher) ([]headerMatcher, error) {
	var out []headerMatcher
	var faults []error
	for _, m := range all {
		one, err := b.headerMatcher(m)
		if err != nil {
			faults = append(faults, err)
		}
		out = append(out, one)
	}
	return out, errors.Join(faults...)
}

// virtualCluster is envoy.config.route.v3.VirtualCluster.
type virtualCluster struct {
	name    string
	headers []headerMatcher
}

func (b *builder) virtualCluster(m *routev3.VirtualCluster) (virtualCluster, error) {
	headers, err := b.headerMatchers(m.GetHeaders())
	return virtualCluster{name: m.GetName(), headers: headers}, err
}

// otherCluster is the virtual cluster of requests that none takes (docs:
// configuration/http/http_filters/router_filter, "Virtual Clusters").
const otherCluster = "other"

func (e *evaluation) virtualCluster() string {
	host := e.d.VirtualHost
	if host == nil || host.effects == nil || len(host.effects.clusters) == 0 {
		return ""
	}
	for _, c := range host.effects.clusters {
		switch allMatch(c.headers, &e.v) {
		case yes:
			return c.name
		case unknown:
			e.unsupported("unsupported: StringMatcher.custom in virtual cluster " + c.name)
			return ""
		}
	}
	return otherCluster
}

func allMatch(headers []headerMatcher, v *view) result {
	out := yes
	for i := range headers {
		switch headers[i].match(v) {
		case no:
			return no
		case unknown:
			out = unknown
		}
	}
	return out
}
