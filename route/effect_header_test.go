package route_test

import (
	"testing"

	"github.com/meshstorm/meshstorm/route"
)

// levelled sets fields on every level of one weighted route.
func levelled(name, doc, config, kind string, want ...string) effectCase {
	add := func(level, more string) string {
		return kind + `_headers_to_add: [{header: {key: x, value: ` + level + `}, append_action: OVERWRITE_IF_EXISTS_OR_ADD}` + more + `]`
	}
	own := func(level string) string { return `, {header: {key: x-` + level + `, value: ` + level + `}}` }
	return effectCase{
		name: name, doc: doc, config: config + add("config", own("config")) + ", ", host: add("host", own("host")) + ", ",
		route: `match: {prefix: /}, route: {weighted_clusters: {clusters: [{name: a, weight: 1, ` + add("cluster", own("cluster")) + `}]}}, ` + add("route", own("route")),
		want:  want,
	}
}

func TestHeaderLevels(t *testing.T) {
	const doc = "RouteConfiguration.most_specific_header_mutations_wins; ClusterWeight.request_headers_to_add"
	runEffectCases(t, []effectCase{
		levelled("by default the configuration has the last word on requests", doc, "", "request",
			"upstream x: config", "upstream x-cluster: cluster", "upstream x-route: route", "upstream x-host: host", "upstream x-config: config", "request: set x: cluster"),
		levelled("the most specific level wins on requests", doc, "most_specific_header_mutations_wins: true, ", "request",
			"upstream x: route", "upstream x-cluster: cluster", "upstream x-config: config"),
		levelled("by default the configuration has the last word on responses", doc, "", "response",
			"client x: config", "client x-cluster: cluster", "client x-route: route", "client x-host: host", "response: set x: host"),
		levelled("the most specific level wins on responses", doc, "most_specific_header_mutations_wins: true, ", "response", "client x: route", "client x-cluster: cluster"),
		{
			name: "each level removes headers", doc: "request_headers_to_remove on every level", config: `request_headers_to_remove: [x-config], response_headers_to_remove: [y-config], `, host: `request_headers_to_remove: [x-host], response_headers_to_remove: [y-host], `,
			route:   `match: {prefix: /}, request_headers_to_remove: [X-Route], response_headers_to_remove: [Y-Route], route: {weighted_clusters: {clusters: [{name: a, weight: 1, request_headers_to_remove: [x-cluster], response_headers_to_remove: [y-cluster]}]}}`,
			request: "GET / | x-config: 1 | x-host: 1 | x-route: 1 | x-cluster: 1 | x-stays: 1", upstream: []route.Header{{Name: "Y-Config", Value: "1"}, {Name: "y-host", Value: "1"}, {Name: "y-route", Value: "1"}, {Name: "y-cluster", Value: "1"}, {Name: "y-stays", Value: "1"}},
			want:  []string{"upstream x-stays: 1", "client y-stays: 1", "request: remove x-cluster", "response: remove y-config"},
			lacks: []string{"upstream x-config", "upstream x-host", "upstream x-route", "upstream x-cluster", "client y-config", "client y-host", "client y-route", "client y-cluster"},
		},
		{
			name: "internal_only_headers are taken from external requests", doc: "RouteConfiguration.internal_only_headers", config: `internal_only_headers: [x-secret], `, route: `match: {prefix: /}, route: {cluster: a}`,
			request: "GET / | x-secret: 1", lacks: []string{"upstream x-secret"},
		},
		{
			name: "internal_only_headers of external requests match nothing", doc: "RouteConfiguration.internal_only_headers: cleaned prior to filter invocation", config: `internal_only_headers: [X-Secret], `, route: `match: {prefix: /, headers: [{name: x-secret}]}, redirect: {host_redirect: inside}`,
			request: "GET / | x-secret: 1", lacks: []string{"redirect"},
		},
		{
			name: "internal_only_headers stay on internal requests", doc: "RouteConfiguration.internal_only_headers", config: `internal_only_headers: [x-secret], `, route: `match: {prefix: /}, route: {cluster: a}`,
			request: "GET / | x-secret: 1 | !internal", want: []string{"upstream x-secret: 1"}, lacks: []string{"upstream x-envoy-internal"},
		},
	})
}

