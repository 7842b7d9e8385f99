package telemetry

import "unicode/utf8"

// add appends the node as JSON.
func (n *jsonNode) add(b []byte, e *entry, omit bool) []byte {
	switch {
	case n.fixed != nil:
		return append(b, n.fixed...)
	case n.single != nil:
		b, ok := n.single.json(b, e)
		if !ok {
			b = append(b, "null"...)
		}
		return b
	case n.parts != nil:
		return n.string(b, e, omit)
	}
	open, end := byte('{'), byte('}')
	if n.list {
		open, end = '[', ']'
	}
	b = append(b, open)
	first := true
	for i, child := range n.fields {
		start := len(b)
		if !first {
			b = append(b, ',')
		}
		if !n.list {
			b = append(b, n.keys[i]...)
		}
		if omit && child.single != nil {
			with, ok := child.single.json(b, e)
			if !ok {
				b = b[:start]
				continue
			}
			b = with
		} else {
			b = child.add(b, e, omit)
		}
		first = false
	}
	return append(b, end)
}

// json appends the operator's value with its type; false where it has none.
func (v *value) json(b []byte, e *entry) ([]byte, bool) {
	start := len(b)
	b, ok := v.add(b, e)
	if !ok {
		return b[:start], false
	}
	if v.raw || v.typed != nil && v.typed(e) {
		return b, true
	}
	b = v.cut(b, start)
	text := string(b[start:])
	return appendQuoted(b[:start], text), true
}

// string appends a string made of several parts.
func (n *jsonNode) string(b []byte, e *entry, omit bool) []byte {
	var whole []byte
	for i := range n.parts {
		p := &n.parts[i]
		if p.value == nil {
			whole = append(whole, p.literal...)
			continue
		}
		whole = p.value.text(whole, e, omit)
	}
	return appendQuoted(b, string(whole))
}

const hex = "0123456789abcdef"

// appendQuoted appends s as a JSON string (RFC 8259, section 7). Bytes that are
// no UTF-8 become U+FFFD: a line is always valid JSON, whatever a client sent.
func appendQuoted(b []byte, s string) []byte {
	b = append(b, '"')
	for i := 0; i < len(s); {
		c := s[i]
		if c >= utf8.RuneSelf {
			r, size := utf8.DecodeRuneInString(s[i:])
			b = utf8.AppendRune(b, r)
			i += size
			continue
		}
		i++
		switch {
		case c == '"' || c == '\\':
			b = append(b, '\\', c)
		case c == '\n':
			b = append(b, '\\', 'n')
		case c == '\r':
			b = append(b, '\\', 'r')
		case c == '\t':
			b = append(b, '\\', 't')
		case c < 0x20:
			b = append(b, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		default:
			b = append(b, c)
		}
	}
	return append(b, '"')
}
