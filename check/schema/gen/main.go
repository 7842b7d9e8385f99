// Command gen writes what package schema embeds, from the modules that go.mod
// names: the schemas of Istio's and the Gateway API's CRDs, one compressed file
// per CRD and channel, and in kubernetes.json.gz what the sources of
// Kubernetes' types say beyond the types themselves. It takes nothing but a
// folder; with -check it changes nothing and fails when a file is stale.
package main

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/yaml"
)

func main() {
	dir := flag.String("dir", "data", "folder of the embedded files")
	check := flag.Bool("check", false, "only tell whether the files are up to date")
	flag.Parse()
	if err := run(*dir, *check); err != nil {
		fmt.Fprintln(os.Stderr, "gen:", err)
		os.Exit(1)
	}
}

func run(dir string, check bool) error {
	files, err := build()
	if err != nil {
		return err
	}
	if check {
		return compare(dir, files)
	}
	return write(dir, files)
}

// sources are the CRD files of a module, by channel. The first channel that
// has a kind is the one that check goes by.
var sources = []struct{ channel, module, glob string }{
	{"istio", "istio.io/istio", "manifests/charts/base/files/crd-all.gen.yaml"},
	{"standard", "sigs.k8s.io/gateway-api", "config/crd/standard/gateway*.yaml"},
	{"experimental", "sigs.k8s.io/gateway-api", "config/crd/experimental/gateway*.yaml"},
}

// build gives the uncompressed content of every file, by name.
func build() (map[string][]byte, error) {
	files := map[string][]byte{}
	for _, source := range sources {
		root, err := moduleDir(source.module)
		if err != nil {
			return nil, err
		}
		paths, err := filepath.Glob(filepath.Join(root, filepath.FromSlash(source.glob)))
		if err != nil || len(paths) == 0 {
			return nil, fmt.Errorf("%s has no %s", source.module, source.glob)
		}
		for _, path := range paths {
			if err := addFile(files, source.channel, path); err != nil {
				return nil, fmt.Errorf("%s: %w", path, err)
			}
		}
	}
	kinds, err := readKinds()
	files["kubernetes.json.gz"] = kinds
	return files, err
}

func moduleDir(module string) (string, error) {
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", module).Output()
	dir := strings.TrimSpace(string(out))
	if err != nil || dir == "" {
		return "", fmt.Errorf("module %s is not in the module cache (go mod download %s): %w", module, module, err)
	}
	return dir, nil
}

type crd struct {
	Kind string
	Spec struct {
		Group string
		Scope string
		Names struct{ Kind, Plural string }

		Versions []struct {
			Name   string
			Served bool
			Schema struct{ OpenAPIV3Schema json.RawMessage }
		}
	}
}

// definition is the form that package schema reads.
type definition struct {
	Group    string            `json:"group"`
	Kind     string            `json:"kind"`
	Scope    string            `json:"scope"`
	Versions map[string]int    `json:"versions"` // served version → index in Schemas
	Schemas  []json.RawMessage `json:"schemas"`
}

func addFile(files map[string][]byte, channel, path string) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	decoder := yaml.NewYAMLOrJSONDecoder(bytes.NewReader(data), 4096)
	for {
		var c crd
		if err := decoder.Decode(&c); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		if c.Kind != "CustomResourceDefinition" {
			continue
		}
		content, err := define(c)
		if err != nil {
			return err
		}
		files[fmt.Sprintf("%s.%s.%s.json.gz", c.Spec.Group, c.Spec.Names.Kind, channel)] = content
	}
}

func define(c crd) ([]byte, error) {
	d := definition{Group: c.Spec.Group, Kind: c.Spec.Names.Kind, Scope: c.Spec.Scope, Versions: map[string]int{}}
	for _, v := range c.Spec.Versions {
		if !v.Served {
			continue
		}
		var schema any
		if err := json.Unmarshal(v.Schema.OpenAPIV3Schema, &schema); err != nil {
			return nil, fmt.Errorf("%s %s: %w", c.Spec.Names.Kind, v.Name, err)
		}
		text, err := json.Marshal(schema) // sorts the keys
		if err != nil {
			return nil, err
		}
		// Versions of a CRD mostly share one schema.
		at := slices.IndexFunc(d.Schemas, func(s json.RawMessage) bool { return bytes.Equal(s, text) })
		if at < 0 {
			at = len(d.Schemas)
			d.Schemas = append(d.Schemas, text)
		}
		d.Versions[v.Name] = at
	}
	return json.Marshal(d)
}

func write(dir string, files map[string][]byte) error {
	old, err := filepath.Glob(filepath.Join(dir, "*.json.gz"))
	if err != nil {
		return err
	}
	for _, path := range old {
		if _, ok := files[filepath.Base(path)]; !ok {
			if err := os.Remove(path); err != nil {
				return err
			}
		}
	}
	for name, content := range files {
		var b bytes.Buffer
		w, err := gzip.NewWriterLevel(&b, gzip.BestCompression)
		if err != nil {
			return err
		}
		if _, err := w.Write(content); err != nil {
			return err
		}
		if err := w.Close(); err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(dir, name), b.Bytes(), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// compare looks at the uncompressed contents, since compression may differ
// between Go versions.
func compare(dir string, files map[string][]byte) error {
	var errs []error
	for name, want := range files {
		got, err := unzip(filepath.Join(dir, name))
		if err == nil && !bytes.Equal(got, want) {
			err = fmt.Errorf("%s differs from the module's CRD", name)
		}
		errs = append(errs, err)
	}
	have, err := filepath.Glob(filepath.Join(dir, "*.json.gz"))
	errs = append(errs, err)
	for _, path := range have {
		if _, ok := files[filepath.Base(path)]; !ok {
			errs = append(errs, fmt.Errorf("%s belongs to no CRD any more", filepath.Base(path)))
		}
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("stale schemas; run go generate ./check/schema:\n%w", err)
	}
	return nil
}

func unzip(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	r, err := gzip.NewReader(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return io.ReadAll(r)
}
