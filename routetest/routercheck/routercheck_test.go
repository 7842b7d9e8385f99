package routercheck_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/meshstorm/meshstorm/routetest/routercheck"
)

// config has a route for everything that the tool compares.
const config = `name: shop
internal_only_headers: [x-staff]
virtual_hosts:
- name: shop
  domains: [shop.example]
  virtual_clusters:
  - name: pay
    headers: [{name: ":path", string_match: {prefix: /pay}}]
  request_headers_to_add: [{header: {key: x-host, value: shop}}]
  response_headers_to_remove: [server]
  routes:
  - match: {path: /moved}
    redirect: {https_redirect: true, path_redirect: /new, response_code: FOUND}
  - match: {path: /tea}
    direct_response: {status: 418, body: {inline_string: short}}
    response_headers_to_add: [{header: {key: x-kind, value: tea}}]
  - match:
      prefix: /beta
      runtime_fraction: {runtime_key: beta.on, default_value: {numerator: 50, denominator: HUNDRED}}
    route: {cluster: beta}
  - match: {prefix: /split}
    route:
      weighted_clusters:
        clusters:
        - {name: one, weight: 30}
        - {name: two, weight: 70}
  - match: {prefix: /secret, headers: [{name: x-envoy-internal, string_match: {exact: "true"}}]}
    route: {cluster: internal}
  - match: {prefix: /old}
    route: {cluster: old, prefix_rewrite: /v2, host_rewrite_literal: inner.example}
    request_headers_to_add:
    - header: {key: x-route, value: old}
    - header: {key: x-client, value: "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT% %PROTOCOL%"}
    request_headers_to_remove: [x-forwarded-proto, x-envoy-internal]
    response_headers_to_add: [{header: {key: x-from, value: old}}]
  - match: {prefix: /pay}
    route: {cluster: pay}
  - match: {prefix: /strange}
    route: {cluster: strange}
    typed_per_filter_config:
      acme: {"@type": type.googleapis.com/acme.v1.Filter, some: {nested: [1, 2]}}
- name: secure
  domains: [secure.example]
  require_tls: ALL
  routes:
  - match: {prefix: /}
    route: {cluster: secure}
`