func TestAppendActions(t *testing.T) {
	add := func(option string) string {
		return `match: {prefix: /}, route: {cluster: a}, request_headers_to_add: [` + option + `], response_headers_to_add: [` + option + `]`
	}
	there := []route.Header{{Name: "x", Value: "old"}, {Name: "x", Value: "older"}}
	const both = "GET / | x: old | x: older"
	runEffectCases(t, []effectCase{
		{
			name: "a value is appended by default", doc: "HeaderValueOption.append_action, APPEND_IF_EXISTS_OR_ADD", route: add(`{header: {key: X, value: new}}`),
			request: both, upstream: there, want: []string{"upstream x: old", "upstream x: older", "upstream x: new", "client x: old", "client x: new", "request: add x: new", "response: add x: new"},
		},
		{
			name: "an inline header keeps one field", doc: "HeaderAppendAction.APPEND_IF_EXISTS_OR_ADD (predefined inline headers)", route: add(`{header: {key: x-forwarded-for, value: 10.0.0.1}}`),
			request: "GET / | x-forwarded-for: 192.0.2.1", want: []string{"upstream x-forwarded-for: 192.0.2.1,10.0.0.1"},
		},
		{
			name: "ADD_IF_ABSENT leaves what is there", doc: "HeaderAppendAction.ADD_IF_ABSENT", route: add(`{header: {key: x, value: new}, append_action: ADD_IF_ABSENT}`),
			request: both, upstream: there, want: []string{"upstream x: old", "response: add x: new, where it is absent"}, lacks: []string{"upstream x: new", "client x: new", "request: add"},
		},
		{
			name: "ADD_IF_ABSENT adds", doc: "HeaderAppendAction.ADD_IF_ABSENT", route: add(`{header: {key: x, value: new}, append_action: ADD_IF_ABSENT}`),
			want: []string{"upstream x: new", "client x: new"},
		},
		{
			name: "OVERWRITE_IF_EXISTS_OR_ADD discards all values", doc: "HeaderAppendAction.OVERWRITE_IF_EXISTS_OR_ADD", route: add(`{header: {key: x, value: new}, append_action: OVERWRITE_IF_EXISTS_OR_ADD}`),
			request: both, upstream: there, want: []string{"upstream x: new", "client x: new", "request: set x: new"}, lacks: []string{"upstream x: old", "client x: old"},
		},
		{
			name: "OVERWRITE_IF_EXISTS overwrites", doc: "HeaderAppendAction.OVERWRITE_IF_EXISTS", route: add(`{header: {key: x, value: new}, append_action: OVERWRITE_IF_EXISTS}`),
			request: both, upstream: there, want: []string{"upstream x: new", "client x: new", "response: set x: new, where it is present"}, lacks: []string{"upstream x: old"},
		},
		{
			name: "OVERWRITE_IF_EXISTS adds nothing", doc: "HeaderAppendAction.OVERWRITE_IF_EXISTS", route: add(`{header: {key: x, value: new}, append_action: OVERWRITE_IF_EXISTS}`),
			lacks: []string{"upstream x", "client x", "request: set"},
		},
		{
			name: "the deprecated append false overwrites", doc: "HeaderValueOption.append", route: add(`{header: {key: x, value: new}, append: false}`),
			request: both, upstream: there, want: []string{"upstream x: new"}, lacks: []string{"upstream x: old", "client x: old"},
		},
		{
			name: "the deprecated append true appends", doc: "HeaderValueOption.append", route: add(`{header: {key: x, value: new}, append: true}`),
			request: both, want: []string{"upstream x: old", "upstream x: new"},
		},
		{name: "an empty value is dropped", doc: "HeaderValueOption.keep_empty_value", route: add(`{header: {key: x, value: "%REQ(none)%"}}`), lacks: []string{"upstream x", "client x", "request:", "response:"}},
		{name: "an empty value can be kept", doc: "HeaderValueOption.keep_empty_value", route: add(`{header: {key: x, value: "%REQ(none)%"}, keep_empty_value: true}`), want: []string{"upstream x:", "client x:"}},
		{name: "a value in bytes", doc: "HeaderValue.raw_value", route: add(`{header: {key: x, raw_value: dGVh}}`), want: []string{"upstream x: tea"}},
		{
			name: "removals come before additions on one level", doc: "docs: configuration/http/http_conn_man/headers, custom request headers", route: add(`{header: {key: x, value: new}}`) + `, request_headers_to_remove: [x]`,
			request: both, want: []string{"upstream x: new"}, lacks: []string{"upstream x: old"},
		},
		{
			name: "the number of tries", doc: "VirtualHost.include_request_attempt_count, include_attempt_count_in_response", host: `include_request_attempt_count: true, include_attempt_count_in_response: true, `, route: add(``),
			request: "GET / | x-envoy-attempt-count: 7", want: []string{"upstream x-envoy-attempt-count: 1", "client x-envoy-attempt-count: 1", "response: set x-envoy-attempt-count: the number of tries"},
		},
	})
}

