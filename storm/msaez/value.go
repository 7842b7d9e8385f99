package msaez

import (
	"bytes"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/meshstorm/meshstorm/storm"
)

// The functions here read single values. They accept what the tool, its AI
// generators and hand editing have put where a text, number or flag belongs;
// what had to be converted is a warning.

// kindName is what a value is, for messages.
func kindName(raw []byte) string {
	switch raw[0] {
	case '"':
		return "a text"
	case '{':
		return "an object"
	case '[':
		return "a list"
	case 't', 'f':
		return "true or false"
	case 'n':
		return "null"
	}
	return "a number"
}

func (r *reader) raw(p span) []byte { return r.data[p.start:p.end] }

// has tells whether there is a value other than null.
func (r *reader) has(p span) bool { return !p.empty() && r.data[p.start] != 'n' }

// is tells whether the value begins with this byte: '{', '[' or '"'.
func (r *reader) is(p span, first byte) bool { return !p.empty() && r.data[p.start] == first }

// inside scans a value that was found before.
func (r *reader) inside(p span) *scanner {
	return &scanner{data: r.data[:p.end], pos: int(p.start)}
}

func (r *reader) warn(e *storm.Element, format string, args ...any) {
	w := storm.Warning{Message: fmt.Sprintf(format, args...)}
	if e != nil {
		w.ID, w.Element = e.ID, e.String()
	}
	r.model.Warnings = append(r.model.Warnings, w)
}

// mistyped warns about a value of the wrong type.
func (r *reader) mistyped(e *storm.Element, p span, what, expected, instead string) {
	whose := "its"
	if e == nil {
		whose = "the model's"
	}
	r.warn(e, "%s %s is %s where %s was expected; %s", whose, what, kindName(r.raw(p)), expected, instead)
}

// text reads a text; "" for null and for what is missing.
func (r *reader) text(e *storm.Element, p span, what string) string {
	if !r.has(p) {
		return ""
	}
	raw := r.raw(p)
	switch raw[0] {
	case '"':
		return unquote(raw)
	case '{', '[':
		r.mistyped(e, p, what, "text", "it is left out")
		return ""
	}
	r.mistyped(e, p, what, "text", fmt.Sprintf("it is read as %q", raw))
	return string(raw)
}

// id reads an id and shares the memory of the sticker's own where it can: ids
// make up much of a model.
func (r *reader) id(e *storm.Element, p span, what string) string {
	if r.is(p, '"') {
		if known := r.ids[string(r.data[p.start+1:p.end-1])]; known != nil && known.ID == string(r.data[p.start+1:p.end-1]) {
			return known.ID
		}
	}
	return r.text(e, p, what)
}

// word reads a text that occurs often, such as a class name, and shares its
// memory.
func (r *reader) word(e *storm.Element, p span, what string) string {
	if !r.is(p, '"') {
		return r.text(e, p, what)
	}
	raw := r.raw(p)
	if w, ok := r.words[string(raw)]; ok {
		return w
	}
	w := unquote(raw)
	if r.words == nil {
		r.words = map[string]string{}
	}
	r.words[string(raw)] = w
	return w
}

// number reads a finite number; ok is false for null, for what is missing and
// for what is none.
func (r *reader) number(e *storm.Element, p span, what string) (n float64, ok bool) {
	if !r.has(p) {
		return 0, false
	}
	text := string(r.raw(p))
	switch text[0] {
	case '"':
		text = strings.TrimSpace(unquote(r.raw(p)))
		n, err := strconv.ParseFloat(strings.TrimSuffix(text, "px"), 64)
		if err != nil || math.IsNaN(n) || math.IsInf(n, 0) {
			r.mistyped(e, p, what, "a number", "it is left out")
			return 0, false
		}
		r.mistyped(e, p, what, "a number", fmt.Sprintf("it is read as %v", n))
		return n, true
	case '{', '[', 't', 'f':
		r.mistyped(e, p, what, "a number", "it is left out")
		return 0, false
	}
	n, err := strconv.ParseFloat(text, 64)
	if err != nil {
		r.warn(e, "its %s %s is too large a number; it is left out", what, text)
		return 0, false
	}
	return n, true
}

// flag reads true or false; known is false for null and for what is missing.
// The tool itself has saved flags of relations as "true".
func (r *reader) flag(e *storm.Element, p span, what string) (on, known bool) {
	if !r.has(p) {
		return false, false
	}
	raw := r.raw(p)
	switch strings.ToLower(strings.Trim(string(raw), `" `)) {
	case "true":
		return true, true
	case "false", "":
		return false, true
	}
	if raw[0] == '0' || raw[0] == '1' {
		r.mistyped(e, p, what, "true or false", fmt.Sprintf("it is read as %t", raw[0] == '1'))
		return raw[0] == '1', true
	}
	r.mistyped(e, p, what, "true or false", "it is left out")
	return false, false
}

// pick hands the fields of an object to the callback; nothing where the value
// is no object. A key is only valid during its call.
func (r *reader) pick(p span, each func(key []byte, at span)) {
	if !r.is(p, '{') {
		return
	}
	s := r.inside(p)
	_ = s.object(func(key []byte, _ int) *fault {
		at, f := s.value()
		if f == nil {
			each(key, at)
		}
		return f
	})
}

// items hands the values of a list, or of a map in its stead, to the callback,
// without the null ones.
func (r *reader) items(e *storm.Element, p span, what string, each func(key []byte, at span)) {
	skipNull := func(key []byte, at span) {
		if r.has(at) {
			each(key, at)
		}
	}
	switch {
	case !r.has(p):
	case r.is(p, '{'):
		r.pick(p, skipNull)
	case r.is(p, '['):
		s := r.inside(p)
		_ = s.array(func(int) *fault {
			at, f := s.value()
			if f == nil {
				skipNull(nil, at)
			}
			return f
		})
	default:
		r.mistyped(e, p, what, "a list", "it is left out")
	}
}

// ref reads a reference: {"id": …, "name": …} or only the id.
func (r *reader) ref(e *storm.Element, p span, what string) ref {
	switch {
	case !r.has(p):
		return ref{}
	case r.is(p, '{'):
		var found ref
		var view string
		r.pick(p, func(key []byte, at span) {
			switch string(key) {
			case "id":
				found.id = r.id(e, at, what)
			case "name":
				found.name = r.word(e, at, what)
			case "elementView":
				view = r.viewID(at, "")
			}
		})
		if found.id == "" {
			found.id = view
		}
		return found
	}
	if c := r.data[p.start]; c == 't' || c == 'f' {
		r.mistyped(e, p, what, "an id", "it is left out")
		return ref{}
	}
	return ref{id: r.id(e, p, what)}
}

// viewID reads the id in an elementView or relationView, or in a whole copy of
// an element. Most often it is the element's own.
func (r *reader) viewID(p span, own string) string {
	id := ""
	r.pick(p, func(key []byte, at span) {
		if string(key) != "id" || !r.is(at, '"') {
			return
		}
		if id = own; string(r.data[at.start+1:at.end-1]) != own {
			id = unquote(r.raw(at))
		}
	})
	return id
}

// short trims long values for messages.
func short(text string) string {
	const most = 40
	runes := bytes.Runes([]byte(text))
	if len(runes) > most {
		return string(runes[:most]) + "…"
	}
	return text
}
