package browser_test

import (
	"regexp"
	"strings"
	"testing"

	"github.com/meshstorm/meshstorm/e2e/browser"
)

const mesh = "shop/kubernetes/template/istio.yml"

func TestAnExampleIsForkedAndThePaletteAppears(t *testing.T) {
	s := browser.Start(t)
	p := s.Open(t, "en-US")
	p.Click("button", "/^Open example|12st Mall/")
	p.Sees("Read-only")
	p.Wait("group", "/OrderPlaced/")
	if p.Has("button", "/^Policy/") {
		t.Error("a read-only board has a palette")
	}
	p.Shot("example")
	p.Click("button", "Fork")
	p.Fill("textbox", "Name of the copy", "mine")
	p.Click("button", "Fork")
	p.Until(`location.pathname === '/w/mine/model'`)
	p.Wait("button", "/^Policy/")
	if !strings.Contains(s.Read("mine/storm.json"), "OrderPlaced") {
		t.Error("the copy has no model")
	}
	p.Shot("fork")
	p.Axe("Model")
}

func TestTheDeployScreenShowsTheMeshAndHasNoSeriousFindingOfAxe(t *testing.T) {
	s := browser.Start(t)
	shop(t, s)
	p := s.Open(t, "en-US")
	p.Goto("/w/shop/deploy")
	p.Sees("main-gw")
	p.Sees("vsvc-order")
	p.Wait("group", "VirtualService vsvc-order")
	p.Click("group", "VirtualService vsvc-order")
	p.Sees("Saved")
	p.Shot("chosen")
	p.Axe("Deploy")
}

func TestAQuestionLightsItsPath(t *testing.T) {
	s := browser.Start(t)
	shop(t, s)
	p := s.Open(t, "en-US")
	p.Goto("/w/shop/deploy")
	p.Fill("textbox", "Address", "http://shop.example/orders/1")
	p.Click("button", "Ask")
	p.Sees("of vsvc-order sends it to")
	p.Click("button", "Keep as route test")
	p.Fill("textbox", "Name of the test", "an order")
	p.Click("button", "Keep as route test")
	p.Sees("Kept;")
	if out := s.Meshstorm("test", "-C", "shop"); !strings.Contains(out, "1 passed") {
		t.Errorf("meshstorm test: %s", out)
	}
	p.Shot("asked")
}

func TestAServerThatIsGoneIsSaid(t *testing.T) {
	s := browser.Start(t)
	shop(t, s)
	p := s.Open(t, "en-US")
	p.Excuse = regexp.MustCompile(`Failed to load resource|ERR_CONNECTION_REFUSED|ERR_INCOMPLETE_CHUNKED_ENCODING`)
	p.Goto("/w/shop/deploy")
	p.Sees("main-gw")
	s.Kill()
	p.Click("button", "Ask")
	p.Sees("does not answer")
	p.Shot("gone")
}

func TestThePageSpeaksTheBrowsersLanguage(t *testing.T) {
	s := browser.Start(t)
	shop(t, s)
	p := s.Open(t, "ko-KR")
	p.Goto("/w/shop/model")
	p.Sees("바운디드 컨텍스트")
	p.Shot("korean")
	p.Axe("Model in Korean")
	p.Click("button", "English")
	p.Sees("Bounded context")
	p.Dark(true)
	p.Settle()
	p.Shot("dark")
	p.Axe("Model, dark")
}
