package router

import (
	"errors"
	"strings"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	corsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/cors/v3"
	faultv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/fault/v3"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/meshstorm/meshstorm/route"
)

// plan is what a route asks of the proxy, worked out when the routes come.
type plan struct {
	action  *routev3.RouteAction // nil for redirects and direct responses
	changes bool                 // headers, host or path change in ways that package route has to work out
	answers bool                 // response headers change in such ways
	up      [][]mutations        // request header changes of fixed text, by weighted cluster + 1
	down    [][]mutations        // those of the response
	mirrors bool
	prefix  string // prefix_rewrite, where that is all
	matched int    // how much of the path it replaces; -1 for all of it
	host    string // host_rewrite_literal, where that is all
	auto    bool   // auto_host_rewrite
	trace   string // the decorator's operation

	timeout      time.Duration // 0 is no limit
	grpcMax      *time.Duration
	grpcOffset   time.Duration
	idle         *time.Duration
	maxStream    *time.Duration
	streamMax    *time.Duration // grpc_timeout_header_max
	streamOffset time.Duration

	retry         *retryPolicy
	hash          []hashPolicy
	upgrades      map[string]*routev3.RouteAction_UpgradeConfig
	follow        *redirectPolicy
	notFound      int
	high          bool
	buffer        int // bytes of a request that are kept for retries
	countRequest  bool
	countResponse bool
	timeoutRetry  bool // include_is_timeout_retry_header

	filters []map[string]*filterOverride // by weighted cluster + 1
	cors    []*corsPolicy
}

// filterOverride is what a route says of one filter.
type filterOverride struct {
	disabled bool
	config   bool
	fault    *faultPolicy
	cors     corsProto
}

func (p *plan) override(name string, weighted int) *filterOverride {
	if i := weighted + 1; i < len(p.filters) {
		return p.filters[i][name]
	}
	return nil
}

func (p *plan) corsFor(weighted int) *corsPolicy {
	if i := weighted + 1; i < len(p.cors) {
		return p.cors[i]
	}
	return nil
}

// defaultTimeout is RouteAction.timeout where it is not set, defaultBuffer the
// limit of a connection's buffer (per_connection_buffer_limit_bytes).
const (
	defaultTimeout = 15 * time.Second
	defaultBuffer  = 1 << 20
)

// levelProto is a level of the configuration that changes headers and filters.
type levelProto interface {
	GetRequestHeadersToAdd() []*corev3.HeaderValueOption
	GetRequestHeadersToRemove() []string
	GetResponseHeadersToAdd() []*corev3.HeaderValueOption
	GetResponseHeadersToRemove() []string
	GetTypedPerFilterConfig() map[string]*anypb.Any
}

func (r *Router) newPlan(config *routev3.RouteConfiguration, host *routev3.VirtualHost, rt *route.Route) (*plan, error) {
	p := &plan{action: rt.Proto.GetRoute(), trace: rt.Proto.GetDecorator().GetOperation()}
	if d := rt.Proto.GetDecorator(); d.GetPropagate() != nil && !d.GetPropagate().GetValue() {
		p.trace = ""
	}
	levels := []levelProto{rt.Proto, host, config}
	weighted := p.action.GetWeightedClusters().GetClusters()
	request, response := p.fixed(config, levels, weighted)
	p.changes, p.answers = !request, !response
	for _, w := range weighted {
		p.changes = p.changes || w.GetHostRewriteLiteral() != ""
	}
	var faults []error
	for i := -1; i < len(weighted); i++ {
		own := levels
		if i >= 0 {
			own = append([]levelProto{weighted[i]}, levels...)
		}
		faults = append(faults, r.filterPlan(p, own, rt.Proto, host))
	}
	if p.action == nil {
		return p, errors.Join(faults...)
	}
	p.mirrors = len(p.action.GetRequestMirrorPolicies())+len(host.GetRequestMirrorPolicies())+len(config.GetRequestMirrorPolicies()) > 0
	p.changes = p.changes || len(config.GetInternalOnlyHeaders()) > 0
	p.rewrites(rt.Proto.GetMatch())
	p.timeouts()
	return p, errors.Join(append(faults, p.rest(host, rt.Proto))...)
}

// rewrites takes the plain rewrites, which need no evaluation.
func (p *plan) rewrites(match *routev3.RouteMatch) {
	a := p.action
	switch h := a.GetHostRewriteSpecifier().(type) {
	case nil:
	case *routev3.RouteAction_HostRewriteLiteral:
		p.host = h.HostRewriteLiteral
		p.changes = p.changes || a.GetAppendXForwardedHost()
	case *routev3.RouteAction_AutoHostRewrite:
		p.auto = h.AutoHostRewrite.GetValue()
	default:
		p.changes = true
	}
	p.changes = p.changes || a.GetRegexRewrite() != nil || a.GetPathRewrite() != "" || a.GetPathRewritePolicy() != nil
	if p.prefix = a.GetPrefixRewrite(); p.prefix == "" {
		return
	}
	switch m := match.GetPathSpecifier().(type) {
	case *routev3.RouteMatch_Prefix:
		p.matched = len(m.Prefix)
	case *routev3.RouteMatch_Path:
		p.matched = len(m.Path)
	case *routev3.RouteMatch_PathSeparatedPrefix:
		p.matched = len(m.PathSeparatedPrefix)
	default:
		p.changes = true
	}
}

