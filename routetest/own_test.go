package routetest_test

import (
	"context"
	"strings"
	"testing"

	"github.com/meshstorm/meshstorm/route"
	"github.com/meshstorm/meshstorm/routetest"
	"github.com/meshstorm/meshstorm/simulate/answer"
)

// mesh answers by "FROM METHOD URL", without FROM for the gateway; what it does
// not have gets 404.
type mesh map[string]answer.Answer

func (m mesh) Ask(_ context.Context, r answer.Request) (*answer.Answer, error) {
	key := r.Method + " " + r.URL
	if r.From != "" && r.From != "gateway" {
		key = r.From + " " + key
	}
	a, ok := m[key]
	if !ok {
		a = answer.Answer{Outcome: answer.OutcomeNotFound, Status: 404, Flag: answer.FlagNoRoute, Reason: "no route takes it"}
	}
	a.Request = r
	return &a, nil
}

// share is one destination of an answer; the share is in percent.
func share(host, subset string, percent float64) answer.Destination {
	return answer.Destination{Host: host + ".shop.svc.cluster.local", Subset: subset, Port: 8080, Share: percent / 100}
}

func routed(d ...answer.Destination) answer.Answer {
	return answer.Answer{Outcome: answer.OutcomeRoute, VHost: "shop.example:80", Destinations: d, Timeout: "15s",
		Winner: &answer.Winner{Kind: "VirtualService", VirtualService: "vsvc-order", Namespace: "shop", Rule: "primary", File: "istio.yml", Line: 7}}
}

