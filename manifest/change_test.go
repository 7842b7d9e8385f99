package manifest_test

import (
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/meshstorm/meshstorm/manifest"
)

// entry finds a key's value in a mapping.
func entry(n *yaml.Node, key string) *yaml.Node {
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == key {
			return n.Content[i+1]
		}
	}
	return nil
}

func drop(n *yaml.Node, key string) {
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == key {
			n.Content = append(n.Content[:i:i], n.Content[i+2:]...)
			return
		}
	}
}

func TestEditChangesOnlyWhatWasChanged(t *testing.T) {
	tests := []struct {
		about, text, want string
		change            func(*manifest.Document)
	}{
		{"a value changes and its comment stays",
			"# top\nkind: A # a\nspec:\n    x:   1   # one\n    y: 2\n",
			"# top\nkind: A # a\nspec:\n    x:   7   # one\n    y: 2\n",
			func(d *manifest.Document) { entry(entry(d.Node, "spec"), "x").Value = "7" }},
		{"a key goes with its comment, the next one's stays",
			"kind: A\nspec:\n  # about x\n  x: 1\n  # about y\n  y: 2\n",
			"kind: A\nspec:\n  # about y\n  y: 2\n",
			func(d *manifest.Document) { drop(entry(d.Node, "spec"), "x") }},
		{"only the second document changes",
			"---\nkind: A\nx:   1\n---\n# b\nkind: B\nx:   1\n...\n",
			"---\nkind: A\nx:   1\n---\n# b\nkind: B\nx:   2\n...\n",
			func(d *manifest.Document) {
				if d.ID.Kind == "B" {
					entry(d.Node, "x").Value = "2"
				}
			}},
		{"an item of a List",
			"apiVersion: v1\nkind: List\nitems:\n- kind: A\n  x: 1 # one\n- kind: B\n  x: 1\n",
			"apiVersion: v1\nkind: List\nitems:\n- kind: A\n  x: 2 # one\n- kind: B\n  x: 1\n",
			func(d *manifest.Document) {
				if d.ID.Kind == "A" {
					entry(d.Node, "x").Value = "2"
				}
			}},
		{"line breaks stay CRLF", "kind: A\r\nx: 1\r\ny: 1\r\n", "kind: A\r\nx: 2\r\ny: 1\r\n",
			func(d *manifest.Document) { entry(d.Node, "x").Value = "2" }},
		{"anchors and aliases become what they stand for", "kind: A\nx: &x {a: 1}\ny: *x\n", "kind: A\nx: {a: 1}\ny: {a: 2}\n",
			func(d *manifest.Document) { entry(entry(d.Node, "y"), "a").Value = "2" }},
		{"a list grows", "kind: A\nx:\n- a: 1 # one\n", "kind: A\nx:\n- a: 1 # one\n- a: 2\n",
			func(d *manifest.Document) {
				x := entry(d.Node, "x")
				more := *x.Content[0]
				more.Content = []*yaml.Node{{Kind: yaml.ScalarNode, Tag: "!!str", Value: "a"}, {Kind: yaml.ScalarNode, Tag: "!!int", Value: "2"}}
				x.Content = append(x.Content, &more)
			}},
		{"nothing", "kind:   A\n", "kind:   A\n", func(*manifest.Document) {}},
		{"a document of comments is no object", "# only\n---\nkind: A\nx: 1\n", "# only\n---\nkind: A\nx: 2\n",
			func(d *manifest.Document) { entry(d.Node, "x").Value = "2" }},
	}
	for _, tt := range tests {
		t.Run(tt.about, func(t *testing.T) {
			got, err := manifest.Edit("a.yml", []byte(tt.text), tt.change)
			if err != nil {
				t.Fatal(err)
			}
			if string(got) != tt.want {
				t.Errorf("got\n%s\nwant\n%s", got, tt.want)
			}
		})
	}
	if _, err := manifest.Edit("a.yml", []byte("a: [\n"), func(*manifest.Document) {}); err == nil {
		t.Error("no error for broken YAML")
	}
}

