package router_test

import (
	"net/http"
	"net/netip"
	"strings"
	"testing"

	"github.com/meshstorm/meshstorm/lab/proxy/flow"
)

func TestManager(t *testing.T) {
	t.Parallel()
	e := func() map[string][]http.Handler { return handlers(echo()) }
	gateway := `"useRemoteAddress":true`
	runAll(t, []one{
		{name: "an edge proxy tells where a request comes from", setup: setup{handlers: e(), manager: gateway},
			headers: []string{"X-Envoy-Retry-On", "5xx", "X-Forwarded-Proto", "https", "X-Request-Id", "mine", "X-Envoy-Internal", "true", "X-Envoy-Decorator-Operation", "o"},
			status:  200, answer: "", want: []string{"Saw-X-Forwarded-For", "10.244.0.9", "Saw-X-Forwarded-Proto", "http", "Saw-X-Envoy-External-Address", "10.244.0.9",
				"Saw-X-Envoy-Retry-On", "", "Saw-X-Envoy-Internal", "", "Saw-X-Request-Id", "*", "Saw-X-Envoy-Decorator-Operation", ""}},
		{name: "a sidecar trusts the proxy before it", setup: setup{handlers: e(), manager: `"useRemoteAddress":false`},
			headers: []string{"X-Forwarded-For", "192.0.2.1", "X-Forwarded-Proto", "https", "X-Request-Id", "mine"},
			status:  200, answer: "", want: []string{"Saw-X-Forwarded-For", "192.0.2.1", "Saw-X-Forwarded-Proto", "https", "Saw-X-Request-Id", "mine", "Saw-X-Envoy-External-Address", ""}},
		{name: "an internal client may ask for retries", setup: setup{handlers: e(), manager: gateway + `,"internalAddressConfig":{"cidrRanges":[{"addressPrefix":"10.0.0.0","prefixLen":8}]}`},
			headers: []string{"X-Envoy-Upstream-Rq-Timeout-Ms", "5000"}, status: 200,
			want: []string{"Saw-X-Envoy-Internal", "true", "Saw-X-Envoy-External-Address", "", "Saw-X-Envoy-Expected-Rq-Timeout-Ms", "5000"}},
		{name: "a trusted hop in front", setup: setup{handlers: e(), manager: gateway + `,"xffNumTrustedHops":1`}, headers: []string{"X-Forwarded-For", "198.51.100.1, 192.0.2.7", "X-Forwarded-Proto", "https"},
			status: 200, want: []string{"Saw-X-Forwarded-For", "198.51.100.1, 192.0.2.7,10.244.0.9", "Saw-X-Forwarded-Proto", "https", "Saw-X-Envoy-External-Address", "192.0.2.7"}},
		{name: "x-forwarded-for is left alone", setup: setup{handlers: e(), manager: gateway + `,"skipXffAppend":true`}, status: 200, want: []string{"Saw-X-Forwarded-For", ""}},
		{name: "the port is told", setup: setup{handlers: e(), manager: gateway + `,"appendXForwardedPort":true`}, status: 200, want: []string{"Saw-X-Forwarded-Port", "8080"}},
		{name: "a scheme is set", setup: setup{handlers: e(), manager: `"schemeHeaderTransformation":{"schemeToOverwrite":"https"}`}, status: 200, want: []string{"Saw-X-Forwarded-Proto", "https"}},
		{name: "the server's name", setup: setup{handlers: e(), manager: `"serverName":"istio-envoy"`}, status: 200, want: []string{"Server", "istio-envoy"}},
		{name: "the upstream's server header passes", setup: setup{handlers: handlers(answer(200, "", "Server", "spring")), manager: `"serverHeaderTransformation":"PASS_THROUGH"`}, status: 200, want: []string{"Server", "spring"}},
		{name: "a server header where there is none", setup: setup{handlers: handlers(answer(200, "", "Server", "spring")), manager: `"serverHeaderTransformation":"APPEND_IF_ABSENT"`}, status: 200, want: []string{"Server", "spring"}},
		{name: "via", setup: setup{handlers: e(), manager: `"via":"lab"`}, headers: []string{"Via", "1.1 cdn"}, status: 200, want: []string{"Via", "lab", "Saw-Via", "1.1 cdn, lab"}},
		{name: "no request id", setup: setup{handlers: e(), manager: `"generateRequestId":false`}, status: 200, want: []string{"Saw-X-Request-Id", ""}},
		{name: "a request id from outside is kept", setup: setup{handlers: e(), manager: gateway + `,"preserveExternalRequestId":true`}, headers: []string{"X-Request-Id", "mine"}, status: 200, want: []string{"Saw-X-Request-Id", "mine"}},
		{name: "the request id in the response", setup: setup{handlers: e(), manager: `"alwaysSetRequestIdInResponse":true`}, headers: []string{"X-Request-Id", "mine"}, status: 200, want: []string{"X-Request-Id", "mine"}},
		{name: "a forged client certificate", setup: setup{handlers: e(), manager: `"forwardClientCertDetails":"APPEND_FORWARD"`}, headers: []string{"X-Forwarded-Client-Cert", "By=me"}, status: 200, want: []string{"Saw-X-Forwarded-Client-Cert", ""}},
		{name: "client certificates from a trusted proxy", setup: setup{handlers: e(), manager: `"forwardClientCertDetails":"ALWAYS_FORWARD_ONLY"`}, headers: []string{"X-Forwarded-Client-Cert", "By=me"}, status: 200, want: []string{"Saw-X-Forwarded-Client-Cert", "By=me"}},
		{name: "a user agent", setup: setup{handlers: e(), manager: `"addUserAgent":true`}, headers: []string{"User-Agent", ""}, status: 200,
			want: []string{"Saw-User-Agent", "order.default", "Saw-X-Envoy-Downstream-Service-Cluster", "order.default", "Saw-X-Envoy-Downstream-Service-Node", "sidecar~1"}},
		{name: "too many headers", setup: setup{manager: `"commonHttpProtocolOptions":{"maxHeadersCount":2}`}, headers: []string{"A", "1", "B", "2"}, status: 431, flags: "DPE", details: "http1.too_many_headers"},
		{name: "headers too large", setup: setup{manager: `"maxRequestHeadersKb":1`}, headers: []string{"A", strings.Repeat("x", 1025)}, status: 431, flags: "DPE", details: "http1.headers_too_large"},
		{name: "headers with underscores are refused", setup: setup{manager: `"commonHttpProtocolOptions":{"headersWithUnderscoresAction":"REJECT_REQUEST"}`}, headers: []string{"a_b", "1"}, status: 400, flags: "DPE", details: "http1.unexpected_underscore"},
		{name: "headers with underscores are dropped", setup: setup{handlers: e(), manager: `"commonHttpProtocolOptions":{"headersWithUnderscoresAction":"DROP_HEADER"}`}, headers: []string{"a_b", "1"}, status: 200, want: []string{"Saw-A_b", ""}},
		{name: "hop-by-hop headers stay here", setup: setup{handlers: e()}, headers: []string{"Connection", "x-a", "Keep-Alive", "5", "Te", "gzip", "Proxy-Connection", "x"}, status: 200,
			want: []string{"Saw-Connection", "", "Saw-Keep-Alive", "", "Saw-Te", "", "Saw-Proxy-Connection", ""}},
		{name: "headers for internal clients only", setup: setup{handlers: e(), manager: gateway, config: `"internalOnlyHeaders":["x-secret"]`}, headers: []string{"X-Secret", "1"}, status: 200, want: []string{"Saw-X-Secret", ""}},
		{name: "a trace's operation goes upstream", setup: setup{handlers: e(), manager: `"tracing":{}`, routes: `{"match":{"prefix":"/"},"route":{"cluster":"a"},"decorator":{"operation":"op/*"}}`}, status: 200, want: []string{"Saw-X-Envoy-Decorator-Operation", "op/*"}},
		{name: "a trace's operation goes back from an inbound listener", setup: setup{handlers: e(), manager: `"tracing":{}`, routes: `{"match":{"prefix":"/"},"route":{"cluster":"a"},"decorator":{"operation":"op/*"}}`, down: flow.Downstream{Inbound: true}},
			status: 200, want: []string{"X-Envoy-Decorator-Operation", "op/*"}},
		{name: "ports are no part of the host", setup: setup{handlers: e(), manager: `"stripAnyHostPort":true`}, headers: []string{"Host", "shop.example:1234"}, status: 200, want: []string{"Saw-Host", "shop.example"}},
		{name: "the listener's port is no part of the host", setup: setup{handlers: e(), manager: `"stripMatchingHostPort":true`}, headers: []string{"Host", "shop.example:8080"}, status: 200, want: []string{"Saw-Host", "shop.example"}},
		{name: "another port stays in the host", setup: setup{handlers: e(), manager: `"stripMatchingHostPort":true`}, headers: []string{"Host", "shop.example:81"}, status: 200, want: []string{"Saw-Host", "shop.example:81"}},
		{name: "a dot behind the host", setup: setup{handlers: e(), manager: `"stripTrailingHostDot":true`}, headers: []string{"Host", "shop.example.:80"}, status: 200, want: []string{"Saw-Host", "shop.example:80"}},
		{name: "a client on this host", setup: setup{handlers: e(), manager: gateway, down: flow.Downstream{Remote: netip.MustParseAddrPort("127.0.0.1:9")}}, status: 200, want: []string{"Saw-X-Forwarded-For", "10.96.0.1"}},
	})
}

