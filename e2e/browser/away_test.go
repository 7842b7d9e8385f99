package browser_test

import (
	"regexp"
	"strings"
	"testing"

	"github.com/meshstorm/meshstorm/e2e/browser"
)

func TestAServerThatWentAwayIsSaidAndThePageRecoversWithANewSession(t *testing.T) {
	s := browser.Start(t)
	shop(t, s)
	p := s.Open(t, "en-US")
	p.Excuse = regexp.MustCompile(`Failed to load resource|ERR_`)
	p.Goto("/w/shop/deploy?node=VirtualService/default/vsvc-order")
	p.Wait("group", "VirtualService vsvc-order")
	p.Sees("✓ Saved")

	s.Kill() // nobody clicks anything
	p.Sees("does not answer")
	p.Sees("Server unreachable")
	p.Fill("textbox", "Weight of canary", "20") // kept on the page meanwhile
	p.Axe("Deploy without its server")

	s.Again() // sessions end with the studio
	p.Sees("meshstorm studio --print-url")
	if got := splits(s, "vsvc-order"); strings.Contains(got, "20") {
		t.Errorf("saved without a session: %s", got)
	}
	other := p.Beside(strings.TrimPrefix(s.URL(), s.Base))
	other.Wait("link", "meshstorm")
	browser.Eventually(t, "the first tab saves what was typed without its server", func() bool {
		return splits(s, "vsvc-order") == "stable=80 canary=20 stable=80 canary=20"
	})
	p.Sees("✓ Saved")
	p.Gone("alert", "/does not answer|print-url/")
	text := s.Read(mesh)
	s.Write(mesh, strings.Replace(text, "name: primary", "name: first", 1))
	p.Wait("button", "/^first/") // changes of others arrive again
}
