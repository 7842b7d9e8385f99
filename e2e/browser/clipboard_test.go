package browser_test

import (
	"strings"
	"testing"

	"github.com/meshstorm/meshstorm/e2e/browser"
)

func TestAnObjectIsCopiedAsYAMLAndPastedUnderAFreeName(t *testing.T) {
	s := browser.Start(t)
	shop(t, s)
	p := s.Open(t, "en-US")
	p.Goto("/w/shop/deploy")
	// Without a person there is nobody to let the page write to the clipboard.
	p.Until(`(window.copied = '', navigator.clipboard.writeText = async (text) => { window.copied = text }, true)`)
	p.Click("group", "VirtualService vsvc-order")
	p.Click("button", "Copy")
	p.Until(`window.copied.includes('kind: VirtualService')`)
	p.Until(`(() => {
		const data = new DataTransfer();
		data.setData('text/plain', window.copied);
		document.querySelector('.react-flow__pane').dispatchEvent(new ClipboardEvent('paste', {clipboardData: data, bubbles: true, cancelable: true}));
		return true;
	})()`)
	p.Wait("group", "VirtualService vsvc-order-2")
	if got := s.Read(own); !inOrder(got, "kind: VirtualService", "name: vsvc-order-2", "subset: stable", "weight: 100", "subset: canary", "weight: 0") {
		t.Errorf("%s:\n%s", own, got)
	}
	p.Click("group", "VirtualService vsvc-delivery")
	p.Press("Ctrl+D")
	p.Wait("group", "VirtualService vsvc-delivery-2")
	p.Press("Ctrl+Z")
	p.Gone("group", "VirtualService vsvc-delivery-2")
	browser.Eventually(t, "undo takes the duplicate alone", func() bool {
		got := s.Read(own)
		return strings.Contains(got, "vsvc-order-2") && !strings.Contains(got, "vsvc-delivery-2")
	})
}
