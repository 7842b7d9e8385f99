package manifest

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// SyntaxError says where a file stops being readable YAML.
type SyntaxError struct {
	Path   string
	Line   int // 1-based; 0 where the whole file is meant
	Column int // 1-based, in characters
	Msg    string
	Hint   string // the next step, may be ""
}

// Error is "file:line:column: what is wrong: what to do".
func (e *SyntaxError) Error() string {
	var b strings.Builder
	b.WriteString(e.Path)
	if e.Line > 0 {
		fmt.Fprintf(&b, ":%d:%d", e.Line, e.Column)
	}
	b.WriteString(": " + e.Msg)
	if e.Hint != "" {
		b.WriteString("; " + e.Hint)
	}
	return b.String()
}

// ErrTooLarge is wrapped by the error for a file of more than MaxFileSize.
var ErrTooLarge = errors.New("file too large")

var yamlPlace = regexp.MustCompile(`^(?:line (\d+): )?((?s:.*))$`)

// hints are next steps for what people run into; the key is part of the
// parser's message.
var hints = []struct{ part, hint string }{
	{"found character that cannot start any token", "indent with spaces, not tabs, and quote values that begin with @, ` or %"},
	{"mapping values are not allowed", "quote a value that contains \": \", or check the indentation"},
	{"could not find expected ':'", "put a colon and a space after the key, or check the indentation of the lines above"},
	{"did not find expected key", "check the indentation of this line and of the one above"},
	{"did not find expected '-' indicator", "check the indentation of this line and of the one above"},
	{"unexpected end of stream", "close the quotes and brackets that are still open"},
	{"unknown anchor", "define the anchor with & before it is used"},
	{"control characters are not allowed", "remove the control character or write it as an escape in double quotes"},
	{"exceeded max depth", "nest less deep"},
	{"block sequence entries are not allowed", "put the list on the line after its key"},
}

// syntaxError turns an error of the YAML parser into one with a place in the
// file. text is what was parsed, its first line is the given one.
func syntaxError(path string, text []byte, line int, err error) *SyntaxError {
	m := yamlPlace.FindStringSubmatch(strings.TrimPrefix(err.Error(), "yaml: "))
	e := &SyntaxError{Path: path, Line: line, Column: 1, Msg: m[2]}
	at, _ := strconv.Atoi(m[1])
	lines := newLines(text)
	at = min(max(at, 1), max(lines.count(), 1))
	if at <= lines.count() {
		content := lines.text(at)
		e.Column = 1 + len(content) - len(strings.TrimLeft(string(content), " \t"))
	}
	e.Line += at - 1
	for _, h := range hints {
		if strings.Contains(e.Msg, h.part) {
			e.Hint = h.hint
			break
		}
	}
	return e
}
