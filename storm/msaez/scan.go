package msaez

import (
	"encoding/json"
	"fmt"
	"strings"
	"unicode/utf8"
)

// maxDepth is how deep values may nest. The tool's own files stay below 30.
const maxDepth = 1000

const cutOff = "the file was cut off: save or download it again"

// span is a stretch of the file, as byte offsets. MaxBytes fits in 32 bits,
// and models hold hundreds of thousands of these.
type span struct{ start, end int32 }

func (p span) empty() bool { return p.start == p.end }

// scanner reads JSON in a single pass over the bytes: it checks the grammar of
// RFC 8259, hands out the places of values instead of building a tree, and
// knows where it is. encoding/json scans every nested raw value again per
// level, keeps no offsets and accepts repeated keys, all of which matter here.
type scanner struct {
	data  []byte
	pos   int
	depth int
}

func (s *scanner) space() {
	for s.pos < len(s.data) {
		switch s.data[s.pos] {
		case ' ', '\t', '\n', '\r':
			s.pos++
		default:
			return
		}
	}
}

// peek is the first byte of the next token, or 0 at the end.
func (s *scanner) peek() byte {
	s.space()
	if s.pos >= len(s.data) {
		return 0
	}
	return s.data[s.pos]
}

func (s *scanner) expected(what string) *fault {
	if s.pos >= len(s.data) {
		return &fault{off: len(s.data), msg: "the file ends where " + what + " was expected", hint: cutOff}
	}
	r, _ := utf8.DecodeRune(s.data[s.pos:])
	return &fault{off: s.pos, msg: fmt.Sprintf("not valid JSON: expected %s but found %q", what, r), hint: "mend this place, or save the model from the tool again"}
}

// object reads an object. The callback gets each key, unescaped and only valid
// during the call, with its offset, and must consume the value.
func (s *scanner) object(each func(key []byte, at int) *fault) *fault {
	if s.peek() != '{' {
		return s.expected("an object")
	}
	if f := s.enter(); f != nil {
		return f
	}
	if s.peek() == '}' {
		s.leave()
		return nil
	}
	for {
		if s.peek() != '"' {
			return s.expected("a key in double quotes")
		}
		at := s.pos
		plain, f := s.str()
		if f != nil {
			return f
		}
		key := s.data[at+1 : s.pos-1]
		if !plain {
			key = []byte(unquote(s.data[at:s.pos]))
		}
		if s.peek() != ':' {
			return s.expected(`":" after a key`)
		}
		s.pos++
		if f := each(key, at); f != nil {
			return f
		}
		switch s.peek() {
		case ',':
			s.pos++
		case '}':
			s.leave()
			return nil
		default:
			return s.expected(`"," or "}"`)
		}
	}
}

// array reads an array. The callback must consume the value.
func (s *scanner) array(each func(i int) *fault) *fault {
	if s.peek() != '[' {
		return s.expected("a list")
	}
	if f := s.enter(); f != nil {
		return f
	}
	if s.peek() == ']' {
		s.leave()
		return nil
	}
	for i := 0; ; i++ {
		if f := each(i); f != nil {
			return f
		}
		switch s.peek() {
		case ',':
			s.pos++
		case ']':
			s.leave()
			return nil
		default:
			return s.expected(`"," or "]"`)
		}
	}
}

func (s *scanner) enter() *fault {
	if s.depth++; s.depth > maxDepth {
		return &fault{off: s.pos, msg: fmt.Sprintf("values nest more than %d levels deep", maxDepth), hint: "no model is that deep: check what wrote the file"}
	}
	s.pos++
	return nil
}

func (s *scanner) leave() {
	s.depth--
	s.pos++
}

// value checks and skips one value and tells where it lies.
func (s *scanner) value() (span, *fault) {
	c := s.peek()
	start := s.pos
	var f *fault
	switch {
	case c == '"':
		_, f = s.str()
	case c == '{':
		f = s.object(s.skipField)
	case c == '[':
		f = s.array(s.skipItem)
	case c == 't':
		f = s.word("true")
	case c == 'f':
		f = s.word("false")
	case c == 'n':
		f = s.word("null")
	case c == '-' || '0' <= c && c <= '9':
		f = s.number()
	default:
		f = s.expected("a value")
	}
	return span{int32(start), int32(s.pos)}, f
}

func (s *scanner) skipField([]byte, int) *fault {
	_, f := s.value()
	return f
}

func (s *scanner) skipItem(int) *fault {
	_, f := s.value()
	return f
}

func (s *scanner) word(w string) *fault {
	for i := range len(w) {
		if s.pos >= len(s.data) || s.data[s.pos] != w[i] {
			return s.expected(w)
		}
		s.pos++
	}
	return nil
}

func (s *scanner) digits() *fault {
	start := s.pos
	for s.pos < len(s.data) && '0' <= s.data[s.pos] && s.data[s.pos] <= '9' {
		s.pos++
	}
	if s.pos == start {
		return s.expected("a digit")
	}
	return nil
}

func (s *scanner) at(chars string) bool {
	return s.pos < len(s.data) && strings.IndexByte(chars, s.data[s.pos]) >= 0
}

func (s *scanner) number() *fault {
	if s.at("-") {
		s.pos++
	}
	if s.at("0") {
		s.pos++
	} else if f := s.digits(); f != nil {
		return f
	}
	if s.at(".") {
		s.pos++
		if f := s.digits(); f != nil {
			return f
		}
	}
	if s.at("eE") {
		s.pos++
		if s.at("+-") {
			s.pos++
		}
		return s.digits()
	}
	return nil
}

// str checks and skips a string; plain means that it holds no escapes.
func (s *scanner) str() (plain bool, _ *fault) {
	plain = true
	start := s.pos
	s.pos++
	for s.pos < len(s.data) {
		c := s.data[s.pos]
		switch {
		case c == '"':
			s.pos++
			return plain, nil
		case c == '\\':
			plain = false
			if f := s.escape(); f != nil {
				return false, f
			}
		case c < ' ':
			return false, s.expected("a text without raw control characters")
		default:
			s.pos++
		}
	}
	line, column := position(s.data, start)
	return false, s.expected(fmt.Sprintf("the closing quote of the text from %d:%d", line, column))
}

func (s *scanner) escape() *fault {
	s.pos++
	if !s.at(`"\/bfnrtu`) {
		return s.expected("an escape sequence")
	}
	s.pos++
	if s.data[s.pos-1] != 'u' {
		return nil
	}
	for range 4 {
		if !s.at("0123456789abcdefABCDEF") {
			return s.expected("four hexadecimal digits")
		}
		s.pos++
	}
	return nil
}

// unquote decodes a string that the scanner has accepted. Bytes that are no
// UTF-8 and lone surrogates become U+FFFD, as in encoding/json.
func unquote(quoted []byte) string {
	inner := quoted[1 : len(quoted)-1]
	for _, c := range inner {
		if c == '\\' || c >= utf8.RuneSelf {
			var text string
			if err := json.Unmarshal(quoted, &text); err != nil {
				return strings.ToValidUTF8(string(inner), "\uFFFD")
			}
			return text
		}
	}
	return string(inner)
}
