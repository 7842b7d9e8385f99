package routetest_test

import (
	"os"
	"strings"
	"testing"

	"github.com/meshstorm/meshstorm/routetest"
)

func TestTheExamplesOfTheDocumentationCanBeRead(t *testing.T) {
	data, err := os.ReadFile("../docs/route-tests.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := strings.Split(string(data), "```yaml\n")[1:]
	formats := []routetest.Format{routetest.FormatOwn, routetest.FormatValidator, routetest.FormatEnvoy}
	if len(blocks) != len(formats) {
		t.Fatalf("%d examples", len(blocks))
	}
	for i, want := range formats {
		text, _, _ := strings.Cut(blocks[i], "```")
		f, err := routetest.Load("route-tests.md", []byte(text))
		if err != nil || f.Format != want || len(f.Tests)+len(f.Envoy) == 0 {
			t.Errorf("format %s: %v", f.Format, err)
		}
	}
	keys := string(data)
	for _, key := range []string{"request", "from", "host", "headers", "random", "to", "rule", "virtualService", "rewrite", "authority",
		"timeout", "retries", "mirror", "fault", "sends", "returns"} {
		if !strings.Contains(keys, "| `"+key+"` |") && key != "to" {
			t.Errorf("key %s is not described", key)
		}
	}
}
