package route_test

import "testing"

func TestTimeouts(t *testing.T) {
	with := func(fields string) string { return `match: {prefix: /}, route: {cluster: a, ` + fields + `}` }
	const grpc = "POST /s/m | content-type: application/grpc"
	runEffectCases(t, []effectCase{
		{name: "the default timeout", doc: "RouteAction.timeout", route: with(``), want: []string{"timeout 15s set false"}, lacks: []string{"idle", "flush", "stream"}},
		{name: "a timeout", doc: "RouteAction.timeout", route: with(`timeout: 2.5s`), want: []string{"timeout 2.5s set true"}},
		{name: "a timeout of 0 is none", doc: "RouteAction.timeout", route: with(`timeout: 0s`), want: []string{"timeout 0s set true"}},
		{name: "an idle timeout", doc: "RouteAction.idle_timeout", route: with(`idle_timeout: 30s`), want: []string{"idle timeout 30s"}},
		{name: "a flush timeout", doc: "RouteAction.flush_timeout", route: with(`flush_timeout: 3s`), want: []string{"flush timeout 3s"}},
		{name: "the longest stream", doc: "MaxStreamDuration.max_stream_duration", route: with(`max_stream_duration: {max_stream_duration: 60s}`), want: []string{"stream 1m0s"}},
		{name: "grpc-timeout limits the stream", doc: "MaxStreamDuration.grpc_timeout_header_max", route: with(`max_stream_duration: {max_stream_duration: 60s, grpc_timeout_header_max: 0s}`), request: grpc + " | grpc-timeout: 5M", want: []string{"stream 5m0s"}},
		{name: "grpc-timeout is limited itself", doc: "MaxStreamDuration.grpc_timeout_header_max", route: with(`max_stream_duration: {grpc_timeout_header_max: 10s}`), request: grpc + " | grpc-timeout: 5M", want: []string{"stream 10s"}},
		{name: "without grpc-timeout the header's limit says nothing", doc: "MaxStreamDuration.grpc_timeout_header_max", route: with(`max_stream_duration: {grpc_timeout_header_max: 10s}`), request: grpc, lacks: []string{"stream"}},
		{name: "the offset is taken from grpc-timeout", doc: "MaxStreamDuration.grpc_timeout_header_offset", route: with(`max_stream_duration: {grpc_timeout_header_max: 0s, grpc_timeout_header_offset: 0.2s}`), request: grpc + " | grpc-timeout: 1S", want: []string{"stream 800ms"}},
		{name: "an offset above grpc-timeout ends the stream at once", doc: "MaxStreamDuration.grpc_timeout_header_offset", route: with(`max_stream_duration: {grpc_timeout_header_max: 0s, grpc_timeout_header_offset: 2s}`), request: grpc + " | grpc-timeout: 1S", want: []string{"stream 1ns"}},
		{name: "max_grpc_timeout lets gRPC requests choose", doc: "RouteAction.max_grpc_timeout", route: with(`timeout: 1s, max_grpc_timeout: 0s`), request: grpc + " | grpc-timeout: 20S", want: []string{"timeout 20s set true"}},
		{name: "max_grpc_timeout is the most", doc: "RouteAction.max_grpc_timeout", route: with(`timeout: 1s, max_grpc_timeout: 5s`), request: grpc + " | grpc-timeout: 20S", want: []string{"timeout 5s set true"}},
		{name: "gRPC requests without the header get the most", doc: "RouteAction.max_grpc_timeout", route: with(`timeout: 1s, max_grpc_timeout: 5s`), request: grpc, want: []string{"timeout 5s set true"}},
		{name: "max_grpc_timeout is for gRPC only", doc: "RouteAction.max_grpc_timeout", route: with(`timeout: 1s, max_grpc_timeout: 5s`), request: "GET / | grpc-timeout: 20S", want: []string{"timeout 1s set true"}},
		{name: "grpc_timeout_offset shortens", doc: "RouteAction.grpc_timeout_offset", route: with(`max_grpc_timeout: 0s, grpc_timeout_offset: 1s`), request: grpc + " | grpc-timeout: 20S", want: []string{"timeout 19s set true"}},
		{name: "grpc_timeout_offset never reaches 0", doc: "RouteAction.grpc_timeout_offset", route: with(`max_grpc_timeout: 0s, grpc_timeout_offset: 30s`), request: grpc + " | grpc-timeout: 20S", want: []string{"timeout 20s set true"}},
		{name: "a grpc-timeout that is none", doc: "grpc: PROTOCOL-HTTP2.md", route: with(`max_grpc_timeout: 5s`), request: grpc + " | grpc-timeout: soon", want: []string{"timeout 5s set true"}},
		{name: "a header that overrides the timeout", doc: "docs: configuration/http/http_filters/router_filter, x-envoy-upstream-rq-timeout-ms", route: with(`timeout: 1s`), request: "GET / | x-envoy-upstream-rq-timeout-ms: 5", want: []string{"timeout 1s set true", "says unsupported: request header x-envoy-upstream-rq-timeout-ms..."}},
	})
}

