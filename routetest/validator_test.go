package routetest_test

import (
	"strings"
	"testing"

	"github.com/meshstorm/meshstorm/route"
	"github.com/meshstorm/meshstorm/routetest"
	"github.com/meshstorm/meshstorm/simulate/answer"
)

// usersMesh is what the test cases below ask.
func usersMesh() mesh {
	users := routed(share("users", "", 100))
	users.Destinations[0].Port = 80
	split := routed(share("users", "v1", 75), share("users", "v2", 25))
	rewritten := routed(share("users", "", 100))
	rewritten.Rewrite = &answer.Rewrite{Path: "/v2/1?q=1", Authority: "inner"}
	changed := routed(share("users", "", 100))
	changed.Effect = &route.Effect{RequestHeaders: []route.Header{{Name: "x-a", Value: "b"}}}
	changed.Returns = []route.Header{{Name: "x-r", Value: "s"}}
	changed.Retries = &answer.Retries{Attempts: 2, On: []string{"5xx"}}
	changed.Mirrors = []answer.Mirror{{Host: "audit.shop.svc.cluster.local", Port: 80, Share: 0.5}}
	changed.Fault = &answer.Fault{Abort: 503, AbortShare: 1, Delay: "5s", DelayShare: 0.1}
	delegated := routed(share("users", "", 100))
	delegated.Winner.VirtualService, delegated.Winner.Namespace = "users-team", "users"
	return mesh{
		"GET http://example.com/users":     users,
		"POST http://example.com/users":    users,
		"GET http://www.example.com/users": users,
		"GET http://example.com/split":     split,
		"GET http://example.com/old/1?q=1": rewritten,
		"GET http://example.com/changed":   changed,
		"GET http://example.com/delegate":  delegated,
		"GET http://example.com/old": {Outcome: answer.OutcomeRedirect, Status: 302, Winner: &answer.Winner{VirtualService: "a"},
			Redirect: &answer.Redirect{Code: 302, Location: "https://new.example:8443/new?q=1"}},
	}
}

