package check

import "github.com/meshstorm/meshstorm/manifest"

// Edit is one step of mending a finding by machine: it changes one value of
// one object. Rules give edits only where these change nothing that a request
// gets, or only what surely nobody wanted; docs/checks.md says which. All edits
// of a finding name fields of the object as it is before any of them.
type Edit struct {
	Document *manifest.Document // one of Input.Documents
	manifest.FieldEdit
}

// SetField gives a field a value, which is what encoding/json makes of it. The
// field's parent must exist.
func SetField(doc *manifest.Document, field string, value any) Edit {
	return Edit{doc, manifest.FieldEdit{Op: manifest.SetField, Field: field, Value: value}}
}

// RemoveField takes a field or a list item away.
func RemoveField(doc *manifest.Document, field string) Edit {
	return Edit{doc, manifest.FieldEdit{Op: manifest.RemoveField, Field: field}}
}

// InsertItem puts a value before the list item at the path, or at the list's
// end where the index is its length.
func InsertItem(doc *manifest.Document, field string, value any) Edit {
	return Edit{doc, manifest.FieldEdit{Op: manifest.InsertItem, Field: field, Value: value}}
}
