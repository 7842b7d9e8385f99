package route_test

import "testing"

func filters(entries string) string { return `typed_per_filter_config: {` + entries + `}` }

func corsEntry(fields string) string {
	return `envoy.filters.http.cors: {"@type": type.googleapis.com/envoy.extensions.filters.http.cors.v3.CorsPolicy, ` + fields + `}`
}

func faultEntry(fields string) string {
	return `envoy.filters.http.fault: {"@type": type.googleapis.com/envoy.extensions.filters.http.fault.v3.HTTPFault, ` + fields + `}`
}

func wrapped(name, fields string) string {
	return name + `: {"@type": type.googleapis.com/envoy.config.route.v3.FilterConfig, ` + fields + `}`
}

func TestCORS(t *testing.T) {
	const plain = `match: {prefix: /}, route: {cluster: a}`
	with := func(fields string) string { return plain + `, ` + filters(corsEntry(fields)) }
	const all = `allow_origin_string_match: [{exact: "https://a.example"}, {prefix: "https://B.", ignore_case: true}, {suffix: .example}, {contains: x}, {safe_regex: {regex: ".*"}}], allow_methods: "GET,POST", allow_headers: x-a, expose_headers: x-b, max_age: "600", allow_credentials: true, allow_private_network_access: true, forward_not_matching_preflights: false`
	const words = `cors is "https://a.example" or starts with "https://b." in any case or ends with ".example" or contains "x" or matches ".*" methods=GET,POST headers=x-a expose=x-b age=600 credentials=true reject=true private=true share=0`
	runEffectCases(t, []effectCase{
		{name: "no policy", doc: "docs: configuration/http/http_filters/cors_filter", route: plain, lacks: []string{"cors"}},
		{name: "a policy of the route", doc: "extensions.filters.http.cors.v3.CorsPolicy", route: with(all), want: []string{words}},
		{name: "the deprecated policy of the route", doc: "RouteAction.cors", route: `match: {prefix: /}, route: {cluster: a, cors: {` + all + `}}`, want: []string{words}},
		{name: "the deprecated policy of the virtual host", doc: "VirtualHost.cors", host: `cors: {` + all + `}, `, route: plain, want: []string{words}},
		{name: "deprecated policies are ignored beside the filter's own", doc: "RouteAction.cors, VirtualHost.cors", host: `cors: {max_age: "1"}, ` + filters(corsEntry(`max_age: "2"`)) + `, `, route: plain, want: []string{"cors  methods= headers= expose= age=2..."}},
		{name: "the most specific policy that sets a field", doc: "docs: configuration/http/http_filters/cors_filter", config: filters(corsEntry(`max_age: "1", allow_methods: GET`)) + `, `, host: filters(corsEntry(`max_age: "2", allow_credentials: true`)) + `, `, route: with(`max_age: "3"`), want: []string{"cors  methods=GET headers= expose= age=3 credentials=true reject=false private=false share=0"}},
		{name: "a policy of a weighted cluster", doc: "ClusterWeight.typed_per_filter_config", route: `match: {prefix: /}, route: {weighted_clusters: {clusters: [{name: a, weight: 1, ` + filters(corsEntry(`max_age: "4"`)) + `}]}}, ` + filters(corsEntry(`max_age: "3"`)), want: []string{"cors  methods= headers= expose= age=4..."}},
		{name: "a policy in a wrapper", doc: "FilterConfig.config", route: plain + `, ` + filters(wrapped("envoy.filters.http.cors", `config: {"@type": type.googleapis.com/envoy.extensions.filters.http.cors.v3.CorsPolicy, max_age: "5"}`)), want: []string{"cors  methods= headers= expose= age=5..."}},
		{name: "the filter is off for the route", doc: "FilterConfig.disabled", host: filters(corsEntry(`max_age: "2"`)) + `, `, route: plain + `, ` + filters(wrapped("envoy.filters.http.cors", `disabled: true`)), lacks: []string{"cors", "says"}},
		{name: "the route switches the filter on again", doc: "FilterConfig.disabled", host: filters(wrapped("envoy.filters.http.cors", `disabled: true`)) + `, `, route: with(`max_age: "3"`), want: []string{"cors  methods= headers= expose= age=3..."}},
		{name: "a filter that is off ignores the deprecated fields", doc: "FilterConfig.disabled", route: `match: {prefix: /}, route: {cluster: a, cors: {max_age: "1"}}, ` + filters(wrapped("envoy.filters.http.cors", `disabled: true`)), lacks: []string{"cors"}},
		{name: "a part of the requests has CORS", doc: "CorsPolicy.filter_enabled", route: with(`filter_enabled: {default_value: {numerator: 25}}`), want: []string{"cors  methods= headers= expose= age= credentials=false reject=false private=false share=0.25"}},
		{name: "the deprecated policy for a part of the requests", doc: "config.route.v3.CorsPolicy.filter_enabled", route: `match: {prefix: /}, route: {cluster: a, cors: {max_age: "1", filter_enabled: {default_value: {numerator: 50}}}}`, want: []string{"cors  methods= headers= expose= age=1 credentials=false reject=false private=false share=0.5"}},
		{name: "no request has CORS", doc: "CorsPolicy.filter_enabled", route: with(`filter_enabled: {default_value: {numerator: 0}}, max_age: "1"`), lacks: []string{"cors"}},
	})
	refuses(t, withRoute(`{name: bad, match: {prefix: /}, route: {cluster: a, cors: {allow_origin_string_match: [{safe_regex: {regex: "("}}]}}}`), `regular expression "("`)
	refuses(t, withRoute(`{name: bad, `+with(`allow_origin_string_match: [{safe_regex: {regex: "("}}]`)+`}`), `typed_per_filter_config "envoy.filters.http.cors": regular expression "("`)
}

