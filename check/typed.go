package check

import (
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/json"
)

// typed is a resource as a Go type of the Kubernetes API.
type typed struct {
	object runtime.Object // nil for kinds that client-go does not know
	strict []error        // unknown fields and the like
	err    error          // why it does not decode
}

// Typed is the object as its Kubernetes type, such as *appsv1.Deployment; nil
// for kinds that client-go does not know and for what does not decode. It is
// shared by all rules: read only.
func (r *Resource) Typed() runtime.Object {
	if t := r.decodeTyped(); t.err == nil {
		return t.object
	}
	return nil
}

func (r *Resource) decodeTyped() *typed {
	c := r.content
	c.typing.Do(func() {
		if r.Err != nil || r.Object == nil {
			return
		}
		object, err := scheme.Scheme.New(r.GVK())
		if err != nil {
			return
		}
		strict, err := json.UnmarshalStrict(r.JSON, object)
		c.typed = typed{object: object, strict: strict, err: err}
	})
	return &c.typed
}
