package capture

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/meshstorm/meshstorm/topping"
)

// absent stands for a field that is not there.
type absent struct{}

// overlay lays what runs over what the files say, field by field.
type overlay struct {
	kind      string // "apps/Deployment"
	theirs    bool   // what runs wins over edits
	fresh     bool   // nobody has edited the files yet
	held      bool   // a running shift holds the weights
	set       []FieldValue
	conflicts []FieldValue
}

// versions are the sides of one field. bases are the values that are no edit
// of a person: the last generated and the last imported one.
type versions struct {
	files, live any
	bases       []any
	in          map[string]any // the live mapping that the field stands in
}

// value gives the merged field; at is its path for people, path the one for
// the tables of defaults.
func (o *overlay) value(at, path string, v versions) any {
	if o.same(path, v.files, v.live) {
		return v.files
	}
	_, noFile := v.files.(absent)
	_, noLive := v.live.(absent)
	switch {
	case noFile && isDefault(o.kind, path, v.live, v.in):
		return v.files
	case noLive && o.stays(path, v.files, v.in):
		return v.files
	case noLive && path[strings.LastIndexByte(path, '.')+1:] == "weight" && o.held:
		return v.files
	}
	files, ok1 := v.files.(map[string]any)
	live, ok2 := v.live.(map[string]any)
	if noLive && (path == "metadata.labels" || path == "metadata.annotations") {
		ok2 = true // some of them may be meshstorm's own
	}
	if ok1 && ok2 {
		return o.mapping(at, path, files, live, v.bases)
	}
	fileList, ok1 := v.files.([]any)
	liveList, ok2 := v.live.([]any)
	if ok1 && ok2 {
		if merged, ok := o.list(at, path, fileList, liveList, v.bases); ok {
			return merged
		}
	}
	if o.held && strings.HasSuffix(path, ".route.*.weight") && !noFile {
		return v.files
	}
	return o.decide(at, path, v)
}

// stays tells whether a field that runs nowhere stays in the files without a
// word: what the server drops, and meshstorm's own marks.
func (o *overlay) stays(path string, files any, in map[string]any) bool {
	switch {
	case path == "metadata.labels."+topping.PartOf, path == "metadata.labels."+topping.ModelLabel, strings.HasPrefix(path, "metadata.annotations.meshstorm.io/"):
		return true
	case isDefault(o.kind, path, files, in):
		return true
	}
	last := path[strings.LastIndexByte(path, '.')+1:]
	switch v := files.(type) {
	case nil:
		return true
	case string:
		return v == "" && !keepsEmpty(path)
	case bool:
		return !v && slices.Contains(droppedFalse, last)
	case map[string]any:
		for key, field := range v {
			if !o.stays(strings.TrimPrefix(path+"."+key, "."), field, v) {
				return false
			}
		}
		return path == "metadata.annotations" || path == "metadata.labels" || !meaningful(path)
	case []any:
		return len(v) == 0
	case int64:
		return v == 0 && strings.Contains(o.kind, "istio.io/")
	}
	return false
}

// droppedFalse are switches whose "false" the API server does not keep.
var droppedFalse = []string{"hostNetwork", "hostPID", "hostIPC", "stdin", "stdinOnce", "tty", "readOnly", "paused", "publishNotReadyAddresses"}

// keepsEmpty tells whether an empty text says something: a value that people
// name, or a choice of "none".
func keepsEmpty(path string) bool {
	for _, part := range []string{"data.", "labels.", "annotations.", "matchLabels.", "nodeSelector.", "selector.", "storageClassName"} {
		if strings.Contains(path, part) {
			return true
		}
	}
	return false
}

// meaningful tells whether an empty mapping says something: an emptyDir, a
// selector of everything, a match of everything.
func meaningful(path string) bool {
	last := path[strings.LastIndexByte(path, '.')+1:]
	return !slices.Contains([]string{"annotations", "labels", "resources", "securityContext", "strategy", "updateStrategy", "status", "metadata"}, last)
}

