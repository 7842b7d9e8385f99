package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/aymanbagabas/go-udiff"
	"sigs.k8s.io/yaml"

	"github.com/meshstorm/meshstorm/cluster"
)

// writeFields prints a change set field by field.
func writeFields(w io.Writer, set *cluster.ChangeSet) {
	for i := range set.Changes {
		ch := &set.Changes[i]
		if ch.Action == cluster.Unchanged && len(ch.Held) == 0 {
			continue
		}
		fmt.Fprintf(w, "%-9s %s%s\n", ch.Action, ch.Object, whence(ch))
		if ch.Message != "" {
			fmt.Fprintf(w, "          %s\n", ch.Message)
		}
		for _, f := range ch.Fields {
			fmt.Fprintf(w, "          %s: %s\n", f.Path, fieldText(f))
		}
		writeOwners(w, ch)
	}
}

func whence(ch *cluster.Change) string {
	if ch.File == "" {
		return ""
	}
	return fmt.Sprintf("  (%s:%d)", ch.File, ch.Line)
}

func writeOwners(w io.Writer, ch *cluster.Change) {
	for _, c := range ch.Conflicts {
		fmt.Fprintf(w, "          %s belongs to field manager %q\n", c.Field, c.Manager)
	}
	if ch.Adopts {
		fmt.Fprintf(w, "          made by `kubectl apply`: --adopt takes it over\n")
	}
	for _, h := range ch.Held {
		fmt.Fprintf(w, "          rule %s, subset %s of %s: %d, held by shift (files: %d)\n", ruleName(h.Rule), h.Subset, h.Host, h.Weight, h.Files)
	}
	for _, g := range ch.Gone {
		fmt.Fprintf(w, "          rule %s, subset %s of %s: the shift moves it, and the files have it no more\n", ruleName(g.Rule), g.Subset, g.Host)
	}
}

func ruleName(name string) string {
	if name == "" {
		return "without a name"
	}
	return name
}

func fieldText(f cluster.FieldChange) string {
	owner := ""
	if len(f.Managers) > 0 {
		owner = "  (" + strings.Join(f.Managers, ", ") + ")"
	}
	switch {
	case f.Old == nil:
		return "+ " + brief(f.New) + owner
	case f.New == nil:
		return "- " + brief(f.Old) + owner
	}
	return brief(f.Old) + " -> " + brief(f.New) + owner
}

func brief(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	if runes := []rune(string(text)); len(runes) > 160 {
		return string(runes[:157]) + "..."
	}
	return string(text)
}

// writeUnified prints a change set as a patch of YAML.
func writeUnified(w io.Writer, set *cluster.ChangeSet, color bool) error {
	for i := range set.Changes {
		ch := &set.Changes[i]
		before, err := yamlOf(ch.Before())
		if err != nil {
			return err
		}
		after, err := yamlOf(ch.After())
		if err != nil {
			return err
		}
		if before == after && len(ch.Fields) > 0 { // masked values alone
			before, after = before+"# the values differ\n", after+"# from the live ones\n"
		}
		if ch.Action == cluster.Unchanged || ch.Action == cluster.Keep {
			after = before
		}
		text := udiff.Unified("live/"+ch.Object.String(), "wanted/"+ch.Object.String(), before, after)
		if _, err := io.WriteString(w, coloured(text, color)); err != nil {
			return err
		}
		writeRemarks(w, ch)
	}
	return nil
}

// writeRemarks prints what a patch cannot say, as comments of it.
func writeRemarks(w io.Writer, ch *cluster.Change) {
	var b strings.Builder
	if ch.Message != "" {
		fmt.Fprintf(&b, "          %s\n", ch.Message)
	}
	writeOwners(&b, ch)
	if b.Len() == 0 {
		return
	}
	fmt.Fprintf(w, "# %s %s%s\n", ch.Action, ch.Object, whence(ch))
	for line := range strings.Lines(b.String()) {
		fmt.Fprint(w, "#   "+strings.TrimLeft(line, " "))
	}
}

func yamlOf(content map[string]any) (string, error) {
	if content == nil {
		return "", nil
	}
	text, err := yaml.Marshal(content)
	return string(text), err
}

func coloured(text string, color bool) string {
	if !color {
		return text
	}
	var b strings.Builder
	for line := range strings.Lines(text) {
		code := ""
		switch {
		case strings.HasPrefix(line, "+++"), strings.HasPrefix(line, "---"):
			code = "1"
		case strings.HasPrefix(line, "@@"):
			code = "36"
		case strings.HasPrefix(line, "+"):
			code = "32"
		case strings.HasPrefix(line, "-"):
			code = "31"
		}
		if code == "" {
			b.WriteString(line)
			continue
		}
		b.WriteString("\x1b[" + code + "m" + strings.TrimSuffix(line, "\n") + "\x1b[0m\n")
	}
	return b.String()
}

// counts says in a line what a change set holds.
func counts(set *cluster.ChangeSet) string {
	var parts []string
	for _, c := range []struct {
		action cluster.Action
		word   string
	}{
		{cluster.Create, "to create"}, {cluster.Configure, "to change"}, {cluster.Replace, "to replace"}, {cluster.Delete, "to delete"},
		{cluster.Conflict, "with fields of others"}, {cluster.Refused, "refused"}, {cluster.Keep, "kept"}, {cluster.Unchanged, "unchanged"},
	} {
		if n := set.Count(c.action); n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, c.word))
		}
	}
	if len(parts) == 0 {
		return "nothing"
	}
	return strings.Join(parts, ", ")
}
