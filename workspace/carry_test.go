package workspace_test

import (
	"context"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/meshstorm/meshstorm/manifest"
	"github.com/meshstorm/meshstorm/workspace"
)

func regenerate(t *testing.T, dir string) *workspace.Generation {
	t.Helper()
	w, err := workspace.Open(context.Background(), dir, workspace.Options{})
	if err != nil {
		t.Fatal(err)
	}
	g, err := w.Generate(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Write(context.Background(), g); err != nil {
		t.Fatal(err)
	}
	return g
}

// older makes a file what releases wrote that had one rule for all methods.
func older(t *testing.T, path string) {
	t.Helper()
	text, err := manifest.Edit(path, readFile(t, path), func(d *manifest.Document) {
		if list := d.Get("spec.http"); list != nil {
			list.Content = slices.DeleteFunc(list.Content, func(n *yaml.Node) bool { return n.Content[1].Value == "writes" })
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(text), "name: writes") {
		t.Fatalf("still has writes:\n%s", text)
	}
	writeFile(t, path, text)
}

func TestEditsOfOlderWorkspacesReachTheNewRules(t *testing.T) {
	dir := create(t, 2)
	regenerate(t, dir)
	file := filepath.Join(dir, "kubernetes", "template", "istio.yml")
	base := filepath.Join(dir, ".meshstorm", "base", "kubernetes", "template", "istio.yml")
	older(t, file)
	older(t, base)
	edited := strings.Replace(string(readFile(t, file)), "weight: 100", "weight: 90 # mine", 1)
	edited = strings.Replace(edited, "weight: 0\n", "weight: 10\n    timeout: 3s # mine\n    retries:\n      attempts: 3\n", 1)
	writeFile(t, file, []byte(edited))

	g := regenerate(t, dir)
	if len(g.Conflicts()) > 0 {
		t.Errorf("conflicts: %+v", g.Conflicts())
	}
	docs, err := manifest.Parse(file, readFile(t, file))
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(docs, func(d *manifest.Document) bool { return d.ID.Kind == "VirtualService" })
	for field, want := range map[string]string{
		"spec.http[0].name": "writes", "spec.http[1].name": "primary",
		"spec.http[writes].route[0].weight": "90", "spec.http[writes].route[1].weight": "10",
		"spec.http[primary].route[0].weight": "90", "spec.http[primary].route[1].weight": "10",
		"spec.http[writes].timeout": "3s", "spec.http[primary].timeout": "3s",
		"spec.http[writes].retries.attempts": "0", "spec.http[primary].retries.attempts": "3",
	} {
		if n := docs[i].Get(field); n == nil || n.Value != want {
			t.Errorf("%s is %v, want %s", field, n, want)
		}
	}
	if text := string(readFile(t, file)); strings.Count(text, "name: writes") != strings.Count(text, "name: primary") || !strings.Contains(text, "weight: 90 # mine") {
		t.Errorf("the file:\n%s", text)
	}
	if text := string(readFile(t, base)); strings.Contains(text, "weight: 90") {
		t.Error("the edits are taken for generated ones")
	}

	again := regenerate(t, dir)
	if again.Changed() || len(again.Conflicts()) > 0 {
		t.Errorf("the next run changes something: %+v", again.Conflicts())
	}
}
