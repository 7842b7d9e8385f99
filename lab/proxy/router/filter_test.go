package router_test

import (
	"testing"
)

const (
	corsChain  = `{"name":"envoy.filters.http.cors","typedConfig":{"@type":"type.googleapis.com/envoy.extensions.filters.http.cors.v3.Cors"}}`
	faultChain = `{"name":"envoy.filters.http.fault","typedConfig":{"@type":"type.googleapis.com/envoy.extensions.filters.http.fault.v3.HTTPFault"}}`
)

func per(filter, config string) string {
	return `{"match":{"prefix":"/"},"route":{"cluster":"a"},"typedPerFilterConfig":{"` + filter + `":` + config + `}}`
}

func corsRoute(fields string) string {
	return per("envoy.filters.http.cors", `{"@type":"type.googleapis.com/envoy.extensions.filters.http.cors.v3.CorsPolicy",`+fields+`}`)
}

func faultRoute(fields string) string {
	return per("envoy.filters.http.fault", `{"@type":"type.googleapis.com/envoy.extensions.filters.http.fault.v3.HTTPFault",`+fields+`}`)
}

func TestCORS(t *testing.T) {
	t.Parallel()
	policy := `"allowOriginStringMatch":[{"exact":"https://shop.example"},{"safeRegex":{"regex":"https://.*[.]dev"}}],"allowMethods":"GET,POST","allowHeaders":"x-a","exposeHeaders":"x-b","maxAge":"60","allowCredentials":true`
	s := func(more string) setup {
		return setup{handlers: handlers(answer(200, "ok")), filters: corsChain, routes: corsRoute(policy + more)}
	}
	from := func(origin string) []string { return []string{"Origin", origin} }
	ask := func(origin string) []string {
		return []string{"Origin", origin, "Access-Control-Request-Method", "POST", "Access-Control-Request-Private-Network", "true"}
	}
	allowed := []string{"Access-Control-Allow-Origin", "https://shop.example", "Access-Control-Allow-Credentials", "true", "Access-Control-Expose-Headers", "x-b"}
	runAll(t, []one{
		{name: "a simple request", setup: s(""), headers: from("https://shop.example"), status: 200, answer: "ok", want: allowed},
		{name: "an origin by expression", setup: s(""), headers: from("https://a.dev"), status: 200, answer: "ok", want: []string{"Access-Control-Allow-Origin", "https://a.dev"}},
		{name: "another origin", setup: s(""), headers: from("https://evil.example"), status: 200, answer: "ok", want: []string{"Access-Control-Allow-Origin", ""}},
		{name: "a preflight", setup: s(`,"allowPrivateNetworkAccess":true`), method: "OPTIONS", headers: ask("https://shop.example"), status: 200, details: "cors_response",
			want: []string{"Access-Control-Allow-Origin", "https://shop.example", "Access-Control-Allow-Methods", "GET,POST", "Access-Control-Allow-Headers", "x-a", "Access-Control-Max-Age", "60", "Access-Control-Allow-Private-Network", "true", "Access-Control-Expose-Headers", ""}},
		{name: "a preflight of another origin goes upstream", setup: s(""), method: "OPTIONS", headers: ask("https://evil.example"), status: 200, answer: "ok"},
		{name: "a preflight of another origin is answered", setup: s(`,"forwardNotMatchingPreflights":false`), method: "OPTIONS", headers: ask("https://evil.example"), status: 200, details: "cors_response", want: []string{"Access-Control-Allow-Origin", ""}},
		{name: "no share of the requests", setup: s(`,"filterEnabled":{"defaultValue":{"numerator":0}}`), headers: from("https://shop.example"), status: 200, answer: "ok", want: []string{"Access-Control-Allow-Origin", ""}},
		{name: "off for the route", setup: setup{handlers: handlers(answer(200, "ok")), filters: corsChain, host: `"typedPerFilterConfig":{"envoy.filters.http.cors":{"@type":"type.googleapis.com/envoy.extensions.filters.http.cors.v3.CorsPolicy",` + policy + `}}`,
			routes: per("envoy.filters.http.cors", `{"@type":"type.googleapis.com/envoy.config.route.v3.FilterConfig","disabled":true}`)}, headers: from("https://shop.example"), status: 200, answer: "ok", want: []string{"Access-Control-Allow-Origin", ""}},
		{name: "the proxy's own answers have it too", setup: setup{filters: corsChain, routes: corsRoute(policy)}, headers: from("https://shop.example"), status: 503, answer: "no healthy upstream", want: allowed, flags: "UH", details: "no_healthy_upstream"},
	})
}

