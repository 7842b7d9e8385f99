package route_test

import "testing"

func templateMatch(template string) string {
	return `match: {path_match_policy: {name: t, typed_config: {"@type": type.googleapis.com/envoy.extensions.path.match.uri_template.v3.UriTemplateMatchConfig, path_template: "` + template + `"}}}, `
}

func templateRewrite(template string) string {
	return `route: {cluster: a, path_rewrite_policy: {name: w, typed_config: {"@type": type.googleapis.com/envoy.extensions.path.rewrite.uri_template.v3.UriTemplateRewriteConfig, path_template_rewrite: "` + template + `"}}}`
}

func TestPathRewrites(t *testing.T) {
	regex := func(pattern, substitution string) string {
		return `match: {prefix: /}, route: {cluster: a, regex_rewrite: {pattern: {google_re2: {}, regex: '` + pattern + `'}, substitution: '` + substitution + `'}}`
	}
	runEffectCases(t, []effectCase{
		{
			name: "no rewrite keeps the path and the query", doc: "RouteAction.prefix_rewrite", route: `match: {prefix: /}, route: {cluster: a}`,
			request: "GET /a/b?x=1", want: []string{"path /a/b?x=1", "authority shop.example"}, lacks: []string{"upstream x-envoy-original-path"},
		},
		{
			name: "prefix_rewrite replaces the matched prefix", doc: "RouteAction.prefix_rewrite", route: `match: {prefix: /prefix/}, route: {cluster: a, prefix_rewrite: /}`,
			request: "GET /prefix/etc?x=/prefix/", want: []string{"path /etc?x=/prefix/", "upstream x-envoy-original-path: /prefix/etc?x=/prefix/"},
		},
		{
			name: "prefix_rewrite leaves double slashes as they come", doc: "RouteAction.prefix_rewrite (trailing slashes)", route: `match: {prefix: /prefix}, route: {cluster: a, prefix_rewrite: /}`,
			request: "GET /prefix/etc", want: []string{"path //etc"},
		},
		{
			name: "prefix_rewrite replaces as much as was matched in any case", doc: "RouteMatch.case_sensitive", route: `match: {prefix: /Prefix, case_sensitive: false}, route: {cluster: a, prefix_rewrite: /x}`,
			request: "GET /PREFIX/1", want: []string{"path /x/1"},
		},
		{
			name: "prefix_rewrite replaces a whole path", doc: "RouteAction.prefix_rewrite (or path)", route: `match: {path: /old}, route: {cluster: a, prefix_rewrite: /new}`,
			request: "GET /old?x=1", want: []string{"path /new?x=1"},
		},
		{
			name: "prefix_rewrite replaces a separated prefix", doc: "RouteMatch.path_separated_prefix", route: `match: {path_separated_prefix: /api}, route: {cluster: a, prefix_rewrite: /v1}`,
			request: "GET /api/x?y", want: []string{"path /v1/x?y"},
		},
		{
			name: "prefix_rewrite replaces the whole path that a regular expression matched", doc: "RouteMatch.safe_regex; the entire path is the match", route: `match: {safe_regex: {regex: "/a/.*"}}, route: {cluster: a, prefix_rewrite: /new}`,
			request: "GET /a/b/c?x=1", want: []string{"path /new?x=1"},
		},
		{
			name: "prefix_rewrite of a template is not documented", doc: "RouteAction.prefix_rewrite", route: templateMatch("/{a}") + `route: {cluster: a, prefix_rewrite: /new}`,
			request: "GET /x", want: []string{"path /x", "says unsupported: RouteAction.prefix_rewrite of a route with path_match_policy"},
		},
		{
			name: "regex_rewrite moves groups", doc: "RouteAction.regex_rewrite, first example", route: regex(`^/service/([^/]+)(/.*)$`, `\2/instance/\1`),
			request: "GET /service/foo/v1/api?x=/service/", want: []string{"path /v1/api/instance/foo?x=/service/", "upstream x-envoy-original-path: /service/foo/v1/api?x=/service/"},
		},
		{
			name: "regex_rewrite replaces every match", doc: "RouteAction.regex_rewrite, second example", route: regex(`one`, `two`),
			request: "GET /xxx/one/yyy/one/zzz", want: []string{"path /xxx/two/yyy/two/zzz"},
		},
		{
			name: "regex_rewrite replaces the first match only", doc: "RouteAction.regex_rewrite, third example", route: regex(`^(.*?)one(.*)$`, `\1two\2`),
			request: "GET /xxx/one/yyy/one/zzz", want: []string{"path /xxx/two/yyy/one/zzz"},
		},
		{
			name: "regex_rewrite may ignore case", doc: "RouteAction.regex_rewrite, fourth example", route: regex(`(?i)/xxx/`, `/yyy/`),
			request: "GET /aaa/XxX/bbb", want: []string{"path /aaa/yyy/bbb"},
		},
		{
			name: "regex_rewrite knows the whole match and backslashes", doc: "RegexMatchAndSubstitute.substitution; RE2's Rewrite", route: regex(`b`, `\0\\x`),
			request: "GET /abc", want: []string{`path /ab\xc`},
		},
		{
			name: "a group that the pattern lacks replaces nothing", doc: "RegexMatchAndSubstitute.substitution; RE2's GlobalReplace", route: regex(`b`, `\1`),
			request: "GET /abc", want: []string{"path /abc", "says unsupported: RegexMatchAndSubstitute.substitution..."},
		},
		{
			name: "variables of a template change places", doc: "UriTemplateRewriteConfig, first example", route: templateMatch("/{one}/{two}") + templateRewrite("/{two}/{one}"),
			request: "GET /cat/dog?x=1", want: []string{"path /dog/cat?x=1", "upstream x-envoy-original-path: /cat/dog?x=1"},
		},
		{
			name: "a variable of several segments", doc: "UriTemplateRewriteConfig, second example", route: templateMatch("/videos/{language=lang/*}/*") + templateRewrite("/{language}"),
			request: "GET /videos/lang/en/video.m4s", want: []string{"path /lang/en"},
		},
		{
			name: "literal text between variables", doc: "UriTemplateRewriteConfig, third example", route: templateMatch("/content/{format}/{lang}/{id}/{file}.vtt") + templateRewrite("/{lang}/{format}/{file}.vtt"),
			request: "GET /content/hls/en-us/12345/en_193913.vtt", want: []string{"path /en-us/hls/en_193913.vtt"},
		},
		{
			name: "a rewrite by another extension", doc: "RouteAction.path_rewrite_policy", route: `match: {prefix: /}, route: {cluster: a, path_rewrite_policy: {name: own.rewrite, typed_config: {"@type": type.googleapis.com/google.protobuf.Empty}}}`,
			want: []string{"path /", "says unsupported: RouteAction.path_rewrite_policy (own.rewrite)"},
		},
		{
			name: "path_rewrite takes the value of a header", doc: "RouteAction.path_rewrite, example", route: `match: {prefix: /}, route: {cluster: a, path_rewrite: "/new_path_prefix%REQ(custom-path-header-name)%"}`,
			request: "GET /old?x=1 | custom-path-header-name: some_value", want: []string{"path /new_path_prefixsome_value?x=1", "upstream x-envoy-original-path: /old?x=1"},
		},
		{
			name: "path_rewrite without the header", doc: "RouteAction.path_rewrite, example", route: `match: {prefix: /}, route: {cluster: a, path_rewrite: "/new_path_prefix%REQ(custom-path-header-name)%"}`,
			want: []string{"path /new_path_prefix"},
		},
		{
			name: "path_rewrite that comes out empty is ignored", doc: "RouteAction.path_rewrite", route: `match: {prefix: /}, route: {cluster: a, path_rewrite: "%REQ(x)%"}`,
			request: "GET /old", want: []string{"path /old"}, lacks: []string{"upstream x-envoy-original-path"},
		},
		{
			name: "a CONNECT request has no path to rewrite", doc: "RouteMatch.connect_matcher", route: `match: {connect_matcher: {}}, route: {cluster: a, prefix_rewrite: /x}`,
			request: "CONNECT ", want: []string{"authority shop.example"}, lacks: []string{"path"},
		},
	})
}

