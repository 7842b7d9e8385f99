package router_test

import (
	"io"
	"net/http"
	"strings"
	"testing"
)

// one is a request through a router, and what has to come of it.
type one struct {
	name    string
	setup   setup
	method  string
	path    string
	headers []string // name, value …
	body    string

	status  int
	answer  string   // the body; "*" for any
	want    []string // header, value …; "" for none
	flags   string
	details string
}

func (c one) run(t *testing.T) {
	t.Helper()
	w := newWorld(t, c.setup)
	method, path := c.method, c.path
	if method == "" {
		method = http.MethodGet
	}
	if path == "" {
		path = "/orders"
	}
	var body io.Reader
	if c.body != "" {
		body = strings.NewReader(c.body)
	}
	req, err := http.NewRequest(method, w.url+path, body)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i+1 < len(c.headers); i += 2 {
		if c.headers[i] == "Host" {
			req.Host = c.headers[i+1]
			continue
		}
		req.Header.Add(c.headers[i], c.headers[i+1])
	}
	resp, err := w.client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	if err != nil {
		t.Fatal(err)
	}
	c.check(t, w, resp, string(got))
}

func (c one) check(t *testing.T, w *world, resp *http.Response, got string) {
	t.Helper()
	if resp.StatusCode != c.status {
		t.Errorf("status %d, want %d (%q)", resp.StatusCode, c.status, got)
	}
	if c.answer != "*" && got != c.answer {
		t.Errorf("body %q, want %q", got, c.answer)
	}
	for i := 0; i+1 < len(c.want); i += 2 {
		have := strings.Join(resp.Header.Values(c.want[i]), "|")
		if c.want[i+1] == "*" && have != "" {
			continue
		}
		if have != c.want[i+1] {
			t.Errorf("%s: %q, want %q", c.want[i], have, c.want[i+1])
		}
	}
	rec := w.record(0)
	flags, details := c.flags, c.details
	if flags == "" {
		flags = "-"
	}
	if details == "" {
		details = "via_upstream"
	}
	if rec[1] != flags || rec[2] != details {
		t.Errorf("record %q, want flags %q and details %q", rec, flags, details)
	}
}

func runAll(t *testing.T, all []one) {
	t.Helper()
	for _, c := range all {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.run(t)
		})
	}
}

func handlers(a ...http.Handler) map[string][]http.Handler { return map[string][]http.Handler{"a": a} }

