package manifest

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// flow is the outermost flow collection around a value, and what holds it;
// nil in block context. Changes in it are written by writing it anew.
type flow struct {
	holder, top *yaml.Node
}

func (g *merger) dispute(field string, at, yours, generated *yaml.Node) {
	g.found = append(g.found, dispute{at, field, yamlText(yours), yamlText(generated)})
}

// value merges a value that the generator and the person both have.
func (g *merger) value(path string, b, n, m side, in *flow) {
	kind := m.value.Kind
	if kind == n.value.Kind && kind != yaml.ScalarNode && (b.value == nil || b.value.Kind == kind) {
		if in == nil && m.value.Style&yaml.FlowStyle != 0 {
			in = &flow{m.holder, m.value}
		}
		before := len(m.value.Content)
		if kind == yaml.MappingNode {
			g.mapping(path, b, n, m, in)
		} else {
			g.list(path, b, n, m, in)
		}
		if before > 0 && len(m.value.Content) == 0 {
			g.emptied(m, in)
		}
		return
	}
	g.whole(path, b, n, m, in)
}

// whole merges a value that has no parts.
func (g *merger) whole(path string, b, n, m side, in *flow) {
	switch {
	case equal(n.value, m.value), b.value != nil && equal(b.value, n.value):
	case b.value == nil || !equal(b.value, m.value):
		g.dispute(path, at(m), m.value, n.value)
	case m.value.Kind == yaml.ScalarNode || g.base.inner(b) == g.mine.inner(m):
		g.replace(n, m, in)
	case len(n.value.Content) == len(m.value.Content) && n.value.Kind == yaml.SequenceNode && m.value.Kind == yaml.SequenceNode:
		// Item by item, for the remarks between them.
		for i, item := range m.value.Content {
			was, now := b.value.Content[i], n.value.Content[i]
			g.whole(path, side{was, was}, side{now, now}, side{item, item}, in)
		}
	default:
		g.dispute(path, at(m), m.value, n.value)
	}
}

// at is the node that a message points to.
func at(s side) *yaml.Node {
	if s.holder != nil {
		return s.holder
	}
	return s.value
}

func sides(n *yaml.Node) ([]string, map[string]side) {
	if n == nil {
		return nil, nil
	}
	var names []string
	byName := map[string]side{}
	for _, e := range entries(n) {
		names = append(names, e.name)
		byName[e.name] = side{e.key, e.value}
	}
	return names, byName
}

func (g *merger) mapping(path string, b, n, m side, in *flow) {
	baseNames, base := sides(b.value)
	nextNames, next := sides(n.value)
	_, mine := sides(m.value)
	var anchor, prev *yaml.Node // what to insert after: in the text, in the tree
	for _, name := range nextNames {
		field := joinKey(path, name)
		was, had := base[name]
		now := next[name]
		have, has := mine[name]
		switch {
		case has:
			g.value(field, was, now, have, in)
			g.head(was, now, have)
			anchor, prev = have.holder, have.holder
		case had:
			if !equal(was.value, now.value) {
				g.dispute(field, at(m), nil, now.value)
			}
		default:
			prev = g.insert(m.value, anchor, nil, prev, now, in)
		}
	}
	for _, name := range baseNames {
		if _, kept := next[name]; kept {
			continue
		}
		if have, has := mine[name]; has {
			g.drop(joinKey(path, name), base[name], have, m.value, in)
		}
	}
}

// drop takes out what the generator no longer makes, unless a person changed
// it; a remark of theirs is a change, too.
func (g *merger) drop(field string, was, have side, container *yaml.Node, in *flow) {
	same := equal(was.value, have.value)
	switch {
	case same && g.base.remarks(was) == g.mine.remarks(have):
		g.remove(container, have, in)
	case !same && g.base.above(g.base.spans[was.holder]) == g.mine.above(g.mine.spans[have.holder]) && open(field, was.value, have.value):
		// What people added to it stays, what was generated goes.
		g.value(field, was, side{value: &yaml.Node{Kind: was.value.Kind}}, have, in)
		if len(have.value.Content) == 0 {
			g.remove(container, have, in)
		}
	default:
		g.dispute(field, at(have), have.value, nil)
	}
}

