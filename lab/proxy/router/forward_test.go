package router_test

import (
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

func toCluster(fields string) string {
	return `{"match":{"prefix":"/"},"route":{"cluster":"a"` + prefixed(fields) + `}}`
}

func TestForward(t *testing.T) {
	t.Parallel()
	s := func(routes string) setup { return setup{handlers: handlers(echo()), routes: routes} }
	runAll(t, []one{
		{name: "a prefix is rewritten", setup: s(`{"match":{"prefix":"/orders"},"route":{"cluster":"a","prefixRewrite":"/v2"}}`), path: "/orders/1?x=2", status: 200, want: []string{"Saw-Path", "/v2/1?x=2", "Saw-X-Envoy-Original-Path", "/orders/1?x=2"}},
		{name: "a path is rewritten by an expression", setup: s(toCluster(`"regexRewrite":{"pattern":{"regex":"^/(.*)$"},"substitution":"/v2/\\1"}`)), path: "/orders?x", status: 200, want: []string{"Saw-Path", "/v2/orders?x", "Saw-X-Envoy-Original-Path", "/orders?x"}},
		{name: "a host is rewritten", setup: s(toCluster(`"hostRewriteLiteral":"order"`)), headers: []string{"Host", "shop.example"}, status: 200, want: []string{"Saw-Host", "order", "Saw-X-Envoy-Original-Host", "shop.example"}},
		{name: "a host from a header", setup: s(toCluster(`"hostRewriteHeader":"x-to"`)), headers: []string{"X-To", "there"}, status: 200, want: []string{"Saw-Host", "there"}},
		{name: "the upstream's own host name", setup: setup{handlers: handlers(echo()), routes: toCluster(`"autoHostRewrite":true`)}, headers: []string{"Host", "shop.example"}, status: 200, want: []string{"Saw-Host", "shop.example"}},
		{name: "headers change", setup: s(`{"match":{"prefix":"/"},"route":{"cluster":"a"},"requestHeadersToAdd":[{"header":{"key":"x-route","value":"%REQ(:path)%"}}],"requestHeadersToRemove":["x-gone"],"responseHeadersToAdd":[{"header":{"key":"x-back","value":"1"}}],"responseHeadersToRemove":["saw-method"]}`),
			headers: []string{"X-Gone", "1"}, status: 200, want: []string{"Saw-X-Route", "/orders", "Saw-X-Gone", "", "X-Back", "1", "Saw-Method", ""}},
		{name: "attempts are told upstream", setup: setup{handlers: handlers(echo()), host: `"includeRequestAttemptCount":true`}, status: 200, want: []string{"Saw-X-Envoy-Attempt-Count", "1"}},
		{name: "a header decides", setup: s(`{"match":{"prefix":"/","headers":[{"name":"x-user","stringMatch":{"exact":"t"}}]},"directResponse":{"status":202}},` + toA), headers: []string{"X-User", "t"}, status: 202, details: "direct_response"},
		{name: "a weighted cluster changes headers", setup: s(`{"match":{"prefix":"/"},"route":{"weightedClusters":{"clusters":[{"name":"a","weight":100,"requestHeadersToAdd":[{"header":{"key":"x-w","value":"1"}}]}]}}}`), status: 200, want: []string{"Saw-X-W", "1"}},
		{name: "a cluster by header", setup: s(`{"match":{"prefix":"/"},"route":{"clusterHeader":"x-cluster"}}`), headers: []string{"X-Cluster", "a"}, status: 200},
		{name: "high priority has its own limits", setup: setup{handlers: handlers(echo()), routes: toCluster(`"priority":"HIGH"`), clusters: map[string]string{"a": `"circuitBreakers":{"thresholds":[{"priority":"HIGH","maxRequests":0}]}`}}, status: 503, answer: "*", flags: "UO", details: "upstream_reset_before_response_started{overflow}"},
		{name: "an internal redirect is followed", setup: s2(toCluster(`"internalRedirectPolicy":{"maxInternalRedirects":1,"responseHeadersToCopy":["x-token"]}`)), path: "/from", status: 200, want: []string{"Saw-Path", "/to?x", "Saw-X-Token", "t", "Saw-X-Envoy-Original-Url", "*"}},
		{name: "internal redirects come to an end", setup: setup{handlers: handlers(answer(302, "", "Location", "/again")), routes: toCluster(`"internalRedirectPolicy":{"maxInternalRedirects":2}`)}, status: 302, want: []string{"Location", "/again"}},
		{name: "a redirect with another code is the client's", setup: setup{handlers: handlers(answer(301, "", "Location", "/again")), routes: toCluster(`"internalRedirectPolicy":{"redirectResponseCodes":[307]}`)}, status: 301},
		{name: "a redirect to another scheme is the client's", setup: setup{handlers: handlers(answer(302, "", "Location", "https://x/again")), routes: toCluster(`"internalRedirectPolicy":{}`)}, status: 302},
		{name: "a redirect to another scheme is followed", setup: s2https(toCluster(`"internalRedirectPolicy":{"allowCrossSchemeRedirect":true}`)), path: "/from", status: 200, want: []string{"Saw-Host", "x", "Saw-X-Forwarded-Proto", "https"}},
		{name: "an upgrade that nobody allows", setup: s(""), headers: []string{"Connection", "upgrade", "Upgrade", "websocket"}, status: 403, details: "upgrade_failed"},
	})
}

func redirecting(location string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/from" {
			w.Header().Set("Location", location)
			w.Header().Set("X-Token", "t")
			w.WriteHeader(302)
			return
		}
		echo().ServeHTTP(w, r)
	})
}

