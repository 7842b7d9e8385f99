package capture

import (
	"slices"
	"strings"

	"github.com/meshstorm/meshstorm/shift"
)

// isVirtualService is Istio's kind, of any version.
func isVirtualService(o Object) bool {
	id := o.ID()
	return id.Kind == "VirtualService" && id.Group == "networking.istio.io"
}

// shifted tells whether a running shift holds the weights of an object.
func shifted(o Object) bool {
	return isVirtualService(o) && text(o.Content, "metadata", "annotations", shift.Annotation) != ""
}

// withoutShift is the object without the rules that a running shift added.
func withoutShift(o Object) Object {
	spec := mapping(o.Content, "spec")
	rules, _ := spec["http"].([]any)
	if !slices.ContainsFunc(rules, added) {
		return o
	}
	spec["http"] = slices.DeleteFunc(slices.Clone(rules), added)
	return o
}

func added(rule any) bool {
	m, _ := rule.(map[string]any)
	return strings.HasPrefix(text(m, "name"), shift.RulePrefix)
}
