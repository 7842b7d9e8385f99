package e2e

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Bad input: one clear error with the place and the next step, exit code 2,
// nothing written.
func TestBadInputWritesNothing(t *testing.T) {
	order := `"bc":{"_type":"org.uengine.modeling.model.BoundedContext","id":"bc","name":"order"}`
	tests := []struct{ about, model, want string }{
		{"not JSON", "hello", ":1:1"},
		{"empty", "", "empty"},
		{"truncated", `{"elements":{` + order, ":1:"},
		{"a list", `[1,2]`, ":1:1"},
		{"an object of another shape", `{"hello":1}`, "elements"},
		{"nesting 100,000 deep", strings.Repeat(`{"elements":`, 100000), "deep"},
		{"an id twice", `{"elements":{` + order + `,` + order + `}}`, "bc"},
		{"trailing text", `{"elements":{}} more`, ":1:"},
	}
	for _, tt := range tests {
		t.Run(tt.about, func(t *testing.T) {
			tmp := t.TempDir()
			write(t, tt.model, tmp, "m.json")
			r := meshstorm(t, tmp, 2, "new", "w", "--from", "m.json")
			if !strings.Contains(r.stderr, "m.json") || !strings.Contains(r.stderr, tt.want) {
				t.Errorf("stderr %q lacks m.json or %q", r.stderr, tt.want)
			}
			if n := strings.Count(strings.TrimSpace(r.stderr), "\n"); n > 3 || len(r.stderr) > 1000 {
				t.Errorf("one clear error expected, got:\n%s", r.stderr)
			}
			if _, err := os.Stat(filepath.Join(tmp, "w")); !os.IsNotExist(err) {
				t.Error("the workspace's folder is there")
			}
		})
	}
}

