package browser_test

import (
	"strings"
	"testing"

	"github.com/meshstorm/meshstorm/e2e/browser"
)

func TestStickersAreDuplicatedAndAligned(t *testing.T) {
	s := browser.Start(t)
	shop(t, s)
	p := s.Open(t, "en-US")
	p.Goto("/w/shop/model")
	p.Click("group", "/event OrderPlaced/")
	p.Press("Ctrl+D")
	p.Wait("group", "/event OrderPlaced2/")
	browser.Eventually(t, "the model has the copy", func() bool { return strings.Contains(s.Read("shop/storm.json"), "OrderPlaced2") })
	p.Click("group", "/event OrderPlaced2/")
	p.Press("Ctrl+A")
	p.Wait("toolbar", "/Tools for/")
	p.Shot("chosen")
	p.Axe("Model with several chosen")
	before := s.Read("shop/storm.json")
	p.Press("Ctrl+Z")
	p.Gone("group", "/event OrderPlaced2/")
	browser.Eventually(t, "undo takes the copy back", func() bool { return s.Read("shop/storm.json") != before })
}