// decide takes the live value unless a person wrote the one in the files.
func (o *overlay) decide(at, path string, v versions) any {
	_, noFile := v.files.(absent)
	live := v.live
	if _, gone := live.(absent); !gone {
		live = cleaner{defaults: noFile || emptied(v.files)}.value(o.kind, path, live)
		if noFile && emptied(live) && !emptied(v.live) {
			return v.files // only defaults were in it
		}
	}
	change := FieldValue{Field: at, Files: show(v.files), Live: show(live)}
	untouched := o.fresh || noFile && len(v.bases) == 0 ||
		slices.ContainsFunc(v.bases, func(b any) bool {
			return o.same(path, b, v.files) || noFile && isDefault(o.kind, path, b, v.in)
		})
	if !untouched && !o.theirs {
		o.conflicts = append(o.conflicts, change)
		return v.files
	}
	o.set = append(o.set, change)
	return live
}

func show(v any) string {
	if _, ok := v.(absent); ok {
		return ""
	}
	data, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	return string(data)
}

func (o *overlay) mapping(at, path string, files, live map[string]any, bases []any) map[string]any {
	out := maps.Clone(files)
	keys := maps.Clone(files)
	maps.Copy(keys, live)
	for _, key := range slices.Sorted(maps.Keys(keys)) {
		p := strings.TrimPrefix(path+"."+key, ".")
		if p == "apiVersion" || p == "kind" || p == "metadata.namespace" {
			continue // one object can be read in several versions; a namespace need not be written
		}
		v := versions{files: field(files, key), live: field(live, key), in: live}
		for _, b := range bases {
			v.bases = append(v.bases, field(b, key))
		}
		merged := o.value(strings.TrimPrefix(at+"."+quote(key), "."), p, v)
		if _, gone := merged.(absent); gone || emptied(merged) && !emptied(field(files, key)) && !emptied(field(live, key)) {
			delete(out, key)
		} else {
			out[key] = merged
		}
	}
	return out
}

func quote(key string) string {
	if strings.ContainsAny(key, ".[]/") {
		return "[" + key + "]"
	}
	return key
}

func field(m any, key string) any {
	fields, _ := m.(map[string]any)
	if v, ok := fields[key]; ok {
		return v
	}
	return absent{}
}

// ordered are the lists whose order means something.
func ordered(path string) bool {
	last := path[strings.LastIndexByte(path, '.')+1:]
	return slices.Contains([]string{"http", "tcp", "tls", "initContainers", "env", "args", "command", "match"}, last)
}

// list merges lists item by item, where items can be told apart or are as many.
func (o *overlay) list(at, path string, files, live []any, bases []any) ([]any, bool) {
	fileKeys, ok1 := keys(files)
	liveKeys, ok2 := keys(live)
	if !ok1 || !ok2 {
		return o.places(at, path, files, live, bases)
	}
	order := liveKeys
	if !ordered(path) {
		order = fileKeys
	}
	order = slices.Clone(order)
	for _, k := range slices.Concat(fileKeys, liveKeys) {
		if !slices.Contains(order, k) {
			order = append(order, k)
		}
	}
	var out []any
	for _, k := range order {
		v := versions{files: item(files, fileKeys, k), live: item(live, liveKeys, k), in: map[string]any{}}
		for _, b := range bases {
			list, _ := b.([]any)
			baseKeys, _ := keys(list)
			v.bases = append(v.bases, item(list, baseKeys, k))
		}
		if merged := o.value(at+"["+k+"]", path+".*", v); merged != (absent{}) {
			out = append(out, merged)
		}
	}
	moved := ordered(path) && !slices.Equal(common(fileKeys, liveKeys), common(liveKeys, fileKeys))
	if moved {
		o.set = append(o.set, FieldValue{Field: at, Files: "order " + strings.Join(fileKeys, ", "), Live: "order " + strings.Join(liveKeys, ", ")})
	}
	return out, true
}

