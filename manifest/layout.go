package manifest

import (
	"bytes"

	"go.yaml.in/yaml/v3"
)

// layout is a document's tree together with where its parts stand in the text,
// so that a change touches only the lines it must.
type layout struct {
	text    []byte
	lines   *lines
	root    *yaml.Node
	content []bool // by 1-based line: holds more than white space or a comment
	end     int    // the line after the document's last
	spans   map[*yaml.Node]span
}

// span is where an entry of a block mapping (known by its key) or an item of a
// block sequence (known by itself) stands.
type span struct {
	head   int  // offset of the line with the first comment above, or of start
	start  int  // offset of the key or the dash
	after  int  // offset after the colon or the dash
	end    int  // offset after the last line that belongs to it
	column int  // of start, 0-based, in characters
	inline bool // other than white space stands before it on its line
}

func newLayout(text []byte, root *yaml.Node) *layout {
	l := &layout{text: text, lines: newLines(text), root: root, spans: map[*yaml.Node]span{}}
	l.content = make([]bool, l.lines.count()+2)
	l.end = l.lines.count() + 1
	for i := 1; i < l.end; i++ {
		line := l.lines.text(i)
		if marker(line, "...") && i >= root.Line {
			l.end = i
			break
		}
		line = bytes.TrimLeft(line, " \t")
		l.content[i] = len(line) > 0 && line[0] != '#'
	}
	l.markScalars(root)
	l.place(root, l.end)
	return l
}

// markScalars finds the lines of multi-line scalars that look like comments or
// like nothing.
func (l *layout) markScalars(n *yaml.Node) {
	for _, c := range n.Content {
		l.markScalars(c)
	}
	if n.Kind != yaml.ScalarNode {
		return
	}
	switch {
	case n.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0:
		l.markBlock(n)
	case n.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle) != 0:
		start := l.offset(n)
		if end := l.quotedEnd(start); end > start {
			last, _ := l.lines.place(end - 1)
			for i := n.Line; i <= last && i < l.end; i++ {
				l.content[i] = true
			}
		}
	}
}

func (l *layout) markBlock(n *yaml.Node) {
	indent, last := -1, n.Line
	for i := n.Line + 1; i < l.end; i++ {
		line := l.lines.text(i)
		trimmed := bytes.TrimLeft(line, " ")
		if len(trimmed) == 0 {
			continue
		}
		if indent < 0 {
			indent = max(len(line)-len(trimmed), 1)
			if n.Value == "" {
				return
			}
		}
		if len(line)-len(trimmed) < indent {
			break
		}
		last = i
	}
	for i := n.Line; i <= last; i++ {
		l.content[i] = true
	}
}

func (l *layout) offset(n *yaml.Node) int { return l.lines.offset(n.Line, n.Column) }

// place finds the spans of everything in n, which ends before the line end.
func (l *layout) place(n *yaml.Node, end int) {
	if n.Style&yaml.FlowStyle != 0 || len(n.Content) == 0 {
		return
	}
	step := 1
	switch n.Kind {
	case yaml.MappingNode:
		step = 2
	case yaml.SequenceNode:
	default:
		return
	}
	starts := make([]span, 0, len(n.Content)/step)
	for i := 0; i < len(n.Content); i += step {
		s, ok := l.begin(n, n.Content[i])
		if !ok {
			return
		}
		starts = append(starts, s)
	}
	for i := range starts {
		s := &starts[i]
		limit := end
		if i+1 < len(starts) {
			limit, _ = l.lines.place(starts[i+1].head)
		}
		first, _ := l.lines.place(s.start)
		s.end = l.lines.start(l.lastLine(first, limit, s.column) + 1)
		l.spans[n.Content[i*step]] = *s
		inner := n.Content[i*step+step-1]
		next, _ := l.lines.place(s.end)
		if s.end == len(l.text) {
			next = l.lines.count() + 1
		}
		l.place(inner, next)
	}
}

// begin finds where an entry starts; false where the layout is not one whose
// lines can be moved, such as a key after "? ".
func (l *layout) begin(parent, n *yaml.Node) (span, bool) {
	var s span
	if parent.Kind == yaml.MappingNode {
		s.start = l.offset(n)
		s.column = n.Column - 1
		if s.after = l.keyEnd(n, s.start); s.after < 0 {
			return s, false
		}
	} else {
		s.column = parent.Column - 1
		if s.start = l.dash(n, s.column); s.start < 0 {
			return s, false
		}
		s.after = s.start + 1
	}
	line, _ := l.lines.place(s.start)
	lineStart := l.lines.start(line)
	s.inline = len(bytes.TrimSpace(l.text[lineStart:s.start])) > 0
	s.head = s.start
	if !s.inline {
		for line > 1 && l.comment(line-1, s.column) {
			line--
		}
		s.head = l.lines.start(line)
	}
	return s, true
}

