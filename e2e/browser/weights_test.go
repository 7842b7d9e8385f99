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
	p.Wait("button", "Keep canary as it is")
	p.Shot("bubble")
	p.Fill("textbox", "Weight of canary", "10")
	browser.Eventually(t, "the file has the weight", func() bool { return strings.Contains(s.Read(mesh), "weight: 10") })
	p.Press("Escape")
	p.Gone("button", "Keep canary as it is")
	if got := p.Focus(); !strings.Contains(got, "vsvc-order to canary, 10 %") {
		t.Errorf("the focus is on %q", got)
	}
}
