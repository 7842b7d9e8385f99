package cluster

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/meshstorm/meshstorm/internal/labtest"
)

// valid holds what a verb prints with -o json against its schema.
func valid(t *testing.T, schema, out string) {
	t.Helper()
	compiled, err := jsonschema.NewCompiler().Compile(filepath.Join("..", "..", "docs", "schema", schema+".json"))
	if err != nil {
		t.Fatal(err)
	}
	document, err := jsonschema.UnmarshalJSON(strings.NewReader(out))
	if err != nil {
		t.Fatalf("%s prints no JSON: %v\n%s", schema, err, out)
	}
	if err := compiled.Validate(document); err != nil {
		t.Errorf("what %s prints is not as docs/schema says: %v\n%s", schema, err, out)
	}
}

func TestWhatIsPrintedIsAsTheSchemasSay(t *testing.T) {
	t.Parallel()
	s := newShop(t, labtest.Kubeconfig(t), name(t))
	check := func(schema string, code int, args ...string) {
		t.Helper()
		out, _ := s.run(t, code, append(args, "-o", "json")...)
		valid(t, schema, out)
	}
	check("get", 0, "get")
	check("diff", 1, "diff")
	check("apply", 0, "apply", "--yes")
	check("diff", 0, "diff")
	s.edit(t, "kubernetes/template/template.yml", "replicas: 1", "replicas: 2")
	check("diff", 1, "diff")
	check("apply", 0, "apply")
	check("history", 0, "history")
	check("istio-status", 0, "istio", "status")
	check("canary-status", 0, "canary", "status")
	check("canary-start", 0, "canary", "start", "order", "--image", "order:v2", "--accept-events", "--sticky", "side", "--mirror", "10", "--max-p95", "1s", "--dry-run")
	check("shift", 0, "shift", "order", "stable=100", "canary=0", "--dry-run")
	canary := s.startCanary(t)
	check("canary", 0, "canary", "status", "order")
	check("canary-status", 0, "canary", "status")
	check("get", 0, "get", "-A")
	check("diff", 0, "diff")
	check("import", 0, "import", filepath.Join(t.TempDir(), "imported"))
	check("canary", 0, "canary", "abort", "order")
	tookBack(t, canary)
	check("undo", 1, "undo", "--dry-run")
	check("undo", 0, "undo", "--yes")
	check("delete", 0, "delete", "--dry-run")
	check("delete", 0, "delete", "--yes")
	check("delete", 0, "delete", "--yes")
	check("history", 0, "history")
	check("get", 0, "get")
}