func TestRetries(t *testing.T) {
	with := func(policy string) string {
		return `match: {prefix: /}, route: {cluster: a, retry_policy: {retry_on: "5xx", ` + policy + `}}`
	}
	const hostPolicy = `retry_policy: {retry_on: "reset", num_retries: 9, per_try_timeout: 9s}, hedge_policy: {hedge_on_per_try_timeout: true}, `
	runEffectCases(t, []effectCase{
		{name: "no policy is no retry", doc: "RouteAction.retry_policy", route: `match: {prefix: /}, route: {cluster: a}`, lacks: []string{"retry"}},
		{name: "one retry unless told otherwise", doc: "RetryPolicy.num_retries", route: with(``), want: []string{"retry 1 on 5xx", "retry back off 25ms to 250ms", "retry hosts 1", "retry per try 0s idle 0s"}},
		{name: "several conditions and retries", doc: "RetryPolicy.retry_on", route: `match: {prefix: /}, route: {cluster: a, retry_policy: {retry_on: "connect-failure, refused-stream,503", num_retries: 2}}`, want: []string{"retry 2 on connect-failure,refused-stream,503"}},
		{name: "no retries at all", doc: "RetryPolicy.num_retries", route: with(`num_retries: 0`), want: []string{"retry 0 on 5xx"}},
		{name: "timeouts of each try", doc: "RetryPolicy.per_try_timeout, per_try_idle_timeout", route: with(`per_try_timeout: 2s, per_try_idle_timeout: 1s`), want: []string{"retry per try 2s idle 1s"}},
		{name: "status codes", doc: "RetryPolicy.retriable_status_codes", route: with(`retriable_status_codes: [503, 429]`), want: []string{"retry code 503", "retry code 429"}},
		{name: "the back-off", doc: "RetryPolicy.RetryBackOff", route: with(`retry_back_off: {base_interval: 0.1s, max_interval: 5s}`), want: []string{"retry back off 100ms to 5s"}},
		{name: "the back-off's limit is ten times its base", doc: "RetryBackOff.max_interval", route: with(`retry_back_off: {base_interval: 0.1s}`), want: []string{"retry back off 100ms to 1s"}},
		{name: "a back-off below a millisecond", doc: "RetryBackOff.base_interval", route: with(`retry_back_off: {base_interval: 0.0001s}`), want: []string{"retry back off 1ms to 10ms"}},
		{name: "the back-off that the upstream asks for", doc: "RetryPolicy.RateLimitedRetryBackOff", route: with(`rate_limited_retry_back_off: {reset_headers: [{name: Retry-After, format: SECONDS}, {name: X-Reset, format: UNIX_TIMESTAMP}], max_interval: 20s}`), want: []string{"retry rate limited response header retry-after in seconds, at most 20s", "retry rate limited response header x-reset in unix_timestamp, at most 20s"}},
		{name: "the back-off that the upstream asks for has a limit", doc: "RateLimitedRetryBackOff.max_interval", route: with(`rate_limited_retry_back_off: {reset_headers: [{name: a}]}`), want: []string{"retry rate limited response header a in seconds, at most 5m0s"}},
		{
			name: "response headers that cause a retry", doc: "RetryPolicy.retriable_headers",
			route: with(`retriable_headers: [{name: X-Retry}, {name: b, string_match: {prefix: "yes"}}, {name: c, range_match: {start: 1, end: 3}, invert_match: true}, {name: d, present_match: false}, {name: e, string_match: {suffix: s, ignore_case: true}, treat_missing_header_as_empty: true}, {name: f, string_match: {contains: c}}, {name: g, string_match: {safe_regex: {regex: r}}}]`),
			want:  []string{"retry header header x-retry is present", `retry header header b starts with "yes"`, "retry header header c not: is in [1,3)", "retry header header d is missing", `retry header header e ends with "s" in any case (empty where missing)`, `retry header header f contains "c"`, `retry header header g matches "r"`},
		},
		{name: "request headers that retries need", doc: "RetryPolicy.retriable_request_headers", route: with(`retriable_request_headers: [{name: x, string_match: {exact: "1"}}]`), request: "GET / | x: 1", want: []string{"retry 1 on 5xx"}},
		{name: "request headers that retries lack", doc: "RetryPolicy.retriable_request_headers", route: with(`retriable_request_headers: [{name: x, string_match: {exact: "1"}}]`), lacks: []string{"retry"}},
		{name: "extensions choose hosts", doc: "RetryPolicy.retry_host_predicate, host_selection_retry_max_attempts, retry_priority", route: with(`retry_host_predicate: [{name: envoy.retry_host_predicates.previous_hosts}], host_selection_retry_max_attempts: 5, retry_priority: {name: envoy.retry_priorities.previous_priorities}`), want: []string{"retry predicate envoy.retry_host_predicates.previous_hosts", "retry hosts 5", "retry priority envoy.retry_priorities.previous_priorities"}},
		{name: "the virtual host's policy", doc: "VirtualHost.retry_policy, hedge_policy", host: hostPolicy, route: `match: {prefix: /}, route: {cluster: a}`, want: []string{"retry 9 on reset", "retry per try 9s idle 0s", "retry hedges"}},
		{name: "the route's policy is not merged with the virtual host's", doc: "VirtualHost.retry_policy", host: hostPolicy, route: with(``), want: []string{"retry 1 on 5xx", "retry per try 0s idle 0s"}},
		{name: "hedging", doc: "HedgePolicy.hedge_on_per_try_timeout", host: hostPolicy, route: `match: {prefix: /}, route: {cluster: a, hedge_policy: {hedge_on_per_try_timeout: false}}`, want: []string{"retry 9 on reset"}, lacks: []string{"retry hedges"}},
		{name: "a header for tries after a timeout", doc: "VirtualHost.include_is_timeout_retry_header", host: `include_is_timeout_retry_header: true, `, route: with(``), want: []string{"retry timeout header"}},
	})
}