func TestValuesOfHeaders(t *testing.T) {
	add := func(value string) string {
		return `name: first, match: {prefix: /}, route: {cluster: a, prefix_rewrite: /new}, request_headers_to_add: [{header: {key: x, value: "` + value + `"}}], response_headers_to_add: [{header: {key: z, value: "` + value + `"}}]`
	}
	const doc = "HeaderValue.value; docs: configuration/observability/access_log/usage, command operators"
	clusters := `virtual_clusters: [{name: orders, headers: [{name: ":path", string_match: {prefix: /orders}}, {name: ":method", string_match: {exact: POST}}]}], `
	runEffectCases(t, []effectCase{
		{name: "a header of the request", doc: doc, route: add(`<%REQ(X-User)%>`), request: "GET / | x-user: me", want: []string{"upstream x: <me>", "client z: <me>"}},
		{name: "a header that is missing is nothing", doc: doc, route: add(`<%REQ(X-User)%>`), want: []string{"upstream x: <>", "client z: <>"}},
		{name: "an alternative header", doc: doc, route: add(`%REQ(X-User?Y-User)%`), request: "GET / | y-user: you", want: []string{"upstream x: you"}},
		{name: "the first header goes before its alternative", doc: doc, route: add(`%REQ(X-User?Y-User)%`), request: "GET / | y-user: you | x-user: me", want: []string{"upstream x: me"}},
		{name: "a header is cut", doc: doc, route: add(`%REQ(X-User):2%`), request: "GET / | x-user: tester", want: []string{"upstream x: te"}},
		{name: "pseudo headers", doc: doc, route: add(`%REQ(:METHOD)% %REQ(:AUTHORITY)% %REQ(HOST)% %REQ(:SCHEME)%`), request: "PUT /a", want: []string{"upstream x: PUT shop.example shop.example http"}},
		{name: "requests see the path before it is rewritten and responses after", doc: doc, route: add(`%REQ(:path)%`), request: "GET /a?b", want: []string{"upstream x: /a?b", "client z: /newa?b"}},
		{name: "the path without its query", doc: doc, route: add(`%REQ_WITHOUT_QUERY(:path)%`), request: "GET /a?b", want: []string{"upstream x: /a"}},
		{name: "x-forwarded-proto is there without being sent", doc: "docs: configuration/http/http_conn_man/headers, x-forwarded-proto", route: add(`%REQ(x-forwarded-proto)%`), want: []string{"upstream x: http"}, lacks: []string{"upstream x-forwarded-proto"}},
		{name: "the status of the response", doc: doc, route: add(`%RESP(:status)%`), upstream: []route.Header{{Name: ":status", Value: "200"}}, want: []string{"client z: 200"}, lacks: []string{"client :status"}},
		{name: "a header of the response", doc: doc, route: add(`<%RESP(server)%>`), upstream: []route.Header{{Name: "Server", Value: "s"}}, want: []string{"upstream x: <>", "client z: <s>", "response: add z: <%RESP(server)%>"}, lacks: []string{"says"}},
		{name: "the long names of REQ and RESP", doc: doc, route: add(`%REQUEST_HEADER(x-none?X-User):2%<%RESPONSE_HEADER(server)%>`), request: "GET / | x-user: tester", upstream: []route.Header{{Name: "Server", Value: "s"}}, want: []string{"upstream x: te<>", "client z: te<s>"}, lacks: []string{"says"}},
		{name: "a query parameter, decoded, the first of its name", doc: doc, route: add(`<%QUERY_PARAM(q):3%%QUERY_PARAM(none)%>`), request: "GET /a?p=1&q=a%20bcd&q=2", want: []string{"upstream x: <a b>"}, lacks: []string{"says"}},
		{name: "a percent sign", doc: doc, route: add(`100%%`), want: []string{"upstream x: 100%"}},
		{name: "the name of the route", doc: doc, route: add(`%ROUTE_NAME%`), want: []string{"upstream x: first"}},
		{name: "the name of the cluster", doc: doc, route: add(`%UPSTREAM_CLUSTER%`), want: []string{"upstream x: a"}},
		{name: "the virtual cluster that matches", doc: "VirtualCluster.headers", host: clusters, route: add(`%VIRTUAL_CLUSTER_NAME%`), request: "POST /orders/1", want: []string{"upstream x: orders", "virtual cluster orders"}},
		{name: "the virtual cluster of all others", doc: "docs: configuration/http/http_filters/router_filter, statistics", host: clusters, route: add(`%VIRTUAL_CLUSTER_NAME%`), request: "GET /orders/1", want: []string{"upstream x: other", "virtual cluster other"}},
		{name: "without virtual clusters there is none", doc: "VirtualHost.virtual_clusters", route: add(`%VIRTUAL_CLUSTER_NAME%`), lacks: []string{"upstream x:", "virtual cluster"}},
		{
			name: "a virtual cluster by extension", doc: "StringMatcher.custom", host: `virtual_clusters: [{name: c, headers: [{name: x, string_match: {custom: {name: own, typed_config: {"@type": type.googleapis.com/google.protobuf.Empty}}}}]}], `, route: add(``),
			request: "GET / | x: 1", want: []string{"says unsupported: StringMatcher.custom in virtual cluster c"},
		},
		{name: "the protocol that is not known", doc: doc, route: add(`%PROTOCOL%`), want: []string{"upstream x: %PROTOCOL%", "says unsupported: %PROTOCOL% in header x"}},
		{name: "an operator that needs more than the request", doc: doc, route: add(`at %START_TIME(%Y-%m)% from %DOWNSTREAM_REMOTE_ADDRESS:3%`), want: []string{"upstream x: at %START_TIME(%Y-%m)% from %DOWNSTREAM_REMOTE_ADDRESS:3%", "says unsupported: %START_TIME(%Y-%m)% in header x", "says unsupported: %DOWNSTREAM_REMOTE_ADDRESS:3% in header z"}},
		{
			name: "a level sees the headers of those before it", doc: doc, config: `request_headers_to_add: [{header: {key: late, value: "%REQ(x)%"}}], `, route: add(`early`) + `, request_headers_to_remove: [x]`,
			request: "GET / | x: sent", want: []string{"upstream x: early", "upstream late: early"},
		},
	})
}

