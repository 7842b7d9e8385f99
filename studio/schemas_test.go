package studio_test

import (
	"encoding/json"
	"slices"
	"testing"

	"github.com/meshstorm/meshstorm/studio"
)

func TestSchemasAreListedAndAskedForOnce(t *testing.T) {
	p := open(t)
	kinds, _ := get[studio.SchemaKinds](p, "/schemas")
	for _, want := range []studio.SchemaKind{{APIVersion: "apps/v1", Kind: "Deployment"}, {APIVersion: "networking.istio.io/v1", Kind: "VirtualService"}} {
		if !slices.Contains(kinds.Items, want) {
			t.Errorf("%v is not listed", want)
		}
	}
	one, _ := get[json.RawMessage](p, "/schemas/Service?apiVersion=v1")
	other, _ := get[json.RawMessage](p, "/schemas/ConfigMap?apiVersion=v1")
	if string(one) == string(other) {
		t.Error("two kinds have one schema")
	}
	for _, path := range []string{"/schemas", "/schemas/Service?apiVersion=v1"} {
		_, tag := get[json.RawMessage](p, path)
		tests := []struct {
			has    string
			status int
		}{{tag, 304}, {`"other", ` + tag, 304}, {"W/" + tag, 304}, {"*", 304}, {`"other"`, 200}}
		for _, test := range tests {
			a := p.send("GET", path, []string{"If-None-Match: " + test.has}, nil)
			if a.status != test.status || (a.body == "") != (test.status == 304) || a.header.Get("ETag") != tag || a.header.Get("Cache-Control") != "private, no-cache" {
				t.Errorf("%s with %s: %d, tag %s, %s, %d bytes", path, test.has, a.status, a.header.Get("ETag"), a.header.Get("Cache-Control"), len(a.body))
			}
		}
	}
	if a := p.send("GET", "/schemas/Thing?apiVersion=v1", []string{"If-None-Match: *"}, nil); a.status != 404 {
		t.Errorf("a kind that nobody knows: %d", a.status)
	}
}
