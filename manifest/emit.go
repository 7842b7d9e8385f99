package manifest

import "bytes"

// longestKey keeps keys well within the 1,024 characters after which YAML
// parsers no longer look for a colon (YAML 1.2, section 7.4.2), escapes
// included; longer ones are marked with "? ".
const longestKey = 200

// emitter writes a value as block YAML: indented by two spaces, sequences not
// indented under their key, as kubectl prints them.
type emitter struct {
	out []byte
}

func (e *emitter) newline(indent int) {
	e.out = append(e.out, '\n')
	e.pad(indent)
}

func (e *emitter) pad(indent int) {
	const spaces = "                                                                "
	for indent > len(spaces) {
		e.out = append(e.out, spaces...)
		indent -= len(spaces)
	}
	e.out = append(e.out, spaces[:indent]...)
}

// document writes v at the left edge.
func (e *emitter) document(v *value, c *comments) {
	switch {
	case v.kind == kindMap && len(v.fields) > 0:
		e.comment(c, 0)
		e.mapping(v, c, 0, false)
	case v.kind == kindList && len(v.items) > 0:
		e.comment(c, 0)
		e.sequence(v, c, 0, false)
	default:
		e.comment(c, 0)
		e.inline(v)
		e.out = append(e.out, '\n')
	}
}

// comment writes the lines of c's comment; the cursor is at the indent before
// and after.
func (e *emitter) comment(c *comments, indent int) {
	if c == nil || !c.set {
		return
	}
	for line := range bytes.Lines([]byte(c.text + "\n")) {
		line = bytes.TrimRight(line, "\r\n\t ")
		e.out = append(e.out, '#')
		if len(line) > 0 {
			e.out = append(e.out, ' ')
			e.out = appendComment(e.out, line)
		}
		e.newline(indent)
	}
}

// appendComment keeps a comment on its line, whatever is in it.
func appendComment(out, line []byte) []byte {
	for _, r := range string(line) {
		if r != '\t' && (r < ' ' || r == 0x7f || r >= 0x80 && !printableRune(r, 2)) {
			r = ' '
		}
		out = append(out, string(r)...)
	}
	return out
}

// lead writes all comments that belong above a list item: its own, and those
// of what starts on the line of its dash.
func (e *emitter) lead(v *value, c *comments, indent int) {
	e.comment(c, indent)
	switch {
	case c == nil:
	case v.kind == kindMap && len(v.fields) > 0:
		e.comment(c.key(v.fields[0].key), indent)
	case v.kind == kindList && len(v.items) > 0:
		e.lead(&v.items[0], c.item(0), indent)
	}
}

// mapping writes the fields of v, the first at the cursor and the others at
// the indent. With led, the first one's comment is written already.
func (e *emitter) mapping(v *value, c *comments, indent int, led bool) {
	for i := range v.fields {
		f := &v.fields[i]
		inner := c.key(f.key)
		if i > 0 {
			e.pad(indent)
		}
		if i > 0 || !led {
			e.comment(inner, indent)
		}
		if len(f.key) > longestKey {
			e.out = append(e.out, "? "...)
			e.out = appendString(e.out, f.key)
			e.newline(indent)
		} else {
			e.out = appendString(e.out, f.key)
		}
		e.out = append(e.out, ':')
		e.under(&f.value, inner, indent)
	}
}

// under writes the value of a key that stands at the indent.
func (e *emitter) under(v *value, c *comments, indent int) {
	switch {
	case v.kind == kindMap && len(v.fields) > 0:
		e.newline(indent + 2)
		e.mapping(v, c, indent+2, false)
	case v.kind == kindList && len(v.items) > 0:
		e.newline(indent)
		e.sequence(v, c, indent, false)
	default:
		e.out = append(e.out, ' ')
		e.scalar(v, indent+2)
	}
}

// sequence writes the items of v, the first at the cursor and the others at
// the indent. With led, the first one's comments are written already.
func (e *emitter) sequence(v *value, c *comments, indent int, led bool) {
	for i := range v.items {
		item, inner := &v.items[i], c.item(i)
		if i > 0 {
			e.pad(indent)
		}
		if i > 0 || !led {
			e.lead(item, inner, indent)
		}
		e.out = append(e.out, '-', ' ')
		switch {
		case item.kind == kindMap && len(item.fields) > 0:
			e.mapping(item, inner, indent+2, true)
		case item.kind == kindList && len(item.items) > 0:
			e.sequence(item, inner, indent+2, true)
		default:
			e.scalar(item, indent+2)
		}
	}
}

// scalar writes v and ends its line; a literal block's lines stand at the
// indent.
func (e *emitter) scalar(v *value, indent int) {
	if v.kind != kindString || !literal(v.text) {
		e.inline(v)
		e.out = append(e.out, '\n')
		return
	}
	text := v.text
	if text[len(text)-1] == '\n' {
		e.out = append(e.out, "|\n"...)
	} else {
		e.out = append(e.out, "|-\n"...)
	}
	for len(text) > 0 {
		line, rest, _ := bytes.Cut(text, []byte("\n"))
		if len(line) > 0 {
			e.pad(indent)
			e.out = append(e.out, line...)
		}
		e.out = append(e.out, '\n')
		text = rest
	}
}

// inline writes a scalar or an empty collection on one line.
func (e *emitter) inline(v *value) {
	switch v.kind {
	case kindMap:
		e.out = append(e.out, "{}"...)
	case kindList:
		e.out = append(e.out, "[]"...)
	case kindString:
		e.out = appendString(e.out, v.text)
	default:
		e.out = append(e.out, v.text...)
	}
}
