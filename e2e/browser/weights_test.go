package browser_test

import (
	"strings"
	"testing"

	"github.com/meshstorm/meshstorm/e2e/browser"
)

func TestAWeightIsSetInItsBubbleOnTheEdge(t *testing.T) {
	s := browser.Start(t)
	shop(t, s)
	p := s.Open(t, "en-US")
	p.Goto("/w/shop/deploy")
	p.Click("button", "/Edit weight: vsvc-order to canary/")
	p.Until(`document.querySelector('[role=dialog] [role=slider]') === document.activeElement`)
	p.Shot("bubble")
	p.Press("Left") // one less for stable
	browser.Eventually(t, "the file has the weight", func() bool { return strings.Contains(s.Read(mesh), "weight: 99") })
	p.Press("Escape")
	p.Until(`document.querySelector('[role=dialog]') === null`)
	if got := p.Focus(); !strings.Contains(got, "vsvc-order to canary, 1 %") {
		t.Errorf("the focus is on %q", got)
	}
}
