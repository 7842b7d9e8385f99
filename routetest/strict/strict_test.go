package strict_test

import (
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/meshstorm/meshstorm/routetest/strict"
)

func TestNearestIsTheWordThatWasMeant(t *testing.T) {
	words := []string{"request", "rule", "to", "from", "host", "timeout", "virtual_hosts"}
	for word, want := range map[string]string{
		"reqest": "request", "Rule": "rule", "form": "from", "too": "to", "virtualHosts": "virtual_hosts", "virtual_host": "virtual_hosts",
		"te": "", "colour": "", "": "", strings.Repeat("a", 100): "",
	} {
		if got := strict.Nearest(word, words); got != want {
			t.Errorf("%q: got %q, want %q", word, got, want)
		}
	}
}

func TestJSONHasTheSameNodesAsYAMLAndEveryEscape(t *testing.T) {
	const text = "{\n\t\"a\": [1, 2.5, true, null, \"x\"],\n\t\"주\": {\"b\":\"\\/\\ud83d\\ude00\"}\n}"
	roots, errs := strict.Documents("a.json", []byte(text))
	if len(errs) > 0 || len(roots) != 1 {
		t.Fatalf("%v", errs)
	}
	var got strings.Builder
	var walk func(n *yaml.Node)
	walk = func(n *yaml.Node) {
		got.WriteString(strings.TrimPrefix(n.ShortTag(), "!!") + " " + n.Value + "@" + string(rune('0'+n.Line)) + ":" + string(rune('0'+n.Column)) + " ")
		for _, c := range n.Content {
			walk(c)
		}
	}
	walk(roots[0])
	want := "map @1:1 str a@2:2 seq @2:7 int 1@2:8 float 2.5@2:; bool true@2:@ null null@2:F str x@2:L str 주@3:2 map @3:7 str b@3:8 str /😀@3:< "
	if got.String() != want {
		t.Errorf("got  %s\nwant %s", got.String(), want)
	}
}

func TestJSONWithAKeyTwiceOrWithoutEndIsRefused(t *testing.T) {
	for text, want := range map[string]string{
		"{\"a\": 1,\n \"a\": 2}":                                        `a.json:2:2: key "a" is there already, on line 1`,
		strings.Repeat("[", 2000) + strings.Repeat("]", 2000):           "nested more than 1000 levels deep",
		strings.Repeat(`{"a":`, 2000) + "1" + strings.Repeat("}", 2000): "nested more than 1000 levels deep",
		`{"a": `: "a.json:1",
	} {
		_, errs := strict.Documents("a.json", []byte(text))
		if len(errs) == 0 || !strings.Contains(errs[0].Error(), want) {
			t.Errorf("%.20s: got %v, want %s", text, errs, want)
		}
	}
}

func TestMergedKeysStandBehindAMappingsOwn(t *testing.T) {
	roots, errs := strict.Documents("a.yaml", []byte("base: &b {x: 1, y: 2}\nmore: &m {z: 3}\nall: {<<: [*b, *m], y: 4}\n"))
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	var got []string
	for _, p := range strict.Pairs(strict.Get(roots[0], "all")) {
		got = append(got, p.Key.Value+p.Value.Value)
	}
	if strings.Join(got, " ") != "y4 x1 z3" {
		t.Errorf("got %v", got)
	}
}
