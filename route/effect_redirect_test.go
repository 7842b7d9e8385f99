package route_test

import (
	"testing"

	"github.com/meshstorm/meshstorm/route"
)

func TestRedirects(t *testing.T) {
	with := func(fields string) string { return `match: {prefix: /}, redirect: {` + fields + `}` }
	runEffectCases(t, []effectCase{
		{
			name: "https_redirect keeps host, path and query", doc: "RedirectAction.https_redirect", route: with(`https_redirect: true`),
			request: "GET /a?b=c", want: []string{"redirect 301 https://shop.example/a?b=c", "client location: https://shop.example/a?b=c"}, lacks: []string{"path", "authority"},
		},
		{
			name: "a change of scheme drops the old scheme's port", doc: "RedirectAction.scheme_rewrite_specifier, 1", route: with(`https_redirect: true`),
			request: "GET / | :authority: shop.example:80", want: []string{"redirect 301 https://shop.example/"},
		},
		{
			name: "a change of scheme keeps any other port", doc: "RedirectAction.scheme_rewrite_specifier", route: with(`https_redirect: true`),
			request: "GET / | :authority: shop.example:8080", want: []string{"redirect 301 https://shop.example:8080/"},
		},
		{
			name: "from https to http the port 443 goes", doc: "RedirectAction.scheme_rewrite_specifier, 2", route: with(`scheme_redirect: http`),
			request: "GET / | :authority: shop.example:443 | :scheme: https | !tls", want: []string{"redirect 301 http://shop.example/"},
		},
		{
			name: "without a change of scheme the port stays", doc: "RedirectAction.scheme_rewrite_specifier", route: with(`https_redirect: true, path_redirect: /x`),
			request: "GET / | :authority: shop.example:443 | :scheme: https | !tls", want: []string{"redirect 301 https://shop.example:443/x"},
		},
		{
			name: "an address in brackets loses its port", doc: "RedirectAction.scheme_rewrite_specifier", route: with(`https_redirect: true`),
			request: "GET / | :authority: [::1]:80", want: []string{"redirect 301 https://[::1]/"},
		},
		{
			name: "an address in brackets without a port", doc: "RedirectAction.port_redirect", route: with(`port_redirect: 8080`),
			request: "GET / | :authority: [::1]", want: []string{"redirect 301 http://[::1]:8080/"},
		},
		{
			name: "host_redirect", doc: "RedirectAction.host_redirect", route: with(`host_redirect: new.example`),
			request: "GET /a?b | :authority: shop.example:80", want: []string{"redirect 301 http://new.example/a?b"},
		},
		{
			name: "port_redirect takes the place of a port", doc: "RedirectAction.port_redirect", route: with(`port_redirect: 8443`),
			request: "GET / | :authority: shop.example:8080", want: []string{"redirect 301 http://shop.example:8443/"},
		},
		{
			name: "path_redirect keeps the query", doc: "RedirectAction.path_redirect, 1", route: with(`path_redirect: /new-path-1`),
			request: "GET /old-path-1?bar=1", want: []string{"redirect 301 http://shop.example/new-path-1?bar=1"},
		},
		{
			name: "path_redirect with strip_query", doc: "RedirectAction.path_redirect, 2", route: with(`path_redirect: /new-path-2, strip_query: true`),
			request: "GET /old-path-2?bar=1", want: []string{"redirect 301 http://shop.example/new-path-2"},
		},
		{
			name: "path_redirect with its own query", doc: "RedirectAction.path_redirect, 3", route: with(`path_redirect: "/new-path-3?foo=1", strip_query: true`),
			request: "GET /old-path-3?bar=1", want: []string{"redirect 301 http://shop.example/new-path-3?foo=1"},
		},
		{
			name: "a path_redirect without a slash gets one", doc: "RedirectAction.path_redirect", route: with(`path_redirect: new`),
			want: []string{"redirect 301 http://shop.example/new"},
		},
		{
			name: "prefix_rewrite of a redirect keeps the rest", doc: "RedirectAction.prefix_rewrite", route: `match: {prefix: /old}, redirect: {prefix_rewrite: /new}`,
			request: "GET /old/a?b", want: []string{"redirect 301 http://shop.example/new/a?b"},
		},
		{
			name: "prefix_rewrite of a redirect for a regular expression", doc: "RedirectAction.prefix_rewrite", route: `match: {safe_regex: {regex: "/o.*"}}, redirect: {prefix_rewrite: /new}`,
			request: "GET /old/a?b", want: []string{"redirect 301 http://shop.example/new?b"},
		},
		{
			name: "prefix_rewrite of a redirect for a template is not documented", doc: "RedirectAction.prefix_rewrite", route: templateMatch("/{a}") + `redirect: {prefix_rewrite: /new}`,
			request: "GET /old", want: []string{"redirect 301 http://shop.example/old", "says unsupported: RedirectAction.prefix_rewrite..."},
		},
		{
			name: "regex_rewrite of a redirect", doc: "RedirectAction.regex_rewrite, first example", route: `match: {prefix: /service}, redirect: {regex_rewrite: {pattern: {regex: "^/service/([^/]+)(/.*)$"}, substitution: '\2/instance/\1'}}`,
			request: "GET /service/foo/v1/api?x=1", want: []string{"redirect 301 http://shop.example/v1/api/instance/foo?x=1"},
		},
		{
			name: "regex_rewrite of a redirect with strip_query", doc: "RedirectAction.strip_query", route: `match: {prefix: /}, redirect: {strip_query: true, regex_rewrite: {pattern: {regex: "a"}, substitution: b}}`,
			request: "GET /a?a", want: []string{"redirect 301 http://shop.example/b"},
		},
		{
			name: "path_rewrite of a redirect", doc: "RedirectAction.path_rewrite, example", route: with(`path_rewrite: "/new/%REQ(x-version)%"`),
			request: "GET /old | x-version: v2", want: []string{"redirect 301 http://shop.example/new/v2"},
		},
		{
			name: "path_rewrite of a redirect that comes out empty", doc: "RedirectAction.path_rewrite", route: with(`path_rewrite: "%REQ(x-version)%"`),
			request: "GET /old?a", want: []string{"redirect 301 http://shop.example/old?a"},
		},
		{name: "code 301", doc: "RedirectAction.response_code", route: with(`response_code: MOVED_PERMANENTLY`), want: []string{"redirect 301 http://shop.example/"}},
		{name: "code 302", doc: "RedirectAction.response_code", route: with(`response_code: FOUND`), want: []string{"redirect 302 http://shop.example/"}},
		{name: "code 303", doc: "RedirectAction.response_code", route: with(`response_code: SEE_OTHER`), want: []string{"redirect 303 http://shop.example/"}},
		{name: "code 307", doc: "RedirectAction.response_code", route: with(`response_code: TEMPORARY_REDIRECT`), want: []string{"redirect 307 http://shop.example/"}},
		{name: "code 308", doc: "RedirectAction.response_code", route: with(`response_code: PERMANENT_REDIRECT`), want: []string{"redirect 308 http://shop.example/"}},
		{
			name: "require_tls redirects to the same URL", doc: "VirtualHost.require_tls", host: `require_tls: ALL, response_headers_to_add: [{header: {key: x, value: v}}], `, route: `match: {prefix: /}, route: {cluster: a}`,
			request: "GET /a?b | :authority: shop.example:80", want: []string{"redirect 301 https://shop.example:80/a?b", "client location: https://shop.example:80/a?b"}, lacks: []string{"client x"},
		},
		{
			name: "a redirect's response gets headers", doc: "Route.response_headers_to_add", route: with(`host_redirect: new.example`) + `, response_headers_to_add: [{header: {key: x, value: v}}]`,
			want: []string{"client x: v", "client location: http://new.example/", "response: add x: v"},
		},
	})
}

