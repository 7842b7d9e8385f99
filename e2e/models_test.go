package e2e

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	istioscheme "istio.io/client-go/pkg/clientset/versioned/scheme"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	kubescheme "k8s.io/client-go/kubernetes/scheme"
)

type report struct {
	Findings []struct {
		Code, Severity, Message, File string
		Line                          int
		Object                        *struct{ Kind, Namespace, Name string }
		Fix                           string
	}
	Summary map[string]int
}

func checked(t *testing.T, w string, args ...string) report {
	t.Helper()
	r := command{}.run(t, append([]string{"check", w, "-o", "json"}, args...)...)
	var rep report
	if err := json.Unmarshal([]byte(r.stdout), &rep); err != nil {
		t.Fatalf("check -o json: %v\n%s\n%s", err, r.stdout, r.stderr)
	}
	return rep
}

// Every model becomes a workspace whose generated objects are beyond reproach;
// what is wrong with the model itself may be said.
func TestEveryModelBecomesAWorkspaceThatChecks(t *testing.T) {
	for _, m := range models(t) {
		t.Run(title(m), func(t *testing.T) {
			t.Parallel()
			w := filepath.Join(t.TempDir(), "w")
			meshstorm(t, "", 0, "new", w, "--from", m)
			meshstorm(t, "", 0, "generate", w)
			strictDecode(t, w)
			for _, f := range checked(t, w).Findings {
				if f.Severity == "error" && !strings.HasPrefix(f.Code, "MS02") && !strings.HasPrefix(f.Code, "MS03") {
					t.Errorf("%s:%d: %s: %s", f.File, f.Line, f.Code, f.Message)
				}
			}
			before := tree(t, w)
			r := meshstorm(t, "", 0, "generate", w)
			if after := tree(t, w); !slices.Equal(before, after) {
				t.Errorf("a second run changed files:\n%s", r.stdout)
			}
			if strings.Contains(r.stdout, "written") || strings.Contains(r.stdout, "updated") {
				t.Errorf("a second run says it changed something:\n%s", r.stdout)
			}
		})
	}
}

// tree is every file of a workspace with its content.
func tree(t *testing.T, root string) []string {
	t.Helper()
	var all []string
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || d.Name() == "lock" {
			return err
		}
		data, err := os.ReadFile(path)
		rel, _ := filepath.Rel(root, path)
		all = append(all, filepath.ToSlash(rel)+"\n"+string(data))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// strictDecode reads every object as kubectl --validate=strict does: unknown
// and doubled fields are errors.
func strictDecode(t *testing.T, w string) {
	t.Helper()
	scheme := runtime.NewScheme()
	if err := kubescheme.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	if err := istioscheme.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	decoder := serializer.NewCodecFactory(scheme, serializer.EnableStrict).UniversalDeserializer()
	r := meshstorm(t, "", 0, "generate", w, "--dry-run", "-o", "json")
	var list struct{ Items []json.RawMessage }
	if err := json.Unmarshal([]byte(r.stdout), &list); err != nil {
		t.Fatal(err)
	}
	for _, item := range list.Items {
		obj, _, err := decoder.Decode(item, nil, nil)
		if err != nil {
			t.Errorf("strict decoding: %v\n%.400s", err, item)
			continue
		}
		_ = obj
	}
}

// The project's own models have golden files: what is generated, and what new,
// generate and check say.
func TestGoldenModels(t *testing.T) {
	own, _ := filepath.Glob("../testdata/models/*.json")
	for _, m := range own {
		t.Run(title(m), func(t *testing.T) {
			t.Parallel()
			abs, err := filepath.Abs(m)
			if err != nil {
				t.Fatal(err)
			}
			tmp := t.TempDir()
			said := ""
			for _, args := range [][]string{{"new", "w", "--from", abs}, {"generate", "w"}, {"check", "w"}} {
				r := command{dir: tmp}.run(t, args...)
				shown := strings.ReplaceAll(strings.Join(args, " "), abs, filepath.Base(m))
				said += fmt.Sprintf("$ meshstorm %s\n%s%s[exit %d]\n\n", shown, r.stdout, r.stderr, r.code)
			}
			dir := filepath.Join("testdata", "golden", title(m))
			golden(t, filepath.Join(dir, "said.txt"), strings.ReplaceAll(said, abs, filepath.Base(m)))
			for _, f := range []string{"template.yml", "istio.yml"} {
				golden(t, filepath.Join(dir, f), read(t, tmp, "w", "kubernetes", "template", f))
			}
			if layout, err := os.ReadFile(filepath.Join(tmp, "w", ".meshstorm", "layout.json")); err == nil {
				golden(t, filepath.Join(dir, "layout.json"), string(layout))
			}
		})
	}
}

func golden(t *testing.T, path, got string) {
	t.Helper()
	if *update {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		write(t, got, path)
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v; write it with `go test ./e2e -update`", err)
	}
	if string(want) == got {
		return
	}
	a, b := strings.Split(string(want), "\n"), strings.Split(got, "\n")
	for i := range max(len(a), len(b)) {
		if i >= len(a) || i >= len(b) || a[i] != b[i] {
			t.Errorf("%s:%d differs (go test ./e2e -update writes it anew)\nwant %q\ngot  %q", path, i+1, line(a, i), line(b, i))
			return
		}
	}
}

func line(lines []string, i int) string {
	if i < len(lines) {
		return lines[i]
	}
	return "(end)"
}
