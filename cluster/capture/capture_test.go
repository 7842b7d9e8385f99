package capture_test

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	utiljson "k8s.io/apimachinery/pkg/util/json"

	"github.com/meshstorm/meshstorm/check"
	"github.com/meshstorm/meshstorm/cluster/capture"
	"github.com/meshstorm/meshstorm/manifest"
	"github.com/meshstorm/meshstorm/workspace"
)

const mall = "../../examples/12st-mall/kubernetes"

// snapshot reads YAML text.
func snapshot(t testing.TB, namespace, text string) *capture.Snapshot {
	t.Helper()
	docs, err := manifest.Parse("in.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	s, _, err := capture.FromDocuments(docs, namespace)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// read joins all YAML files of a folder.
func read(t testing.TB, dir string) string {
	t.Helper()
	files, err := workspace.YAMLFiles(dir, ".")
	if err != nil || len(files) == 0 {
		t.Fatalf("%s: %v, %d files", dir, err, len(files))
	}
	var all strings.Builder
	for _, f := range files {
		data, err := os.ReadFile(filepath.Join(dir, f))
		if err != nil {
			t.Fatal(err)
		}
		all.WriteString("\n---\n" + string(data))
	}
	return all.String()
}

// makeNew imports into a new workspace and writes it.
func makeNew(t testing.TB, s *capture.Snapshot) (*capture.Result, string) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "shop")
	r, err := capture.New(context.Background(), dir, s, capture.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if err := r.Write(context.Background()); err != nil {
		t.Fatal(err)
	}
	return r, dir
}

// objects are those of YAML text by identity, without meshstorm's own labels
// and annotations and without the model.
func objects(t testing.TB, namespace, text string) map[string]any {
	t.Helper()
	docs, err := manifest.Parse("objects.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]any{}
	for _, d := range docs {
		if d.Node == nil {
			continue
		}
		data, err := d.JSON()
		if err != nil {
			t.Fatal(err)
		}
		var m map[string]any
		if err := utiljson.Unmarshal(data, &m); err != nil {
			t.Fatal(err)
		}
		meta, _ := m["metadata"].(map[string]any)
		labels, _ := meta["labels"].(map[string]any)
		annotations, _ := meta["annotations"].(map[string]any)
		if labels["meshstorm.io/model"] != nil {
			continue
		}
		delete(labels, "app.kubernetes.io/part-of")
		delete(annotations, "meshstorm.io/source")
		for _, key := range []string{"labels", "annotations"} {
			if own, _ := meta[key].(map[string]any); len(own) == 0 {
				delete(meta, key)
			}
		}
		if meta["namespace"] == nil {
			meta["namespace"] = namespace
		}
		delete(m, "apiVersion")
		m = capture.Bare(d.ID.Group+"/"+d.ID.Kind, m)
		meta, _ = m["metadata"].(map[string]any)
		all[strings.Join([]string{d.ID.Group, d.ID.Kind, meta["namespace"].(string), d.ID.Name}, "/")] = m
	}
	return all
}

// generated fails where generate would still change the workspace.
func generated(t testing.TB, dir string) *workspace.Workspace {
	t.Helper()
	w, err := workspace.Open(context.Background(), dir, workspace.Options{})
	if err != nil {
		t.Fatal(err)
	}
	g, err := w.Generate(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range g.Files {
		if f.Changed || f.Removed {
			before, _ := os.ReadFile(filepath.Join(dir, f.Path))
			t.Errorf("generate changes %s:\n%s", f.Path, cmp.Diff(string(before), string(f.Data)))
		}
	}
	if c := g.Conflicts(); len(c) > 0 {
		t.Errorf("generate finds conflicts: %+v", c)
	}
	return w
}

// settled fails where generate would change the workspace or check finds errors.
func settled(t testing.TB, dir string) {
	t.Helper()
	w := generated(t, dir)
	in, err := w.CheckInput()
	if err != nil {
		t.Fatal(err)
	}
	report := check.Run(context.Background(), in, check.Rules())
	for _, f := range report.Findings {
		if f.Severity == "error" {
			t.Errorf("check: %s %s", f.Code, f.Message)
		}
	}
}

func dump(v any) string {
	data, _ := json.MarshalIndent(v, "", " ")
	return string(data)
}

func TestTheExampleComesBackAsItIs(t *testing.T) {
	text := read(t, mall)
	r, dir := makeNew(t, snapshot(t, "", text))
	if diff := cmp.Diff(objects(t, "default", text), objects(t, "default", read(t, filepath.Join(dir, "kubernetes")))); diff != "" {
		t.Errorf("the workspace's objects differ from the imported ones (-in +workspace):\n%s", diff)
	}
	if !strings.Contains(r.Model, "12st-mall") {
		t.Errorf("model %q, want the archived one", r.Model)
	}
	for _, o := range r.Objects {
		if o.Fate != capture.AsModel && o.Fate != capture.LeftOut {
			t.Errorf("%s", dump(o))
		}
	}
	settled(t, dir)
}

func TestTheExampleWithoutItsModelComesBackAsItIs(t *testing.T) {
	template, _ := os.ReadFile(filepath.Join(mall, "template/template.yml"))
	istio, _ := os.ReadFile(filepath.Join(mall, "template/istio.yml"))
	text := string(template) + "\n---\n" + string(istio)
	r, dir := makeNew(t, snapshot(t, "", text))
	if diff := cmp.Diff(objects(t, "default", text), objects(t, "default", read(t, filepath.Join(dir, "kubernetes")))); diff != "" {
		t.Errorf("the workspace's objects differ from the imported ones (-in +workspace):\n%s", diff)
	}
	if r.Model == "" || len(r.Services) != 3 {
		t.Errorf("%s", dump(r))
	}
	settled(t, dir)
}

func TestEveryPitfallIsImportedAndReported(t *testing.T) {
	dirs, err := filepath.Glob("../../docs/pitfalls/*")
	if err != nil {
		t.Fatal(err)
	}
	for _, dir := range dirs {
		for _, name := range []string{"bad", "fixed", "bad.yaml", "fixed.yaml"} {
			path := filepath.Join(dir, name)
			info, err := os.Stat(path)
			if err != nil {
				continue
			}
			t.Run(filepath.Base(dir)+"/"+name, func(t *testing.T) {
				t.Parallel()
				if info.IsDir() {
					path = filepath.Join(path, "kubernetes")
				}
				docs, err := readDocs(path)
				if err != nil {
					t.Fatal(err)
				}
				roundTrip(t, docs)
			})
		}
	}
}

func TestFaultyManifestsAreImportedAndReported(t *testing.T) {
	for _, dir := range []string{"../../check", "../../e2e", "../../compare", "../../canvas"} {
		files, err := workspace.YAMLFiles(dir, ".")
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range files {
			if !strings.Contains(f, "testdata/") {
				continue
			}
			data, err := os.ReadFile(filepath.Join(dir, f))
			if err != nil {
				t.Fatal(err)
			}
			docs, err := manifest.Parse(f, data)
			holds := slices.ContainsFunc(docs, func(d *manifest.Document) bool { return d.ID.Kind != "" && d.ID.Name != "" })
			if err != nil || !holds || len(data) > 1<<20 {
				continue // the verb refuses what is no YAML, and what holds no object
			}
			t.Run(f, func(t *testing.T) {
				t.Parallel()
				roundTrip(t, docs)
			})
		}
	}
}

// readDocs reads a YAML file or all files of a folder.
func readDocs(path string) ([]*manifest.Document, error) {
	in, err := workspace.FilesInput([]string{path})
	if err != nil {
		return nil, err
	}
	return in.Documents, nil
}

// roundTrip imports documents into a new workspace, and fails unless all of them
// are reported, what is kept comes back as it was, and generate keeps it.
func roundTrip(t testing.TB, docs []*manifest.Document) {
	t.Helper()
	s, out, err := capture.FromDocuments(docs, "")
	if err != nil {
		t.Fatal(err)
	}
	r, dir := makeNew(t, s)
	r.Add(out)
	reported := map[string]bool{}
	for _, o := range r.Objects {
		reported[o.Kind+"/"+o.Name] = true
	}
	var text strings.Builder
	for _, d := range docs {
		if d.Node == nil {
			continue
		}
		if d.ID.Name == "" { // no object; reported without a name
			d.ID.Name = "-"
			if d.ID.Kind == "" {
				d.ID.Kind = "document"
			}
		}
		if !reported[d.ID.Kind+"/"+d.ID.Name] {
			t.Errorf("%s/%s is not in the report", d.ID.Kind, d.ID.Name)
		}
		if d.ID.Name == "-" {
			continue
		}
		data, err := d.JSON()
		if err != nil {
			t.Fatal(err)
		}
		text.WriteString("\n---\n" + string(data))
	}
	want := objects(t, s.Namespace, text.String())
	for _, o := range r.Objects {
		if o.Fate == capture.LeftOut {
			ns := o.Namespace
			if ns == "" {
				ns = s.Namespace
			}
			delete(want, strings.Join([]string{o.APIGroup, o.Kind, ns, o.Name}, "/"))
		}
	}
	got := objects(t, s.Namespace, read(t, filepath.Join(dir, "kubernetes")))
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the workspace's objects differ from the imported ones (-in +workspace):\n%s", diff)
	}
	generated(t, dir)
}

func docsOf(text string) ([]*manifest.Document, error) {
	return manifest.Parse("in.yaml", []byte(text))
}