func TestFaults(t *testing.T) {
	with := func(fields string) string {
		return `match: {prefix: /}, route: {cluster: a}, ` + filters(faultEntry(fields))
	}
	const abort = `abort: {http_status: 503, percentage: {numerator: 50}}`
	const half = "fault delay 0s of 0, abort 503 grpc 0 of 0.5, limit 0 of 0"
	const byHeader = `delay: {header_delay: {}, percentage: {numerator: 50}}, abort: {header_abort: {}, percentage: {numerator: 40}}, response_rate_limit: {header_limit: {}, percentage: {numerator: 30}}`
	runEffectCases(t, []effectCase{
		{name: "no fault", doc: "docs: configuration/http/http_filters/fault_filter", route: `match: {prefix: /}, route: {cluster: a}`, lacks: []string{"fault"}},
		{name: "an abort", doc: "FaultAbort.http_status, percentage", route: with(abort), want: []string{half}},
		{name: "an abort with a gRPC status", doc: "FaultAbort.grpc_status", route: with(`abort: {grpc_status: 14, percentage: {numerator: 100}}`), want: []string{"fault delay 0s of 0, abort 0 grpc 14 of 1, limit 0 of 0"}},
		{name: "a delay", doc: "FaultDelay.fixed_delay, percentage", route: with(`delay: {fixed_delay: 7s, percentage: {numerator: 1, denominator: MILLION}}`), want: []string{"fault delay 7s of 1e-06, abort 0 grpc 0 of 0, limit 0 of 0"}},
		{name: "a slow response", doc: "FaultRateLimit.FixedLimit", route: with(`response_rate_limit: {fixed_limit: {limit_kbps: 10}, percentage: {numerator: 100}}`), want: []string{"fault delay 0s of 0, abort 0 grpc 0 of 0, limit 10 of 1"}},
		{name: "faults for nobody", doc: "FractionalPercent.numerator", route: with(`abort: {http_status: 503, percentage: {numerator: 0}}`), lacks: []string{"fault"}},
		{name: "headers that ask for faults", doc: "FaultDelay.HeaderDelay, FaultAbort.HeaderAbort, FaultRateLimit.HeaderLimit", route: with(byHeader), request: "GET / | x-envoy-fault-delay-request: 250 | x-envoy-fault-abort-request: 500 | x-envoy-fault-throughput-response: 5", want: []string{"fault delay 250ms of 0.5, abort 500 grpc 0 of 0.4, limit 5 of 0.3"}},
		{name: "headers may lower the percentage", doc: "docs: configuration/http/http_filters/fault_filter, x-envoy-fault-delay-request-percentage", route: with(byHeader), request: "GET / | x-envoy-fault-delay-request: 250 | x-envoy-fault-delay-request-percentage: 10 | x-envoy-fault-abort-grpc-request: 14 | x-envoy-fault-abort-request-percentage: 90", want: []string{"fault delay 250ms of 0.1, abort 0 grpc 14 of 0.4, limit 0 of 0"}},
		{name: "headers that do not ask for faults", doc: "FaultDelay.HeaderDelay", route: with(byHeader), request: "GET / | x-envoy-fault-delay-request: soon | x-envoy-fault-abort-request: 700", lacks: []string{"fault"}},
		{name: "the fault's cluster is taken", doc: "HTTPFault.upstream_cluster", route: with(`upstream_cluster: a, ` + abort), want: []string{half, "fault only a where"}},
		{name: "the fault is for another cluster", doc: "HTTPFault.upstream_cluster", route: with(`upstream_cluster: b, ` + abort), lacks: []string{"fault"}},
		{name: "the request has the fault's headers", doc: "HTTPFault.headers", route: with(`headers: [{name: x, string_match: {exact: "1"}}], ` + abort), request: "GET / | x: 1", want: []string{half, `fault only  where header x is "1"`}},
		{name: "the request lacks the fault's headers", doc: "HTTPFault.headers", route: with(`headers: [{name: x, string_match: {exact: "1"}}], ` + abort), lacks: []string{"fault"}},
		{name: "the fault is for a node", doc: "HTTPFault.downstream_nodes", route: with(`downstream_nodes: [n1], ` + abort), request: "GET / | x-envoy-downstream-service-node: n1", want: []string{half}},
		{name: "the fault is for another node", doc: "HTTPFault.downstream_nodes", route: with(`downstream_nodes: [n1], ` + abort), request: "GET / | x-envoy-downstream-service-node: n2", lacks: []string{"fault"}},
		{name: "the route's fault holds alone", doc: "Route.typed_per_filter_config", host: filters(faultEntry(`delay: {fixed_delay: 1s, percentage: {numerator: 100}}`)) + `, `, route: with(abort), want: []string{half}},
		{name: "the virtual host's fault", doc: "VirtualHost.typed_per_filter_config", config: filters(faultEntry(abort)) + `, `, host: filters(faultEntry(`delay: {fixed_delay: 1s, percentage: {numerator: 100}}`)) + `, `, route: `match: {prefix: /}, redirect: {host_redirect: b}`, want: []string{"fault delay 1s of 1, abort 0 grpc 0 of 0, limit 0 of 0"}},
		{name: "the configuration's fault", doc: "RouteConfiguration.typed_per_filter_config", config: filters(faultEntry(abort)) + `, `, route: `match: {prefix: /}, route: {cluster: a}`, want: []string{half}},
		{name: "the fault filter is off", doc: "FilterConfig.disabled", config: filters(faultEntry(abort)) + `, `, route: `match: {prefix: /}, route: {cluster: a}, ` + filters(wrapped("envoy.filters.http.fault", "disabled: true")), lacks: []string{"fault", "says"}},
	})
	refuses(t, withRoute(`{name: bad, `+with(`abort: {http_status: 99}`)+`}`), `invalid FaultAbort.HttpStatus`)
	refuses(t, withRoute(`{name: bad, `+with(`headers: [{name: x, string_match: {safe_regex: {regex: "("}}}], `+abort)+`}`), `regular expression "("`)
}