// common are the keys of a that b has too.
func common(a, b []string) []string {
	return slices.DeleteFunc(slices.Clone(a), func(k string) bool { return !slices.Contains(b, k) })
}

func item(list []any, keys []string, key string) any {
	if i := slices.Index(keys, key); i >= 0 && i < len(list) {
		return list[i]
	}
	return absent{}
}

// places merges lists of the same length place by place.
func (o *overlay) places(at, path string, files, live []any, bases []any) ([]any, bool) {
	if len(files) != len(live) {
		return nil, false
	}
	out := make([]any, len(files))
	for i := range files {
		v := versions{files: files[i], live: live[i], in: map[string]any{}}
		for _, b := range bases {
			if list, ok := b.([]any); ok && len(list) == len(files) {
				v.bases = append(v.bases, list[i])
			} else {
				v.bases = append(v.bases, absent{})
			}
		}
		out[i] = o.value(at+"["+strconv.Itoa(i)+"]", path+".*", v)
	}
	return out, true
}

// itemKeys are by what items of lists are told apart, tried in this order.
var itemKeys = [][]string{{"name"}, {"destination"}, {"mountPath"}, {"containerPort"}, {"port"}}

// keys gives each item a name of its own; ok is false where that is not possible.
func keys(list []any) (names []string, ok bool) {
	if len(list) == 0 {
		return nil, true
	}
	for _, by := range itemKeys {
		names = names[:0]
		for _, v := range list {
			m, _ := v.(map[string]any)
			name, ok := keyOf(m, by)
			if !ok || slices.Contains(names, name) {
				names = nil
				break
			}
			names = append(names, name)
		}
		if len(names) == len(list) {
			return names, true
		}
	}
	return nil, false
}

func keyOf(m map[string]any, by []string) (string, bool) {
	switch v := dig(m, by...).(type) {
	case string:
		return by[0] + "=" + v, v != ""
	case int64:
		return by[0] + "=" + strconv.FormatInt(v, 10), true
	case map[string]any:
		if by[0] != "destination" {
			return "", false
		}
		name := text(v, "host")
		if subset := text(v, "subset"); subset != "" {
			name += "/" + subset
		}
		if port, ok := number(v, "port", "number"); ok {
			name += ":" + strconv.FormatInt(port, 10)
		}
		return name, name != ""
	}
	return "", false
}

// same compares values as the API server would: quantities by what they mean.
func (o *overlay) same(path string, a, b any) bool {
	if equal(a, b) {
		return true
	}
	if !isQuantity(path) {
		return false
	}
	x, err1 := resource.ParseQuantity(strings.Trim(show(a), `"`))
	y, err2 := resource.ParseQuantity(strings.Trim(show(b), `"`))
	return err1 == nil && err2 == nil && x.Cmp(y) == 0
}

func isQuantity(path string) bool {
	parts := strings.Split(path, ".")
	n := len(parts)
	if n < 3 {
		return false
	}
	switch parts[n-2] {
	case "requests", "limits":
		return parts[n-3] == "resources"
	case "hard", "capacity", "max", "min", "default", "defaultRequest":
		return parts[0] == "spec" // ResourceQuota, LimitRange
	}
	return parts[n-1] == "sizeLimit" || parts[n-1] == "divisor" || parts[n-1] == "averageValue"
}

// equal compares JSON values; 5 and 5.0 are the same.
func equal(a, b any) bool {
	switch x := a.(type) {
	case map[string]any:
		y, ok := b.(map[string]any)
		return ok && maps.EqualFunc(x, y, equal)
	case []any:
		y, ok := b.([]any)
		return ok && slices.EqualFunc(x, y, equal)
	case absent:
		_, ok := b.(absent)
		return ok
	case float64:
		if n, ok := b.(int64); ok {
			return x == float64(n)
		}
	case int64:
		if f, ok := b.(float64); ok {
			return float64(x) == f
		}
	}
	switch b.(type) {
	case map[string]any, []any:
		return false
	}
	return a == b
}
