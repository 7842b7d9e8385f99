package manifest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"unicode/utf16"
	"unicode/utf8"
)

// The kinds of a value; a scalar's text is what JSON says, strings unescaped.
const (
	kindNull    = iota
	kindLiteral // true, false or a number, as written in the JSON
	kindString
	kindMap
	kindList
)

// value is a JSON value that keeps the order of its keys, which encoding/json
// cannot.
type value struct {
	kind   uint8
	text   []byte
	fields []field // of a map
	items  []value // of a list
}

type field struct {
	key []byte
	value
}

// scratch is memory that trees use one after the other.
type scratch struct {
	buf    bytes.Buffer
	fields []field
}

// toTree marshals v with the type's own JSON rules and reads the result back
// in order. The tree points into the scratch memory: it lasts until the next.
func toTree(v any, s *scratch) (value, error) {
	s.buf.Reset()
	enc := json.NewEncoder(&s.buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return value{}, fmt.Errorf("encode %T: %w", v, err)
	}
	d := jsonReader{data: s.buf.Bytes(), fields: s.fields[:0]}
	tree := d.value()
	s.fields = d.fields
	return tree, nil
}

// jsonReader reads what encoding/json wrote: the input is valid, so it only
// needs to find the ends.
type jsonReader struct {
	data   []byte
	at     int
	fields []field // of the objects that are open, the innermost last
}

func (d *jsonReader) space() byte {
	for d.at < len(d.data) {
		switch c := d.data[d.at]; c {
		case ' ', '\t', '\n', '\r':
			d.at++
		default:
			return c
		}
	}
	return 0
}

func (d *jsonReader) value() value {
	switch d.space() {
	case '{':
		return d.object()
	case '[':
		return d.array()
	case '"':
		return value{kind: kindString, text: d.quoted()}
	}
	start := d.at
	for d.at < len(d.data) && !bytes.ContainsRune([]byte(",]} \t\r\n"), rune(d.data[d.at])) {
		d.at++
	}
	text := d.data[start:d.at]
	if string(text) == "null" {
		return value{kind: kindNull, text: text}
	}
	return value{kind: kindLiteral, text: text}
}

func (d *jsonReader) object() value {
	d.at++
	mark := len(d.fields)
	for d.space() != '}' {
		key := d.quoted()
		d.space()
		d.at++ // the colon
		v := d.value()
		d.fields = append(d.fields, field{key, v})
		if d.space() == ',' {
			d.at++
			d.space()
		}
	}
	d.at++
	v := value{kind: kindMap, fields: slices.Clone(d.fields[mark:])}
	d.fields = d.fields[:mark]
	return v
}

func (d *jsonReader) array() value {
	v := value{kind: kindList}
	d.at++
	for d.space() != ']' {
		v.items = append(v.items, d.value())
		if d.space() == ',' {
			d.at++
		}
	}
	d.at++
	return v
}

func (d *jsonReader) quoted() []byte {
	d.at++
	start := d.at
	escaped := false
	for d.data[d.at] != '"' {
		if d.data[d.at] == '\\' {
			escaped = true
			d.at++
		}
		d.at++
	}
	text := d.data[start:d.at]
	d.at++
	if escaped {
		return unescape(text)
	}
	return text
}

var jsonEscapes = map[byte]byte{'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t'}

func unescape(text []byte) []byte {
	out := make([]byte, 0, len(text))
	for i := 0; i < len(text); i++ {
		if text[i] != '\\' {
			out = append(out, text[i])
			continue
		}
		i++
		if text[i] != 'u' {
			c, ok := jsonEscapes[text[i]]
			if !ok {
				c = text[i]
			}
			out = append(out, c)
			continue
		}
		r := hex4(text[i+1:])
		i += 4
		if utf16.IsSurrogate(r) {
			low := rune(0)
			if i+6 < len(text) && text[i+1] == '\\' && text[i+2] == 'u' {
				low = hex4(text[i+3:])
			}
			if r = utf16.DecodeRune(r, low); r != utf8.RuneError {
				i += 6
			}
		}
		out = utf8.AppendRune(out, r)
	}
	return out
}

func hex4(text []byte) rune {
	var r rune
	for _, c := range text[:4] {
		switch {
		case c >= 'a':
			c -= 'a' - 10
		case c >= 'A':
			c -= 'A' - 10
		default:
			c -= '0'
		}
		r = r<<4 | rune(c)
	}
	return r
}

// tidy drops what typed Kubernetes structs write for zero values, and puts the
// keys people look for first. key is the key that holds v, "" at the top.
func tidy(v *value, key string) {
	switch v.kind {
	case kindList:
		for i := range v.items {
			tidy(&v.items[i], "")
		}
	case kindMap:
		described := v.has("metadata")
		v.fields = slices.DeleteFunc(v.fields, func(f field) bool {
			return f.kind == kindNull || artefact(&f, described)
		})
		for i := range v.fields {
			tidy(&v.fields[i].value, string(v.fields[i].key))
		}
		v.fields = slices.DeleteFunc(v.fields, func(f field) bool {
			return string(f.key) == "metadata" && f.kind == kindMap && len(f.fields) == 0
		})
		arrange(v, key)
	}
}

// artefact tells whether a field is there only because its Go type has no way
// to leave it out. described is true inside an object with metadata, where a
// status is the API server's to write; elsewhere an empty status may mean
// something, as in a CRD's subresources.
func artefact(f *field, described bool) bool {
	switch string(f.key) {
	case "status":
		return described && f.kind == kindMap && zero(&f.value)
	case "resources", "strategy", "updateStrategy":
		return f.kind == kindMap && len(f.fields) == 0
	}
	return false
}

func zero(v *value) bool {
	switch v.kind {
	case kindMap:
		for i := range v.fields {
			if !zero(&v.fields[i].value) {
				return false
			}
		}
		return true
	case kindList:
		return len(v.items) == 0
	case kindString:
		return len(v.text) == 0
	case kindLiteral:
		return string(v.text) == "0" || string(v.text) == "false"
	}
	return true
}

func (v *value) has(key string) bool {
	for i := range v.fields {
		if string(v.fields[i].key) == key {
			return true
		}
	}
	return false
}

func arrange(v *value, key string) {
	rank := func(f field) int { return 0 }
	switch {
	case key == "metadata":
		rank = func(f field) int {
			switch string(f.key) {
			case "name":
				return -5
			case "generateName":
				return -4
			case "namespace":
				return -3
			case "labels":
				return -2
			case "annotations":
				return -1
			}
			return 0
		}
	case v.has("kind") && v.has("apiVersion"):
		rank = func(f field) int {
			switch string(f.key) {
			case "apiVersion":
				return -3
			case "kind":
				return -2
			case "metadata":
				return -1
			case "status":
				return 1
			}
			return 0
		}
	default:
		return
	}
	slices.SortStableFunc(v.fields, func(a, b field) int { return rank(a) - rank(b) })
}
