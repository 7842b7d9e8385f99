package manifest_test

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/meshstorm/meshstorm/manifest"
)

var update = flag.Bool("update", false, "write the golden files anew")

// A case is a file of sections "-- name --": base, next and mine, then what the
// merge makes of them: want and report. Text above the first section says what
// the case is about.
func TestMergeCases(t *testing.T) {
	paths, err := filepath.Glob("testdata/merge/*.txt")
	if err != nil || len(paths) == 0 {
		t.Fatal("no cases", err)
	}
	for _, path := range paths {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txt"), func(t *testing.T) {
			data, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			names, sections := parseCase(string(data))
			merged, err := manifest.Merge("istio.yml", []byte(sections["base"]), []byte(sections["next"]), []byte(sections["mine"]))
			if err != nil {
				t.Fatal(err)
			}
			got := map[string]string{"want": string(merged.Data), "report": report(merged)}
			if *update {
				text := sections[""]
				for _, name := range []string{"base", "next", "mine"} {
					text += "-- " + name + " --\n" + sections[name]
				}
				text += "-- want --\n" + got["want"] + "-- report --\n" + got["report"]
				if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if len(names) != 5 {
				t.Fatalf("sections are %v", names)
			}
			for name, text := range got {
				if text != sections[name] {
					t.Errorf("%s is\n%s\nbut should be\n%s", name, text, sections[name])
				}
			}
			checkAgain(t, sections["next"], merged)
		})
	}
}

// checkAgain merges once more: nothing may change, and nothing is in dispute.
func checkAgain(t *testing.T, next string, merged manifest.Merged) {
	t.Helper()
	again, err := manifest.Merge("istio.yml", []byte(next), []byte(next), merged.Data)
	if err != nil {
		t.Fatalf("the merged file cannot be merged again: %v", err)
	}
	if !bytes.Equal(again.Data, merged.Data) || len(again.Conflicts) > 0 {
		t.Errorf("a second run changes the file, or has conflicts %v:\n%s", again.Conflicts, again.Data)
	}
}

func parseCase(text string) (names []string, sections map[string]string) {
	sections = map[string]string{}
	name := ""
	for line := range strings.Lines(text) {
		if inner, ok := strings.CutPrefix(strings.TrimSpace(line), "-- "); ok && strings.HasSuffix(inner, " --") {
			name = strings.TrimSuffix(inner, " --")
			names = append(names, name)
			continue
		}
		sections[name] += line
	}
	return names, sections
}

func report(m manifest.Merged) string {
	var b strings.Builder
	for _, list := range []struct {
		name string
		ids  []manifest.ID
	}{{"added", m.Added}, {"removed", m.Removed}, {"updated", m.Updated}, {"kept", m.Kept}} {
		for _, id := range list.ids {
			fmt.Fprintf(&b, "%s %s/%s\n", list.name, id.Kind, id.Name)
		}
	}
	for _, c := range m.Conflicts {
		fmt.Fprintf(&b, "conflict %s:%d:%d %s/%s %s: yours %q, generated %q\n",
			c.Path, c.Line, c.Column, c.Object.Kind, c.Object.Name, c.Field, c.Yours, c.Generated)
	}
	return b.String()
}

func TestMergeRefusesWhatIsNoYAML(t *testing.T) {
	for name, test := range map[string]struct{ mine, want string }{
		"a broken document":  {"kind: A\nmetadata:\n  name: a\n---\nkind: [\n", "istio.yml:5:"},
		"a repeated key":     {"kind: A\nkind: B\n", `istio.yml:2:1: key "kind" is there already, on line 1`},
		"conflict markers":   {"kind: A\n<<<<<<< HEAD\nspec: 1\n=======\nspec: 2\n>>>>>>> x\n", "istio.yml:"},
		"bytes of a picture": {"\x89PNG\r\n", "istio.yml:1:1: not UTF-8"},
	} {
		t.Run(name, func(t *testing.T) {
			merged, err := manifest.Merge("istio.yml", nil, []byte("kind: A\n"), []byte(test.mine))
			if err == nil || !strings.Contains(err.Error(), test.want) || merged.Data != nil {
				t.Errorf("got %v, want %q", err, test.want)
			}
		})
	}
}

