package route_test

import (
	"strings"
	"testing"

	"github.com/meshstorm/meshstorm/route"
)

func TestFaultsNameVirtualHostAndRoute(t *testing.T) {
	vhost := func(routes string) string {
		return `{name: r, virtual_hosts: [{name: shop, domains: ['*'], routes: [{match: {prefix: /}, route: {cluster: a}}, ` + routes + `]}]}`
	}
	here := `virtual host "shop", route 1 ("bad"): `
	template := func(text string) string {
		return vhost(`{name: bad, match: {path_match_policy: {name: t, typed_config: {"@type": type.googleapis.com/envoy.extensions.path.match.uri_template.v3.UriTemplateMatchConfig, path_template: "` + text + `"}}}, route: {cluster: a}}`)
	}
	for _, tc := range []struct{ name, config, want string }{
		{"a regex that is none", vhost(`{name: bad, match: {safe_regex: {regex: "/a("}}, route: {cluster: a}}`), here + `regular expression "/a(": error parsing regexp: missing closing )`},
		{"a regex that only works inside a group", vhost(`{name: bad, match: {safe_regex: {regex: "a)(b"}}, route: {cluster: a}}`), here + `regular expression "a)(b": error parsing regexp: unexpected )`},
		{"a regex with a backreference", vhost(`{name: bad, match: {safe_regex: {regex: "(a)\\1"}}, route: {cluster: a}}`), here + `regular expression "(a)\\1": error parsing regexp: invalid escape sequence`},
		{"a regex with look-ahead", vhost(`{name: bad, match: {safe_regex: {regex: "(?=a)b"}}, route: {cluster: a}}`), here + `regular expression "(?=a)b"`},
		{"a regex that repeats too often", vhost(`{name: bad, match: {safe_regex: {regex: "(a{100}){100}"}}, route: {cluster: a}}`), here + `regular expression "(a{100}){100}": error parsing regexp: invalid repeat count`},
		{"a regex that explodes", vhost(`{name: bad, match: {safe_regex: {regex: "` + strings.Repeat("(abcdefgh){1000}", 5) + `"}}, route: {cluster: a}}`), `steps or more, 32768 are allowed`},
		{"a regex in a header", vhost(`{name: bad, match: {prefix: /, headers: [{name: x, string_match: {safe_regex: {regex: "["}}}]}, route: {cluster: a}}`), here + `regular expression "["`},
		{"a route without a match", vhost(`{name: bad, route: {cluster: a}}`), here + `match is missing`},
		{"a match without a path", vhost(`{name: bad, match: {}, route: {cluster: a}}`), here + `match.path_specifier is missing`},
		{"a route without an action", vhost(`{name: bad, match: {prefix: /}}`), here + `action is missing`},
		{"a route without a cluster", vhost(`{name: bad, match: {prefix: /}, route: {}}`), here + `route.cluster_specifier is missing`},
		{"a separated prefix with a slash", vhost(`{name: bad, match: {path_separated_prefix: /a/}, route: {cluster: a}}`), here + `match.path_separated_prefix: value does not match`},
		{"a header matcher without a name", vhost(`{name: bad, match: {prefix: /, headers: [{exact_match: a}]}, route: {cluster: a}}`), here + `match.headers[0].name: value length`},
		{"an empty prefix of a header", vhost(`{name: bad, match: {prefix: /, headers: [{name: a, prefix_match: ""}]}, route: {cluster: a}}`), here + `match.headers[0].prefix_match: value length`},
		{"weights that add up to nothing", vhost(`{name: bad, match: {prefix: /}, route: {weighted_clusters: {clusters: [{name: a, weight: 0}]}}}`), here + `weighted_clusters: the weights add up to 0`},
		{"weights that add up to too much", vhost(`{name: bad, match: {prefix: /}, route: {weighted_clusters: {clusters: [{name: a, weight: 4294967295}, {name: b, weight: 1}]}}}`), here + `weighted_clusters: the weights add up to 4294967296`},
		{"a weight that is missing", vhost(`{name: bad, match: {prefix: /}, route: {weighted_clusters: {clusters: [{name: a, weight: 1}, {name: b}]}}}`), here + `weighted_clusters: clusters[1] has no weight`},
		{"a weighted cluster with name and header", vhost(`{name: bad, match: {prefix: /}, route: {weighted_clusters: {clusters: [{name: a, cluster_header: x, weight: 1}]}}}`), `clusters[0] needs one of name and cluster_header, not both`},
		{"a weighted cluster without a name", vhost(`{name: bad, match: {prefix: /}, route: {weighted_clusters: {clusters: [{weight: 1}]}}}`), `clusters[0] needs one of name and cluster_header`},
		{"a plugin that is not there", vhost(`{name: bad, match: {prefix: /}, route: {cluster_specifier_plugin: own}}`), here + `cluster_specifier_plugin "own" is not among`},
		{"a direct response that is too long", vhost(`{name: bad, match: {prefix: /}, direct_response: {status: 200, body: {inline_string: "` + strings.Repeat("x", 4097) + `"}}}`), here + `direct_response: the body has 4097 bytes, 4096 are allowed`},
		{"a virtual host without domains", `{virtual_hosts: [{name: shop}]}`, `virtual host "shop": domains: value must contain at least 1 item(s)`},
		{"a domain twice in one virtual host", `{virtual_hosts: [{name: a, domains: [x, X]}]}`, `virtual host "a": domain "X" is already taken by virtual host "a"`},
		{"a domain in two virtual hosts", `{virtual_hosts: [{name: a, domains: [x]}, {name: b, domains: [x]}]}`, `virtual host "b": domain "x" is already taken by virtual host "a"`},
		{"a wildcard twice", `{virtual_hosts: [{name: a, domains: ["*.x"]}, {name: b, domains: ["*.x"]}]}`, `virtual host "b": domain "*.x" is already taken`},
		{"a prefix wildcard twice", `{virtual_hosts: [{name: a, domains: ["x.*"]}, {name: b, domains: ["x.*"]}]}`, `virtual host "b": domain "x.*" is already taken`},
		{"* twice", `{virtual_hosts: [{name: a, domains: ["*"]}, {name: b, domains: ["*"]}]}`, `virtual host "b": domain "*" is already taken`},
		{"a template without a slash", template("a"), here + `path template "a": has to start with /`},
		{"an operator after **", template("/**/*"), here + `path template "/**/*": nothing but literal text may follow **`},
		{"a variable after **", template("/{a=**}/{b}"), here + `path template "/{a=**}/{b}": variable "b": nothing but literal text may follow **`},
		{"a variable twice", template("/{a}/{a}"), `variable "a" is repeated`},
		{"too many variables", template("/{a}/{b}/{c}/{d}/{e}/{f}"), `has more than 5 variables`},
		{"a variable name that is too long", template("/{abcdefghijklmnopq}"), `is no variable name`},
		{"a variable name that is none", template("/{1a}"), `is no variable name`},
		{"a variable without an end", template("/{a"), `has no closing brace`},
		{"a variable with an empty pattern", template("/{a=}"), `has an empty segment`},
		{"a * inside of a segment", template("/a*"), `* has to begin its segment`},
		{"two variables in a segment", template("/{a}{b}"), `only one operator or variable can be in a segment`},
		{"an empty segment", template("/a//b"), `has an empty segment`},
		{"a character that no path has", template("/a b"), `' ' cannot be part of a path segment`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := route.Compile(parse(t, tc.config))
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v\nwant %s", err, tc.want)
			}
		})
	}
	if _, err := route.Compile(nil); err == nil {
		t.Error("nothing compiles")
	}
}

func TestAllFaultsAreNamed(t *testing.T) {
	_, err := route.Compile(parse(t, `
name: r
virtual_hosts:
- name: a
  domains: [x]
  routes:
  - match: {safe_regex: {regex: "("}}
    route: {cluster: a}
  - match: {prefix: /, headers: [{name: h, string_match: {safe_regex: {regex: "["}}}]}
- name: b
  domains: [x]`))
	for _, want := range []string{
		`route configuration "r": `,
		`virtual host "a", route 0: regular expression "("`,
		`virtual host "a", route 1: regular expression "["`,
		`virtual host "a", route 1: action is missing`,
		`virtual host "b": domain "x"`,
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v does not name %s", err, want)
		}
	}
}

// RouteConfiguration.max_direct_response_body_size_bytes.
func TestTheLimitOfDirectResponsesCanBeRaised(t *testing.T) {
	compile(t, `
max_direct_response_body_size_bytes: 5000
virtual_hosts:
- name: shop
  domains: ['*']
  routes:
  - match: {prefix: /}
    direct_response: {status: 200, body: {inline_string: "`+strings.Repeat("x", 4097)+`"}}`)
}
