// Command routes writes the tables of docs/routes.md from the evaluator's table
// of fields, so that the page says of every field of Envoy's route configuration
// whether it is evaluated. Its prose is people's.
package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/meshstorm/meshstorm/route"
)

func main() {
	if err := write(); err != nil {
		fmt.Fprintln(os.Stderr, "routes:", err)
		os.Exit(1)
	}
}

func write() error {
	root, err := moduleRoot()
	if err != nil {
		return err
	}
	path := filepath.Join(root, "docs", "routes.md")
	page, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	next, err := fill(string(page), route.Fields())
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if next == string(page) {
		return nil
	}
	return os.WriteFile(path, []byte(next), 0o644)
}

// The comments that each table stands between.
const closing = "<!-- end -->"

var tables = []struct {
	opening string
	lines   func([]route.Field) []string
}{
	{"<!-- counts -->", counts},
	{"<!-- not evaluated -->", notEvaluated},
	{"<!-- fields -->", evaluated},
}

// fill replaces the tables of the page.
func fill(page string, fields []route.Field) (string, error) {
	for _, t := range tables {
		before, rest, ok := strings.Cut(page, t.opening+"\n")
		_, after, ended := strings.Cut(rest, closing)
		if !ok || !ended {
			return "", fmt.Errorf("expected %q and behind it %q", t.opening, closing)
		}
		page = before + t.opening + "\n" + strings.Join(t.lines(fields), "\n") + "\n" + closing + after
	}
	return page, nil
}

func counts(fields []route.Field) []string {
	var shown, unsupported, quiet int
	messages := map[string]bool{}
	for _, f := range fields {
		messages[f.Message] = true
		switch {
		case f.Case != "":
			shown++
		case strings.HasPrefix(f.Text, "not shown"):
			quiet++
		default:
			unsupported++
		}
	}
	return []string{
		"| | fields |", "|---|---|",
		fmt.Sprintf("| evaluated | %d |", shown),
		fmt.Sprintf("| `unsupported: …` | %d |", unsupported),
		fmt.Sprintf("| `not shown: …` | %d |", quiet),
		fmt.Sprintf("| together, in %d messages | %d |", len(messages), len(fields)),
	}
}

// notEvaluated lists the fields that are not evaluated; a message that stands
// within one is counted only.
func notEvaluated(fields []route.Field) []string {
	within := map[string]int{}
	for _, f := range fields {
		if f.Within != "" {
			within[f.Within]++
		}
	}
	out := []string{"| field | what the answer says | fields within |", "|---|---|---|"}
	for _, f := range fields {
		if f.Text == "" || f.Within != "" {
			continue
		}
		inner := ""
		if n := within[f.Message+"."+f.Name]; n > 0 {
			inner = fmt.Sprint(n)
		}
		out = append(out, fmt.Sprintf("| `%s.%s` | %s | %s |", short(f.Message), f.Name, f.Text, inner))
	}
	return out
}

func evaluated(fields []route.Field) []string {
	var out []string
	message := ""
	for i, f := range fields {
		first := f.Message != message
		if message = f.Message; first && i > 0 {
			out = append(out, "")
		}
		switch {
		case first && f.Within != "":
			out = append(out, "### "+message, "", fmt.Sprintf("Within `%s`, and so %s:", short(f.Within), bare(f.Text)), "- `"+f.Name+"`")
		case first:
			out = append(out, "### "+message, "", "| field | shown by |", "|---|---|", row(f))
		case f.Within != "":
			out = append(out, "- `"+f.Name+"`")
		default:
			out = append(out, row(f))
		}
	}
	return out
}

func row(f route.Field) string {
	by := f.Case
	if by == "" {
		by = bare(f.Text)
	}
	return fmt.Sprintf("| `%s` | %s |", f.Name, strings.ReplaceAll(by, "*", `\*`))
}

// bare is an answer's text without the reason.
func bare(text string) string {
	before, _, _ := strings.Cut(text, " (")
	return before
}

// short drops the package of the messages that are a route's own.
func short(name string) string { return strings.TrimPrefix(name, "envoy.config.route.v3.") }

func moduleRoot() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for ; ; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		if dir == filepath.Dir(dir) {
			return "", errors.New("no go.mod above the working directory; run this inside the module")
		}
	}
}
