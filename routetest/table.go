package routetest

import (
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"

	"github.com/meshstorm/meshstorm/routetest/strict"
)

// cell is one field of a table's row and where it is written.
type cell struct {
	text         string
	line, column int
}

// separator is the row of dashes that Markdown puts below the heading.
var separator = regexp.MustCompile(`^\|[\s:|-]*-[\s:|-]*\|?$`)

// table reads tests written as rows. Each row becomes a mapping whose nodes
// stand where the cells do, so that it is read as any other test.
func (o *own) table(n *yaml.Node) []*Test {
	if n.Kind != yaml.ScalarNode || n.Style&yaml.LiteralStyle == 0 {
		o.Fail(n, "write `table: |` and the rows on the lines below, indented", "table is not a block of lines")
		return nil
	}
	var heading []cell
	var tests []*Test
	for i, text := range strings.Split(strings.TrimRight(n.Value, "\n"), "\n") {
		line := n.Line + 1 + i
		trimmed := strings.TrimSpace(text)
		if trimmed == "" || strings.HasPrefix(trimmed, "#") || heading != nil && separator.MatchString(trimmed) {
			continue
		}
		row, ok := o.row(line, text)
		if !ok {
			continue
		}
		if heading == nil {
			if heading = row; !o.heading(row) {
				return tests
			}
			continue
		}
		if len(row) != len(heading) {
			o.Fail(&yaml.Node{Line: line, Column: row[0].column}, "give every row a cell for each column, empty where nothing is meant",
				"the row has %d cells, the heading %d", len(row), len(heading))
			continue
		}
		if t := o.test(asMapping(heading, row), &yaml.Node{Line: line, Column: row[0].column}, "the row"); t != nil {
			tests = append(tests, t)
		}
	}
	if heading == nil {
		o.Fail(n, "write | request | to | and the rows below", "the table is empty")
	}
	return tests
}

// heading checks the columns; false where the rows make no sense without.
func (o *own) heading(row []cell) bool {
	seen := map[string]bool{}
	ok := true
	for _, c := range row {
		at := &yaml.Node{Line: c.line, Column: c.column}
		switch {
		case c.text == "":
			o.Fail(at, "name the column, or remove it", "a column has no name")
			ok = false
		case seen[c.text]:
			o.Fail(at, "keep one of the two", "two columns are named %q", c.text)
			ok = false
		case !slices.Contains(testKeys, c.text) && !strings.ContainsAny(c.text, "-."):
			if near := strict.Nearest(c.text, testKeys); near != "" {
				o.Fail(at, "did you mean "+near+"? A request header of this name is written headers."+c.text, "a test has no key %q", c.text)
				ok = false
			}
		}
		seen[c.text] = true
	}
	if ok && !seen["request"] {
		o.Fail(&yaml.Node{Line: row[0].line, Column: row[0].column}, "name a column request", "the table has no column for the request")
		ok = false
	}
	return ok
}

// row cuts a line at its bars; "\|" is a bar in a cell.
func (o *own) row(line int, text string) ([]cell, bool) {
	offset := 1
	if line <= len(o.lines) {
		// The block's indentation is not part of its text.
		if at := strings.Index(o.lines[line-1], strings.TrimSpace(text)); at >= 0 {
			offset += utf8.RuneCountInString(o.lines[line-1][:at])
		}
	}
	runes := []rune(strings.TrimSpace(text))
	if runes[0] != '|' {
		o.Fail(&yaml.Node{Line: line, Column: offset}, "begin and end every row with |", "the row does not begin with |")
		return nil, false
	}
	if runes[len(runes)-1] != '|' || len(runes) < 2 {
		o.Fail(&yaml.Node{Line: line, Column: offset + len(runes) - 1}, "begin and end every row with |", "the row does not end with |")
		return nil, false
	}
	var cells []cell
	var b strings.Builder
	begin := 1
	for i := 1; i < len(runes); i++ {
		switch {
		case runes[i] == '\\' && i+1 < len(runes)-1 && runes[i+1] == '|':
			b.WriteRune('|')
			i++
		case runes[i] == '|':
			raw := b.String()
			indent := utf8.RuneCountInString(raw) - utf8.RuneCountInString(strings.TrimLeft(raw, " \t"))
			if strings.TrimSpace(raw) == "" {
				indent = 0
			}
			cells = append(cells, cell{strings.TrimSpace(raw), line, offset + begin + indent})
			b.Reset()
			begin = i + 1
		default:
			b.WriteRune(runes[i])
		}
	}
	return cells, true
}

// groups are the keys of a test whose values are mappings; a column may name
// one entry: sends.x-a.
var groups = []string{"headers", "sends", "returns"}

// asMapping makes the mapping that a row stands for. Columns that are no key of
// a test are request headers; empty cells say nothing.
func asMapping(heading, row []cell) *yaml.Node {
	n := &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map", Line: row[0].line, Column: row[0].column}
	inner := map[string]*yaml.Node{}
	for i, c := range row {
		if c.text == "" {
			continue
		}
		value := &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: unquote(c.text), Line: c.line, Column: c.column}
		name := heading[i].text
		group, rest, dotted := strings.Cut(name, ".")
		switch {
		case slices.Contains(testKeys, name) && !slices.Contains(groups, name):
			n.Content = append(n.Content, keyNode(name, c), value)
			continue
		case !dotted || !slices.Contains(groups, group) || rest == "":
			group, rest = "headers", name
		case value.Value == "none" && group != "headers":
			value.Tag, value.Value = "!!null", ""
		}
		if inner[group] == nil {
			inner[group] = &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map", Line: c.line, Column: c.column}
			n.Content = append(n.Content, keyNode(group, c), inner[group])
		}
		inner[group].Content = append(inner[group].Content, keyNode(rest, c), value)
	}
	return n
}

func keyNode(name string, c cell) *yaml.Node {
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: name, Line: c.line, Column: c.column}
}

// unquote takes the quotes from a cell such as "", which sends an empty header.
func unquote(text string) string {
	if len(text) >= 2 && text[0] == '"' && text[len(text)-1] == '"' {
		return text[1 : len(text)-1]
	}
	return text
}
