package manifest

import (
	"bytes"
	"errors"
	"strconv"
	"strings"
	"unicode/utf8"
)

// appendString writes a string that has no place of its own, such as a key or
// a value on one line: plain where every YAML parser reads it back as the same
// string, quoted elsewhere.
func appendString(out, s []byte) []byte {
	if plain(s) {
		return append(out, s...)
	}
	if bytes.IndexByte(s, '"') < 0 && bytes.IndexByte(s, '\\') < 0 || bytes.IndexByte(s, '\'') >= 0 || !printable(s) {
		return appendDoubleQuoted(out, s)
	}
	out = append(out, '\'')
	out = append(out, s...)
	return append(out, '\'')
}

// plain tells whether s can stand without quotes, in block and flow context of
// both YAML 1.1 and 1.2 where it cannot contain flow indicators.
func plain(s []byte) bool {
	if len(s) == 0 || ambiguous(s) {
		return false
	}
	switch s[0] {
	case '-':
		if len(s) == 1 || s[1] == ' ' || bytes.HasPrefix(s, []byte("---")) {
			return false
		}
	case '.':
		if bytes.HasPrefix(s, []byte("...")) {
			return false
		}
	case '?', ':', ',', '[', ']', '{', '}', '#', '&', '*', '!', '|', '>', '\'', '"', '%', '@', '`', ' ', '=', '\t':
		return false
	}
	if last := s[len(s)-1]; last == ' ' || last == ':' {
		return false
	}
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case ' ':
			if s[i-1] == ':' || i+1 < len(s) && s[i+1] == '#' {
				return false
			}
		case '\t':
			return false
		}
	}
	return printable(s)
}

// printable tells whether s is valid on one line as it is.
func printable(s []byte) bool {
	for i := 0; i < len(s); {
		c := s[i]
		if c < utf8.RuneSelf {
			if c < ' ' && c != '\t' || c == 0x7f {
				return false
			}
			i++
			continue
		}
		r, n := utf8.DecodeRune(s[i:])
		if !printableRune(r, n) {
			return false
		}
		i += n
	}
	return true
}

// printableRune follows YAML 1.2's c-printable, less the line breaks of YAML
// 1.1 and the byte order mark.
func printableRune(r rune, size int) bool {
	switch {
	case r == utf8.RuneError && size <= 1, r < 0xa0, r == '\u2028', r == '\u2029', r == '\ufeff', r == 0xfffe, r == 0xffff:
		return false
	}
	return true
}

func appendDoubleQuoted(out, s []byte) []byte {
	const digits = "0123456789ABCDEF"
	out = append(out, '"')
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRune(s[i:])
		switch {
		case r == '"' || r == '\\':
			out = append(out, '\\', byte(r))
		case r == '\n':
			out = append(out, '\\', 'n')
		case r == '\t':
			out = append(out, '\\', 't')
		case r == '\r':
			out = append(out, '\\', 'r')
		case r < ' ' || r == 0x7f:
			out = append(out, '\\', 'x', digits[r>>4], digits[r&15])
		case r >= utf8.RuneSelf && !printableRune(r, n):
			out = append(out, '\\', 'u', digits[r>>12&15], digits[r>>8&15], digits[r>>4&15], digits[r&15])
		default:
			out = append(out, s[i:i+n]...)
		}
		i += n
	}
	return append(out, '"')
}

// ambiguous tells whether a plain s would be read as something other than a
// string by a parser of YAML 1.1 (https://yaml.org/type/) or 1.2.
func ambiguous(s []byte) bool {
	if len(s) <= 5 {
		switch string(s) {
		case "~", "null", "Null", "NULL", "true", "True", "TRUE", "false", "False", "FALSE",
			"y", "Y", "yes", "Yes", "YES", "n", "N", "no", "No", "NO",
			"on", "On", "ON", "off", "Off", "OFF", "<<", "=":
			return true
		}
	}
	switch c := s[0]; {
	case c >= '0' && c <= '9', c == '+', c == '-', c == '.':
		return numeric(s)
	}
	return false
}

func numeric(s []byte) bool {
	if s[0] == '+' || s[0] == '-' {
		s = s[1:]
	}
	whole := s
	s = bytes.ReplaceAll(s, []byte("_"), nil) // YAML 1.1 allows them anywhere
	switch string(s) {
	case "":
		return false
	case ".inf", ".Inf", ".INF", ".nan", ".NaN", ".NAN":
		return true
	}
	if c := s[0]; (c < '0' || c > '9') && c != '.' {
		return false
	}
	if len(s) > 80 {
		// No number people write is that long, but a parser would still take it.
		return len(bytes.Trim(s, "0123456789abcdefABCDEFxXoOpP_.+-:")) == 0
	}
	digits := string(s)
	for _, base := range []string{"0o", "0b"} {
		// Some parsers take a second sign after the prefix.
		if rest, ok := strings.CutPrefix(digits, base); ok && len(strings.Trim(rest, "+-01234567")) == 0 {
			return true
		}
	}
	if _, err := strconv.ParseUint(digits, 0, 64); err == nil || isRange(err) {
		return true
	}
	if _, err := strconv.ParseFloat(digits, 64); err == nil || isRange(err) {
		return true
	}
	return date(whole) || sexagesimal(digits)
}

func isRange(err error) bool {
	return errors.Is(err, strconv.ErrRange)
}

// date tells whether s begins as a YAML timestamp does: 2006-1-2.
func date(s []byte) bool {
	if len(s) < 8 || s[4] != '-' {
		return false
	}
	for _, c := range s[:4] {
		if c < '0' || c > '9' {
			return false
		}
	}
	rest := bytes.TrimLeft(s[5:], "0123456789")
	if n := len(s) - 5 - len(rest); n < 1 || n > 2 || len(rest) < 2 || rest[0] != '-' {
		return false
	}
	return rest[1] >= '0' && rest[1] <= '9'
}

// sexagesimal is YAML 1.1's base 60: 190:20:30, 190:20:30.15.
func sexagesimal(s string) bool {
	parts, part, colons := 0, 0, 0
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c >= '0' && c <= '9':
			part++
			if colons > 0 && parts == 0 && (part > 2 || part == 2 && s[i-1] > '5') {
				return false
			}
		case c == ':' && part > 0 && parts == 0:
			colons++
			part = 0
		case c == '.' && parts == 0 && colons > 0:
			parts++
		default:
			return false
		}
	}
	return colons > 0
}

// literal tells whether s can be written as a literal block and read back the
// same: lines of printable text, the first one not indented, and at most one
// line break at the end.
func literal(s []byte) bool {
	first := bytes.IndexByte(s, '\n')
	if first <= 0 || s[0] == ' ' || s[0] == '\t' || s[len(s)-1] == '\n' && s[len(s)-2] == '\n' {
		return false
	}
	last := s[bytes.LastIndexByte(s[:len(s)-1], '\n')+1:]
	if len(bytes.TrimSpace(last)) == 0 {
		return false
	}
	for len(s) > 0 {
		line, rest, _ := bytes.Cut(s, []byte("\n"))
		if !printable(line) {
			return false
		}
		s = rest
	}
	return true
}
