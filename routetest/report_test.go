package routetest_test

import (
	"bytes"
	"context"
	"encoding/json"
	"encoding/xml"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/meshstorm/meshstorm/route"
	"github.com/meshstorm/meshstorm/routetest"
	"github.com/meshstorm/meshstorm/routetest/routercheck"
	"github.com/meshstorm/meshstorm/simulate/answer"
)

var update = flag.Bool("update", false, "write the golden files anew")

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("%s differs (%v); go test -update writes it anew. Got:\n%s", path, err, got)
	}
}

// faultyMesh cannot ask one of the requests.
type faultyMesh struct{ mesh }

func (m faultyMesh) Ask(ctx context.Context, r answer.Request) (*answer.Answer, error) {
	if r.From == "nobody" {
		return nil, errors.New("there is no service nobody")
	}
	return m.mesh.Ask(ctx, r)
}

// mixed is a report with every status, of all formats.
func mixed(t *testing.T) *routetest.Report {
	t.Helper()
	taken := routed(share("pay", "stable", 100))
	taken.Winner.VirtualService, taken.Winner.Rule, taken.RouteKey = "vsvc-pay", "primary", "pay"
	taken.Rules = []answer.Rule{
		{Name: "writes", VirtualService: "vsvc-order", File: "istio.yml", Line: 4, Failed: "method is GET, not POST"},
		{Name: "primary", VirtualService: "vsvc-pay", Matched: true},
	}
	good := routed(share("order", "stable", 100))
	good.RouteKey = "order"
	unsupported := answer.Answer{Outcome: answer.OutcomeUnsupported, Reason: "unsupported: RouteMatch.filter_state"}
	m := faultyMesh{mesh{
		"GET http://shop.example/orders":    good,
		"GET http://shop.example/pays":      taken,
		"GET http://shop.example/sometimes": unsupported,
	}}
	var files []*routetest.File
	for _, f := range []struct{ path, text string }{
		{"routes/order.yaml", `host: http://shop.example
headers: {x-user: it's <me>}
tests:
- {request: GET /orders, to: order@stable}
- {name: pays & orders, request: GET /pays, to: order@stable, rule: writes, timeout: 1s}
- {request: GET /sometimes, to: order}
- {request: GET /orders, from: nobody, to: order}
- {reqest: GET /, to: 404}
`},
		{"envoy.yaml", "tests:\n- {test_name: envoy, input: {authority: a, path: /x}, validate: {cluster_name: b}}\n"},
		{"empty.yaml", ""},
	} {
		file, _ := routetest.Load(f.path, []byte(f.text))
		files = append(files, file)
	}
	envoy, err := routercheck.LoadConfig("rc.yaml", []byte("virtual_hosts:\n- name: a\n  domains: [a]\n  routes:\n"+
		"  - {match: {prefix: /x}, route: {cluster: c}}\n  - {match: {prefix: /}, route: {weighted_clusters: {clusters: [{name: d, weight: 1}]}}}\n"))
	if err != nil {
		t.Fatal(err)
	}
	routes := []answer.RouteInfo{
		{Key: "order", Kind: "VirtualService", VirtualService: "vsvc-order", Namespace: "shop", Rule: "primary", File: "istio.yml", Line: 7},
		{Key: "order 2", Kind: "VirtualService", VirtualService: "vsvc-order", Namespace: "shop", Rule: "writes", Match: "uri exact /orders and method exact POST", File: "istio.yml", Line: 4},
		{Key: "pay", Kind: "VirtualService", VirtualService: "vsvc-pay", Namespace: "shop", Rule: "primary", File: "istio.yml", Line: 17},
	}
	r, err := routetest.Run(t.Context(), routetest.Subject{Mesh: m, Routes: routes, Envoy: envoy, Arguments: "-f istio.yml"}, files)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestReports(t *testing.T) {
	r := mixed(t)
	c := r.ShowCoverage()
	if c.Total != 5 || c.Reached != 3 || c.Percent != 60 || !c.Under(60.1) || c.Under(60) || c.Under(0) {
		t.Errorf("coverage %+v", c)
	}
	if !r.Failed() || !r.Broken() {
		t.Errorf("failed %v, broken %v", r.Failed(), r.Broken())
	}
	for name, write := range map[string]func(*bytes.Buffer) error{
		"report.txt":  func(b *bytes.Buffer) error { return r.WriteText(b) },
		"report.json": func(b *bytes.Buffer) error { return r.WriteJSON(b) },
		"report.xml":  func(b *bytes.Buffer) error { return r.WriteJUnit(b) },
	} {
		var b bytes.Buffer
		if err := write(&b); err != nil {
			t.Fatal(err)
		}
		golden(t, name, b.Bytes())
	}
}

// The attributes are those that Jenkins' and GitLab's readers of JUnit need:
// https://docs.gitlab.com/ci/testing/unit_test_reports/ and
// https://github.com/jenkinsci/xunit-plugin (junit-10.xsd).
func TestJUnitIsWhatItsReadersTake(t *testing.T) {
	var b bytes.Buffer
	if err := mixed(t).WriteJUnit(&b); err != nil {
		t.Fatal(err)
	}
	var got struct {
		XMLName xml.Name `xml:"testsuites"`
		Suites  []struct {
			Name     string `xml:"name,attr"`
			Tests    int    `xml:"tests,attr"`
			Failures int    `xml:"failures,attr"`
			Errors   int    `xml:"errors,attr"`
			Cases    []struct {
				Name      string     `xml:"name,attr"`
				ClassName string     `xml:"classname,attr"`
				Failure   []struct{} `xml:"failure"`
				Error     []struct{} `xml:"error"`
			} `xml:"testcase"`
		} `xml:"testsuite"`
	}
	if err := xml.Unmarshal(b.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	for _, s := range got.Suites {
		failures, broken := 0, 0
		for _, c := range s.Cases {
			failures, broken = failures+len(c.Failure), broken+len(c.Error)
			if c.Name == "" || c.ClassName == "" {
				t.Errorf("%s: a case without a name: %+v", s.Name, c)
			}
		}
		if s.Name == "" || s.Tests != len(s.Cases) || s.Failures != failures || s.Errors != broken {
			t.Errorf("suite %+v", s)
		}
	}
	if len(got.Suites) != 3 {
		t.Errorf("%d suites", len(got.Suites))
	}
}

func TestJSONHasListsWhereThereIsNothing(t *testing.T) {
	r, err := routetest.Run(t.Context(), routetest.Subject{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.ShowCoverage()
	var b bytes.Buffer
	if err := r.WriteJSON(&b); err != nil || !json.Valid(b.Bytes()) {
		t.Fatal(err)
	}
	for _, want := range []string{`"files": []`, `"unreached": []`, `"percent": 100`} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("%s is missing in %s", want, b.String())
		}
	}
}

func TestFailuresSayWhyTheExpectedRuleDidNotTakeIt(t *testing.T) {
	taken := routed(share("other", "", 100))
	taken.Winner.VirtualService = "vsvc-other"
	taken.Rules = []answer.Rule{
		{Name: "canary", VirtualService: "vsvc-order", File: "a.yaml", Line: 1, Failed: "header x-user is missing"},
		{Name: "primary", VirtualService: "vsvc-order", File: "a.yaml", Line: 9, Failed: `path "/x" is not "/orders"`},
		{Name: "primary", VirtualService: "vsvc-reorder", Failed: "no"},
		{Name: "primary", VirtualService: "vsvc-other", Matched: true},
	}
	for _, tt := range []struct{ test, want string }{
		{"to: order", "rule canary of vsvc-order (a.yaml:1) does not take it: header x-user is missing|rule primary of vsvc-order (a.yaml:9) does not take it: path \"/x\" is not \"/orders\""},
		{"to: order.shop, rule: canary", "rule canary of vsvc-order (a.yaml:1) does not take it: header x-user is missing"},
		{"virtualService: vsvc-order, rule: primary", "rule primary of vsvc-order (a.yaml:9) does not take it: path \"/x\" is not \"/orders\""},
		{"virtualService: shop/vsvc-reorder", "rule primary of vsvc-reorder does not take it: no"},
		{"to: 404", ""},
		{"to: other@v9", ""},
	} {
		t.Run(tt.test, func(t *testing.T) {
			r := run(t, mesh{"GET http://shop.example/x": taken}, "host: shop.example\ntests: [{request: GET /x, "+tt.test+"}]\n")
			hints := r.Files[0].Tests[0].Hints
			last := len(hints) - 1
			if last < 0 || hints[last] != "rule primary of vsvc-other takes it (istio.yml:7)" {
				t.Fatalf("hints %q", hints)
			}
			if got := strings.Join(hints[:last], "|"); got != tt.want {
				t.Errorf("got %s\nwant %s", got, tt.want)
			}
		})
	}
}

func TestFailuresShowACommandToPaste(t *testing.T) {
	r := run(t, mesh{}, "host: https://shop.example\ntests: [{request: 'DELETE /a?c=d&e', from: order.shop, headers: {x-user: it's}, to: 503, random: 7}]\n")
	want := `meshstorm route DELETE 'https://shop.example/a?c=d&e' --from order.shop -H 'x-user: it'\''s' --random 7`
	if got := r.Files[0].Tests[0].Command; got != want {
		t.Errorf("got %s\nwant %s", got, want)
	}
}

func TestRunStopsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	f, _ := routetest.Load("t.yaml", []byte("tests: [{request: http://a/, to: 404}]"))
	if _, err := routetest.Run(ctx, routetest.Subject{Mesh: mesh{}}, []*routetest.File{f}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func BenchmarkRun(b *testing.B) {
	var text strings.Builder
	text.WriteString("host: shop.example\ntable: |\n  | request | x-user | to |\n")
	for range 1000 {
		text.WriteString("  | GET /orders/1 | tester | order@stable 90, order@canary 10 |\n")
	}
	data := []byte(text.String())
	a := routed(share("order", "stable", 90), share("order", "canary", 10))
	a.Effect = &route.Effect{}
	m := mesh{"GET http://shop.example/orders/1": a}
	b.ReportAllocs()
	for b.Loop() {
		f, err := routetest.Load("t.yaml", data)
		if err != nil {
			b.Fatal(err)
		}
		r, err := routetest.Run(b.Context(), routetest.Subject{Mesh: m}, []*routetest.File{f})
		if err != nil || r.Summary.Passed != 1000 {
			b.Fatal(err, r.Summary)
		}
	}
}
