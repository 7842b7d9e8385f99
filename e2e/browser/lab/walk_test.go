// Package lab walks the studio's page with a cluster: the lab page that
// meshstorm comes from, in a real browser and a real mesh.
package lab

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/meshstorm/meshstorm/e2e/browser"
	"github.com/meshstorm/meshstorm/internal/labtest"
)

func TestMain(m *testing.M) { os.Exit(browser.Run(runner{m})) }

// runner runs the tests with the browser and the lab.
type runner struct{ m *testing.M }

func (r runner) Run() int { return labtest.Main(r.m) }

const mesh = "mall/kubernetes/template/istio.yml"

func example(t *testing.T) string {
	t.Helper()
	path, err := filepath.Abs("../../../examples/12st-mall/storm.json")
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// hands is who walks: by mouse, or with the keyboard alone.
type hands struct {
	use  func(p *browser.Page, role, name string)
	fill func(p *browser.Page, role, name, text string)
	tick func(p *browser.Page, name string)
	// tickRadio chooses one of several.
	tickRadio func(p *browser.Page, name string)
}

var mouse = hands{
	use:  func(p *browser.Page, role, name string) { p.Click(role, name) },
	fill: func(p *browser.Page, role, name, text string) { p.Fill(role, name, text) },
	tick: func(p *browser.Page, name string) { p.Click("checkbox", name) },

	tickRadio: func(p *browser.Page, name string) { p.Click("radio", name) },
}

var keyboard = hands{
	use:  func(p *browser.Page, role, name string) { p.Use(role, name) },
	fill: func(p *browser.Page, role, name, text string) { p.Enter(role, name, text) },
	tick: func(p *browser.Page, name string) { p.TabTo("checkbox", name); p.Press("Space") },

	// The arrows move within the group.
	tickRadio: func(p *browser.Page, name string) {
		p.TabTo("radio", "Edit")
		for !p.Focused("radio", name) {
			p.Press("Right")
		}
	},
}

func TestTheLabPagesWalkWithTheMouse(t *testing.T) { walk(t, mouse) }

func TestTheLabPagesWalkWithTheKeyboardAlone(t *testing.T) { walk(t, keyboard) }

func walk(t *testing.T, by hands) {
	kubeconfig := labtest.Kubeconfig(t)
	s := browser.Start(t, "KUBECONFIG="+kubeconfig)
	p := s.Open(t, "en-US")

	// The example is opened, and forked.
	by.use(p, "button", "/^Open example/")
	p.Sees("Read-only")
	by.use(p, "button", "Fork")
	by.fill(p, "textbox", "Name of the copy", "mall")
	by.use(p, "button", "Fork")
	p.Until(`location.pathname === '/w/mall/model'`)
	p.Wait("button", "/^Policy/")
	p.Shot("model")
	t.Cleanup(func() { s.Meshstorm("delete", "mall", "--yes") })

	// The Istio topping is switched off and on again, with a look at what that means.
	by.use(p, "link", "Code")
	by.tick(p, "/^Istio/")
	p.Sees("Switch Istio off")
	by.use(p, "button", "Write these changes")
	browser.Eventually(t, "istio.yml goes", func() bool { return !s.Exists(mesh) })
	p.Gone("dialog", "Switch Istio off")
	by.tick(p, "/^Istio/")
	p.Sees("Switch Istio on")
	by.use(p, "button", "Write these changes")
	browser.Eventually(t, "istio.yml comes", func() bool { return s.Exists(mesh) })
	p.Gone("dialog", "Switch Istio on")
	by.use(p, "button", "/^istio.yml/")
	p.Until(`document.querySelector('.cm-content')?.innerText.includes('main-gw')`)
	p.Shot("code")

	// DEPLOY: gateway, routes with weights, subsets.
	by.use(p, "link", "Deploy")
	for _, name := range []string{"Gateway main-gw", "VirtualService vsvc-order", "Subset stable", "Subset canary"} {
		p.Wait("group", name)
	}
	p.Shot("deploy")

	// They are edited: a weight on its edge, and a match of a new rule.
	by.use(p, "button", "/Edit weight: vsvc-product to canary/")
	p.Until(`document.querySelector('[role=dialog] [role=slider]') === document.activeElement`)
	p.Press("Left")
	browser.Eventually(t, "the weights are 99 and 1", func() bool { return strings.Contains(s.Read(mesh), "weight: 99") })
	p.Press("Escape")
	by.use(p, "button", "Undo") // the canary has no pods yet, and apply would refuse
	browser.Eventually(t, "the weights are 100 and 0 again", func() bool { return !strings.Contains(s.Read(mesh), "weight: 99") })
	by.use(p, "group", "VirtualService vsvc-product")
	by.use(p, "button", "Add rule at the top")
	by.fill(p, "textbox", "Path: value", "/inventories/new")
	browser.Eventually(t, "the match is in the file", func() bool { return strings.Contains(s.Read(mesh), "/inventories/new") })
	p.Shot("edited")

	// The cluster: the files are applied, and run.
	by.use(p, "link", "Cluster")
	p.Sees("Istio 1.31.1 demo is installed.")
	p.Sees("Applying changes")
	by.use(p, "button", "Apply")
	p.Wait("list", "Stages")
	p.Sees("The cluster runs what the files say.")
	p.Until(`document.querySelectorAll('.stages li.done').length >= 4 && !document.querySelector('.stages :is(.failed, .running, .later)')`)
	p.Until(`(document.body.innerText.match(/2\/2/g) ?? []).length >= 3`)
	for _, name := range []string{"vsvc-order", "vsvc-delivery", "vsvc-product", "destrule-order", "destrule-delivery", "destrule-product"} {
		p.Sees(name)
	}
	p.Shot("cluster")
	p.Axe("Cluster")

	// A file beside what runs of it.
	by.use(p, "link", "Code")
	by.use(p, "button", "/^istio.yml/")
	by.tickRadio(p, "Diff against the cluster")
	p.Sees("The cluster runs what the files say.")
	by.use(p, "link", "Cluster")

	// A request through the gateway.
	by.use(p, "button", "Send")
	p.Sees("200 OK")
	by.use(p, "DisclosureTriangle", "/headers$/")
	p.Sees("application/hal+json")
	p.Sees(`"_embedded"`)
	p.Shot("answer")
}
