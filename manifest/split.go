package manifest

import (
	"bytes"
	"unicode/utf8"
)

// chunk is one document's place in a file, from its separator (or the file's
// start) up to the next one.
type chunk struct {
	line  int // 1-based, of the first byte
	start int
	body  int // after the separator's line, or after "--- " where content follows on it
	end   int
}

// split finds the documents of a file by lines alone: "---" and "..." at the
// left edge end a document in every context (YAML 1.2, section 9.1.2). Chunks
// that hold nothing are left out, but a file has at least one chunk unless it
// is empty.
func split(data []byte) []chunk {
	if !oddBreaks(data) {
		return splitPlain(data)
	}
	var chunks []chunk
	c := chunk{line: 1}
	ended, content := false, false
	for at, line := 0, 1; at < len(data); line++ {
		next := at + lineLength(data[at:])
		chunks, c, ended, content = advance(data, chunks, c, at, next, line, ended, content)
		at = next
	}
	c.end = len(data)
	return append(chunks, c)
}

// oddBreaks tells whether data has line breaks other than LF and CRLF that a
// YAML 1.1 parser counts as lines.
func oddBreaks(data []byte) bool {
	if at := bytes.IndexByte(data, '\r'); at >= 0 {
		for i := at; i < len(data); i++ {
			if data[i] == '\r' && (i+1 == len(data) || data[i+1] != '\n') {
				return true
			}
		}
	}
	return bytes.Contains(data, []byte("\u0085")) || bytes.Contains(data, []byte("\u2028")) ||
		bytes.Contains(data, []byte("\u2029"))
}

func splitPlain(data []byte) []chunk {
	chunks := make([]chunk, 0, 1+bytes.Count(data, []byte("\n---")))
	c := chunk{line: 1}
	ended, content := false, false
	for at, line := 0, 1; at < len(data); line++ {
		next := len(data)
		if i := bytes.IndexByte(data[at:], '\n'); i >= 0 {
			next = at + i + 1
		}
		if b := data[at]; b == '-' || b == '.' || b == '%' || ended || !content {
			chunks, c, ended, content = advance(data, chunks, c, at, next, line, ended, content)
		}
		at = next
	}
	c.end = len(data)
	return append(chunks, c)
}

// advance looks at one line. ended: the line before was "..."; content: the
// chunk has lines of its own already.
func advance(data []byte, chunks []chunk, c chunk, at, next, line int, ended, content bool) ([]chunk, chunk, bool, bool) {
	text := data[at:next]
	switch {
	case marker(text, "---"):
		// Directives and an end marker before "---" belong to this document.
		if at > 0 && (content || ended || c.body > c.start) {
			c.end = at
			chunks = append(chunks, c)
			c = chunk{line: line, start: at}
		}
		c.body = next
		if len(bytes.TrimSpace(text[3:])) > 0 {
			c.body = at + 3
			return chunks, c, false, true
		}
		return chunks, c, false, false
	case marker(text, "..."):
		return chunks, c, true, content
	case text[0] == '%' && (ended || !content && c.body == c.start):
		if ended {
			c.end = at
			chunks = append(chunks, c)
			c = chunk{line: line, start: at, body: at}
		}
		return chunks, c, false, false
	case len(bytes.TrimSpace(text)) == 0:
		return chunks, c, ended, content
	case ended:
		// A document after "..." needs no "---".
		c.end = at
		return append(chunks, c), chunk{line: line, start: at, body: at}, false, true
	}
	return chunks, c, false, true
}

// marker tells whether a line is a document marker: alone or followed by white
// space.
func marker(line []byte, mark string) bool {
	if len(line) < 3 || string(line[:3]) != mark {
		return false
	}
	if len(line) == 3 {
		return true
	}
	switch line[3] {
	case ' ', '\t', '\r', '\n':
		return true
	}
	return breakLength(line[3:]) > 0
}

// lineLength is the length of the first line with its break, as YAML 1.1 and
// the parser count lines: CR, LF, CRLF, NEL, LS and PS.
func lineLength(data []byte) int {
	for i := 0; i < len(data); i++ {
		if n := breakLength(data[i:]); n > 0 {
			return i + n
		}
	}
	return len(data)
}

func breakLength(data []byte) int {
	switch data[0] {
	case '\n':
		return 1
	case '\r':
		if len(data) > 1 && data[1] == '\n' {
			return 2
		}
		return 1
	case 0xc2, 0xe2:
		if r, n := utf8.DecodeRune(data); r == '\u0085' || r == '\u2028' || r == '\u2029' {
			return n
		}
	}
	return 0
}
