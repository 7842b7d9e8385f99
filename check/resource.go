package check

import (
	"encoding/json"
	"errors"
	"strings"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/meshstorm/meshstorm/manifest"
)

// Resource is one object of the documents, decoded.
type Resource struct {
	Document *manifest.Document
	// Object is the object as generic JSON (numbers as int64 or float64); nil
	// where Err is set. It is shared by all rules: read only.
	Object map[string]any
	JSON   []byte // what Object was decoded from
	Err    error  // why the document cannot be read as an object

	namespace string // "" for cluster-scoped kinds
	content   *content
}

// Resources are the objects in all documents, in source order. Documents that
// hold only comments are left out.
func (in *Input) Resources() []*Resource {
	in.decode.Do(func() {
		in.Memo.turn()
		for _, doc := range in.Documents {
			if doc == nil || doc.Node == nil {
				continue
			}
			r := in.Memo.decode(doc)
			r.namespace = in.namespaceOf(r)
			in.resources = append(in.resources, r)
		}
	})
	return in.resources
}

func (m *Memo) decode(doc *manifest.Document) *Resource {
	c := m.content(doc)
	return &Resource{Document: doc, JSON: c.json, Object: c.object, Err: c.err, content: c}
}

func decodeObject(data []byte) (map[string]any, error) {
	var value any
	dec := json.NewDecoder(strings.NewReader(string(data)))
	dec.UseNumber()
	if err := dec.Decode(&value); err != nil {
		return nil, err
	}
	object, ok := numbers(value).(map[string]any)
	if !ok {
		return nil, errors.New("expected a mapping with apiVersion and kind")
	}
	return object, nil
}

// numbers turns JSON numbers into int64 where they fit, as the API server's
// decoder does, and into float64 elsewhere.
func numbers(value any) any {
	switch v := value.(type) {
	case json.Number:
		if i, err := v.Int64(); err == nil {
			return i
		}
		f, _ := v.Float64()
		return f
	case []any:
		for i := range v {
			v[i] = numbers(v[i])
		}
	case map[string]any:
		for k := range v {
			v[k] = numbers(v[k])
		}
	}
	return value
}

func (in *Input) namespaceOf(r *Resource) string {
	if clusterScoped(r.Group(), r.Kind()) {
		return ""
	}
	if ns := r.text("metadata", "namespace"); ns != "" {
		return ns
	}
	if in.Namespace != "" {
		return in.Namespace
	}
	return "default"
}

// APIVersion is the object's apiVersion as written.
func (r *Resource) APIVersion() string {
	s, _ := r.Object["apiVersion"].(string)
	return s
}

// GVK is the object's group, version and kind; the zero value where apiVersion
// cannot be understood.
func (r *Resource) GVK() schema.GroupVersionKind {
	return schema.FromAPIVersionAndKind(r.APIVersion(), r.Kind())
}

// Group is the API group; "" for core kinds.
func (r *Resource) Group() string {
	group, _, ok := strings.Cut(r.APIVersion(), "/")
	if !ok {
		return ""
	}
	return group
}

// Kind is the object's kind as written.
func (r *Resource) Kind() string {
	s, _ := r.Object["kind"].(string)
	return s
}

// Name is metadata.name; "" where it is missing.
func (r *Resource) Name() string { return r.text("metadata", "name") }

// Namespace is where the object lives: its own, else the input's default; ""
// for cluster-scoped kinds.
func (r *Resource) Namespace() string { return r.namespace }

// ID names the object in findings.
func (r *Resource) ID() Object {
	return Object{Kind: r.Kind(), Namespace: r.namespace, Name: r.Name()}
}

// Annotation is the value of the annotation, or "".
func (r *Resource) Annotation(key string) string {
	return r.text("metadata", "annotations", key)
}

func (r *Resource) text(path ...string) string {
	var value any = r.Object
	for _, key := range path {
		m, ok := value.(map[string]any)
		if !ok {
			return ""
		}
		value = m[key]
	}
	s, _ := value.(string)
	return s
}

// Finding makes a finding about the field ("spec.ports[0].name"; "" for the
// whole object), placed at the field, or at the nearest parent that exists.
func (r *Resource) Finding(code string, severity Severity, field, message string) Finding {
	line, column := r.Place(field)
	f := Finding{Code: code, Severity: severity, Message: message,
		File: r.Document.Path, Line: line, Column: column,
		Source: r.Annotation("meshstorm.io/source")}
	if r.Kind() != "" {
		id := r.ID()
		f.Object = &id
	}
	return f
}

// Place is the 1-based line and column of the field, or of the nearest parent
// that exists.
func (r *Resource) Place(field string) (line, column int) {
	line, column, _ = r.Document.Locate(field)
	return line, column
}
