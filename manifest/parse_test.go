package manifest_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	sigsyaml "sigs.k8s.io/yaml"

	"github.com/meshstorm/meshstorm/manifest"
)

func TestParse(t *testing.T) {
	for _, test := range []struct {
		name, in string
		want     []string // line kind/name text-length, per document
		errs     []string
	}{
		{
			name: "documents know their lines, comments on their own are documents",
			in:   "# header\n---\nkind: A\nmetadata:\n  name: a\n---\n\n# note\n\n---\nkind: B\nmetadata: {name: b, namespace: n}\n",
			want: []string{"1 comment", "3 A/a", "8 comment", "11 B/b"},
		},
		{
			name: "CRLF, a byte order mark, directives and end markers are understood",
			in:   "\ufeff%YAML 1.1\r\n---\r\nkind: A\r\nmetadata:\r\n  name: a\r\n...\r\n---\r\nkind: B\r\n...\r\n",
			want: []string{"3 A/a", "8 B/"},
		},
		{
			name: "a broken document does not hide the others",
			in:   "kind: A\n---\nkind: [\n---\nkind: B\n---\n\ta: b\n",
			want: []string{"1 A/", "5 B/"},
			errs: []string{"f.yml:3:", "f.yml:7:"},
		},
		{
			name: "a key that repeats is named with both lines",
			in:   "kind: A\nspec:\n  a: 1\n  b: 2\n  \"a\": 3\n",
			errs: []string{`f.yml:5:3: key "a" is there already, on line 3`},
		},
		{
			name: "the items of a List are documents with places of their own",
			in:   "apiVersion: v1\nkind: List\nitems:\n- kind: A\n  metadata:\n    name: a\n- kind: B\n",
			want: []string{"4 A/a", "7 B/"},
		},
		{
			name: "JSON is YAML",
			in:   `{"kind":"A","metadata":{"name":"a"}}`,
			want: []string{"1 A/a"},
		},
		{
			name: "content may follow the separator on its line",
			in:   "--- {kind: A}\n--- # only a comment\n",
			want: []string{"1 A/", "2 comment"},
		},
		{name: "nothing is no document", in: "\n---\n\n---\n", want: nil},
		{name: "an alias of itself is refused", in: "a: &x [*x]\n", errs: []string{"f.yml:1:8: alias *x contains itself"}},
		{name: "an unknown alias is named", in: "a: 1\nb: *x\n", errs: []string{"unknown anchor"}},
		{name: "a key that is a list is refused", in: "? [a]\n: b\n", errs: []string{"f.yml:1:3: a key must be text"}},
		{name: "bytes that are not UTF-8 have a place", in: "a: b\nc: \xff\n", errs: []string{"f.yml:2:4: not UTF-8"}},
		{name: "UTF-16 is refused with a way out", in: "\xff\xfea\x00", errs: []string{"save it as UTF-8"}},
		{name: "a separator inside quotes ends the document all the same", in: "a: \"x\n---\nb: 1\n", want: []string{"3 /"}, errs: []string{"f.yml:1"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			docs, err := manifest.Parse("f.yml", []byte(test.in))
			var got []string
			for _, d := range docs {
				if d.Node == nil {
					got = append(got, fmt.Sprintf("%d comment", d.Line))
				} else {
					got = append(got, fmt.Sprintf("%d %s/%s", d.Line, d.ID.Kind, d.ID.Name))
				}
			}
			if fmt.Sprint(got) != fmt.Sprint(test.want) {
				t.Errorf("documents %q, want %q", got, test.want)
			}
			if (err != nil) != (len(test.errs) > 0) {
				t.Fatalf("error %v, want %q", err, test.errs)
			}
			for _, want := range test.errs {
				var syntax *manifest.SyntaxError
				if !strings.Contains(err.Error(), want) || !errors.As(err, &syntax) {
					t.Errorf("error %q lacks %q", err, want)
				}
			}
		})
	}
}

