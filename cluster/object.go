package cluster

import (
	"encoding/json"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// Manager is the field manager of everything that meshstorm applies.
const Manager = "meshstorm"

// Object is one that a person wants in the cluster, and where it is written.
type Object struct {
	*unstructured.Unstructured
	File string // relative to the workspace, with '/'; "" if it comes from no file
	Line int    // 1-based, of the document's first line
	// Locate finds the line of a field as the API server names it,
	// "spec.http[0].route[0].weight"; 0 where it is not written. It may be nil.
	Locate func(field string) int
}

// ID names an object in a cluster. The version is not part of it: one object
// can be read in several.
type ID struct {
	Group     string `json:"group,omitempty"`
	Kind      string `json:"kind"`
	Namespace string `json:"namespace,omitempty"` // "" for cluster-scoped kinds
	Name      string `json:"name"`
}

// String is as people write it: "virtualservice/vsvc-order", with the
// namespace in front where there is one: "default/virtualservice/vsvc-order".
func (id ID) String() string {
	s := strings.ToLower(id.Kind) + "/" + id.Name
	if id.Namespace != "" {
		s = id.Namespace + "/" + s
	}
	return s
}

// GroupKind is the kind in its group.
func (id ID) GroupKind() schema.GroupKind { return schema.GroupKind{Group: id.Group, Kind: id.Kind} }

// IDOf names a live object.
func IDOf(o *unstructured.Unstructured) ID {
	gvk := o.GroupVersionKind()
	return ID{Group: gvk.Group, Kind: gvk.Kind, Namespace: o.GetNamespace(), Name: o.GetName()}
}

func field(body []byte, name string) string {
	var all map[string]any
	if json.Unmarshal(body, &all) != nil {
		return ""
	}
	s, _ := all[name].(string)
	return s
}

// fromMap reads a part of an object into its type.
func fromMap(content map[string]any, into any) error {
	return runtime.DefaultUnstructuredConverter.FromUnstructured(content, into)
}
