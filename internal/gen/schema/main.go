// Command schema writes the JSON Schemas of meshstorm.yaml and of what the verbs
// print with -o json, from the Go types and their comments.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"

	"github.com/invopop/jsonschema"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/meshstorm/meshstorm/check"
	"github.com/meshstorm/meshstorm/cluster"
	"github.com/meshstorm/meshstorm/cluster/capture"
	"github.com/meshstorm/meshstorm/cluster/overview"
	comparison "github.com/meshstorm/meshstorm/compare/report"
	"github.com/meshstorm/meshstorm/deploy"
	"github.com/meshstorm/meshstorm/internal/printed"
	"github.com/meshstorm/meshstorm/routetest"
	"github.com/meshstorm/meshstorm/simulate/answer"
	"github.com/meshstorm/meshstorm/workspace"
)

func main() {
	root, err := moduleRoot()
	if err == nil {
		err = write(root)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "schema:", err)
		os.Exit(1)
	}
}

func write(root string) error {
	files, err := schemas(root)
	if err != nil {
		return err
	}
	for path, data := range files {
		path = filepath.Join(root, filepath.FromSlash(path))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(path, data, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// schemas makes every file, by its path in the module.
func schemas(root string) (map[string][]byte, error) {
	settings, err := settingsSchema(root)
	if err != nil {
		return nil, err
	}
	files := map[string][]byte{"deploy/meshstorm.schema.json": settings}
	for verb, value := range outputs {
		data, err := outputSchema(root, verb, value)
		if err != nil {
			return nil, err
		}
		files["docs/schema/"+strings.ReplaceAll(verb, " ", "-")+".json"] = data
	}
	if files["docs/schema/routes.json"], err = testsSchema(root); err != nil {
		return nil, err
	}
	return files, nil
}

// outputs are the documents that verbs print with -o json. What apply, undo and
// delete did has the form of what diff would do.
var outputs = map[string]any{
	"check": &report{}, "explain": &workspace.Explanation{}, "route": &answer.Answer{}, "compare": &comparison.Report{}, "test": &routetest.Report{},
	"diff": &cluster.ChangeSet{}, "apply": &cluster.ChangeSet{}, "undo": &cluster.ChangeSet{}, "delete": &cluster.ChangeSet{},
	"get": &overview.Overview{}, "history": &printed.History{}, "canary": &printed.Canary{}, "canary status": &printed.Canaries{},
	"canary start": &printed.Proposal{}, "shift": &printed.Shift{}, "import": &capture.Result{}, "istio status": &printed.Istio{},
}

// mapped gives types that write themselves as JSON their form.
func mapped(t reflect.Type) *jsonschema.Schema {
	if t == reflect.TypeFor[metav1.Duration]() {
		return &jsonschema.Schema{Type: "string", Description: "a Go duration, such as 1m30s"}
	}
	return nil
}

// report is what check prints: the report with its apiVersion.
type report struct {
	APIVersion string          `json:"apiVersion"`
	Findings   []check.Finding `json:"findings"`
	Summary    check.Summary   `json:"summary"`
}

func outputSchema(root, verb string, value any) ([]byte, error) {
	r := &jsonschema.Reflector{ExpandedStruct: true, Mapper: mapped}
	for _, dir := range []string{"check", "workspace", "route", "simulate/answer", "compare/report", "routetest", "cluster", "cluster/overview", "cluster/rollout", "cluster/metrics", "cluster/capture", "cluster/installation", "shift", "manifest", "internal/printed"} {
		if err := addComments(r, root, dir); err != nil {
			return nil, err
		}
	}
	s := r.Reflect(value)
	s.ID, s.Title = "", "meshstorm "+verb+" -o json"
	data, err := json.MarshalIndent(s, "", "  ")
	return append(data, '\n'), err
}

// testsSchema is the schema of route tests in our own format. Values that may be
// written in several ways are said by hand.
func testsSchema(root string) ([]byte, error) {
	r := &jsonschema.Reflector{ExpandedStruct: true}
	if err := addComments(r, root, "routetest"); err != nil {
		return nil, err
	}
	s := r.Reflect(&routetest.Document{})
	s.ID, s.Title, s.Description = "", "meshstorm route tests", "A document of a route test file; docs/route-tests.md describes it."
	spec := s.Definitions["Spec"].Properties
	text, whole := &jsonschema.Schema{Type: "string"}, &jsonschema.Schema{Type: "integer"}
	list := &jsonschema.Schema{Type: "array", Items: text}
	for key, forms := range map[string][]*jsonschema.Schema{"to": {text, whole, list}, "timeout": {text, whole}, "retries": {whole, text, {Type: "object"}}} {
		p, ok := spec.Get(key)
		if !ok {
			return nil, fmt.Errorf("the format of route tests has no key %s any more", key)
		}
		description := p.Description
		*p = jsonschema.Schema{Description: description, OneOf: forms}
	}
	data, err := json.MarshalIndent(s, "", "  ")
	return append(data, '\n'), err
}

// addComments reads a package's comments; the sources must be there.
func addComments(r *jsonschema.Reflector, root, dir string) error {
	wd, err := os.Getwd()
	if err != nil {
		return err
	}
	if err := os.Chdir(root); err != nil {
		return err
	}
	defer func() { _ = os.Chdir(wd) }()
	if err := r.AddGoComments("github.com/meshstorm/meshstorm", "./"+dir); err != nil {
		return fmt.Errorf("read the comments of package %s: %w", dir, err)
	}
	return nil
}

// settingsSchema reflects over deploy.Settings. The sources must be there, for
// the descriptions are the comments.
func settingsSchema(root string) ([]byte, error) {
	r := &jsonschema.Reflector{ExpandedStruct: true, DoNotReference: false}
	if err := addComments(r, root, "deploy"); err != nil {
		return nil, err
	}
	s := r.Reflect(&deploy.Settings{})
	s.ID = ""
	s.Title = "meshstorm.yaml"
	s.Description = "Settings of a meshstorm workspace."
	if kafka, ok := s.Properties.Get("kafka"); ok { // `kafka: dev` is short for `kafka: {mode: dev}`
		mapping := *kafka
		*kafka = jsonschema.Schema{Description: mapping.Description, OneOf: []*jsonschema.Schema{
			{Type: "string", Enum: []any{"external", "dev"}}, {Ref: mapping.Ref},
		}}
	}
	for _, key := range []string{"istioVersion", "kubernetesVersion"} { // 1.20 is a number in YAML
		if p, ok := s.Properties.Get(key); ok {
			p.Type, p.OneOf = "", []*jsonschema.Schema{{Type: "string"}, {Type: "number"}}
		}
	}
	for _, d := range s.Definitions {
		d.Description = strings.TrimSpace(d.Description)
	}
	data, err := json.MarshalIndent(s, "", "  ")
	return append(data, '\n'), err
}

// moduleRoot is the nearest parent folder with a go.mod.
func moduleRoot() (string, error) {
	dir, err := os.Getwd()
	for err == nil {
		if _, statErr := os.Stat(filepath.Join(dir, "go.mod")); statErr == nil {
			return dir, nil
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", fmt.Errorf("no go.mod above %s", dir)
		}
		dir = parent
	}
	return "", err
}