func TestDirectResponses(t *testing.T) {
	with := func(fields string) string {
		return `match: {prefix: /}, direct_response: {status: 418, ` + fields + `}`
	}
	runEffectCases(t, []effectCase{
		{name: "a status without a body", doc: "DirectResponseAction.status", route: with(``), want: []string{"direct 418"}, lacks: []string{"path"}},
		{name: "an inline body", doc: "DirectResponseAction.body", route: with(`body: {inline_string: "short and stout"}`), want: []string{"direct 418  short and stout"}},
		{name: "an inline body in bytes", doc: "DataSource.inline_bytes", route: with(`body: {inline_bytes: dGVh}`), want: []string{"direct 418  tea"}},
		{
			name: "body_format has the body and the request", doc: "DirectResponseAction.body_format", route: with(`body: {inline_string: tea}, body_format: {text_format_source: {inline_string: "%LOCAL_REPLY_BODY%:%RESPONSE_CODE%:path=%REQ(:path)%"}, content_type: "text/html"}`),
			request: "GET /foo", want: []string{"direct 418 text/html tea:418:path=/foo"},
		},
		{
			name: "body_format writes - for what is missing", doc: "SubstitutionFormatString.omit_empty_values", route: with(`body_format: {text_format: "<%REQ(x)%>"}`),
			want: []string{"direct 418  <->"},
		},
		{
			name: "body_format leaves out what is missing", doc: "SubstitutionFormatString.omit_empty_values", route: with(`body_format: {text_format: "<%REQ(x)%>", omit_empty_values: true}`),
			want: []string{"direct 418  <>"},
		},
		{
			name: "201 has the request's own URL as its Location", doc: "arch_overview/http/http_routing, Direct responses; RFC 9110, 15.3.2", route: `match: {prefix: /}, direct_response: {status: 201}`,
			request: "GET /a?b", want: []string{"direct 201", "client location: http://shop.example/a?b", "response: set location: http://shop.example/a?b"},
		},
		{
			name: "3xx too, before the headers of the route", doc: "DirectResponseAction.status", route: `match: {prefix: /}, direct_response: {status: 302}, response_headers_to_add: [{header: {key: location, value: /x}, append_action: OVERWRITE_IF_EXISTS_OR_ADD}]`,
			request: "GET /a | :scheme: https", want: []string{"direct 302", "client location: /x"},
		},
		{
			name: "no other status has", doc: "DirectResponseAction.status", route: with(``),
			request: "GET /a", lacks: []string{"client location"}, want: []string{"direct 418"},
		},
		{
			name: "headers of a direct response", doc: "DirectResponseAction.body, note", route: with(`body: {inline_string: tea}`) + `, response_headers_to_add: [{header: {key: content-type, value: text/plain}, append_action: OVERWRITE_IF_EXISTS_OR_ADD}]`,
			want: []string{"client content-type: text/plain"},
		},
	})
}

func TestWithoutARouteThereIsNoEffect(t *testing.T) {
	c := compile(t, `{virtual_hosts: [{name: shop, domains: ['*'], routes: [{match: {prefix: /a}, route: {cluster: a}}]}]}`)
	r := request(t, "GET /b")
	e := c.Effect(c.Decide(r), r)
	if e.Redirect != nil || e.Direct != nil || e.Path != "" || len(e.Unsupported) != 0 {
		t.Errorf("%+v", e)
	}
	if got := c.ResponseHeaders(c.Decide(r), r, []route.Header{{Name: "Server", Value: "x"}}); len(got) != 1 || got[0].Name != "server" {
		t.Errorf("response headers %v", got)
	}
}
