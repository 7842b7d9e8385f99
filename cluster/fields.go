package cluster

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"
)

// lastApplied is what kubectl's client-side apply leaves; of a Secret it holds
// the values.
const lastApplied = "kubectl.kubernetes.io/last-applied-configuration"

// serverFields are of metadata and written by the server alone.
var serverFields = []string{"managedFields", "resourceVersion", "uid", "generation", "creationTimestamp", "selfLink", "deletionTimestamp", "deletionGracePeriodSeconds"}

// Masks of Secret values: that they differ may be seen, not what they are.
const (
	masked       = "***"
	maskedBefore = "*** (before)"
	maskedAfter  = "*** (after)"
)

// visible is an object for people: without what only the server writes, and with
// masked Secrets.
func visible(o *unstructured.Unstructured) map[string]any {
	if o == nil {
		return nil
	}
	content := bare(o)
	if o.GetKind() == "Secret" && o.GroupVersionKind().Group == "" {
		for _, part := range []string{"data", "stringData"} {
			values, _ := content[part].(map[string]any)
			for key := range values {
				values[key] = masked
			}
		}
	}
	return content
}

// bare is a copy without what only the server writes.
func bare(o *unstructured.Unstructured) map[string]any {
	content := o.DeepCopy().Object
	delete(content, "status")
	metadata, _ := content["metadata"].(map[string]any)
	for _, f := range serverFields {
		delete(metadata, f)
	}
	annotations, _ := metadata["annotations"].(map[string]any)
	delete(annotations, lastApplied)
	delete(annotations, "deployment.kubernetes.io/revision")
	if len(annotations) == 0 {
		delete(metadata, "annotations")
	}
	return content
}

// differences lists the fields in which two objects differ. Either may be nil.
func differences(before, after *unstructured.Unstructured) []FieldChange {
	var all []FieldChange
	if before == nil || after == nil {
		return nil
	}
	compare("", bare(before), bare(after), &all)
	secret := before.GetKind() == "Secret" && before.GroupVersionKind().Group == ""
	for i := range all {
		f := &all[i]
		if secret && (strings.HasPrefix(f.Path, ".data") || strings.HasPrefix(f.Path, ".stringData")) {
			mask(f)
		}
		f.Managers = managersOf(before, f.Path)
	}
	return all
}

func mask(f *FieldChange) {
	if f.Old != nil {
		f.Old = maskedBefore
	}
	if f.New != nil {
		f.New = maskedAfter
	}
}

func compare(path string, a, b any, all *[]FieldChange) {
	if reflect.DeepEqual(a, b) {
		return
	}
	x, aMap := a.(map[string]any)
	y, bMap := b.(map[string]any)
	if aMap && bMap {
		keys := maps.Clone(x)
		maps.Copy(keys, y)
		for _, key := range slices.Sorted(maps.Keys(keys)) {
			compare(path+"."+quoteField(key), x[key], y[key], all)
		}
		return
	}
	p, aList := a.([]any)
	q, bList := b.([]any)
	if aList && bList && compareLists(path, p, q, all) {
		return
	}
	*all = append(*all, FieldChange{Path: path, Old: a, New: b})
}

// quoteField writes a key as jsonpath does where it holds dots.
func quoteField(key string) string {
	if strings.ContainsAny(key, ".[]") {
		return "[" + key + "]"
	}
	return key
}

// compareLists compares item by item where items can be told apart: by their
// names, or by their places when there are as many.
func compareLists(path string, a, b []any, all *[]FieldChange) bool {
	x, aNamed := byName(a)
	y, bNamed := byName(b)
	if aNamed && bNamed {
		names := map[string]bool{}
		var order []string
		for _, list := range [][]any{a, b} {
			for _, item := range list {
				name := item.(map[string]any)["name"].(string) //nolint:forcetypeassert // byName has looked
				if !names[name] {
					names[name] = true
					order = append(order, name)
				}
			}
		}
		before := len(*all)
		for _, name := range order {
			compare(fmt.Sprintf("%s[name=%s]", path, name), orNil(x, name), orNil(y, name), all)
		}
		return len(*all) > before // else they differ in their order alone
	}
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		compare(fmt.Sprintf("%s[%d]", path, i), a[i], b[i], all)
	}
	return true
}

func orNil(items map[string]map[string]any, name string) any {
	if item, ok := items[name]; ok {
		return item
	}
	return nil
}

func byName(list []any) (map[string]map[string]any, bool) {
	named := map[string]map[string]any{}
	for _, item := range list {
		fields, ok := item.(map[string]any)
		if !ok {
			return nil, false
		}
		name, ok := fields["name"].(string)
		if !ok || named[name] != nil {
			return nil, false
		}
		named[name] = fields
	}
	return named, true
}

// managersOf names who owns a live field besides meshstorm. A path into an
// atomic list is owned with the list.
func managersOf(live *unstructured.Unstructured, path string) []string {
	var all []string
	for _, entry := range live.GetManagedFields() {
		if entry.Manager == Manager || entry.Subresource == "status" || entry.FieldsV1 == nil {
			continue
		}
		set := &fieldpath.Set{}
		if set.FromJSON(entry.FieldsV1.GetRawReader()) != nil {
			continue
		}
		if owns(set, path) && !slices.Contains(all, entry.Manager) {
			all = append(all, entry.Manager)
		}
	}
	return all
}

// owns reports whether a set has the field of a path, the list that it is in, or
// anything below it.
func owns(set *fieldpath.Set, path string) bool {
	found := false
	set.Leaves().Iterate(func(p fieldpath.Path) {
		text := readable(p)
		if text == path || strings.HasPrefix(path, text+".") || strings.HasPrefix(path, text+"[") ||
			strings.HasPrefix(text, path+".") || strings.HasPrefix(text, path+"[") {
			found = true
		}
	})
	return found
}

// readable writes a path as compare does.
func readable(p fieldpath.Path) string {
	var b strings.Builder
	for _, e := range p {
		switch {
		case e.FieldName != nil:
			b.WriteString("." + quoteField(*e.FieldName))
		case e.Index != nil:
			fmt.Fprintf(&b, "[%d]", *e.Index)
		case e.Value != nil:
			text, _ := json.Marshal((*e.Value).Unstructured())
			fmt.Fprintf(&b, "[=%s]", text)
		case e.Key != nil:
			for _, k := range *e.Key {
				if k.Name == "name" {
					fmt.Fprintf(&b, "[name=%v]", k.Value.Unstructured())
					continue
				}
			}
		}
	}
	return b.String()
}