// openMaps are mappings whose entries stand on their own.
var openMaps = []string{"labels", "annotations", "matchLabels", "nodeSelector", "data", "stringData", "binaryData"}

// open tells whether part of a collection makes sense without the rest.
func open(field string, was, have *yaml.Node) bool {
	if was.Kind != have.Kind {
		return false
	}
	if was.Kind == yaml.MappingNode {
		return slices.ContainsFunc(openMaps, func(name string) bool { return field == name || strings.HasSuffix(field, "."+name) })
	}
	return was.Kind == yaml.SequenceNode && !indivisible(field)
}

// touch notes a change in a flow collection; false in block context.
func (g *merger) touch(in *flow) bool {
	g.touched = true
	if in == nil {
		return false
	}
	if in.holder == nil {
		g.reencode = true
	}
	g.flows[in.holder] = in.top
	return true
}

// replace puts the generated value in place of the person's.
func (g *merger) replace(n, m side, in *flow) {
	old := *m.value
	if !g.touch(in) {
		g.replaceText(n, m)
	}
	*m.value = *clone(n.value)
	m.value.HeadComment, m.value.LineComment, m.value.FootComment = old.HeadComment, old.LineComment, old.FootComment
}

func (g *merger) replaceText(n, m side) {
	ms, ok := g.mine.spans[m.holder]
	ns, known := g.next.spans[n.holder]
	if !ok || !known {
		g.reencode = true
		return
	}
	from, to, short := g.mine.inline(m.value)
	start, end, inline := g.next.inline(n.value)
	if short && inline {
		text := g.next.text[start:end]
		if s, err := scalar(n.value); err == nil && n.value.Kind == yaml.ScalarNode {
			// The person's way of quoting stays.
			if s, ok := s.(string); ok && m.value.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle) != 0 {
				text = quote(s, m.value.Style)
			}
		}
		g.patch.add(edit{start: from, end: to, parts: []part{{text: text}}})
		return
	}
	text := bytes.TrimSuffix(g.next.text[ns.after:ns.end], []byte("\n"))
	end = ms.end
	if end > ms.after && g.mine.text[end-1] == '\n' {
		end--
	}
	g.patch.add(edit{start: ms.after, end: end, parts: []part{{text: reindent(text, ms.column-ns.column, false)}}})
}

// insert puts a generated entry or item into a collection: in the text after
// anchor or else before follower (nil: the first), in the tree after prev or
// else before follower. It gives the new holder in the tree.
func (g *merger) insert(container, anchor, follower, prev *yaml.Node, n side, in *flow) *yaml.Node {
	if follower == nil && len(container.Content) > 0 {
		follower = container.Content[0]
	}
	if !g.touch(in) {
		g.insertText(anchor, follower, n)
	}
	added := []*yaml.Node{clone(n.holder)}
	size := 1
	if container.Kind == yaml.MappingNode {
		added = append(added, clone(n.value))
		size = 2
	}
	i := slices.Index(container.Content, prev) + size
	if prev == nil {
		i = max(slices.Index(container.Content, follower), 0)
	}
	container.Content = slices.Insert(container.Content, i, added...)
	return added[0]
}

func (g *merger) insertText(anchor, follower *yaml.Node, n side) {
	ns, ok := g.next.spans[n.holder]
	s, known := g.mine.spans[anchor]
	if anchor == nil {
		s, known = g.mine.spans[follower]
	}
	if !ok || !known {
		g.reencode = true
		return
	}
	text := g.next.block(ns, s.column)
	switch {
	case anchor != nil:
		g.patch.add(edit{start: s.end, end: s.end, after: true, parts: []part{{text: text}}})
	case s.inline:
		text = append(bytes.TrimLeft(text, " "), bytes.Repeat([]byte(" "), s.column)...)
		g.patch.add(edit{start: s.start, end: s.start, parts: []part{{text: text}}})
	default:
		g.patch.add(edit{start: s.head, end: s.head, parts: []part{{text: text}}})
	}
}

// block is the text of an entry with its comments, as lines at the column.
func (l *layout) block(s span, column int) []byte {
	text := slices.Clone(l.text[s.head:s.end])
	if s.inline {
		text = append(bytes.Repeat([]byte(" "), s.column), text...)
	}
	if len(text) > 0 && text[len(text)-1] != '\n' {
		text = append(text, '\n')
	}
	return reindent(text, column-s.column, true)
}