func s2(routes string) setup { return setup{handlers: handlers(redirecting("/to?x")), routes: routes} }

func s2https(routes string) setup {
	return setup{handlers: handlers(redirecting("https://x/to")), routes: routes}
}

// seen keeps the requests that a handler got.
type seen struct {
	mu   sync.Mutex
	all  []string
	body []string
}

func (s *seen) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	b := new(strings.Builder)
	buf := make([]byte, 1024)
	for {
		n, err := r.Body.Read(buf)
		b.Write(buf[:n])
		if err != nil {
			break
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all = append(s.all, r.Host+r.RequestURI)
	s.body = append(s.body, b.String())
	w.WriteHeader(500)
}

func (s *seen) wait(t *testing.T) (string, string) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		s.mu.Lock()
		if len(s.all) > 0 {
			defer s.mu.Unlock()
			return s.all[0], s.body[0]
		}
		s.mu.Unlock()
	}
	t.Fatal("the mirror got nothing")
	return "", ""
}

func TestMirrors(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, policy, host string }{
		{"a copy goes to the shadow host", `{"cluster":"b"}`, "shop-shadow/orders?x"},
		{"the host stays", `{"cluster":"b","disableShadowHostSuffixAppend":true}`, "shop/orders?x"},
		{"all of the requests", `{"cluster":"b","runtimeFraction":{"defaultValue":{"numerator":100}}}`, "shop-shadow/orders?x"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			copies := &seen{}
			w := newWorld(t, setup{handlers: map[string][]http.Handler{"a": {echo()}, "b": {copies}}, routes: toCluster(`"requestMirrorPolicies":[` + c.policy + `]`)})
			req, _ := http.NewRequest("POST", w.url+"/orders?x", strings.NewReader("order"))
			req.Host = "shop"
			resp, err := w.client.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			_ = resp.Body.Close()
			if resp.StatusCode != 200 || resp.Header.Get("Saw-Host") != "shop" {
				t.Errorf("the client got %d for host %q", resp.StatusCode, resp.Header.Get("Saw-Host"))
			}
			host, body := copies.wait(t)
			if host != c.host || body != "order" {
				t.Errorf("the mirror got %q with %q, want %q with the same body", host, body, c.host)
			}
		})
	}
}

func TestHash(t *testing.T) {
	t.Parallel()
	who := func(name string) http.Handler { return answer(200, name) }
	for _, c := range []struct {
		name, policy string
		request      func(r *http.Request, i int)
		cookie       bool
	}{
		{"a header", `{"header":{"headerName":"x-user"}}`, func(r *http.Request, _ int) { r.Header.Set("X-User", "u") }, false},
		{"a part of a header", `{"header":{"headerName":"x-user","regexRewrite":{"pattern":{"regex":"-.*"},"substitution":""}}}`, func(r *http.Request, i int) { r.Header.Set("X-User", "u-"+string(rune('a'+i))) }, false},
		{"a cookie", `{"cookie":{"name":"c"}}`, func(r *http.Request, _ int) { r.Header.Set("Cookie", "c=1") }, false},
		{"a cookie that the proxy makes", `{"cookie":{"name":"c","ttl":"60s","path":"/p","attributes":[{"name":"SameSite","value":"Lax"}]}}`, func(*http.Request, int) {}, true},
		{"a query parameter", `{"queryParameter":{"name":"q"}}`, func(r *http.Request, i int) { r.URL.RawQuery = "z=" + string(rune('a'+i)) + "&q=1" }, false},
		{"the source", `{"connectionProperties":{"sourceIp":true}}`, func(*http.Request, int) {}, false},
		{"the first that is there ends the list", `{"header":{"headerName":"x-user"},"terminal":true},{"header":{"headerName":"x-other"}}`, func(r *http.Request, i int) {
			r.Header.Set("X-User", "u")
			r.Header.Set("X-Other", string(rune('a'+i)))
		}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, setup{handlers: handlers(who("1"), who("2"), who("3"), who("4"), who("5")), clusters: map[string]string{"a": `"lbPolicy":"RING_HASH"`}, routes: toCluster(`"hashPolicy":[` + c.policy + `]`)})
			first := ""
			for i := range 12 {
				req, _ := http.NewRequest("GET", w.url+"/x", nil)
				c.request(req, i)
				resp, err := w.client.Do(req)
				if err != nil {
					t.Fatal(err)
				}
				b := make([]byte, 1)
				_, _ = resp.Body.Read(b)
				_ = resp.Body.Close()
				if first == "" {
					first = string(b)
				}
				if first != string(b) {
					t.Fatalf("request %d went to %s, the first to %s", i, b, first)
				}
				if got := resp.Header.Get("Set-Cookie"); c.cookie != (got != "") || c.cookie && !strings.HasSuffix(got, `"; Max-Age=60; Path=/p; SameSite=Lax; HttpOnly`) {
					t.Fatalf("Set-Cookie %q", got)
				}
			}
		})
	}
}
