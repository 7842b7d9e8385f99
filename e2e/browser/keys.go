package browser

import (
	"fmt"
	"slices"
	"strings"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

var keys = map[string]string{
	"Tab": kb.Tab, "Enter": kb.Enter, "Escape": kb.Escape, "Space": " ", "Delete": kb.Delete, "Backspace": kb.Backspace,
	"Up": kb.ArrowUp, "Down": kb.ArrowDown, "Left": kb.ArrowLeft, "Right": kb.ArrowRight, "Home": kb.Home, "End": kb.End,
	"PageUp": kb.PageUp, "PageDown": kb.PageDown, "F2": kb.F2,
}

var modifiers = map[string]chromedp.Modifier{
	"Ctrl": chromedp.ModifierCtrl, "Shift": chromedp.ModifierShift, "Alt": chromedp.ModifierAlt, "Meta": chromedp.ModifierMeta,
}

// Press presses a key such as "Enter", "Ctrl+Z" or "Shift+Tab".
func (p *Page) Press(key string) {
	p.t.Helper()
	parts := strings.Split(key, "+")
	last := parts[len(parts)-1]
	text, ok := keys[last]
	if !ok {
		text = strings.ToLower(last)
	}
	if len(text) == 1 && slices.Contains(parts, "Shift") {
		text = strings.ToUpper(text) // as browsers have it
	}
	var options []chromedp.KeyOption
	var held []chromedp.Modifier
	for _, m := range parts[:len(parts)-1] {
		held = append(held, modifiers[m])
	}
	if len(held) > 0 {
		options = append(options, chromedp.KeyModifiers(held...))
	}
	if err := chromedp.Do(p.ctx, chromedp.KeyEvent(text, options...)); err != nil {
		p.t.Fatalf("press %s: %v", key, err)
	}
}

// Type types a text where the focus is.
func (p *Page) Type(text string) {
	p.t.Helper()
	if err := chromedp.Do(p.ctx, chromedp.KeyEvent(text)); err != nil {
		p.t.Fatalf("type %q: %v", text, err)
	}
}

// focusFunction tells whether the focus is on a node, or on the control inside
// of one that cannot have it.
const focusFunction = `function () {
  return document.activeElement === this || this.contains(document.activeElement) && !this.hasAttribute('tabindex') && !/^(BODY|MAIN|SECTION|DIV)$/.test(this.tagName);
}`

// TabTo moves the focus with the Tab key until it is on something, as who has
// no mouse must be able to.
func (p *Page) TabTo(role, name string) {
	p.t.Helper()
	p.tab("Tab", role, name)
}

func (p *Page) tab(key, role, name string) {
	p.t.Helper()
	const far = 400
	for range far {
		p.wait(role, name)
		if p.Focused(role, name) {
			return
		}
		// In an editor Tab indents; after Escape it leaves, as CodeMirror has it.
		if Eval[bool](p, `document.activeElement?.classList.contains('cm-content') ?? false`) {
			p.Press("Escape")
		}
		p.Press(key)
	}
	p.t.Fatalf("%d times %s do not reach the %s %q; the focus is on %s", far, key, role, name,
		Eval[string](p, `document.activeElement.outerHTML.slice(0, 200)`))
}

// Focused tells whether the keyboard acts on something.
func (p *Page) Focused(role, name string) bool {
	p.t.Helper()
	found, err := p.find(role, name)
	for _, f := range found {
		if on, failed := call[bool](p, f.node, focusFunction); err == nil && failed == nil && on {
			return true
		}
	}
	return false
}

// Use reaches something with Tab and presses Enter on it.
func (p *Page) Use(role, name string) {
	p.t.Helper()
	p.TabTo(role, name)
	p.Press("Enter")
}

// Enter reaches a field with Tab, and replaces its text.
func (p *Page) Enter(role, name, text string) {
	p.t.Helper()
	p.TabTo(role, name)
	p.Press("Ctrl+A")
	p.Press("Delete")
	p.Type(text)
	p.Press("Tab")
}

// Focus says what the keyboard acts on, for messages.
func (p *Page) Focus() string {
	return fmt.Sprint(Eval[string](p, `document.activeElement?.getAttribute('aria-label') || document.activeElement?.textContent?.slice(0, 80) || ''`))
}
