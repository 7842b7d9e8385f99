package manifest_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"

	"github.com/meshstorm/meshstorm/manifest"
)

// model is a small object that a generator could make, with every kind of list
// that merges differently.
func model(r *rand.Rand) map[string]any {
	pick := func(choices ...string) string { return choices[r.IntN(len(choices))] }
	maybe := func(m map[string]any, key string, v any) {
		if r.IntN(4) > 0 {
			m[key] = v
		}
	}
	labels := map[string]any{"app": "order"}
	maybe(labels, "tier", pick("web", "shop"))
	maybe(labels, "track", pick("stable", "on", "1.0"))
	meta := map[string]any{"name": "order", "labels": labels}
	maybe(meta, "annotations", map[string]any{"note": pick("a\nb\n", "c: d", "e")})
	var routes, containers []any
	for _, name := range []string{"a", "b", "c"} {
		route := map[string]any{"name": name, "route": []any{
			map[string]any{"destination": map[string]any{"host": "order", "subset": "stable"}, "weight": r.IntN(3)},
			map[string]any{"destination": map[string]any{"host": "order", "subset": "canary"}, "weight": r.IntN(3)},
		}}
		maybe(route, "match", []any{map[string]any{"uri": map[string]any{"exact": pick("/x", "/y")}}, map[string]any{"uri": map[string]any{"prefix": pick("/x/", "/y/")}}})
		maybe(route, "timeout", pick("1s", "2s"))
		if r.IntN(4) > 0 {
			routes = append(routes, route)
		}
		container := map[string]any{"name": name, "image": pick("i:1", "i:2"), "command": []any{"run", pick("-a", "-b")}}
		maybe(container, "env", []any{map[string]any{"name": "A", "value": pick("1", "2")}, map[string]any{"name": pick("B", "C"), "value": "x"}})
		maybe(container, "ports", []any{map[string]any{"containerPort": 8080 + r.IntN(2)}})
		if r.IntN(4) > 0 {
			containers = append(containers, container)
		}
	}
	if r.IntN(6) == 0 {
		r.Shuffle(len(routes), func(i, j int) { routes[i], routes[j] = routes[j], routes[i] })
	}
	spec := map[string]any{"hosts": []any{pick("*", "a.example.com"), "b.example.com"}, "replicas": r.IntN(3)}
	maybe(spec, "http", routes)
	maybe(spec, "containers", containers)
	return map[string]any{"apiVersion": "v1", "kind": "Order", "metadata": meta, "spec": spec}
}

// edit changes a text as people do: line by line.
func edit(r *rand.Rand, text string) string {
	lines := strings.SplitAfter(text, "\n")
	for range 1 + r.IntN(3) {
		i := r.IntN(len(lines))
		line := lines[i]
		indent := line[:len(line)-len(strings.TrimLeft(line, " "))]
		switch r.IntN(8) {
		case 0:
			lines[i] = ""
		case 1:
			lines[i] = indent + "# remark " + fmt.Sprint(r.IntN(9)) + "\n" + line
		case 2:
			lines[i] = strings.TrimSuffix(line, "\n") + "  # aside\n"
		case 3:
			lines[i] = "\n" + line
		case 4:
			lines[i] = strings.NewReplacer("stable", "blue", "/x", "/mine", "i:1", "i:9", " 1", " 5", "order", "ordre").Replace(line)
		case 5:
			if key, value, ok := strings.Cut(strings.TrimSuffix(line, "\n"), ": "); ok && !strings.ContainsAny(value, `"'|#`) {
				lines[i] = key + ":   '" + value + "'\n"
			}
		case 6:
			lines[i] = line + indent + "extra" + fmt.Sprint(r.IntN(9)) + ": {mine: [1, two]}\n"
		case 7:
			lines[i] = line + indent + "- name: mine\n" + indent + "  weight: 7\n"
		}
	}
	return strings.Join(lines, "")
}

// reindented writes an object in a layout that is not ours.
func reindented(r *rand.Rand, value any) string {
	switch r.IntN(4) {
	case 0:
		text, _ := json.MarshalIndent(value, "", "  ")
		return string(text) + "\n"
	case 1:
		text, _ := manifest.Encode(value, nil)
		lines := strings.SplitAfter(string(text), "\n")
		for i, line := range lines {
			trimmed := strings.TrimLeft(line, " ")
			lines[i] = strings.Repeat(" ", len(line)-len(trimmed)) + line
		}
		return strings.Join(lines, "")
	}
	text, _ := manifest.Encode(value, nil)
	return string(text)
}

