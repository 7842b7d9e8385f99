package studio_test

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/meshstorm/meshstorm/canvas"
	"github.com/meshstorm/meshstorm/check"
	"github.com/meshstorm/meshstorm/manifest"
	"github.com/meshstorm/meshstorm/simulate/answer"
	"github.com/meshstorm/meshstorm/studio"
	"github.com/meshstorm/meshstorm/studio/graph"
)

func TestTheModelIsReadSavedAndGuarded(t *testing.T) {
	p := open(t)
	const at = "/workspaces/mall/model"
	m, tag := get[studio.Model](p, at)
	byType := map[string]int{}
	for _, e := range m.Canvas.Elements {
		byType[e.Type]++
		if e.Type != "context" && e.Type != "actor" && e.Context == "" {
			t.Errorf("%s %q lies in no context", e.Type, e.Name)
		}
		if e.Type == "context" && (e.Service == "" || e.Service == "order" && len(e.Problems) == 0) {
			t.Errorf("context without service or without MS0402: %+v", e)
		}
	}
	if byType["context"] != 3 || byType["event"] != 7 || byType["policy"] != 4 {
		t.Errorf("stickers %v", byType)
	}
	kinds := map[string]int{}
	for _, r := range m.Canvas.Relations {
		kinds[r.Kind]++
	}
	if kinds["pubsub"] == 0 {
		t.Errorf("relations %v", kinds)
	}
	same := do[studio.Model](p, 200, "PUT", at, tag, studio.ModelChange{Document: m.Document})
	if same.Revision != m.Revision {
		t.Error("saving what is there changed the file")
	}
	renamed := bytes.Replace(m.Document, []byte(`"displayName":"주문"`), []byte(`"displayName":"주문 <script>alert(1)</script>"`), 1)
	saved := do[studio.Model](p, 200, "PUT", at, tag, studio.ModelChange{Document: renamed})
	if saved.Revision == m.Revision || !strings.Contains(p.read("mall/storm.json"), "주문 <script>alert(1)</script>") {
		t.Error("the change was not saved as it is")
	}
	if got := do[problemBody](p, 412, "PUT", at, tag, studio.ModelChange{Document: m.Document}); !strings.Contains(string(got.Current), `"revision":"`+saved.Revision+`"`) || !strings.Contains(string(got.Current), `"document"`) {
		t.Errorf("412 without the current model: %.200s", got.Current)
	}
	do[problemBody](p, 428, "PUT", at, "", studio.ModelChange{Document: m.Document})
	before := p.read("mall/storm.json")
	got := do[problemBody](p, 422, "PUT", at, `"`+saved.Revision+`"`, studio.ModelChange{Document: json.RawMessage(`{"elements": 3}`)})
	if !strings.Contains(got.Detail, "document:1:") {
		t.Errorf("%q does not say where", got.Detail)
	}
	if p.read("mall/storm.json") != before {
		t.Error("a model that cannot be read was saved")
	}
}

