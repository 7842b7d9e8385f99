package route_test

import (
	"strings"
	"testing"

	"github.com/meshstorm/meshstorm/route"
)

const badRoute = `virtual host "shop", route 1 ("bad"): `

// withRoute is a configuration with a second route.
func withRoute(text string) string {
	return `{name: r, virtual_hosts: [{name: shop, domains: ['*'], routes: [{match: {prefix: /}, route: {cluster: a}}, ` + text + `]}]}`
}

func withTemplate(text string) string {
	return withRoute(`{name: bad, match: {path_match_policy: {name: t, typed_config: {"@type": type.googleapis.com/envoy.extensions.path.match.uri_template.v3.UriTemplateMatchConfig, path_template: "` + text + `"}}}, route: {cluster: a}}`)
}

// faultCases are configurations that do not compile, and what the error says.
var faultCases = []struct{ name, config, want string }{
	{"a regex that is none", withRoute(`{name: bad, match: {safe_regex: {regex: "/a("}}, route: {cluster: a}}`), badRoute + `regular expression "/a(": error parsing regexp: missing closing )`},
	{"a regex that only works inside a group", withRoute(`{name: bad, match: {safe_regex: {regex: "a)(b"}}, route: {cluster: a}}`), badRoute + `regular expression "a)(b": error parsing regexp: unexpected )`},
	{"a regex with a backreference", withRoute(`{name: bad, match: {safe_regex: {regex: "(a)\\1"}}, route: {cluster: a}}`), badRoute + `regular expression "(a)\\1": error parsing regexp: invalid escape sequence`},
	{"a regex with look-ahead", withRoute(`{name: bad, match: {safe_regex: {regex: "(?=a)b"}}, route: {cluster: a}}`), badRoute + `regular expression "(?=a)b"`},
	{"a regex that repeats too often", withRoute(`{name: bad, match: {safe_regex: {regex: "(a{100}){100}"}}, route: {cluster: a}}`), badRoute + `regular expression "(a{100}){100}": error parsing regexp: invalid repeat count`},
	{"a regex that explodes", withRoute(`{name: bad, match: {safe_regex: {regex: "` + strings.Repeat("(abcdefgh){1000}", 5) + `"}}, route: {cluster: a}}`), `steps or more, 32768 are allowed`},
	{"a regex in a header", withRoute(`{name: bad, match: {prefix: /, headers: [{name: x, string_match: {safe_regex: {regex: "["}}}]}, route: {cluster: a}}`), badRoute + `regular expression "["`},
	{"a route without a match", withRoute(`{name: bad, route: {cluster: a}}`), badRoute + `match is missing`},
	{"a match without a path", withRoute(`{name: bad, match: {}, route: {cluster: a}}`), badRoute + `match.path_specifier is missing`},
	{"a route without an action", withRoute(`{name: bad, match: {prefix: /}}`), badRoute + `action is missing`},
	{"a route without a cluster", withRoute(`{name: bad, match: {prefix: /}, route: {}}`), badRoute + `route.cluster_specifier is missing`},
	{"a separated prefix with a slash", withRoute(`{name: bad, match: {path_separated_prefix: /a/}, route: {cluster: a}}`), badRoute + `match.path_separated_prefix: value does not match`},
	{"a header matcher without a name", withRoute(`{name: bad, match: {prefix: /, headers: [{exact_match: a}]}, route: {cluster: a}}`), badRoute + `match.headers[0].name: value length`},
	{"an empty prefix of a header", withRoute(`{name: bad, match: {prefix: /, headers: [{name: a, prefix_match: ""}]}, route: {cluster: a}}`), badRoute + `match.headers[0].prefix_match: value length`},
	{"weights that add up to nothing", withRoute(`{name: bad, match: {prefix: /}, route: {weighted_clusters: {clusters: [{name: a, weight: 0}]}}}`), badRoute + `weighted_clusters: the weights add up to 0`},
	{"weights that add up to too much", withRoute(`{name: bad, match: {prefix: /}, route: {weighted_clusters: {clusters: [{name: a, weight: 4294967295}, {name: b, weight: 1}]}}}`), badRoute + `weighted_clusters: the weights add up to 4294967296`},
	{"a weight that is missing", withRoute(`{name: bad, match: {prefix: /}, route: {weighted_clusters: {clusters: [{name: a, weight: 1}, {name: b}]}}}`), badRoute + `weighted_clusters: clusters[1] has no weight`},
	{"a weighted cluster with name and header", withRoute(`{name: bad, match: {prefix: /}, route: {weighted_clusters: {clusters: [{name: a, cluster_header: x, weight: 1}]}}}`), `clusters[0] needs one of name and cluster_header, not both`},
	{"a weighted cluster without a name", withRoute(`{name: bad, match: {prefix: /}, route: {weighted_clusters: {clusters: [{weight: 1}]}}}`), `clusters[0] needs one of name and cluster_header`},
	{"a plugin that is not there", withRoute(`{name: bad, match: {prefix: /}, route: {cluster_specifier_plugin: own}}`), badRoute + `cluster_specifier_plugin "own" is not among`},
	{"a rewrite by a regex that is none", withRoute(`{name: bad, match: {prefix: /}, route: {cluster: a, regex_rewrite: {pattern: {regex: "("}, substitution: x}}}`), badRoute + `regex_rewrite: regular expression "("`},
	{"a host rewrite by a regex that is none", withRoute(`{name: bad, match: {prefix: /}, route: {cluster: a, host_rewrite_path_regex: {pattern: {regex: "("}, substitution: x}}}`), badRoute + `host_rewrite_path_regex: regular expression "("`},
	{"a redirect by a regex that is none", withRoute(`{name: bad, match: {prefix: /}, redirect: {regex_rewrite: {pattern: {regex: "("}, substitution: x}}}`), badRoute + `regex_rewrite: regular expression "("`},
	{"two rewrites of the path", withRoute(`{name: bad, match: {prefix: /}, route: {cluster: a, prefix_rewrite: /x, regex_rewrite: {pattern: {regex: "a"}, substitution: x}}}`), badRoute + `prefix_rewrite and regex_rewrite are set together`},
	{"a direct response that is too long", withRoute(`{name: bad, match: {prefix: /}, direct_response: {status: 200, body: {inline_string: "` + strings.Repeat("x", 4097) + `"}}}`), badRoute + `direct_response: the body has 4097 bytes, 4096 are allowed`},
	{"a virtual host without domains", `{virtual_hosts: [{name: shop}]}`, `virtual host "shop": domains: value must contain at least 1 item(s)`},
	{"a domain twice in one virtual host", `{virtual_hosts: [{name: a, domains: [x, X]}]}`, `virtual host "a": domain "X" is already taken by virtual host "a"`},
	{"a domain in two virtual hosts", `{virtual_hosts: [{name: a, domains: [x]}, {name: b, domains: [x]}]}`, `virtual host "b": domain "x" is already taken by virtual host "a"`},
	{"a wildcard twice", `{virtual_hosts: [{name: a, domains: ["*.x"]}, {name: b, domains: ["*.x"]}]}`, `virtual host "b": domain "*.x" is already taken`},
	{"a prefix wildcard twice", `{virtual_hosts: [{name: a, domains: ["x.*"]}, {name: b, domains: ["x.*"]}]}`, `virtual host "b": domain "x.*" is already taken`},
	{"* twice", `{virtual_hosts: [{name: a, domains: ["*"]}, {name: b, domains: ["*"]}]}`, `virtual host "b": domain "*" is already taken`},
	{"a template without a slash", withTemplate("a"), badRoute + `path template "a": has to start with /`},
	{"an operator after **", withTemplate("/**/*"), badRoute + `path template "/**/*": nothing but literal text may follow **`},
	{"a variable after **", withTemplate("/{a=**}/{b}"), badRoute + `path template "/{a=**}/{b}": variable "b": nothing but literal text may follow **`},
	{"a variable twice", withTemplate("/{a}/{a}"), `variable "a" is repeated`},
	{"too many variables", withTemplate("/{a}/{b}/{c}/{d}/{e}/{f}"), `has more than 5 variables`},
	{"a variable name that is too long", withTemplate("/{abcdefghijklmnopq}"), `is no variable name`},
	{"a variable name that is none", withTemplate("/{1a}"), `is no variable name`},
	{"a variable without an end", withTemplate("/{a"), `has no closing brace`},
	{"a variable with an empty pattern", withTemplate("/{a=}"), `has an empty segment`},
	{"a * inside of a segment", withTemplate("/a*"), `* has to begin its segment`},
	{"two variables in a segment", withTemplate("/{a}{b}"), `only one operator or variable can be in a segment`},
	{"an empty segment", withTemplate("/a//b"), `has an empty segment`},
	{"a character that no path has", withTemplate("/a b"), `' ' cannot be part of a path segment`},
}

func TestFaultsNameVirtualHostAndRoute(t *testing.T) {
	for _, tc := range faultCases {
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
