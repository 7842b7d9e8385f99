package route_test

import (
	"testing"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	uritemplatev3 "github.com/envoyproxy/go-control-plane/envoy/extensions/path/match/uri_template/v3"
	"google.golang.org/protobuf/types/known/anypb"
)

func TestPaths(t *testing.T) {
	runMatchCases(t, []matchCase{
		{
			name: "a prefix takes every path that begins with it", doc: "RouteMatch.prefix",
			match: `{prefix: /orders}`,
			takes: []string{"GET /orders", "GET /orders/1", "POST /ordersX", "GET /orders?id=1"},
			leaves: map[string]string{
				"GET /order":    `path "/order" does not start with "/orders"`,
				"GET /Orders":   `path "/Orders" does not start with "/orders"`,
				"GET /?/orders": `path "/" does not start with "/orders"`,
			},
		},
		{
			name: "an empty prefix takes everything", doc: "RouteMatch.prefix",
			match: `{prefix: ""}`, takes: []string{"GET /", "GET /a?b", "OPTIONS *"},
		},
		{
			name: "a prefix is compared without the query", doc: "RouteMatch.prefix; docs: configuration/http/http_conn_man/route_matching",
			match:  `{prefix: "/a?b"}`,
			leaves: map[string]string{"GET /a?b": `path "/a" does not start with "/a?b"`},
		},
		{
			name: "a path that is not given is /", doc: "RouteMatch.prefix",
			match: `{path: /}`, takes: []string{"GET ", "GET /?x"},
		},
		{
			name: "a path is the whole path without query and fragment", doc: "RouteMatch.path",
			match: `{path: /orders}`,
			takes: []string{"GET /orders", "GET /orders?x=/y", "GET /orders#top", "GET /orders?"},
			leaves: map[string]string{
				"GET /orders/": `path "/orders/" is not "/orders"`,
				"GET /order":   `path "/order" is not "/orders"`,
				"GET /ORDERS":  `path "/ORDERS" is not "/orders"`,
			},
		},
	})
}

func TestPathsInAnyCase(t *testing.T) {
	runMatchCases(t, []matchCase{
		{
			name: "case_sensitive false is for path", doc: "RouteMatch.case_sensitive",
			match: `{path: /Orders, case_sensitive: false}`,
			takes: []string{"GET /oRDERS", "GET /orders?x"}, leaves: map[string]string{"GET /order": `path "/order" is not "/orders" in any case`},
		},
		{
			name: "case_sensitive false is for prefix", doc: "RouteMatch.case_sensitive",
			match: `{prefix: /Orders, case_sensitive: false}`,
			takes: []string{"GET /oRDERS/1"}, leaves: map[string]string{"GET /order": `path "/order" does not start with "/orders" in any case`},
		},
		{
			name: "case_sensitive false is for path_separated_prefix", doc: "RouteMatch.case_sensitive",
			match: `{path_separated_prefix: /Orders, case_sensitive: false}`,
			takes: []string{"GET /oRDERS/1"}, leaves: map[string]string{"GET /ORDERSX": `path "/ORDERSX" is neither "/orders" nor below it in any case`},
		},
		{
			name: "case_sensitive is ignored for safe_regex", doc: "RouteMatch.case_sensitive",
			match: `{safe_regex: {regex: "/a.c"}, case_sensitive: false}`,
			takes: []string{"GET /abc"}, leaves: map[string]string{"GET /ABC": `path "/ABC" does not match "/a.c"`},
		},
		{
			name: "a path-separated prefix ends at a slash", doc: "RouteMatch.path_separated_prefix",
			match: `{path_separated_prefix: /api/dev}`,
			takes: []string{"GET /api/dev", "GET /api/dev/", "GET /api/dev/v1", "GET /api/dev?param=true"},
			leaves: map[string]string{
				"GET /api/developer": `path "/api/developer" is neither "/api/dev" nor below it`,
				"GET /api":           `path "/api" is neither "/api/dev" nor below it`,
			},
		},
	})
}

func TestPathsByRegularExpression(t *testing.T) {
	runMatchCases(t, []matchCase{
		{
			name: "a regular expression takes the whole path without the query", doc: "RouteMatch.safe_regex",
			match: `{safe_regex: {google_re2: {}, regex: "/b[io]t"}}`,
			takes: []string{"GET /bit", "GET /bot", "GET /bit?x"},
			leaves: map[string]string{
				"GET /bite":    `path "/bite" does not match "/b[io]t"`,
				"GET /bit/bot": `path "/bit/bot" does not match "/b[io]t"`,
			},
		},
		{
			name: "alternatives in a regular expression are whole paths", doc: "RegexMatcher.regex",
			match: `{safe_regex: {regex: "/a|/b"}}`, takes: []string{"GET /a", "GET /b"},
			leaves: map[string]string{"GET /ab": `path "/ab" does not match "/a|/b"`},
		},
		{
			name: "anchors in a regular expression say nothing new", doc: "RegexMatcher.regex",
			match: `{safe_regex: {regex: "^/items/.*$"}}`, takes: []string{"GET /items/", "GET /items/1/2"},
			leaves: map[string]string{"GET /items": `path "/items" does not match "^/items/.*$"`},
		},
		{
			name: "an anchor in the middle of a regular expression never holds", doc: "RegexMatcher.regex",
			match: `{safe_regex: {regex: "/a^b"}}`, leaves: map[string]string{"GET /ab": `path "/ab" does not match "/a^b"`},
		},
		{
			name: "a regular expression may ignore case by itself", doc: "RegexMatcher.regex; RE2 syntax",
			match: `{safe_regex: {regex: "(?i)/a.*"}}`, takes: []string{"GET /A", "GET /ab"},
			leaves: map[string]string{"GET /b": `path "/b" does not match "(?i)/a.*"`},
		},
	})
}