func TestFilesAreListedReadAndSaved(t *testing.T) {
	p := open(t)
	const istio = "kubernetes/template/istio.yml"
	list, _ := get[studio.Files](p, "/workspaces/mall/files")
	info := func(path string) studio.FileInfo {
		list, _ = get[studio.Files](p, "/workspaces/mall/files")
		for _, f := range list.Items {
			if f.Path == path {
				return f
			}
		}
		return studio.FileInfo{}
	}
	if f := info(istio); !f.Generated || f.Edited {
		t.Errorf("%+v", f)
	}
	if f := info("storm.json"); f.Generated || f.Size == 0 {
		t.Errorf("%+v", f)
	}
	f, tag := get[studio.File](p, "/workspaces/mall/files/"+istio)
	if f.Text != p.read("mall/"+istio) || f.Generated != f.Text || f.Revision != info(istio).Revision {
		t.Error("the file is not as on disk")
	}
	escaped, _ := get[studio.File](p, "/workspaces/mall/files/kubernetes%2Ftemplate%2Fistio.yml")
	if escaped.Text != f.Text {
		t.Error("a path with %2F is another file")
	}
	saved := do[studio.File](p, 200, "PUT", "/workspaces/mall/files/"+istio, tag, studio.FileChange{Text: f.Text + "# mine\n"})
	if !strings.HasSuffix(p.read("mall/"+istio), "# mine\n") || saved.Generated != f.Text || !info(istio).Edited {
		t.Error("the edit is not on disk, or not known as one")
	}
	if got := do[problemBody](p, 412, "PUT", "/workspaces/mall/files/"+istio, tag, studio.FileChange{Text: "x"}); !strings.Contains(string(got.Current), "# mine") {
		t.Errorf("412 without the current text: %s", got.Current)
	}
	do[problemBody](p, 428, "PUT", "/workspaces/mall/files/"+istio, "", studio.FileChange{Text: "x"})
	a := p.send("PUT", "/workspaces/mall/files/kubernetes/more.yaml", []string{"If-None-Match: *"}, body(`{"text":"kind: ["}`))
	if a.status != 200 || p.read("mall/kubernetes/more.yaml") != "kind: [" {
		t.Errorf("a new file, half typed: %d %s", a.status, a.body)
	}
	if a := p.send("PUT", "/workspaces/mall/files/kubernetes/more.yaml", []string{"If-None-Match: *"}, body(`{"text":""}`)); a.status != 412 {
		t.Errorf("a new file where one is: %d", a.status)
	}
	do[problemBody](p, 404, "PUT", "/workspaces/mall/files/kubernetes/other.yaml", `"x"`, studio.FileChange{})
	if found, _ := get[studio.Findings](p, "/workspaces/mall/findings"); found.Summary.Error == 0 || found.Findings[0].File != "kubernetes/more.yaml" {
		t.Errorf("the half typed file is no finding: %+v", found)
	}
	if g, _ := get[studio.Graph](p, "/workspaces/mall/graph"); len(g.Unread) != 1 {
		t.Errorf("unread %v", g.Unread)
	}
	_, tag = get[studio.File](p, "/workspaces/mall/files/storm.json")
	do[problemBody](p, 422, "PUT", "/workspaces/mall/files/storm.json", tag, studio.FileChange{Text: "{"})
}

func TestPathsThatAreNoFileOfTheWorkspace(t *testing.T) {
	p := open(t)
	p.write("mall/.git/config", "secret\n")
	p.write("mall/.env", "secret\n")
	p.write("mall/notes.md", "secret\n")
	p.write("outside.yaml", "secret: 1\n")
	p.write("mall/kubernetes/.hidden/x.yaml", "secret: 1\n")
	for _, path := range []string{
		"../outside.yaml", "..%2Foutside.yaml", "%2e%2e%2foutside.yaml", "kubernetes/../../outside.yaml", "kubernetes%2F..%2F..%2Foutside.yaml",
		"%2Fetc%2Fpasswd", "kubernetes%5C..%5C..%5Coutside.yaml", ".git/config", ".env", "notes.md", ".meshstorm/lock", "kubernetes",
		"kubernetes/.hidden/x.yaml", "kubernetes/%00.yaml", "storm.json%2F", "kubernetes//template/istio.yml",
	} {
		for _, method := range []string{"GET", "PUT"} {
			a := p.send(method, "/workspaces/mall/files/"+path, []string{"If-None-Match: *"}, body(`{"text":"x"}`))
			if a.status < 300 || a.status >= 500 || strings.Contains(a.body, "secret") {
				t.Errorf("%s %s: %d %s", method, path, a.status, a.body)
			}
		}
	}
	if p.read("outside.yaml") != "secret: 1\n" || p.read("mall/.env") != "secret\n" {
		t.Error("a file that is none of the workspace's was changed")
	}
	for _, id := range []string{"..", "%2e%2e", "..%2Fmall", "mall%2F..%2Fmall", "mall%2Fkubernetes", "example:nothing"} {
		if a := p.send("GET", "/workspaces/"+id+"/files", nil, nil); a.status == 200 {
			t.Errorf("workspace %s: %d %s", id, a.status, a.body)
		}
	}
}

