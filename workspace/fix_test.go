package workspace_test

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/meshstorm/meshstorm/check"
	"github.com/meshstorm/meshstorm/manifest"
	"github.com/meshstorm/meshstorm/workspace"
)

func TestAWorkspaceIsMendedInPlace(t *testing.T) {
	dir := create(t, 2)
	regenerate(t, dir)
	file := filepath.Join(dir, "kubernetes", "extra.yml")
	const text = "apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {name: extra, namespace: default}\nspec:\n  hosts: [extra.example]\n  http:\n  - route:\n    - destination: {host: extra.example}\n      weight: 30\n"
	writeFile(t, file, []byte(text))
	w, err := workspace.Open(t.Context(), dir, workspace.Options{})
	if err != nil {
		t.Fatal(err)
	}
	in, err := w.CheckInput()
	if err != nil {
		t.Fatal(err)
	}
	files, err := workspace.CheckedFiles(in, dir)
	if err != nil {
		t.Fatal(err)
	}
	fixed, err := check.Fix(t.Context(), in, files, func(ctx context.Context, in *check.Input) check.Report { return check.Run(ctx, in, check.Rules()) })
	if err != nil || len(fixed.Files) != 1 {
		t.Fatalf("%v, %+v", err, fixed)
	}

	writeFile(t, file, []byte(text+"# somebody was here\n"))
	if err := workspace.WriteFixed(t.Context(), dir, fixed.Files); !errors.Is(err, manifest.ErrChanged) {
		t.Errorf("a file that somebody changed: %v", err)
	}
	if _, err := workspace.CheckedFiles(in, dir); !errors.Is(err, manifest.ErrChanged) {
		t.Errorf("a file that somebody changed: %v", err)
	}
	writeFile(t, file, []byte(text))
	if err := workspace.WriteFixed(t.Context(), dir, fixed.Files); err != nil {
		t.Fatal(err)
	}
	if got := string(readFile(t, file)); got != strings.Replace(text, "      weight: 30\n", "", 1) {
		t.Errorf("the file:\n%s", got)
	}
}

func TestFilesInNoWorkspaceAreMendedInPlace(t *testing.T) {
	file := filepath.Join(t.TempDir(), "a.yml")
	writeFile(t, file, []byte("a"))
	if err := workspace.ReplaceFixed(t.Context(), []check.FixedFile{{Path: filepath.ToSlash(file), Before: []byte("a"), After: []byte("b")}}); err != nil {
		t.Fatal(err)
	}
	if got := string(readFile(t, file)); got != "b" {
		t.Errorf("the file holds %q", got)
	}
}
