package workspace_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/meshstorm/meshstorm/manifest"
	"github.com/meshstorm/meshstorm/storm/msaez"
	"github.com/meshstorm/meshstorm/storm/stormtest"
	"github.com/meshstorm/meshstorm/workspace"
)

func readFile(t testing.TB, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func writeFile(t testing.TB, path string, data []byte) {
	t.Helper()
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
}

func create(t *testing.T, contexts int) string {
	t.Helper()
	doc, err := msaez.Parse(stormtest.Mall(contexts), "mall.json")
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "shop")
	if _, _, err := workspace.Create(context.Background(), dir, doc, workspace.Options{}); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestNameIsALabel(t *testing.T) {
	for folder, want := range map[string]string{
		"12st-mall": "12st-mall", "My Shop": "my-shop", "주문": "jumun", "...": "workspace",
		strings.Repeat("long-", 30): strings.Trim(strings.Repeat("long-", 8), "-"),
	} {
		if got := workspace.Name(folder); got != want {
			t.Errorf("Name(%q) = %q, want %q", folder, got, want)
		}
	}
}

func TestFindLooksInTheParents(t *testing.T) {
	dir := create(t, 1)
	sub := filepath.Join(dir, "a", "b")
	if err := os.MkdirAll(sub, 0o755); err != nil {
		t.Fatal(err)
	}
	if root, err := workspace.Find(sub); err != nil || root != dir {
		t.Errorf("Find = %q, %v; want %q", root, err, dir)
	}
	if _, err := workspace.Find(t.TempDir()); !errors.Is(err, workspace.ErrNone) {
		t.Errorf("outside a workspace: %v", err)
	}
}

func TestTheLockKeepsASecondRunOut(t *testing.T) {
	dir := create(t, 1)
	held, err := workspace.Lock(dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := workspace.Lock(dir); !errors.Is(err, manifest.ErrLocked) {
		t.Errorf("a second lock: %v", err)
	}
	if err := held.Unlock(); err != nil {
		t.Fatal(err)
	}
	again, err := workspace.Lock(dir)
	if err != nil {
		t.Fatal(err)
	}
	_ = again.Unlock()
}

func TestAnInterruptedGenerationWritesNothing(t *testing.T) {
	dir := create(t, 3)
	w, err := workspace.Open(context.Background(), dir, workspace.Options{})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := w.Generate(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("Generate: %v", err)
	}
	g, err := w.Generate(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Write(ctx, g); !errors.Is(err, context.Canceled) {
		t.Errorf("Write: %v", err)
	}
	if _, err := os.Stat(filepath.Join(dir, "kubernetes")); !os.IsNotExist(err) {
		t.Error("manifests are there")
	}
}

// Who reads while a workspace is made does not take its files for those of a run
// that was killed.
func TestAWorkspaceIsMadeBesideWhoReadsIt(t *testing.T) {
	doc, err := msaez.Parse(stormtest.Mall(1), "mall.json")
	if err != nil {
		t.Fatal(err)
	}
	for range 20 {
		dir := filepath.Join(t.TempDir(), "shop")
		made := make(chan struct{})
		var reading sync.WaitGroup
		reading.Go(func() {
			for {
				_, err := workspace.Open(t.Context(), dir, workspace.Options{})
				select {
				case <-made:
					if err == nil {
						return
					}
				default:
				}
			}
		})
		_, _, err := workspace.Create(t.Context(), dir, doc, workspace.Options{})
		close(made)
		if err != nil {
			t.Fatal(err)
		}
		reading.Wait()
	}
}

func TestCreateLeavesTheFolderAsItWasOnErrors(t *testing.T) {
	dir := t.TempDir()
	writeFile(t, filepath.Join(dir, "mine.txt"), []byte("mine"))
	doc := msaez.New("")
	if _, _, err := workspace.Create(context.Background(), dir, doc, workspace.Options{}); !errors.Is(err, workspace.ErrNotEmpty) {
		t.Errorf("got %v", err)
	}
	entries, _ := os.ReadDir(dir)
	if len(entries) != 1 {
		t.Errorf("the folder holds %v", entries)
	}
	env := func(string) string { return "Not A Label" }
	fresh := filepath.Join(t.TempDir(), "a", "b")
	if _, _, err := workspace.Create(context.Background(), fresh, doc, workspace.Options{Getenv: env}); err == nil {
		t.Error("bad variables must be an error")
	}
	if _, err := os.Stat(filepath.Dir(fresh)); !os.IsNotExist(err) {
		t.Error("folders were made")
	}
}

func TestYAMLFilesAreSortedAndHiddenOnesLeftOut(t *testing.T) {
	dir := t.TempDir()
	for _, f := range []string{"b.yaml", "a.yml", "c.json", "sub/d.YAML", ".git/e.yaml", "node_modules/f.yaml"} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, f)), 0o755); err != nil {
			t.Fatal(err)
		}
		writeFile(t, filepath.Join(dir, f), nil)
	}
	got, err := workspace.YAMLFiles(dir, ".")
	if err != nil || strings.Join(got, " ") != "a.yml b.yaml sub/d.YAML" {
		t.Errorf("got %q, %v", got, err)
	}
}