func TestHostRewrites(t *testing.T) {
	with := func(field string) string { return `match: {prefix: /}, route: {cluster: a, ` + field + `}` }
	runEffectCases(t, []effectCase{
		{
			name: "host_rewrite_literal", doc: "RouteAction.host_rewrite_literal", route: with(`host_rewrite_literal: new.example`),
			want: []string{"authority new.example", "upstream x-envoy-original-host: shop.example"}, lacks: []string{"upstream x-forwarded-host"},
		},
		{
			name: "append_x_forwarded_host", doc: "RouteAction.append_x_forwarded_host", route: with(`host_rewrite_literal: new.example, append_x_forwarded_host: true`),
			request: "GET / | x-forwarded-host: first.example", want: []string{"authority new.example", "upstream x-forwarded-host: first.example,shop.example"},
		},
		{
			name: "append_x_forwarded_host adds no value twice", doc: "RouteAction.append_x_forwarded_host", route: with(`host_rewrite_literal: new.example, append_x_forwarded_host: true`),
			request: "GET / | x-forwarded-host: a.example,shop.example", want: []string{"upstream x-forwarded-host: a.example,shop.example"},
		},
		{
			name: "append_x_forwarded_host without a rewrite does nothing", doc: "RouteAction.append_x_forwarded_host", route: with(`append_x_forwarded_host: true`),
			lacks: []string{"upstream x-forwarded-host"},
		},
		{
			name: "host_rewrite_header takes the first value", doc: "RouteAction.host_rewrite_header", route: with(`host_rewrite_header: X-Host`),
			request: "GET / | x-host: one.example | x-host: two.example", want: []string{"authority one.example"},
		},
		{
			name: "host_rewrite_header sees custom headers", doc: "RouteAction.host_rewrite_header", route: with(`host_rewrite_header: x-host`) + `, request_headers_to_add: [{header: {key: x-host, value: custom.example}}]`,
			want: []string{"authority custom.example"},
		},
		{
			name: "host_rewrite_header that is missing leaves the host", doc: "RouteAction.host_rewrite_header", route: with(`host_rewrite_header: x-host`),
			want: []string{"authority shop.example"}, lacks: []string{"upstream x-envoy-original-host"},
		},
		{
			name: "host_rewrite_path_regex takes the path without the query", doc: "RouteAction.host_rewrite_path_regex", route: with(`host_rewrite_path_regex: {pattern: {regex: "^/(.+)/.+$"}, substitution: \1}`),
			request: "GET /envoyproxy.io/some-path?x=/y/z", want: []string{"authority envoyproxy.io", "path /envoyproxy.io/some-path?x=/y/z"},
		},
		{
			name: "host_rewrite_path_regex sees the path before it is rewritten", doc: "RouteAction.host_rewrite_path_regex", route: `match: {prefix: /}, route: {cluster: a, prefix_rewrite: /new/, host_rewrite_path_regex: {pattern: {regex: "^/([^/]+).*$"}, substitution: \1}}`,
			request: "GET /first/x", want: []string{"authority first", "path /new/first/x"},
		},
		{
			name: "host_rewrite takes the value of a header", doc: "RouteAction.host_rewrite, example", route: with(`host_rewrite: "prefix-%REQ(custom-host-header-name)%"`),
			request: "GET / | custom-host-header-name: some_value", want: []string{"authority prefix-some_value"},
		},
		{
			name: "host_rewrite that comes out empty is ignored", doc: "RouteAction.host_rewrite", route: with(`host_rewrite: "%REQ(x)%"`),
			want: []string{"authority shop.example"},
		},
		{
			name: "auto_host_rewrite", doc: "RouteAction.auto_host_rewrite", route: with(`auto_host_rewrite: true`),
			want: []string{"authority shop.example", "says unsupported: RouteAction.auto_host_rewrite..."},
		},
		{
			name: "auto_host_rewrite that is off", doc: "RouteAction.auto_host_rewrite", route: with(`auto_host_rewrite: false`),
			lacks: []string{"says"},
		},
		{
			name: "a weighted cluster rewrites the host", doc: "WeightedCluster.ClusterWeight.host_rewrite_literal", route: `match: {prefix: /}, route: {weighted_clusters: {clusters: [{name: a, weight: 1}, {name: b, weight: 1, host_rewrite_literal: b.example}]}}`,
			request: "GET / | !random: 1", want: []string{"authority b.example"},
		},
		{
			name: "another weighted cluster does not", doc: "WeightedCluster.ClusterWeight.host_rewrite_literal", route: `match: {prefix: /}, route: {weighted_clusters: {clusters: [{name: a, weight: 1}, {name: b, weight: 1, host_rewrite_literal: b.example}]}}`,
			request: "GET / | !random: 0", want: []string{"authority shop.example"},
		},
	})
}