func TestApplyChangesFieldsByTheirPaths(t *testing.T) {
	const text = `kind: VirtualService
metadata: {name: a}
spec:
  http:
  - name: one # first
    match:
    - uri: {prefix: /a} # a
    - uri: {prefix: /b} # b
    - uri: {prefix: /c} # c
    route:
    - destination: {host: x}
      weight: 90
`
	tests := []struct {
		about string
		edits []manifest.FieldEdit
		want  []string // old and new, in pairs
	}{
		{"a value", []manifest.FieldEdit{{Op: manifest.SetField, Field: "spec.http[0].route[0].weight", Value: 100}}, []string{"weight: 90", "weight: 100"}},
		{"a new key", []manifest.FieldEdit{{Op: manifest.SetField, Field: "spec.http[one].timeout", Value: "3s"}}, []string{"      weight: 90\n", "      weight: 90\n    timeout: 3s\n"}},
		{"a key goes", []manifest.FieldEdit{{Op: manifest.RemoveField, Field: "spec.http[0].route[0].weight"}}, []string{"      weight: 90\n", ""}},
		{"items go together, by their places before", []manifest.FieldEdit{
			{Op: manifest.RemoveField, Field: "spec.http[0].match[0]"}, {Op: manifest.RemoveField, Field: "spec.http[0].match[1]"}},
			[]string{"    - uri: {prefix: /a} # a\n    - uri: {prefix: /b} # b\n", ""}},
		{"one becomes two", []manifest.FieldEdit{
			{Op: manifest.SetField, Field: "spec.http[0].match[1].uri", Value: map[string]string{"exact": "/b"}},
			{Op: manifest.InsertItem, Field: "spec.http[0].match[2]", Value: map[string]any{"uri": map[string]string{"prefix": "/b/"}}}},
			[]string{"    - uri: {prefix: /b} # b\n", "    - uri: {exact: /b} # b\n    - uri:\n        prefix: /b/\n"}},
		{"at the end", []manifest.FieldEdit{{Op: manifest.InsertItem, Field: "spec.http[0].match[3]", Value: map[string]string{"port": "1"}}},
			[]string{"    - uri: {prefix: /c} # c\n", "    - uri: {prefix: /c} # c\n    - port: \"1\"\n"}},
	}
	for _, tt := range tests {
		t.Run(tt.about, func(t *testing.T) {
			want := text
			for i := 0; i < len(tt.want); i += 2 {
				want = strings.Replace(want, tt.want[i], tt.want[i+1], 1)
			}
			got, err := manifest.Edit("a.yml", []byte(text), func(d *manifest.Document) {
				if err := d.Apply(tt.edits); err != nil {
					t.Error(err)
				}
			})
			if err != nil || string(got) != want {
				t.Errorf("%v, got\n%s\nwant\n%s", err, got, want)
			}
		})
	}
	for _, e := range []manifest.FieldEdit{
		{Op: manifest.RemoveField, Field: "spec.tcp"}, {Op: manifest.SetField, Field: "spec.tcp[0].x", Value: 1},
		{Op: manifest.InsertItem, Field: "spec.http[7]", Value: 1}, {Op: manifest.SetField, Field: "spec.http[7]", Value: 1},
		{Op: manifest.SetField, Field: "", Value: 1}, {Op: manifest.SetField, Field: "spec.http[0", Value: 1},
	} {
		got, err := manifest.Edit("a.yml", []byte(text), func(d *manifest.Document) {
			if d.Apply([]manifest.FieldEdit{{Op: manifest.RemoveField, Field: "kind"}, e}) == nil {
				t.Errorf("%+v: no error", e)
			}
		})
		if err != nil || string(got) != text {
			t.Errorf("%+v: %v; half an edit was made:\n%s", e, err, got)
		}
	}
}