func TestTestCasesOfIstioConfigValidator(t *testing.T) {
	const users = "{destination: {host: users.shop.svc.cluster.local, port: {number: 80}}}"
	for _, tt := range []struct {
		about, uri, want string
		fails            string // part of the first failure; "" where the case holds
	}{
		{"the destination", "/users", "wantMatch: true, route: [" + users + "]", ""},
		{"the destination by its short name", "/users", "wantMatch: true, route: [{destination: {host: users}}]", ""},
		{"a weight that changes nothing", "/users", "wantMatch: true, route: [{destination: {host: users}, weight: 100}]", ""},
		{"another destination", "/users", "wantMatch: true, route: [{destination: {host: orders}}]", "expected orders, got users.shop:80"},
		{"another port", "/users", "wantMatch: true, route: [{destination: {host: users, port: {number: 81}}}]", "expected users:81"},
		{"a subset that is not there", "/users", "wantMatch: true, route: [{destination: {host: users, subset: v1}}]", "expected users@v1"},
		{"a destination that must differ", "/users", "wantMatch: false, route: [{destination: {host: orders}}]", ""},
		{"a destination that must differ and does not", "/users", "wantMatch: false, route: [{destination: {host: users}}]", "expected another result"},
		{"no match where none is wanted", "/nothing", "wantMatch: false, route: [" + users + "]", ""},
		{"no match where one is wanted", "/nothing", "wantMatch: true, route: [" + users + "]", "got 404 NR"},
		{"a match of any rule", "/users", "wantMatch: true", ""},
		{"no match of any rule", "/nothing", "wantMatch: false", ""},
		{"a rule where none is wanted", "/users", "wantMatch: false", "expected another result"},
		{"no rule where one is wanted", "/nothing", "wantMatch: true", "a rule takes the request"},
		{"weights as shares", "/split", "wantMatch: true, route: [{destination: {host: users, subset: v1}, weight: 3}, {destination: {host: users, subset: v2}, weight: 1}]", ""},
		{"weights in another order", "/split", "wantMatch: true, route: [{destination: {host: users, subset: v2}, weight: 25}, {destination: {host: users, subset: v1}, weight: 75}]", ""},
		{"other weights", "/split", "wantMatch: true, route: [{destination: {host: users, subset: v1}, weight: 90}, {destination: {host: users, subset: v2}, weight: 10}]", "expected users@v1 90, users@v2 10, got users.shop@v1:8080 75"},
		{"one of two destinations", "/split", "wantMatch: true, route: [{destination: {host: users, subset: v1}}]", "route"},
		{"a redirect", "/old", "wantMatch: true, redirect: {uri: /new, authority: new.example, port: 8443, scheme: https, redirectCode: 302}", ""},
		{"a redirect in snake case", "/old", "wantMatch: true, redirect: {redirect_code: 302}", ""},
		{"a redirect with another code", "/old", "wantMatch: true, redirect: {uri: /new}", "redirect: expected redirect 301, uri /new"},
		{"a redirect elsewhere", "/old", "wantMatch: true, redirect: {uri: /newer, redirectCode: 302}", "redirect"},
		{"a redirect where there is none", "/users", "wantMatch: true, redirect: {uri: /new}", "got users.shop:80"},
		{"a rewrite", "/old/1?q=1", "wantMatch: true, rewrite: {uri: /v2, authority: inner}", ""},
		{"another rewrite", "/old/1?q=1", "wantMatch: true, rewrite: {uri: /v3}", "expected /v3..., got /v2/1"},
		{"another authority", "/old/1?q=1", "wantMatch: true, rewrite: {authority: outer}", "expected outer, got inner"},
		{"a rewrite where there is none", "/users", "wantMatch: true, rewrite: {uri: /}", "got /users"},
		{"a rewrite by expression", "/old/1?q=1", `wantMatch: true, rewrite: {uriRegexRewrite: {match: "^/old/(.*)$", rewrite: "/v2/\\1"}}`, ""},
		{"a rewrite by another expression", "/old/1?q=1", `wantMatch: true, rewrite: {uri_regex_rewrite: {match: "^/old", rewrite: "/v3"}}`, "got /v2/1"},
		{"headers", "/changed", "wantMatch: true, headers: {request: {set: {x-a: b}, remove: [x-gone]}, response: {add: {x-r: s}}}", ""},
		{"other headers", "/changed", "wantMatch: true, headers: {request: {add: {x-a: c}}}", `sends x-a: expected "c", got "b"`},
		{"headers of a destination", "/changed", "wantMatch: true, route: [{destination: {host: users}, headers: {request: {set: {x-a: z}}}}]", `sends x-a: expected "z"`},
		{"a fault", "/changed", "wantMatch: true, fault: {abort: {httpStatus: 503, percentage: {value: 100}}, delay: {fixedDelay: 5s, percentage: {value: 10}}}", ""},
		{"another fault", "/changed", "wantMatch: true, fault: {abort: {grpcStatus: UNAVAILABLE}}", "expected abort grpc 14, got delay 5s 10, abort 503"},
		{"a mirror", "/changed", "wantMatch: true, mirror: {host: audit}, mirrorPercentage: {value: 50}", ""},
		{"another mirror", "/changed", "wantMatch: true, mirror: {host: audit, subset: v1}", "expected audit@v1, got audit.shop:80 50"},
		{"a timeout and retries", "/changed", "wantMatch: true, timeout: 15s, retries: {attempts: 2, retryOn: 5xx}", ""},
		{"a delegate", "/delegate", "wantMatch: true, delegate: {name: users-team, namespace: users}", ""},
		{"another delegate", "/delegate", "wantMatch: true, delegate: {name: team}", "expected team, got users-team"},
		{"no wantMatch is false, as in the tool", "/users", "route: [{destination: {host: users}}]", "expected another result"},
	} {
		t.Run(tt.about, func(t *testing.T) {
			text := "testCases:\n- {description: a case, request: {authority: [example.com], method: [GET], uri: ['" + tt.uri + "']}, " + tt.want + "}\n"
			r := run(t, usersMesh(), text)
			got := ""
			if f := r.Files[0].Tests[0].Failures; len(f) > 0 {
				got = f[0].What + ": expected " + f[0].Expected + ", got " + f[0].Actual
			}
			if (tt.fails == "") != (got == "") || !strings.Contains(got, tt.fails) {
				t.Errorf("got %q, want %q", got, tt.fails)
			}
			if r.Files[0].Format != routetest.FormatValidator || r.Files[0].Tests[0].Name != "a case" {
				t.Errorf("%+v", r.Files[0])
			}
		})
	}
}

