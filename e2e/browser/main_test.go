package browser_test

import (
	"os"
	"testing"

	"github.com/meshstorm/meshstorm/e2e/browser"
)

func TestMain(m *testing.M) { os.Exit(browser.Run(m)) }

// shop makes a workspace of the example in the studio's folder, generated.
func shop(t *testing.T, s *browser.Studio) {
	t.Helper()
	s.Meshstorm("new", "shop", "--from", example(t))
	s.Meshstorm("generate", "shop")
}

func example(t *testing.T) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	return dir + "/../../examples/12st-mall/storm.json"
}
