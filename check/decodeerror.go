package check

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/resource"
)

// goType is how decoding errors name Go's types.
var goType = regexp.MustCompile(`cannot unmarshal (\S+) into Go (?:struct field \S+ of type|value of type) (\S+)`)

// explainDecode finds the field that a decoding error is about and says the
// error without Go's words. The field is "" where the error names none and no
// value in the object looks like the one it means.
func explainDecode(object map[string]any, err error) (field, text string) {
	text = err.Error()
	if m := goType.FindStringSubmatch(text); m != nil {
		text = fmt.Sprintf("expected %s, not %s", jsonType(m[2]), m[1])
		if pattern := structField(err); pattern != "" {
			return mismatch(object, strings.Split(pattern, "."), m[1]), text
		}
		return "", text
	}
	if strings.Contains(text, "illegal base64") {
		return badBase64(object), "a value is not base64"
	}
	if strings.Contains(text, "quantities must match") {
		if field, value := badQuantity(object, ""); field != "" {
			return field, fmt.Sprintf("%q is no quantity, such as 500m, 2 or 512Mi", value)
		}
	}
	return "", text
}

// badBase64 finds the first value that is no base64 where ConfigMaps and
// Secrets have bytes.
func badBase64(object map[string]any) string {
	for _, field := range []string{"data", "binaryData"} {
		m, _ := object[field].(map[string]any)
		for _, key := range slices.Sorted(maps.Keys(m)) {
			if s, ok := m[key].(string); ok {
				if _, err := base64.StdEncoding.DecodeString(s); err != nil {
					return field + "[" + key + "]"
				}
			}
		}
	}
	return ""
}

// structField is the path without indexes that the decoder names.
func structField(err error) string {
	for ; err != nil; err = errors.Unwrap(err) {
		v := reflect.Indirect(reflect.ValueOf(err))
		if v.Kind() == reflect.Struct {
			if f := v.FieldByName("Field"); f.IsValid() && f.Kind() == reflect.String {
				return f.String()
			}
		}
	}
	return ""
}

func jsonType(goType string) string {
	switch t := strings.TrimPrefix(goType, "*"); {
	case strings.HasPrefix(t, "[]uint8"):
		return "base64 text"
	case strings.HasPrefix(t, "[]"):
		return "a list"
	case strings.HasPrefix(t, "map["):
		return "a mapping"
	case strings.HasPrefix(t, "int"), strings.HasPrefix(t, "uint"):
		return "a whole number"
	case strings.HasPrefix(t, "float"):
		return "a number"
	case t == "bool":
		return "true or false"
	case t == "string" || strings.Contains(t, "."):
		if i := strings.LastIndex(t, "."); i >= 0 && strings.ToUpper(t[i+1:i+2]) == t[i+1:i+2] && t != "string" {
			return "text or a mapping as " + t[i+1:] + " has it"
		}
	}
	return "text"
}

// mismatch finds the first value at the path, through lists, that is of the
// JSON type that the decoder complains about.
func mismatch(value any, steps []string, got string) string {
	if len(steps) == 0 {
		return ofKind(value, got)
	}
	switch v := value.(type) {
	case []any:
		for i, item := range v {
			if found := mismatch(item, steps, got); found != "" {
				return join(fmt.Sprintf("[%d]", i), found)
			}
		}
	case map[string]any:
		// A map's keys are not in the path.
		if child, ok := v[steps[0]]; ok {
			if found := mismatch(child, steps[1:], got); found != "" {
				return join(steps[0], found)
			}
		}
	}
	return ""
}

// ofKind finds the first value of a JSON type: the value itself, or one in it,
// for the decoder names a map or list instead of its item.
func ofKind(value any, kind string) string {
	if jsonKind(value) == kind {
		return "."
	}
	switch v := value.(type) {
	case []any:
		for i, item := range v {
			if jsonKind(item) == kind {
				return fmt.Sprintf("[%d]", i)
			}
		}
	case map[string]any:
		for _, key := range slices.Sorted(maps.Keys(v)) {
			if jsonKind(v[key]) == kind {
				return "[" + key + "]"
			}
		}
	}
	return ""
}

func join(head, rest string) string {
	switch {
	case rest == ".":
		return head
	case strings.HasPrefix(rest, "["):
		return head + rest
	}
	return head + "." + rest
}

func jsonKind(value any) string {
	switch value.(type) {
	case nil:
		return "null"
	case bool:
		return "bool"
	case string:
		return "string"
	case int64, float64, json.Number:
		return "number"
	case []any:
		return "array"
	}
	return "object"
}

// badQuantity finds the first value that is no quantity in the places where
// Kubernetes has quantities.
func badQuantity(value any, path string) (field, text string) {
	switch v := value.(type) {
	case []any:
		for i, item := range v {
			if f, t := badQuantity(item, fmt.Sprintf("%s[%d]", path, i)); f != "" {
				return f, t
			}
		}
	case map[string]any:
		for _, key := range slices.Sorted(maps.Keys(v)) {
			child := strings.TrimPrefix(path+"."+key, ".")
			switch key {
			case "requests", "limits", "capacity", "hard", "default", "defaultRequest", "max", "min", "overhead":
				if m, ok := v[key].(map[string]any); ok {
					if f, t := notQuantity(m, child); f != "" {
						return f, t
					}
				}
			case "sizeLimit", "averageValue", "divisor":
				if f, t := notQuantity(v, path); f != "" && f == child {
					return f, t
				}
			}
			if f, t := badQuantity(v[key], child); f != "" {
				return f, t
			}
		}
	}
	return "", ""
}

func notQuantity(m map[string]any, path string) (field, text string) {
	for _, key := range slices.Sorted(maps.Keys(m)) {
		if s, ok := m[key].(string); ok {
			if _, err := resource.ParseQuantity(s); err != nil {
				return strings.TrimPrefix(path+"."+key, "."), s
			}
		}
	}
	return "", ""
}
