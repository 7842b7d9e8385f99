package browser_test

import (
	"regexp"
	"strings"
	"testing"

	"github.com/meshstorm/meshstorm/e2e/browser"
)

// A tab, another tab and an editor change the same files: nobody's change is
// lost, and who comes second sees both sides.
func TestTwoTabsAndAnEditorLoseNothing(t *testing.T) {
	s := browser.Start(t)
	shop(t, s)
	p := s.Open(t, "en-US")
	p.Goto("/w/shop/code/kubernetes/template/istio.yml")
	p.Until(`document.querySelector('.cm-content')?.innerText.includes('main-gw')`)

	// What an editor writes shows at once.
	text := s.Read(mesh)
	s.Write(mesh, "# from an editor\n"+text)
	p.Until(`document.querySelector('.cm-content')?.innerText.includes('from an editor')`)

	// A change of a second tab arrives in the first.
	other := p.Beside("/w/shop/deploy?node=Gateway%2Fdefault%2Fmain-gw")
	other.Click("DisclosureTriangle", "All fields")
	other.Fill("textbox", "istio", "other-gateway")
	browser.Eventually(t, "the second tab's change is saved", func() bool { return strings.Contains(s.Read(mesh), "istio: other-gateway") })
	p.Until(`document.querySelector('.cm-content')?.innerText.includes('other-gateway')`)

	// Both change the same file at once: the second one is shown both sides, and
	// takes over one change.
	p.Excuse = regexp.MustCompile(`status of 412`)
	p.Click("textbox", "/istio.yml|YAML/")
	p.Press("Ctrl+End")
	p.Type("\r# mine, typed here\r")
	s.Write(mesh, strings.Replace(s.Read(mesh), "# from an editor\n", "# from an editor, later\n", 1))
	p.Type("# and more\r")
	browser.Eventually(t, "the conflict is shown, or both changes are in the file", func() bool {
		return p.Has("button", "Save the right one") || strings.Contains(s.Read(mesh), "and more") && strings.Contains(s.Read(mesh), "later")
	})
	if p.Has("button", "Save the right one") {
		p.Shot("conflict")
		p.Click("button", "Take this change over")
		p.Click("button", "Save the right one")
		p.Gone("dialog", "/changed elsewhere/")
	}
	browser.Eventually(t, "both changes are saved", func() bool {
		now := s.Read(mesh)
		return strings.Contains(now, "from an editor, later") && strings.Contains(now, "# mine, typed here") && strings.Contains(now, "# and more")
	})
}
