package router

import (
	"slices"

	"github.com/meshstorm/meshstorm/lab/proxy/fields"
)

func filterFields() []fields.Field {
	const (
		filter = managerPackage + "HttpFilter"
		router = "envoy.extensions.filters.http.router.v3.Router"
		stats  = "envoy.extensions.filters.http.grpc_stats.v3.FilterConfig"
		alpn   = "istio.envoy.config.filter.http.alpn.v2alpha1.FilterConfig"
	)
	return slices.Concat(
		fields.Evaluated(filter, "TestFilters/it is off", "name", "typed_config", "disabled"),
		fields.Evaluated(filter, "TestFilters/an unknown filter that is optional", "is_optional"),
		fields.Evaluated(filter, "TestFilters/a filter by discovery that has not come", "config_discovery"),
		fields.Evaluated("envoy.extensions.filters.http.cors.v3.Cors", "TestCORS/a simple request", fields.Rest),
		fields.Evaluated(router, "TestTimeouts/the router tells nothing", "suppress_envoy_headers"),
		fields.Evaluated(router, "TestTimeouts/the expected timeout is obeyed", "respect_expected_rq_timeout"),
		fields.NotShown(router, "", "dynamic_stats", "start_child_span", "suppress_grpc_request_failure_code_stats", "upstream_log_options"),
		lacking(router, "upstream_log", "strict_check_headers", "upstream_http_filters", "reject_connect_request_early_data"),
		fields.Evaluated(stats, "TestStreamBothWaysWithTrailers", "emit_filter_state"),
		fields.NotShown(stats, "Envoy's own statistics", "individual_method_stats_allowlist", "stats_for_all_methods", "enable_upstream_stats",
			"replace_dots_in_grpc_service_name"),
		fields.NotShown(alpn, "it changes the ALPN of TLS between sidecars, which the lab does not have", "alpn_override"),
		peerFields(),
	)
}

// peerFields are those of Istio's peer_metadata filter, which comes as a
// TypedStruct. The methods below each field are istio_headers and
// workload_discovery.
func peerFields() []fields.Field {
	return slices.Concat(
		fields.Evaluated(peerMetadataURL, "TestPeers/the client's proxy", "upstream_discovery", "upstream_propagation"),
		fields.Evaluated(peerMetadataURL, "TestPeers/the server's proxy", "downstream_discovery", "downstream_propagation"),
		lacking(peerMetadataURL, "shared_with_upstream", "additional_labels"),
	)
}

// routeFields are the messages of a route that package route explains in full and
// the router does in part: what it says of them holds before what package route
// says.
func routeFields() []fields.Field {
	const (
		action   = routeMessages + "RouteAction"
		host     = routeMessages + "VirtualHost"
		hedge    = routeMessages + "HedgePolicy"
		redirect = routeMessages + "InternalRedirectPolicy"
		hash     = routeMessages + "RouteAction.HashPolicy"
		follows  = "TestForward/an internal redirect is followed"
	)
	hedging := fields.Unsupported(hedge, "a try that takes too long is ended before the next begins", fields.Rest)
	return slices.Concat(
		fields.Within(action+".hedge_policy", hedging), fields.Within(host+".hedge_policy", hedging),
		fields.Within(action+".retry_policy", retryFields()), fields.Within(host+".retry_policy", retryFields()),
		fields.Within(action+".internal_redirect_policy",
			fields.Evaluated(redirect, follows, "max_internal_redirects", "response_headers_to_copy"),
			fields.Evaluated(redirect, "TestForward/a redirect with another code is the client's", "redirect_response_codes"),
			fields.Evaluated(redirect, "TestForward/a redirect to another scheme is followed", "allow_cross_scheme_redirect"),
			fields.Unsupported(redirect, "a redirect that a predicate may refuse goes to the client", "predicates")),
		fields.Within(action+".hash_policy",
			fields.Evaluated(hash, "TestHash/a header", "header"), fields.Evaluated(hash, "TestHash/a cookie", "cookie"),
			fields.Evaluated(hash, "TestHash/the source", "connection_properties"),
			fields.Evaluated(hash, "TestHash/a query parameter", "query_parameter"),
			fields.Evaluated(hash, "TestHash/the first that is there ends the list", "terminal"),
			fields.Unsupported(hash, "no filter keeps state", "filter_state")),
	)
}

func retryFields() []fields.Field {
	const retry = routeMessages + "RetryPolicy"
	one := func(test string, names ...string) []fields.Field {
		return fields.Evaluated(retry, "TestRetries/"+test, names...)
	}
	return slices.Concat(
		one("5xx", "retry_on", "num_retries", "retry_back_off"),
		one("a try that takes too long", "per_try_timeout"), one("each try is idle", "per_try_idle_timeout"),
		one("retriable-status-codes", "retriable_status_codes"), one("retriable-headers", "retriable_headers"),
		one("only for some requests", "retriable_request_headers"),
		one("a rate limited response says when", "rate_limited_retry_back_off"),
		one("another host", "retry_host_predicate", "host_selection_retry_max_attempts"),
		fields.Unsupported(retry, "retries keep to the cluster's own priorities", "retry_priority"),
		lacking(retry, "retry_options_predicates", "refresh_cluster_on_retry"),
	)
}
