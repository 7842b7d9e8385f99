package route_test

import (
	"strings"
	"testing"

	"github.com/meshstorm/meshstorm/route"
)

const (
	headerInput = `{name: h, typed_config: {"@type": type.googleapis.com/envoy.type.matcher.v3.HttpRequestHeaderMatchInput, header_name: "%"}}`
	queryInput  = `{name: q, typed_config: {"@type": type.googleapis.com/envoy.type.matcher.v3.HttpRequestQueryParamMatchInput, query_param: "%"}}`
	celInput    = `{name: cel, typed_config: {"@type": type.googleapis.com/xds.type.matcher.v3.HttpAttributesCelMatchInput}}`
)

func header(name string) string { return strings.ReplaceAll(headerInput, "%", name) }

// to is an action that leads to one route with the given match.
func to(cluster, match string) string {
	return `action: {name: r, typed_config: {"@type": type.googleapis.com/envoy.config.route.v3.Route, match: ` + match + `, route: {cluster: ` + cluster + `}}}`
}

func everything(cluster string) string { return to(cluster, `{prefix: /}`) }

func single(input, match string) string {
	return `{single_predicate: {input: ` + input + `, value_match: ` + match + `}}`
}

func TestMatchTrees(t *testing.T) {
	list := `{matcher_list: {matchers: [` +
		`{predicate: ` + single(header(":path"), `{prefix: /a}`) + `, on_match: {` + everything("a") + `}}, ` +
		`{predicate: {and_matcher: {predicate: [` + single(header("x"), `{exact: "1"}`) + `, {not_matcher: ` + single(header(":method"), `{exact: POST}`) + `}]}}, on_match: {` + everything("b") + `}}, ` +
		`{predicate: {or_matcher: {predicate: [` + single(header("z"), `{suffix: "9", ignore_case: true}`) + `, ` + single(strings.ReplaceAll(queryInput, "%", "q"), `{exact: "a b"}`) + `]}}, on_match: {` + everything("c") + `}}` +
		`]}, on_no_match: {` + everything("none") + `}}`
	tree := func(kind string) string {
		return `{matcher_tree: {input: ` + header("x") + `, ` + kind + `: {map: {` +
			`"a": {` + everything("a") + `}, "ab": {` + to("ab", `{path: /ab}`) + `}, ` +
			`"abc": {matcher: {matcher_list: {matchers: [{predicate: ` + single(header("z"), `{contains: "1"}`) + `, on_match: {` + everything("nested") + `}}]}}}` +
			`, "abcd": {keep_matching: true, ` + everything("kept") + `}}}}, on_no_match: {` + everything("none") + `}}`
	}
	routes := `{matcher_tree: {input: ` + header(":authority") + `, exact_match_map: {map: {"shop.example": {action: {name: l, typed_config: {"@type": type.googleapis.com/envoy.config.route.v3.RouteList, routes: [` +
		`{match: {path: /a}, route: {cluster: a}}, {match: {prefix: /}, route: {cluster: rest}}]}}}}}}}`
	exact, prefix := tree("exact_match_map"), tree("prefix_match_map")
	for _, tc := range []struct{ name, matcher, request, want string }{
		{"the first entry whose predicate holds", list, "GET /ab?q=a%20b", "a"},
		{"and with not", list, "GET / | x: 1", "b"},
		{"and with not that fails", list, "POST / | x: 1", "none"},
		{"or by header", list, "GET / | z: 19", "c"},
		{"or by decoded query parameter", list, "GET /?q=a%20b", "c"},
		{"a header that is missing", list, "GET /", "none"},
		{"an exact key", exact, "GET / | x: a", "a"},
		{"a route behind an exact key that does not take the request", exact, "GET / | x: ab", ""},
		{"a route behind an exact key that takes it", exact, "GET /ab | x: ab", "ab"},
		{"no such key", exact, "GET / | x: b", "none"},
		{"a key for a header that is missing", exact, "GET /", "none"},
		{"a nested matcher", exact, "GET / | x: abc | z: 1", "nested"},
		{"a nested matcher that matches nothing", exact, "GET / | x: abc | z: 2", "none"},
		{"keep_matching goes on", exact, "GET / | x: abcd", "none"},
		{"the longest prefix", prefix, "GET /ab | x: abx", "ab"},
		{"a shorter prefix", prefix, "GET / | x: ax", "a"},
		{"a prefix whose nested matcher matches nothing", prefix, "GET /ab | x: abc | z: 2", "ab"},
		{"keep_matching goes on with shorter prefixes", prefix, "GET / | x: abcd | z: 1", "nested"},
		{"a list of routes, first", routes, "GET /a", "a"},
		{"a list of routes, second", routes, "GET /b", "rest"},
		{"no routes at all", routes, "GET / | :authority: other.example", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c := compile(t, `{virtual_hosts: [{name: shop, domains: ['*'], matcher: `+tc.matcher+`}]}`)
			d, verdicts := c.Explain(request(t, tc.request))
			if d.Cluster != tc.want || d.Unsupported != "" {
				t.Errorf("goes to %q, not %q (%s)", d.Cluster, tc.want, d.Unsupported)
			}
			if len(verdicts) != len(d.VirtualHost.Routes) || len(verdicts) == 0 {
				t.Errorf("%d verdicts for %d routes", len(verdicts), len(d.VirtualHost.Routes))
			}
			for _, v := range verdicts {
				if v.Matched != (v.Route == d.Route) && tc.matcher != routes {
					t.Errorf("route %d: %+v", v.Route.Index, v)
				}
			}
		})
	}
}

