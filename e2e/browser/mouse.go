package browser

import (
	"fmt"

	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"
)

// Point is a place in the window, in pixels.
type Point struct{ X, Y float64 }

// Where gives the middle of something, once it stands still and can be clicked.
func (p *Page) Where(role, name string) Point {
	p.t.Helper()
	x, y := p.at(role, name)
	return Point{x, y}
}

// Port gives the handle of a box that lines are drawn from. It shows while the
// mouse is on the box.
func (p *Page) Port(box string) Point {
	p.t.Helper()
	x, y := p.at("group", box)
	must(p.t, chromedp.Do(p.ctx, chromedp.MouseEvent(input.DispatchMouseEventTypeMouseMoved, x, y)))
	return Eval[Point](p, fmt.Sprintf(`(() => {
		const r = [...document.querySelectorAll('.react-flow__node')].find((n) => n.getAttribute('aria-label') === %q).querySelector('.source').getBoundingClientRect();
		return {X: r.x + r.width / 2, Y: r.y + r.height / 2};
	})()`, box))
}

// Drag drags from one place to another: what is draggable as HTML has it, and
// what listens to the mouse.
func (p *Page) Drag(from, to Point) {
	p.t.Helper()
	must(p.t, chromedp.Do(p.ctx, chromedp.DragAndDropXY(from.X, from.Y, to.X, to.Y)))
}

// DragWith does the same with a key held, such as "Shift".
func (p *Page) DragWith(key string, from, to Point) {
	p.t.Helper()
	code := map[string]int64{"Shift": 16, "Ctrl": 17, "Alt": 18}[key]
	held := func(typ input.DispatchKeyEventType) {
		var bits int64
		if typ == input.DispatchKeyEventTypeRawKeyDown {
			bits = int64(modifiers[key])
		}
		_, err := chromedp.Call(p.ctx, input.DispatchKeyEvent, input.DispatchKeyEventParams{Type: typ, Key: key, Code: key + "Left", WindowsVirtualKeyCode: code, Modifiers: bits})
		must(p.t, err)
	}
	mouse := func(typ input.DispatchMouseEventType, at Point, buttons int64) {
		_, err := chromedp.Call(p.ctx, input.DispatchMouseEvent, input.DispatchMouseEventParams{
			Type: typ, X: at.X, Y: at.Y, Button: input.MouseButtonLeft, Buttons: buttons, ClickCount: 1, Modifiers: int64(modifiers[key]),
		})
		must(p.t, err)
	}
	held(input.DispatchKeyEventTypeRawKeyDown)
	p.Settle() // what the key changes on the page
	mouse(input.DispatchMouseEventTypeMousePressed, from, 1)
	mouse(input.DispatchMouseEventTypeMouseMoved, Point{(from.X + to.X) / 2, (from.Y + to.Y) / 2}, 1)
	mouse(input.DispatchMouseEventTypeMouseMoved, to, 1)
	mouse(input.DispatchMouseEventTypeMouseReleased, to, 0)
	held(input.DispatchKeyEventTypeKeyUp)
}

// ClickAt clicks a place.
func (p *Page) ClickAt(at Point) {
	p.t.Helper()
	must(p.t, chromedp.Do(p.ctx, chromedp.MouseClickXY(at.X, at.Y)))
}
