package report_test

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/meshstorm/meshstorm/compare/report"
	"github.com/meshstorm/meshstorm/route"
	"github.com/meshstorm/meshstorm/simulate/answer"
)

var update = flag.Bool("update", false, "write the golden files")

func sample() *report.Report {
	random := uint64(7)
	r := &report.Report{
		APIVersion: report.APIVersion, Before: "git:HEAD", After: ".",
		Differences: []report.Difference{
			{
				Request: answer.Request{Method: "GET", URL: "http://shop.example/orders", From: "gateway", Headers: []route.Header{{Name: "x-user", Value: "it's me"}}},
				Proxy:   answer.Proxy{Kind: "gateway", Name: "istio-ingressgateway", Namespace: "istio-system"}, Port: 80,
				Also: []string{"sidecar a.ns", "sidecar b.ns", "sidecar c.ns", "sidecar d.ns", "sidecar e.ns", "sidecar f.ns"},
				What: []string{"destination", "shares", "timeout"},
				Changes: []report.Change{
					{What: "destination", After: []string{"order@canary:8080"}},
					{What: "shares", Before: []string{"order@stable:8080 100 %"}, After: []string{"order@canary:8080 10 %", "order@stable:8080 90 %"}},
					{What: "timeout", Before: []string{"none"}, After: []string{"5s"}},
				},
				Before:  report.End{Text: "goes to order, subset stable", Rule: "primary", Kind: "VirtualService", VirtualService: "shop", Namespace: "default", File: "istio.yml", Line: 12},
				After:   report.End{Text: "goes to order, subset stable (90 of 100), order, subset canary (10 of 100)", Rule: "primary", Kind: "VirtualService", VirtualService: "shop", Namespace: "default", File: "istio.yml", Line: 14},
				Regions: 3,
			},
			{
				Request: answer.Request{Method: "POST", URL: "http://order:8080/", From: "pay.default", Random: &random},
				Proxy:   answer.Proxy{Kind: "sidecar", Name: "pay", Namespace: "default"}, Port: 8080,
				What: []string{"destination"}, Changes: []report.Change{{What: "destination", Before: []string{"order:8080"}, After: []string{"reaches nothing"}}},
				Before: report.End{Text: "goes to order:8080", Rule: "default"}, After: report.End{Text: "reaches nothing"}, Regions: 1,
			},
		},
		Unproved: []report.Unproved{
			{Proxy: "sidecar pay.default", Port: 80, Reason: "it depends on metadata", Request: &answer.Request{Method: "GET", URL: "http://a/", From: "pay.default"},
				Before: &report.End{Text: "goes to a"}, After: &report.End{Text: "goes to b"}},
			{Reason: "only one side has a sidecar of x.default"},
		},
		Disagreements: []string{"GET / is taken by another rule"},
		Compared:      report.Compared{Proxies: 2, RouteConfigurations: 4, VirtualHosts: 30, Equal: 28, Routes: 6, Requests: 5},
	}
	for i := range r.Differences {
		r.Differences[i].Command = report.Command(r.Differences[i].Request)
	}
	r.Summarize()
	return r
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestTextAndJSON(t *testing.T) {
	var b strings.Builder
	if err := report.WriteText(&b, sample()); err != nil {
		t.Fatal(err)
	}
	golden(t, "report.txt", b.String())
	data, err := json.MarshalIndent(sample(), "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "report.json", string(data)+"\n")
}

func TestOnlyAProofIsUnchanged(t *testing.T) {
	tests := []struct {
		name string
		edit func(*report.Report)
		same bool
		text string
	}{
		{"nothing found and all proved", func(*report.Report) {}, true, "unchanged: proved for every HTTP request"},
		{"nothing found but not proved", func(r *report.Report) { r.Unproved = make([]report.Unproved, 1) }, false, "no difference was found, but that is not proved; 1 case is not proved"},
		{"a fault of ours", func(r *report.Report) { r.Disagreements = []string{"x"} }, false, "no difference was found, but that is not proved; 1 request shows a fault in meshstorm"},
		{"differences", func(r *report.Report) { r.Differences = make([]report.Difference, 2) }, false, "2 kinds of requests are treated differently"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			r := &report.Report{}
			test.edit(r)
			r.Summarize()
			if r.Same() != test.same || r.Summary.Text != test.text {
				t.Errorf("got %v, %q", r.Same(), r.Summary.Text)
			}
		})
	}
}

func TestAskSendsTheHostThatIsMeant(t *testing.T) {
	tests := []struct {
		name string
		r    route.Request
		port int
		want string
	}{
		{"the scheme's own port", route.Request{Method: "GET", Scheme: "http", Authority: "a.example", Path: "/x?q=1"}, 80, "meshstorm route GET 'http://a.example/x?q=1'"},
		{"another port", route.Request{Method: "GET", Scheme: "http", Authority: "order:8080", Path: "/"}, 8080, "meshstorm route GET http://order:8080/"},
		{"a host without the port that clients would send", route.Request{Method: "GET", Scheme: "http", Authority: "order", Path: "/"}, 8080, "meshstorm route GET http://order:8080/ -H 'host: order'"},
		{"https", route.Request{Method: "GET", Scheme: "https", Authority: "a.example", Path: "/"}, 443, "meshstorm route GET https://a.example/"},
		{"an address", route.Request{Method: "GET", Scheme: "http", Authority: "[::1]:80", Path: "/"}, 80, "meshstorm route GET 'http://[::1]/' -H 'host: [::1]:80'"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			q, ok := report.Ask(test.r, "gateway", test.port)
			if got := report.Command(q); !ok || got != test.want {
				t.Errorf("got %s, %v", got, ok)
			}
		})
	}
}