func TestAFileOver256MiBIsRefusedWithoutReadingOn(t *testing.T) {
	tmp := t.TempDir()
	f, err := os.Create(filepath.Join(tmp, "big.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Truncate(300 << 20); err != nil { // sparse: it takes no disk
		t.Fatal(err)
	}
	f.Close()
	r := meshstorm(t, tmp, 2, "new", "w", "--from", "big.json")
	if !strings.Contains(r.stderr, "256") {
		t.Errorf("stderr: %s", r.stderr)
	}
}

func TestSettingsFaultsStopGenerate(t *testing.T) {
	w := filepath.Join(t.TempDir(), "w")
	meshstorm(t, "", 0, "new", w, "--from", "../examples/12st-mall/storm.json")
	write(t, "namespce: shop\nrouting: exact\n", w, "meshstorm.yaml")
	r := meshstorm(t, "", 2, "generate", w)
	for _, want := range []string{`meshstorm.yaml:1:1: unknown key "namespce"; did you mean "namespace"?`, "meshstorm.yaml:2:10: routing"} {
		if !strings.Contains(r.stderr, want) {
			t.Errorf("stderr lacks %q:\n%s", want, r.stderr)
		}
	}
	if _, err := os.Stat(filepath.Join(w, "kubernetes")); !os.IsNotExist(err) {
		t.Error("manifests were written")
	}
}

func TestNamesThatCannotBeAreMendedInTheSettings(t *testing.T) {
	tmp := t.TempDir()
	write(t, `{"elements":{
		"a":{"_type":"org.uengine.modeling.model.BoundedContext","id":"a","name":"Order Item","aggregates":[]},
		"b":{"_type":"org.uengine.modeling.model.BoundedContext","id":"b","name":"order-item","aggregates":[]}}}`, tmp, "m.json")
	meshstorm(t, tmp, 0, "new", "w", "--from", "m.json")
	r := meshstorm(t, tmp, 2, "generate", "w")
	if !strings.Contains(r.stderr, `"order-item": a-name`) {
		t.Errorf("the fix is missing:\n%s", r.stderr)
	}
	if _, err := os.Stat(filepath.Join(tmp, "w", "kubernetes")); !os.IsNotExist(err) {
		t.Error("manifests were written")
	}
	write(t, "names:\n  \"order-item\": basket\n", tmp, "w", "meshstorm.yaml")
	meshstorm(t, tmp, 0, "generate", "w")
	if !strings.Contains(read(t, tmp, "w/kubernetes/template/template.yml"), "name: basket") {
		t.Error("the override has no effect")
	}
}

func TestNewRefusesAFolderThatIsNotEmpty(t *testing.T) {
	tmp := t.TempDir()
	write(t, "mine", tmp, "notes.txt")
	r := meshstorm(t, tmp, 2, "new", ".")
	if !strings.Contains(r.stderr, "not empty") || !strings.Contains(r.stderr, "notes.txt") {
		t.Errorf("stderr: %s", r.stderr)
	}
}

func TestNewReadsStandardInputURLsAndWorkspaces(t *testing.T) {
	tmp := t.TempDir()
	model := read(t, "../examples/12st-mall/storm.json")
	if r := (command{dir: tmp, stdin: model}).run(t, "new", "stdin", "--from", "-"); r.code != 0 {
		t.Fatalf("stdin: %s", r.stderr)
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/model.json" {
			http.NotFound(w, r)
			return
		}
		_, _ = w.Write([]byte(model))
	}))
	defer server.Close()
	meshstorm(t, tmp, 0, "new", "url", "--from", server.URL+"/model.json?token=secret")
	r := meshstorm(t, tmp, 3, "new", "gone", "--from", server.URL+"/other.json?token=secret")
	if !strings.Contains(r.stderr, "404") || strings.Contains(r.stderr, "secret") {
		t.Errorf("stderr: %s", r.stderr)
	}
	if _, err := os.Stat(filepath.Join(tmp, "gone")); !os.IsNotExist(err) {
		t.Error("a failed download left a folder")
	}
	meshstorm(t, tmp, 0, "generate", "url")
	edit(t, filepath.Join(tmp, "url/kubernetes/template/template.yml"), "  name: order\n  namespace: default\n  labels:\n    app: order\n    app.kubernetes.io/part-of: url\n    track: stable", "  name: order\n  namespace: default\n  labels:\n    app: order\n    app.kubernetes.io/part-of: url\n    team: red\n    track: stable")
	meshstorm(t, tmp, 0, "new", "fork", "--from", "url")
	if !strings.Contains(read(t, tmp, "fork/kubernetes/template/template.yml"), "team: red") {
		t.Error("the fork lacks the edit")
	}
	meshstorm(t, tmp, 0, "generate", "fork")
	if !strings.Contains(read(t, tmp, "fork/kubernetes/template/template.yml"), "team: red") {
		t.Error("generate lost the fork's edit")
	}
}

func TestUsageErrorsExitWithTwo(t *testing.T) {
	for _, args := range [][]string{
		{"generate", "/nowhere"}, {"frobnicate"}, {"generate", "--nope"}, {"check", "-o", "xml", "../examples/12st-mall"},
		{"generate", "-o", "yaml", "../examples/12st-mall"}, {"new"}, {"explain"}, {"check", "--fail-on", "never", "../examples/12st-mall"},
		{"check", "no-such.yaml"}, {"generate", "--topping", "linkerd", "../examples/12st-mall"},
	} {
		r := command{}.run(t, args...)
		if r.code != 2 || strings.TrimSpace(r.stderr) == "" || r.stdout != "" {
			t.Errorf("%q: exit %d, stdout %q, stderr %q", args, r.code, r.stdout, r.stderr)
		}
	}
}

func TestAnEmptyModelIsValid(t *testing.T) {
	w := filepath.Join(t.TempDir(), "w")
	meshstorm(t, "", 0, "new", w)
	r := meshstorm(t, "", 0, "generate", w)
	if !strings.Contains(r.stderr, "no bounded context") {
		t.Errorf("stderr: %s", r.stderr)
	}
	for _, f := range []string{"template.yml", "istio.yml", "model.yml"} {
		for l := range strings.SplitSeq(strings.TrimSpace(read(t, w, "kubernetes/template", f)), "\n") {
			if !strings.HasPrefix(l, "#") {
				t.Errorf("%s holds more than a comment: %q", f, l)
			}
		}
	}
	meshstorm(t, "", 0, "check", w)
}