func TestRetryPoliciesThatEnvoyRefuses(t *testing.T) {
	refuses(t, withRoute(`{name: bad, match: {prefix: /}, route: {cluster: a, retry_policy: {retry_back_off: {base_interval: 5s, max_interval: 1s}}}}`), `retry_back_off.max_interval is 1s, less than base_interval 5s`)
	refuses(t, withRoute(`{name: bad, match: {prefix: /}, route: {cluster: a, retry_policy: {retriable_headers: [{name: x, string_match: {safe_regex: {regex: "("}}}]}}}`), `retry_policy: regular expression "("`)
	refuses(t, withRoute(`{name: bad, match: {prefix: /}, route: {cluster: a, retry_policy: {retriable_request_headers: [{name: x, string_match: {safe_regex: {regex: "("}}}]}}}`), `retry_policy: regular expression "("`)
}

func TestMirrors(t *testing.T) {
	with := func(policies string) string {
		return `match: {prefix: /}, route: {cluster: a, prefix_rewrite: /new/, request_mirror_policies: [` + policies + `]}`
	}
	const plain = `match: {prefix: /}, route: {cluster: a}`
	runEffectCases(t, []effectCase{
		{name: "all requests are mirrored", doc: "RequestMirrorPolicy.cluster, runtime_fraction", route: with(`{cluster: m}`), request: "GET /a?b | x: 1", want: []string{"mirror m 1 to shop.example-shadow/new/a?b", "mirrored x: 1"}},
		{name: "the port stays behind -shadow", doc: "RequestMirrorPolicy.disable_shadow_host_suffix_append", route: with(`{cluster: m}`), request: "GET / | :authority: shop.example:80", want: []string{"mirror m 1 to shop.example-shadow:80/new/"}},
		{name: "a part of the requests", doc: "RequestMirrorPolicy.runtime_fraction", route: with(`{cluster: m, runtime_fraction: {default_value: {numerator: 5, denominator: TEN_THOUSAND}, runtime_key: k}}`), want: []string{"mirror m 0.0005 to shop.example-shadow/new/"}},
		{name: "a mirror by header takes the first value", doc: "RequestMirrorPolicy.cluster_header", route: with(`{cluster_header: X-Mirror}`), request: "GET / | x-mirror: one | x-mirror: two", want: []string{"mirror one 1 to shop.example-shadow/new/"}},
		{name: "without the header there is no mirror", doc: "RequestMirrorPolicy.cluster_header", route: with(`{cluster_header: x-mirror}`), lacks: []string{"mirror"}},
		{name: "the host without -shadow", doc: "RequestMirrorPolicy.disable_shadow_host_suffix_append", route: with(`{cluster: m, disable_shadow_host_suffix_append: true}`), want: []string{"mirror m 1 to shop.example/new/"}},
		{name: "another host", doc: "RequestMirrorPolicy.host_rewrite_literal", route: with(`{cluster: m, host_rewrite_literal: mirror.example}`), want: []string{"mirror m 1 to mirror.example/new/"}},
		{
			name: "headers of the copy only", doc: "RequestMirrorPolicy.request_headers_mutations; HeaderMutation",
			route:   with(`{cluster: m, request_headers_mutations: [{remove: X-Gone}, {append: {header: {key: x-new, value: "%REQ(x-stays)%"}}}, {remove_on_match: {key_matcher: {prefix: x-secret}}}]}`),
			request: "GET / | x-gone: 1 | x-stays: 2 | x-secret-a: 3", want: []string{"mirrored x-stays: 2", "mirrored x-new: 2", "upstream x-gone: 1", "upstream x-secret-a: 3"}, lacks: []string{"mirrored x-gone", "mirrored x-secret", "upstream x-new"},
		},
		{name: "the virtual host's mirrors", doc: "VirtualHost.request_mirror_policies", config: `request_mirror_policies: [{cluster: config}], `, host: `request_mirror_policies: [{cluster: host}], `, route: plain, want: []string{"mirror host 1 to..."}, lacks: []string{"mirror config"}},
		{name: "the configuration's mirrors", doc: "RouteConfiguration.request_mirror_policies", config: `request_mirror_policies: [{cluster: config}], `, route: plain, want: []string{"mirror config 1 to..."}},
		{name: "the route's mirrors hold alone", doc: "RouteAction.request_mirror_policies", host: `request_mirror_policies: [{cluster: host}], `, route: with(`{cluster: m}`), want: []string{"mirror m 1 to..."}, lacks: []string{"mirror host"}},
	})
	refuses(t, withRoute(`{name: bad, match: {prefix: /}, route: {cluster: a, request_mirror_policies: [{cluster: a, cluster_header: b}]}}`), `request_mirror_policies[0]: cluster and cluster_header are set together`)
	refuses(t, withRoute(`{name: bad, match: {prefix: /}, route: {cluster: a, request_mirror_policies: [{cluster: a, request_headers_mutations: [{append: {header: {key: x, value: "%"}}}]}]}}`), `request_headers_mutations[0]: x: "%": no operator begins`)
}

