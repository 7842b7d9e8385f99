package graph_test

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/meshstorm/meshstorm/check"
	"github.com/meshstorm/meshstorm/manifest"
	"github.com/meshstorm/meshstorm/studio/graph"
)

var update = flag.Bool("update", false, "write the golden files anew")

func TestGraphsOfManifests(t *testing.T) {
	files, err := filepath.Glob("testdata/*.yml")
	if err != nil || len(files) == 0 {
		t.Fatal("no test data", err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			docs, err := manifest.Parse(filepath.Base(file), data)
			if err != nil {
				t.Fatal(err)
			}
			in := &check.Input{Documents: docs}
			got, err := json.MarshalIndent(graph.Of(in, check.Run(t.Context(), in, check.Rules()).Findings), "", "  ")
			if err != nil {
				t.Fatal(err)
			}
			golden := strings.TrimSuffix(file, ".yml") + ".json"
			if *update {
				if err := os.WriteFile(golden, append(got, '\n'), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), string(got)+"\n"); diff != "" {
				t.Errorf("graph differs (-golden +now); -update writes it anew:\n%s", diff)
			}
		})
	}
}

func TestEdgesLeadFromNodesToNodes(t *testing.T) {
	data, err := os.ReadFile("../../examples/12st-mall/kubernetes/template/istio.yml")
	if err != nil {
		t.Fatal(err)
	}
	docs, err := manifest.Parse("istio.yml", data)
	if err != nil {
		t.Fatal(err)
	}
	g := graph.Of(&check.Input{Documents: docs}, nil)
	nodes, edges := map[string]bool{}, map[string]bool{}
	for _, n := range g.Nodes {
		if nodes[n.ID] {
			t.Errorf("node %s is there twice", n.ID)
		}
		nodes[n.ID] = true
	}
	for _, e := range g.Edges {
		if edges[e.ID] {
			t.Errorf("edge %s is there twice", e.ID)
		}
		edges[e.ID] = true
		if !nodes[e.From] || !nodes[e.To] {
			t.Errorf("edge %s leads from or to nothing", e.ID)
		}
	}
}

func TestTwinsNameEachOther(t *testing.T) {
	if got := graph.Twin("vsvc-order"); got != "vsvc-order-mesh" || graph.Twin(got) != "vsvc-order" {
		t.Errorf("twin of vsvc-order is %q, and back %q", got, graph.Twin(got))
	}
}

// A DestinationRule is seen through its subsets, and so are its problems.
func TestASubsetHasTheProblemsOfItsLines(t *testing.T) {
	const text = "apiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: {name: d, namespace: shop}\nspec:\n  host: order\n  subsets:\n  - name: stable\n    labels: {track: stable}\n  - name: canary\n    labels: {track: canary}\n"
	docs, err := manifest.Parse("d.yml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	about := &check.Object{Kind: "DestinationRule", Namespace: "shop", Name: "d"}
	g := graph.Of(&check.Input{Documents: docs}, []check.Finding{
		{Code: "host", Line: 5, Object: about}, {Code: "stable", Line: 7, Object: about}, {Code: "canary", Line: 10, Object: about},
	})
	want := map[string]string{"DestinationRule/shop/d": "host stable canary", "Subset/shop/d/stable": "host stable", "Subset/shop/d/canary": "host canary"}
	for _, n := range g.Nodes {
		var codes []string
		for _, p := range n.Problems {
			codes = append(codes, p.Code)
		}
		if got := strings.Join(codes, " "); want[n.ID] != "" && got != want[n.ID] {
			t.Errorf("%s has %q, expected %q", n.ID, got, want[n.ID])
		}
		delete(want, n.ID)
	}
	if len(want) > 0 {
		t.Errorf("not in the graph: %v", want)
	}
}
