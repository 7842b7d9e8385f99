package schema_test

import (
	"cmp"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	k8sschema "k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes/scheme"

	"github.com/meshstorm/meshstorm/check/schema"
)

// node is the part of a schema that people see.
type node struct {
	Type        string           `json:"type"`
	Description string           `json:"description"`
	Properties  map[string]*node `json:"properties"`
	Items       *node            `json:"items"`
	Values      json.RawMessage  `json:"additionalProperties"`
	Enum        []string         `json:"enum"`
	Required    []string         `json:"required"`
	IntOrString bool             `json:"x-kubernetes-int-or-string"`
}

func TestDocumentsHaveEveryFieldWithItsText(t *testing.T) {
	at := func(group, version, kind string, path ...string) *node {
		t.Helper()
		data, ok := schema.Document(k8sschema.GroupVersionKind{Group: group, Version: version, Kind: kind})
		if !ok {
			t.Fatalf("no schema of %s", kind)
		}
		n := &node{}
		if err := json.Unmarshal(data, n); err != nil {
			t.Fatal(err)
		}
		for _, name := range path {
			if name == "[]" {
				n = n.Items
			} else {
				n = n.Properties[name]
			}
			if n == nil {
				t.Fatalf("%s has no %v", kind, path)
			}
		}
		return n
	}
	const istio = "networking.istio.io"
	if n := at(istio, "v1", "VirtualService", "spec", "http", "[]", "timeout"); n.Type != "string" || n.Description == "" {
		t.Errorf("timeout %+v", n)
	}
	if n := at("apps", "v1", "Deployment", "spec", "template", "spec", "containers", "[]", "image"); n.Type != "string" || n.Description == "" {
		t.Errorf("image %+v", n)
	}
	if n := at("apps", "v1", "Deployment", "spec", "template", "spec", "containers", "[]", "resources", "limits"); len(n.Values) == 0 {
		t.Errorf("limits %+v", n)
	}
	if n := at("", "v1", "Service", "spec", "ports", "[]", "targetPort"); !n.IntOrString {
		t.Errorf("targetPort %+v", n)
	}
	for _, kind := range []string{"VirtualService", "DestinationRule", "Gateway", "ServiceEntry", "Sidecar"} {
		n := at(istio, "v1", kind)
		if n.Properties["status"] != nil || n.Properties["metadata"].Properties["labels"] == nil || n.Properties["metadata"].Properties["managedFields"] != nil {
			t.Errorf("%s: %v", kind, n.Properties)
		}
	}
	for _, none := range []k8sschema.GroupVersionKind{{Group: istio, Version: "v9", Kind: "Gateway"}, {Version: "v1", Kind: "PodList"}, {Group: "example.com", Version: "v1", Kind: "Thing"}} {
		if _, ok := schema.Document(none); ok {
			t.Errorf("there is a schema of %s", none)
		}
	}
}

func TestEveryDocumentedKindHasADocument(t *testing.T) {
	all := schema.Documented()
	for _, gvk := range all {
		if _, ok := schema.Document(gvk); !ok {
			t.Errorf("%s has no document", gvk)
		}
	}
	if !slices.IsSortedFunc(all, func(a, b k8sschema.GroupVersionKind) int {
		return cmp.Or(strings.Compare(a.Group, b.Group), strings.Compare(a.Kind, b.Kind), strings.Compare(a.Version, b.Version))
	}) {
		t.Error("the kinds have no order")
	}
	for _, want := range []k8sschema.GroupVersionKind{gvk("v1", "Service"), gvk("apps/v1", "Deployment"), gvk("autoscaling/v2", "HorizontalPodAutoscaler"),
		gvk("networking.istio.io/v1", "VirtualService"), gvk("gateway.networking.k8s.io/v1", "HTTPRoute"), gvk("gateway.networking.x-k8s.io/v1alpha1", "XMesh")} {
		if !slices.Contains(all, want) {
			t.Errorf("%s is not listed", want)
		}
	}
	for kind := range scheme.Scheme.AllKnownTypes() {
		if _, ok := schema.Document(kind); ok != slices.Contains(all, kind) {
			t.Errorf("%s: has a document %v", kind, ok)
		}
	}
}