func TestGenerateIsPreviewedAndRun(t *testing.T) {
	p := open(t)
	const istio = "kubernetes/template/istio.yml"
	edited := strings.Replace(p.read("mall/"+istio), "prefix: /orders/", "prefix: /bestellungen/", 1)
	p.write("mall/"+istio, edited)
	p.write("mall/meshstorm.yaml", p.read("mall/meshstorm.yaml")+"services:\n  order:\n    replicas: 3\n")
	preview := do[studio.Generated](p, 200, "POST", "/workspaces/mall/generate", "", studio.Run{DryRun: true})
	if p.read("mall/"+istio) != edited || strings.Contains(p.read("mall/kubernetes/template/template.yml"), "replicas: 3") {
		t.Error("a preview wrote something")
	}
	var change studio.GeneratedChange
	for _, c := range preview.Changes {
		if c.Path == "kubernetes/template/template.yml" {
			change = c
		}
	}
	if change.Action != "update" || !strings.Contains(change.Diff, "+  replicas: 3") || len(change.Updated) != 1 || change.Updated[0] != "Deployment/default/order" {
		t.Errorf("preview %+v", preview)
	}
	done := do[studio.Generated](p, 200, "POST", "/workspaces/mall/generate", "", studio.Run{})
	if len(done.Changes) != len(preview.Changes) || !strings.Contains(p.read("mall/kubernetes/template/template.yml"), "replicas: 3") {
		t.Errorf("run %+v", done)
	}
	if !strings.Contains(p.read("mall/"+istio), "/bestellungen/") {
		t.Error("an edit was lost")
	}
	if again := do[studio.Generated](p, 200, "POST", "/workspaces/mall/generate", "", studio.Run{}); len(again.Changes) != 0 {
		t.Errorf("a second run changes %+v", again.Changes)
	}
	if got := do[problemBody](p, 422, "POST", "/workspaces/mall/generate", "", studio.Run{DryRun: true, Toppings: []string{"linkerd"}}); !strings.Contains(got.Detail, "expected one of kubernetes, istio") {
		t.Errorf("%+v", got)
	}
	p.write("mall/"+istio, "a: [\n")
	if got := do[problemBody](p, 422, "POST", "/workspaces/mall/generate", "", studio.Run{}); !strings.Contains(got.Detail, istio+":") {
		t.Errorf("%+v", got)
	}
}