func TestMatchTreesSayWhatTheyCannotEvaluate(t *testing.T) {
	custom := `{single_predicate: {input: ` + header("x") + `, custom_match: {name: ip, typed_config: {"@type": type.googleapis.com/google.protobuf.Empty}}}}`
	never := single(header("none"), `{exact: "1"}`)
	entry := func(p string) string {
		return `{matcher_list: {matchers: [{predicate: ` + p + `, on_match: {` + everything("a") + `}}]}}`
	}
	for matcher, want := range map[string]string{
		entry(custom): "unsupported: Matcher.SinglePredicate.custom_match (ip)",
		entry(`{and_matcher: {predicate: [` + custom + `, ` + never + `]}}`):                                                                           "",
		entry(`{or_matcher: {predicate: [` + custom + `, ` + never + `]}}`):                                                                            "unsupported: Matcher.SinglePredicate.custom_match (ip)",
		entry(`{not_matcher: ` + custom + `}`):                                                                                                         "unsupported: Matcher.SinglePredicate.custom_match (ip)",
		entry(single(celInput, `{exact: a}`)):                                                                                                          "unsupported: Matcher input (cel)",
		`{matcher_tree: {input: ` + celInput + `, exact_match_map: {map: {a: {` + everything("a") + `}}}}}`:                                            "unsupported: Matcher input (cel)",
		`{matcher_tree: {input: ` + header("x") + `, custom_match: {name: trie, typed_config: {"@type": type.googleapis.com/google.protobuf.Empty}}}}`: "unsupported: Matcher.MatcherTree.custom_match (trie)",
		entry(single(header("x"), `{custom: {name: lua, typed_config: {"@type": type.googleapis.com/google.protobuf.Empty}}}`)):                        "unsupported: StringMatcher.custom (lua)",
	} {
		c := compile(t, `{virtual_hosts: [{name: shop, domains: ['*'], matcher: `+matcher+`}]}`)
		d, verdicts := c.Explain(request(t, "GET / | x: 1"))
		if d.Unsupported != want || d.Route != nil {
			t.Errorf("%s\nunsupported %q, not %q", matcher, d.Unsupported, want)
		}
		for _, v := range verdicts {
			if v.Unsupported != want {
				t.Errorf("verdict %+v", v)
			}
		}
	}
}

func TestMatchTreesThatEnvoyRefuses(t *testing.T) {
	for text, want := range map[string]string{
		`routes: [{match: {prefix: /}, route: {cluster: a}}], matcher: {on_no_match: {` + everything("a") + `}}`:                                                             `virtual host "shop": routes and matcher are both set`,
		`matcher: {on_no_match: {action: {name: x, typed_config: {"@type": type.googleapis.com/google.protobuf.Empty}}}}`:                                                    `leads to envoy.config.route.v3.Route or RouteList`,
		`matcher: {on_no_match: {` + to("a", `{safe_regex: {regex: "("}}`) + `}}`:                                                                                            `virtual host "shop", route 0: regular expression "("`,
		`matcher: {on_no_match: {` + to("a", `{}`) + `}}`:                                                                                                                    `virtual host "shop", route 0: match.path_specifier is missing`,
		`matcher: {matcher_list: {matchers: [{predicate: ` + single(header("x"), `{safe_regex: {google_re2: {}, regex: "["}}`) + `, on_match: {` + everything("a") + `}}]}}`: `matcher: regular expression "["`,
	} {
		_, err := route.Compile(parse(t, `{virtual_hosts: [{name: shop, domains: ['*'], `+text+`}]}`))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s\ngives %v, not %s", text, err, want)
		}
	}
}
