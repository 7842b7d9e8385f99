package manifest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// MaxFileSize is the largest file that is read, in bytes.
const MaxFileSize = 256 << 20

// ReadFile reads a file of at most MaxFileSize bytes. A larger one is refused
// without reading on; the error wraps ErrTooLarge.
func ReadFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if info.IsDir() {
		return nil, fmt.Errorf("%s: is a folder, expected a file", filepath.ToSlash(path))
	}
	if info.Size() > MaxFileSize {
		return nil, tooLarge(path)
	}
	// A pipe has no size: read one byte more than allowed to notice.
	var buf bytes.Buffer
	buf.Grow(int(info.Size()) + bytes.MinRead)
	if _, err := buf.ReadFrom(io.LimitReader(f, MaxFileSize+1)); err != nil {
		return nil, fmt.Errorf("read %s: %w", filepath.ToSlash(path), err)
	}
	if buf.Len() > MaxFileSize {
		return nil, tooLarge(path)
	}
	return buf.Bytes(), nil
}

func tooLarge(path string) error {
	return fmt.Errorf("%s: %w: over %d MiB; split it into smaller files", filepath.ToSlash(path), ErrTooLarge, MaxFileSize>>20)
}

// Parse reads every document of a YAML or JSON file, those that hold only
// comments included. A List of the core API group gives its items, each as a
// Document. A document that cannot be read does not hide the others: Parse
// returns the good ones together with the joined *SyntaxErrors of the others.
// path is only for messages and is kept as given.
func Parse(path string, data []byte) ([]*Document, error) {
	return parse(path, data, func(data []byte, c chunk) ([]*Document, error) { return parseChunk(path, data, c) })
}

func parse(path string, data []byte, one func(data []byte, c chunk) ([]*Document, error)) ([]*Document, error) {
	data = bytes.TrimPrefix(data, []byte("\ufeff"))
	if bytes.HasPrefix(data, []byte{0xff, 0xfe}) || bytes.HasPrefix(data, []byte{0xfe, 0xff}) {
		return nil, &SyntaxError{path, 1, 1, "the file is UTF-16, expected UTF-8", "save it as UTF-8"}
	}
	chunks := split(data)
	docs := make([][]*Document, len(chunks))
	errs := make([]error, len(chunks))
	var next atomic.Int64
	var wg sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), (len(chunks)+7)/8) {
		wg.Go(func() {
			for i := int(next.Add(1)) - 1; i < len(chunks); i = int(next.Add(1)) - 1 {
				docs[i], errs[i] = one(data, chunks[i])
			}
		})
	}
	wg.Wait()
	return slices.Concat(docs...), errors.Join(errs...)
}

// parseChunk reads what lies between two separators; nearly always that is one
// document.
func parseChunk(path string, data []byte, c chunk) ([]*Document, error) {
	text := data[c.start:c.end]
	if err := encoding(path, text, c.line); err != nil {
		return nil, err
	}
	roots, err := decodeAll(text)
	if err != nil {
		return nil, syntaxError(path, text, c.line, err)
	}
	var docs []*Document
	for _, root := range roots {
		shift(root, c.line-1)
		doc, err := newDocument(path, root)
		if err != nil {
			return nil, err
		}
		doc.Text = data[c.body:c.end]
		docs = append(docs, expandList(doc)...)
	}
	if len(docs) == 0 {
		docs = commentsOnly(path, data, c)
	}
	return docs, nil
}

// decodeAll reads the nodes of a chunk. The parser's own panics become errors.
func decodeAll(text []byte) (roots []*yaml.Node, err error) {
	defer func() {
		if r := recover(); r != nil {
			roots, err = nil, fmt.Errorf("yaml: %v", r)
		}
	}()
	dec := yaml.NewDecoder(bytes.NewReader(text))
	for {
		var root yaml.Node
		if err := dec.Decode(&root); errors.Is(err, io.EOF) {
			return roots, nil
		} else if err != nil {
			return nil, err
		}
		if root.Kind == yaml.DocumentNode && len(root.Content) == 1 && !empty(root.Content[0]) {
			roots = append(roots, root.Content[0])
		}
	}
}

// empty tells whether the parser made the node up for a document that holds
// nothing.
func empty(n *yaml.Node) bool {
	return n.Kind == yaml.ScalarNode && n.Tag == "!!null" && n.Value == "" && n.Anchor == ""
}

// commentsOnly is the document of a chunk without a value; nil where there are
// no comments either.
func commentsOnly(path string, data []byte, c chunk) []*Document {
	text := data[c.body:c.end]
	trimmed := bytes.TrimLeft(text, " \t\r\n")
	if len(trimmed) == 0 || !bytes.Contains(text, []byte("#")) {
		return nil
	}
	line, _ := newLines(data[c.start:c.end]).place(c.end - len(trimmed) - c.start)
	return []*Document{{Path: path, Line: c.line + line - 1, Text: text}}
}

// encoding refuses bytes that are not UTF-8, with their place: the parser
// would name an offset.
func encoding(path string, text []byte, line int) error {
	if utf8.Valid(text) {
		return nil
	}
	for at := 0; at < len(text); {
		r, n := utf8.DecodeRune(text[at:])
		if r == utf8.RuneError && n <= 1 {
			l, column := newLines(text).place(at)
			return &SyntaxError{path, line + l - 1, column, "not UTF-8", "save the file as UTF-8"}
		}
		at += n
	}
	return nil
}

func shift(n *yaml.Node, by int) {
	if by == 0 {
		return
	}
	n.Line += by
	for _, c := range n.Content {
		shift(c, by)
	}
}

func newDocument(path string, root *yaml.Node) (*Document, error) {
	if err := validate(path, root); err != nil {
		return nil, err
	}
	doc := &Document{Path: path, Line: root.Line, Node: root}
	doc.APIVersion = text(lookup(root, "apiVersion"))
	doc.ID.Kind = text(lookup(root, "kind"))
	if group, _, ok := strings.Cut(doc.APIVersion, "/"); ok {
		doc.ID.Group = group
	}
	meta := lookup(root, "metadata")
	doc.ID.Name = text(lookup(meta, "name"))
	doc.ID.Namespace = text(lookup(meta, "namespace"))
	return doc, nil
}

// text is a scalar's value; "" for anything else.
func text(n *yaml.Node) string {
	if n = resolved(n); n == nil || n.Kind != yaml.ScalarNode || n.Tag == "!!null" {
		return ""
	}
	return n.Value
}

// expandList gives the items of a List, or the document itself.
func expandList(doc *Document) []*Document {
	items := resolved(lookup(doc.Node, "items"))
	if doc.ID.Kind != "List" || items == nil || items.Kind != yaml.SequenceNode {
		return []*Document{doc}
	}
	var docs []*Document
	for _, item := range items.Content {
		one, err := newDocument(doc.Path, resolved(item))
		if err != nil || one.Node.Kind != yaml.MappingNode {
			return []*Document{doc}
		}
		one.Text = doc.Text
		docs = append(docs, expandList(one)...)
	}
	return docs
}