func TestFaults(t *testing.T) {
	t.Parallel()
	all := `"percentage":{"numerator":100}`
	s := func(fields string) setup {
		return setup{handlers: handlers(answer(200, "ok")), filters: faultChain, routes: faultRoute(fields)}
	}
	abort := `"abort":{"httpStatus":418,` + all + `}`
	runAll(t, []one{
		{name: "an abort", setup: s(abort), status: 418, answer: "fault filter abort", flags: "FI", details: "fault_filter_abort"},
		{name: "an abort of the filter itself", setup: setup{handlers: handlers(answer(200, "ok")), filters: `{"name":"f","typedConfig":{"@type":"type.googleapis.com/envoy.extensions.filters.http.fault.v3.HTTPFault",` + abort + `}}`}, status: 418, answer: "fault filter abort", flags: "FI", details: "fault_filter_abort"},
		{name: "an abort with a gRPC status", setup: s(`"abort":{"grpcStatus":7,` + all + `}`), headers: []string{"Content-Type", "application/grpc"}, status: 200, want: []string{"Grpc-Status", "7"}, flags: "FI", details: "fault_filter_abort"},
		{name: "a gRPC status for other clients", setup: s(`"abort":{"grpcStatus":7,` + all + `}`), status: 403, answer: "fault filter abort", flags: "FI", details: "fault_filter_abort"},
		{name: "no share of the requests", setup: s(`"abort":{"httpStatus":418,"percentage":{"numerator":0}}`), status: 200, answer: "ok"},
		{name: "a delay", setup: s(`"delay":{"fixedDelay":"0.01s",` + all + `}`), status: 200, answer: "ok", flags: "DI"},
		{name: "a delay and an abort", setup: s(`"delay":{"fixedDelay":"0.01s",` + all + `},` + abort), status: 418, answer: "fault filter abort", flags: "DI,FI", details: "fault_filter_abort"},
		{name: "headers ask for an abort", setup: s(`"abort":{"headerAbort":{},` + all + `}`), headers: []string{"X-Envoy-Fault-Abort-Request", "429"}, status: 429, answer: "fault filter abort", flags: "FI", details: "fault_filter_abort"},
		{name: "headers lower the share", setup: s(`"abort":{"headerAbort":{},` + all + `}`), headers: []string{"X-Envoy-Fault-Abort-Request", "429", "X-Envoy-Fault-Abort-Request-Percentage", "0"}, status: 200, answer: "ok"},
		{name: "headers ask for a delay", setup: s(`"delay":{"headerDelay":{},` + all + `}`), headers: []string{"X-Envoy-Fault-Delay-Request", "10"}, status: 200, answer: "ok", flags: "DI"},
		{name: "only with headers", setup: s(abort + `,"headers":[{"name":"x-user","stringMatch":{"exact":"tester"}}]`), status: 200, answer: "ok"},
		{name: "with such a header", setup: s(abort + `,"headers":[{"name":"x-user","stringMatch":{"exact":"tester"}}]`), headers: []string{"X-User", "tester"}, status: 418, answer: "*", flags: "FI", details: "fault_filter_abort"},
		{name: "only for a cluster", setup: s(abort + `,"upstreamCluster":"b"`), status: 200, answer: "ok"},
		{name: "only for a node", setup: s(abort + `,"downstreamNodes":["n"]`), status: 200, answer: "ok"},
		{name: "no more faults at once", setup: s(abort + `,"maxActiveFaults":0`), status: 200, answer: "ok"},
		{name: "a slow response", setup: s(`"responseRateLimit":{"fixedLimit":{"limitKbps":1},` + all + `}`), status: 200, answer: "ok"},
		{name: "off for the route", setup: setup{handlers: handlers(answer(200, "ok")), filters: `{"name":"f","typedConfig":{"@type":"type.googleapis.com/envoy.extensions.filters.http.fault.v3.HTTPFault",` + abort + `}}`,
			routes: per("f", `{"@type":"type.googleapis.com/envoy.config.route.v3.FilterConfig","disabled":true}`)}, status: 200, answer: "ok"},
		{name: "the filter is off", setup: setup{handlers: handlers(answer(200, "ok")), filters: `{"name":"f","disabled":true,"typedConfig":{"@type":"type.googleapis.com/envoy.extensions.filters.http.fault.v3.HTTPFault",` + abort + `}}`}, status: 200, answer: "ok"},
	})
}