func TestEveryCombinationOfATestCaseIsARequest(t *testing.T) {
	r := run(t, usersMesh(), `testCases:
- description: users
  wantMatch: true
  request:
    authority: [example.com, www.example.com]
    method: [GET, POST]
    uri: [/users]
    headers: {X-User: tester}
  route:
  - destination: {host: users}
`)
	want := []struct{ name, status string }{
		{"users: GET example.com/users", "passed"}, {"users: POST example.com/users", "passed"},
		{"users: GET www.example.com/users", "passed"}, {"users: POST www.example.com/users", "failed"},
	}
	tests := r.Files[0].Tests
	if len(tests) != len(want) {
		t.Fatalf("%d tests: %+v", len(tests), tests)
	}
	for i, w := range want {
		if tests[i].Name != w.name || string(tests[i].Status) != w.status || !strings.Contains(tests[i].Request, "x-user: tester") {
			t.Errorf("test %d: %+v", i, tests[i])
		}
	}
}

func TestHostsThatNoGatewayKnowsAreAskedAtASidecar(t *testing.T) {
	m := usersMesh()
	m["checkout.front GET http://users.shop/a"] = routed(share("users", "v1", 100))
	m["checkout.front GET http://orders:8080/a"] = routed(share("orders", "", 100))
	routes := []answer.RouteInfo{
		{Proxy: answer.Proxy{Kind: "gateway", Name: "istio-ingressgateway", Namespace: "istio-system"}},
		{Proxy: answer.Proxy{Kind: "sidecar", Name: "other", Namespace: "back"}},
		{Proxy: answer.Proxy{Kind: "sidecar", Name: "checkout", Namespace: "front"}},
		{Proxy: answer.Proxy{Kind: "sidecar", Name: "second", Namespace: "front"}},
	}
	f, err := routetest.Load("t.yaml", []byte(`testCases:
- {description: mesh, wantMatch: true, request: {authority: [users.shop], method: [GET], uri: [/a]}, route: [{destination: {host: users, subset: v1}}]}
- {description: port, wantMatch: true, request: {authority: [orders], method: [GET], uri: [/a]}, route: [{destination: {host: orders, port: {number: 8080}}}]}
- {description: nobody, wantMatch: false, request: {authority: [nobody], method: [GET], uri: [/a]}, route: [{destination: {host: users}}]}
`))
	if err != nil {
		t.Fatal(err)
	}
	r, err := routetest.Run(t.Context(), routetest.Subject{Mesh: m, Routes: routes}, []*routetest.File{f})
	if err != nil || r.Summary.Passed != 3 {
		t.Fatalf("%v %+v", err, r.Files[0].Tests)
	}
	if got := r.Files[0].Tests[0].Request; got != "GET http://users.shop/a from checkout.front" {
		t.Errorf("request %q", got)
	}
}

func TestTyposInTestCases(t *testing.T) {
	for _, tt := range []struct{ about, text, want string }{
		{"a key of a case", "testCases: [{descriptio: a}]", `t.yaml:1:14: test case 1 has no key "descriptio"; did you mean description?`},
		{"a key of the request", "testCases: [{request: {authority: [a], uri: [/], methods: [GET]}}]", `a request has no key "methods"; did you mean method?`},
		{"no request", "testCases: [{description: a}]", "test case 1 has no request"},
		{"no authority", "testCases: [{request: {uri: [/]}}]", "the request has no authority"},
		{"no uri", "testCases: [{request: {authority: [a]}}]", "the request has no uri"},
		{"a uri that is no path", "testCases: [{request: {authority: [a], uri: [b]}}]", `uri "b" is no path`},
		{"a route without a host", "testCases: [{request: {authority: [a], uri: [/]}, route: [{destination: {}}]}]", "the destination has no host"},
		{"a route without a destination", "testCases: [{request: {authority: [a], uri: [/]}, route: [{weight: 1}]}]", "has no destination"},
		{"a wantMatch that is none", "testCases: [{wantMatch: yes, request: {authority: [a], uri: [/]}}]", `wantMatch is "yes"`},
		{"a regular expression that is none", "testCases: [{request: {authority: [a], uri: [/]}, rewrite: {uriRegexRewrite: {match: '('}}}]", "uriRegexRewrite"},
		{"a duration that is none", "testCases: [{request: {authority: [a], uri: [/]}, timeout: x}]", `timeout is "x"`},
	} {
		t.Run(tt.about, func(t *testing.T) {
			f, err := routetest.Load("t.yaml", []byte(tt.text))
			if err == nil || !strings.Contains(err.Error(), tt.want) || len(f.Tests) != 0 {
				t.Errorf("got %v\nwant %s", err, tt.want)
			}
		})
	}
}