// run loads one file and runs it; the file must be sound.
func run(t *testing.T, m answer.Asker, text string) *routetest.Report {
	t.Helper()
	f, err := routetest.Load("routes/t.yaml", []byte(text))
	if err != nil {
		t.Fatalf("the test file: %v", err)
	}
	r, err := routetest.Run(t.Context(), routetest.Subject{Mesh: m}, []*routetest.File{f})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// richAnswer has something for every key to compare.
func richAnswer() answer.Answer {
	a := routed(share("order", "stable", 90), share("order", "canary", 10))
	a.Rewrite = &answer.Rewrite{Path: "/v2/1?q=1", Authority: "inner.example"}
	a.Timeout = "5s"
	a.Retries = &answer.Retries{Attempts: 3, On: []string{"5xx", "reset"}, PerTryTimeout: "1s"}
	a.Mirrors = []answer.Mirror{{Host: "audit.shop.svc.cluster.local", Subset: "v1", Port: 8080, Share: 0.25}}
	a.Fault = &answer.Fault{Delay: "2s", DelayShare: 1, Abort: 503, AbortShare: 0.1}
	a.Effect = &route.Effect{RequestHeaders: []route.Header{{Name: "x-a", Value: "b"}, {Name: "x-many", Value: "1"}, {Name: "x-many", Value: "2"}}}
	a.Returns = []route.Header{{Name: "x-r", Value: "s"}}
	return a
}

func TestEveryExpectationHoldsOrFailsByItself(t *testing.T) {
	m := mesh{
		"GET http://shop.example/rich":        richAnswer(),
		"GET http://shop.example/order":       routed(share("order", "stable", 100)),
		"GET http://shop.example/thirds":      routed(share("a", "", 100.0/3), share("b", "", 100.0/3), share("c", "", 100.0/3)),
		"GET http://shop.example/no-upstream": flagged(answer.OutcomeNoUpstream, "UH", share("order", "canary", 100)),
		"GET http://shop.example/no-cluster":  flagged(answer.OutcomeNoCluster, "NC", share("order", "v9", 100)),
		"GET http://shop.example/half":        halfDown(),
		"GET http://shop.example/redirect":    {Outcome: answer.OutcomeRedirect, Status: 301, Redirect: &answer.Redirect{Code: 301, Location: "https://new.example/%EC%A3%BC"}},
		"GET http://shop.example/tea":         {Outcome: answer.OutcomeDirect, Status: 418, Direct: &answer.Direct{Status: 418}},
		"GET http://shop.example/nobody":      {Outcome: answer.OutcomeNotFound, Closed: true, Reason: "nothing listens on port 81"},
		"GET http://shop.example/aborted":     aborted(),
		"GET http://shop.example/external":    {Outcome: answer.OutcomeRoute, Destinations: []answer.Destination{{Host: "api.example.com", Port: 443, Share: 1}}},
		"order GET http://shop.example/order": routed(share("order", "canary", 100)),
		"GET https://other.example/order":     routed(share("order", "other", 100)),
		"DELETE http://shop.example/order":    routed(share("order", "delete", 100)),
		"GET http://shop.example/unsupported": {Outcome: answer.OutcomeUnsupported, Reason: "unsupported: RouteMatch.filter_state"},
	}
	for _, tt := range []struct{ test, fails string }{
		{"request: GET /order, to: order", ""},
		{"request: /order, to: order@stable", ""},
		{"request: GET /order, to: order.shop@stable:8080", ""},
		{"request: GET /order, to: order.shop.svc.cluster.local", ""},
		{"request: GET /order, to: 'order@stable 100%'", ""},
		{"request: GET /order, to: order@canary", "to: expected order@canary, got order.shop@stable:8080"},
		{"request: GET /order, to: order.stage", "to: expected order.stage, got order.shop@stable:8080"},
		{"request: GET /order, to: order:9090", "to: expected order:9090, got order.shop@stable:8080"},
		{"request: GET /order, to: ord", "to: expected ord, got order.shop@stable:8080"},
		{"request: GET /order, to: 404", "to: expected 404, got order.shop@stable:8080"},
		{"request: DELETE /order, to: order@delete", ""},
		{"request: GET /order, from: order, to: order@canary", ""},
		{"request: GET https://other.example/order, to: order@other", ""},
		{"request: GET /order, host: https://other.example, to: order@other", ""},
		{"request: GET /external, to: api.example.com:443", ""},
		{"request: GET /external, to: api", "to: expected api, got api.example.com:443"},
		{"request: GET /rich, to: 'order@stable 90, order@canary 10', fault: 'delay 2s, abort 503'", ""},
		{"request: GET /rich, to: [order@canary 10, order@stable 90]", ""},
		{"request: GET /rich, to: order", ""},
		{"request: GET /rich, to: 'order@canary 10, order 90'", ""},
		{"request: GET /rich, to: 'order@stable 91, order@canary 9'", "to: expected order@stable 91, order@canary 9, got order.shop@stable:8080 90, order.shop@canary:8080 10"},
		{"request: GET /rich, to: 'order@stable 90, pay@canary 10'", "to: expected order@stable 90, pay@canary 10, got order.shop@stable:8080 90, order.shop@canary:8080 10"},
		{"request: GET /thirds, to: 'a 33.3, b 33.3, c 33.3'", ""},
		{"request: GET /thirds, to: 'a 33, b 33, c 34'", "to: expected a 33, b 33, c 34, got a.shop:8080 33.333333, b.shop:8080 33.333333, c.shop:8080 33.333333"},
		{"request: GET /nothing, to: 404", ""},
		{"request: GET /nothing, to: 404 NR", ""},
		{"request: GET /nothing, to: NR", ""},
		{"request: GET /nothing, to: 503", "to: expected 503, got 404 NR (no route takes it)"},
		{"request: GET /nothing, to: order", "to: expected order, got 404 NR (no route takes it)"},
		{"request: GET /no-upstream, to: 503 UH", ""},
		{"request: GET /no-upstream, to: order@canary UH", ""},
		{"request: GET /no-upstream, to: 503 NC", "to: expected 503 NC, got 503 UH"},
		{"request: GET /no-upstream, to: order@canary", "to: expected order@canary, got 503 UH"},
		{"request: GET /no-cluster, to: 503 NC", ""},
		{"request: GET /half, to: 'order@stable 50, order@canary 50 UH'", ""},
		{"request: GET /half, to: 'order@stable 50, order@canary 50'", "to: expected order@stable 50, order@canary 50, got order.shop@stable:8080 50, order.shop@canary:8080 50 UH"},
		{"request: GET /redirect, to: redirect", ""},
		{"request: GET /redirect, to: redirect 301 https://new.example/주", ""},
		{"request: GET /redirect, to: 301", ""},
		{"request: GET /redirect, to: redirect 302", "to: expected redirect 302, got redirect 301 https://new.example/%EC%A3%BC"},
		{"request: GET /tea, to: respond 418", ""},
		{"request: GET /tea, to: respond 200", "to: expected respond 200, got respond 418"},
		{"request: GET /nobody, to: no listener", ""},
		{"request: GET /nobody, to: 404", "to: expected 404, got no listener (nothing listens on port 81)"},
		{"request: GET /aborted, to: order", "fault: expected none, got abort 503; the request never gets there (write fault: to expect this)"},
		{"request: GET /aborted, to: order, fault: abort 503 100", ""},
		{"request: GET /rich, rule: primary, virtualService: vsvc-order", ""},
		{"request: GET /rich, virtualService: shop/vsvc-order", ""},
		{"request: GET /rich, virtualService: vsvc-order.shop", ""},
		{"request: GET /rich, rule: writes, virtualService: x", "virtualService: expected x, got vsvc-order; rule: expected writes, got primary"},
		{"request: GET /nothing, rule: writes", "rule: expected writes, got none"},
		{"request: GET /rich, rewrite: '/v2/1?q=1', authority: inner.example", ""},
		{"request: GET /order, rewrite: /order, authority: shop.example", ""},
		{"request: GET /rich, rewrite: /v3, authority: b", "rewrite: expected /v3, got /v2/1?q=1; authority: expected b, got inner.example"},
		{"request: GET /nothing, rewrite: /v3", "rewrite: expected /v3, got nothing is sent upstream"},
		{"request: GET /rich, timeout: 5000ms", ""},
		{"request: GET /rich, timeout: none", "timeout: expected none, got 5s"},
		{"request: GET /rich, retries: 3", ""},
		{"request: GET /rich, retries: {on: [reset, 5xx], perTryTimeout: 1s}", ""},
		{"request: GET /rich, retries: none", "retries: expected 0, got 3 on 5xx,reset 1s per try"},
		{"request: GET /order, retries: 0", ""},
		{"request: GET /order, retries: {attempts: 1, on: 5xx}", "retries: expected 1 on 5xx, got 0"},
		{"request: GET /rich, mirror: audit@v1 25", ""},
		{"request: GET /rich, mirror: audit", ""},
		{"request: GET /rich, mirror: audit@v1 30", "mirror: expected audit@v1 30, got audit.shop@v1:8080 25"},
		{"request: GET /rich, mirror: none", "mirror: expected none, got audit.shop@v1:8080 25"},
		{"request: GET /order, mirror: audit", "mirror: expected audit, got none"},
		{"request: GET /rich, fault: 'delay 2s 100, abort 503 10'", ""},
		{"request: GET /rich, fault: abort 503", "fault: expected abort 503, got delay 2s, abort 503 10"},
		{"request: GET /rich, fault: none", "fault: expected none, got delay 2s, abort 503 10"},
		{"request: GET /rich, sends: {X-A: b, x-none: null, x-many: '2'}", ""},
		{"request: GET /rich, sends: {x-many: '1,2'}", ""},
		{"request: GET /rich, sends: {x-a: c, x-none: d}", `sends x-a: expected "c", got "b"; sends x-none: expected "d", got not there`},
		{"request: GET /rich, sends: {x-a: null}", `sends x-a: expected not there, got "b"`},
		{"request: GET /rich, returns: {x-r: s}", ""},
		{"request: GET /rich, returns: {x-r: t}", `returns x-r: expected "t", got "s"`},
		{"request: GET /unsupported, to: order", "answer: expected order, got unsupported: RouteMatch.filter_state"},
		{"request: GET /order, sends: {x-a: b}", `sends x-a: expected "b", got unsupported: the answer does not tell the headers`},
	} {
		t.Run(tt.test, func(t *testing.T) {
			r := run(t, m, "host: shop.example\ntests: [{"+tt.test+"}]\n")
			var got []string
			for _, f := range r.Files[0].Tests[0].Failures {
				got = append(got, f.What+": expected "+f.Expected+", got "+f.Actual)
			}
			if text := strings.Join(got, "; "); text != tt.fails {
				t.Errorf("failures\n got %s\nwant %s", text, tt.fails)
			}
			if s := r.Summary; s.Passed+s.Failed+s.Unsupported != 1 || (s.Passed == 1) != (tt.fails == "") ||
				(s.Unsupported == 1) != strings.Contains(tt.fails, "unsupported") || r.Failed() != (tt.fails != "") || r.Broken() {
				t.Errorf("summary %+v", s)
			}
		})
	}
}

func flagged(outcome, flag string, d answer.Destination) answer.Answer {
	d.Flag = flag
	return answer.Answer{Outcome: outcome, Status: 503, Flag: flag, Destinations: []answer.Destination{d}}
}

func halfDown() answer.Answer {
	down := share("order", "canary", 50)
	down.Flag = "UH"
	return routed(share("order", "stable", 50), down)
}

func aborted() answer.Answer {
	a := routed(share("order", "stable", 100))
	a.Fault = &answer.Fault{Abort: 503, AbortShare: 1}
	return a
}

// recorder remembers what was asked.
type recorder []answer.Request

func (r *recorder) Ask(_ context.Context, q answer.Request) (*answer.Answer, error) {
	*r = append(*r, q)
	return &answer.Answer{Request: q, Outcome: answer.OutcomeNotFound, Status: 404}, nil
}

func TestTablesAndDefaultsMakeTheSameRequestsAsTests(t *testing.T) {
	var asked recorder
	r := run(t, &asked, `# a comment
from: order
host: shop.example:8080
headers: {x-all: 1, x-b: [one, two]}
tests:
- {request: GET /a, to: 404, random: 7}
- {request: GET /b, headers: {x-all: null, X-B: three}, to: 404}
table: |
  | request | x-user | from    | headers.from | to  | name  |
  |:--------|--------|---------|--------------|-----|-------|
  | GET /c  |        | gateway | me@x.example | 404 |       |

  # the next one has a bar
  | GET /d  | a\|b   |         |              | 404 | named |
  | GET /e  | ""     |         |              | 404 |       |
---
host: https://second.example
table: |
  | request | to |
  | POST /f | 404 |
`)
	if r.Summary.Passed != 6 {
		t.Fatalf("%+v", r.Files)
	}
	random := uint64(7)
	all := []route.Header{{Name: "x-all", Value: "1"}, {Name: "x-b", Value: "one"}, {Name: "x-b", Value: "two"}}
	with := func(name, value string) []route.Header {
		return append(append([]route.Header(nil), all...), route.Header{Name: name, Value: value})
	}
	want := []answer.Request{
		{Method: "GET", URL: "http://shop.example:8080/a", Headers: all, From: "order", Random: &random},
		{Method: "GET", URL: "http://shop.example:8080/b", Headers: []route.Header{{Name: "x-b", Value: "three"}}, From: "order"},
		{Method: "GET", URL: "http://shop.example:8080/c", Headers: with("from", "me@x.example"), From: "gateway"},
		{Method: "GET", URL: "http://shop.example:8080/d", Headers: with("x-user", "a|b"), From: "order"},
		{Method: "GET", URL: "http://shop.example:8080/e", Headers: with("x-user", ""), From: "order"},
		{Method: "POST", URL: "https://second.example/f"},
	}
	for i, w := range want {
		g := asked[i]
		if g.Method != w.Method || g.URL != w.URL || g.From != w.From || len(g.Headers) != len(w.Headers) || (g.Random == nil) != (w.Random == nil) {
			t.Errorf("request %d: got %+v, want %+v", i, g, w)
			continue
		}
		for k := range w.Headers {
			if g.Headers[k] != w.Headers[k] {
				t.Errorf("request %d, header %d: got %v, want %v", i, k, g.Headers[k], w.Headers[k])
			}
		}
	}
	var places []int
	for _, test := range r.Files[0].Tests {
		places = append(places, test.Line)
	}
	if places[0] != 6 || places[2] != 11 || places[3] != 14 || places[5] != 20 {
		t.Errorf("lines %v", places)
	}
	if name := r.Files[0].Tests[3].Name; name != "named" {
		t.Errorf("name %q", name)
	}
}
