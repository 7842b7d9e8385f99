package browser

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/accessibility"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/dom"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// Page is a tab with the studio's page. Its methods fail the test.
type Page struct {
	t      testing.TB
	ctx    context.Context
	studio *Studio
	// Excuse names errors of the console that a test brings about, such as an
	// answer 412.
	Excuse *regexp.Regexp
	shots  int

	mu     sync.Mutex
	faults []string
}

// Open opens the studio in a tab with cookies of its own. lang is the browser's
// language.
func (s *Studio) Open(t testing.TB, lang string) *Page {
	t.Helper()
	return s.openAt(t, lang, s.URL())
}

func (s *Studio) openAt(t testing.TB, lang, url string) *Page {
	t.Helper()
	tab, cancel := chromedp.NewContext(chromium, chromedp.WithNewBrowserContext())
	t.Cleanup(cancel)
	p := &Page{t: t, ctx: tab, studio: s}
	t.Cleanup(p.end)
	script := fmt.Sprintf(`Object.defineProperty(navigator, 'language', {get: () => %[1]q}); Object.defineProperty(navigator, 'languages', {get: () => [%[1]q]});`, lang)
	must(t, chromedp.Do(tab, chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
		_, err := cdp.Call(ctx, target, page.AddScriptToEvaluateOnNewDocument, page.AddScriptToEvaluateOnNewDocumentParams{Source: script})
		return err
	})))
	p.watch()
	p.Size(1440, 900)
	p.navigate(url)
	return p
}

// Beside opens a second tab of the same person.
func (p *Page) Beside(path string) *Page {
	p.t.Helper()
	tab, cancel := chromedp.NewContext(p.ctx)
	p.t.Cleanup(cancel)
	other := &Page{t: p.t, ctx: tab, studio: p.studio}
	p.t.Cleanup(other.end)
	other.watch()
	other.Size(1440, 900)
	other.Goto(path)
	return other
}

func (p *Page) watch() {
	seen := chromedp.Console(p.ctx)
	go func() {
		for m, err := range seen {
			if err != nil {
				return
			}
			if m.Type == chromedp.ConsoleException || m.Type == "error" {
				p.mu.Lock()
				p.faults = append(p.faults, m.Text)
				p.mu.Unlock()
			}
		}
	}()
}

func (p *Page) end() {
	if p.t.Failed() {
		p.Shot("failed")
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, f := range p.faults {
		if p.Excuse == nil || !p.Excuse.MatchString(f) {
			p.t.Errorf("the page says: %s", f)
		}
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (p *Page) navigate(url string) {
	p.t.Helper()
	must(p.t, chromedp.Do(p.ctx, chromedp.Navigate(url)))
}

// Goto opens a path of the studio, as a deep link does.
func (p *Page) Goto(path string) { p.t.Helper(); p.navigate(p.studio.Base + path) }

// Size sets the window's.
func (p *Page) Size(width, height int64) {
	p.t.Helper()
	must(p.t, chromedp.Do(p.ctx, chromedp.EmulateViewport(width, height)))
}

// Dark asks for the dark or the light theme, as the system does.
func (p *Page) Dark(dark bool) {
	p.t.Helper()
	value := "light"
	if dark {
		value = "dark"
	}
	_, err := chromedp.Call(p.ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
		Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: value}},
	})
	must(p.t, err)
}

