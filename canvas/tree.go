package canvas

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// maxDepth is deeper than any Kubernetes object; what is nested deeper is no
// object.
const maxDepth = 200

// fromJSON reads a JSON value into a YAML tree with its keys in order. Nulls
// in mappings are dropped: to the API server they are absent fields. Of a key
// that repeats, the last value stands, as in a browser.
func fromJSON(data []byte) (*yaml.Node, error) {
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	n, err := readValue(d, 0)
	if err != nil {
		return nil, err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("more than one JSON value")
	}
	return n, nil
}

func readValue(d *json.Decoder, depth int) (*yaml.Node, error) {
	if depth > maxDepth {
		return nil, fmt.Errorf("nested deeper than %d levels", maxDepth)
	}
	token, err := d.Token()
	if err != nil {
		return nil, err
	}
	switch t := token.(type) {
	case json.Delim:
		if t == '{' {
			return readMapping(d, depth)
		}
		return readSequence(d, depth)
	case string:
		return str(t), nil
	case json.Number:
		tag := "!!float"
		if _, err := strconv.ParseInt(t.String(), 10, 64); err == nil {
			tag = "!!int"
		}
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: tag, Value: t.String()}, nil
	case bool:
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!bool", Value: strconv.FormatBool(t)}, nil
	}
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!null", Value: "null"}, nil
}

func readMapping(d *json.Decoder, depth int) (*yaml.Node, error) {
	m := mapping()
	seen := map[string]int{}
	for d.More() {
		token, err := d.Token()
		if err != nil {
			return nil, err
		}
		value, err := readValue(d, depth+1)
		if err != nil {
			return nil, err
		}
		key := token.(string)
		if i, ok := seen[key]; ok {
			m.Content[i] = value
			continue
		}
		seen[key] = len(m.Content) + 1
		m.Content = append(m.Content, str(key), value)
	}
	kept := m.Content[:0]
	for i := 0; i < len(m.Content); i += 2 {
		if !isNull(m.Content[i+1]) {
			kept = append(kept, m.Content[i], m.Content[i+1])
		}
	}
	m.Content = kept
	_, err := d.Token()
	return m, err
}

func readSequence(d *json.Decoder, depth int) (*yaml.Node, error) {
	s := sequence()
	for d.More() {
		value, err := readValue(d, depth+1)
		if err != nil {
			return nil, err
		}
		s.Content = append(s.Content, value)
	}
	_, err := d.Token()
	return s, err
}

// toJSON writes a tree with its keys in order.
func toJSON(n *yaml.Node) json.RawMessage {
	var b bytes.Buffer
	writeJSON(&b, n)
	return b.Bytes()
}

func writeJSON(b *bytes.Buffer, n *yaml.Node) {
	switch {
	case n == nil || isNull(n):
		b.WriteString("null")
	case n.Kind == yaml.MappingNode:
		b.WriteByte('{')
		sep := ""
		for key, value := range fields(n) {
			b.WriteString(sep)
			writeText(b, key)
			b.WriteByte(':')
			writeJSON(b, value)
			sep = ","
		}
		b.WriteByte('}')
	case n.Kind == yaml.SequenceNode:
		b.WriteByte('[')
		for i, item := range n.Content {
			if i > 0 {
				b.WriteByte(',')
			}
			writeJSON(b, item)
		}
		b.WriteByte(']')
	case n.Kind == yaml.ScalarNode && slices.Contains([]string{"!!int", "!!float", "!!bool"}, n.ShortTag()) && json.Valid([]byte(n.Value)):
		b.WriteString(n.Value)
	case n.Kind == yaml.AliasNode:
		writeJSON(b, n.Alias)
	default:
		writeText(b, n.Value)
	}
}

func writeText(b *bytes.Buffer, s string) {
	e := json.NewEncoder(b)
	e.SetEscapeHTML(false)
	_ = e.Encode(s) // a string always encodes, and a buffer takes it
	b.Truncate(b.Len() - 1)
}

func mapping() *yaml.Node { return &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map"} }

func sequence(items ...*yaml.Node) *yaml.Node {
	return &yaml.Node{Kind: yaml.SequenceNode, Tag: "!!seq", Content: items}
}

// str quotes what YAML 1.1, which Kubernetes reads, takes for a boolean.
func str(s string) *yaml.Node {
	n := &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: s}
	switch strings.ToLower(s) {
	case "y", "n", "yes", "no", "on", "off":
		n.Style = yaml.DoubleQuotedStyle
	}
	return n
}

func integer(i int) *yaml.Node {
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!int", Value: strconv.Itoa(i)}
}

// pairs builds a mapping from keys and values: pairs("host", str("order")).
func pairs(keysAndValues ...any) *yaml.Node {
	m := mapping()
	for i := 0; i+1 < len(keysAndValues); i += 2 {
		set(m, keysAndValues[i+1].(*yaml.Node), keysAndValues[i].(string))
	}
	return m
}