func TestToppingsAreSwitchedInTheSettings(t *testing.T) {
	p := open(t)
	before := p.read("mall/meshstorm.yaml")
	on := func(list studio.Toppings) (names []string) {
		for _, g := range list.Groups {
			for _, i := range g.Items {
				if i.Enabled {
					names = append(names, i.Name)
				}
			}
		}
		return names
	}
	list, _ := get[studio.Toppings](p, "/workspaces/mall/toppings")
	if got := on(list); len(got) != 2 || list.Groups[1].Name != "Service Mesh" {
		t.Errorf("toppings %+v", list)
	}
	const mesh = "mall/kubernetes/template/istio.yml"
	removal := func(g studio.Generated) bool {
		return slices.ContainsFunc(g.Changes, func(c studio.GeneratedChange) bool {
			return c.Action == "remove" && c.Path == "kubernetes/template/istio.yml" && strings.Contains(c.Diff, "-kind: Gateway")
		})
	}
	without := studio.Run{DryRun: true, Toppings: []string{"kubernetes"}}
	if got := do[studio.Generated](p, 200, "POST", "/workspaces/mall/generate", "", without); !removal(got) || p.read("mall/meshstorm.yaml") != before {
		t.Errorf("what leaving istio out would change: %+v", got.Changes)
	}
	without.DryRun = false
	if got := do[studio.Generated](p, 200, "POST", "/workspaces/mall/generate", "", without); !removal(got) || p.exists(mesh) {
		t.Errorf("without istio: %+v", got.Changes)
	}
	do[studio.Generated](p, 200, "POST", "/workspaces/mall/generate", "", studio.Run{Toppings: []string{"kubernetes", "istio"}})
	if !p.exists(mesh) {
		t.Error("istio does not come back")
	}
	p.write("mall/meshstorm.yaml", before)
	list = do[studio.Toppings](p, 200, "PUT", "/workspaces/mall/toppings", "", studio.ToppingChange{Enabled: []string{"kubernetes"}})
	if got := on(list); len(got) != 1 || !strings.HasPrefix(p.read("mall/meshstorm.yaml"), strings.TrimRight(before, "\n")) {
		t.Errorf("on %v, settings:\n%s", got, p.read("mall/meshstorm.yaml"))
	}
	preview := do[studio.Generated](p, 200, "POST", "/workspaces/mall/generate", "", studio.Run{DryRun: true})
	if !slices.ContainsFunc(preview.Changes, func(c studio.GeneratedChange) bool {
		return c.Action == "remove" && c.Path == "kubernetes/template/istio.yml"
	}) {
		t.Errorf("without istio: %+v", preview.Changes)
	}
	list = do[studio.Toppings](p, 200, "PUT", "/workspaces/mall/toppings", "", studio.ToppingChange{Enabled: []string{"istio", "kubernetes", "istio"}})
	if got := on(list); len(got) != 2 || strings.Count(p.read("mall/meshstorm.yaml"), "istio") != 1 {
		t.Errorf("on %v, settings:\n%s", got, p.read("mall/meshstorm.yaml"))
	}
	do[problemBody](p, 422, "PUT", "/workspaces/mall/toppings", "", studio.ToppingChange{Enabled: []string{"linkerd"}})
	p.write("mall/meshstorm.yaml", "# only a comment")
	do[studio.Toppings](p, 200, "PUT", "/workspaces/mall/toppings", "", studio.ToppingChange{Enabled: []string{"istio"}})
	if got := p.read("mall/meshstorm.yaml"); got != "# only a comment\ntoppings: [istio]\n" {
		t.Errorf("settings %q", got)
	}
}

