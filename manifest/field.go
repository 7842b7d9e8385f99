package manifest

import (
	"fmt"
	"slices"

	"go.yaml.in/yaml/v3"
)

// FieldOp is what a FieldEdit does.
type FieldOp string

// What can be done to a field.
const (
	SetField    FieldOp = "set"    // gives it a value; the parent must exist
	RemoveField FieldOp = "remove" // takes a key or a list item away
	InsertItem  FieldOp = "insert" // puts an item before the list item at the path, or at the end where the index is the length
)

// FieldEdit is one change of an object, for Document.Apply.
type FieldEdit struct {
	Op    FieldOp
	Field string // as Locate takes it
	Value any    // what encoding/json makes of it is written; for set and insert
}

// Apply changes the object's Node. All edits name fields of the object as it is
// before any of them, so that removing one item of a list does not move the
// others. A field that is not there, or a parent that is none, is an error, and
// then nothing is changed.
func (d *Document) Apply(edits []FieldEdit) error {
	steps := make([]func(), 0, len(edits))
	for _, e := range edits {
		step, err := d.plan(e)
		if err != nil {
			return fmt.Errorf("%s %s of %s %s: %w", e.Op, e.Field, d.ID.Kind, d.ID.Name, err)
		}
		steps = append(steps, step)
	}
	for _, step := range steps {
		step()
	}
	return nil
}

// plan finds the nodes that an edit is about.
func (d *Document) plan(e FieldEdit) (func(), error) {
	segments, err := parsePath(e.Field)
	if err != nil {
		return nil, err
	}
	if d.Node == nil || len(segments) == 0 {
		return nil, fmt.Errorf("expected a field of an object")
	}
	parent := resolved(d.Node)
	for rest := segments[:len(segments)-1]; len(rest) > 0; {
		next, _, used := step(parent, rest)
		if next == nil {
			return nil, fmt.Errorf("its parent does not exist")
		}
		parent, rest = resolved(next), rest[used:]
	}
	last := segments[len(segments)-1:]
	old, place, _ := step(parent, last)
	var value *yaml.Node
	if e.Op != RemoveField {
		if value, err = nodeOf(e.Value); err != nil {
			return nil, err
		}
	}
	switch {
	case e.Op == InsertItem:
		return planInsert(parent, place, last[0], value)
	case e.Op == RemoveField && old != nil:
		return func() { cutNode(parent, place) }, nil
	case e.Op == SetField && old != nil:
		return func() { replaceValue(parent, place, value) }, nil
	case e.Op == SetField && parent.Kind == yaml.MappingNode:
		key := &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: last[0].name()}
		return func() { parent.Content = append(parent.Content, key, value) }, nil
	}
	return nil, fmt.Errorf("it does not exist")
}

func planInsert(parent, before *yaml.Node, at segment, value *yaml.Node) (func(), error) {
	if parent.Kind != yaml.SequenceNode || at.index == noIndex || before == nil && at.index != len(parent.Content) {
		return nil, fmt.Errorf("expected a place in a list")
	}
	return func() {
		i := slices.Index(parent.Content, before)
		if i < 0 {
			i = len(parent.Content)
		}
		parent.Content = slices.Insert(parent.Content, i, value)
	}, nil
}

// cutNode removes a key with its value, or an item.
func cutNode(parent, place *yaml.Node) {
	i := slices.Index(parent.Content, place)
	size := 1
	if parent.Kind == yaml.MappingNode {
		size = 2
	}
	if i >= 0 {
		parent.Content = slices.Delete(parent.Content, i, i+size)
	}
}

// replaceValue keeps the comments and, where it fits, the style of the old one.
func replaceValue(parent, place, value *yaml.Node) {
	i := slices.Index(parent.Content, place)
	if i < 0 {
		return
	}
	if parent.Kind == yaml.MappingNode {
		i++
	}
	old := parent.Content[i]
	value.HeadComment, value.LineComment, value.FootComment = old.HeadComment, old.LineComment, old.FootComment
	if old.Kind == value.Kind && old.Tag == value.Tag {
		value.Style = old.Style
	}
	parent.Content[i] = value
}

// nodeOf is a value as Encode writes it.
func nodeOf(v any) (*yaml.Node, error) {
	data, err := Encode(map[string]any{"value": v}, nil)
	if err != nil {
		return nil, err
	}
	var doc yaml.Node
	if err := yaml.Unmarshal(data, &doc); err != nil || len(doc.Content) == 0 {
		return nil, fmt.Errorf("write %v as YAML: %w", v, err)
	}
	n := lookup(doc.Content[0], "value")
	if n == nil {
		return nil, fmt.Errorf("write %v as YAML: nothing is left of it", v)
	}
	return n, nil
}
