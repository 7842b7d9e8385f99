package browser_test

import (
	"archive/zip"
	"bytes"
	"encoding/base64"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/meshstorm/meshstorm/e2e/browser"
)

func TestALineLeadsToItsStickerAndTheStickerToItsLine(t *testing.T) {
	s := browser.Start(t)
	shop(t, s)
	p := s.Open(t, "en-US")
	line := strings.Count(strings.Split(s.Read(mesh), "name: vsvc-delivery")[0], "\n") + 1
	p.Goto("/w/shop/code/kubernetes/template/istio.yml")
	p.Until(`document.querySelector('.cm-content')?.innerText.includes('main-gw')`)
	at := browser.Eval[browser.Point](p, `(() => { const r = [...document.querySelectorAll('.cm-line')].find((l) => l.textContent.includes('name: vsvc-order')).getBoundingClientRect(); return {X: r.x + 60, Y: r.y + r.height / 2}; })()`)
	p.ClickAt(at)
	p.Click("link", "BoundedContext/order")
	p.Until(`location.pathname === '/w/shop/model'`)
	p.Until(`document.querySelector('.react-flow__node.selected')?.getAttribute('aria-label').startsWith('context order') ?? false`)

	p.Goto("/w/shop/model?source=BoundedContext/delivery")
	p.Click("link", "VirtualService vsvc-delivery")
	p.Until(`location.pathname.endsWith('/istio.yml')`)
	p.Until(`document.querySelector('.cm-activeLine') !== null`)
	from := browser.Eval[int](p, `Number(new URLSearchParams(location.search).get('line'))`)
	if from > line || line-from > 5 {
		t.Errorf("the sticker leads to line %d; vsvc-delivery has its name in line %d", from, line)
	}
	p.Until(`document.querySelector('.cm-content').innerText.includes('name: vsvc-delivery')`)
}

func TestAMistakeTypedIsFoundSaidAtItsLineAndUndone(t *testing.T) {
	s := browser.Start(t)
	shop(t, s)
	p := s.Open(t, "en-US")
	p.Goto("/w/shop/code/kubernetes/template/istio.yml")
	p.Until(`document.querySelector('.cm-content')?.innerText.includes('number: 80')`)
	at := browser.Eval[browser.Point](p, `(() => { const r = [...document.querySelectorAll('.cm-line')].find((l) => l.textContent.includes('number: 80')).getBoundingClientRect(); return {X: r.x + 60, Y: r.y + r.height / 2}; })()`)
	p.ClickAt(at)
	p.Press("End")
	p.Type("99999")
	browser.Eventually(t, "the file has what was typed", func() bool { return strings.Contains(s.Read(mesh), "number: 8099999") })
	p.Until(`[...document.querySelectorAll('button.finding')].some((f) => f.textContent.includes('8099999'))`)
	p.Until(`document.querySelector('.cm-lint-marker') !== null`)
	p.Axe("Code with a finding")
	for range 6 {
		p.Press("Ctrl+Z")
	}
	browser.Eventually(t, "undo in the editor takes it back", func() bool { return !strings.Contains(s.Read(mesh), "8099999") })
}

func TestTheEditorFoldsAndSearches(t *testing.T) {
	s := browser.Start(t)
	shop(t, s)
	p := s.Open(t, "en-US")
	p.Goto("/w/shop/code/kubernetes/template/istio.yml")
	p.Until(`document.querySelector('.cm-content')?.innerText.includes('number: 80')`)
	p.Click("textbox", "/istio.yml/")
	p.Press("Ctrl+F")
	p.Until(`document.activeElement?.matches('.cm-search input[name=search]') ?? false`)
	p.Type("vsvc-product")
	p.Press("Enter")
	p.Until(`[...document.querySelectorAll('.cm-searchMatch')].some((m) => m.textContent === 'vsvc-product')`)
	p.Axe("Code, searching")
	p.Press("Escape")
	at := browser.Eval[browser.Point](p, `(() => { const r = [...document.querySelectorAll('.cm-foldGutter .cm-gutterElement')].find((e) => e.textContent.trim() !== '' && e.getBoundingClientRect().y > 150).getBoundingClientRect(); return {X: r.x + r.width / 2, Y: r.y + r.height / 2}; })()`)
	p.ClickAt(at)
	p.Until(`document.querySelector('.cm-foldPlaceholder') !== null`)
}

func TestTheZipHoldsTheFilesAsTheyAre(t *testing.T) {
	s := browser.Start(t)
	shop(t, s)
	p := s.Open(t, "en-US")
	p.Goto("/w/shop/code")
	p.Wait("link", "Download as zip")
	text := browser.Eval[string](p, `fetch([...document.querySelectorAll('a[download]')].find((a) => a.href.includes('zip')).href).then((r) => r.arrayBuffer()).then((b) => btoa(String.fromCharCode(...new Uint8Array(b))))`)
	data, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	archive, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, f := range archive.File {
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		name := "shop/" + strings.TrimPrefix(f.Name, "shop/")
		names = append(names, name)
		if string(got) != s.Read(name) {
			t.Errorf("%s is not the file's text", name)
		}
	}
	for _, want := range []string{"shop/storm.json", "shop/meshstorm.yaml", mesh, "shop/kubernetes/template/template.yml"} {
		if !slices.Contains(names, want) {
			t.Errorf("%s is not in the zip: %q", want, names)
		}
	}
}

func TestALinkToALineIsFollowedInTheDarkAndTheCursorStaysWhenTheThemeChanges(t *testing.T) {
	s := browser.Start(t)
	shop(t, s)
	p := s.Open(t, "en-US")
	p.Dark(true)
	p.Goto("/w/shop/code/kubernetes/template/istio.yml?line=30")
	const active = `document.querySelector('.cm-activeLine')?.textContent.includes('app: order') ?? false`
	p.Until(active)
	p.Settle()
	p.Until(active)
	p.Click("button", "Light theme")
	p.Wait("button", "Dark theme")
	p.Settle()
	p.Until(active)
}