func isNull(n *yaml.Node) bool {
	return n != nil && n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null"
}

func isMapping(n *yaml.Node) bool  { return n != nil && n.Kind == yaml.MappingNode }
func isSequence(n *yaml.Node) bool { return n != nil && n.Kind == yaml.SequenceNode }

// at descends mappings by key; nil where there is nothing.
func at(n *yaml.Node, path ...string) *yaml.Node {
	for _, key := range path {
		if !isMapping(n) {
			return nil
		}
		i := indexOf(n, key)
		if i < 0 {
			return nil
		}
		n = n.Content[i+1]
	}
	return n
}

func indexOf(m *yaml.Node, key string) int {
	for i := 0; i+1 < len(m.Content); i += 2 {
		if m.Content[i].Value == key {
			return i
		}
	}
	return -1
}

// text is a scalar's value at a path; "" where there is none.
func text(n *yaml.Node, path ...string) string {
	n = at(n, path...)
	if n == nil || n.Kind != yaml.ScalarNode || isNull(n) {
		return ""
	}
	return n.Value
}

// number is an integer at a path.
func number(n *yaml.Node, path ...string) (int, bool) {
	i, err := strconv.Atoi(strings.TrimSpace(text(n, path...)))
	return i, err == nil
}

// items are the entries of a sequence at a path.
func items(n *yaml.Node, path ...string) []*yaml.Node {
	if n = at(n, path...); isSequence(n) {
		return n.Content
	}
	return nil
}

// texts are the scalars of a sequence at a path.
func texts(n *yaml.Node, path ...string) []string {
	var list []string
	for _, item := range items(n, path...) {
		list = append(list, text(item))
	}
	return list
}

// fields walks a mapping. The mapping may change meanwhile.
func fields(n *yaml.Node, path ...string) iter.Seq2[string, *yaml.Node] {
	n = at(n, path...)
	if !isMapping(n) {
		return func(func(string, *yaml.Node) bool) {}
	}
	content := slices.Clone(n.Content)
	return func(yield func(string, *yaml.Node) bool) {
		for i := 0; i+1 < len(content); i += 2 {
			if !yield(content[i].Value, content[i+1]) {
				return
			}
		}
	}
}

// set puts a value at a path and makes the mappings on the way; a comment on
// the value that was there stays.
func set(n, value *yaml.Node, path ...string) {
	for i, key := range path {
		j := indexOf(n, key)
		last := i == len(path)-1
		switch {
		case j < 0 && last:
			n.Content = append(n.Content, str(key), value)
		case j < 0:
			next := mapping()
			n.Content = append(n.Content, str(key), next)
			n = next
		case last:
			old := n.Content[j+1]
			if value.LineComment == "" && value.Kind == yaml.ScalarNode {
				value.LineComment = old.LineComment
			}
			n.Content[j+1] = value
		default:
			if !isMapping(n.Content[j+1]) {
				n.Content[j+1] = mapping()
			}
			n = n.Content[j+1]
		}
	}
}

// remove takes a field out and says whether it was there.
func remove(n *yaml.Node, path ...string) bool {
	m := at(n, path[:len(path)-1]...)
	if !isMapping(m) {
		return false
	}
	i := indexOf(m, path[len(path)-1])
	if i < 0 {
		return false
	}
	m.Content = slices.Delete(m.Content, i, i+2)
	return true
}

// add appends to a sequence at a path and makes it where there is none.
func add(n *yaml.Node, value *yaml.Node, path ...string) {
	if s := at(n, path...); isSequence(s) {
		s.Content = append(s.Content, value)
		return
	}
	set(n, sequence(value), path...)
}

// named finds the entry of a list by its name.
func named(list []*yaml.Node, name string) *yaml.Node {
	for _, item := range list {
		if text(item, "name") == name {
			return item
		}
	}
	return nil
}

// same compares values; the order of keys does not matter.
func same(a, b *yaml.Node) bool {
	switch {
	case a == nil || b == nil:
		return a == b
	case a.Kind != b.Kind || len(a.Content) != len(b.Content):
		return false
	case a.Kind == yaml.ScalarNode:
		return a.Value == b.Value && a.ShortTag() == b.ShortTag()
	case a.Kind == yaml.MappingNode:
		for key, value := range fields(a) {
			if !same(value, at(b, key)) {
				return false
			}
		}
		return true
	}
	return slices.EqualFunc(a.Content, b.Content, same)
}

func clone(n *yaml.Node) *yaml.Node {
	if n == nil {
		return nil
	}
	c := *n
	c.Content = nil
	for _, child := range n.Content {
		c.Content = append(c.Content, clone(child))
	}
	return &c
}

// empty reports whether there is nothing at a path that says anything.
func empty(n *yaml.Node, path ...string) bool {
	n = at(n, path...)
	switch {
	case n == nil || isNull(n):
		return true
	case n.Kind == yaml.ScalarNode:
		return n.Value == ""
	}
	return len(n.Content) == 0
}