func TestPaths(t *testing.T) {
	t.Parallel()
	e := func() map[string][]http.Handler { return handlers(echo()) }
	runAll(t, []one{
		{name: "dots are resolved", setup: setup{handlers: e(), manager: `"normalizePath":true`}, path: "/a/./b/../%2e%2E/c%41?x=../y", status: 200, want: []string{"Saw-Path", "/cA?x=../y"}},
		{name: "dots stay", setup: setup{handlers: e()}, path: "/a/../b", status: 200, want: []string{"Saw-Path", "/a/../b"}},
		{name: "slashes are merged", setup: setup{handlers: e(), manager: `"mergeSlashes":true`}, path: "/a//b///c", status: 200, want: []string{"Saw-Path", "/a/b/c"}},
		{name: "slashes stay", setup: setup{handlers: e()}, path: "//a//b", status: 200, want: []string{"Saw-Path", "//a//b"}},
		{name: "escaped slashes are refused", setup: setup{manager: `"pathWithEscapedSlashesAction":"REJECT_REQUEST"`}, path: "/a%2fb", status: 400, details: "path_normalization_failed"},
		{name: "escaped slashes are unescaped", setup: setup{handlers: e(), manager: `"pathWithEscapedSlashesAction":"UNESCAPE_AND_FORWARD"`}, path: "/a%2fb", status: 200, want: []string{"Saw-Path", "/a/b"}},
		{name: "escaped slashes redirect", setup: setup{manager: `"pathWithEscapedSlashesAction":"UNESCAPE_AND_REDIRECT"`}, path: "/a%2Fb?c", status: 307, want: []string{"Location", "/a/b?c"}, details: "path_normalization_failed"},
		{name: "escapes stay as they are", setup: setup{handlers: e()}, path: "/a%2fb%20c?d=%zz", status: 200, want: []string{"Saw-Path", "/a%2fb%20c?d=%zz"}},
	})
}

