package browser_test

import (
	"strings"
	"testing"

	"github.com/meshstorm/meshstorm/e2e/browser"
)

func TestEverythingIsFoundAndRunWithCtrlKWithoutAMouse(t *testing.T) {
	for _, c := range []struct{ lang, screen, other string }{
		{"en-US", "Deploy", "한국어로 보기"},
		{"ko-KR", "배포", "View in English"},
	} {
		t.Run(c.lang, func(t *testing.T) {
			s := browser.Start(t)
			shop(t, s)
			p := s.Open(t, c.lang)
			p.Goto("/w/shop/model")
			p.Wait("group", "/event OrderPlaced/")
			run := func(what string) {
				t.Helper()
				p.Press("Ctrl+K")
				p.Until(`document.activeElement?.matches('.mantine-Spotlight-search') ?? false`)
				p.Type(what)
				p.Wait("button", "/"+what+"/")
				p.Press("Down")
				p.Press("Enter")
				p.Until(`document.querySelector('.mantine-Spotlight-search') === null`)
			}
			run(c.screen)
			p.Until(`location.pathname === '/w/shop/deploy'`)
			run("vsvc-delivery")
			p.Until(`new URLSearchParams(location.search).get('node') === 'VirtualService/default/vsvc-delivery'`)
			run("OrderPlaced")
			p.Until(`location.pathname === '/w/shop/model'`)
			p.Wait("group", "/event OrderPlaced/")
			run("kubernetes/template/istio.yml")
			p.Until(`location.pathname.endsWith('/istio.yml')`)
			run(c.other)
			p.Until(`document.documentElement.lang !== '` + strings.Split(c.lang, "-")[0] + `'`)
			p.Press("Ctrl+K")
			p.Until(`document.activeElement?.matches('.mantine-Spotlight-search') ?? false`)
			p.Type("nothing has this name")
			p.Until(`document.querySelector('.mantine-Spotlight-empty') !== null`)
			p.Axe("the search")
			p.Press("Escape")
			p.Until(`document.querySelector('.mantine-Spotlight-search') === null`)
		})
	}
}
