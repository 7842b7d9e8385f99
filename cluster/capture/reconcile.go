package capture

import (
	"fmt"
	"maps"
	"slices"

	"go.yaml.in/yaml/v3"

	"github.com/meshstorm/meshstorm/manifest"
)

// reconcile makes a node say now where it said was, and leaves alone what is
// the same in both, so that its comments and its spelling stay.
func reconcile(n *yaml.Node, was, now any) error {
	if equal(was, now) {
		return nil
	}
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	oldMap, ok1 := was.(map[string]any)
	newMap, ok2 := now.(map[string]any)
	if ok1 && ok2 && n.Kind == yaml.MappingNode {
		return reconcileMapping(n, oldMap, newMap)
	}
	oldList, ok1 := was.([]any)
	newList, ok2 := now.([]any)
	if ok1 && ok2 && n.Kind == yaml.SequenceNode && len(n.Content) == len(oldList) {
		return reconcileList(n, oldList, newList)
	}
	fresh, err := nodeOf(now)
	if err != nil {
		return err
	}
	fresh.HeadComment, fresh.LineComment, fresh.FootComment = n.HeadComment, n.LineComment, n.FootComment
	if n.Kind == fresh.Kind && n.Tag == fresh.Tag {
		fresh.Style = n.Style
	}
	*n = *fresh
	return nil
}

func reconcileMapping(n *yaml.Node, was, now map[string]any) error {
	var kept []*yaml.Node
	seen := map[string]bool{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		seen[key.Value] = true
		wanted, stays := now[key.Value]
		old, known := was[key.Value]
		if known && !stays {
			continue
		}
		if known {
			if err := reconcile(value, old, wanted); err != nil {
				return err
			}
		}
		kept = append(kept, key, value)
	}
	for _, key := range slices.Sorted(maps.Keys(now)) {
		if seen[key] || now[key] == nil {
			continue
		}
		value, err := nodeOf(now[key])
		if err != nil {
			return err
		}
		name, err := nodeOf(key)
		if err != nil {
			return err
		}
		kept = append(kept, name, value)
	}
	n.Content = kept
	return nil
}

// reconcileList reuses the node of the item with the same key, else the one in
// the same place.
func reconcileList(n *yaml.Node, was, now []any) error {
	oldKeys, ok1 := keys(was)
	newKeys, ok2 := keys(now)
	keyed := ok1 && ok2 && len(was) > 0
	var content []*yaml.Node
	for i, v := range now {
		at := i
		if keyed {
			at = slices.Index(oldKeys, newKeys[i])
		}
		if at < 0 || at >= len(was) {
			node, err := nodeOf(v)
			if err != nil {
				return err
			}
			content = append(content, node)
			continue
		}
		if err := reconcile(n.Content[at], was[at], v); err != nil {
			return err
		}
		content = append(content, n.Content[at])
	}
	n.Content = content
	return nil
}

// nodeOf is a value as meshstorm writes it.
func nodeOf(v any) (*yaml.Node, error) {
	data, err := manifest.Encode([]any{v}, nil)
	if err != nil {
		return nil, err
	}
	var doc yaml.Node
	if err := yaml.Unmarshal(data, &doc); err != nil {
		return nil, err
	}
	if len(doc.Content) != 1 || len(doc.Content[0].Content) != 1 {
		return nil, fmt.Errorf("the value %v cannot be written as YAML", v)
	}
	return doc.Content[0].Content[0], nil
}
