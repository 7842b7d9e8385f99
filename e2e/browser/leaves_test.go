package browser_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	k8sschema "k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/yaml"

	"github.com/meshstorm/meshstorm/check/schema"
	"github.com/meshstorm/meshstorm/e2e/browser"
)

// leaf is a field without parts: the way there, and what a person types.
type leaf struct {
	Path []step `json:"path"`
	Kind string `json:"kind"` // text, choice, number, yesno or any
	Text string `json:"text"`
	want any
}

// step is a field's name, or the first item of a list (index), or a map's key.
type step struct {
	Name string `json:"name"`
	Is   string `json:"is"` // field, item or key
}

func (l leaf) String() string {
	var b strings.Builder
	for _, s := range l.Path {
		if s.Is == "item" {
			b.WriteString("[0]")
			continue
		}
		b.WriteString("." + s.Name)
	}
	return b.String()
}

// leavesOf walks a schema as CRDs write them.
func leavesOf(s map[string]any, path []step) []leaf {
	part := func(name string) map[string]any { m, _ := s[name].(map[string]any); return m }
	in := func(st step, of map[string]any) []leaf { return leavesOf(of, append(slices.Clone(path), st)) }
	properties, items, values := part("properties"), part("items"), part("additionalProperties")
	switch {
	case s["x-kubernetes-int-or-string"] == true:
		return []leaf{{path, "text", "80%", "80%"}}
	case properties != nil:
		var all []leaf
		for name, p := range properties {
			all = append(all, in(step{name, "field"}, p.(map[string]any))...)
		}
		slices.SortFunc(all, func(a, b leaf) int { return strings.Compare(a.String(), b.String()) })
		return all
	case items != nil:
		return in(step{"", "item"}, items)
	case values != nil:
		return in(step{"key", "key"}, values)
	}
	return []leaf{typedExample(s, path)}
}

// typedExample is what a person types into a field of the schema.
func typedExample(s map[string]any, path []step) leaf {
	enum, _ := s["enum"].([]any)
	switch kind := s["type"]; {
	case enum != nil && kind != "integer":
		last := enum[len(enum)-1]
		return leaf{path, "choice", fmt.Sprint(last), last}
	case kind == "boolean":
		return leaf{path, "yesno", "false", false}
	case kind == "number":
		return leaf{path, "number", "0.5", 0.5}
	case kind == "integer":
		n := 7.0
		if low, ok := s["minimum"].(float64); ok {
			n = max(n, low)
		}
		if high, ok := s["maximum"].(float64); ok {
			n = high
		}
		return leaf{path, "number", fmt.Sprint(int(n)), n}
	case kind == "string":
		rules, _ := json.Marshal(s["x-kubernetes-validations"])
		if strings.Contains(string(rules), "duration(") {
			return leaf{path, "text", "5s", "5s"}
		}
		return leaf{path, "text", "yes: #1", "yes: #1"}
	}
	return leaf{path, "any", "a: [1]", map[string]any{"a": []any{1.0}}}
}

// setLeaves works the form's own controls, as hands would: it opens what is
// closed, searches and chooses fields, adds items and keys, types and presses
// Enter. It is a script of the page only because a thousand fields by the
// browser's remote control would take an hour.
const setLeaves = `async (leaves) => {
	const turn = () => new Promise((done) => setTimeout(done));
	const until = async (what, find) => {
		for (let i = 0; i < 3000; i++) {
			const found = find();
			if (found) return found;
			await turn();
		}
		throw new Error('waited in vain for ' + what);
	};
	const type = (input, text) => {
		const proto = input instanceof HTMLTextAreaElement ? HTMLTextAreaElement : input instanceof HTMLSelectElement ? HTMLSelectElement : HTMLInputElement;
		input.focus();
		Object.getOwnPropertyDescriptor(proto.prototype, 'value').set.call(input, text);
		input.dispatchEvent(new Event(input instanceof HTMLSelectElement ? 'change' : 'input', {bubbles: true}));
	};
	const enter = (input) => input.dispatchEvent(new KeyboardEvent('keydown', {key: 'Enter', bubbles: true, cancelable: true}));
	const leave = (input) => { input.dispatchEvent(new FocusEvent('focusout', {bubbles: true})); input.blur(); };
	const child = (box, name) => [...box.children].find((c) => c.matches('details.parts, .field') && (c.matches('.field') ? c : c.querySelector(':scope > summary')).querySelector('.field-name')?.textContent === name);
	const enterPart = async (part) => {
		if (part.matches('.field')) return part;
		if (!part.open) part.querySelector(':scope > summary').click();
		return until('the inside of ' + part.textContent, () => part.querySelector(':scope > [role=group]'));
	};
	const addField = async (box, name) => {
		const search = await until('the search for ' + name, () => [...box.children].filter((c) => !c.matches('details')).map((c) => c.querySelector('input[aria-haspopup=listbox]')).find(Boolean));
		type(search, name);
		const option = await until('the option ' + name, () => {
			const list = document.getElementById(search.getAttribute('aria-controls') ?? '');
			return list && [...list.querySelectorAll('[role=option]')].find((o) => o.querySelector('p')?.textContent === name);
		});
		option.click();
		leave(search);
	};
	const failed = [];
	for (const {path, kind, text} of leaves) {
		try {
			let box = await until('the form', () => document.querySelector('.schema-form')), name = '';
			for (const s of path) {
				let part;
				if (s.is === 'field') {
					if (!child(box, s.name)) await addField(box, s.name);
					name = s.name;
				} else if (s.is === 'item') {
					name += ' 1';
					if (!child(box, name)) (await until('the button for an item', () => box.querySelector(':scope > button.add'))).click();
				} else {
					name = s.name;
					if (!child(box, name)) {
						const key = await until('the field for a key', () => [...box.children].filter((c) => !c.matches('details, .field')).map((c) => c.querySelector('input:not([aria-haspopup])')).find(Boolean));
						type(key, s.name);
						enter(key);
					}
				}
				const wanted = name, where = box;
				part = await until(wanted, () => child(where, wanted));
				box = await enterPart(part);
			}
			const control = box.querySelector('input, select, textarea');
			if (kind === 'yesno') {
				if (control.checked) control.click();
			} else if (control.value !== text) {
				type(control, text);
				if (kind === 'any') leave(control); else if (kind !== 'choice') enter(control);
			}
			await turn();
		} catch (e) {
			failed.push(path.map((s) => s.name || '0').join('.') + ': ' + e.message);
			if (failed.length > 3) return failed;
		}
	}
	return failed;
}`

