package browser_test

import (
	"encoding/json"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/meshstorm/meshstorm/e2e/browser"
)

// hostile are texts that would run where a page takes them for more than texts.
var hostile = []string{
	`<img src=x onerror="window.hacked=1">`,
	`"><script>window.hacked=1</script>`,
	`javascript:window.hacked=1//`,
	`{{constructor.constructor('window.hacked=1')()}}`,
	"\u202e<svg onload=window.hacked=1>\n'+(window.hacked=1)+'",
	`</style></textarea></title><iframe srcdoc="<script>parent.hacked=1</script>">`,
	`${window.hacked=1}` + strings.Repeat("가", 3000),
}

// structure are the keys whose texts are no people's, but ids, types and places.
var structure = []string{"_type", "id", "from", "to", "type", "style", "value"}

// poison puts a hostile text behind every text below v, each in its turn, and
// counts them.
func poison(v any, n *int) any {
	switch v := v.(type) {
	case map[string]any:
		for key, child := range v {
			if text, ok := child.(string); ok {
				if !slices.Contains(structure, key) {
					v[key] = text + hostile[*n%len(hostile)]
					*n++
				}
				continue
			}
			v[key] = poison(child, n)
		}
	case []any:
		for i := range v {
			v[i] = poison(v[i], n)
		}
	}
	return v
}

func TestHostileTextsInEveryFieldAreOnlyText(t *testing.T) {
	s := browser.Start(t)
	shop(t, s)
	var model map[string]any
	if err := json.Unmarshal([]byte(s.Read("shop/storm.json")), &model); err != nil {
		t.Fatal(err)
	}
	n := 0
	poison(model, &n)
	if n < 100 {
		t.Fatalf("only %d texts in the model", n)
	}
	elements, _ := model["elements"].(map[string]any)
	data, err := json.Marshal(model)
	if err != nil {
		t.Fatal(err)
	}
	s.Write("shop/storm.json", string(data))
	paths := []string{"/", "/w/shop/code/storm.json", "/w/shop/code/kubernetes/own.yaml", "/w/shop/cluster", "/w/shop/traffic", "/w/shop/deploy"}
	var own strings.Builder
	for i, o := range objects() {
		poison(o, &i)
		meta, _ := o["metadata"].(map[string]any)
		text, err := json.Marshal(o)
		if err != nil {
			t.Fatal(err)
		}
		own.WriteString(string(text) + "\n---\n") // JSON is YAML
		name, _ := meta["name"].(string)
		paths = append(paths, "/w/shop/deploy?node="+url.QueryEscape(strings.Trim(string(o["kind"].(json.RawMessage)), `"`)+"/default/"+name))
	}
	s.Write("shop/kubernetes/own.yaml", own.String())
	kinds := map[string]bool{}
	for id, e := range elements {
		of, _ := e.(map[string]any)
		if kind, _ := of["_type"].(string); !kinds[kind] {
			kinds[kind] = true
			paths = append(paths, "/w/shop/model?select="+url.QueryEscape(id))
		}
	}
	p := s.Open(t, "en-US")
	for _, path := range paths {
		p.Goto(path)
		p.Until(`document.querySelector('h1, h2, .react-flow, .tree') !== null`)
		p.Settle()
		if browser.Eval[bool](p, `'hacked' in window || document.querySelector('img[src=x], iframe, svg[onload], a[href^="javascript:" i], script:not([src])') !== null`) {
			t.Errorf("%s runs what a text says", path)
		}
	}
	p.Goto("/w/shop/model")
	p.Until(`[...document.querySelectorAll('.sticker')].some((s) => s.textContent.includes('<img src=x'))`)
	p.Press("Control+K")
	p.Type("img")
	p.Settle()
	if browser.Eval[bool](p, `'hacked' in window`) {
		t.Error("the list of commands runs what a name says")
	}
	p.Shot("hostile")
}

// objects are one of each kind whose texts have places of their own on the page.
func objects() []map[string]any {
	object := func(kind, version string, spec any) map[string]any {
		return map[string]any{"kind": kind, "apiVersion": version, "metadata": map[string]any{
			"name": "own", "labels": map[string]any{"app": "own"}, "annotations": map[string]any{"note": "own"},
		}, "spec": spec}
	}
	type m = map[string]any
	route := []any{m{"destination": m{"host": "order", "subset": "stable"}, "weight": 90}, m{"destination": m{"host": "order", "subset": "canary"}, "weight": 10}}
	match := []any{m{"uri": m{"prefix": "/own"}, "headers": m{"x-own": m{"exact": "own"}}, "queryParams": m{"q": m{"regex": "own"}}, "sourceLabels": m{"app": "own"}, "gateways": []any{"main-gw"}}}
	all := []map[string]any{
		object("VirtualService", "networking.istio.io/v1", m{"hosts": []any{"own.example"}, "gateways": []any{"main-gw"}, "http": []any{
			m{"name": "own", "match": match, "route": route, "rewrite": m{"uri": "/own"}, "headers": m{"request": m{"set": m{"x": "own"}}}},
			m{"name": "own-2", "redirect": m{"uri": "/own", "authority": "own"}},
		}}),
		object("DestinationRule", "networking.istio.io/v1", m{"host": "order", "subsets": []any{m{"name": "own", "labels": m{"track": "own"}}}}),
		object("Gateway", "networking.istio.io/v1", m{"selector": m{"istio": "own"}, "servers": []any{m{"port": m{"number": 80, "name": "own", "protocol": "HTTP"}, "hosts": []any{"own.example"}}}}),
		object("ServiceEntry", "networking.istio.io/v1", m{"hosts": []any{"own.example"}, "ports": []any{m{"number": 80, "name": "own", "protocol": "HTTP"}}}),
		object("Service", "v1", m{"selector": m{"app": "own"}, "ports": []any{m{"name": "own", "port": 80}}}),
		object("Deployment", "apps/v1", m{"template": m{"metadata": m{"labels": m{"app": "own"}}, "spec": m{"containers": []any{m{"name": "own", "image": "own"}}}}}),
	}
	for _, o := range all { // what a reader must know them by
		o["kind"], o["apiVersion"] = fixed(o["kind"]), fixed(o["apiVersion"])
	}
	return all
}

// fixed keeps a text from being poisoned.
func fixed(v any) any { return json.RawMessage(`"` + v.(string) + `"`) }