// FuzzMergeEdits merges random changes of a generator into random edits, and
// holds every field outside lists to what a three-way merge is.
func FuzzMergeEdits(f *testing.F) {
	for seed := range uint64(300) {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, seed uint64) {
		r := rand.New(rand.NewPCG(seed, 1))
		was, now := model(r), model(r)
		base, err := manifest.Encode(was, nil)
		if err != nil {
			t.Fatal(err)
		}
		next, err := manifest.Encode(now, nil)
		if err != nil {
			t.Fatal(err)
		}
		mine := edit(r, reindented(r, was))
		edited, err := manifest.Parse("f", []byte(mine))
		if err != nil || len(edited) != 1 || edited[0].ID != (manifest.ID{Kind: "Order", Name: "order"}) {
			return // not an edit that anybody would save
		}
		merged, err := manifest.Merge("f", base, next, []byte(mine))
		if err != nil {
			t.Fatal(err)
		}
		docs, err := manifest.Parse("f", merged.Data)
		if err != nil || len(docs) != 1 {
			t.Fatalf("seed %d: %d documents, %v\n%s", seed, len(docs), err, merged.Data)
		}
		var have, got any
		decode(t, edited[0], &have)
		decode(t, docs[0], &got)
		decodeYAML(t, base, &was)
		decodeYAML(t, next, &now)
		disputed := map[string]bool{}
		for _, c := range merged.Conflicts {
			disputed["."+c.Field] = true
		}
		if diff := unexpected("", any(was), any(now), have, got, disputed); diff != "" {
			t.Errorf("seed %d: %s\nbase\n%s\nnext\n%s\nmine\n%s\nmerged\n%s\n%s", seed, diff, base, next, mine, merged.Data, report(merged))
		}
		for line := range strings.Lines(mine) {
			if strings.Contains(line, "# remark") && !strings.Contains(string(merged.Data), strings.TrimSpace(line)) {
				t.Errorf("seed %d: %q is gone\nbase\n%s\nnext\n%s\nmine\n%s\nmerged\n%s", seed, line, base, next, mine, merged.Data)
			}
		}
		checkAgain(t, string(next), merged)
	})
}

func decode(t *testing.T, d *manifest.Document, v any) {
	t.Helper()
	text, err := d.JSON()
	if err == nil {
		err = json.Unmarshal(text, v)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func decodeYAML(t *testing.T, text []byte, v *map[string]any) {
	t.Helper()
	docs, err := manifest.Parse("f", text)
	if err != nil {
		t.Fatal(err)
	}
	*v = nil
	decode(t, docs[0], v)
}

// unexpected names the first field outside lists that is not what a three-way
// merge gives: the generator's change where the person made none, else the
// person's.
func unexpected(path string, base, next, mine, got any, disputed map[string]bool) string {
	if disputed[path] && reflect.DeepEqual(mine, got) {
		return "" // an edited comment keeps a value, too
	}
	b, _ := base.(map[string]any)
	n, isMap := next.(map[string]any)
	m, isMapToo := mine.(map[string]any)
	g, isMapAfter := got.(map[string]any)
	if isMap && isMapToo && isMapAfter {
		keys := map[string]bool{}
		for _, object := range []map[string]any{n, m, g} {
			for key := range object {
				keys[key] = true
			}
		}
		for key := range keys {
			if diff := unexpected(path+"."+key, b[key], n[key], m[key], g[key], disputed); diff != "" {
				return diff
			}
		}
		return ""
	}
	if _, isList := mine.([]any); isList {
		return "" // lists have rules of their own
	}
	want := mine
	if reflect.DeepEqual(base, mine) {
		want = next
	}
	if _, open := mine.(map[string]any); open && next == nil {
		return "" // a mapping that lost its generated entries
	}
	if !reflect.DeepEqual(got, want) {
		return fmt.Sprintf("%s is %v, want %v", path, got, want)
	}
	return ""
}
