package browser

import (
	"encoding/json"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/chromedp/chromedp"
)

// violation is one of axe-core's.
type violation struct {
	ID     string `json:"id"`
	Impact string `json:"impact"`
	Help   string `json:"help"`
	Nodes  []struct {
		HTML    string `json:"html"`
		Summary string `json:"failureSummary"`
	} `json:"nodes"`
}

// Axe fails the test where axe-core finds something serious on the page.
func (p *Page) Axe(where string) {
	p.t.Helper()
	_, here, _, _ := runtime.Caller(0)
	path := filepath.Join(filepath.Dir(here), "../../web/node_modules/axe-core/axe.min.js")
	script, err := os.ReadFile(path)
	if err != nil && os.Getenv("CI") == "" {
		p.t.Logf("%s was not held against axe-core, which comes with the page's packages: install Node.js 20 and run make deps", where)
		return
	}
	if err != nil {
		p.t.Fatalf("axe-core is missing; make deps installs it: %v", err)
	}
	p.Settle()
	// The page's policy allows no other scripts, so it comes through the protocol.
	if _, err := chromedp.Run(p.ctx, chromedp.Evaluate[any](string(script)+";true")); err != nil {
		p.t.Fatal(err)
	}
	text := Eval[string](p, `axe.run(document, {resultTypes: ['violations']}).then((r) => JSON.stringify(r.violations))`)
	var found []violation
	if err := json.Unmarshal([]byte(text), &found); err != nil {
		p.t.Fatal(err)
	}
	for _, v := range found {
		if v.Impact != "serious" && v.Impact != "critical" {
			continue
		}
		for _, n := range v.Nodes {
			p.t.Errorf("%s: %s (%s, %s)\n  %s\n  %s", where, v.Help, v.ID, v.Impact, n.HTML, strings.ReplaceAll(n.Summary, "\n", "\n  "))
		}
	}
}
