// Package schema judges single objects of Istio's and the Gateway API's kinds
// as the API server would, and describes fields. It takes an object's group,
// version and kind, and the object as generic JSON; the CRDs' schemas are
// embedded. It gives every field that the API server would refuse, including
// those that only a CEL rule forbids, and the type and description of fields
// of these kinds and of Kubernetes' own.
package schema

import (
	"compress/gzip"
	"embed"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"

	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	structuralschema "k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/cel"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/defaulting"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/validation"
	"k8s.io/apimachinery/pkg/runtime/schema"
	celconfig "k8s.io/apiserver/pkg/apis/cel"
)

//go:generate go run ./gen

//go:embed data/*.json.gz
var data embed.FS

// Schema is the schema of one version of a kind.
type Schema struct {
	GVK        schema.GroupVersionKind
	Namespaced bool
	// Channel is "istio", or the Gateway API's "standard" or "experimental".
	Channel string

	props apiextensions.JSONSchemaProps

	compile    sync.Once
	structural *structuralschema.Structural
	validator  validation.SchemaValidator
	rules      *cel.Validator // nil where the schema has no CEL rule
	err        error
}

// cache keeps what has been read, since CEL rules take long to compile. Its
// content depends on the embedded files only.
var cache sync.Map // cacheKey → *Schema

type cacheKey struct {
	gvk     schema.GroupVersionKind
	channel string
}

// For gives the schema of a kind of Istio, or of the Gateway API's standard
// channel; of the experimental channel where the kind is nowhere else. It is
// false for other kinds and for versions that are not served.
func For(gvk schema.GroupVersionKind) (*Schema, bool) {
	for _, channel := range []string{"istio", "standard", "experimental"} {
		if s, ok := load(gvk, channel); ok {
			return s, true
		}
	}
	return nil, false
}

// Experimental gives the schema of the Gateway API's experimental channel,
// which has more fields than the standard one.
func Experimental(gvk schema.GroupVersionKind) (*Schema, bool) {
	return load(gvk, "experimental")
}

// Served lists the versions in which a kind is served, sorted, and whether it
// is known at all.
func Served(gk schema.GroupKind) (versions []string, ok bool) {
	for _, channel := range []string{"istio", "standard", "experimental"} {
		if d, err := read(gk, channel); err == nil {
			for v := range d.Versions {
				versions = append(versions, v)
			}
			slices.Sort(versions)
			return versions, true
		}
	}
	return nil, false
}

// definition is the form of the embedded files; see gen.
type definition struct {
	Scope    string            `json:"scope"`
	Versions map[string]int    `json:"versions"`
	Schemas  []json.RawMessage `json:"schemas"`
}

func load(gvk schema.GroupVersionKind, channel string) (*Schema, bool) {
	key := cacheKey{gvk, channel}
	if s, ok := cache.Load(key); ok {
		return s.(*Schema), s.(*Schema) != nil
	}
	s, err := parse(gvk, channel)
	if err != nil {
		s = nil
	}
	// Unknown kinds come from people's files: remembering them would let the
	// cache grow without end.
	if s == nil {
		return nil, false
	}
	known, _ := cache.LoadOrStore(key, s)
	return known.(*Schema), true
}

func read(gk schema.GroupKind, channel string) (*definition, error) {
	if strings.ContainsAny(gk.Group+gk.Kind, `/\`) {
		return nil, fmt.Errorf("no schema for %s", gk)
	}
	d := &definition{}
	if err := readInto(fmt.Sprintf("data/%s.%s.%s.json.gz", gk.Group, gk.Kind, channel), d); err != nil {
		return nil, err
	}
	return d, nil
}

// readInto reads an embedded file.
func readInto(name string, into any) error {
	f, err := data.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		return err
	}
	text, err := io.ReadAll(z)
	if err != nil {
		return err
	}
	return json.Unmarshal(text, into)
}

func parse(gvk schema.GroupVersionKind, channel string) (*Schema, error) {
	d, err := read(gvk.GroupKind(), channel)
	if err != nil {
		return nil, err
	}
	at, ok := d.Versions[gvk.Version]
	if !ok {
		return nil, fmt.Errorf("%s is not served", gvk)
	}
	s := &Schema{GVK: gvk, Namespaced: d.Scope == "Namespaced", Channel: channel}
	var props apiextensionsv1.JSONSchemaProps
	if err := json.Unmarshal(d.Schemas[at], &props); err != nil {
		return nil, err
	}
	return s, apiextensionsv1.Convert_v1_JSONSchemaProps_To_apiextensions_JSONSchemaProps(&props, &s.props, nil)
}

// prepare compiles the schema and its CEL rules.
func (s *Schema) prepare() error {
	s.compile.Do(func() {
		if s.structural, s.err = structuralschema.NewStructural(&s.props); s.err != nil {
			return
		}
		if s.err = defaulting.PruneDefaults(s.structural); s.err != nil {
			return
		}
		if s.validator, _, s.err = validation.NewSchemaValidator(&s.props); s.err != nil {
			return
		}
		s.rules = cel.NewValidator(s.structural, true, celconfig.PerCallLimit)
	})
	return s.err
}
