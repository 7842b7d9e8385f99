package capture_test

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/meshstorm/meshstorm/cluster/capture"
	"github.com/meshstorm/meshstorm/manifest"
	"github.com/meshstorm/meshstorm/workspace"
)

// FuzzImport imports any YAML into a new workspace: what is taken can be read
// again, every object is reported, and generate changes none of it.
func FuzzImport(f *testing.F) {
	for _, text := range []string{foreign, plain, read(f, mall), read(f, "../../docs/pitfalls/sticky-users-and-weights"),
		"kind: Service\napiVersion: v1\nmetadata: {name: a}\nspec: {selector: {a: b}}\n---\nkind: Deployment\napiVersion: apps/v1\nmetadata: {name: a}\nspec: {template: {metadata: {labels: {a: b}}, spec: {containers: [{image: '::'}]}}}\n",
		"[1, 2]", "kind: x", "- a: &x 1\n- *x", "apiVersion: v1\nkind: List\nitems: [{apiVersion: v1, kind: ConfigMap, metadata: {name: a}}]",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) > 1<<14 {
			return
		}
		docs, err := manifest.Parse("in.yaml", []byte(text))
		if err != nil {
			return
		}
		s, out, err := capture.FromDocuments(docs, "")
		if err != nil {
			return // a value that JSON does not have
		}
		dir := filepath.Join(t.TempDir(), "shop")
		r, err := capture.New(context.Background(), dir, s, capture.Options{})
		if errors.Is(err, capture.ErrNothing) {
			return
		}
		if err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
		defer r.Close()
		r.Add(out)
		if err := r.Write(context.Background()); err != nil {
			t.Fatal(err)
		}
		for _, o := range s.Objects {
			id := o.ID()
			found := false
			for _, outcome := range r.Objects {
				found = found || outcome.Kind == id.Kind && outcome.Name == id.Name
			}
			if !found {
				t.Errorf("%s/%s is not reported", id.Kind, id.Name)
			}
		}
		again(t, dir, docs)
	})
}

// again generates and imports once more: nothing changes.
func again(t *testing.T, dir string, docs []*manifest.Document) {
	t.Helper()
	w := generated(t, dir)
	s, _, err := capture.FromDocuments(docs, w.Settings.Namespace)
	if err != nil {
		t.Fatal(err)
	}
	r, err := capture.Into(context.Background(), w, s, capture.Options{})
	if errors.Is(err, capture.ErrNothing) {
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Files) > 0 || r.Conflicts() > 0 {
		t.Errorf("the second import changes %s:\n%s", strings.Join(r.Files, ", "), dump(r.Objects))
	}
	if _, err := workspace.Open(context.Background(), dir, workspace.Options{}); err != nil {
		t.Fatal(err)
	}
}