func TestWeightsAreWrittenIntoBothVirtualServices(t *testing.T) {
	p := open(t)
	const file = "mall/kubernetes/template/istio.yml"
	before := strings.Replace(p.read(file), "  - name: primary\n", "  - name: primary # by hand\n", 1)
	p.write(file, before+`---
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
    - destination: {host: order, subset: stable} # callers inside
      weight: 100
    - {destination: {host: order, subset: canary}, weight: 0}
`)
	g, tag := get[studio.Graph](p, "/workspaces/mall/graph")
	if v := node(t, g, "VirtualService/default/vsvc-order"); v.Data.Twin != "VirtualService/default/vsvc-order-mesh" {
		t.Errorf("twin %q", v.Data.Twin)
	}
	change := studio.WeightChange{VirtualService: "default/vsvc-order", Weights: map[string]int{"stable": 90, "canary": 10}}
	one := change
	one.Rule = &studio.RuleName{Name: "primary"}
	g = do[studio.Graph](p, 200, "PUT", "/workspaces/mall/weights", tag, asJSON(t, one))
	if got := weights(g); got["vsvc-order primary canary"] != 10 || got["vsvc-order-mesh primary canary"] != 10 || got["vsvc-order writes canary"] != 0 || got["vsvc-order primary stable"] != 90 {
		t.Errorf("weights %v", got)
	}
	text := p.read(file)
	if !strings.Contains(text, "# by hand") || !strings.Contains(text, "# callers inside") || !strings.Contains(text, "subset: canary}, weight: 10}") {
		t.Error("comments or style were lost")
	}
	do[problemBody](p, 428, "PUT", "/workspaces/mall/weights", "", asJSON(t, one))
	if got := do[problemBody](p, 412, "PUT", "/workspaces/mall/weights", tag, asJSON(t, one)); !strings.Contains(string(got.Current), `"nodes"`) {
		t.Errorf("412 without the graph: %.100s", got.Current)
	}
	all := change
	all.Weights = map[string]int{"stable": 0, "canary": 100}
	g = do[studio.Graph](p, 200, "PUT", "/workspaces/mall/weights", `"`+g.Revision+`"`, asJSON(t, all))
	if got := weights(g); got["vsvc-order primary canary"] != 100 || got["vsvc-order writes canary"] != 100 || got["vsvc-order-mesh primary canary"] != 100 || got["vsvc-delivery primary canary"] != 0 {
		t.Errorf("weights of all rules %v", got)
	}
	for name, c := range map[string]struct {
		body, says string
		status     int
	}{
		"a sum of 90":                   {`{"virtualService":"default/vsvc-order","rule":"primary","weights":{"stable":80,"canary":10}}`, "add up to 90", 422},
		"one of two subsets":            {`{"virtualService":"default/vsvc-order","rule":1,"weights":{"stable":80}}`, "add up to 180", 422},
		"a subset that is not there":    {`{"virtualService":"default/vsvc-order","rule":"primary","weights":{"blue":100}}`, "it sends to stable, canary", 422},
		"a rule that is not there":      {`{"virtualService":"default/vsvc-order","rule":"other","weights":{"stable":100,"canary":0}}`, `no http rule "other"`, 422},
		"an index that is not there":    {`{"virtualService":"default/vsvc-order","rule":7,"weights":{"stable":100,"canary":0}}`, "index 7", 422},
		"another namespace":             {`{"virtualService":"other/vsvc-order","weights":{"stable":100,"canary":0}}`, "no file has", 404},
		"no namespace":                  {`{"virtualService":"vsvc-order","weights":{"stable":100,"canary":0}}`, "NAMESPACE/NAME", 422},
		"more than everything":          {`{"virtualService":"default/vsvc-order","weights":{"stable":101,"canary":-1}}`, "0 to 100", 422},
		"half a request":                {`{"virtualService":"default/vsvc-order","weights":{"stable":99.5,"canary":0.5}}`, "", 422},
		"nothing":                       {`{"virtualService":"default/vsvc-order","weights":{}}`, "at least one", 422},
		"a rule that is no name at all": {`{"virtualService":"default/vsvc-order","rule":{},"weights":{"stable":100,"canary":0}}`, "", 422},
	} {
		t.Run(name, func(t *testing.T) {
			p.t = t
			now := p.read(file)
			a := p.send("PUT", "/workspaces/mall/weights", []string{`If-Match: "` + g.Revision + `"`}, body(c.body))
			if a.status != c.status || !strings.Contains(a.body, strings.ReplaceAll(c.says, `"`, `\"`)) {
				t.Errorf("%d %s; want %d with %q", a.status, a.body, c.status, c.says)
			}
			if p.read(file) != now {
				t.Error("the file was changed all the same")
			}
		})
	}
}

func asJSON(t *testing.T, c studio.WeightChange) map[string]any {
	t.Helper()
	m := map[string]any{"virtualService": c.VirtualService, "weights": c.Weights}
	if c.Rule != nil {
		m["rule"] = c.Rule.Name
	}
	return m
}

func node(t *testing.T, g studio.Graph, id string) graph.Node {
	t.Helper()
	for _, n := range g.Nodes {
		if n.ID == id {
			return n
		}
	}
	t.Fatalf("no node %s", id)
	return graph.Node{}
}

// weights are those of all rules, by "virtual-service rule subset".
func weights(g studio.Graph) map[string]int32 {
	m := map[string]int32{}
	for _, e := range g.Edges {
		if e.Kind == graph.EdgeRoute {
			m[filepath.Base(e.From)+" "+e.Rule.Name+" "+e.Subset] = *e.Weight
		}
	}
	return m
}