func TestFilters(t *testing.T) {
	t.Parallel()
	refused := "HTTP filter envoy.filters.http.rbac could refuse this request, but the lab's proxy does not have this filter"
	details := "unsupported_filter{envoy.filters.http.rbac}"
	sprint := func(more string) string {
		return `{"name":"envoy.filters.http.rbac"` + more + `,"typedConfig":{"@type":"type.googleapis.com/envoy.extensions.filters.http.rbac.v3.RBAC"}}`
	}
	s := func(filters, routes string) setup {
		return setup{handlers: handlers(answer(200, "ok")), filters: filters, routes: routes}
	}
	runAll(t, []one{
		{name: "a filter for access that is missing fails closed", setup: s(sprint(""), ""), status: 503, answer: refused, details: details},
		{name: "it does so though it is optional, since Envoy has it", setup: s(sprint(`,"isOptional":true`), ""), status: 503, answer: refused, details: details},
		{name: "it is off", setup: s(sprint(`,"disabled":true`), ""), status: 200, answer: "ok"},
		{name: "it is off for the route", setup: s(sprint(""), per("envoy.filters.http.rbac", `{"@type":"type.googleapis.com/envoy.config.route.v3.FilterConfig","disabled":true}`)), status: 200, answer: "ok"},
		{name: "it is on for the route", setup: s(sprint(`,"disabled":true`), per("envoy.filters.http.rbac", `{"@type":"type.googleapis.com/envoy.config.route.v3.FilterConfig","config":{"@type":"type.googleapis.com/envoy.extensions.filters.http.rbac.v3.RBACPerRoute"}}`)), status: 503, answer: refused, details: details},
		{name: "an unknown filter fails closed", setup: s(`{"name":"mine","typedConfig":{"@type":"type.googleapis.com/udpa.type.v1.TypedStruct","typeUrl":"type.googleapis.com/my.Filter"}}`, ""), status: 503, answer: "HTTP filter mine could refuse this request, but the lab's proxy does not have this filter", details: "unsupported_filter{mine}"},
		{name: "an unknown filter that is optional", setup: s(`{"name":"mine","isOptional":true,"typedConfig":{"@type":"type.googleapis.com/udpa.type.v1.TypedStruct","typeUrl":"type.googleapis.com/my.Filter"}}`, ""), status: 200, answer: "ok"},
		{name: "a filter that decides nothing about access", setup: s(`{"name":"envoy.filters.http.compressor","typedConfig":{"@type":"type.googleapis.com/udpa.type.v1.TypedStruct","typeUrl":"type.googleapis.com/envoy.extensions.filters.http.compressor.v3.Compressor"}}`, ""), status: 200, answer: "ok"},
		{name: "a filter by discovery that has not come", setup: s(`{"name":"later","configDiscovery":{"configSource":{"ads":{}},"typeUrls":["x"]}}`, ""), status: 503, answer: "*", details: "unsupported_filter{later}"},
	})
}
