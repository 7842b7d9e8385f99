// Command schema writes the JSON Schema of meshstorm.yaml from the Go type and
// its comments.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/invopop/jsonschema"

	"github.com/meshstorm/meshstorm/deploy"
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
	data, err := settingsSchema(root)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(root, "deploy", "meshstorm.schema.json"), data, 0o644)
}

// settingsSchema reflects over deploy.Settings. The sources must be there, for
// the descriptions are the comments.
func settingsSchema(root string) ([]byte, error) {
	r := &jsonschema.Reflector{ExpandedStruct: true, DoNotReference: false}
	wd, err := os.Getwd()
	if err != nil {
		return nil, err
	}
	if err := os.Chdir(root); err != nil {
		return nil, err
	}
	defer func() { _ = os.Chdir(wd) }()
	if err := r.AddGoComments("github.com/meshstorm/meshstorm", "./deploy"); err != nil {
		return nil, fmt.Errorf("read the comments of package deploy: %w", err)
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