func TestTheProtocolCanBeGiven(t *testing.T) {
	c := compile(t, `{virtual_hosts: [{name: shop, domains: ['*'], routes: [{match: {prefix: /}, route: {cluster: a}, request_headers_to_add: [{header: {key: x, value: "%PROTOCOL%"}}]}]}]}`)
	r := request(t, "GET /")
	r.Protocol = "HTTP/2"
	if e := c.Effect(c.Decide(r), r); len(e.RequestHeaders) != 1 || e.RequestHeaders[0].Value != "HTTP/2" {
		t.Errorf("%v", e.RequestHeaders)
	}
}

// docs: configuration/observability/access_log/usage, "Command operators".
func TestTheClientsAddressCanBeGiven(t *testing.T) {
	c := compile(t, `{virtual_hosts: [{name: shop, domains: ['*'], routes: [{match: {prefix: /}, route: {cluster: a}, request_headers_to_add: [{header: {key: x, value: "%DOWNSTREAM_REMOTE_ADDRESS% %DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT% %DOWNSTREAM_REMOTE_PORT%"}}]}]}]}`)
	for remote, want := range map[string]string{
		"10.0.0.1:80":  "10.0.0.1:80 10.0.0.1 80",
		"[fe80::1]:80": "[fe80::1]:80 fe80::1 80",
		"":             "%DOWNSTREAM_REMOTE_ADDRESS% %DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT% %DOWNSTREAM_REMOTE_PORT%",
	} {
		r := request(t, "GET /")
		r.Remote = remote
		e := c.Effect(c.Decide(r), r)
		if len(e.RequestHeaders) != 1 || e.RequestHeaders[0].Value != want || (len(e.Unsupported) > 0) != (remote == "") {
			t.Errorf("%q: %v, unsupported %v", remote, e.RequestHeaders, e.Unsupported)
		}
	}
}

// headerFaults are changes that Envoy refuses (docs:
// configuration/http/http_conn_man/headers, custom request headers).
func TestHeaderChangesThatEnvoyRefuses(t *testing.T) {
	for _, tc := range []struct{ name, fields, want string }{
		{"a pseudo header is set", `request_headers_to_add: [{header: {key: ":path", value: /}}]`, `request_headers_to_add[0]: :path cannot be changed here`},
		{"Host is set", `response_headers_to_add: [{header: {key: Host, value: a}}]`, `response_headers_to_add[0]: Host cannot be changed here`},
		{"a pseudo header is removed", `request_headers_to_remove: [":authority"]`, `request_headers_to_remove: :authority cannot be removed`},
		{"Host is removed", `request_headers_to_remove: [Host]`, `request_headers_to_remove: Host cannot be removed`},
		{"append beside append_action", `request_headers_to_add: [{header: {key: x, value: a}, append: true, append_action: ADD_IF_ABSENT}]`, `append and append_action are set together`},
		{"value beside raw_value", `request_headers_to_add: [{header: {key: x, value: a, raw_value: dGVh}}]`, `value and raw_value are set together`},
		{"a percent sign alone", `request_headers_to_add: [{header: {key: x, value: "100%"}}]`, `no operator begins at "%"`},
		{"two alternatives", `request_headers_to_add: [{header: {key: x, value: "%REQ(a?b?c)%"}}]`, `names more than one alternative header`},
		{"no header name", `request_headers_to_add: [{header: {key: x, value: "%REQ%"}}]`, `names no header`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			refuses(t, withRoute(`{name: bad, match: {prefix: /}, route: {cluster: a}, `+tc.fields+`}`), tc.want)
			refuses(t, `{virtual_hosts: [{name: shop, domains: ['*'], `+tc.fields+`}]}`, tc.want)
			refuses(t, `{`+tc.fields+`}`, tc.want)
		})
	}
}