func (p *plan) timeouts() {
	a := p.action
	p.timeout = defaultTimeout
	if a.GetTimeout() != nil {
		p.timeout = a.GetTimeout().AsDuration()
	}
	if most := a.GetMaxGrpcTimeout(); most != nil { // istiod sends it
		d := most.AsDuration()
		p.grpcMax, p.grpcOffset = &d, a.GetGrpcTimeoutOffset().AsDuration() // as above
	}
	if a.GetIdleTimeout() != nil {
		d := a.GetIdleTimeout().AsDuration()
		p.idle = &d
	}
	m := a.GetMaxStreamDuration()
	if m.GetMaxStreamDuration() != nil {
		d := m.GetMaxStreamDuration().AsDuration()
		p.maxStream = &d
	}
	if m.GetGrpcTimeoutHeaderMax() != nil {
		d := m.GetGrpcTimeoutHeaderMax().AsDuration()
		p.streamMax, p.streamOffset = &d, m.GetGrpcTimeoutHeaderOffset().AsDuration()
	}
}

func (p *plan) rest(host *routev3.VirtualHost, rt *routev3.Route) error {
	a := p.action
	p.notFound = 503
	switch a.GetClusterNotFoundResponseCode() {
	case routev3.RouteAction_NOT_FOUND:
		p.notFound = 404
	case routev3.RouteAction_INTERNAL_SERVER_ERROR:
		p.notFound = 500
	}
	p.high = a.GetPriority() == corev3.RoutingPriority_HIGH
	p.countRequest, p.countResponse = host.GetIncludeRequestAttemptCount(), host.GetIncludeAttemptCountInResponse()
	p.timeoutRetry = host.GetIncludeIsTimeoutRetryHeader()
	p.buffer = defaultBuffer
	if n := host.GetPerRequestBufferLimitBytes(); n != nil {
		p.buffer = int(n.GetValue())
	}
	if n := rt.GetPerRequestBufferLimitBytes(); n != nil {
		p.buffer = int(n.GetValue())
	}
	for _, u := range a.GetUpgradeConfigs() {
		if p.upgrades == nil {
			p.upgrades = map[string]*routev3.RouteAction_UpgradeConfig{}
		}
		p.upgrades[strings.ToLower(u.GetUpgradeType())] = u
	}
	policy := a.GetRetryPolicy()
	if policy == nil && a.GetRetryPolicyTypedConfig() == nil {
		policy = host.GetRetryPolicy()
	}
	var retryErr, hashErr error
	p.retry, retryErr = newRetry(policy)
	p.hash, hashErr = newHash(a.GetHashPolicy())
	p.follow = newRedirectPolicy(a)
	return errors.Join(retryErr, hashErr)
}

// filterPlan works out typed_per_filter_config for one choice of weighted
// cluster, given the levels from the most specific on.
func (r *Router) filterPlan(p *plan, levels []levelProto, rt *routev3.Route, host *routev3.VirtualHost) error {
	var all map[string]*filterOverride
	var faults []error
	cors := map[string][]corsProto{}
	for _, l := range levels {
		for name, config := range l.GetTypedPerFilterConfig() {
			o, err := newOverride(config)
			if err != nil {
				faults = append(faults, err)
				continue
			}
			if all == nil {
				all = map[string]*filterOverride{}
			}
			if all[name] == nil {
				all[name] = o
			}
			if o.cors != nil && !o.disabled {
				cors[name] = append(cors[name], o.cors)
			}
		}
	}
	p.filters = append(p.filters, all)
	var policies []corsProto
	for _, f := range r.chain {
		c, ok := f.(*corsFilter)
		if !ok {
			continue
		}
		o := all[c.name]
		if o != nil && o.disabled || o == nil && c.disabled {
			continue
		}
		if policies = cors[c.name]; o == nil {
			policies = oldCORS(rt, host)
		}
	}
	var merged *corsPolicy
	if len(policies) > 0 {
		var err error
		merged, err = newCORS(policies)
		faults = append(faults, err)
	}
	p.cors = append(p.cors, merged)
	return errors.Join(faults...)
}

// oldCORS gives the deprecated fields, which hold where no level configures the
// filter.
func oldCORS(rt *routev3.Route, host *routev3.VirtualHost) []corsProto {
	var out []corsProto
	if c := rt.GetRoute().GetCors(); c != nil { // still evaluated by Envoy
		out = append(out, c)
	}
	if c := host.GetCors(); c != nil { // still evaluated by Envoy
		out = append(out, c)
	}
	return out
}

func newOverride(config *anypb.Any) (*filterOverride, error) {
	out := &filterOverride{}
	wrapper := &routev3.FilterConfig{}
	if config.MessageIs(wrapper) {
		if err := config.UnmarshalTo(wrapper); err != nil {
			return nil, err
		}
		out.disabled, config = wrapper.GetDisabled(), wrapper.GetConfig()
	}
	cors, fault := &corsv3.CorsPolicy{}, &faultv3.HTTPFault{}
	switch {
	case config == nil:
		return out, nil
	case config.MessageIs(cors):
		out.config, out.cors = true, cors
		return out, config.UnmarshalTo(cors)
	case config.MessageIs(fault):
		if err := config.UnmarshalTo(fault); err != nil {
			return nil, err
		}
		var err error
		out.config = true
		out.fault, err = newFault(fault)
		return out, err
	}
	out.config = true
	return out, nil
}
