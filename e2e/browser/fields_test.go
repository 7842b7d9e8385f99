package browser_test

import (
	"strings"
	"testing"

	"github.com/meshstorm/meshstorm/e2e/browser"
)

func TestAnyFieldIsFoundSetAndReadBackFromTheYAML(t *testing.T) {
	s := browser.Start(t)
	shop(t, s)
	p := s.Open(t, "en-US")
	p.Goto("/w/shop/deploy?node=Gateway%2Fdefault%2Fmain-gw")
	p.Click("DisclosureTriangle", "All fields")
	p.Click("combobox", "Add a field to servers 1")
	p.Type("httpsRedirect")
	p.Click("option", "/^tls.httpsRedirect/")
	p.Wait("switch", "httpsRedirect")
	browser.Eventually(t, "the YAML has it", func() bool { return strings.Contains(s.Read(mesh), "httpsRedirect: true") })
	p.Shot("fields")
	p.Axe("All fields")
	p.Click("button", "Undo")
	browser.Eventually(t, "the YAML has it no more", func() bool { return !strings.Contains(s.Read(mesh), "httpsRedirect") })
	p.Click("DisclosureTriangle", "YAML")
	p.Until(`document.querySelector('.cm-content')?.innerText.includes('main-gw')`)
	p.Shot("yaml")
}
