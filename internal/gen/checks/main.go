// Command checks writes the tables of codes in docs/checks.md from what the
// rules say of themselves, and the list of docs/pitfalls from its folders, so
// that the pages cannot lag behind. Their prose, and which table stands where,
// is people's.
package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/meshstorm/meshstorm/check"
	"github.com/meshstorm/meshstorm/check/analyze"
)

func main() {
	if err := write(); err != nil {
		fmt.Fprintln(os.Stderr, "checks:", err)
		os.Exit(1)
	}
}

func write() error {
	root, err := moduleRoot()
	if err != nil {
		return err
	}
	path := filepath.Join(root, "docs", "checks.md")
	page, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	next, err := fill(string(page), check.Rows(append(check.Rules(), analyze.Rules(analyze.Options{})...)))
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if err := writeIfNew(path, page, next); err != nil {
		return err
	}
	return writePitfalls(root)
}

// The comments that a table stands between. The first one says which codes are
// in it, by how they begin; "never" stands for those that no report has.
const (
	opening = "<!-- codes "
	closing = "<!-- end of codes -->"
)

// fill replaces the tables of the page. Each code has to have its place.
func fill(page string, rows []check.Row) (string, error) {
	var b strings.Builder
	placed := map[string]bool{}
	for {
		before, rest, ok := strings.Cut(page, opening)
		b.WriteString(before)
		if !ok {
			break
		}
		kind, rest, ok := strings.Cut(rest, " -->\n")
		_, after, ended := strings.Cut(rest, closing)
		if !ok || !ended {
			return "", fmt.Errorf("expected %q after each %q", closing, opening+"MS01 -->")
		}
		prefix, never := strings.CutSuffix(kind, " never")
		fmt.Fprintf(&b, "%s%s -->\n%s%s", opening, kind, table(prefix, never, rows, placed), closing)
		page = after
	}
	for _, r := range rows {
		if !placed[r.Code] {
			return "", fmt.Errorf("no table is for %s: add one between %q and %q", r.Code, opening+r.Code[:4]+" -->", closing)
		}
	}
	return b.String(), nil
}

func table(prefix string, never bool, rows []check.Row, placed map[string]bool) string {
	var b strings.Builder
	switch {
	case never:
		b.WriteString("| code | Istio's name | severity | why not |\n|---|---|---|---|\n")
	case prefix == "IST":
		b.WriteString("| code | Istio's name | severity | what happens at run time |\n|---|---|---|---|\n")
	default:
		b.WriteString("| code | severity | what it means | what to do |\n|---|---|---|---|\n")
	}
	for _, r := range rows {
		if !strings.HasPrefix(r.Code, prefix) || r.Never != never {
			continue
		}
		placed[r.Code] = true
		if r.Name != "" {
			fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", r.Code, r.Name, r.Severity, r.Means)
		} else {
			fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", r.Code, r.Severity, r.Means, r.Todo)
		}
	}
	return b.String()
}

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
