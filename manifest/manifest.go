// Package manifest is the workspace's YAML: it turns typed objects into files
// that people like to read, reads what people made of them with every position
// and comment, merges a new generation into edited files (last generated, newly
// generated, edited), and writes all files of a run together or not at all. It
// knows YAML and files, but no domain and no cluster.
package manifest

import (
	"go.yaml.in/yaml/v3"
)

// Object is one generated object and the file it belongs to.
type Object struct {
	File  string // slash-separated, relative to the workspace
	Value any    // a typed object with apiVersion and kind set; marshals to JSON
	// Comments puts a comment on the line above a field, by field path:
	// "spec.http[0].match[1]". A missing path is an error of the caller.
	Comments map[string]string
}

// File is a file's content.
type File struct {
	Path string // slash-separated, relative to the workspace
	Data []byte
}

// ID identifies an object across versions of a file; APIVersion is left out
// but for its group, so that an upgrade from v1beta1 to v1 is a change, not a
// removal.
type ID struct {
	Group, Kind, Namespace, Name string
}

// Document is one YAML document of a file.
type Document struct {
	Path       string // as given to Parse
	Line       int    // 1-based line of its first content
	APIVersion string
	ID         ID
	Node       *yaml.Node // the object's mapping, or whatever else the document holds; nil where it holds only comments
	Text       []byte     // the document as written, without its separators; for an item of a List, the whole List
}

// Conflict is a value that both a person and the generator changed. The
// person's side stands.
type Conflict struct {
	Path         string // file
	Line, Column int    // in the merged file
	Object       ID
	Field        string // field path, "spec.http[primary].timeout"
	Yours        string // the person's value as YAML, "" where deleted
	Generated    string // what generate wanted, "" where removed
}
