package manifest

import (
	"bytes"
	"errors"

	"go.yaml.in/yaml/v3"
)

// piece is one document of a file that is merged: its text from its separator
// to the next one.
type piece struct {
	text  []byte // line breaks as LF
	body  int    // where the separator ends in text
	raw   []byte // as in the file
	line  int
	id    ID
	empty bool // only comments and blank lines
	roots []*yaml.Node
}

// cut splits a file into pieces and finds out what each one is: generated text
// by its lines alone, other text by parsing it. known tells whether the text of
// an object is one that was seen, and so needs no parsing whatever it contains.
func cut(path string, data []byte, known func(piece) bool) ([]piece, error) {
	data = bytes.TrimPrefix(data, []byte("\ufeff"))
	crlf := bytes.Contains(data, []byte("\r\n"))
	chunks := split(data)
	pieces := make([]piece, 0, len(chunks))
	for _, c := range chunks {
		p := piece{raw: data[c.start:c.end], body: c.body - c.start, line: c.line}
		p.text = p.raw
		if crlf {
			p.text = bytes.ReplaceAll(p.raw, []byte("\r\n"), []byte("\n"))
			p.body -= bytes.Count(p.raw[:p.body], []byte("\r\n"))
		}
		var ok bool
		p.id, ok = scanIdentity(p.text[p.body:])
		if !ok || known != nil && !known(p) {
			if err := p.parse(path); err != nil {
				return nil, err
			}
		}
		pieces = append(pieces, p)
	}
	return pieces, nil
}

// parse reads the piece's nodes, once; their lines count from the piece's
// first.
func (p *piece) parse(path string) error {
	if p.roots != nil || p.empty {
		return nil
	}
	if err := encoding(path, p.text, p.line); err != nil {
		return err
	}
	roots, err := decodeAll(p.text)
	if err != nil {
		return syntaxError(path, p.text, p.line, err)
	}
	for _, root := range roots {
		doc, err := newDocument(path, root)
		if err != nil {
			if e := (*SyntaxError)(nil); errors.As(err, &e) {
				e.Line += p.line - 1
			}
			return err
		}
		p.id = doc.ID
	}
	p.roots, p.empty = roots, len(roots) == 0
	return nil
}

// scanIdentity reads apiVersion, kind, name and namespace by lines alone. It
// gives up (ok is false) on everything that is not written as this package
// writes it: then the document must be parsed.
func scanIdentity(body []byte) (id ID, ok bool) {
	var version, kind, name, namespace []byte
	inMetadata := false
	for len(body) > 0 {
		line := body
		if i := bytes.IndexByte(body, '\n'); i >= 0 {
			line, body = body[:i], body[i+1:]
		} else {
			body = nil
		}
		if len(line) == 0 || line[0] == '#' {
			continue
		}
		if line[0] == ' ' {
			if !inMetadata || len(line) < 3 || line[1] != ' ' || line[2] == ' ' {
				continue
			}
			ok := take(line[2:], "name: ", &name) && take(line[2:], "namespace: ", &namespace)
			if !ok {
				return ID{}, false
			}
			continue
		}
		if line[0] == '-' && !inMetadata && len(line) > 1 && line[1] == ' ' {
			continue
		}
		if !topKey(line) || bytes.HasPrefix(line, []byte("metadata:")) && len(line) > len("metadata:") {
			return ID{}, false
		}
		if !take(line, "apiVersion: ", &version) || !take(line, "kind: ", &kind) {
			return ID{}, false
		}
		inMetadata = len(line) == len("metadata:") && string(line) == "metadata:"
	}
	if len(version) == 0 || len(kind) == 0 || len(name) == 0 {
		return ID{}, false
	}
	id = ID{Kind: string(kind), Namespace: string(namespace), Name: string(name)}
	if i := bytes.IndexByte(version, '/'); i >= 0 {
		id.Group = string(version[:i])
	}
	return id, true
}

// take stores the value of a line that begins with the key. It fails on a value
// that is not plain, or on a second one.
func take(line []byte, key string, to *[]byte) bool {
	if len(line) < len(key) || string(line[:len(key)]) != key {
		return true
	}
	v := line[len(key):]
	if *to != nil || len(v) == 0 || ambiguous(v) {
		return false
	}
	for _, c := range v {
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '-' && c != '.' && c != '/' {
			return false
		}
	}
	*to = v
	return true
}

// topKey tells whether a line at the left edge is a plain key.
func topKey(line []byte) bool {
	for i, c := range line {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', i > 0 && c >= '0' && c <= '9':
			continue
		case c == ':':
			return i > 0 && (i+1 == len(line) || line[i+1] == ' ')
		}
		return false
	}
	return false
}
