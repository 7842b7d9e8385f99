package msaez

import (
	"bufio"
	"io"
)

// indentDepth is where line breaks end: what lies deeper stays on one line, so
// that a hostile file cannot blow up through its own indentation.
const indentDepth = 40

const newline = "\n" // followed by two spaces per level

// write puts the document's tokens out, strings and numbers byte for byte as
// they are. The layout depends on the tokens alone, never on the white space
// read, so that writing what was written gives the same bytes.
func (d *Document) write(w io.Writer) error {
	out := bufio.NewWriterSize(w, 1<<16)
	depth := indentDepth
	// An indented line is at most 2*indentDepth bytes longer than its token.
	if int64(len(d.data))*(2*indentDepth+3) > MaxBytes {
		var n counter
		count := bufio.NewWriterSize(&n, 1<<16)
		layout(count, d.data, depth)
		_ = count.Flush()
		if n+1 > MaxBytes {
			depth = 0 // as compact as it came: it must stay small enough to be read again
		}
	}
	layout(out, d.data, depth)
	_ = out.WriteByte('\n')
	return out.Flush()
}

type counter int64

func (c *counter) Write(p []byte) (int, error) {
	*c += counter(len(p))
	return len(p), nil
}

// layout writes checked JSON with line breaks down to a depth. Errors stay in
// the bufio.Writer until it is flushed.
func layout(out *bufio.Writer, data []byte, breaks int) {
	depth := 0
	next := func(i int) int {
		for i < len(data) && data[i] <= ' ' {
			i++
		}
		return i
	}
	line := func() {
		_, _ = out.WriteString(newline)
		for range depth {
			_, _ = out.WriteString("  ")
		}
	}
	for i := next(0); i < len(data); i = next(i) {
		start := i
		switch c := data[i]; c {
		case '{', '[':
			i++
			if j := next(i); j < len(data) && (data[j] == '}' || data[j] == ']') {
				_ = out.WriteByte(c)
				_ = out.WriteByte(data[j])
				i = j + 1
				continue
			}
			_ = out.WriteByte(c)
			if depth++; depth <= breaks {
				line()
			}
		case '}', ']':
			i++
			if depth--; depth < breaks {
				line()
			}
			_ = out.WriteByte(c)
		case ',':
			i++
			_ = out.WriteByte(c)
			if depth <= breaks {
				line()
			}
		case ':':
			i++
			_ = out.WriteByte(c)
			if depth <= breaks {
				_ = out.WriteByte(' ')
			}
		default:
			i = tokenEnd(data, i)
			_, _ = out.Write(data[start:i])
		}
	}
}

// tokenEnd is the end of the string, number or word that begins at i.
func tokenEnd(data []byte, i int) int {
	if data[i] == '"' {
		for i++; data[i] != '"'; i++ {
			if data[i] == '\\' {
				i++
			}
		}
		return i + 1
	}
	for i < len(data) {
		switch data[i] {
		case ',', ':', '}', ']', ' ', '\t', '\n', '\r':
			return i
		}
		i++
	}
	return i
}