func load(t *testing.T, path, text string) *routercheck.Config {
	t.Helper()
	c, err := routercheck.LoadConfig(path, []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// failures are those of the only test of a YAML file, a line each.
func failures(t *testing.T, c *routercheck.Config, path, text string) string {
	t.Helper()
	tests, errs := routercheck.Parse(path, []byte(text))
	if len(errs) > 0 || len(tests) != 1 {
		t.Fatalf("%d tests, errors %v", len(tests), errs)
	}
	var lines []string
	for _, f := range c.Run(tests[0]).Failures {
		lines = append(lines, fmt.Sprintf("%s: expected %s, got %s", f.What, f.Expected, f.Actual))
	}
	return strings.Join(lines, "\n")
}

// The meaning of every field is in Envoy's documentation of the tool:
// https://www.envoyproxy.io/docs/envoy/latest/operations/tools/router_check
func TestAssertionsMeanWhatTheyMeanInEnvoysTool(t *testing.T) {
	c := load(t, "rc.yaml", config)
	for _, tt := range []struct{ about, input, validate, fails string }{
		{"the cluster", "path: /pay", "cluster_name: pay", ""},
		{"another cluster", "path: /pay", "cluster_name: order", `cluster_name: expected "order", got "pay"`},
		{"a path is compared with its query only in rewrites", "path: '/old/1?q=1'", "path_rewrite: '/v2/1?q=1'", ""},
		{"no cluster, for no route", "path: /nothing", "cluster_name: ''", ""},
		{"no cluster, but there is one", "path: /pay", "cluster_name: ''", `cluster_name: expected "", got "pay"`},
		{"no cluster, for a redirect", "path: /moved", "cluster_name: ''", ""},
		{"nothing for no virtual host", "path: /, authority: nobody", "cluster_name: '', virtual_host_name: '', path_redirect: '', path_rewrite: '', host_rewrite: '', virtual_cluster_name: ''", ""},
		{"what is absent is not compared", "path: /pay", "", ""},
		{"the virtual host", "path: /pay", "virtual_host_name: shop", ""},
		{"another virtual host", "path: /pay", "virtual_host_name: secure", `virtual_host_name: expected "secure", got "shop"`},
		{"the virtual host of a redirect", "path: /moved", "virtual_host_name: shop", ""},
		{"the virtual host of a redirect as the tool has it", "path: /moved", "virtual_host_name: ''", ""},
		{"the virtual cluster", "path: /pay/1", "virtual_cluster_name: pay", ""},
		{"the virtual cluster of the rest", "path: /old", "virtual_cluster_name: other", ""},
		{"the path without a rewrite", "path: /pay/1", "path_rewrite: /pay/1, host_rewrite: shop.example", ""},
		{"the host after a rewrite", "path: /old/1", "host_rewrite: inner.example", ""},
		{"another path", "path: /old/1", "path_rewrite: /old/1", `path_rewrite: expected "/old/1", got "/v2/1"`},
		{"a redirect", "path: /moved", "path_redirect: 'https://shop.example/new'", ""},
		{"a redirect where there is none", "path: /pay", "path_redirect: 'https://shop.example/new'", `path_redirect: expected "https://shop.example/new", got ""`},
		{"no redirect for a direct response", "path: /tea", "path_redirect: ''", ""},
		{"the request's own URL for a direct response, as the tool has it", "path: /tea, ssl: true", "path_redirect: 'https://shop.example/tea'", ""},
		{"another URL for a direct response", "path: /tea", "path_redirect: 'https://shop.example/'", `path_redirect: expected "https://shop.example/", got ""`},
		{"headers for internal requests, which the tool leaves alone", "path: /pay, additional_request_headers: [{key: x-staff, value: '7'}]", "request_header_matches: [{name: x-staff, string_match: {exact: '7'}}]", ""},
		{"the connection that the tool pretends", "path: /old", "request_header_matches: [{name: x-client, string_match: {exact: 127.0.0.1 HTTP/1.1}}]", ""},
		{"plain text where TLS is required", "path: /a, authority: secure.example", "path_redirect: 'https://secure.example/a', cluster_name: ''", ""},
		{"TLS where TLS is required", "path: /a, authority: secure.example, ssl: true", "cluster_name: secure, path_redirect: ''", ""},
		{"the first of the weighted clusters", "path: /split, random_value: 29", "cluster_name: one", ""},
		{"the second of the weighted clusters", "path: /split, random_value: 130", "cluster_name: two", ""},
		{"an internal request", "path: /secret, internal: true", "cluster_name: internal", ""},
		{"an external request", "path: /secret", "cluster_name: ''", ""},
		{"a fraction that is not enabled", "path: /beta", "cluster_name: ''", ""},
		{"a fraction that is enabled", "path: /beta, runtime: beta.on, random_value: 49", "cluster_name: beta", ""},
		{"a fraction that is enabled, and a request outside", "path: /beta, runtime: beta.on, random_value: 50", "cluster_name: ''", ""},
		{"another fraction that is enabled", "path: /beta, runtime: beta", "cluster_name: ''", ""},
		{"request headers after the changes", "path: /old", "request_header_matches: [{name: x-route, string_match: {exact: old}}, {name: x-host, exact_match: shop}, {name: ':path', string_match: {prefix: /v2}}, {name: ':authority', string_match: {suffix: .example}}, {name: x-none, present_match: true, invert_match: true}]", ""},
		{"a request header that is another", "path: /old", "request_header_matches: [{name: x-route, string_match: {prefix: new}}]", "request_header_matches x-route: expected prefix \"new\", got header x-route is \"old\", which does not start with \"new\""},
		{"a request header that is missing", "path: /pay", "request_header_matches: [{name: x-route, present_match: true}]", "request_header_matches x-route: expected present, got header x-route is missing"},
		{"a request header of the input", "path: /pay, additional_request_headers: [{key: X-User, value: tester}]", "request_header_matches: [{name: x-user, string_match: {safe_regex: {regex: 't.*r'}}}]", ""},
		{"the scheme of the input", "path: /pay, ssl: true", "request_header_matches: [{name: x-forwarded-proto, string_match: {exact: https}}]", ""},
		{"headers of the input that a route removes", "path: /old, internal: true", "request_header_matches: [{name: x-forwarded-proto, present_match: false}, {name: X-Envoy-Internal, present_match: true, invert_match: true}, {name: x-envoy-internal, present_match: true}]", "request_header_matches x-envoy-internal: expected present, got header x-envoy-internal is missing"},
		{"headers that no response has", "path: /pay", "response_header_matches: [{name: x-forwarded-proto, present_match: false}]", ""},
		{"a method", "path: /pay, method: PUT", "request_header_matches: [{name: ':method', string_match: {exact: PUT}}]", ""},
		{"response headers after the changes", "path: /old, additional_response_headers: [{key: server, value: x}, {key: x-up, value: y}]", "response_header_matches: [{name: x-from, string_match: {exact: old}}, {name: x-up, string_match: {exact: y}}, {name: server, present_match: false}]", ""},
		{"a response header that is missing", "path: /pay", "response_header_matches: [{name: x-from, string_match: {exact: old}}]", "response_header_matches x-from: expected exact \"old\", got header x-from is missing"},
		{"headers of a direct response", "path: /tea", "response_header_matches: [{name: ':status', string_match: {exact: '418'}}, {name: x-kind, string_match: {exact: tea}}, {name: content-length, range_match: {start: 5, end: 6}}, {name: content-type, string_match: {exact: text/plain}}]", ""},
		{"headers of a redirect", "path: /moved", "response_header_matches: [{name: location, string_match: {exact: 'https://shop.example/new'}}, {name: ':status', string_match: {exact: '302'}}]", ""},
		{"deprecated request fields", "path: /old", "request_header_fields: [{key: x-route, value: old}, {key: x-none, value: ''}], header_fields: [{field: ':path', value: /v2}]", ""},
		{"the first of several values, with which older releases compare", "path: /old, additional_request_headers: [{key: x-route, value: sent}]", "request_header_fields: [{key: x-route, value: sent}]", ""},
		{"all values of a deprecated request field", "path: /old, additional_request_headers: [{key: x-route, value: sent}]", "request_header_fields: [{key: x-route, value: 'sent,old'}]", ""},
		{"deprecated request fields that differ", "path: /old", "custom_header_fields: [{field: x-route, value: new}]", `request_header_fields x-route: expected "new", got "old"`},
		{"deprecated response fields", "path: /old", "response_header_fields: [{key: x-from, value: old}]", ""},
		{"deprecated response fields that differ", "path: /old", "response_header_fields: [{key: x-from, value: new}]", `response_header_fields x-from: expected "new", got "old"`},
		{"all failures", "path: /old", "cluster_name: a, path_rewrite: b", "cluster_name: expected \"a\", got \"old\"\npath_rewrite: expected \"b\", got \"/v2\""},
	} {
		t.Run(tt.about, func(t *testing.T) {
			if !strings.Contains(tt.input, "authority:") {
				tt.input += ", authority: shop.example"
			}
			text := "tests:\n- {test_name: a, input: {" + tt.input + "}, validate: {" + tt.validate + "}}\n"
			if got := failures(t, c, "t.yaml", text); got != tt.fails {
				t.Errorf("got\n%s\nwant\n%s", got, tt.fails)
			}
		})
	}
}

func TestAllFormsOfTestFilesMeanTheSame(t *testing.T) {
	c := load(t, "rc.yaml", config)
	for path, text := range map[string]string{
		"t.yaml":       "tests:\n- test_name: a\n  input:\n    authority: shop.example\n    path: /split\n    random_value: 130\n    additional_request_headers:\n    - {key: x, value: 1}\n  validate: {cluster_name: one}\n",
		"camel.yaml":   "tests:\n- {testName: a, input: {authority: shop.example, path: /split, randomValue: 130}, validate: {clusterName: one}}\n",
		"t.json":       `{"tests": [{"test_name": "a", "input": {"authority": "shop.example", "path": "/split", "random_value": "130"}, "validate": {"cluster_name": "one"}}]}`,
		"tabs.json":    "{\n\t\"tests\": [\n\t\t{\"test_name\": \"a\", \"input\": {\"authority\": \"shop.example\", \"path\": \"\\/split\", \"random_value\": 130},\n\t\t\"validate\": {\"cluster_name\": \"one\"}}\n\t]\n}\n",
		"old.json":     `[{"test_name": "a", "input": {":authority": "shop.example", ":path": "/split", ":method": "GET", "random_lb_value": 130, "ssl": true, "internal": true, "additional_headers": [{"field": "x", "value": "y"}]}, "validate": {"cluster_name": "one"}}]`,
		"t.pb_text":    "tests {\n  test_name: \"a\"\n  input { authority: \"shop.example\" path: \"/split\" random_value: 130 }\n  validate { cluster_name { value: \"one\" } }\n}\n",
		"t.textproto":  `tests: [{test_name: "a", input: {authority: "shop.example", path: "/split", random_value: 130}, validate: {cluster_name: {value: "one"}}}]`,
		"aliases.yaml": "tests:\n- test_name: a\n  input: &i {authority: shop.example, path: /split, random_value: 130}\n  validate: {cluster_name: one}\n",
	} {
		t.Run(path, func(t *testing.T) {
			if got := failures(t, c, path, text); got != `cluster_name: expected "one", got "two"` {
				t.Errorf("got %s", got)
			}
		})
	}
}

func TestTyposInTestFiles(t *testing.T) {
	const sound = "- {test_name: b, input: {authority: a, path: /}, validate: {}}\n"
	for _, tt := range []struct {
		path, text, want string
		tests            int
	}{
		{"t.yaml", "tests:\n- {test_nam: a, input: {authority: a, path: /}}\n" + sound, `t.yaml:2:4: envoy.RouterCheckToolSchema.ValidationItem has no key "test_nam"; did you mean test_name?`, 1},
		{"t.yaml", "tests:\n- test_name: a\n  input:\n    authority: a\n    paths: /\n" + sound, `t.yaml:5:5: envoy.RouterCheckToolSchema.ValidationInput has no key "paths"; did you mean path?`, 1},
		{"t.yaml", "tests:\n- test_name: a\n  input:\n    authority: a\n    random_value: x\n" + sound, `t.yaml:5:19: invalid value for uint64 field randomValue: "x"`, 1},
		{"t.yaml", "tests:\n- {test_name: a, input: {path: /}}\n" + sound, "t.yaml:2:3: the test has no input: authority", 1},
		{"t.yaml", "tests:\n- {test_name: a, input: {authority: a}}\n" + sound, "t.yaml:2:3: the test has no input: path", 1},
		{"t.yaml", "tests:\n- {input: {authority: a, path: /}}\n" + sound, "t.yaml:2:3: the test has no test_name", 1},
		{"t.yaml", "tests:\n- {test_name: a, input: {authority: a, path: /}, validate: {request_header_matches: [{name: a, exact: b}]}}\n" + sound, `envoy.config.route.v3.HeaderMatcher has no key "exact"; the keys are name, `, 1},
		{"t.yaml", "tests: {}\n", "t.yaml:1:8: tests is a mapping, expected a list", 0},
		{"t.yaml", "a: b\n", `a router_check file has no key "a"`, 0},
		{"t.yaml", "tests:\n- a\n" + sound, "t.yaml:2:3", 1},
		{"t.pb_text", "tests {\n  test_nam: \"a\"\n}\n", "t.pb_text:2:3: unknown field: test_nam", 0},
		{"t.pb_text", "tests { test_name: \"a\" }\ntests {\n test_name: \"b\" input { authority: \"a\" path: \"/\" } }\n", "t.pb_text:1:1: a test has no input: authority", 1},
	} {
		t.Run(tt.want, func(t *testing.T) {
			tests, errs := routercheck.Parse(tt.path, []byte(tt.text))
			if len(errs) == 0 || !strings.Contains(errs[0].Error(), tt.want) {
				t.Errorf("got %v\nwant %s", errs, tt.want)
			}
			if len(tests) != tt.tests {
				t.Errorf("%d tests are sound, want %d", len(tests), tt.tests)
			}
		})
	}
}

func TestCoverageCountsRoutesAndWeightedClusters(t *testing.T) {
	c := load(t, "rc.yaml", config)
	var got []string
	for _, r := range c.Routes() {
		got = append(got, fmt.Sprintf("%s %s %s%s:%d", r.Host, r.Name, r.Match, r.Cluster, r.Line))
	}
	want := []string{
		"shop routes[0] path /moved:12", "shop routes[1] path /tea:14", "shop routes[2] prefix /beta:17", "shop routes[3] prefix /splitone:21",
		"shop routes[3] prefix /splittwo:21", "shop routes[4] prefix /secret, 1 header conditions:27", "shop routes[5] prefix /old:29",
		"shop routes[6] prefix /pay:36", "shop routes[7] prefix /strange:38", "secure routes[0] prefix /:46",
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	tests, _ := routercheck.Parse("t.yaml", []byte("tests: [{test_name: a, input: {authority: shop.example, path: /split, random_value: 99}, validate: {}}]"))
	if key := c.Run(tests[0]).Covered; key != c.Routes()[4].Key {
		t.Errorf("covered %q, want %q", key, c.Routes()[4].Key)
	}
}
