package routercheck_test

import (
	"strings"
	"testing"

	"github.com/meshstorm/meshstorm/routetest/routercheck"
)

func TestConfigsInEveryForm(t *testing.T) {
	const test = "tests: [{test_name: a, input: {authority: a, path: /x}, validate: {cluster_name: c}}]"
	for path, text := range map[string]string{
		"rc.yaml":      "virtual_hosts: [{name: a, domains: ['*'], routes: [{match: {prefix: /}, route: {cluster: c, timeout: 1s}}]}]",
		"rc.json":      `{"virtualHosts": [{"name": "a", "domains": ["*"], "routes": [{"match": {"prefix": "/"}, "route": {"cluster": "c"}}]}]}`,
		"istioctl":     `[{"name": "80", "virtualHosts": [{"name": "a", "domains": ["*"], "routes": [{"match": {"prefix": "/"}, "route": {"cluster": "c"}}]}], "ignorePortInHostMatching": true}]`,
		"resources":    `{"versionInfo": "1", "typeUrl": "type.googleapis.com/envoy.config.route.v3.RouteConfiguration", "resources": [{"@type": "type.googleapis.com/envoy.config.route.v3.RouteConfiguration", "name": "80", "virtualHosts": [{"name": "a", "domains": ["*"], "routes": [{"match": {"prefix": "/"}, "route": {"cluster": "c"}}]}]}]}`,
		"config_dump":  `{"configs": [{"@type": "type.googleapis.com/envoy.admin.v3.ClustersConfigDump", "version_info": "1"}, {"@type": "type.googleapis.com/envoy.admin.v3.RoutesConfigDump", "dynamic_route_configs": [{"version_info": "1", "route_config": {"@type": "type.googleapis.com/envoy.config.route.v3.RouteConfiguration", "virtual_hosts": [{"name": "a", "domains": ["*"], "routes": [{"match": {"prefix": "/"}, "route": {"cluster": "c"}}]}]}}]}]}`,
		"bootstrap":    "static_resources:\n  clusters: [{name: c}]\n  listeners:\n  - name: empty\n  - name: web\n    filter_chains:\n    - filters:\n      - name: hcm\n        typed_config:\n          '@type': type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager\n          route_config: {name: a, virtual_hosts: [{name: a, domains: ['*'], routes: [{match: {prefix: /}, route: {cluster: c}}]}]}\n          http_filters: [{name: router}]\n    - filters: [{name: tcp, typed_config: {'@type': type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy, cluster: c}}]\n",
		"rc.pb_text":   `virtual_hosts { name: "a" domains: "*" routes { match { prefix: "/" } route { cluster: "c" } } }`,
		"anchors.yaml": "virtual_hosts:\n- name: a\n  domains: ['*']\n  routes:\n  - match: &m {prefix: /y}\n    route: &r {cluster: d}\n  - match: {<<: *m, prefix: /}\n    route: {<<: *r, cluster: c}\n",
		"unquoted":     "virtual_hosts:\n- name: 1\n  domains: ['*']\n  routes:\n  - match: {prefix: /, headers: [{name: a, string_match: {exact: 1}, invert_match: true, treat_missing_header_as_empty: true}]}\n    route: {cluster: c}\n",
	} {
		t.Run(path, func(t *testing.T) {
			if got := failures(t, load(t, path, text), "t.yaml", test); got != "" {
				t.Error(got)
			}
		})
	}
}

func TestSettingsOfFiltersResolve(t *testing.T) {
	for _, typed := range []string{
		`"@type": type.googleapis.com/envoy.extensions.filters.http.cors.v3.CorsPolicy, allow_origin_string_match: [{exact: a}]`,
		`"@type": type.googleapis.com/envoy.extensions.filters.http.fault.v3.HTTPFault, abort: {http_status: 503, percentage: {numerator: 100}}`,
		`"@type": type.googleapis.com/envoy.extensions.filters.http.lua.v3.LuaPerRoute, disabled: true`,
		`"@type": type.googleapis.com/envoy.extensions.filters.http.jwt_authn.v3.PerRouteConfig, requirement_name: a`,
		`"@type": type.googleapis.com/envoy.extensions.filters.http.local_ratelimit.v3.LocalRateLimit, stat_prefix: a`,
		`"@type": type.googleapis.com/envoy.config.route.v3.FilterConfig, is_optional: true, config: {"@type": type.googleapis.com/envoy.extensions.filters.http.buffer.v3.BufferPerRoute, disabled: true}`,
		`"@type": type.googleapis.com/google.protobuf.Struct, value: {a: [1, true, x]}`,
		`"@type": type.googleapis.com/xds.type.v3.TypedStruct, type_url: a/b, value: {a: 1}`,
		`"@type": type.googleapis.com/google.protobuf.Empty`,
	} {
		c := load(t, "rc.yaml", withFilter(typed))
		if len(c.Notes) > 0 {
			t.Errorf("%s: %v", typed, c.Notes)
		}
	}
	for _, typed := range []string{`"@type": type.googleapis.com/acme.v1.Filter, a: b`, `"@type": type.googleapis.com/Filter`} {
		c := load(t, "rc.yaml", withFilter(typed))
		if len(c.Notes) != 1 || !strings.Contains(c.Notes[0], "rc.yaml:8:23: type ") || !strings.Contains(c.Notes[0], "is unsupported") {
			t.Errorf("notes %v", c.Notes)
		}
	}
}

