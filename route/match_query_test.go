package route_test

import (
	"fmt"
	"testing"

	"github.com/meshstorm/meshstorm/route"
)

func TestQueryParameters(t *testing.T) {
	with := func(q string) string { return `{prefix: /, query_parameters: [` + q + `]}` }
	runMatchCases(t, []matchCase{
		{
			name: "string_match compares the value", doc: "QueryParameterMatcher.string_match", match: with(`{name: id, string_match: {exact: "1"}}`),
			takes: []string{"GET /?id=1", "GET /?x&id=1&y"},
			leaves: map[string]string{
				"GET /?id=2":  `query parameter id is "2", not "1"`,
				"GET /":       `query parameter id is missing`,
				"GET /?ID=1":  `query parameter id is missing`,
				"GET /?id":    `query parameter id is "", not "1"`,
				"GET /?aid=1": `query parameter id is missing`,
			},
		},
		{
			name: "only the first value of a parameter counts", doc: "RouteMatch.query_parameters", match: with(`{name: id, string_match: {exact: "1"}}`),
			takes: []string{"GET /?id=1&id=2"}, leaves: map[string]string{"GET /?id=2&id=1": `query parameter id is "2", not "1"`},
		},
		{
			name: "all parameters have to match", doc: "RouteMatch.query_parameters", match: with(`{name: a, present_match: true}, {name: b, string_match: {prefix: x}}`),
			takes: []string{"GET /?b=xy&a"}, leaves: map[string]string{"GET /?b=xy": `query parameter a is missing`, "GET /?a&b=y": `query parameter b is "y", which does not start with "x"`},
		},
		{
			name: "values are compared as they were sent", doc: "RouteMatch.query_parameters, note: the query parameters are URL-encoded", match: with(`{name: q, string_match: {exact: "foo%20bar"}}`),
			takes: []string{"GET /?q=foo%20bar"}, leaves: map[string]string{"GET /?q=foo+bar": `query parameter q is "foo+bar", not "foo%20bar"`},
		},
		{
			name: "a value may have an equals sign", doc: "RouteMatch.query_parameters", match: with(`{name: q, string_match: {exact: "a=b"}}`),
			takes: []string{"GET /?q=a=b"},
		},
		{
			name: "a regular expression takes the whole value", doc: "QueryParameterMatcher.string_match", match: with(`{name: id, string_match: {safe_regex: {regex: "[0-9]+"}}}`),
			takes: []string{"GET /?id=12"}, leaves: map[string]string{"GET /?id=12a": `query parameter id is "12a", which does not match "[0-9]+"`},
		},
		{
			name: "present_match asks for the parameter", doc: "QueryParameterMatcher.present_match", match: with(`{name: debug, present_match: true}`),
			takes: []string{"GET /?debug", "GET /?debug=", "GET /?debug=no"}, leaves: map[string]string{"GET /": `query parameter debug is missing`},
		},
		{
			name: "present_match false asks that the parameter is absent", doc: "QueryParameterMatcher.present_match", match: with(`{name: debug, present_match: false}`),
			takes: []string{"GET /", "GET /?debugs"}, leaves: map[string]string{"GET /?debug": `query parameter debug is present`},
		},
		{
			name: "a matcher that says nothing more asks for the parameter", doc: "QueryParameterMatcher.name: a key that must be present", match: with(`{name: debug}`),
			takes: []string{"GET /?debug=1"}, leaves: map[string]string{"GET /": `query parameter debug is missing`},
		},
	})
}

func TestCookies(t *testing.T) {
	with := func(c string) string { return `{prefix: /, cookies: [` + c + `]}` }
	runMatchCases(t, []matchCase{
		{
			name: "the value of the named cookie is compared", doc: "CookieMatcher.string_match", match: with(`{name: track, string_match: {exact: canary}}`),
			takes: []string{"GET / | cookie: a=b; track=canary", `GET / | cookie: track="canary"`, "GET / | cookie: a=b | cookie: track=canary"},
			leaves: map[string]string{
				"GET / | cookie: track=stable":   `cookie track is "stable", not "canary"`,
				"GET / | cookie: tracks=canary":  `cookie track is missing`,
				"GET / | cookie: track":          `cookie track is missing`,
				"GET /":                          `cookie track is missing`,
				"GET / | cookie: track=a; track": `cookie track is "a", not "canary"`,
			},
		},
		{
			name: "an inverted cookie holds where there is none", doc: "CookieMatcher.invert_match", match: with(`{name: track, string_match: {exact: canary}, invert_match: true}`),
			takes: []string{"GET /", "GET / | cookie: track=stable"}, leaves: map[string]string{"GET / | cookie: track=canary": `cookie track is "canary" (excluded)`},
		},
		{
			name: "all cookies have to match", doc: "RouteMatch.cookies", match: with(`{name: a, string_match: {prefix: "1"}}, {name: b, string_match: {suffix: "2"}}`),
			takes: []string{"GET / | cookie: b=2;a=1"}, leaves: map[string]string{"GET / | cookie: a=1": `cookie b is missing`},
		},
	})
}