// comment tells whether a line is a comment that belongs to what follows at
// the column: one that is indented deeper belongs to what stands above.
func (l *layout) comment(line, column int) bool {
	if l.content[line] {
		return false
	}
	text := l.lines.text(line)
	trimmed := bytes.TrimLeft(text, " \t")
	return len(trimmed) > 0 && len(text)-len(trimmed) <= column
}

// lastLine is the last line with content from first up to the limit, and the
// comments right below that are indented deeper than the entry.
func (l *layout) lastLine(first, limit, column int) int {
	last := first
	for i := first; i < limit; i++ {
		if l.content[i] {
			last = i
		}
	}
	for last+1 < limit && len(bytes.TrimSpace(l.lines.text(last+1))) > 0 && !l.comment(last+1, column) {
		last++
	}
	return last
}

// keyEnd is the offset after the colon of a key on one line, -1 otherwise.
func (l *layout) keyEnd(k *yaml.Node, start int) int {
	if k.Kind != yaml.ScalarNode || start >= len(l.text) || k.Style&yaml.TaggedStyle != 0 || k.Anchor != "" {
		return -1
	}
	at := start
	if k.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle) != 0 {
		at = l.quotedEnd(start)
	} else if bytes.HasPrefix(l.text[start:], []byte(k.Value)) {
		at += len(k.Value)
	} else {
		return -1
	}
	for at >= 0 && at < len(l.text) && (l.text[at] == ' ' || l.text[at] == '\t') {
		at++
	}
	if at < 0 || at >= len(l.text) || l.text[at] != ':' || bytes.IndexByte(l.text[start:at], '\n') >= 0 {
		return -1
	}
	return at + 1
}

// dash finds the dash of a list item in the column, on its own line or above.
func (l *layout) dash(item *yaml.Node, column int) int {
	for line := item.Line; line > 0; line-- {
		at := l.lines.offset(line, column+1)
		if at < len(l.text) && l.text[at] == '-' && at < l.lines.start(line+1) {
			return at
		}
		if line < item.Line && l.content[line] {
			break
		}
	}
	return -1
}

// quotedEnd is the offset after the closing quote of a scalar, -1 if there is
// none.
func (l *layout) quotedEnd(start int) int {
	if start >= len(l.text) {
		return -1
	}
	quote := l.text[start]
	if quote != '"' && quote != '\'' {
		return -1
	}
	for i := start + 1; i < len(l.text); i++ {
		switch {
		case quote == '"' && l.text[i] == '\\':
			i++
		case l.text[i] == quote && quote == '\'' && i+1 < len(l.text) && l.text[i+1] == quote:
			i++
		case l.text[i] == quote:
			return i + 1
		}
	}
	return -1
}

// inline gives the text range of a scalar that stands on one line, or of a
// flow collection.
func (l *layout) inline(n *yaml.Node) (start, end int, ok bool) {
	start = l.offset(n)
	if start >= len(l.text) || n.Anchor != "" || n.Style&yaml.TaggedStyle != 0 {
		return 0, 0, false
	}
	switch {
	case n.Kind == yaml.AliasNode, n.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0:
		return 0, 0, false
	case n.Kind != yaml.ScalarNode:
		end = l.flowEnd(start)
	case n.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle) != 0:
		end = l.quotedEnd(start)
	default:
		line, _ := l.lines.place(start)
		rest := l.lines.text(line)[start-l.lines.start(line):]
		if i := bytes.Index(rest, []byte(" #")); i >= 0 {
			rest = rest[:i]
		}
		if rest = bytes.TrimRight(rest, " \t"); string(rest) != n.Value || n.Value == "" {
			return 0, 0, false
		}
		end = start + len(rest)
	}
	return start, end, end > start
}

// flowEnd is the offset after the bracket that closes the one at start, -1 if
// there is none.
func (l *layout) flowEnd(start int) int {
	depth := 0
	for i := start; i < len(l.text); i++ {
		switch c := l.text[i]; c {
		case '[', '{':
			depth++
		case ']', '}':
			if depth--; depth == 0 {
				return i + 1
			}
		case '"', '\'':
			// A quote inside a plain scalar is a character like any other.
			if i == start || bytes.IndexByte([]byte("[{,: \n\t"), l.text[i-1]) < 0 {
				continue
			}
			end := l.quotedEnd(i)
			if end < 0 {
				return -1
			}
			i = end - 1
		case '#':
			if i > start && (l.text[i-1] == ' ' || l.text[i-1] == '\n' || l.text[i-1] == '\t') {
				line, _ := l.lines.place(i)
				i = l.lines.start(line+1) - 1
			}
		}
		if depth == 0 {
			return -1
		}
	}
	return -1
}
