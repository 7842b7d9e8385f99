package cluster

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/meshstorm/meshstorm/internal/labtest"
	"github.com/meshstorm/meshstorm/internal/load"
)

// TestTheCanaryTutorial is docs/tutorials/canary.md: a good version becomes
// stable without a failed request, a bad one goes back by what was measured.
func TestTheCanaryTutorial(t *testing.T) {
	t.Parallel()
	s := newShop(t, labtest.Kubeconfig(t), name(t))
	s.run(t, 0, "apply", "--yes")
	s.answers(t, "/orders")
	if _, errs := s.run(t, 3, "canary", "start", "order", "--image", "order:v2", "--accept-events", "--yes", "--prometheus", "http://127.0.0.1:1"); !strings.Contains(errs, "nothing was started") {
		t.Errorf("a Prometheus that does not answer is not told: %s", errs)
	}
	s.run(t, 1, "canary", "status", "order") // there is none
	traffic := s.traffic(t)
	_, errs := s.run(t, 0, "canary", "start", "order", "--image", "registry.example.com/order:v2", "--steps", "20,100", "--every", "3s", "--accept-events", "--yes")
	if err := traffic.Stop().Err(); err != nil {
		t.Error(err)
	}
	if !strings.Contains(errs, "Deployment order has the new version") || !strings.Contains(errs, "revision 2; `meshstorm undo` goes back") {
		t.Errorf("the promotion does not say what it wrote: %s", errs)
	}
	text, err := os.ReadFile(filepath.Join(s.dir, "kubernetes", "template", "template.yml"))
	if err != nil || !strings.Contains(string(text), "registry.example.com/order:v2") {
		t.Errorf("the files do not have the new version (%v)", err)
	}
	s.run(t, 0, "diff")
	if out, _ := s.run(t, 0, "apply"); !strings.Contains(out, "nothing to change") {
		t.Errorf("an apply after the promotion changes something: %s", out)
	}
	traffic = s.traffic(t)
	out, _ := s.run(t, 1, "canary", "start", "order", "--image", "registry.example.com/order:v3", "--steps", "20,100", "--every", "20s", "--accept-events", "--yes",
		"--annotation", "lab.meshstorm.io/error-rate=0.3")
	report := traffic.Stop()
	if !strings.Contains(out, "registry.example.com/order:v3 was taken back") {
		t.Errorf("it does not say that the bad version was taken back: %s", out)
	}
	if report.Codes[200] < 100 {
		t.Errorf("stable has hardly answered meanwhile: %v", report.Codes)
	}
	s.podsAre(t, "order", 1)
	s.run(t, 0, "diff")
	if out, _ := s.run(t, 0, "undo", "--yes"); !strings.Contains(out, "deployment/order") {
		t.Errorf("undo does not go back to the version before the promotion: %s", out)
	}
	if out, _ := s.run(t, 1, "diff"); !strings.Contains(out, "order:v2") {
		t.Errorf("the cluster does not have the version before: %s", out)
	}
}

// traffic asks for orders 200 times a second.
func (s *shop) traffic(t *testing.T) *load.Generator {
	t.Helper()
	run, err := load.Start(t.Context(), load.Options{URL: s.gateway + "/orders", Host: s.host, Rate: 200})
	if err != nil {
		t.Fatal(err)
	}
	return run
}