func TestOtherConditions(t *testing.T) {
	runMatchCases(t, []matchCase{
		{
			name: "grpc takes requests with gRPC's content type", doc: "RouteMatch.grpc", match: `{prefix: /, grpc: {}}`,
			takes: []string{"POST /s/m | content-type: application/grpc", "POST /s/m | content-type: application/grpc+proto"},
			leaves: map[string]string{
				"POST /s/m | content-type: application/grpc-web": `content-type "application/grpc-web" is not gRPC (application/grpc or application/grpc+...)`,
				"POST /s/m": `content-type is missing: not a gRPC request`,
			},
		},
		{
			name: "a client certificate has to be presented", doc: "RouteMatch.TlsContextMatchOptions.presented", match: `{prefix: /, tls_context: {presented: true}}`,
			takes: []string{"GET / | !tls: presented"}, leaves: map[string]string{"GET / | !tls": `no client certificate is presented`, "GET /": `no client certificate is presented`},
		},
		{
			name: "no client certificate may be presented", doc: "RouteMatch.TlsContextMatchOptions.presented", match: `{prefix: /, tls_context: {presented: false}}`,
			takes: []string{"GET / | !tls", "GET /"}, leaves: map[string]string{"GET / | !tls: presented": `a client certificate is presented`},
		},
		{
			name: "the client certificate has to be validated", doc: "RouteMatch.TlsContextMatchOptions.validated", match: `{prefix: /, tls_context: {validated: true}}`,
			takes: []string{"GET / | !tls: presented validated"}, leaves: map[string]string{"GET / | !tls: presented": `no client certificate is validated`},
		},
		{
			name: "the client certificate may not be validated", doc: "RouteMatch.TlsContextMatchOptions.validated", match: `{prefix: /, tls_context: {presented: true, validated: false}}`,
			takes: []string{"GET / | !tls: presented"}, leaves: map[string]string{"GET / | !tls: presented validated": `the client certificate is validated`},
		},
		{
			name: "an empty tls_context asks for nothing", doc: "RouteMatch.TlsContextMatchOptions", match: `{prefix: /, tls_context: {}}`,
			takes: []string{"GET /", "GET / | !tls"},
		},
		{
			name: "a fraction takes random values below the numerator", doc: "RouteMatch.runtime_fraction", match: `{prefix: /, runtime_fraction: {default_value: {numerator: 30}, runtime_key: k}}`,
			takes: []string{"GET / | !random: 0", "GET / | !random: 29", "GET / | !random: 129"}, leaves: map[string]string{"GET / | !random: 30": `random value 30 is outside of the fraction 30 of 100`},
		},
		{
			name: "a fraction of ten thousand", doc: "FractionalPercent.denominator", match: `{prefix: /, runtime_fraction: {default_value: {numerator: 30, denominator: TEN_THOUSAND}}}`,
			takes: []string{"GET / | !random: 10029"}, leaves: map[string]string{"GET / | !random: 130": `random value 130 is outside of the fraction 30 of 10000`},
		},
		{
			name: "a fraction of a million", doc: "FractionalPercent.denominator", match: `{prefix: /, runtime_fraction: {default_value: {numerator: 500000, denominator: MILLION}}}`,
			takes: []string{"GET / | !random: 499999"}, leaves: map[string]string{"GET / | !random: 1500000": `random value 500000 is outside of the fraction 500000 of 1000000`},
		},
		{
			name: "a fraction above its denominator is everything", doc: "FractionalPercent.denominator", match: `{prefix: /, runtime_fraction: {default_value: {numerator: 200}}}`,
			takes: []string{"GET / | !random: 99"},
		},
	})
}

