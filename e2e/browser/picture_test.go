package browser_test

import (
	"strings"
	"testing"

	"github.com/meshstorm/meshstorm/e2e/browser"
)

func TestPicturesOfTheBoardAndTheDeploymentAreCopiedAndDownloaded(t *testing.T) {
	s := browser.Start(t)
	shop(t, s)
	p := s.Open(t, "ko")
	// Without a person there is nobody to let the page write to the clipboard.
	for _, c := range []struct{ screen, holds string }{{"model", "이벤트스토밍 모델"}, {"deploy", "배포도"}} {
		p.Goto("/w/shop/" + c.screen)
		p.Wait("link", "SVG 그림으로 내려받기")
		p.Until(`(window.copied = [], navigator.clipboard.write = async items => { window.copied.push((await items[0].getType('image/png')).size) }, true)`)
		svg := browser.Eval[string](p, `fetch([...document.querySelectorAll('a[download]')].find(a => a.href.includes('svg')).href).then(a => a.text())`)
		if !strings.Contains(svg, c.holds) || !strings.Contains(svg, "주문") && c.screen == "model" {
			t.Errorf("%s: %.300s", c.screen, svg)
		}
		p.Click("button", "그림 복사")
		p.Until(`window.copied.length === 1 && window.copied[0] > 10000`)
		p.Shot("picture-" + c.screen)
	}
}
