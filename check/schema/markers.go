package schema

import (
	"reflect"
	"slices"
	"strings"
	"sync"
)

// marks is what the sources of Kubernetes' types say in comments and constants,
// where reflection cannot see it. Command gen writes it. Types are named as in
// "k8s.io/api/core/v1.Protocol".
type marks struct {
	Enums    map[string][]string `json:"enums"`    // all values of a type
	Optional map[string][]string `json:"optional"` // fields that may be left out, although Go always writes them
	Required map[string][]string `json:"required"` // fields that must be there, although Go leaves them out when they are empty
}

var markers = sync.OnceValue(func() marks {
	var m marks
	if err := readInto("data/kubernetes.json.gz", &m); err != nil {
		panic(err) // the file is compiled in
	}
	return m
})

func typeID(t reflect.Type) string { return t.PkgPath() + "." + t.Name() }

// needed tells whether an object is refused without a field, as the API
// server's OpenAPI decides it: markers go before JSON tags.
func needed(t reflect.Type, name, options string) bool {
	if strings.Contains(options, "omitempty") || strings.Contains(options, "omitzero") {
		return slices.Contains(markers().Required[typeID(t)], name)
	}
	return !slices.Contains(markers().Optional[typeID(t)], name)
}
