package manifest

import (
	"fmt"

	"go.yaml.in/yaml/v3"
)

// maxDepth is how deep a document may nest. The API server refuses far less,
// and everything that walks a tree may rely on it.
const maxDepth = 1000

// Aliases may make a document this much larger than it is written, in bytes
// and by factor, before it is taken for a bomb.
const (
	aliasAllowance = 4 << 20
	aliasFactor    = 10
)

// validate refuses what no reader of manifests understands alike: repeated
// keys, keys that are not text, aliases of themselves or without end, and
// nesting that exhausts whoever walks it.
func validate(path string, root *yaml.Node) error {
	v := validator{path: path, expanded: map[*yaml.Node]int{}, open: map[*yaml.Node]bool{}}
	size, err := v.node(root, 1)
	if err != nil {
		return err
	}
	if size > aliasAllowance+aliasFactor*v.written {
		return v.fail(root, "aliases expand to more than ten times the document", "write the repeated parts out, or use fewer aliases")
	}
	return nil
}

type validator struct {
	path     string
	written  int                // bytes of values in the text
	expanded map[*yaml.Node]int // bytes of an anchored node with its aliases replaced
	open     map[*yaml.Node]bool
}

func (v *validator) fail(n *yaml.Node, msg, hint string) error {
	return &SyntaxError{v.path, n.Line, n.Column, msg, hint}
}

// node gives the size of n with its aliases replaced.
func (v *validator) node(n *yaml.Node, depth int) (int, error) {
	if depth > maxDepth {
		return 0, v.fail(n, fmt.Sprintf("nested more than %d levels deep", maxDepth), "nest less deep")
	}
	if n.Kind == yaml.AliasNode {
		if v.open[n.Alias] {
			return 0, v.fail(n, "alias *"+n.Value+" contains itself", "write the value out")
		}
		return v.expanded[n.Alias] + 1, nil
	}
	if n.Anchor != "" {
		v.open[n] = true
		defer delete(v.open, n)
	}
	size := 1 + len(n.Value)
	v.written += size
	for _, c := range n.Content {
		inner, err := v.node(c, depth+1)
		if err != nil {
			return 0, err
		}
		// Saturate, so that nested bombs cannot overflow.
		size = min(size+inner, 1<<40)
	}
	if n.Anchor != "" {
		v.expanded[n] = size
	}
	if n.Kind == yaml.MappingNode {
		return size, v.keys(n)
	}
	return size, nil
}

func (v *validator) keys(n *yaml.Node) error {
	seen := make(map[string]int, len(n.Content)/2)
	for i := 0; i+1 < len(n.Content); i += 2 {
		k := n.Content[i]
		if isMerge(k) {
			if err := v.merge(n.Content[i+1]); err != nil {
				return err
			}
			continue
		}
		key, err := keyOf(k)
		if err != nil {
			return v.fail(k, err.Error(), "quote the key")
		}
		if line, ok := seen[key]; ok {
			return v.fail(k, fmt.Sprintf("key %q is there already, on line %d", key, line), "keep one of the two")
		}
		seen[key] = k.Line
	}
	return nil
}

func (v *validator) merge(n *yaml.Node) error {
	n = resolved(n)
	list := []*yaml.Node{n}
	if n.Kind == yaml.SequenceNode {
		list = n.Content
	}
	for _, item := range list {
		if resolved(item).Kind != yaml.MappingNode {
			return v.fail(item, "<< expects a mapping or a list of mappings", "name an anchored mapping")
		}
	}
	return nil
}
