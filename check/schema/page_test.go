package schema_test

import (
	"bytes"
	"encoding/json"
	"os"
	"testing"

	k8sschema "k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/meshstorm/meshstorm/check/schema"
)

// The page's tests walk these schemas; UPDATE=1 writes them anew.
func TestThePagesTestsHaveTheSchemas(t *testing.T) {
	for _, kind := range []string{"VirtualService", "DestinationRule", "Gateway"} {
		data, _ := schema.Document(k8sschema.GroupVersionKind{Group: "networking.istio.io", Version: "v1", Kind: kind})
		var out bytes.Buffer
		if err := json.Indent(&out, data, "", " "); err != nil {
			t.Fatal(err)
		}
		path := "../../web/src/schema/testdata/" + kind + ".json"
		if os.Getenv("UPDATE") != "" {
			if err := os.WriteFile(path, append(out.Bytes(), '\n'), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		got, err := os.ReadFile(path)
		if err != nil || !bytes.Equal(bytes.TrimSpace(got), out.Bytes()) {
			t.Errorf("%s is not the schema as it is now; UPDATE=1 go test writes it (%v)", path, err)
		}
	}
}
