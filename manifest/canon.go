package manifest

import (
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// canon compares values: two have the same text exactly if a YAML reader sees
// no difference, whatever their style and the order of their keys.
func canon(n *yaml.Node) string {
	var b strings.Builder
	writeCanon(&b, n)
	return b.String()
}

func writeCanon(b *strings.Builder, n *yaml.Node) {
	if n = resolved(n); n == nil {
		return
	}
	switch n.Kind {
	case yaml.SequenceNode:
		b.WriteByte('[')
		for _, c := range n.Content {
			writeCanon(b, c)
			b.WriteByte(',')
		}
		b.WriteByte(']')
	case yaml.MappingNode:
		list := entries(n)
		slices.SortFunc(list, func(x, y entry) int { return strings.Compare(x.name, y.name) })
		b.WriteByte('{')
		for _, e := range list {
			fmt.Fprintf(b, "%q:", e.name)
			writeCanon(b, e.value)
			b.WriteByte(',')
		}
		b.WriteByte('}')
	default:
		v, err := scalar(n)
		if err != nil {
			v = n.Tag + " " + n.Value
		}
		if s, ok := v.(string); ok {
			fmt.Fprintf(b, "%q", s)
		} else {
			fmt.Fprint(b, v)
		}
	}
}

func equal(a, b *yaml.Node) bool {
	if a == nil || b == nil {
		return a == b
	}
	return canon(a) == canon(b)
}

// yamlText writes a value for a message; "" where there is none.
func yamlText(n *yaml.Node) string {
	if n == nil {
		return ""
	}
	data, err := appendJSON(nil, n)
	if err != nil {
		return n.Value
	}
	d := jsonReader{data: data}
	v := d.value()
	var e emitter
	e.document(&v, nil)
	return strings.TrimSuffix(string(e.out), "\n")
}

// expand replaces every alias by a copy and every merge key by what it brings,
// so that a tree can be changed in one place only. It tells whether there were
// any.
func expand(n *yaml.Node) bool {
	found := false
	if n.Kind == yaml.AliasNode {
		target := clone(resolved(n))
		target.HeadComment, target.LineComment, target.FootComment = n.HeadComment, n.LineComment, n.FootComment
		*n = *target
		found = true
	}
	for _, c := range n.Content {
		found = expand(c) || found
	}
	if n.Kind == yaml.MappingNode && slices.ContainsFunc(n.Content, isMerge) {
		var content []*yaml.Node
		for _, e := range entries(n) {
			content = append(content, e.key, e.value)
		}
		n.Content = content
		found = true
	}
	return found
}

// clone copies a tree without its aliases and anchors.
func clone(n *yaml.Node) *yaml.Node {
	n = resolved(n)
	c := *n
	c.Anchor, c.Alias = "", nil
	c.Content = make([]*yaml.Node, len(n.Content))
	for i, inner := range n.Content {
		c.Content[i] = clone(inner)
	}
	return &c
}
