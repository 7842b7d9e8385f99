package router_test

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"testing"

	"github.com/meshstorm/meshstorm/lab/proxy/flow"
	"github.com/meshstorm/meshstorm/lab/proxy/upstream"
)

// FuzzServeHTTP sends what a client can choose: whatever it is, there is an
// answer.
func FuzzServeHTTP(f *testing.F) {
	f.Add("/a/../b%2f?x#y", "shop.:80", "192.0.2.1, x", "10m", "a=1; b")
	f.Add("*", "[::1]:8080", ",", "99999999n", "c=\"")
	f.Add("//", "", "10.0.0.1", "S", "")
	f.Add("/%", ":", " ", "", "=")
	f.Fuzz(func(t *testing.T, path, host, forwarded, deadline, cookie string) {
		if path == "" {
			return
		}
		r := manage(&testing.T{}, `{`+inline(`{"match":{"prefix":"/x"},"route":{"cluster":"a","prefixRewrite":"/y","hashPolicy":[{"cookie":{"name":"a"}},{"queryParameter":{"name":"q"}}],"maxStreamDuration":{"grpcTimeoutHeaderMax":"0s"}}},{"match":{"prefix":"/"},"redirect":{"hostRedirect":"h"}}`)+
			`,"useRemoteAddress":true,"xffNumTrustedHops":1,"normalizePath":true,"mergeSlashes":true,"pathWithEscapedSlashesAction":"UNESCAPE_AND_FORWARD","stripAnyHostPort":true,"stripTrailingHostDot":true,"httpFilters":[`+routerOnly+`]}`, upstream.New(upstream.Options{}), "a")
		d := &flow.Downstream{Remote: netip.MustParseAddrPort("10.244.0.9:1"), Local: netip.MustParseAddrPort("10.96.0.1:80")}
		req := (&http.Request{
			Method: "GET", RequestURI: path, Host: host, URL: &url.URL{Path: path}, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
			Header: http.Header{"X-Forwarded-For": {forwarded}, "Grpc-Timeout": {deadline}, "Cookie": {cookie}},
		}).WithContext(flow.WithDownstream(t.Context(), d))
		w := httptest.NewRecorder()
		r.ServeHTTP(w, req)
		switch w.Code {
		case http.StatusMovedPermanently, http.StatusBadRequest, http.StatusNotFound, http.StatusServiceUnavailable, http.StatusRequestHeaderFieldsTooLarge:
		default:
			t.Errorf("status %d for %q", w.Code, path)
		}
	})
}
