package router

import (
	"errors"
	"fmt"
	"strings"

	corsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/cors/v3"
	faultv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/fault/v3"
	grpcstatsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/grpc_stats/v3"
	routerv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/router/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	"google.golang.org/protobuf/types/known/anypb"
	alpnv2 "istio.io/api/envoy/config/filter/http/alpn/v2alpha1"
	statsv3 "istio.io/api/envoy/extensions/stats"
)

// httpFilter is one filter of the chain.
type httpFilter interface {
	// request sees the request on its way up; true means that it was answered.
	request(x *exchange) bool
	// response sees the headers of every response on their way down, the proxy's
	// own answers among them.
	response(x *exchange)
}

// passing is a filter that does nothing to responses.
type passing struct{}

func (passing) response(*exchange) {}

// filters compiles http_filters in their order.
func (r *Router) filters(hcm *hcmProto) error {
	var faults []error
	terminal := false
	for i, f := range hcm.GetHttpFilters() {
		if terminal {
			faults = append(faults, fmt.Errorf("http_filters[%d]: %s stands behind the router, which ends the chain", i, f.GetName()))
			break
		}
		one, err := r.filter(f)
		if err != nil {
			faults = append(faults, fmt.Errorf("http_filters[%d] %s: %w", i, f.GetName(), err))
			continue
		}
		if one != nil {
			r.chain = append(r.chain, one)
			_, terminal = one.(*forwarding)
		}
	}
	if !terminal && len(faults) == 0 {
		faults = append(faults, errors.New("http_filters: the last one has to be envoy.filters.http.router"))
	}
	return errors.Join(faults...)
}

// filter compiles one filter; nil is one that does nothing here.
func (r *Router) filter(f *hcmv3.HttpFilter) (httpFilter, error) {
	if f.GetConfigDiscovery() != nil {
		return r.unknown(f, "a filter by discovery whose configuration has not come"), nil
	}
	config := f.GetTypedConfig()
	switch {
	case isPeerMetadata(config):
		if f.GetDisabled() || r.o.Telemetry == nil {
			return nil, nil
		}
		return newPeerFilter(config, r.o.Telemetry.Peers())
	case config.MessageIs((*faultv3.HTTPFault)(nil)):
		return newFaultFilter(f, config)
	case config.MessageIs((*corsv3.Cors)(nil)):
		return &corsFilter{name: f.GetName(), disabled: f.GetDisabled()}, nil
	case config.MessageIs((*grpcstatsv3.FilterConfig)(nil)):
		r.counts = r.counts || !f.GetDisabled()
		return nil, nil
	case config.MessageIs((*alpnv2.FilterConfig)(nil)):
		return nil, nil // it changes the ALPN of TLS that the lab does not speak
	case config.MessageIs((*statsv3.PluginConfig)(nil)), strings.HasSuffix(typedStructURL(config), "/stats.PluginConfig"):
		return nil, r.addStats(f, config)
	case config.MessageIs((*routerv3.Router)(nil)):
		return newForwarding(config)
	case config == nil && !f.GetIsOptional():
		return nil, errors.New("it has no typed_config")
	}
	return r.unknown(f, "the lab's proxy does not have this filter"), nil
}

func (r *Router) addStats(f *hcmv3.HttpFilter, config *anypb.Any) error {
	if f.GetDisabled() || r.o.Telemetry == nil {
		return nil
	}
	s, err := r.o.Telemetry.Stats(config)
	if err == nil {
		r.stats = append(r.stats, s)
	}
	return err
}

// harmless are Envoy's filters that decide nothing about access: where the proxy
// does not have them, requests pass without what they do.
var harmless = []string{
	"adaptive_concurrency", "admission_control", "alternate_protocols_cache", "bandwidth_limit", "bandwidth_share", "buffer",
	"cache", "cache_v2", "cdn_loop", "compressor", "connect_grpc_bridge", "decompressor", "dynamic_forward_proxy",
	"file_system_buffer", "geoip", "grpc_field_extraction", "grpc_http1_bridge", "grpc_http1_reverse_bridge",
	"grpc_json_reverse_transcoder", "grpc_json_transcoder", "grpc_web", "header_mutation", "header_to_metadata", "health_check",
	"ip_tagging", "json_to_metadata", "kill_request", "local_ratelimit", "on_demand", "original_src", "proto_message_extraction",
	"rate_limit_quota", "ratelimit", "set_filter_state", "set_metadata", "sse_to_metadata", "stateful_session", "tap",
	"thrift_to_metadata", "transform", "upstream_codec",
}

// access are filters that decide about access, whatever is_optional says: Envoy
// has them.
var access = []string{
	"api_key_auth", "basic_auth", "csrf", "ext_authz", "ext_proc", "jwt_authn", "oauth2", "rbac", "istio_authn",
	"lua", "wasm", "golang", "dynamic_modules", "composite",
}

// unknown is a filter that is not run: it is passed over, or, where it could
// decide about access, it refuses every request.
func (r *Router) unknown(f *hcmv3.HttpFilter, why string) httpFilter {
	url := f.GetTypedConfig().GetTypeUrl()
	if inner := typedStructURL(f.GetTypedConfig()); inner != "" {
		url = inner
	}
	of := func(list []string) bool {
		for _, name := range list {
			if strings.Contains(url, ".http."+name+".") || f.GetName() == "envoy.filters.http."+name {
				return true
			}
		}
		return false
	}
	if of(harmless) || f.GetIsOptional() && !of(access) {
		r.o.Log.Warn("HTTP filter is not run", "filter", f.GetName(), "type", url, "reason", why)
		return nil
	}
	r.o.Log.Warn("HTTP filter is not run; every request it would see is answered with 503", "filter", f.GetName(), "type", url, "reason", why)
	return &refusal{name: f.GetName(), disabled: f.GetDisabled(), why: why}
}

// refusal stands for a filter that could decide about access and that the proxy
// does not have: it fails closed.
type refusal struct {
	passing
	name, why string
	disabled  bool
}

func (f *refusal) request(x *exchange) bool {
	on := !f.disabled
	if x.plan != nil {
		if o := x.plan.override(f.name, x.decision.Weighted); o != nil {
			on = !o.disabled
		}
	}
	if !on {
		return false
	}
	x.reply(reply{
		status:  503,
		body:    fmt.Sprintf("HTTP filter %s could refuse this request, but %s", f.name, f.why),
		details: "unsupported_filter{" + strings.ReplaceAll(f.name, " ", "_") + "}",
	})
	return true
}
