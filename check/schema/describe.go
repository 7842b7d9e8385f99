package schema

import (
	"reflect"
	"strings"

	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes/scheme"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Field is what is known about a field of a kind.
type Field struct {
	Type        string // "string", "integer", "[]Container", "map[string]string", "object"
	Description string // may be empty
}

// Describe gives type and description of a field such as
// "spec.template.spec.containers[0].image"; "" stands for the kind itself.
// What is in brackets does not matter, and may be left out. It is false for
// unknown kinds and fields.
func Describe(gvk schema.GroupVersionKind, path string) (Field, bool) {
	steps := split(path)
	if s, ok := For(gvk); ok {
		if len(steps) > 0 && steps[0] == "metadata" {
			return describeType(reflect.TypeFor[metav1.ObjectMeta](), "", steps[1:])
		}
		return describeProps(&s.props, steps)
	}
	object, err := scheme.Scheme.New(gvk)
	if err != nil {
		return Field{}, false
	}
	return describeType(reflect.TypeOf(object).Elem(), "", steps)
}

// split cuts a path into its names, without what is in brackets.
func split(path string) []string {
	var b strings.Builder
	depth := 0
	for _, r := range path {
		switch {
		case r == '[':
			depth++
		case r == ']' && depth > 0:
			depth--
		case depth == 0:
			b.WriteRune(r)
		}
	}
	return strings.FieldsFunc(b.String(), func(r rune) bool { return r == '.' })
}

func describeProps(p *apiextensions.JSONSchemaProps, steps []string) (Field, bool) {
	if len(steps) == 0 {
		return Field{propsType(p), p.Description}, true
	}
	for p.Items != nil && p.Items.Schema != nil {
		p = p.Items.Schema
	}
	if child, ok := p.Properties[steps[0]]; ok {
		return describeProps(&child, steps[1:])
	}
	if p.AdditionalProperties != nil && p.AdditionalProperties.Schema != nil {
		value := p.AdditionalProperties.Schema
		if len(value.Properties) == 0 {
			return describeProps(value, nil) // the key may have dots in it
		}
		return describeProps(value, steps[1:])
	}
	if p.XPreserveUnknownFields != nil && *p.XPreserveUnknownFields {
		return Field{"any", p.Description}, true
	}
	return Field{}, false
}

func propsType(p *apiextensions.JSONSchemaProps) string {
	switch {
	case p.XIntOrString:
		return "integer or string"
	case p.Type == "array" && p.Items != nil && p.Items.Schema != nil:
		return "[]" + propsType(p.Items.Schema)
	case p.AdditionalProperties != nil && p.AdditionalProperties.Schema != nil:
		return "map[string]" + propsType(p.AdditionalProperties.Schema)
	case p.Type == "":
		return "any"
	}
	return p.Type
}

// describeType follows the JSON names through a Go type of the Kubernetes API.
// Its descriptions are in generated SwaggerDoc methods.
func describeType(t reflect.Type, description string, steps []string) (Field, bool) {
	if len(steps) == 0 {
		if description == "" {
			description = swaggerDoc(t)[""]
		}
		return Field{typeName(t), description}, true
	}
	for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice {
		t = t.Elem()
	}
	switch t.Kind() {
	case reflect.Map:
		if e := t.Elem(); e.Kind() != reflect.Struct {
			return describeType(e, description, nil)
		}
		return describeType(t.Elem(), "", steps[1:])
	case reflect.Struct:
		return describeField(t, steps)
	default:
		return Field{}, false
	}
}

func describeField(t reflect.Type, steps []string) (Field, bool) {
	docs := swaggerDoc(t)
	for i := range t.NumField() {
		f := t.Field(i)
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		if name == steps[0] && name != "" && name != "-" {
			return describeType(f.Type, docs[name], steps[1:])
		}
		if name == "" && (f.Anonymous || strings.Contains(options, "inline")) {
			inner := f.Type
			if inner.Kind() == reflect.Pointer {
				inner = inner.Elem()
			}
			if inner.Kind() != reflect.Struct {
				continue
			}
			if found, ok := describeField(inner, steps); ok {
				return found, true
			}
		}
	}
	return Field{}, false
}

func swaggerDoc(t reflect.Type) map[string]string {
	for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice {
		t = t.Elem()
	}
	if d, ok := reflect.Zero(t).Interface().(interface{ SwaggerDoc() map[string]string }); ok {
		return d.SwaggerDoc()
	}
	return nil
}

func typeName(t reflect.Type) string {
	switch t.Kind() {
	case reflect.Pointer:
		return typeName(t.Elem())
	case reflect.Slice:
		if t.Elem().Kind() == reflect.Uint8 {
			return "string" // bytes travel in base64
		}
		return "[]" + typeName(t.Elem())
	case reflect.Map:
		return "map[" + typeName(t.Key()) + "]" + typeName(t.Elem())
	case reflect.Struct:
		switch t.Name() {
		case "Quantity", "Time", "MicroTime":
			return "string"
		case "Duration":
			return "string"
		case "IntOrString":
			return "integer or string"
		}
		return t.Name()
	case reflect.Bool:
		return "boolean"
	case reflect.Float32, reflect.Float64:
		return "number"
	case reflect.String:
		return "string"
	case reflect.Interface:
		return "any"
	default:
		return "integer"
	}
}
