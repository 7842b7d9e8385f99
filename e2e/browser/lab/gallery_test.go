package lab

import (
	"net/url"
	"testing"

	"github.com/meshstorm/meshstorm/e2e/browser"
	"github.com/meshstorm/meshstorm/internal/labtest"
)

// Every screen, in both languages and both themes, with something running on it:
// to be looked at, and held against axe.
func TestEveryScreenInBothLanguagesAndThemes(t *testing.T) {
	s := browser.Start(t, "KUBECONFIG="+labtest.Kubeconfig(t))
	s.Meshstorm("new", "mall", "--from", example(t))
	s.Meshstorm("generate", "mall")
	s.Meshstorm("apply", "mall", "--yes")
	t.Cleanup(func() { s.Meshstorm("delete", "mall", "--yes") })
	node := url.QueryEscape("VirtualService/default/vsvc-order")
	screens := []struct{ name, path, until string }{
		{"workspaces", "/", `document.querySelector('h1, h2') !== null`},
		{"model", "/w/mall/model", `document.querySelectorAll('.react-flow__node').length > 10`},
		{"code", "/w/mall/code/kubernetes/template/istio.yml", `document.querySelector('.cm-line') !== null`},
		{"deploy", "/w/mall/deploy?node=" + node, `document.querySelectorAll('.react-flow__node').length > 10 && document.querySelector('.rule-list') !== null`},
		{"cluster", "/w/mall/cluster", `(document.body.innerText.match(/2\/2/g) ?? []).length >= 3`},
		{"traffic", "/w/mall/traffic", `document.querySelector('.toolbar') !== null && document.querySelector('.card') !== null`},
	}
	for _, lang := range []string{"en-US", "ko-KR"} {
		p := s.Open(t, lang)
		for _, dark := range []bool{false, true} {
			p.Dark(dark)
			theme := "light"
			if dark {
				theme = "dark"
			}
			for _, c := range screens {
				p.Goto(c.path)
				p.Until(c.until)
				p.Settle()
				where := c.name + "-" + lang[:2] + "-" + theme
				p.Shot(where)
				p.Axe(where)
			}
		}
	}
}