// The runtime layer decides the key: the share is all or nothing.
func TestTheRuntimeLayerDecidesAMirror(t *testing.T) {
	c := compile(t, `{virtual_hosts: [{name: shop, domains: ['*'], routes: [{match: {prefix: /}, route: {cluster: a, request_mirror_policies: [{cluster: m, runtime_fraction: {default_value: {numerator: 5}, runtime_key: k}}]}}]}]}`)
	for _, on := range []bool{true, false} {
		r := request(t, "GET /")
		r.Runtime = func(key string, numerator, denominator uint32, _ uint64) bool {
			return on && key == "k" && numerator == 5 && denominator == 100
		}
		e := c.Effect(c.Decide(r), r)
		if got := e.Mirrors[0].Share == 1; got != on {
			t.Errorf("share %g where the runtime layer says %t", e.Mirrors[0].Share, on)
		}
	}
}

func TestWhatElseIsAskedOfForwarding(t *testing.T) {
	with := func(fields string) string { return `match: {prefix: /}, route: {cluster: a, ` + fields + `}` }
	hash := func(policies string) string { return with(`hash_policy: [` + policies + `]`) }
	runEffectCases(t, []effectCase{
		{name: "a hash of a header", doc: "HashPolicy.Header", route: hash(`{header: {header_name: X-User}, terminal: true}, {header: {header_name: z, regex_rewrite: {pattern: {regex: "a(.)"}, substitution: '\1'}}}`), want: []string{"hash header x-user; what follows only counts where there is no hash yet", `hash header z, with "a(.)" replaced by "\\1"`}},
		{name: "a hash of a cookie", doc: "HashPolicy.Cookie", route: hash(`{cookie: {name: user}}`), want: []string{"hash cookie user"}},
		{name: "a hash of a cookie that is made", doc: "HashPolicy.Cookie.ttl, path, attributes", route: hash(`{cookie: {name: user, ttl: 3600s, path: /a, attributes: [{name: SameSite, value: Strict}, {name: Secure}]}}`), want: []string{"hash cookie user, made where missing (for 1h0m0s, path /a, SameSite=Strict, Secure)"}},
		{name: "a hash of a session cookie", doc: "HashPolicy.Cookie.ttl", route: hash(`{cookie: {name: user, ttl: 0s}}`), want: []string{"hash cookie user, made where missing (for the session)"}},
		{name: "a hash of the address", doc: "HashPolicy.ConnectionProperties.source_ip", route: hash(`{connection_properties: {source_ip: true}}, {connection_properties: {}}`), want: []string{"hash source IP address"}},
		{name: "a hash of a query parameter", doc: "HashPolicy.QueryParameter.name", route: hash(`{query_parameter: {name: q}}`), want: []string{"hash query parameter q"}},
		{name: "a hash of filter state", doc: "HashPolicy.FilterState.key", route: hash(`{filter_state: {key: k}}`), want: []string{"hash filter state k"}},
		{name: "a cluster that is missing is 503", doc: "RouteAction.cluster_not_found_response_code", route: with(``), want: []string{"not found 503"}, lacks: []string{"high"}},
		{name: "a cluster that is missing is 404", doc: "RouteAction.cluster_not_found_response_code", route: with(`cluster_not_found_response_code: NOT_FOUND`), want: []string{"not found 404"}},
		{name: "a cluster that is missing is 500", doc: "RouteAction.cluster_not_found_response_code", route: with(`cluster_not_found_response_code: INTERNAL_SERVER_ERROR`), want: []string{"not found 500"}},
		{name: "high priority", doc: "RouteAction.priority", route: with(`priority: HIGH`), want: []string{"high priority"}},
		{name: "upgrades", doc: "RouteAction.UpgradeConfig", route: with(`upgrade_configs: [{upgrade_type: WebSocket}, {upgrade_type: CONNECT, enabled: false}]`), want: []string{"upgrade websocket", "upgrade connect (off)"}},
		{
			name: "endpoints with labels", doc: "RouteAction.metadata_match; ClusterWeight.metadata_match",
			route: `match: {prefix: /}, route: {metadata_match: {filter_metadata: {envoy.lb: {version: v1, canary: true, stage: a}, other: {x: 1}}}, weighted_clusters: {clusters: [{name: a, weight: 1, metadata_match: {filter_metadata: {envoy.lb: {version: v2}}}}]}}`,
			want:  []string{"endpoint version=v2", "endpoint canary=true", "endpoint stage=a"}, lacks: []string{"endpoint version=v1", "endpoint x"},
		},
		{
			name: "endpoints with labels of any kind", doc: "RouteAction.metadata_match; google.protobuf.Value",
			route: `match: {prefix: /}, route: {cluster: a, metadata_match: {filter_metadata: {envoy.lb: {size: 1.5, none: null, list: [a, 2], deep: {a: b}}}}}`,
			want:  []string{"endpoint size=1.5", "endpoint none=null", `endpoint list=["a",2]`, `endpoint deep={"a":"b"}`},
		},
		{name: "redirects of the upstream are passed on", doc: "RouteAction.internal_redirect_policy", route: with(``), lacks: []string{"internal redirect"}},
		{name: "redirects of the upstream are followed", doc: "InternalRedirectPolicy", route: with(`internal_redirect_policy: {}`), want: []string{"internal redirect 1 of [302], [], cross false, copy []"}},
		{
			name: "which redirects of the upstream are followed", doc: "InternalRedirectPolicy",
			route: with(`internal_redirect_policy: {max_internal_redirects: 3, redirect_response_codes: [301, 200, 308, 304], predicates: [{name: safe, typed_config: {"@type": type.googleapis.com/google.protobuf.Empty}}], allow_cross_scheme_redirect: true, response_headers_to_copy: [x]}`),
			want:  []string{"internal redirect 3 of [301 308], [safe], cross true, copy [x]"},
		},
		{name: "the deprecated way to follow redirects", doc: "RouteAction.internal_redirect_action, max_internal_redirects", route: with(`internal_redirect_action: HANDLE_INTERNAL_REDIRECT, max_internal_redirects: 2`), want: []string{"internal redirect 2 of [302], [], cross false, copy []"}},
		{name: "the name for the trace", doc: "Decorator.operation", route: with(``) + `, decorator: {operation: "order.shop.svc:80/*"}`, want: []string{"operation order.shop.svc:80/*"}, lacks: []string{"says", "quiet"}},
	})
	refuses(t, withRoute(`{name: bad, match: {prefix: /}, route: {cluster: a, hash_policy: [{header: {header_name: x, regex_rewrite: {pattern: {regex: "("}, substitution: a}}}]}}`), `hash_policy[0]: regex_rewrite: regular expression "("`)
}
