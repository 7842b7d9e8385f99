package manifest

import (
	"bytes"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// rewriter writes a tree as block YAML with its comments and its quotes, for
// text that cannot be patched. The encoder of the YAML package is not used: it
// loses or misplaces comments in flow collections.
type rewriter struct {
	emitter
}

// encodeNode writes a tree. Short flow collections without comments stay.
func encodeNode(n *yaml.Node) []byte {
	var w rewriter
	n = clone(n)
	w.remarks(0, n.HeadComment)
	switch {
	case !blockStyle(n):
		w.leaf(n, 0)
	case n.Kind == yaml.MappingNode:
		w.mapping(n, 0, false)
	default:
		w.sequence(n, 0, false)
	}
	w.foot(0, n.FootComment)
	return w.out
}

// widest is how long a flow collection may be that is written anew.
const widest = 80

// blockStyle tells whether a collection is written on lines of its own.
func blockStyle(n *yaml.Node) bool {
	if n.Kind == yaml.ScalarNode || len(n.Content) == 0 {
		return false
	}
	if n.Style&yaml.FlowStyle == 0 {
		return true
	}
	text, ok := flowText(nil, n)
	return !ok || len(text) > widest || slices.ContainsFunc(n.Content, remarked)
}

func remarked(n *yaml.Node) bool {
	return n.HeadComment+n.LineComment+n.FootComment != "" || slices.ContainsFunc(n.Content, remarked)
}

// remarks writes comments, the cursor is at the indent before and after.
func (w *rewriter) remarks(indent int, texts ...string) {
	for _, text := range texts {
		for line := range strings.Lines(text) {
			if line = strings.TrimSpace(line); line == "" {
				continue
			}
			if line[0] != '#' {
				line = "# " + line
			}
			w.out = appendComment(w.out, []byte(line))
			w.newline(indent)
		}
	}
}

// foot writes comments below; the cursor is at the left edge before and after.
func (w *rewriter) foot(indent int, texts ...string) {
	if text := strings.TrimSpace(strings.Join(texts, "\n")); text != "" {
		w.pad(indent)
		w.remarks(indent, text)
		w.out = bytes.TrimRight(w.out, " ")
	}
}

// above are the comments that go above an entry: a block collection has no
// line to put one at the end of.
func above(k, v *yaml.Node) []string {
	texts := []string{k.HeadComment, v.HeadComment}
	if blockStyle(v) {
		texts = append(texts, k.LineComment, v.LineComment)
	}
	return texts
}

// lead writes what goes above a list item, comments of what starts on the line
// of its dash included.
func (w *rewriter) lead(item *yaml.Node, indent int) {
	w.remarks(indent, item.HeadComment)
	if !blockStyle(item) {
		return
	}
	w.remarks(indent, item.LineComment)
	if item.Kind == yaml.MappingNode {
		w.remarks(indent, above(item.Content[0], item.Content[1])...)
	} else {
		w.lead(item.Content[0], indent)
	}
}

func (w *rewriter) mapping(n *yaml.Node, indent int, led bool) {
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, v := n.Content[i], n.Content[i+1]
		if i > 0 {
			w.pad(indent)
		}
		if i > 0 || !led {
			w.remarks(indent, above(k, v)...)
		}
		w.scalarText(k)
		w.out = append(w.out, ':')
		switch {
		case !blockStyle(v):
			w.out = append(w.out, ' ')
			if k.LineComment != "" {
				v.LineComment = strings.TrimSpace(k.LineComment + " " + v.LineComment)
			}
			w.leaf(v, indent+2)
		case v.Kind == yaml.MappingNode:
			w.newline(indent + 2)
			w.mapping(v, indent+2, false)
		default:
			w.newline(indent)
			w.sequence(v, indent, false)
		}
		w.foot(indent, k.FootComment, v.FootComment)
	}
}

func (w *rewriter) sequence(n *yaml.Node, indent int, led bool) {
	for i, item := range n.Content {
		if i > 0 {
			w.pad(indent)
		}
		if i > 0 || !led {
			w.lead(item, indent)
		}
		w.out = append(w.out, "- "...)
		switch {
		case !blockStyle(item):
			w.leaf(item, indent+2)
		case item.Kind == yaml.MappingNode:
			w.mapping(item, indent+2, true)
		default:
			w.sequence(item, indent+2, true)
		}
		w.foot(indent, item.FootComment)
	}
}

// leaf writes what stands on the line of its key or dash, and the comment at
// its end.
func (w *rewriter) leaf(n *yaml.Node, indent int) {
	if n.Kind != yaml.ScalarNode {
		text, _ := flowText(nil, n)
		w.out = append(w.out, text...)
	} else if n.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0 && literal([]byte(n.Value)) {
		at := len(w.out)
		w.scalar(&value{kind: kindString, text: []byte(n.Value)}, indent)
		if n.LineComment != "" {
			head := at + bytes.IndexByte(w.out[at:], '\n')
			w.out = slices.Insert(w.out, head, lineComment(n)...)
		}
		return
	} else {
		w.scalarText(n)
	}
	w.out = append(w.out, lineComment(n)...)
	w.out = append(w.out, '\n')
}

func lineComment(n *yaml.Node) []byte {
	text := strings.Join(strings.Fields(n.LineComment), " ")
	if text == "" {
		return nil
	}
	return appendComment([]byte(" "), []byte(text))
}

func (w *rewriter) scalarText(n *yaml.Node) {
	if n.Style&yaml.TaggedStyle != 0 {
		w.out = append(append(w.out, n.Tag...), ' ')
		w.out = appendDoubleQuoted(w.out, []byte(n.Value))
		return
	}
	text, ok := flowScalar(nil, n)
	if !ok {
		text = []byte(n.Value)
	}
	w.out = append(w.out, text...)
}
