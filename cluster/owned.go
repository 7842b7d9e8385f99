package cluster

import (
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"
	"sigs.k8s.io/structured-merge-diff/v6/value"
)

// Owned gives the part of a live object that a manager applied: what it would
// have to send to own the same fields again, with apiVersion, kind, name and
// namespace. nil where the manager applied nothing.
func Owned(live *unstructured.Unstructured, manager string) (*unstructured.Unstructured, error) {
	set, err := ownedFields(live, manager, metav1.ManagedFieldsOperationApply)
	if err != nil || set == nil {
		return nil, err
	}
	content, _ := extract(live.Object, set).(map[string]any)
	if content == nil {
		content = map[string]any{}
	}
	part := (&unstructured.Unstructured{Object: content}).DeepCopy()
	part.SetAPIVersion(live.GetAPIVersion())
	part.SetKind(live.GetKind())
	part.SetName(live.GetName())
	if ns := live.GetNamespace(); ns != "" {
		part.SetNamespace(ns)
	}
	return part, nil
}

// Owns reports whether a manager applied anything of a live object.
func Owns(live *unstructured.Unstructured, manager string) bool {
	for _, entry := range live.GetManagedFields() {
		if entry.Manager == manager && entry.Operation == metav1.ManagedFieldsOperationApply && entry.Subresource == "" {
			return true
		}
	}
	return false
}

// ownedFields are the fields of a manager's entry, nil without one.
func ownedFields(live *unstructured.Unstructured, manager string, operation metav1.ManagedFieldsOperationType) (*fieldpath.Set, error) {
	for _, entry := range live.GetManagedFields() {
		if entry.Manager != manager || entry.Operation != operation || entry.Subresource != "" || entry.FieldsV1 == nil {
			continue
		}
		set := &fieldpath.Set{}
		if err := set.FromJSON(entry.FieldsV1.GetRawReader()); err != nil {
			return nil, fmt.Errorf("%s: managedFields of %s: %w", IDOf(live), manager, err)
		}
		return set, nil
	}
	return nil, nil
}

// extract takes the fields of a set out of a value. A member without children
// is a leaf or an atomic list or map: it is taken whole.
func extract(v any, set *fieldpath.Set) any {
	switch v := v.(type) {
	case map[string]any:
		part := map[string]any{}
		each(set, func(e fieldpath.PathElement, children *fieldpath.Set) {
			if e.FieldName == nil {
				return
			}
			if field, ok := v[*e.FieldName]; ok {
				part[*e.FieldName] = below(field, children)
			}
		})
		return part
	case []any:
		var part []any
		for i, item := range v {
			each(set, func(e fieldpath.PathElement, children *fieldpath.Set) {
				if selects(e, i, item) {
					part = append(part, withKey(below(item, children), e, item))
				}
			})
		}
		return part
	}
	return v
}

func below(v any, children *fieldpath.Set) any {
	if children == nil {
		return v
	}
	return extract(v, children)
}

// each visits the elements of a set once, those with children with them.
func each(set *fieldpath.Set, visit func(fieldpath.PathElement, *fieldpath.Set)) {
	set.Members.Iterate(func(e fieldpath.PathElement) {
		if _, deeper := set.Children.Get(e); !deeper {
			visit(e, nil)
		}
	})
	set.Children.Iterate(func(e fieldpath.PathElement) {
		children, _ := set.Children.Get(e)
		visit(e, children)
	})
}

func selects(e fieldpath.PathElement, index int, item any) bool {
	switch {
	case e.Index != nil:
		return *e.Index == index
	case e.Value != nil:
		return value.Equals(*e.Value, value.NewValueInterface(item))
	case e.Key != nil:
		fields, ok := item.(map[string]any)
		if !ok {
			return false
		}
		for _, key := range *e.Key {
			field, there := fields[key.Name]
			// A key with a default (a port's protocol) need not be written.
			if there && !value.Equals(key.Value, value.NewValueInterface(field)) {
				return false
			}
		}
		return true
	}
	return false
}

// withKey adds the key of an item of an associative list, without which the
// part could not be applied.
func withKey(part any, e fieldpath.PathElement, item any) any {
	fields, ok := part.(map[string]any)
	if !ok || e.Key == nil {
		return part
	}
	full, _ := item.(map[string]any)
	for _, key := range *e.Key {
		if _, there := fields[key.Name]; there {
			continue
		}
		if v, ok := full[key.Name]; ok {
			fields[key.Name] = v
		}
	}
	return fields
}
