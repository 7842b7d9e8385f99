package manifest

import (
	"bytes"
	"strings"

	"go.yaml.in/yaml/v3"
)

// side is a value in one of the three versions, with what holds it: the key in
// a mapping, the item itself in a list, nil for the document.
type side struct {
	holder, value *yaml.Node
}

// merger merges one object. It changes the edited version's tree, and notes
// the same changes as edits of its text.
type merger struct {
	base, next, mine *layout // base is nil where the object was not generated before
	patch            patch
	found            []dispute
	flows            map[*yaml.Node]*yaml.Node // changed flow collections, by holder
	touched          bool                      // anything changed
	reencode         bool                      // the text cannot be patched
}

// dispute is a conflict whose place in the merged text is not known yet.
type dispute struct {
	at               *yaml.Node // in the edited version's tree
	field            string
	yours, generated string
}

// mergeObject merges an object that both sides have. It gives the new text of
// the whole piece; places of the conflicts count from its first line. base may
// be nil.
func mergeObject(path string, base, next, mine *piece) ([]byte, []Conflict) {
	g := &merger{
		next: newLayout(next.text, next.roots[0]), mine: newLayout(mine.text, mine.roots[0]),
		patch: patch{text: mine.text}, flows: map[*yaml.Node]*yaml.Node{},
	}
	var b side
	if base != nil && len(base.roots) == 1 {
		g.base = newLayout(base.text, base.roots[0])
		expand(g.base.root)
		b.value = g.base.root
	}
	expand(g.next.root)
	expand(g.mine.root)
	g.value("", b, side{value: g.next.root}, side{value: g.mine.root}, nil)
	text, root := g.write(path)
	if root == nil {
		// Never seen; but an edit must not be lost for a text that nobody can read.
		return mine.text, []Conflict{{Path: path, Line: 1, Column: 1, Object: mine.id,
			Yours: "(kept as it is)", Generated: yamlText(next.roots[0])}}
	}
	places := map[*yaml.Node]*yaml.Node{}
	match(g.mine.root, root, places)
	var conflicts []Conflict
	for _, d := range g.found {
		c := Conflict{Path: path, Line: 1, Column: 1, Object: mine.id, Field: d.field, Yours: d.yours, Generated: d.generated}
		if at := places[d.at]; at != nil {
			c.Line, c.Column = at.Line, at.Column
		}
		conflicts = append(conflicts, c)
	}
	return text, conflicts
}

// write gives the merged text and its tree; the tree is nil where no text
// reads back as what was merged.
func (g *merger) write(path string) ([]byte, *yaml.Node) {
	if !g.touched && len(g.patch.edits) == 0 {
		return g.mine.text, g.mine.root
	}
	want := canon(g.mine.root)
	reads := func(text []byte) *yaml.Node {
		roots, err := decodeAll(text)
		if err != nil || len(roots) != 1 || validate(path, roots[0]) != nil || canon(roots[0]) != want {
			return nil
		}
		return roots[0]
	}
	if !g.reencode && g.writeFlows() {
		text := g.patch.apply()
		if root := reads(text); root != nil {
			return text, root
		}
	}
	text := g.encode()
	return text, reads(text)
}

// writeFlows turns changed flow collections into edits: on one line where they
// were on one, and as blocks where they were not.
func (g *merger) writeFlows() bool {
	for holder, n := range g.flows {
		start, end, ok := g.mine.inline(n)
		s, known := g.mine.spans[holder]
		if !ok || !known {
			return false
		}
		if bytes.IndexByte(g.mine.text[start:end], '\n') < 0 {
			text, can := flowText(nil, n)
			if !can {
				return false
			}
			g.patch.add(edit{start: start, end: end, parts: []part{{text: text}}})
			continue
		}
		text := reindent(bytes.TrimSuffix(encodeNode(n), []byte("\n")), s.column+2, true)
		if g.mine.text[s.start] == '-' && s.after == s.start+1 {
			text = append([]byte(" "), bytes.TrimLeft(text, " ")...)
		} else {
			text = append([]byte("\n"), text...)
		}
		g.patch.add(edit{start: s.after, end: end, parts: []part{{text: text}}})
	}
	return true
}

// encode writes the whole tree anew: comments stay, blank lines and some of
// the layout do not.
func (g *merger) encode() []byte {
	var buf bytes.Buffer
	text := g.mine.text
	if line := g.mine.lines.text(1); marker(line, "---") && len(bytes.TrimSpace(line)) == 3 {
		buf.Write(text[:g.mine.lines.start(2)])
	} else if marker(line, "---") {
		buf.WriteString(separator)
	}
	buf.Write(encodeNode(g.mine.root))
	return buf.Bytes()
}

// match pairs the nodes of the merged tree with those of its text.
func match(tree, text *yaml.Node, places map[*yaml.Node]*yaml.Node) {
	text = resolved(text)
	places[tree] = text
	switch tree.Kind {
	case yaml.SequenceNode:
		for i := range min(len(tree.Content), len(text.Content)) {
			match(tree.Content[i], text.Content[i], places)
		}
	case yaml.MappingNode:
		byName := map[string]entry{}
		for _, e := range entries(text) {
			byName[e.name] = e
		}
		for _, e := range entries(tree) {
			if other, ok := byName[e.name]; ok {
				places[e.key] = other.key
				match(e.value, other.value, places)
			}
		}
	}
}

// flowText writes a value on one line. It fails on what has no safe form
// there.
func flowText(out []byte, n *yaml.Node) ([]byte, bool) {
	if n.Style&yaml.TaggedStyle != 0 {
		return out, false
	}
	open, end, step := byte('{'), byte('}'), 2
	switch n.Kind {
	case yaml.ScalarNode:
		return flowScalar(out, n)
	case yaml.SequenceNode:
		open, end, step = '[', ']', 1
	}
	out = append(out, open)
	for i := 0; i < len(n.Content); i += step {
		if i > 0 {
			out = append(out, ", "...)
		}
		var ok bool
		if out, ok = flowText(out, n.Content[i]); !ok {
			return out, false
		}
		if step == 2 {
			out = append(out, ": "...)
			if out, ok = flowText(out, n.Content[i+1]); !ok {
				return out, false
			}
		}
	}
	return append(out, end), true
}

func flowScalar(out []byte, n *yaml.Node) ([]byte, bool) {
	v, err := scalar(n)
	s, text := v.(string)
	switch {
	case err != nil:
		return out, false
	case !text && n.Value == "":
		return append(out, "null"...), true
	case !text:
		return append(out, n.Value...), true
	}
	return append(out, quote(s, n.Style)...), true
}

// quote writes a string in the given quoting style, where there is one, and
// safely for flow collections.
func quote(s string, style yaml.Style) []byte {
	switch {
	case style&yaml.SingleQuotedStyle != 0 && printable([]byte(s)):
		return []byte("'" + strings.ReplaceAll(s, "'", "''") + "'")
	case style&(yaml.DoubleQuotedStyle|yaml.SingleQuotedStyle) != 0 || strings.ContainsAny(s, ",[]{}"):
		return appendDoubleQuoted(nil, []byte(s))
	}
	return appendString(nil, []byte(s))
}