func TestTheGraphKnowsTheModelsCalls(t *testing.T) {
	p := open(t)
	g, _ := get[studio.Graph](p, "/workspaces/mall/graph")
	calls := 0
	for _, e := range g.Edges {
		if e.Kind == graph.EdgeCalls {
			calls++
		}
	}
	if n := node(t, g, "Deployment/default/order"); calls == 0 || n.Service != "order" || n.Source != "BoundedContext/order" || n.Line == 0 {
		t.Errorf("%d calls, %+v", calls, n)
	}
}

func TestTheLayoutIsSavedAsAFile(t *testing.T) {
	p := open(t)
	const at = "/workspaces/mall/layout"
	l, tag := get[studio.Layout](p, at)
	if len(l.Objects) != 0 || tag == "" {
		t.Errorf("%+v %s", l, tag)
	}
	w, _ := get[studio.Workspace](p, "/workspaces/mall")
	box := map[string]canvas.Box{"Gateway/default/main-gw": {X: 10, Y: 20, Width: 100, Height: 50}}
	saved := do[studio.Layout](p, 200, "PUT", at, tag, studio.LayoutChange{Objects: box})
	if saved.Objects["Gateway/default/main-gw"].X != 10 || !strings.Contains(p.read("mall/.meshstorm/layout.json"), `"apiVersion": "meshstorm.io/v1"`) {
		t.Errorf("%+v", saved)
	}
	do[problemBody](p, 412, "PUT", at, tag, studio.LayoutChange{Objects: box})
	do[problemBody](p, 428, "PUT", at, "", studio.LayoutChange{Objects: box})
	if now, _ := get[studio.Workspace](p, "/workspaces/mall"); now.Revision != w.Revision {
		t.Error("moving an object looks like a change of the deployment")
	}
	p.write("mall/.meshstorm/layout.json", "{")
	if a := p.send("GET", at, nil, nil); a.status != 422 || !strings.Contains(a.body, "layout.json") {
		t.Errorf("%d %s", a.status, a.body)
	}
}

func TestARequestIsAsked(t *testing.T) {
	p := open(t)
	got := do[map[string]any](p, 200, "POST", "/workspaces/mall/route", "", studio.Question{Method: "POST", URL: "http://x/orders", Headers: map[string]string{"x-user": "me"}, From: "delivery"})
	asked, _ := json.Marshal(got["request"])
	if string(asked) != `{"from":"delivery","headers":[{"name":"x-user","value":"me"}],"method":"POST","url":"http://x/orders"}` {
		t.Errorf("asked %s", asked)
	}
	do[problemBody](p, 422, "POST", "/workspaces/mall/route", "", studio.Question{})
}

func TestASaveThatIsKilledLeavesTheOldFileOrTheNewOne(t *testing.T) {
	p := open(t)
	const path = "kubernetes/template/istio.yml"
	old := p.read("mall/" + path)

	// Killed before the rename: the new text lies aside, and nobody was told.
	p.write("mall/.meshstorm/tmp-1/1", "half")
	if f, _ := get[studio.File](p, "/workspaces/mall/files/"+path); f.Text != old {
		t.Error("not the old file")
	}
	// Killed between the journal and the rename: whoever comes next completes it.
	p.write("mall/.meshstorm/tmp-2/1", old+"# new\n")
	p.write("mall/.meshstorm/journal.json", `{"stage":".meshstorm/tmp-2","moves":[{"path":"`+path+`","from":"1"}]}`)
	if w, _ := get[studio.Workspace](p, "/workspaces/mall"); w.Problem != "" {
		t.Fatalf("after a killed save: %s", w.Problem)
	}
	if f, _ := get[studio.File](p, "/workspaces/mall/files/"+path); f.Text != old+"# new\n" {
		t.Error("not the new file")
	}
}

