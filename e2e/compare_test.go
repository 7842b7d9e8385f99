package e2e

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"

	changes "github.com/meshstorm/meshstorm/compare/report"
)

func comparison(t *testing.T, dir string, code int, a, b string) *changes.Report {
	t.Helper()
	r := meshstorm(t, dir, code, "compare", "-o", "json", a, b)
	out := &changes.Report{}
	dec := json.NewDecoder(strings.NewReader(r.stdout))
	dec.DisallowUnknownFields()
	if err := dec.Decode(out); err != nil {
		t.Fatalf("%v in\n%s", err, r.stdout)
	}
	if len(out.Disagreements) > 0 {
		t.Errorf("the evaluation and the sets disagree: %q", out.Disagreements)
	}
	return out
}

func TestCompareProvesThatNothingChanged(t *testing.T) {
	w := mall(t)
	if r := comparison(t, w, 0, "git:HEAD", "."); !r.Summary.Unchanged || r.Compared.VirtualHosts == 0 {
		t.Errorf("report: %+v", r)
	}
	// Names and order of rules that cannot meet are no treatment.
	file := filepath.Join(w, "kubernetes/template/istio.yml")
	write(t, strings.ReplaceAll(read(t, file), "name: primary", "name: main"), file)
	comparison(t, w, 0, "git:HEAD", ".")
}

func TestCompareNamesWhatEditsChange(t *testing.T) {
	for _, tt := range []struct {
		about, old, now string
		request, what   string
	}{
		{"weights", "weight: 0\n", "weight: 25\n", "/orders", "shares"},
		{"a path", "exact: /orders\n", "exact: /order\n", "/order", "destination"},
		{"retries", "attempts: 0", "attempts: 3", "POST", "retries"},
		{"a pod's labels", "track: stable", "track: old", "", "workloads"},
	} {
		t.Run(tt.about, func(t *testing.T) {
			w := mall(t)
			file := filepath.Join(w, "kubernetes/template/istio.yml")
			if tt.about == "a pod's labels" {
				file = filepath.Join(w, "kubernetes/template/template.yml")
			}
			text := read(t, file)
			if !strings.Contains(text, tt.old) {
				t.Fatalf("%s lacks %q", file, tt.old)
			}
			write(t, strings.ReplaceAll(text, tt.old, tt.now), file)
			r := comparison(t, w, 1, "git:HEAD", ".")
			if len(r.Differences) == 0 {
				t.Fatal("no difference")
			}
			found := false
			for _, d := range r.Differences {
				found = found || strings.Contains(d.Command, tt.request)
				// The witness is what the command line says it is, on both sides.
				args := strings.Fields(strings.ReplaceAll(d.Command, "'", ""))[1:]
				if len(args) != 5 || args[0] != "route" {
					continue
				}
				now := meshstorm(t, w, 0, args...)
				if !strings.Contains(now.stdout, d.After.Text) {
					t.Errorf("%s says\n%s\nand compare said %q", d.Command, now.stdout, d.After.Text)
				}
			}
			if !found {
				t.Errorf("no witness with %q: %+v", tt.request, r.Differences)
			}
		})
	}
}

func TestCompareBadSides(t *testing.T) {
	w := mall(t)
	for _, tt := range []struct{ a, b, want string }{
		{"git:nothing", ".", `"nothing"`},
		{"missing", ".", "missing"},
		{"git:HEAD:nowhere", ".", "nowhere"},
	} {
		r := meshstorm(t, w, 2, "compare", tt.a, tt.b)
		if !strings.Contains(r.stderr, tt.want) {
			t.Errorf("compare %s %s: stderr %q lacks %q", tt.a, tt.b, r.stderr, tt.want)
		}
	}
}

// A port whose name says no protocol gets a listener at the service's address;
// one called http is among all others of its number.
func TestCompareAServiceThatMovesToAListenerOfItsOwn(t *testing.T) {
	const mesh = `
apiVersion: v1
kind: Service
metadata: {name: order, namespace: shop}
spec:
  selector: {app: order}
  ports: [{name: http, port: 80}]
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: order, namespace: shop}
spec:
  selector: {matchLabels: {app: order}}
  template:
    metadata: {labels: {app: order}}
    spec: {containers: [{name: c, image: registry.example/order:1}]}
---
apiVersion: v1
kind: Service
metadata: {name: stock, namespace: shop}
spec:
  selector: {app: order}
  ports: [{name: NAME, port: 80}]
`
	dir := t.TempDir()
	write(t, strings.ReplaceAll(mesh, "NAME", "http"), filepath.Join(dir, "a.yaml"))
	write(t, strings.ReplaceAll(mesh, "NAME", "data"), filepath.Join(dir, "b.yaml"))
	for _, sides := range [][2]string{{"a.yaml", "b.yaml"}, {"b.yaml", "a.yaml"}} {
		r := comparison(t, dir, 1, sides[0], sides[1])
		if len(r.Differences) != 1 || r.Differences[0].Request.URL != "http://stock/" || strings.Join(r.Differences[0].What, " ") != "traffic policy" {
			t.Errorf("%v: %+v", sides, r.Differences)
		}
	}
}
