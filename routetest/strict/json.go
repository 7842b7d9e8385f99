package strict

import (
	"bytes"
	"encoding/json"
	"fmt"
	"sort"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// maxDepth is how deep JSON may nest.
const maxDepth = 1000

// IsJSON reports whether data is one JSON object or array. A YAML parser reads
// nearly all JSON, but not escapes such as "\/" or "\ud83d\ude00".
func IsJSON(data []byte) bool {
	trimmed := bytes.TrimLeft(data, " \t\r\n")
	return len(trimmed) > 0 && (trimmed[0] == '{' || trimmed[0] == '[') && json.Valid(data)
}

// JSON reads valid JSON into the nodes that YAML would give.
func JSON(path string, data []byte) (*yaml.Node, error) {
	p := &jsonParser{path: path, data: data, dec: json.NewDecoder(bytes.NewReader(data))}
	p.dec.UseNumber()
	for i, b := range data {
		if b == '\n' {
			p.lines = append(p.lines, i+1)
		}
	}
	return p.value(1)
}

type jsonParser struct {
	path  string
	data  []byte
	dec   *json.Decoder
	lines []int // where each line but the first begins
}

// node is a node where the next token stands.
func (p *jsonParser) node(kind yaml.Kind, tag, value string, offset int) *yaml.Node {
	n := &yaml.Node{Kind: kind, Tag: tag, Value: value}
	for offset < len(p.data) && bytes.IndexByte([]byte(" \t\r\n,:"), p.data[offset]) >= 0 {
		offset++
	}
	line := sort.SearchInts(p.lines, offset+1)
	begin := 0
	if line > 0 {
		begin = p.lines[line-1]
	}
	n.Line, n.Column = line+1, utf8.RuneCount(p.data[begin:offset])+1
	return n
}

func (p *jsonParser) fail(n *yaml.Node, format string, args ...any) error {
	return &Error{Path: p.path, Line: n.Line, Column: n.Column, Msg: fmt.Sprintf(format, args...)}
}

func (p *jsonParser) value(depth int) (*yaml.Node, error) {
	at := int(p.dec.InputOffset())
	token, err := p.dec.Token()
	if err != nil {
		return nil, p.fail(p.node(yaml.ScalarNode, "", "", at), "%v", err)
	}
	switch v := token.(type) {
	case json.Delim:
		if v == '[' {
			return p.list(p.node(yaml.SequenceNode, "!!seq", "", at), depth)
		}
		return p.object(p.node(yaml.MappingNode, "!!map", "", at), depth)
	case string:
		n := p.node(yaml.ScalarNode, "!!str", v, at)
		n.Style = yaml.DoubleQuotedStyle
		return n, nil
	case json.Number:
		n := p.node(yaml.ScalarNode, "!!float", v.String(), at)
		if _, err := v.Int64(); err == nil {
			n.Tag = "!!int"
		}
		return n, nil
	case bool:
		return p.node(yaml.ScalarNode, "!!bool", fmt.Sprint(v), at), nil
	}
	return p.node(yaml.ScalarNode, "!!null", "null", at), nil
}

func (p *jsonParser) list(n *yaml.Node, depth int) (*yaml.Node, error) {
	if depth > maxDepth {
		return nil, p.fail(n, "nested more than %d levels deep", maxDepth)
	}
	for p.dec.More() {
		item, err := p.value(depth + 1)
		if err != nil {
			return nil, err
		}
		n.Content = append(n.Content, item)
	}
	_, err := p.dec.Token()
	return n, err
}

func (p *jsonParser) object(n *yaml.Node, depth int) (*yaml.Node, error) {
	if depth > maxDepth {
		return nil, p.fail(n, "nested more than %d levels deep", maxDepth)
	}
	lines := map[string]int{}
	for p.dec.More() {
		key, err := p.value(depth + 1)
		if err != nil {
			return nil, err
		}
		if line, ok := lines[key.Value]; ok {
			return nil, p.fail(key, "key %q is there already, on line %d", key.Value, line)
		}
		lines[key.Value] = key.Line
		value, err := p.value(depth + 1)
		if err != nil {
			return nil, err
		}
		n.Content = append(n.Content, key, value)
	}
	_, err := p.dec.Token()
	return n, err
}