func withFilter(typed string) string {
	return "virtual_hosts:\n- name: a\n  domains: ['*']\n  routes:\n  - match: {prefix: /}\n    route: {cluster: c}\n    typed_per_filter_config:\n      some: {" + typed + "}\n"
}

func TestConfigsThatEnvoyWouldRefuse(t *testing.T) {
	for _, tt := range []struct{ text, want string }{
		{"virtual_host: []", `rc.yaml:1:1: envoy.config.route.v3.RouteConfiguration has no key "virtual_host"; did you mean virtual_hosts?`},
		{"virtual_hosts:\n- name: a\n  domains: ['*']\n  routes:\n  - match: {prefix: /}\n    route: {clustr: c}\n", `rc.yaml:6:13: envoy.config.route.v3.RouteAction has no key "clustr"; did you mean cluster?`},
		{"virtual_hosts:\n- name: a\n  domains: ['*']\n  routes:\n  - match: {regex: /}\n    route: {auto_host_rewrite_header: c}\n", "rc.yaml:5:13: regex was a field of Envoy's v2 API; envoy.config.route.v3.RouteMatch has none of this name; write safe_regex\nrc.yaml:6:13: auto_host_rewrite_header was"},
		{"virtual_hosts:\n- name: a\n  domains: ['*']\n  routes:\n  - match: {prefix: /}\n    route: {cluster: c, timeout: soon}\n", "rc.yaml:6:34: invalid google.protobuf.Duration value"},
		{"virtual_hosts:\n- name: a\n  domains: ['*']\n  require_tls: SOME\n", "rc.yaml:4:16: invalid value for enum"},
		{withFilter(`"@type": type.googleapis.com/envoy.config.filter.http.lua.v2.Lua`), "rc.yaml:8:23: type envoy.config.filter.http.lua.v2.Lua is of Envoy's v2 API"},
		{withFilter(`a: b`), "rc.yaml:8:13: the value does not say its type"},
		{withFilter(`"@type": "x/ "`), "rc.yaml:8:23:"},
		{"virtual_hosts:\n- {name: a, domains: ['*']}\n- {name: b, domains: ['*']}\n", "rc.yaml: "},
		{"a", "expected a RouteConfiguration"},
		{"", "holds 0 route configurations"},
		{"[{}, {}]", "holds 2 route configurations, expected"},
		{"resources: [{name: '80'}, {name: '8080'}]", "holds 2 route configurations (80, 8080), expected"},
		{`{"configs": [{"@type": "type.googleapis.com/envoy.admin.v3.ClustersConfigDump"}]}`, "holds 0 route configurations"},
		{"a: [", "rc.yaml:"},
	} {
		_, err := routercheck.LoadConfig("rc.yaml", []byte(tt.text))
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s\ngot  %v\nwant %s", tt.text, err, tt.want)
		}
	}
	for path, text := range map[string]string{"rc.pb": "\xff\xff", "rc.pb_text": "virtual_host {}"} {
		if _, err := routercheck.LoadConfig(path, []byte(text)); err == nil || !strings.HasPrefix(err.Error(), path) {
			t.Errorf("%s: %v", path, err)
		}
	}
}

func FuzzConfig(f *testing.F) {
	f.Add("rc.yaml", []byte(config))
	f.Add("rc.yaml", []byte(withFilter(`"@type": type.googleapis.com/acme.v1.Filter, a: b`)))
	f.Add("rc.pb_text", []byte(`virtual_hosts { name: "a" domains: "*" routes { match { prefix: "/" } route { cluster: "c" } } }`))
	f.Add("rc.json", []byte(`[{"virtualHosts": [{"name": "a", "domains": ["*"]}]}]`))
	tests, _ := routercheck.Parse("t.yaml", []byte("tests: [{test_name: a, input: {authority: shop.example, path: /split}, validate: {cluster_name: c, request_header_fields: [{key: a}]}}]"))
	f.Fuzz(func(t *testing.T, path string, data []byte) {
		c, err := routercheck.LoadConfig(path, data)
		if err != nil {
			return
		}
		c.Run(tests[0])
		c.Routes()
	})
}

func FuzzParse(f *testing.F) {
	f.Add("t.yaml", []byte("tests: [{test_name: a, input: {authority: a, path: /}, validate: {cluster_name: c}}]"))
	f.Add("t.json", []byte(`[{"test_name": "a", "input": {":authority": "a", ":path": "/"}, "validate": {"header_fields": [{"field": "a"}]}}]`))
	f.Add("t.pb_text", []byte(`tests { test_name: "a" input { authority: "a" path: "/" } }`))
	c, err := routercheck.LoadConfig("rc.yaml", []byte(config))
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, path string, data []byte) {
		tests, _ := routercheck.Parse(path, data)
		for _, test := range tests {
			c.Run(test)
		}
	})
}
