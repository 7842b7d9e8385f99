package check

import "github.com/meshstorm/meshstorm/manifest"

// Edit is one step of mending a finding by machine: it changes one value of
// one object. Rules give edits only where these change nothing that a request
// gets, or only what surely nobody wanted; docs/checks.md says which.
type Edit struct {
	Document *manifest.Document // one of Input.Documents
	// Field is the value's path, as Document.Locate takes it, list items by
	// index. All edits of a finding name places of the document as it is before
	// any of them.
	Field string
	kind  editKind
	value any
}

type editKind int

const (
	setField editKind = iota
	removeField
	insertItem
)

// SetField gives a field a value, which is what encoding/json makes of it. The
// field's parent must exist.
func SetField(doc *manifest.Document, field string, value any) Edit {
	return Edit{doc, field, setField, value}
}

// RemoveField takes a field or a list item away.
func RemoveField(doc *manifest.Document, field string) Edit {
	return Edit{Document: doc, Field: field, kind: removeField}
}

// InsertItem puts a value before the list item at the path, or at the list's
// end where the index is its length.
func InsertItem(doc *manifest.Document, field string, value any) Edit {
	return Edit{doc, field, insertItem, value}
}