// Eval evaluates an expression into a value.
func Eval[T any](p *Page, expression string) T {
	p.t.Helper()
	v, err := chromedp.Run(p.ctx, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
	if err != nil {
		p.t.Fatalf("%s: %v", expression, err)
	}
	return v
}

// Until waits until an expression is true.
func (p *Page) Until(expression string) {
	p.t.Helper()
	Eventually(p.t, expression, func() bool {
		v, err := chromedp.Run(p.ctx, chromedp.Evaluate[bool](expression))
		return err == nil && v
	})
}

// Sees waits until a text is on the page; NotSees until it is not.
func (p *Page) Sees(text string) {
	p.t.Helper()
	p.Until(fmt.Sprintf(`document.body.innerText.includes(%q)`, text))
}

// thing is what find found.
type thing struct {
	node cdp.BackendNodeID
	name string
}

// find gives what has the role and the accessible name: all of it, or where the
// name begins and ends with "/", a regular expression.
func (p *Page) find(role, name string) ([]thing, error) {
	pattern := "^" + regexp.QuoteMeta(name) + "$"
	if len(name) > 1 && name[0] == '/' && name[len(name)-1] == '/' {
		pattern = name[1 : len(name)-1]
	}
	re, err := regexp.Compile(pattern)
	if err != nil {
		return nil, err
	}
	root, err := chromedp.Call(p.ctx, dom.GetDocument, dom.GetDocumentParams{})
	if err != nil {
		return nil, err
	}
	got, err := chromedp.Call(p.ctx, accessibility.QueryAXTree, accessibility.QueryAXTreeParams{NodeID: root.Root.NodeID, Role: role})
	if err != nil {
		return nil, err
	}
	var found []thing
	for _, n := range got.Nodes {
		if n.Ignored || n.Name == nil {
			continue
		}
		var text string
		if json.Unmarshal(n.Name.Value, &text) == nil && re.MatchString(strings.Join(strings.Fields(text), " ")) {
			found = append(found, thing{n.BackendDOMNodeID, text})
		}
	}
	return found, nil
}

// Has tells whether something is there now.
func (p *Page) Has(role, name string) bool {
	p.t.Helper()
	found, err := p.find(role, name)
	return err == nil && len(found) > 0
}

// Gone waits until something is not there any more.
func (p *Page) Gone(role, name string) {
	p.t.Helper()
	Eventually(p.t, fmt.Sprintf("no %s %q", role, name), func() bool { found, err := p.find(role, name); return err == nil && len(found) == 0 })
}

// wait gives the first that is there, scrolled into view.
func (p *Page) wait(role, name string) thing {
	p.t.Helper()
	var first thing
	Eventually(p.t, fmt.Sprintf("a %s %q on the page", role, name), func() bool {
		found, err := p.find(role, name)
		if err != nil || len(found) == 0 {
			return false
		}
		first = found[0]
		_, err = chromedp.Call(p.ctx, dom.ScrollIntoViewIfNeeded, dom.ScrollIntoViewIfNeededParams{BackendNodeID: first.node})
		return err == nil
	})
	return first
}

// Wait waits until something is there.
func (p *Page) Wait(role, name string) { p.t.Helper(); p.wait(role, name) }

// spot is where to click; Free says that nothing lies over it and that it is
// enabled.
type spot struct {
	X, Y float64
	Free bool
}

const whereFunction = `function () {
  // A control that only its label shows is clicked there.
  const mine = this.getBoundingClientRect();
  const r = mine.width < 3 && this.labels && this.labels[0] ? this.labels[0].getBoundingClientRect() : mine;
  // The middle of what of it is in the window.
  const x = (Math.max(r.left, 0) + Math.min(r.right, innerWidth)) / 2, y = (Math.max(r.top, 0) + Math.min(r.bottom, innerHeight)) / 2;
  const top = document.elementFromPoint(x, y);
  const label = this.labels && this.labels[0];
  const own = top && (this.contains(top) || top.contains(this) || (label && label.contains(top)) || (this.nextElementSibling && this.parentElement.contains(top)));
  return {X: x, Y: y, Free: !!own && !this.disabled && r.width > 0 && this.getAttribute('aria-disabled') !== 'true'};
}`

// call calls a function on a node.
func call[T any](p *Page, node cdp.BackendNodeID, function string) (out T, err error) {
	object, err := chromedp.Call(p.ctx, dom.ResolveNode, dom.ResolveNodeParams{BackendNodeID: node})
	if err != nil {
		return out, err
	}
	got, err := chromedp.Call(p.ctx, runtime.CallFunctionOn, runtime.CallFunctionOnParams{
		ObjectID: object.Object.ObjectID, FunctionDeclaration: function, ReturnByValue: new(true), AwaitPromise: new(true),
	})
	if err != nil {
		return out, err
	}
	if got.ExceptionDetails != nil {
		return out, errors.New(got.ExceptionDetails.Text)
	}
	if len(got.Result.Value) == 0 {
		return out, nil
	}
	return out, json.Unmarshal(got.Result.Value, &out)
}

// at waits until something stands still and can be clicked.
func (p *Page) at(role, name string) (x, y float64) {
	p.t.Helper()
	var last spot
	Eventually(p.t, fmt.Sprintf("a %s %q that can be clicked", role, name), func() bool {
		p.wait(role, name)
		found, err := p.find(role, name)
		if err != nil {
			return false
		}
		now := spot{}
		for _, f := range found { // of several, as behind a dialog, the one that is free
			if now, err = call[spot](p, f.node, whereFunction); err == nil && now.Free {
				break
			}
		}
		still := now.Free && now == last
		last = now
		return still
	})
	return last.X, last.Y
}

// Click clicks something with the mouse.
func (p *Page) Click(role, name string) {
	p.t.Helper()
	x, y := p.at(role, name)
	must(p.t, chromedp.Do(p.ctx, chromedp.MouseClickXY(x, y)))
}

// Fill replaces the text of a field, and leaves it.
func (p *Page) Fill(role, name, text string) {
	p.t.Helper()
	p.Click(role, name)
	p.Press("Ctrl+A")
	p.Press("Delete")
	p.Type(text)
	p.Press("Tab")
}

// Choose chooses an option of a select by its text.
func (p *Page) Choose(name, option string) {
	p.t.Helper()
	found := p.wait("combobox", name)
	ok, err := call[bool](p, found.node, fmt.Sprintf(`function () {
		const o = [...(this.options ?? [])].find((o) => o.text === %[1]q || o.value === %[1]q);
		if (!o) return false;
		Object.getOwnPropertyDescriptor(HTMLSelectElement.prototype, 'value').set.call(this, o.value);
		this.dispatchEvent(new Event('change', {bubbles: true}));
		return true;
	}`, option))
	must(p.t, err)
	if !ok {
		p.t.Fatalf("%q has no option %q", name, option)
	}
}

// Value is a field's.
func (p *Page) Value(role, name string) string {
	p.t.Helper()
	v, err := call[string](p, p.wait(role, name).node, `function () { return String(this.value ?? this.textContent) }`)
	must(p.t, err)
	return v
}

// Shot keeps a picture of the page: in $MESHSTORM_SHOTS, or with the test's
// artifacts.
func (p *Page) Shot(name string) {
	p.t.Helper()
	data, err := chromedp.Run(p.ctx, chromedp.CaptureScreenshot())
	if err != nil {
		p.t.Logf("no screenshot: %v", err)
		return
	}
	dir := os.Getenv("MESHSTORM_SHOTS")
	if dir == "" {
		dir = p.t.ArtifactDir()
	}
	p.shots++
	safe := strings.NewReplacer("/", "-", " ", "-").Replace(p.t.Name())
	must(p.t, os.MkdirAll(dir, 0o755))
	must(p.t, os.WriteFile(filepath.Join(dir, fmt.Sprintf("%s-%02d-%s.png", safe, p.shots, name)), data, 0o644))
}

// settled is how long nothing may change before a page counts as drawn.
const settled = 150 * time.Millisecond

// Settle waits until the page stops changing.
func (p *Page) Settle() {
	p.t.Helper()
	Eval[bool](p, fmt.Sprintf(`new Promise((done) => {
		let timer = setTimeout(done, %[1]d, true);
		new MutationObserver(() => { clearTimeout(timer); timer = setTimeout(done, %[1]d, true); }).observe(document.body, {subtree: true, childList: true, attributes: true, characterData: true});
		setTimeout(done, 3000, true);
	})`, settled.Milliseconds()))
}
