package canvas

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/meshstorm/meshstorm/manifest"
)

// files are the generated files, cut into documents so that those which no
// edit touches keep their text to the byte.
type files struct {
	list []*file
	byID map[manifest.ID]*document
	// byName forgets the namespace: generated objects are all in one.
	byName map[manifest.ID]*document
}

type file struct {
	path string
	docs []*document
}

// document is one YAML document: its text, and its tree where it holds an
// object.
type document struct {
	ID      manifest.ID
	node    *yaml.Node
	lead    []byte // comment lines before the content
	text    []byte // the whole, lead included
	edited  bool
	foreign bool // not generated: an object of the canvas
}

func readFiles(generated []manifest.File) (*files, error) {
	all := &files{byID: map[manifest.ID]*document{}, byName: map[manifest.ID]*document{}}
	for _, g := range generated {
		f := &file{path: g.Path}
		for _, text := range splitDocuments(g.Data) {
			d := &document{text: text, lead: leadOf(text)}
			parsed, err := manifest.Parse(g.Path, text[len(d.lead):])
			if err != nil {
				return nil, fmt.Errorf("read the generated files: %w", err)
			}
			for _, p := range parsed {
				if p.Node != nil {
					d.ID, d.node = p.ID, p.Node
				}
			}
			f.docs = append(f.docs, d)
			all.index(d)
		}
		all.list = append(all.list, f)
	}
	return all, nil
}

// splitDocuments cuts at the lines that are "---". Generated files have no
// such line inside a document: block scalars are indented.
func splitDocuments(data []byte) [][]byte {
	var docs [][]byte
	start, at := 0, 0
	for line := range bytes.Lines(data) {
		if bytes.Equal(bytes.TrimRight(line, " \t\r\n"), []byte("---")) {
			docs = append(docs, data[start:at])
			start = at + len(line)
		}
		at += len(line)
	}
	return append(docs, data[start:])
}

// leadOf is the comment and blank lines at the top, such as a file's header.
func leadOf(text []byte) []byte {
	n := 0
	for line := range bytes.Lines(text) {
		if trimmed := bytes.TrimSpace(line); len(trimmed) > 0 && trimmed[0] != '#' {
			break
		}
		n += len(line)
	}
	return text[:n]
}

func (f *files) index(d *document) {
	name := d.ID
	name.Namespace = ""
	if d.node == nil {
		return
	}
	if f.byID[d.ID] == nil {
		f.byID[d.ID] = d
	}
	if f.byName[name] == nil {
		f.byName[name] = d
	}
}

// find is the object of this kind and name, or nil.
func (f *files) find(group, kind, name string) *document {
	return f.byName[manifest.ID{Group: group, Kind: kind, Name: name}]
}

// append adds an object to a file, which it makes where there is none.
func (f *files) append(path string, id manifest.ID, n *yaml.Node) {
	i := slices.IndexFunc(f.list, func(x *file) bool { return x.path == path })
	if i < 0 {
		i = len(f.list)
		f.list = append(f.list, &file{path: path})
	}
	d := &document{ID: id, node: n, foreign: true}
	f.list[i].docs = append(f.list[i].docs, d)
	f.index(d)
}

func (f *files) render() ([]manifest.File, error) {
	var rendered []manifest.File
	for _, file := range f.list {
		var b bytes.Buffer
		for i, d := range file.docs {
			if i > 0 {
				if b.Len() > 0 && !bytes.HasSuffix(b.Bytes(), []byte("\n")) {
					b.WriteByte('\n')
				}
				b.WriteString("---\n")
			}
			text, err := d.render()
			if err != nil {
				return nil, fmt.Errorf("write %s %s: %w", d.ID.Kind, d.ID.Name, err)
			}
			b.Write(text)
		}
		rendered = append(rendered, manifest.File{Path: file.path, Data: b.Bytes()})
	}
	return rendered, nil
}

func (d *document) render() ([]byte, error) {
	switch {
	case d.foreign:
		return manifest.Encode(toJSON(d.node), nil)
	case !d.edited:
		return d.text, nil
	}
	// The generator put the comments in by field path; by field path they are
	// put in again.
	comments := map[string]string{}
	collectComments(d.node, "", comments)
	encoded, err := manifest.Encode(toJSON(d.node), comments)
	return append(bytes.Clone(d.lead), encoded...), err
}

func collectComments(n *yaml.Node, path string, into map[string]string) {
	note := func(path string, nodes ...*yaml.Node) {
		var lines []string
		for _, n := range nodes {
			for _, comment := range []string{n.HeadComment, n.LineComment} {
				for line := range strings.Lines(comment) {
					lines = append(lines, strings.TrimPrefix(strings.TrimPrefix(strings.TrimSpace(line), "#"), " "))
				}
			}
		}
		if lines != nil && !strings.ContainsAny(path, "/\"") {
			into[path] = strings.Join(lines, "\n")
		}
	}
	switch n.Kind {
	case yaml.MappingNode:
		for i := 0; i+1 < len(n.Content); i += 2 {
			key, value := n.Content[i], n.Content[i+1]
			field := strings.TrimPrefix(path+"."+key.Value, ".")
			if value.Kind == yaml.ScalarNode {
				note(field, key, value)
			} else {
				note(field, key)
			}
			collectComments(value, field, into)
		}
	default:
		for i, item := range items(n) {
			entry := fmt.Sprintf("%s[%d]", path, i)
			note(entry, item)
			collectComments(item, entry, into)
		}
	}
}
