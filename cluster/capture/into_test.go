package capture_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/meshstorm/meshstorm/cluster/capture"
	"github.com/meshstorm/meshstorm/workspace"
)

// mallCopy is the example in a folder of the test's own.
func mallCopy(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "mall")
	if err := workspace.Fork(context.Background(), "../../examples/12st-mall", dir); err != nil {
		t.Fatal(err)
	}
	return dir
}

// into imports into an existing workspace and writes it.
func into(t *testing.T, dir, text string, o capture.Options) *capture.Result {
	t.Helper()
	w, err := workspace.Open(context.Background(), dir, workspace.Options{})
	if err != nil {
		t.Fatal(err)
	}
	r, err := capture.Into(context.Background(), w, snapshot(t, "", text), o)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Write(context.Background()); err != nil {
		t.Fatal(err)
	}
	return r
}

// replaceIn changes a file as a person would.
func replaceIn(t *testing.T, path, from, to string) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(data), from) {
		t.Fatalf("%s does not hold %q", path, from)
	}
	if err := os.WriteFile(path, []byte(strings.Replace(string(data), from, to, 1)), 0o600); err != nil {
		t.Fatal(err)
	}
}

func content(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// outcome is what became of one object.
func outcome(t *testing.T, r *capture.Result, name string) capture.Outcome {
	t.Helper()
	for _, o := range r.Objects {
		if o.Kind+"/"+o.Name == name {
			return o
		}
	}
	t.Fatalf("%s is not in the report", name)
	return capture.Outcome{}
}

func TestWhatRunsAsTheFilesSayChangesNothing(t *testing.T) {
	dir := mallCopy(t)
	r := into(t, dir, read(t, mall), capture.Options{})
	if len(r.Files) != 0 || r.Conflicts() != 0 {
		t.Errorf("changed files %q and %d conflicts, want none", r.Files, r.Conflicts())
	}
	if _, err := os.Stat(filepath.Join(dir, ".meshstorm/base/imported")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a state is written for nothing: %v", err)
	}
}

func TestLiveDifferencesBecomeEditsThatKeepComments(t *testing.T) {
	dir := mallCopy(t)
	template := filepath.Join(dir, "kubernetes/template/template.yml")
	replaceIn(t, template, "  replicas: 1\n", "  # two would do\n  replicas: 1 # for now\n")
	live := read(t, mall)
	live = strings.Replace(live, "  replicas: 1\n", "  replicas: 4\n  paused: true\n", 1)
	live = strings.Replace(live, "image: registry.example.com/order:v1", "image: registry.example.com/order:v2", 1)
	istio := "        subset: stable\n      weight: 100\n    - destination:\n        host: order\n        subset: canary\n      weight: 0\n"
	if !strings.Contains(live, istio) {
		t.Fatal("the example's weights look different")
	}
	live = strings.Replace(live, istio, strings.NewReplacer("100", "90", "weight: 0", "weight: 10").Replace(istio), 1)
	live += "\n---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: flags.x, namespace: default, uid: abc}\ndata: {a: b}\n"
	r := into(t, dir, live, capture.Options{})
	if r.Conflicts() != 0 {
		t.Fatalf("conflicts: %s", dump(r))
	}
	text := content(t, template)
	for _, want := range []string{"  # two would do\n  replicas: 4 # for now\n", "image: registry.example.com/order:v2", "paused: true"} {
		if !strings.Contains(text, want) {
			t.Errorf("template.yml lacks %q", want)
		}
	}
	want := []capture.FieldValue{
		{Field: "spec.paused", Live: "true"}, {Field: "spec.replicas", Files: "1", Live: "4"},
		{Field: "spec.template.spec.containers[name=order].image", Files: `"registry.example.com/order:v1"`, Live: `"registry.example.com/order:v2"`},
	}
	if diff := cmp.Diff(want, outcome(t, r, "Deployment/order").Fields); diff != "" {
		t.Error(diff)
	}
	if text := content(t, filepath.Join(dir, "kubernetes/imported/flags.x.yml")); !strings.Contains(text, "a: b") || strings.Contains(text, "uid") {
		t.Errorf("imported file:\n%s", text)
	}
	if diff := cmp.Diff(objects(t, "default", strings.Replace(live, ", uid: abc", "", 1)), objects(t, "default", read(t, filepath.Join(dir, "kubernetes")))); diff != "" {
		t.Errorf("files differ from what runs:\n%s", diff)
	}
	generated(t, dir)
	if again := into(t, dir, live, capture.Options{}); len(again.Files) != 0 || again.Conflicts() != 0 {
		t.Errorf("the second import changes %q, conflicts %d", again.Files, again.Conflicts())
	}
}

func TestAnEditOfAPersonIsAConflictUntilTheirsIsAsked(t *testing.T) {
	dir := mallCopy(t)
	template := filepath.Join(dir, "kubernetes/template/template.yml")
	live := strings.Replace(read(t, mall), "  replicas: 1\n", "  replicas: 4\n", 1)
	replaceIn(t, template, "  replicas: 1\n", "  replicas: 2\n")
	for range 2 { // an import does not make the person's value its own
		r := into(t, dir, live, capture.Options{})
		want := []capture.FieldValue{{Field: "spec.replicas", Files: "2", Live: "4"}}
		if diff := cmp.Diff(want, outcome(t, r, "Deployment/order").Conflicts); diff != "" || r.Conflicts() != 1 {
			t.Fatalf("conflicts: %s", diff)
		}
		if !strings.Contains(content(t, template), "  replicas: 2\n") {
			t.Error("the person's value is gone")
		}
	}
	if r := into(t, dir, live, capture.Options{Theirs: true}); r.Conflicts() != 0 || !strings.Contains(content(t, template), "  replicas: 4\n") {
		t.Error("--theirs does not take what runs")
	}
}

func TestWhatAnImportWroteIsNoEditForTheNextOne(t *testing.T) {
	dir := mallCopy(t)
	note := "\n---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: flags, namespace: default}\ndata: {a: b, c: d}\n"
	into(t, dir, strings.Replace(read(t, mall), "  replicas: 1\n", "  replicas: 4\n", 1)+note, capture.Options{})
	r := into(t, dir, strings.Replace(read(t, mall), "  replicas: 1\n", "  replicas: 5\n", 1)+strings.Replace(note, "a: b, c: d", "a: x", 1), capture.Options{})
	if r.Conflicts() != 0 {
		t.Fatalf("conflicts: %s", dump(r))
	}
	if text := read(t, filepath.Join(dir, "kubernetes")); !strings.Contains(text, "  replicas: 5\n") || !strings.Contains(text, "a: x") || strings.Contains(text, "c: d") {
		t.Error("the second import did not come through")
	}
	replaceIn(t, filepath.Join(dir, "kubernetes/imported/flags.yml"), "a: x", "a: mine")
	r = into(t, dir, read(t, mall)+note, capture.Options{})
	if got := outcome(t, r, "ConfigMap/flags").Conflicts; len(got) != 1 || got[0].Files != `"mine"` {
		t.Errorf("conflicts %v, want the person's a", got)
	}
}

func TestWhatAPersonDeletedIsAConflict(t *testing.T) {
	dir := mallCopy(t)
	replaceIn(t, filepath.Join(dir, "kubernetes/template/template.yml"), "      terminationGracePeriodSeconds: 40\n", "")
	r := into(t, dir, read(t, mall), capture.Options{})
	if got := outcome(t, r, "Deployment/order").Conflicts; len(got) != 1 || got[0].Field != "spec.template.spec.terminationGracePeriodSeconds" || got[0].Files != "" {
		t.Errorf("conflicts %v", got)
	}
}

func TestARunningShiftDoesNotReachTheFiles(t *testing.T) {
	dir := mallCopy(t)
	live := read(t, mall)
	live = strings.Replace(live, "  name: vsvc-order\n  namespace: default\n  labels:\n    app: order\n    app.kubernetes.io/part-of: 12st-mall\n  annotations:\n",
		"  name: vsvc-order\n  namespace: default\n  labels:\n    app: order\n    app.kubernetes.io/part-of: 12st-mall\n  annotations:\n    meshstorm.io/shift: '{}'\n", 1)
	at := strings.Index(live, "meshstorm.io/shift")
	if at < 0 {
		t.Fatal("the example's VirtualService looks different")
	}
	live = live[:at] + strings.NewReplacer("weight: 100", "weight: 80").Replace(live[at:at+2500]) + live[at+2500:]
	live = live[:at] + strings.Replace(live[at:], "  http:\n", "  http:\n  - name: meshstorm-canary-testers-primary\n    route: [{destination: {host: order, subset: canary}}]\n", 1)
	r := into(t, dir, live, capture.Options{})
	if o := outcome(t, r, "VirtualService/vsvc-order"); o.Fate != capture.Same {
		t.Errorf("%s", dump(o))
	}
}

func TestObjectsOfTheFilesThatDoNotRunAreReportedAndStay(t *testing.T) {
	dir := mallCopy(t)
	r := into(t, dir, "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: flags, namespace: default}\n", capture.Options{})
	if o := outcome(t, r, "Deployment/order"); o.Fate != capture.OnlyInFiles {
		t.Errorf("fate %q", o.Fate)
	}
	settled(t, dir)
}

func TestAnotherNamespaceIsRefused(t *testing.T) {
	w, err := workspace.Open(context.Background(), mallCopy(t), workspace.Options{})
	if err != nil {
		t.Fatal(err)
	}
	_, err = capture.Into(context.Background(), w, snapshot(t, "", foreign), capture.Options{})
	if !errors.Is(err, capture.ErrNamespace) {
		t.Errorf("error %v, want ErrNamespace", err)
	}
}

func TestNothingToImportIsAnError(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new")
	_, err := capture.New(context.Background(), dir, &capture.Snapshot{Namespace: "empty"}, capture.Options{})
	if !errors.Is(err, capture.ErrNothing) {
		t.Errorf("error %v, want ErrNothing", err)
	}
	if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the folder was made: %v", err)
	}
}