func TestEveryLeafFieldIsSetInTheFormAndReadBackFromTheYAML(t *testing.T) {
	const chunk = 30 // leaves to an object, as each of them has the form drawn anew
	s := browser.Start(t)
	shop(t, s)
	p := s.Open(t, "en-US")
	p.Excuse = regexp.MustCompile(`404`) // for the files that are taken away again
	for _, kind := range []string{"VirtualService", "DestinationRule", "Gateway"} {
		data, ok := schema.Document(k8sschema.FromAPIVersionAndKind("networking.istio.io/v1", kind))
		if !ok {
			t.Fatalf("no schema of %s", kind)
		}
		var whole struct{ Properties map[string]map[string]any }
		if err := json.Unmarshal(data, &whole); err != nil {
			t.Fatal(err)
		}
		all := leavesOf(whole.Properties["spec"], []step{{"spec", "field"}})
		if len(all) < 20 {
			t.Fatalf("%s has %d leaves", kind, len(all))
		}
		t.Logf("%s: %d leaves", kind, len(all))
		n := 0
		for part := range slices.Chunk(all, chunk) {
			n++
			setAll(t, s, p, kind, fmt.Sprintf("all-%s-%d", strings.ToLower(kind), n), part)
		}
	}
}

func setAll(t *testing.T, s *browser.Studio, p *browser.Page, kind, name string, part []leaf) {
	t.Helper()
	file := "shop/kubernetes/" + name + ".yaml"
	defer func() { _ = os.Remove(filepath.Join(s.Root, file)) }() // the next ones need not be read beside it
	s.Write(file, "# kept\napiVersion: networking.istio.io/v1\nkind: "+kind+"\nmetadata:\n  name: "+name+" # kept too\n  namespace: default\nspec: {}\n")
	p.Goto("/w/shop/deploy?node=" + kind + "%2Fdefault%2F" + name)
	// What check says of the new object comes in above, and may move it from under the mouse.
	browser.Eventually(t, "the form is open", func() bool {
		open := browser.Eval[bool](p, `[...document.querySelectorAll('details.whole')].some((d) => d.open)`)
		if !open {
			p.Click("DisclosureTriangle", "All fields")
		}
		return open && browser.Eval[bool](p, `document.querySelector('.schema-form') !== null`)
	})
	given, err := json.Marshal(part)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range browser.Eval[[]string](p, "("+setLeaves+")("+string(given)+")") {
		t.Errorf("%s: not set: %s", kind, f)
	}
	var text string
	missing := func() []string {
		text = s.Read(file)
		var object map[string]any
		if err := yaml.Unmarshal([]byte(text), &object); err != nil {
			return []string{err.Error()}
		}
		var all []string
		for _, l := range part {
			if got := at(object, l.Path); !reflect.DeepEqual(got, l.want) {
				all = append(all, fmt.Sprintf("%s: %v, expected %v", l, got, l.want))
			}
		}
		return all
	}
	defer func() {
		if left := missing(); len(left) > 0 {
			t.Errorf("%s: %d of %d are not in the file:\n%s", kind, len(left), len(part), strings.Join(left, "\n"))
		}
	}()
	browser.Eventually(t, "all fields are in the file", func() bool { return len(missing()) == 0 || t.Failed() })
	if !strings.HasPrefix(text, "# kept\n") || !strings.Contains(text, "name: "+name+" # kept too\n") {
		t.Errorf("comments are lost:\n%s", text)
	}
}

func at(v any, path []step) any {
	for _, s := range path {
		switch now := v.(type) {
		case map[string]any:
			v = now[s.Name]
		case []any:
			if len(now) == 0 {
				return nil
			}
			v = now[0]
		default:
			return nil
		}
	}
	return v
}
