package schema_test

import (
	"encoding/json"
	"testing"

	k8sschema "k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/meshstorm/meshstorm/check/schema"
)

// node is the part of a schema that people see.
type node struct {
	Type        string           `json:"type"`
	Description string           `json:"description"`
	Properties  map[string]*node `json:"properties"`
	Items       *node            `json:"items"`
	Values      json.RawMessage  `json:"additionalProperties"`
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
