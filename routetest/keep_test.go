package routetest_test

import (
	"strings"
	"testing"

	"github.com/meshstorm/meshstorm/route"
	"github.com/meshstorm/meshstorm/routetest"
	"github.com/meshstorm/meshstorm/simulate/answer"
)

func TestKeptTestsHoldAndChangeNothingElse(t *testing.T) {
	redirect := answer.Answer{Outcome: answer.OutcomeRedirect, Redirect: &answer.Redirect{Code: 301, Location: "https://shop.example/old"}}
	m := mesh{
		"GET http://shop.example/orders":            routed(share("order", "stable", 90), share("order", "canary", 10)),
		"GET http://shop.example/thirds":            routed(share("a", "", 100.0/3), share("b", "", 200.0/3)),
		"delivery GET http://order:8080/orders/%20": routed(share("order", "stable", 100)),
		"GET http://shop.example/old":               redirect,
	}
	questions := []answer.Request{
		{Method: "GET", URL: "http://shop.example/orders", Headers: []route.Header{{Name: "x-a", Value: "yes"}, {Name: "x-b", Value: "1"}, {Name: "x-b", Value: "#2"}}},
		{Method: "GET", URL: "http://shop.example/thirds", From: "gateway"},
		{Method: "GET", URL: "http://order:8080/orders/%20", From: "delivery"},
		{Method: "GET", URL: "http://shop.example/old"},
		{Method: "GET", URL: "http://shop.example/nothing"},
	}
	for _, start := range []string{
		"",
		"# mine\n",
		"# mine\ntests:\n  - request: GET http://shop.example/orders # why\n    to: order@stable 90, order@canary 10\n# end",
		"host: http://other.example\nheaders: {x-no: match}\ntests: [{request: GET /, to: 404}]\n",
		"host: http://other.example\ntable: |\n  | request | to  |\n  | GET /   | 404 |\n",
	} {
		text := []byte(start)
		for i, q := range questions {
			a, err := m.Ask(t.Context(), q)
			if err != nil {
				t.Fatal(err)
			}
			name := ""
			if i == 0 {
				name = "the first: kept"
			}
			if text, err = routetest.Keep("routes/asked.yaml", text, name, a); err != nil {
				t.Fatalf("%q: %v", start, err)
			}
		}
		if !strings.HasPrefix(string(text), start) {
			t.Errorf("%q became\n%s", start, text)
		}
		r := run(t, m, string(text))
		if r.Summary.Failed > 0 || r.Summary.Passed < len(questions) {
			t.Errorf("%+v of\n%s", r.Summary, text)
		}
		other := mesh{"GET http://shop.example/orders": routed(share("order", "stable", 100))}
		if r := run(t, other, string(text)); r.Summary.Failed < 4 {
			t.Errorf("in another mesh: %+v of\n%s", r.Summary, text)
		}
	}
}

func TestWhatNoTestCanExpectIsNotKept(t *testing.T) {
	for text, a := range map[string]answer.Answer{
		"":                             {Outcome: answer.OutcomeUnsupported, Reason: "a Lua filter decides"},
		"tests:\n- {request: GET /}\n": routed(share("order", "", 100)), // expects nothing
		"testCases: []\n":              routed(share("order", "", 100)),
	} {
		a.Request = answer.Request{Method: "GET", URL: "http://shop.example/"}
		if got, err := routetest.Keep("routes/t.yaml", []byte(text), "", &a); err == nil {
			t.Errorf("%q became %q", text, got)
		}
	}
}