// remove takes an entry or item out of a collection.
func (g *merger) remove(container *yaml.Node, have side, in *flow) {
	i := slices.Index(container.Content, have.holder)
	size := 1
	if container.Kind == yaml.MappingNode {
		size = 2
	}
	var next *yaml.Node
	if i+size < len(container.Content) {
		next = container.Content[i+size]
	}
	container.Content = slices.Delete(container.Content, i, i+size)
	if g.touch(in) {
		return
	}
	s, ok := g.mine.spans[have.holder]
	follower, follows := g.mine.spans[next]
	switch {
	case !ok:
		g.reencode = true
	case !s.inline:
		g.patch.add(edit{start: s.head, end: s.end})
	case follows && follower.start-follower.head <= follower.column:
		g.patch.add(edit{start: s.start, end: follower.start})
	case follows:
		g.patch.add(edit{start: s.start, end: follower.head})
	case len(container.Content) > 0:
		g.reencode = true
	}
}

// emptied writes a collection that lost its last part.
func (g *merger) emptied(m side, in *flow) {
	m.value.Style = yaml.FlowStyle
	if in != nil {
		return
	}
	s, ok := g.mine.spans[m.holder]
	if !ok {
		g.reencode = true
		return
	}
	text := " {}"
	if m.value.Kind == yaml.SequenceNode {
		text = " []"
	}
	end := s.end
	if end > s.after && g.mine.text[end-1] == '\n' {
		end--
	}
	g.patch.add(edit{start: s.after, end: end, parts: []part{{text: []byte(text)}}})
}

// head carries over a comment above that only the generator changed.
func (g *merger) head(b, n, m side) {
	if g.base == nil {
		return
	}
	bs, had := g.base.spans[b.holder]
	ns, now := g.next.spans[n.holder]
	ms, has := g.mine.spans[m.holder]
	if !had || !now || !has || bs.inline || ns.inline || ms.inline {
		return
	}
	was, generated, mine := g.base.above(bs), g.next.above(ns), g.mine.above(ms)
	if was == generated || was != mine {
		return
	}
	lineStart := ms.start - ms.column
	text := reindent(g.next.text[ns.head:ns.start-ns.column], ms.column-ns.column, true)
	g.patch.add(edit{start: ms.head, end: lineStart, parts: []part{{text: text}}})
	m.holder.HeadComment = n.holder.HeadComment
}

// above is the comment above an entry, without its indentation.
func (l *layout) above(s span) string {
	var b strings.Builder
	for line := range bytes.Lines(l.text[s.head:s.start]) {
		if line = bytes.TrimSpace(line); len(line) > 0 {
			fmt.Fprintf(&b, "%s\n", line)
		}
	}
	return b.String()
}

// remarks are all comments of an entry.
func (l *layout) remarks(s side) string {
	var b strings.Builder
	at, ok := l.spans[s.holder]
	if ok {
		b.WriteString(l.above(at))
	}
	return b.String() + l.inner(s)
}

// inner are the comments of an entry without those above it.
func (l *layout) inner(s side) string {
	var b strings.Builder
	at, ok := l.spans[s.holder]
	if ok {
		first, _ := l.lines.place(at.start)
		for i := first; i < l.end && l.lines.start(i) < at.end; i++ {
			if !l.content[i] {
				fmt.Fprintf(&b, "%s\n", bytes.TrimSpace(l.lines.text(i)))
			}
		}
	}
	nodeComments(&b, s.holder, ok)
	nodeComments(&b, s.value, ok)
	return strings.Join(strings.Fields(b.String()), " ")
}

// nodeComments collects the comments of a tree; with ends, only those at the
// ends of lines.
func nodeComments(b *strings.Builder, n *yaml.Node, ends bool) {
	if n == nil {
		return
	}
	if !ends {
		b.WriteString(n.HeadComment + "\n" + n.FootComment + "\n")
	}
	b.WriteString(n.LineComment + "\n")
	for _, c := range n.Content {
		nodeComments(b, c, ends)
	}
}
