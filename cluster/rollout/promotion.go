package rollout

import (
	"maps"
	"reflect"
	"slices"
)

// Edit is a change of a pod template.
type Edit struct {
	// Path leads from the template to the field; items of lists go by their
	// name: metadata, labels, version or spec, containers, order, image.
	Path []string
	// Value is what stands there now; of an Append it is a new item of the list.
	Value  any
	Append bool
	Remove bool
}

// Edits are what turns the old template into the new one, by path.
func (p Promotion) Edits() []Edit {
	var all []Edit
	compare(nil, p.Old, p.New, &all)
	return all
}

func compare(path []string, before, after any, all *[]Edit) {
	if same(before, after) {
		return
	}
	at := func(name string) []string { return append(slices.Clone(path), name) }
	if a, b := mapping(before), mapping(after); a != nil && b != nil {
		for _, key := range keys(a, b) {
			old, had := a[key]
			now, has := b[key]
			switch {
			case !has:
				*all = append(*all, Edit{Path: at(key), Remove: true})
			case !had:
				*all = append(*all, Edit{Path: at(key), Value: now})
			default:
				compare(at(key), old, now, all)
			}
		}
		return
	}
	a, okA := byName(before)
	b, okB := byName(after)
	if !okA || !okB {
		*all = append(*all, Edit{Path: path, Value: after})
		return
	}
	for _, item := range before.([]any) {
		if name := nameOf(item); b[name] == nil {
			*all = append(*all, Edit{Path: at(name), Remove: true})
		} else {
			compare(at(name), item, b[name], all)
		}
	}
	for _, item := range after.([]any) {
		if a[nameOf(item)] == nil {
			*all = append(*all, Edit{Path: path, Value: item, Append: true})
		}
	}
}

func mapping(v any) map[string]any {
	m, _ := v.(map[string]any)
	return m
}

func keys(a, b map[string]any) []string {
	all := slices.AppendSeq(slices.Collect(maps.Keys(a)), maps.Keys(b))
	slices.Sort(all)
	return slices.Compact(all)
}

func nameOf(item any) string {
	name, _ := mapping(item)["name"].(string)
	return name
}

// byName indexes a list whose items all have names of their own.
func byName(v any) (map[string]any, bool) {
	list, ok := v.([]any)
	if !ok {
		return nil, false
	}
	all := map[string]any{}
	for _, item := range list {
		name := nameOf(item)
		if name == "" || all[name] != nil {
			return nil, false
		}
		all[name] = item
	}
	return all, true
}

// same compares values that came through JSON, where a number can be of several
// types.
func same(a, b any) bool {
	x, y := reflect.ValueOf(a), reflect.ValueOf(b)
	if x.IsValid() && y.IsValid() && x.Type() != y.Type() && number64(x) != nil && number64(y) != nil {
		return *number64(x) == *number64(y)
	}
	if m, n := mapping(a), mapping(b); m != nil && n != nil {
		return maps.EqualFunc(m, n, same)
	}
	l, okL := a.([]any)
	r, okR := b.([]any)
	if okL && okR {
		return slices.EqualFunc(l, r, same)
	}
	return reflect.DeepEqual(a, b)
}

func number64(v reflect.Value) *float64 {
	var f float64
	switch {
	case v.CanInt():
		f = float64(v.Int())
	case v.CanFloat():
		f = v.Float()
	default:
		return nil
	}
	return &f
}

// Patch is the change as a strategic merge patch of the Deployment, as kubectl
// patch takes it.
func (p Promotion) Patch() map[string]any {
	patch := map[string]any{}
	for _, e := range p.Edits() {
		put(patch, p.New, append([]string{"spec", "template"}, e.Path...), 2, e)
	}
	return patch
}

// put lays one edit into a patch: items of lists carry their names.
func put(into map[string]any, template any, path []string, skip int, e Edit) {
	key, rest := path[0], path[1:]
	below := template
	if skip == 0 {
		below = mapping(template)[key]
	} else {
		skip--
	}
	if _, isList := below.([]any); isList && skip == 0 && (len(rest) > 0 || e.Append) {
		list, _ := into[key].([]any)
		if e.Append && len(rest) == 0 {
			into[key] = append(list, e.Value)
			return
		}
		item := map[string]any{"name": rest[0]}
		for _, known := range list {
			if nameOf(known) == rest[0] {
				item = mapping(known)
			}
		}
		if len(list) == 0 || !slices.ContainsFunc(list, func(known any) bool { return nameOf(known) == rest[0] }) {
			list = append(list, item)
		}
		into[key] = list
		if len(rest) == 1 {
			if e.Remove {
				item["$patch"] = "delete"
			}
			return
		}
		named, _ := byName(below)
		put(item, named[rest[0]], rest[1:], 0, e)
		return
	}
	if len(rest) == 0 {
		if into[key] = e.Value; e.Remove {
			into[key] = nil
		}
		return
	}
	next := mapping(into[key])
	if next == nil {
		next = map[string]any{}
		into[key] = next
	}
	put(next, below, rest, skip, e)
}
