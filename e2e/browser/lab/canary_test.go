package lab

import (
	"net/http"
	"strings"
	"testing"

	"github.com/meshstorm/meshstorm/e2e/browser"
	"github.com/meshstorm/meshstorm/internal/labtest"
)

func TestACanaryIsStartedWatchedAndTakenBackOnThePage(t *testing.T) {
	kubeconfig := labtest.Kubeconfig(t)
	s := browser.Start(t, "KUBECONFIG="+kubeconfig)
	p := s.Open(t, "en-US")
	s.Meshstorm("new", "mall", "--from", example(t))
	s.Meshstorm("generate", "mall")
	s.Meshstorm("apply", "mall", "--yes")
	t.Cleanup(func() { s.Meshstorm("delete", "mall", "--yes") })

	p.Goto("/w/mall/cluster")
	p.Sees("The cluster runs what the files say.")

	// A container's log is followed until somebody holds it; a repeated request ends when it is told to.
	p.Click("button", "/^order-/")
	p.Until(`(document.querySelector('[role=dialog] pre.log')?.innerText ?? '').length > 5`)
	p.Click("button", "Hold")
	p.Wait("button", "Follow")
	p.Axe("Pod")
	p.Press("Escape")
	p.Gone("dialog", "/^order-/")
	p.Fill("textbox", "Times", "1000")
	p.Click("button", "Send")
	p.Until(`/order: \d+/.test(document.body.innerText)`)
	p.Click("button", "Stop")
	p.Until(`(() => { const n = /order: (\d+)/.exec(document.body.innerText); return n !== null && Number(n[1]) < 1000 && !document.body.innerText.includes('Stop') })()`)

	p.Click("button", "Send load")
	// The first of the model, which the proposed requests are for.
	if got := p.Value("combobox", "Service"); got != "order" {
		t.Errorf("the service proposed is %q", got)
	}
	p.Sees("runs now: registry.example.com/order:v1")
	if got := p.Value("textbox", "Image of the new version"); got != "registry.example.com/order:v2" {
		t.Errorf("the next image is %q", got)
	}
	p.Click("radio", "90 : 10, and wait")
	// What is refused is told where the button is, with what to do.
	p.Click("button", "Start")
	p.Sees("This service consumes events, so its canary would too")
	p.Click("checkbox", "It may consume events")
	p.Click("button", "Start")
	p.Sees("10 of 100 requests go to the canary")
	p.Wait("table", "Both versions in this step")
	p.Wait("button", "Go on")
	p.Shot("canary")
	p.Axe("Canary")

	// What is wished and what is seen, edge by edge.
	p.Click("link", "Traffic")
	p.Wait("button", "/→ order-canary$/")
	p.Sees("wished 10 %")
	p.Shot("traffic")
	p.Axe("Traffic")
	p.Dark(true)
	p.Axe("Traffic, dark")
	p.Shot("traffic-dark")
	p.Dark(false)

	p.Click("link", "Cluster")
	p.Click("button", "Abort")
	p.Sees("aborted")
	p.Click("button", "Stop")
	answer, err := http.Get(labtest.Gateway(t, kubeconfig) + "/orders")
	if err != nil {
		t.Fatal(err)
	}
	_ = answer.Body.Close()
	if answer.StatusCode != http.StatusOK || answer.Header.Get("x-meshstorm-workload") != "order" {
		t.Errorf("after the abort: %s by %s", answer.Status, answer.Header.Get("x-meshstorm-workload"))
	}
	if text := s.Read(mesh); !strings.Contains(text, "weight: 100") {
		t.Error("the files' weights changed")
	}
}

func TestALiveNamespaceBecomesAWorkspace(t *testing.T) {
	s := browser.Start(t, "KUBECONFIG="+labtest.Kubeconfig(t))
	p := s.Open(t, "en-US")
	s.Meshstorm("new", "mall", "--from", example(t))
	s.Meshstorm("generate", "mall")
	s.Meshstorm("apply", "mall", "--yes")
	t.Cleanup(func() { s.Meshstorm("delete", "mall", "--yes") })

	p.Goto("/")
	p.Fill("textbox", "Name", "taken")
	p.Click("radio", "What runs")
	p.Fill("textbox", "Namespace", "default")
	p.Shot("import")
	p.Axe("Workspaces")
	p.Click("button", "Create")
	p.Until(`location.pathname === '/w/taken/model'`)
	p.Wait("group", "/order/")
	p.Click("link", "Deploy")
	p.Wait("group", "VirtualService vsvc-order")
	if text := s.Read("taken/kubernetes/template/istio.yml"); !strings.Contains(text, "destrule-order") {
		t.Error("the mesh was not taken")
	}
}
