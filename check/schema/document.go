package schema

import (
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/client-go/kubernetes/scheme"
)

// documents are the schemas that Document gave; their number is that of the
// kinds.
var documents sync.Map // schema.GroupVersionKind → json.RawMessage

// Document is the whole schema of a kind as JSON, in the form of CRDs'
// openAPIV3Schema: with descriptions, and without status. It is false for kinds
// that are neither Istio's, nor the Gateway API's, nor Kubernetes' own.
func Document(gvk schema.GroupVersionKind) (json.RawMessage, bool) {
	if d, ok := documents.Load(gvk); ok {
		return d.(json.RawMessage), true
	}
	props, ok := custom(gvk)
	if !ok {
		object, err := scheme.Scheme.New(gvk)
		if err != nil {
			return nil, false
		}
		props = typeSchema(reflect.TypeOf(object).Elem(), nil)
	}
	fields, _ := props["properties"].(map[string]any)
	if fields == nil || fields["metadata"] == nil || strings.HasSuffix(gvk.Kind, "List") || gvk.Kind == "Status" {
		return nil, false // a list, options of a request or its answer
	}
	delete(fields, "status")
	if required, ok := props["required"].([]string); ok {
		props["required"] = slices.DeleteFunc(required, func(name string) bool { return name == "status" })
	}
	fields["metadata"] = metadata()
	data, err := json.Marshal(props)
	if err != nil {
		return nil, false
	}
	documents.Store(gvk, json.RawMessage(data))
	return data, true
}

// custom is the schema of a kind that has a CRD.
func custom(gvk schema.GroupVersionKind) (map[string]any, bool) {
	for _, channel := range []string{"istio", "standard", "experimental"} {
		d, err := read(gvk.GroupKind(), channel)
		if err != nil {
			continue
		}
		at, ok := d.Versions[gvk.Version]
		if !ok {
			return nil, false
		}
		var props map[string]any
		if json.Unmarshal(d.Schemas[at], &props) != nil {
			return nil, false
		}
		fields, _ := props["properties"].(map[string]any)
		if fields == nil {
			return nil, false
		}
		for _, name := range []string{"apiVersion", "kind", "metadata"} {
			if fields[name] == nil {
				fields[name] = map[string]any{"type": "string"}
			}
		}
		return props, true
	}
	return nil, false
}

// metadata has what people write of it.
func metadata() map[string]any {
	whole := typeSchema(reflect.TypeFor[metav1.ObjectMeta](), nil)
	fields := whole["properties"].(map[string]any)
	kept := []string{"name", "namespace", "labels", "annotations", "finalizers"}
	maps.DeleteFunc(fields, func(name string, _ any) bool { return !slices.Contains(kept, name) })
	return whole
}

// typeSchema is the schema of a Go type of the Kubernetes API. above are the
// types that it lies in: what holds itself is not followed again.
func typeSchema(t reflect.Type, above []reflect.Type) map[string]any {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch t {
	case reflect.TypeFor[resource.Quantity](), reflect.TypeFor[intstr.IntOrString]():
		return map[string]any{"x-kubernetes-int-or-string": true}
	case reflect.TypeFor[metav1.Time](), reflect.TypeFor[metav1.MicroTime](), reflect.TypeFor[time.Time]():
		return map[string]any{"type": "string", "format": "date-time"}
	case reflect.TypeFor[metav1.Duration]():
		return map[string]any{"type": "string"}
	case reflect.TypeFor[[]byte]():
		return map[string]any{"type": "string", "format": "byte"}
	}
	switch t.Kind() {
	case reflect.String:
		s := map[string]any{"type": "string"}
		if values := markers().Enums[typeID(t)]; values != nil {
			s["enum"] = values
		}
		return s
	case reflect.Bool:
		return map[string]any{"type": "boolean"}
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64, reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return map[string]any{"type": "integer"}
	case reflect.Float32, reflect.Float64:
		return map[string]any{"type": "number"}
	case reflect.Slice, reflect.Array:
		return map[string]any{"type": "array", "items": typeSchema(t.Elem(), above)}
	case reflect.Map:
		return map[string]any{"type": "object", "additionalProperties": typeSchema(t.Elem(), above)}
	case reflect.Struct:
		if !slices.Contains(above, t) && t.NumField() > 0 {
			fields := map[string]any{}
			s := map[string]any{"type": "object", "properties": fields, "description": swaggerDoc(t)[""]}
			if required := addFields(fields, t, append(slices.Clip(above), t)); len(required) > 0 {
				s["required"] = required
			}
			return s
		}
	}
	return map[string]any{"x-kubernetes-preserve-unknown-fields": true}
}

// addFields adds the fields of a struct, and gives the names of those that must
// be there.
func addFields(fields map[string]any, t reflect.Type, above []reflect.Type) (required []string) {
	docs := swaggerDoc(t)
	for i := range t.NumField() {
		f := t.Field(i)
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		if name == "-" || !f.IsExported() {
			continue
		}
		if name == "" && (f.Anonymous || strings.Contains(options, "inline")) {
			inner := f.Type
			if inner.Kind() == reflect.Pointer {
				inner = inner.Elem()
			}
			if inner.Kind() == reflect.Struct {
				required = append(required, addFields(fields, inner, above)...)
			}
			continue
		}
		s := typeSchema(f.Type, above)
		if text := docs[name]; text != "" {
			s["description"] = text
		}
		fields[name] = s
		if needed(t, name, options) {
			required = append(required, name)
		}
	}
	return required
}
