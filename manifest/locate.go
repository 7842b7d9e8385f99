package manifest

import (
	"go.yaml.in/yaml/v3"
)

// Locate gives the 1-based place of a field in the file, by a path as
// Kubernetes, kubectl and Istio print them: spec.http[0].route[1], a key with
// dots in brackets or after backslashes, list items by index or by their name
// or natural key. For a field of a mapping it is the place of its key. Where
// the field does not exist, ok is false and the place is that of the nearest
// ancestor that does.
func (d *Document) Locate(field string) (line, column int, ok bool) {
	if d.Node == nil {
		return max(d.Line, 1), 1, false
	}
	at, _, ok := d.find(field)
	return at.Line, at.Column, ok
}

// Get gives the value of a field, nil where it does not exist. Paths are as in
// Locate; "" is the whole object.
func (d *Document) Get(field string) *yaml.Node {
	if d.Node == nil {
		return nil
	}
	_, n, ok := d.find(field)
	if !ok {
		return nil
	}
	return n
}

// find gives the node to point at and the value of the last segment found.
func (d *Document) find(field string) (at, n *yaml.Node, ok bool) {
	at, n = d.Node, resolved(d.Node)
	segments, err := parsePath(field)
	if err != nil {
		return at, n, false
	}
	for len(segments) > 0 {
		next, place, used := step(n, segments)
		if next == nil {
			return at, n, false
		}
		at, n = place, resolved(next)
		segments = segments[used:]
	}
	return at, n, true
}

// step goes one field down and says how many segments that took: a key with
// dots may have been printed without brackets.
func step(n *yaml.Node, segments []segment) (value, place *yaml.Node, used int) {
	s := segments[0]
	switch n.Kind {
	case yaml.SequenceNode:
		if s.index != noIndex {
			if s.index < len(n.Content) {
				return n.Content[s.index], n.Content[s.index], 1
			}
			return nil, nil, 0
		}
		for _, item := range n.Content {
			if names(item, s.key) {
				return item, item, 1
			}
		}
	case yaml.MappingNode:
		key := s.name()
		for used := 1; ; used++ {
			if k, v := lookupPair(n, key); v != nil {
				return v, k, used
			}
			if used == len(segments) || segments[used].index != noIndex {
				return nil, nil, 0
			}
			key += "." + segments[used].key
		}
	}
	return nil, nil, 0
}

// names tells whether key is what a list item goes by.
func names(item *yaml.Node, key string) bool {
	item = resolved(item)
	if item.Kind == yaml.ScalarNode {
		return item.Value == key
	}
	for _, rule := range naturalKeys {
		if k, ok := rule.of(item); ok && k == key {
			return true
		}
	}
	return false
}
