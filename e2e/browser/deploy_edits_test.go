package browser_test

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/meshstorm/meshstorm/e2e/browser"
)

// inOrder tells whether the texts follow each other.
func inOrder(text string, parts ...string) bool {
	for _, part := range parts {
		_, after, ok := strings.Cut(text, part)
		if !ok {
			return false
		}
		text = after
	}
	return true
}

func TestARuleDraggedToAnotherPlaceIsThereInTheYAML(t *testing.T) {
	s := browser.Start(t)
	shop(t, s)
	p := s.Open(t, "en-US")
	p.Goto("/w/shop/deploy?node=VirtualService/default/vsvc-order")
	p.Drag(p.Where("button", "/^writes/"), p.Where("button", "/^primary/"))
	browser.Eventually(t, "the YAML has the order", func() bool { return inOrder(object(s, "vsvc-order"), "name: primary", "name: writes") })
	p.Click("button", "Undo")
	browser.Eventually(t, "undo brings the order back", func() bool { return inOrder(object(s, "vsvc-order"), "name: writes", "name: primary") })
}

func TestALineIsDrawnWhereItMakesSenseAndRefusedWithTheReasonElsewhere(t *testing.T) {
	s := browser.Start(t)
	shop(t, s)
	p := s.Open(t, "en-US")
	p.Goto("/w/shop/deploy")
	p.Drag(p.Port("Gateway main-gw"), p.Where("group", "Deployment order"))
	p.Sees("No such line")
	p.Sees("Gateway leads to VirtualService, not to Deployment.")
	p.Drag(p.Port("Gateway main-gw"), p.Where("group", "VirtualService vsvc-order"))
	p.Sees("They are connected already.")
	p.Drag(p.Port("VirtualService vsvc-order"), p.Where("group", "Service delivery"))
	p.Click("button", "To all rules")
	browser.Eventually(t, "both rules name the Service, with weight 0", func() bool {
		return strings.Count(object(s, "vsvc-order"), "host: delivery\n      weight: 0") == 2
	})
	s.Meshstorm("check", "shop")
}

// alongLine is a place on a line of the graph that no box hides.
func alongLine(p *browser.Page, id string) browser.Point {
	found := fmt.Sprintf(`((path) => {
		for (let part = 0.05; path && part < 1; part += 0.05) {
			const at = path.getPointAtLength(path.getTotalLength() * part).matrixTransform(path.getScreenCTM());
			if (document.elementFromPoint(at.x, at.y)?.closest('.react-flow__edge')?.dataset.id === %q) return {X: at.x, Y: at.y};
		}
		return null;
	})(document.querySelector('.react-flow__edge[data-id=%q] path'))`, id, id)
	p.Until(found + " !== null")
	return browser.Eval[browser.Point](p, found)
}

func TestALineIsTakenAwayWithTheMouseAndFromThePanel(t *testing.T) {
	s := browser.Start(t)
	shop(t, s)
	before := object(s, "vsvc-order")
	p := s.Open(t, "en-US")
	p.Goto("/w/shop/deploy")
	p.Drag(p.Port("VirtualService vsvc-order"), p.Where("group", "Service delivery"))
	p.Click("button", "To all rules")
	browser.Eventually(t, "both rules name the Service", func() bool { return strings.Count(object(s, "vsvc-order"), "host: delivery") == 2 })
	p.ClickAt(alongLine(p, "route:VirtualService/default/vsvc-order>Service/default/delivery"))
	p.Sees("vsvc-order → delivery")
	p.Press("Delete")
	browser.Eventually(t, "the rules are as they were", func() bool { return object(s, "vsvc-order") == before })

	p.ClickAt(alongLine(p, "selects:Service/default/order>Deployment/default/order"))
	p.Click("button", "Disconnect")
	p.Sees("It is there because labels match: change the selector or the pods’ labels.")

	p.Goto("/w/shop/deploy?node=VirtualService/default/vsvc-order")
	p.Use("button", "Disconnect Gateway main-gw")
	browser.Eventually(t, "it is for callers in the mesh now", func() bool {
		return inOrder(object(s, "vsvc-order"), "gateways:", "- mesh") && !strings.Contains(object(s, "vsvc-order"), "main-gw")
	})
	p.Click("button", "Undo")
	browser.Eventually(t, "undo connects it again", func() bool { return object(s, "vsvc-order") == before })
}

