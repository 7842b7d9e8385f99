package capture

import (
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

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
	if !isVirtualService(o) {
		return o
	}
	o.Content = shift.Strip(&unstructured.Unstructured{Object: o.Content}).Object
	return o
}
