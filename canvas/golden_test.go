package canvas_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/meshstorm/meshstorm/canvas"
	"github.com/meshstorm/meshstorm/deploy"
	"github.com/meshstorm/meshstorm/storm/msaez"
	"github.com/meshstorm/meshstorm/topping"
)

func TestTheProjectsOwnCanvas(t *testing.T) {
	model, err := os.ReadFile(filepath.Join("..", "testdata", "models", "canvas.json"))
	if err != nil {
		t.Fatal(err)
	}
	r, _ := take(t, model)
	checkInvariants(t, r)
	layout, err := json.MarshalIndent(r.Layout, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "layout.json", string(layout)+"\n")
	golden(t, "warnings.txt", strings.Join(r.Warnings, "\n")+"\n")
	for _, f := range r.Files {
		if f.Path != topping.ModelFile {
			golden(t, filepath.Base(f.Path), string(f.Data))
		}
	}
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", "golden", name)
	if *update {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
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
	if d := cmp.Diff(string(want), got); d != "" {
		t.Errorf("%s differs; run with -update (-want +got):\n%s", path, d)
	}
}

func BenchmarkTake(b *testing.B) {
	model, err := os.ReadFile(filepath.Join("..", "testdata", "models", "canvas.json"))
	if err != nil {
		b.Fatal(err)
	}
	doc, err := msaez.Parse(model, "canvas.json")
	if err != nil {
		b.Fatal(err)
	}
	m := deploy.Build(doc.Model, deploy.DefaultSettings("shop"))
	files := render(b, m)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := canvas.Take(doc, m, files); err != nil {
			b.Fatal(err)
		}
	}
}