// files3 gives three versions of a file of some size: generated, generated
// again from a changed model, and the first one with an object of a person.
func files3(t testing.TB, n int) (base, next []byte) {
	t.Helper()
	render := func(objects []manifest.Object) []byte {
		files, err := manifest.Render("Generated.", objects)
		if err != nil {
			t.Fatal(err)
		}
		return files[1].Data
	}
	objects := groups(n)
	base = render(objects)
	changed := groups(n + 1)[6:] // one group goes, one comes
	for i := range changed {
		if i%4 == 0 && changed[i].Comments != nil {
			changed[i].Comments = map[string]string{"spec.http[1].match[0]": "another comment"}
		}
	}
	return base, render(changed)
}

func TestMergeOfUneditedTextGivesTheNewTextExactly(t *testing.T) {
	base, next := files3(t, 5)
	own := "---\n# mine\nkind: Own\nmetadata:\n  name: own\n"
	merged, err := manifest.Merge("f", base, next, append(bytes.Clone(base), own...))
	if err != nil {
		t.Fatal(err)
	}
	if want := string(next) + own; string(merged.Data) != want {
		// The new group's objects stand behind their predecessors, all at the end.
		t.Errorf("got\n%s", merged.Data)
	}
	if len(merged.Conflicts) > 0 || len(merged.Added) != 3 || len(merged.Removed) != 3 {
		t.Errorf("%d conflicts, %d added, %d removed", len(merged.Conflicts), len(merged.Added), len(merged.Removed))
	}
}

// Every line of a generated file is edited in turn while the generator changes
// everything it can: the edit is there afterwards, and the YAML is sound.
func TestMergeKeepsEverySingleEdit(t *testing.T) {
	base, next := files3(t, 1)
	next = bytes.ReplaceAll(bytes.ReplaceAll(next, []byte("00001"), []byte("00000")), []byte("weight: 100"), []byte("weight: 77"))
	lines := strings.SplitAfter(string(base), "\n")
	for i, line := range lines {
		if line == "" || line == "---\n" || i == 0 {
			continue
		}
		indent := line[:len(line)-len(strings.TrimLeft(line, " -"))]
		comment := strings.ReplaceAll(indent, "-", " ") + "# a remark of mine\n"
		mine := strings.Join(lines[:i], "") + comment + strings.Join(lines[i:], "")
		merged, err := manifest.Merge("f", base, next, []byte(mine))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := manifest.Parse("f", merged.Data); err != nil || !bytes.Contains(merged.Data, []byte("# a remark of mine\n")) {
			t.Errorf("a comment above line %d (%q) is gone, or %v:\n%s", i+1, line, err, merged.Data)
		}
		if !bytes.Contains(merged.Data, []byte("weight: 77")) {
			t.Errorf("a comment above line %d (%q) keeps the generator out", i+1, line)
		}
	}
}

func FuzzMerge(f *testing.F) {
	paths, _ := filepath.Glob("testdata/merge/*.txt")
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		_, s := parseCase(string(data))
		f.Add([]byte(s["base"]), []byte(s["next"]), []byte(s["mine"]))
	}
	f.Add([]byte("a: [x, {b: 1}]\n"), []byte("a: [x, {b: 2}, y]\n"), []byte("- a\n- b\n"))
	f.Add([]byte("x\n...\n"), []byte("kind: A\nmetadata: {name: a}\n"), []byte("%YAML 1.1\n---\n&a b: *a\n...\n# c\n"))
	f.Fuzz(func(t *testing.T, base, next, mine []byte) {
		if len(base)+len(next)+len(mine) > 1<<14 {
			t.Skip()
		}
		if _, err := manifest.Parse("f", next); err != nil {
			t.Skip() // the generator writes YAML; its text is taken without another look
		}
		merged, err := manifest.Merge("f", base, next, mine)
		if err != nil {
			return
		}
		if _, err := manifest.Parse("f", merged.Data); err != nil {
			t.Fatalf("invalid YAML: %v\nbase\n%q\nnext\n%q\nmine\n%q\nmerged\n%q", err, base, next, mine, merged.Data)
		}
		again, err := manifest.Merge("f", next, next, merged.Data)
		if err != nil || !bytes.Equal(again.Data, merged.Data) || len(again.Conflicts) > 0 {
			t.Fatalf("a second run: %v, %v, %q", err, again.Conflicts, again.Data)
		}
		if m, err := manifest.Merge("f", base, next, base); err == nil && !bytes.Equal(m.Data, next) {
			t.Fatalf("an unedited file becomes %q, want %q", m.Data, next)
		}
		if m, err := manifest.Merge("f", base, base, mine); err == nil && !bytes.Equal(m.Data, mine) {
			t.Fatalf("without a change, %q becomes %q", mine, m.Data)
		}
	})
}