func TestPathParametersAndConnect(t *testing.T) {
	runMatchCases(t, []matchCase{
		{
			name: "path parameters belong to the path", doc: "RouteConfiguration.ignore_path_parameters_in_path_matching",
			match: `{path: /a}`, leaves: map[string]string{"GET /a;v=1": `path "/a;v=1" is not "/a"`},
		},
		{
			name: "path parameters can be left out of the comparison", doc: "RouteConfiguration.ignore_path_parameters_in_path_matching",
			config: "ignore_path_parameters_in_path_matching: true,",
			match:  `{path: /a}`, takes: []string{"GET /a;v=1", "GET /a;v=1?q", "GET /a?q;x"},
		},
		{
			name: "a connect_matcher takes CONNECT only", doc: "RouteMatch.connect_matcher",
			match: `{connect_matcher: {}}`,
			takes: []string{"CONNECT ", "CONNECT /", "GET /masque | upgrade: connect-udp"},
			leaves: map[string]string{
				"GET /":                      `method is GET, not CONNECT`,
				"GET / | upgrade: websocket": `method is GET, not CONNECT`,
			},
		},
		{
			name: "a CONNECT request without a path is not for other matchers", doc: "RouteMatch.connect_matcher",
			match: `{prefix: /}`, takes: []string{"CONNECT /chat"},
			leaves: map[string]string{"CONNECT ": `a CONNECT request without a path is only taken by a connect_matcher`},
		},
	})
}

func TestPathTemplates(t *testing.T) {
	policy := func(template string) string {
		return `{path_match_policy: {name: t, typed_config: {"@type": type.googleapis.com/envoy.extensions.path.match.uri_template.v3.UriTemplateMatchConfig, path_template: "` + template + `"}}}`
	}
	doc := "envoy.extensions.path.match.uri_template.v3.UriTemplateMatchConfig"
	why := func(path, template string) string {
		return `path "` + path + `" does not match the template "` + template + `"`
	}
	runMatchCases(t, []matchCase{
		{
			name: "* takes one segment", doc: doc, match: policy("/videos/*/*/*.m4s"),
			takes: []string{"GET /videos/123414/hls/1080p5000_00001.m4s", "GET /videos/a/b/c.m4s?x=1"},
			leaves: map[string]string{
				"GET /videos/a/b.m4s":     why("/videos/a/b.m4s", "/videos/*/*/*.m4s"),
				"GET /videos/a/b/c/d.m4s": why("/videos/a/b/c/d.m4s", "/videos/*/*/*.m4s"),
				"GET /videos/a/b/.m4s":    why("/videos/a/b/.m4s", "/videos/*/*/*.m4s"),
			},
		},
		{
			name: "a variable takes one segment", doc: doc, match: policy("/videos/{file}"),
			takes:  []string{"GET /videos/1080p5000_00001.m4s"},
			leaves: map[string]string{"GET /videos/": why("/videos/", "/videos/{file}"), "GET /videos/a/b": why("/videos/a/b", "/videos/{file}")},
		},
		{
			name: "** takes any number of segments", doc: doc, match: policy("/**.mpd"),
			takes:  []string{"GET /content/123/india/dash/55/manifest.mpd", "GET /.mpd"},
			leaves: map[string]string{"GET /a/b.mp4": why("/a/b.mp4", "/**.mpd")},
		},
		{
			name: "a variable may have a pattern of several segments", doc: doc, match: policy("/{name=videos/*}/{rest=**}"),
			takes: []string{"GET /videos/a/", "GET /videos/a/b/c"}, leaves: map[string]string{"GET /videos/a": why("/videos/a", "/{name=videos/*}/{rest=**}")},
		},
		{
			name: "literal text may surround a variable", doc: doc, match: policy("/api/v{version}/users/{id}.json"),
			takes: []string{"GET /api/v2/users/456.json"}, leaves: map[string]string{"GET /api/v/users/1.json": why("/api/v/users/1.json", "/api/v{version}/users/{id}.json")},
		},
		{
			name: "a trailing slash counts", doc: doc, match: policy("/a/*/"),
			takes: []string{"GET /a/b/"}, leaves: map[string]string{"GET /a/b": why("/a/b", "/a/*/")},
		},
		{
			name: "literal text may follow **", doc: doc, match: policy("/{p=**}/end.txt"),
			takes: []string{"GET /x/y/end.txt"}, leaves: map[string]string{"GET /x/end.md": why("/x/end.md", "/{p=**}/end.txt")},
		},
		{
			name: "dots of a template are dots", doc: doc, match: policy("/a.b"),
			takes: []string{"GET /a.b"}, leaves: map[string]string{"GET /axb": why("/axb", "/a.b")},
		},
	})
}

// templateConfig has one route, for a path template.
func templateConfig(t testing.TB, text string) *routev3.RouteConfiguration {
	t.Helper()
	config, err := anypb.New(&uritemplatev3.UriTemplateMatchConfig{PathTemplate: text})
	if err != nil {
		t.Skip(err) // text that is no UTF-8 cannot come in a message
	}
	return &routev3.RouteConfiguration{VirtualHosts: []*routev3.VirtualHost{{
		Name: "shop", Domains: []string{"*"},
		Routes: []*routev3.Route{{
			Match: &routev3.RouteMatch{PathSpecifier: &routev3.RouteMatch_PathMatchPolicy{
				PathMatchPolicy: &corev3.TypedExtensionConfig{Name: "template", TypedConfig: config},
			}},
			Action: &routev3.Route_Route{Route: &routev3.RouteAction{ClusterSpecifier: &routev3.RouteAction_Cluster{Cluster: "here"}}},
		}},
	}}}
}
