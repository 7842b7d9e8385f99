package e2e

import (
	"path/filepath"
	"strings"
	"testing"
)

// A canary with a share of the traffic but no pods is an error, also where
// another service has a canary that runs.
func TestACanaryWithoutPodsIsFoundAlsoBesideOneThatRuns(t *testing.T) {
	w := mall(t)
	write(t, read(t, w, "meshstorm.yaml")+"services:\n  order: {weights: {stable: 50, canary: 50}}\n  delivery: {weights: {stable: 50, canary: 50}}\n", w, "meshstorm.yaml")
	meshstorm(t, "", 0, "generate", w)
	meshstorm(t, "", 0, "check", w)
	template := filepath.Join(w, "kubernetes/template/template.yml")
	var kept []string
	for doc := range strings.SplitSeq(read(t, template), "---\n") {
		if !strings.Contains(doc, "  name: order-canary\n") {
			kept = append(kept, doc)
		}
	}
	write(t, strings.Join(kept, "---\n"), template)
	r := meshstorm(t, "", 1, "check", w)
	if !strings.Contains(r.stdout, "IST0173") || !strings.Contains(r.stdout, "destrule-order") || strings.Contains(r.stdout, "destrule-delivery") {
		t.Errorf("check says:\n%s", r.stdout)
	}
}