func TestAKindDraggedFromThePaletteIsAddedWhereItWasDropped(t *testing.T) {
	s := browser.Start(t)
	shop(t, s)
	p := s.Open(t, "en-US")
	p.Goto("/w/shop/deploy")
	p.Wait("group", "Deployment order")
	pane := browser.Eval[browser.Point](p, `(() => { const r = document.querySelector('.stage').getBoundingClientRect(); return {X: r.x + r.width * 0.6, Y: r.bottom - 40}; })()`)
	p.Drag(p.Where("button", "ServiceAccount"), pane)
	p.Fill("textbox", "Name", "clerk")
	p.Click("button", "Add")
	p.Wait("group", "ServiceAccount clerk")
	browser.Eventually(t, "the place is kept", func() bool {
		return s.Exists(layout) && strings.Contains(s.Read(layout), "ServiceAccount/default/clerk")
	})
	if got := s.Read(own); !inOrder(got, "kind: ServiceAccount", "name: clerk") {
		t.Errorf("%s:\n%s", own, got)
	}
}

const layout = "shop/.meshstorm/layout.json"

func TestBoxesInAFrameMoveTogetherAndStayThere(t *testing.T) {
	s := browser.Start(t)
	shop(t, s)
	p := s.Open(t, "en-US")
	p.Goto("/w/shop/deploy")
	first, second := "VirtualService vsvc-order", "VirtualService vsvc-delivery"
	a, b := p.Where("group", first), p.Where("group", second)
	const margin = 90
	p.DragWith("Shift", browser.Point{X: min(a.X, b.X) - margin, Y: min(a.Y, b.Y) - 40}, browser.Point{X: max(a.X, b.X) + margin, Y: max(a.Y, b.Y) + 40})
	p.Wait("toolbar", "/Tools for the 2/")
	p.Drag(a, browser.Point{X: a.X + 60, Y: a.Y + 80})
	browser.Eventually(t, "both places are kept", func() bool {
		return s.Exists(layout) && strings.Contains(s.Read(layout), "VirtualService/default/vsvc-order") && strings.Contains(s.Read(layout), "VirtualService/default/vsvc-delivery")
	})
	places := func() string {
		return browser.Eval[string](p, fmt.Sprintf(`[%q, %q].map((n) => document.querySelector('.react-flow__node[aria-label="' + n + '"]').style.transform).join()`, first, second))
	}
	moved := places()
	p.Goto("/w/shop/deploy")
	p.Wait("group", first)
	if got := places(); got != moved {
		t.Errorf("after loading again they are at %s, not at %s", got, moved)
	}
}

var weightsIn = regexp.MustCompile(`subset: (\w+)\n\s+weight: (\d+)`)

// splits are the weights of a VirtualService's rules in the file's order.
func splits(s *browser.Studio, name string) string {
	var out []string
	for _, m := range weightsIn.FindAllStringSubmatch(object(s, name), -1) {
		out = append(out, m[1]+"="+m[2])
	}
	return strings.Join(out, " ")
}

