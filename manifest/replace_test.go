package manifest_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/meshstorm/meshstorm/manifest"
)

func TestReplaceWritesAllOrNone(t *testing.T) {
	dir := t.TempDir()
	path := func(name string) string { return filepath.Join(dir, name) }
	put := func(name, data string, mode os.FileMode) {
		if err := os.WriteFile(path(name), []byte(data), mode); err != nil {
			t.Fatal(err)
		}
	}
	holds := func(name, want string) {
		t.Helper()
		if got, err := os.ReadFile(path(name)); err != nil || string(got) != want {
			t.Errorf("%s holds %q, %v; want %q", name, got, err, want)
		}
	}
	put("a.yml", "a", 0o600)
	put("b.yml", "b", 0o644)
	if err := os.Symlink("b.yml", path("link.yml")); err != nil {
		t.Fatal(err)
	}
	change := func(name, before, after string) manifest.Replacement {
		return manifest.Replacement{Path: path(name), Before: []byte(before), After: []byte(after)}
	}

	err := manifest.Replace(t.Context(), []manifest.Replacement{change("a.yml", "a", "A"), change("b.yml", "not b", "B")})
	if !errors.Is(err, manifest.ErrChanged) {
		t.Errorf("a file that somebody changed: %v", err)
	}
	holds("a.yml", "a")
	holds("b.yml", "b")
	if err := manifest.Replace(t.Context(), []manifest.Replacement{change("a.yml", "a", "A"), change("none.yml", "", "B")}); err == nil {
		t.Error("no error for a file that is gone")
	}
	holds("a.yml", "a")

	if err := manifest.Replace(t.Context(), []manifest.Replacement{change("a.yml", "a", "A"), change("link.yml", "b", "B")}); err != nil {
		t.Fatal(err)
	}
	holds("a.yml", "A")
	holds("b.yml", "B")
	if info, err := os.Lstat(path("link.yml")); err != nil || info.Mode()&os.ModeSymlink == 0 {
		t.Error("the link is gone")
	}
	if info, err := os.Stat(path("a.yml")); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the mode is %v", info.Mode())
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 3 {
		t.Errorf("left in the folder: %v", left)
	}
}
