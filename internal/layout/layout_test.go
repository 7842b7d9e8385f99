// Package layout holds the tests that guard how the packages hang together:
// which may import which, and which tests may link Istio.
package layout

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/meshstorm/meshstorm/"

// order is the one way that data flows. A package may import what stands
// before it, never what stands behind it; entries of one line may not import
// each other unless "within" says so.
var order = [][]string{
	{"storm"},
	{"storm/msaez", "deploy", "manifest", "route", "space", "shift"},
	{"cluster"},
	{"cluster/proxies", "cluster/metrics", "cluster/installation"},
	{"cluster/rollout"},
	{"cluster/overview"},
	{"routetest/strict"},
	{"topping"},
	{"topping/kubernetes", "topping/istio"},
	{"canvas", "check", "check/schema"},
	{"studio/graph"},
	{"check/analyze", "istio"},
	{"simulate/answer"},
	{"simulate", "compare/routes", "compare/report", "routetest/routercheck"},
	{"routetest", "compare"},
	{"workspace"},
	{"cluster/capture"},
	{"examples"},
	{"studio/jobs", "studio/live"},
	{"studio"},
	{"internal/cli"},
	{"cmd/meshstorm"},
}

// within lists the imports between neighbours that are meant.
var within = map[string][]string{
	"check": {"check/schema"},
}

// forbidden are packages from outside that a package must not know.
var forbidden = map[string][]string{
	"storm":       {"k8s.io/", "istio.io/"},
	"storm/msaez": {"k8s.io/", "istio.io/"},
	"deploy":      {"k8s.io/", "istio.io/", "sigs.k8s.io/"},
	"manifest":    {module, "k8s.io/", "istio.io/"},
	"check":       {"istio.io/istio/"},
	"topping":     {"istio.io/istio/"},
	"canvas":      {"istio.io/istio/"},
	"route":       {module, "k8s.io/", "istio.io/"},
	"space":       {module, "k8s.io/", "istio.io/", "github.com/envoyproxy/"},
	"routetest":   {"istio.io/istio/"},
	"shift":       {module, "istio.io/", "k8s.io/client-go"},
	"studio":      {"istio.io/istio/"},
	"studio/jobs": {module, "k8s.io/"},
	"studio/live": {"istio.io/istio/"},
	"cluster":     {module + "deploy", module + "storm", module + "workspace", "istio.io/"},
}

type pkg struct {
	ImportPath   string
	Imports      []string
	Deps         []string
	TestImports  []string
	XTestImports []string
	ForTest      string
}

func list(t *testing.T, args ...string) []pkg {
	t.Helper()
	cmd := exec.Command("go", append([]string{"list", "-json=ImportPath,Imports,Deps,ForTest"}, args...)...)
	cmd.Dir = "../.."
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var all []pkg
	dec := json.NewDecoder(strings.NewReader(string(out)))
	for {
		var p pkg
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
}

func level(name string) int {
	return slices.IndexFunc(order, func(l []string) bool { return slices.Contains(l, name) })
}

func TestDataFlowsOneWay(t *testing.T) {
	for _, p := range list(t, "./...") {
		name := strings.TrimPrefix(p.ImportPath, module)
		own := level(name)
		if own < 0 {
			continue // generators, test support
		}
		for _, imp := range p.Imports {
			for _, f := range forbidden[name] {
				if strings.HasPrefix(imp, f) {
					t.Errorf("%s imports %s, which it must not know", name, imp)
				}
			}
			other, ours := strings.CutPrefix(imp, module)
			l := level(other)
			if !ours || l < 0 || slices.Contains(within[name], other) {
				continue
			}
			if l >= own {
				t.Errorf("%s imports %s, which stands beside or above it", name, other)
			}
		}
	}
}

func TestAtMostThreeTestsLinkIstio(t *testing.T) {
	var heavy []string
	for _, p := range list(t, "-test", "./...") {
		if !strings.HasSuffix(p.ImportPath, ".test") {
			continue
		}
		if slices.ContainsFunc(p.Deps, func(d string) bool { return strings.HasPrefix(d, "istio.io/istio/") }) {
			heavy = append(heavy, p.ImportPath)
		}
	}
	if len(heavy) > 3 {
		t.Errorf("these test packages link istio.io/istio, and three are allowed, for each takes minutes to build: %s", strings.Join(heavy, ", "))
	}
}