func TestWeightsByNumberAndSpreadEvenlyAddUpTo100InTheirOrder(t *testing.T) {
	s := browser.Start(t)
	shop(t, s)
	p := s.Open(t, "en-US")
	p.Goto("/w/shop/deploy?node=VirtualService/default/vsvc-order")
	p.Fill("textbox", "Weight of canary", "010") // as typed behind the 0 that stands there
	browser.Eventually(t, "canary has 10", func() bool { return splits(s, "vsvc-order") == "stable=90 canary=10 stable=90 canary=10" })
	p.Fill("textbox", "Weight of canary", "30")
	browser.Eventually(t, "canary has 30", func() bool { return splits(s, "vsvc-order") == "stable=70 canary=30 stable=70 canary=30" })
	p.Click("button", "Spread evenly")
	browser.Eventually(t, "both have 50", func() bool { return splits(s, "vsvc-order") == "stable=50 canary=50 stable=50 canary=50" })
	p.Click("button", "Keep stable as it is")
	p.Fill("textbox", "Weight of canary", "80")
	p.Settle()
	if got := splits(s, "vsvc-order"); got != "stable=50 canary=50 stable=50 canary=50" {
		t.Errorf("a locked weight moved: %s", got)
	}
}

func TestAWeightChangesInTheTwinForCallersInsideToo(t *testing.T) {
	s := browser.Start(t)
	shop(t, s)
	s.Write(mesh, s.Read(mesh)+`---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata:
  name: vsvc-order-mesh
  namespace: default
spec:
  hosts: [order.default.svc.cluster.local]
  http:
  - name: primary
    route:
    - destination:
        host: order
        subset: stable
      weight: 100
    - destination:
        host: order
        subset: canary
      weight: 0 # callers inside
`)
	p := s.Open(t, "en-US")
	p.Goto("/w/shop/deploy?node=VirtualService/default/vsvc-order")
	p.Sees("Weights change together with vsvc-order-mesh")
	p.Fill("textbox", "Weight of canary", "25")
	browser.Eventually(t, "both have the weight", func() bool {
		return splits(s, "vsvc-order") == "stable=75 canary=25 stable=75 canary=25" && splits(s, "vsvc-order-mesh") == "stable=75 canary=25"
	})
	if got := object(s, "vsvc-order-mesh"); !strings.Contains(got, "weight: 25 # callers inside") {
		t.Errorf("the comment is gone:\n%s", got)
	}
	p.Press("Ctrl+Z")
	browser.Eventually(t, "undo takes both back", func() bool {
		return splits(s, "vsvc-order") == "stable=100 canary=0 stable=100 canary=0" && splits(s, "vsvc-order-mesh") == "stable=100 canary=0"
	})
}

func TestUndoAndRedoReachAcrossScreensByKeyboard(t *testing.T) {
	s := browser.Start(t)
	shop(t, s)
	p := s.Open(t, "en-US")
	p.Goto("/w/shop/deploy?node=VirtualService/default/vsvc-order")
	p.Fill("textbox", "Weight of canary", "10")
	browser.Eventually(t, "the weight is saved", func() bool { return strings.HasPrefix(splits(s, "vsvc-order"), "stable=90 canary=10") })
	p.Click("link", "Code")
	p.Until(`document.querySelector('.cm-content')?.innerText.includes('weight: 90')`)
	p.Press("Ctrl+Z")
	browser.Eventually(t, "undone on the Code screen", func() bool { return strings.HasPrefix(splits(s, "vsvc-order"), "stable=100 canary=0") })
	p.Until(`document.querySelector('.cm-content')?.innerText.includes('weight: 100')`)
	p.Sees("✓ Saved")
	p.Settle()
	p.Press("Ctrl+Shift+Z")
	browser.Eventually(t, "done again", func() bool { return strings.HasPrefix(splits(s, "vsvc-order"), "stable=90 canary=10") })
	p.Until(`document.querySelector('.cm-content')?.innerText.includes('weight: 90')`)
	p.Sees("✓ Saved")
	p.Settle()
	p.Click("link", "Model")
	p.Wait("group", "/event OrderPlaced/")
	p.Press("Ctrl+Z")
	browser.Eventually(t, "undone on the Model screen", func() bool { return strings.HasPrefix(splits(s, "vsvc-order"), "stable=100 canary=0") })
}