func TestParseRefusesBombs(t *testing.T) {
	bomb := "a: &a [x,x,x,x,x,x,x,x,x,x]\n"
	for c := 'b'; c <= 'k'; c++ {
		bomb += fmt.Sprintf("%c: &%c [%s]\n", c, c, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*%c,", c-1), 10), ","))
	}
	for name, in := range map[string]string{
		"aliases of aliases":          bomb,
		"a hundred thousand brackets": strings.Repeat("[", 100_000),
		"two thousand levels":         strings.Repeat("[", 2000) + strings.Repeat("]", 2000),
		"nested sequences in a line":  strings.Repeat("- ", 20_000) + "a",
	} {
		t.Run(name, func(t *testing.T) {
			if docs, err := manifest.Parse("f", []byte(in)); err == nil {
				t.Errorf("accepted %d documents", len(docs))
			}
		})
	}
}

func TestReadFileRefusesLargeFilesUnread(t *testing.T) {
	path := filepath.Join(t.TempDir(), "large.yml")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	// A hole takes no space, and reading it would take long.
	if err := f.Truncate(manifest.MaxFileSize * 4096); err != nil {
		t.Skip("no sparse files here:", err)
	}
	f.Close()
	if _, err := manifest.ReadFile(path); !errors.Is(err, manifest.ErrTooLarge) {
		t.Errorf("got %v", err)
	}
}

const located = `apiVersion: networking.istio.io/v1
kind: VirtualService
metadata:
  name: vsvc-order
  annotations:
    meshstorm.io/source: order
    "kubernetes.io/x": y
spec:
  http:
  - name: primary
    match:
    - uri:
        exact: /주문
    route:
    - destination: {host: order, subset: stable}
      weight: 90
    - destination: {host: order, subset: canary}
      weight: 10
`

func TestLocate(t *testing.T) {
	docs, err := manifest.Parse("f.yml", []byte("# head\n---\n"+located))
	if err != nil || len(docs) != 2 {
		t.Fatal(docs, err)
	}
	for field, want := range map[string]string{
		"":                                       "3:1 true",
		"kind":                                   "4:1 true",
		"spec.http[0].route[1].weight":           "20:7 true",
		"spec.http[0].route[1].destination.host": "19:21 true",
		"spec.http[0]":                           "12:5 true",
		"metadata.annotations[meshstorm.io/source]":     "8:5 true",
		"metadata.annotations.meshstorm.io/source":      "8:5 true",
		`{.metadata.annotations.kubernetes\.io/x}`:      "9:5 true",
		"metadata.annotations['kubernetes.io/x']":       "9:5 true",
		"spec.http[primary].route[order/canary].weight": "20:7 true",
		"spec.http[0].timeout":                          "12:5 false",
		"spec.http[7].route":                            "11:3 false",
		"status.x.y":                                    "3:1 false",
		"spec.http[0].match[0].uri.exact":               "15:9 true",
	} {
		line, column, ok := docs[1].Locate(field)
		if got := fmt.Sprintf("%d:%d %v", line, column, ok); got != want {
			t.Errorf("%q is at %s, want %s", field, got, want)
		}
	}
	if n := docs[1].Get("spec.http[0].route[0].weight"); n == nil || n.Value != "90" {
		t.Errorf("Get: %v", n)
	}
	if n := docs[1].Get("spec.tcp"); n != nil {
		t.Errorf("Get of nothing: %v", n)
	}
	if line, _, ok := docs[0].Locate("kind"); line != 1 || ok {
		t.Errorf("a comment is at %d, %v", line, ok)
	}
}

func TestJSONAgreesWithKubectl(t *testing.T) {
	for _, in := range []string{
		located,
		"a: yes\nb: off\nc: n\nd: 0777\ne: 0o17\nf: 1_000\ng: 1e3\nh: .5\ni: 2024-01-01\nj: ~\nk:\nl: 0x1F\nm: -0b11\nn: 1:30\no: 18446744073709551615\n",
		"1: a\n1.5: b\ntrue: c\nno: d\n",
		"a: &x {b: 1, c: 2}\nd:\n  b: 3\n  <<: *x\ne:\n  <<: [*x, {b: 9}]\n  c: 4\nf: *x\n",
		"a: !!str 1\nb: !!int \"3\"\nc: !!float 1\nd: !custom x\ne: !!binary aGk=\nf: \"yes\"\ng: 'on'\n",
		"a: |\n  x\n  y\nb: >-\n  x\n  y\nc: \"a\\u0000\\n\"\n",
		"[1, two, {three: 3}]", "plain", "a: <script>&\u2028\n",
	} {
		agree(t, []byte(in), true)
	}
}

func agree(t *testing.T, data []byte, must bool) {
	t.Helper()
	docs, err := manifest.Parse("f", data)
	if must && (err != nil || len(docs) != 1) {
		t.Fatalf("%q: %d documents, %v", data, len(docs), err)
	}
	if err != nil || len(docs) != 1 || docs[0].Node == nil || docs[0].ID.Kind == "List" {
		return
	}
	text, err := docs[0].JSON()
	theirs, theirErr := sigsyaml.YAMLToJSON(data)
	if err != nil || theirErr != nil {
		if must {
			t.Fatalf("%q: %v, %v", data, err, theirErr)
		}
		return
	}
	var got, want any
	if err := json.Unmarshal(text, &got); err != nil {
		t.Fatalf("%q gives invalid JSON %s: %v", data, text, err)
	}
	if err := json.Unmarshal(theirs, &want); err != nil {
		t.Fatal(err)
	}
	if !same(got, want) {
		t.Errorf("%q is %s, kubectl reads %s", data, text, theirs)
	}
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		located, "# c\n---\na: 1\n...\n%YAML 1.2\n---\nb: [\n", "a: &x {b: *x}\n", "\ufeffa: b\r\n---\r\n", "kind: List\nitems:\n- kind: A\n- *x\n",
		"? |\n  x\n: - a\n  - !!int b\n", "a: \u2028---\nb: \u0085---\n", "<<: {a: 1}\n<<: [x]\n", "- - - a\n- |+\n  x\n\n", "---\n---\n--- |\n x\n",
		"a: .nan\n", "1: a\n1.0: b\n", "\"a\\nb\": c # d\n# e\n", "\t", "%", "...\n...", "-- -", "&a : *a", "!!binary x: y",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		docs, err := manifest.Parse("f", data)
		count := 0
		for _, d := range docs {
			count++
			if d.Line < 1 || d.Line > len(data)+1 {
				t.Errorf("line %d of %q", d.Line, data)
			}
			for _, field := range []string{"", "a.b[0]", "metadata.name", "[x]", "a['b.c'].d"} {
				if line, column, _ := d.Locate(field); line < 1 || column < 1 {
					t.Errorf("%q is at %d:%d of %q", field, line, column, data)
				}
			}
			if text, err := d.JSON(); err == nil && !json.Valid(text) {
				t.Errorf("%q gives invalid JSON %q", data, text)
			}
		}
		if err != nil {
			var syntax *manifest.SyntaxError
			if !errors.As(err, &syntax) || syntax.Line < 1 || syntax.Column < 1 {
				t.Errorf("%q: error without a place: %v", data, err)
			}
			return
		}
		// Several documents are not kubectl's to read in one go, and the parsers
		// differ in the tag "!".
		if count == 1 && !strings.Contains(string(data), "List") && !strings.ContainsAny(strings.NewReplacer("---", "!", "...", "!", "!!", "").Replace(string(data)), "!") {
			agree(t, data, false)
		}
	})
}