func TestOtherFilters(t *testing.T) {
	own := func(name, config string) string { return name + `: {"@type": type.googleapis.com/` + config + `}` }
	const empty = "google.protobuf.Empty"
	runEffectCases(t, []effectCase{
		{name: "a filter that is not evaluated is named once", doc: "Route.typed_per_filter_config", host: filters(own("envoy.filters.http.rbac", empty)) + `, `, route: `match: {prefix: /}, route: {cluster: a}, ` + filters(own("envoy.filters.http.rbac", empty)+`, `+own("istio.stateful_session", empty)), want: []string{"says unsupported: typed_per_filter_config of envoy.filters.http.rbac", "says unsupported: typed_per_filter_config of istio.stateful_session"}},
		{name: "a filter that is not evaluated may be off", doc: "FilterConfig.disabled", route: `match: {prefix: /}, route: {cluster: a}, ` + filters(wrapped("envoy.filters.http.ext_authz", "disabled: true")), want: []string{"says unsupported: typed_per_filter_config of envoy.filters.http.ext_authz (the filter is switched off here)"}},
		{name: "a filter may be optional", doc: "FilterConfig.is_optional", route: `match: {prefix: /}, route: {cluster: a}, ` + filters(wrapped("own", "is_optional: true, config: {\"@type\": type.googleapis.com/google.protobuf.Empty}")), want: []string{"quiet not shown: FilterConfig.is_optional...", "says unsupported: typed_per_filter_config of own"}},
		{name: "filters of redirects", doc: "Route.typed_per_filter_config", route: `match: {prefix: /}, redirect: {host_redirect: b}, ` + filters(own("own", empty)), want: []string{"says unsupported: typed_per_filter_config of own"}},
	})
}
