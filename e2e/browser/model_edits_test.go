package browser_test

import (
	"strings"
	"testing"

	"github.com/meshstorm/meshstorm/e2e/browser"
	"github.com/meshstorm/meshstorm/storm"
	"github.com/meshstorm/meshstorm/storm/msaez"
)

// modelOf is the model on disk, which must be readable at any time.
func modelOf(t *testing.T, s *browser.Studio) *storm.Model {
	t.Helper()
	doc, err := msaez.Read(strings.NewReader(s.Read("shop/storm.json")), "shop")
	if err != nil {
		t.Fatal(err)
	}
	return doc.Model
}

// located is the sticker of a name in the model on disk, if it is there.
func located(t *testing.T, s *browser.Studio, name string) (storm.Located, bool) {
	t.Helper()
	for l := range modelOf(t, s).All() {
		if l.Name == name {
			return l, true
		}
	}
	return storm.Located{}, false
}

// stands waits until a sticker of the name is in the model, in the context.
func stands(t *testing.T, s *browser.Studio, name, context string) {
	t.Helper()
	browser.Eventually(t, name+" is in the model, in "+context, func() bool {
		l, ok := located(t, s, name)
		return ok && l.Context != nil && l.Context.Name == context
	})
}

func TestAStickerDraggedFromThePaletteIsNamedConnectedAndTakenBack(t *testing.T) {
	s := browser.Start(t)
	shop(t, s)
	p := s.Open(t, "en-US")
	p.Goto("/w/shop/model")
	below := p.Where("group", "/policy StartDelivery/")
	p.Drag(p.Where("button", "Policy"), browser.Point{X: below.X, Y: below.Y + 45})
	p.Wait("textbox", "Name")
	p.Type("NotifyCourier")
	p.Press("Enter")
	stands(t, s, "NotifyCourier", "delivery")

	p.Drag(p.Port("event OrderPlaced 주문됨"), p.Where("group", "policy NotifyCourier"))
	policy, _ := located(t, s, "NotifyCourier")
	browser.Eventually(t, "the event leads to the policy", func() bool {
		for _, r := range modelOf(t, s).Relations {
			if r.To == policy.ID && r.Kind == storm.PubSub {
				return true
			}
		}
		return false
	})
	p.Drag(p.Port("event OrderPlaced 주문됨"), p.Where("group", "/event OrderCancelled/"))
	p.Sees("An event causes no event by itself")

	p.Click("group", "policy NotifyCourier")
	p.Press("Delete")
	p.Gone("group", "policy NotifyCourier")
	browser.Eventually(t, "it is gone from the file", func() bool { _, ok := located(t, s, "NotifyCourier"); return !ok })
	p.Press("Ctrl+Z")
	stands(t, s, "NotifyCourier", "delivery")
	p.Press("Ctrl+Shift+Z")
	browser.Eventually(t, "it is gone again", func() bool { _, ok := located(t, s, "NotifyCourier"); return !ok })
	s.Meshstorm("generate", "shop", "--dry-run")
}

func TestAStickerIsAddedByKeyboardRenamedAndGivenFields(t *testing.T) {
	s := browser.Start(t)
	shop(t, s)
	p := s.Open(t, "en-US")
	p.Goto("/w/shop/model")
	p.Use("button", "Event")
	p.Wait("textbox", "Name")
	p.Type("CourierArrived")
	p.Press("Enter")
	p.Wait("group", "event CourierArrived")
	p.Click("button", "Add field")
	p.Fill("textbox", "Field", "courierId")
	p.Fill("combobox", "Type", "Long")
	p.Click("checkbox", "Key courierId")
	browser.Eventually(t, "the event has the field", func() bool {
		m := modelOf(t, s)
		for _, c := range append(m.Contexts, m.Outside) {
			events := c.Events
			for _, a := range c.Aggregates {
				events = append(events, a.Events...)
			}
			for _, e := range events {
				if e.Name == "CourierArrived" && len(e.Fields) == 1 && e.Fields[0].Name == "courierId" && e.Fields[0].Class == "Long" && e.Fields[0].Key {
					return true
				}
			}
		}
		return false
	})
	p.Click("group", "event CourierArrived")
	p.Press("F2")
	p.Wait("textbox", "Name")
	p.Type("CourierCame")
	p.Press("Enter")
	p.Wait("group", "event CourierCame")
	browser.Eventually(t, "the file has the new name alone", func() bool {
		_, is := located(t, s, "CourierCame")
		_, was := located(t, s, "CourierArrived")
		return is && !was
	})
}

func TestAnAggregateDroppedIntoAnotherContextBelongsThere(t *testing.T) {
	s := browser.Start(t)
	shop(t, s)
	p := s.Open(t, "en-US")
	p.Goto("/w/shop/model")
	stands(t, s, "Order", "order")
	from := p.Where("group", "/policy CancelDelivery/")
	header := browser.Eval[browser.Point](p, `(() => {
		const r = [...document.querySelectorAll('.react-flow__node')].find((n) => /^aggregate Order/.test(n.getAttribute('aria-label'))).getBoundingClientRect();
		return {X: r.x + r.width / 2, Y: r.bottom - 3};
	})()`)
	p.Drag(header, browser.Point{X: from.X, Y: from.Y + 75})
	stands(t, s, "Order", "delivery")
	p.Press("Ctrl+Z")
	stands(t, s, "Order", "order")
}
