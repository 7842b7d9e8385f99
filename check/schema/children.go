package schema

import (
	"cmp"
	"io/fs"
	"maps"
	"reflect"
	"slices"
	"strings"

	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes/scheme"
)

// Children lists the names of the fields below a field, sorted; nothing for
// unknown fields and for maps.
func Children(gvk schema.GroupVersionKind, path string) []string {
	steps := split(path)
	if s, ok := For(gvk); ok {
		if len(steps) > 0 && steps[0] == "metadata" {
			return fieldNames(reflect.TypeFor[metav1.ObjectMeta](), steps[1:])
		}
		return propNames(&s.props, steps)
	}
	object, err := scheme.Scheme.New(gvk)
	if err != nil {
		return nil
	}
	return fieldNames(reflect.TypeOf(object).Elem(), steps)
}

// Kinds lists the kinds of an API group that have an embedded schema, sorted.
func Kinds(group string) []string {
	files, err := fs.Glob(data, "data/"+globSafe(group)+".*.json.gz")
	if err != nil || group == "" {
		return nil
	}
	var all []string
	for _, file := range files {
		rest := strings.TrimPrefix(file, "data/"+group+".")
		// What is left is Kind.channel.json.gz; more would be another group.
		if kind, _, ok := strings.Cut(rest, "."); ok && strings.Count(rest, ".") == 3 {
			all = append(all, kind)
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// Documented lists the kinds that Document knows, by group, kind and version.
func Documented() []schema.GroupVersionKind {
	var all []schema.GroupVersionKind
	files, _ := fs.Glob(data, "data/*.*.json.gz") // the pattern is right
	for _, file := range files {
		parts := strings.Split(strings.TrimSuffix(strings.TrimPrefix(file, "data/"), ".json.gz"), ".")
		if len(parts) < 3 {
			continue // not a CRD
		}
		gk := schema.GroupKind{Group: strings.Join(parts[:len(parts)-2], "."), Kind: parts[len(parts)-2]}
		versions, _ := Served(gk)
		for _, version := range versions {
			all = append(all, gk.WithVersion(version))
		}
	}
	for gvk, t := range scheme.Scheme.AllKnownTypes() {
		_, object := t.FieldByName("ObjectMeta")
		if object && !strings.HasSuffix(gvk.Kind, "List") && gvk.Version != runtime.APIVersionInternal {
			all = append(all, gvk)
		}
	}
	slices.SortFunc(all, func(a, b schema.GroupVersionKind) int {
		return cmp.Or(strings.Compare(a.Group, b.Group), strings.Compare(a.Kind, b.Kind), strings.Compare(a.Version, b.Version))
	})
	return slices.Compact(all)
}

func globSafe(s string) string {
	return strings.NewReplacer("*", "", "?", "", "[", "", "\\", "").Replace(s)
}

func propNames(p *apiextensions.JSONSchemaProps, steps []string) []string {
	for p.Items != nil && p.Items.Schema != nil {
		p = p.Items.Schema
	}
	if len(steps) == 0 {
		return slices.Sorted(maps.Keys(p.Properties))
	}
	if child, ok := p.Properties[steps[0]]; ok {
		return propNames(&child, steps[1:])
	}
	return nil
}

func fieldNames(t reflect.Type, steps []string) []string {
	for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice {
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct {
		return nil
	}
	var all []string
	for i := range t.NumField() {
		f := t.Field(i)
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch {
		case name == "" && f.Anonymous:
			if found := fieldNames(f.Type, steps); len(steps) > 0 && found != nil {
				return found
			} else if len(steps) == 0 {
				all = append(all, found...)
			}
		case len(steps) > 0 && name == steps[0] && name != "":
			return fieldNames(f.Type, steps[1:])
		case len(steps) == 0 && name != "" && name != "-":
			all = append(all, name)
		}
	}
	slices.Sort(all)
	return all
}