func TestASaveWhoseRenameFailsSaysSoAndLeavesTheOldFile(t *testing.T) {
	p := open(t)
	const path = "kubernetes/template/istio.yml"
	f, tag := get[studio.File](p, "/workspaces/mall/files/"+path)
	// The journal's rename cannot replace a folder that is in its place.
	p.write("mall/.meshstorm/journal.json/x", "")
	a := p.send("PUT", "/workspaces/mall/files/"+path, []string{"If-Match: " + tag}, body(`{"text":"new"}`))
	if a.status < 400 || p.read("mall/"+path) != f.Text {
		t.Errorf("%d %s", a.status, a.body)
	}
	if err := os.RemoveAll(filepath.Join(p.root, "mall/.meshstorm/journal.json")); err != nil {
		t.Fatal(err)
	}
	do[studio.File](p, 200, "PUT", "/workspaces/mall/files/"+path, tag, studio.FileChange{Text: "new"})
}

func TestAnotherProgramsRunIsNotDisturbed(t *testing.T) {
	p := open(t)
	lock, err := manifest.Lock(filepath.Join(p.root, "mall"))
	if err != nil {
		t.Fatal(err)
	}
	f, tag := get[studio.File](p, "/workspaces/mall/files/meshstorm.yaml")
	if got := do[problemBody](p, 409, "PUT", "/workspaces/mall/files/meshstorm.yaml", tag, studio.FileChange{Text: f.Text}); !strings.Contains(got.Detail, "in use") {
		t.Errorf("%+v", got)
	}
	if err := lock.Unlock(); err != nil {
		t.Fatal(err)
	}
	do[studio.File](p, 200, "PUT", "/workspaces/mall/files/meshstorm.yaml", tag, studio.FileChange{Text: f.Text})
}

func TestOfTwoTabsThatSaveAtOnceOneWins(t *testing.T) {
	p := open(t)
	_, tag := get[studio.File](p, "/workspaces/mall/files/meshstorm.yaml")
	var wg sync.WaitGroup
	statuses := make([]int, 8)
	for i := range statuses {
		wg.Go(func() {
			statuses[i] = p.send("PUT", "/workspaces/mall/files/meshstorm.yaml", []string{"If-Match: " + tag}, body(`{"text":"# tab `+string(rune('a'+i))+`\n"}`)).status
		})
	}
	wg.Wait()
	count := map[int]int{}
	for _, s := range statuses {
		count[s]++
	}
	if count[200] != 1 || count[412] != len(statuses)-1 {
		t.Errorf("statuses %v", count)
	}
}

func TestAQuestionIsKeptAsARouteTest(t *testing.T) {
	p := open(t, func(o *studio.Options) {
		o.Ask = func(_ context.Context, _ *check.Input, r answer.Request) (*answer.Answer, error) {
			return &answer.Answer{Request: r, Outcome: answer.OutcomeNotFound, Status: 404, Flag: "NR"}, nil
		}
	})
	keep := studio.Keeping{Question: studio.Question{Method: "GET", URL: "http://shop.example/x"}, Path: "routes/asked.yaml", Name: "nothing there"}
	f := do[studio.File](p, 201, "POST", "/workspaces/mall/tests", "", keep)
	const want = "tests:\n- name: nothing there\n  request: GET http://shop.example/x\n  to: 404 NR\n"
	if f.Text != want || p.read("mall/routes/asked.yaml") != want {
		t.Errorf("%+v", f)
	}
	keep.Name = ""
	if f := do[studio.File](p, 201, "POST", "/workspaces/mall/tests", "", keep); f.Text != want+"- request: GET http://shop.example/x\n  to: 404 NR\n" {
		t.Errorf("%q", f.Text)
	}
	for _, path := range []string{"../x.yaml", "routes/../x.yaml", "kubernetes/x.yaml", "routes/a/b.yaml", "routes/x.json"} {
		keep.Path = path
		do[problemBody](p, 422, "POST", "/workspaces/mall/tests", "", keep)
	}
}
