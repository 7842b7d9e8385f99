package main

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// pitfall is a folder of docs/pitfalls.
type pitfall struct{ name, title, code string }

// pitfalls reads what the folders' pages say of themselves: the code on their
// first line, and their heading.
func pitfalls(dir string) ([]pitfall, error) {
	pages, err := filepath.Glob(filepath.Join(dir, "*", "README.md"))
	if err != nil {
		return nil, err
	}
	var all []pitfall
	for _, page := range pages {
		data, err := os.ReadFile(page)
		if err != nil {
			return nil, err
		}
		first, rest, _ := strings.Cut(string(data), "\n")
		code, ok := strings.CutPrefix(strings.TrimSpace(first), "Code: ")
		_, rest, titled := strings.Cut(rest, "\n# ")
		title, _, _ := strings.Cut(rest, "\n")
		if !ok || !titled {
			return nil, fmt.Errorf("%s: expected a first line such as \"Code: MS0501\", and a heading below it", page)
		}
		all = append(all, pitfall{filepath.Base(filepath.Dir(page)), strings.TrimSpace(title), code})
	}
	slices.SortFunc(all, func(a, b pitfall) int {
		return cmp.Or(strings.Compare(a.code, b.code), strings.Compare(a.name, b.name))
	})
	return all, nil
}

func writePitfalls(root string) error {
	dir := filepath.Join(root, "docs", "pitfalls")
	all, err := pitfalls(dir)
	if err != nil {
		return err
	}
	var table strings.Builder
	table.WriteString("| pitfall | code |\n|---|---|\n")
	for _, p := range all {
		fmt.Fprintf(&table, "| [%s](%s/README.md) | %s |\n", p.title, p.name, p.code)
	}
	path := filepath.Join(dir, "README.md")
	page, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	const begin, end = "<!-- pitfalls -->\n", "<!-- end of pitfalls -->"
	before, rest, ok := strings.Cut(string(page), begin)
	_, after, ended := strings.Cut(rest, end)
	if !ok || !ended {
		return fmt.Errorf("%s: expected the lines %q and %q", path, strings.TrimSpace(begin), end)
	}
	return writeIfNew(path, page, before+begin+table.String()+end+after)
}

func writeIfNew(path string, old []byte, text string) error {
	if string(old) == text {
		return nil
	}
	return os.WriteFile(path, []byte(text), 0o644)
}