func TestLocalReplies(t *testing.T) {
	t.Parallel()
	runAll(t, []one{
		{name: "a mapper for a status", setup: setup{manager: `"localReplyConfig":{"mappers":[{"filter":{"statusCodeFilter":{"comparison":{"op":"EQ","value":{"defaultValue":503,"runtimeKey":"x"}}}},
			"statusCode":500,"body":{"inlineString":"sorry"},"headersToAdd":[{"header":{"key":"x-why","value":"down"}}]}]}`},
			status: 500, answer: "sorry", want: []string{"X-Why", "down"}, flags: "UH", details: "no_healthy_upstream"},
		{name: "a mapper for a flag, with a format", setup: setup{manager: `"localReplyConfig":{"mappers":[{"filter":{"responseFlagFilter":{"flags":["UH"]}},"bodyFormatOverride":{"textFormatSource":{"inlineString":"%RESPONSE_CODE%: %LOCAL_REPLY_BODY%"}}}]}`},
			status: 503, answer: "503: no healthy upstream", flags: "UH", details: "no_healthy_upstream"},
		{name: "a format for all", setup: setup{manager: `"localReplyConfig":{"bodyFormat":{"jsonFormat":{"code":"%RESPONSE_CODE%"}}}`},
			status: 503, answer: "{\"code\":503}\n", want: []string{"Content-Type", "application/json"}, flags: "UH", details: "no_healthy_upstream"},
		{name: "the upstream's answers are not changed", setup: setup{handlers: handlers(answer(503, "own")), manager: `"localReplyConfig":{"bodyFormat":{"textFormatSource":{"inlineString":"x"}}}`}, status: 503, answer: "own"},
	})
}
