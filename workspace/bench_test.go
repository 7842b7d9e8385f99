package workspace_test

import (
	"bytes"
	"context"
	"fmt"
	"path/filepath"
	"testing"

	"github.com/meshstorm/meshstorm/storm/msaez"
	"github.com/meshstorm/meshstorm/storm/stormtest"
	"github.com/meshstorm/meshstorm/workspace"
)

var sizes = []int{10, 100, 1000, 10000}

// perContext reports the cost of one context, which must not grow with the
// count.
func perContext(b *testing.B, contexts int) {
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N)/float64(contexts), "µs/context")
}

func newWorkspace(b *testing.B, contexts int) string {
	b.Helper()
	doc, err := msaez.Parse(stormtest.Mall(contexts), "mall.json")
	if err != nil {
		b.Fatal(err)
	}
	dir := filepath.Join(b.TempDir(), "w")
	if _, _, err := workspace.Create(context.Background(), dir, doc, workspace.Options{}); err != nil {
		b.Fatal(err)
	}
	return dir
}

func open(b *testing.B, dir string) *workspace.Workspace {
	b.Helper()
	w, err := workspace.Open(context.Background(), dir, workspace.Options{})
	if err != nil {
		b.Fatal(err)
	}
	return w
}

func generate(b *testing.B, w *workspace.Workspace) *workspace.Generation {
	b.Helper()
	g, err := w.Generate(context.Background())
	if err != nil {
		b.Fatal(err)
	}
	return g
}

// BenchmarkOpen is the import: reading the model and deriving the intent.
func BenchmarkOpen(b *testing.B) {
	for _, n := range sizes {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			dir := newWorkspace(b, n)
			b.ReportAllocs()
			for b.Loop() {
				open(b, dir)
			}
			perContext(b, n)
		})
	}
}

// BenchmarkGenerate is a first generation: rendering into an empty workspace.
func BenchmarkGenerate(b *testing.B) {
	for _, n := range sizes {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			w := open(b, newWorkspace(b, n))
			b.ReportAllocs()
			for b.Loop() {
				generate(b, w)
			}
			perContext(b, n)
		})
	}
}

// BenchmarkMerge is a further generation: every Deployment changed by the
// settings and every VirtualService by a person.
func BenchmarkMerge(b *testing.B) {
	for _, n := range sizes {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			dir := newWorkspace(b, n)
			w := open(b, dir)
			if err := w.Write(context.Background(), generate(b, w)); err != nil {
				b.Fatal(err)
			}
			replace(b, filepath.Join(dir, "kubernetes/template/istio.yml"), "weight: 100", "weight: 90")
			replace(b, filepath.Join(dir, workspace.SettingsFile), "workspace: w", "workspace: w\nimage: {tag: v2}")
			w = open(b, dir)
			b.ReportAllocs()
			for b.Loop() {
				if g := generate(b, w); len(g.Conflicts()) > 0 || !g.Changed() {
					b.Fatal("expected changes without conflicts")
				}
			}
			perContext(b, n)
		})
	}
}

func replace(b *testing.B, path, old, now string) {
	b.Helper()
	data := readFile(b, path)
	changed := bytes.ReplaceAll(data, []byte(old), []byte(now))
	if bytes.Equal(data, changed) {
		b.Fatalf("%s does not hold %q", path, old)
	}
	writeFile(b, path, changed)
}