// RouteMatch.runtime_fraction: the runtime layer overrides the default.
func TestTheRuntimeLayerDecidesAFractionWithAKey(t *testing.T) {
	c := compile(t, `
virtual_hosts:
- name: shop
  domains: ['*']
  routes:
  - match: {prefix: /, runtime_fraction: {runtime_key: roll.out, default_value: {numerator: 1, denominator: MILLION}}}
    route: {cluster: new}
  - match: {prefix: /, runtime_fraction: {default_value: {numerator: 50}}}
    route: {cluster: half}
  - match: {prefix: /}
    route: {cluster: old}`)
	asked := ""
	layer := func(answer bool) route.Runtime {
		return func(key string, numerator, denominator uint32, random uint64) bool {
			asked = fmt.Sprint(key, numerator, denominator, random)
			return answer
		}
	}
	for _, tc := range []struct {
		runtime route.Runtime
		random  uint64
		want    string
	}{{layer(true), 77, "new"}, {layer(false), 77, "old"}, {layer(false), 7, "half"}, {nil, 1_000_000, "new"}} {
		if got := c.Decide(&route.Request{Random: tc.random, Runtime: tc.runtime}).Cluster; got != tc.want {
			t.Errorf("random %d goes to %q, not %q", tc.random, got, tc.want)
		}
	}
	if asked != fmt.Sprint("roll.out", 1, 1_000_000, 7) {
		t.Errorf("the runtime layer was asked for %s", asked)
	}
	_, verdicts := c.Explain(&route.Request{Runtime: layer(false)})
	if want := "runtime key roll.out does not take this request"; verdicts[0].Failed != want {
		t.Errorf("fails because %q", verdicts[0].Failed)
	}
}

func TestWhatCannotBeEvaluatedIsSaidOnlyWhereItDecides(t *testing.T) {
	custom := `{name: x, string_match: {custom: {name: lua, typed_config: {"@type": type.googleapis.com/google.protobuf.Empty}}}}`
	for _, tc := range []struct{ name, match, request, cluster, unsupported string }{
		{
			"dynamic metadata", `{prefix: /a, dynamic_metadata: [{filter: jwt, path: [{key: k}], value: {present_match: true}}]}`,
			"GET /a", "", "unsupported: RouteMatch.dynamic_metadata (jwt)",
		},
		{
			"dynamic metadata behind a path that fails", `{prefix: /a, dynamic_metadata: [{filter: jwt, path: [{key: k}], value: {present_match: true}}]}`,
			"GET /b", "next", "",
		},
		{
			"dynamic metadata behind gRPC that fails", `{prefix: /a, grpc: {}, dynamic_metadata: [{filter: jwt, path: [{key: k}], value: {present_match: true}}]}`,
			"GET /a", "next", "",
		},
		{
			"filter state", `{prefix: /a, filter_state: [{key: k, string_match: {exact: x}}]}`,
			"GET /a", "", "unsupported: RouteMatch.filter_state (k)",
		},
		{"a custom string matcher", `{prefix: /a, headers: [` + custom + `]}`, "GET /a | x: y", "", "unsupported: StringMatcher.custom (lua)"},
		{"a custom string matcher, inverted", `{prefix: /a, headers: [{name: x, invert_match: true, string_match: {custom: {name: lua, typed_config: {"@type": type.googleapis.com/google.protobuf.Empty}}}}]}`, "GET /a | x: y", "", "unsupported: StringMatcher.custom (lua)"},
		{"a custom string matcher for a header that is missing", `{prefix: /a, headers: [` + custom + `]}`, "GET /a", "next", ""},
		{"a custom string matcher beside a header that fails", `{prefix: /a, headers: [` + custom + `, {name: z}]}`, "GET /a | x: y", "next", ""},
		{"a custom query matcher", `{prefix: /a, query_parameters: [` + custom + `]}`, "GET /a?x=1", "", "unsupported: StringMatcher.custom (lua)"},
		{"a custom cookie matcher", `{prefix: /a, cookies: [` + custom + `]}`, "GET /a | cookie: x=1", "", "unsupported: StringMatcher.custom (lua)"},
		{
			"an unknown path policy", `{path_match_policy: {name: own, typed_config: {"@type": type.googleapis.com/google.protobuf.Empty}}}`,
			"GET /a", "", "unsupported: RouteMatch.path_match_policy (own)",
		},
		{
			"several at once", `{prefix: /a, headers: [` + custom + `], filter_state: [{key: k, string_match: {exact: x}}]}`,
			"GET /a | x: y", "", "unsupported: StringMatcher.custom (lua); unsupported: RouteMatch.filter_state (k)",
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c := compile(t, `{virtual_hosts: [{name: shop, domains: ['*'], routes: [{match: `+tc.match+`, route: {cluster: first}}, {match: {prefix: /}, route: {cluster: next}}]}]}`)
			d, verdicts := c.Explain(request(t, tc.request))
			if d.Cluster != tc.cluster || d.Unsupported != tc.unsupported {
				t.Errorf("cluster %q, unsupported %q; want %q, %q", d.Cluster, d.Unsupported, tc.cluster, tc.unsupported)
			}
			if verdicts[0].Unsupported != tc.unsupported || verdicts[0].Matched {
				t.Errorf("verdict %+v", verdicts[0])
			}
			if tc.unsupported != "" && d.Route == nil {
				t.Error("the route that could not be decided is not named")
			}
		})
	}
}
