// Package msaez is for the JSON files that MSA-Ez, the EventStorming tool, has
// saved since 2018: version 3 maps, version 1 arrays, and their older names of
// types. It takes such a file, with the null entries, missing ids, wrong types
// and outdated copies that real ones hold. It gives the domain model with every
// containment decided, warnings for what was not understood, the objects of the
// deployment canvas, and the same file again without any loss.
//
// The order of contexts, and of all else, is the order of the keys in the
// file's "elements". JavaScript puts keys that look like integers first when it
// loads an object; the tool's own ids never do, so that no reordering is done
// here.
package msaez

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"

	"github.com/meshstorm/meshstorm/storm"
)

// MaxBytes is the size of the largest file that is read: 256 MiB.
const MaxBytes = 256 << 20

// Document is a model file as it was saved, kept without loss, with the domain
// model that was read from it.
type Document struct {
	Model *storm.Model

	data      []byte // the file without byte order mark, checked
	elements  []kept
	relations []kept
	top       top
}

// kept is where a sticker or relation of the model lies in the file.
type kept struct {
	id string
	at span
}

// Read reads a model file; the name is for error messages ("storm.json"). It
// stops with an error, without reading on, where the file is over MaxBytes.
// Every error is an *Error.
func Read(r io.Reader, name string) (*Document, error) {
	var buffer bytes.Buffer
	if size := sizeOf(r); size > MaxBytes {
		return nil, tooLarge(name)
	} else if size > 0 {
		buffer.Grow(int(size) + bytes.MinRead)
	}
	if _, err := buffer.ReadFrom(io.LimitReader(r, MaxBytes+1)); err != nil {
		return nil, &Error{Name: name, Msg: "the file cannot be read", Hint: "check its name and permissions", Err: err}
	}
	if buffer.Len() > MaxBytes {
		return nil, tooLarge(name)
	}
	return Parse(buffer.Bytes(), name)
}

// sizeOf is how many bytes a reader holds, where it knows; else 0.
func sizeOf(r io.Reader) int64 {
	switch known := r.(type) {
	case interface{ Len() int }:
		return int64(known.Len())
	case interface{ Stat() (fs.FileInfo, error) }:
		if info, err := known.Stat(); err == nil && info.Mode().IsRegular() {
			return info.Size()
		}
	}
	return 0
}

func tooLarge(name string) *Error {
	return &Error{Name: name, Msg: "the file is larger than 256 MiB, the limit for models",
		Hint: `remove pictures ("img" and other data: URLs) from it, or split the model`}
}

// Parse reads a model from bytes, which it keeps: they must not change any
// more. It is Read otherwise.
func Parse(data []byte, name string) (*Document, error) {
	if len(data) > MaxBytes {
		return nil, tooLarge(name)
	}
	data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
	r := &reader{data: data}
	if f := r.read(); f != nil {
		return nil, f.error(data, name)
	}
	return &Document{Model: r.model, data: data, elements: keep(r.elements), relations: keep(r.relations), top: r.top}, nil
}

func keep(entries []*entry) []kept {
	list := make([]kept, len(entries))
	for i, e := range entries {
		list[i] = kept{e.ID, e.at}
	}
	return list
}

// Write writes the file: the same JSON with every unknown field, the keys in
// their order and the numbers as they were spelled, indented by two spaces.
// Writing is stable: what was written and read again gives the same bytes.
func (d *Document) Write(w io.Writer) error {
	if err := d.write(w); err != nil {
		return fmt.Errorf("write the model: %w", err)
	}
	return nil
}

// New is an empty version 3 model, as the tool itself saves one.
func New(name string) *Document {
	quoted, err := json.Marshal(name)
	if err != nil {
		quoted = []byte(`""`)
	}
	d, err := Parse(fmt.Appendf(nil, `{
"elements": {}, "relations": {},
"basePlatform": null, "basePlatformConf": {}, "toppingPlatforms": [], "toppingPlatformsConf": {},
"scm": {"tag": null, "org": null, "repo": null, "forkedOrg": null, "forkedRepo": null, "forkedTag": null},
"version": 3, "k8sValue": {"elements": {}, "relations": {}},
"type": "es", "projectName": %s}`, quoted), "new model")
	if err != nil {
		panic(errors.Join(errors.New("the empty model is part of the program"), err))
	}
	return d
}
