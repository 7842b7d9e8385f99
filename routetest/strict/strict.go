// Package strict reads YAML that people wrote, key by key. It takes the nodes of
// a parsed file and what is expected of them, and gives values, or errors with
// file, line and column that name what was meant instead: an unknown key is an
// error, never passed over.
package strict

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Error says what is wrong at one place of a file.
type Error struct {
	Path   string
	Line   int // 1-based; 0 where the whole file is meant
	Column int // 1-based, in characters
	Msg    string
	Hint   string // the next step, may be ""
}

// Error is "file:line:column: what is wrong; what to do".
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(e.Path)
	if e.Line > 0 {
		fmt.Fprintf(&b, ":%d:%d", e.Line, max(e.Column, 1))
	}
	b.WriteString(": " + e.Msg)
	if e.Hint != "" {
		b.WriteString("; " + e.Hint)
	}
	return b.String()
}

// Reader gathers the errors of one file.
type Reader struct {
	Path   string
	Errors []error // all *Error, in the order they were found
}

// Fail notes what is wrong with n.
func (r *Reader) Fail(n *yaml.Node, hint, format string, args ...any) {
	r.Errors = append(r.Errors, &Error{r.Path, n.Line, n.Column, fmt.Sprintf(format, args...), hint})
}

// Pair is one key of a mapping and its value.
type Pair struct {
	Key, Value *yaml.Node
}

// Resolve follows aliases; package manifest has refused those that never end.
func Resolve(n *yaml.Node) *yaml.Node {
	for n != nil && n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	return n
}

// Pairs are the keys of a mapping in the order written, those merged with <<
// behind its own. It is nil for anything else.
func Pairs(n *yaml.Node) []Pair {
	if n = Resolve(n); n == nil || n.Kind != yaml.MappingNode {
		return nil
	}
	var own []Pair
	var merged []*yaml.Node
	seen := map[string]bool{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := Resolve(n.Content[i]), Resolve(n.Content[i+1])
		switch {
		case key.Tag != "!!merge":
			own = append(own, Pair{key, value})
			seen[key.Value] = true
		case value.Kind == yaml.SequenceNode:
			merged = append(merged, value.Content...)
		default:
			merged = append(merged, value)
		}
	}
	for _, m := range merged {
		for _, p := range Pairs(m) {
			if !seen[p.Key.Value] {
				own = append(own, p)
				seen[p.Key.Value] = true
			}
		}
	}
	return own
}

// Get is the value of a mapping's key, or nil.
func Get(n *yaml.Node, key string) *yaml.Node {
	for _, p := range Pairs(n) {
		if p.Key.Value == key {
			return p.Value
		}
	}
	return nil
}

// Fields are the values of a mapping that may have only the allowed keys. what
// names the mapping in messages: "a test". Keys with no value are left out.
func (r *Reader) Fields(n *yaml.Node, what string, allowed ...string) map[string]*yaml.Node {
	n = Resolve(n)
	if n.Kind != yaml.MappingNode {
		if !Null(n) {
			r.Fail(n, "write KEY: VALUE lines with the keys "+strings.Join(allowed, ", "), "%s is %s, expected a mapping", what, Kind(n))
		}
		return nil
	}
	fields := map[string]*yaml.Node{}
	for _, p := range Pairs(n) {
		if !slices.Contains(allowed, p.Key.Value) {
			r.Unknown(p.Key, what, allowed)
			continue
		}
		if !Null(p.Value) {
			fields[p.Key.Value] = p.Value
		}
	}
	return fields
}

// Unknown notes a key that what does not have.
func (r *Reader) Unknown(key *yaml.Node, what string, allowed []string) {
	hint := "the keys are " + strings.Join(allowed, ", ")
	if near := Nearest(key.Value, allowed); near != "" {
		hint = "did you mean " + near + "?"
	}
	r.Fail(key, hint, "%s has no key %q", what, key.Value)
}

// Text is a scalar as it is written; ok is false, and an error noted, for
// anything else.
func (r *Reader) Text(n *yaml.Node, what string) (text string, ok bool) {
	n = Resolve(n)
	if n.Kind != yaml.ScalarNode || Null(n) {
		r.Fail(n, "", "%s is %s, expected text", what, Kind(n))
		return "", false
	}
	return n.Value, true
}

// Int is a whole number of at least low.
func (r *Reader) Int(n *yaml.Node, what string, low int) (int, bool) {
	text, ok := r.Text(n, what)
	if !ok {
		return 0, false
	}
	v, err := strconv.Atoi(text)
	if err != nil || v < low {
		r.Fail(n, "", "%s is %q, expected a whole number of at least %d", what, text, low)
		return 0, false
	}
	return v, true
}

// Float is a number of at least 0.
func (r *Reader) Float(n *yaml.Node, what string) (float64, bool) {
	text, ok := r.Text(n, what)
	if !ok {
		return 0, false
	}
	v, err := strconv.ParseFloat(text, 64)
	if err != nil || !(v >= 0) || v > 1e9 {
		r.Fail(n, "", "%s is %q, expected a number", what, text)
		return 0, false
	}
	return v, true
}

// Bool is true or false.
func (r *Reader) Bool(n *yaml.Node, what string) bool {
	text, ok := r.Text(n, what)
	if ok && text != "true" && text != "false" {
		r.Fail(n, "", "%s is %q, expected true or false", what, text)
	}
	return text == "true"
}

// List are the entries of a list.
func (r *Reader) List(n *yaml.Node, what string) []*yaml.Node {
	n = Resolve(n)
	if Null(n) {
		return nil
	}
	if n.Kind != yaml.SequenceNode {
		r.Fail(n, "write a list: one entry per line, each behind \"- \"", "%s is %s, expected a list", what, Kind(n))
		return nil
	}
	items := make([]*yaml.Node, len(n.Content))
	for i, c := range n.Content {
		items[i] = Resolve(c)
	}
	return items
}

// Null reports whether n holds no value.
func Null(n *yaml.Node) bool {
	return n == nil || n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null"
}

// Kind names what n is.
func Kind(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "a mapping"
	case yaml.SequenceNode:
		return "a list"
	}
	if Null(n) {
		return "empty"
	}
	return fmt.Sprintf("%q", n.Value)
}
