package revision

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// repository makes a repository with two commits of shop/kubernetes/istio.yml.
func repository(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	run := func(args ...string) {
		t.Helper()
		cmd := exec.Command("git", args...)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_SYSTEM=/dev/null",
			"GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@b.example", "GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL=a@b.example")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("git %s: %v\n%s", strings.Join(args, " "), err, out)
		}
	}
	run("init", "-q")
	for _, content := range []string{"a: old\n", "a: new\n"} {
		file := filepath.Join(dir, "shop", "kubernetes", "istio.yml")
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		for name, text := range map[string]string{file: content, filepath.Join(dir, "shop", "image.png"): content} {
			if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		run("add", ".")
		run("commit", "-q", "-m", content)
	}
	return dir
}

func TestCheckout(t *testing.T) {
	repo := repository(t)
	for _, c := range []struct{ name, from, file, want string }{
		{"git:HEAD~1", "shop", "kubernetes/istio.yml", "a: old\n"},
		{"git:HEAD", "shop", "kubernetes/istio.yml", "a: new\n"},
		{"git:HEAD", ".", "shop/kubernetes/istio.yml", "a: new\n"},
		{"git:HEAD~1:shop/kubernetes", ".", "istio.yml", "a: old\n"},
		{"git:HEAD~1", "shop/kubernetes/istio.yml", "istio.yml", "a: old\n"},
		{"git:HEAD~1:shop/kubernetes/istio.yml", "shop", "istio.yml", "a: old\n"},
	} {
		t.Run(c.name+" in "+c.from, func(t *testing.T) {
			dir, err := Checkout(t.Context(), c.name, filepath.Join(repo, c.from))
			if err != nil {
				t.Fatal(err)
			}
			defer os.RemoveAll(dir)
			got, err := os.ReadFile(filepath.Join(dir, c.file))
			if err != nil || string(got) != c.want {
				t.Errorf("%s: %q, %v; want %q", c.file, got, err, c.want)
			}
			if _, err := os.Stat(filepath.Join(dir, "image.png")); err == nil {
				t.Error("image.png is no manifest and should have been left out")
			}
		})
	}
}

func TestCheckoutSaysWhatIsMissing(t *testing.T) {
	repo := repository(t)
	for name, want := range map[string]string{
		"git:":             "expected git:REVISION",
		"git:--output=x":   "expected git:REVISION",
		"git:nothing":      `no revision "nothing"`,
		"git:HEAD:missing": `no "missing"`,
		"git:HEAD:../..":   "",
	} {
		dir, err := Checkout(t.Context(), name, repo)
		if err == nil {
			os.RemoveAll(dir)
		}
		if want == "" && err == nil {
			continue // cleaned to the repository's root
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want one with %q", name, err, want)
		}
	}
	for _, name := range []string{"git:HEAD", "git:HEAD:shop"} {
		if _, err := Checkout(t.Context(), name, t.TempDir()); err == nil || !strings.Contains(err.Error(), "in no git repository") {
			t.Errorf("%s outside of any repository: %v", name, err)
		}
	}
}