func TestAnswers(t *testing.T) {
	t.Parallel()
	refused := map[string][]string{"a": {"127.0.0.1:1"}}
	runAll(t, []one{
		{name: "the upstream's answer", setup: setup{handlers: handlers(answer(201, "made", "X-Own", "1", "Server", "spring"))},
			status: 201, answer: "made", want: []string{"X-Own", "1", "Server", "envoy", "X-Envoy-Upstream-Service-Time", "*", "Content-Length", "4"}},
		{name: "no route", setup: setup{routes: `{"match":{"path":"/other"},"route":{"cluster":"a"}}`},
			status: 404, want: []string{"Server", "envoy", "Content-Length", "0", "Content-Type", ""}, flags: "NR", details: "route_not_found"},
		{name: "no cluster", setup: setup{routes: `{"match":{"prefix":"/"},"route":{"cluster":"none"}}`}, status: 503, flags: "NC", details: "cluster_not_found"},
		{name: "no cluster, with the route's code", setup: setup{routes: `{"match":{"prefix":"/"},"route":{"cluster":"none","clusterNotFoundResponseCode":"NOT_FOUND"}}`},
			status: 404, flags: "NC", details: "cluster_not_found"},
		{name: "no host", status: 503, answer: "no healthy upstream", want: []string{"Content-Type", "text/plain", "Content-Length", "19"}, flags: "UH", details: "no_healthy_upstream"},
		{name: "connection refused", setup: setup{hosts: refused}, status: 503,
			answer:  "upstream connect error or disconnect/reset before headers. reset reason: remote connection failure, transport failure reason: delayed connect error: Connection refused",
			flags:   "UF",
			details: "upstream_reset_before_response_started{remote_connection_failure|delayed_connect_error:_Connection_refused}"},
		{name: "connection refused, retried", setup: setup{hosts: refused, routes: `{"match":{"prefix":"/"},"route":{"cluster":"a","retryPolicy":{"retryOn":"connect-failure","numRetries":1}}}`},
			status:  503,
			answer:  "upstream connect error or disconnect/reset before headers. retried and the latest reset reason: remote connection failure, transport failure reason: delayed connect error: Connection refused",
			flags:   "UF,URX",
			details: "upstream_reset_before_response_started{remote_connection_failure|delayed_connect_error:_Connection_refused}"},
		{name: "the upstream closes", setup: setup{handlers: handlers(closing())}, status: 503,
			answer: "upstream connect error or disconnect/reset before headers. reset reason: connection termination",
			flags:  "UC", details: "upstream_reset_before_response_started{connection_termination}"},
		{name: "overflow", setup: setup{handlers: handlers(echo()), clusters: map[string]string{"a": `"circuitBreakers":{"thresholds":[{"maxRequests":0}]}`}},
			status: 503, answer: "upstream connect error or disconnect/reset before headers. reset reason: overflow", want: []string{"X-Envoy-Overloaded", "true"},
			flags: "UO", details: "upstream_reset_before_response_started{overflow}"},
		{name: "the route's timeout", setup: setup{handlers: handlers(hanging()), routes: `{"match":{"prefix":"/"},"route":{"cluster":"a","timeout":"0.02s"}}`},
			status: 504, answer: "upstream request timeout", flags: "UT", details: "response_timeout"},
		{name: "a redirect", setup: setup{routes: `{"match":{"prefix":"/"},"redirect":{"hostRedirect":"other.example","responseCode":"FOUND"}}`},
			path: "/a?b=c", status: 302, want: []string{"Location", "http://other.example/a?b=c"}, details: "direct_response"},
		{name: "a direct response", setup: setup{routes: `{"match":{"prefix":"/"},"directResponse":{"status":418,"body":{"inlineString":"tea"}},"responseHeadersToAdd":[{"header":{"key":"x-kind","value":"pot"}}]}`},
			status: 418, answer: "tea", want: []string{"X-Kind", "pot", "Content-Type", "text/plain"}, details: "direct_response"},
		{name: "a redirect to https", setup: setup{host: `"requireTls":"ALL"`}, headers: []string{"Host", "shop.example"}, path: "/x",
			status: 301, want: []string{"Location", "https://shop.example/x"}, details: "direct_response"},
		{name: "a gRPC client learns of a failure", setup: setup{hosts: refused, h2: true}, headers: []string{"Content-Type", "application/grpc"}, method: "POST", body: "x",
			status: 200, want: []string{"Grpc-Status", "14", "Grpc-Message", "*", "Content-Type", "application/grpc"}, flags: "UF",
			details: "upstream_reset_before_response_started{remote_connection_failure|delayed_connect_error:_Connection_refused}"},
		{name: "a gRPC client learns that there is no route", setup: setup{routes: `{"match":{"path":"/other"},"route":{"cluster":"a"}}`, h2: true}, headers: []string{"Content-Type", "application/grpc"},
			status: 200, want: []string{"Grpc-Status", "12"}, flags: "NR", details: "route_not_found"},
		{name: "HEAD", setup: setup{handlers: handlers(answer(200, "", "Content-Length", "5"))}, method: "HEAD", status: 200, want: []string{"Content-Length", "5"}},
		{name: "a body both ways", setup: setup{handlers: handlers(echo())}, method: "POST", body: strings.Repeat("0123456789", 20_000), status: 200, answer: strings.Repeat("0123456789", 20_000)},
		{name: "a body both ways over HTTP/2", setup: setup{handlers: handlers(echo()), h2: true}, method: "POST", body: strings.Repeat("0123456789", 20_000), status: 200, answer: strings.Repeat("0123456789", 20_000)},
	})
}
