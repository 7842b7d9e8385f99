package browser_test

import (
	"fmt"
	"testing"

	"github.com/meshstorm/meshstorm/e2e/browser"
)

// Every screen, in both themes and languages, with the panels that are filled
// when something is chosen. The Cluster and Traffic screens show what they say
// without a cluster.
func TestNoScreenHasASeriousFindingOfAxeInAnyThemeOrLanguage(t *testing.T) {
	s := browser.Start(t, "KUBECONFIG=/dev/null")
	shop(t, s)
	screens := []string{
		"/", "/w/shop/model", "/w/shop/model?source=Command/PlaceOrder", "/w/shop/code/kubernetes/template/istio.yml?line=30", "/w/shop/code/storm.json",
		"/w/shop/deploy", "/w/shop/deploy?node=VirtualService/default/vsvc-order", "/w/shop/deploy?node=DestinationRule/default/destrule-order",
		"/w/shop/deploy?node=Gateway/default/main-gw", "/w/shop/deploy?node=Deployment/default/order", "/w/shop/cluster", "/w/shop/traffic",
	}
	for _, lang := range []string{"en-US", "ko-KR"} {
		p := s.Open(t, lang)
		for _, dark := range []bool{false, true} {
			p.Dark(dark)
			for _, at := range screens {
				p.Goto(at)
				p.Wait("main", "")
				p.Axe(fmt.Sprintf("%s in %s, dark: %t", at, lang, dark))
			}
		}
	}
}
