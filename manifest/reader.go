package manifest

import (
	"sync"

	"go.yaml.in/yaml/v3"
)

// Reader parses a file that changes little from time to time, such as one in an
// editor: of documents whose text is as it was it gives what it gave before, at
// their new lines. The zero value is ready; it is for one goroutine at a time.
// Documents that it gave are read only.
type Reader struct {
	path  string
	known map[string]chunkRead // by the chunk's text
}

// chunkRead is what lay between two separators.
type chunkRead struct {
	line int
	docs []*Document
}

// Parse is the function Parse.
func (r *Reader) Parse(path string, data []byte) ([]*Document, error) {
	if path != r.path {
		r.path, r.known = path, nil
	}
	var mu sync.Mutex
	now := make(map[string]chunkRead, len(r.known))
	docs, err := parse(path, data, func(data []byte, c chunk) ([]*Document, error) {
		text := string(data[c.start:c.end])
		old, ok := r.known[text]
		docs, same := moved(old.docs, c.line-old.line)
		if !ok || !same {
			var err error
			if docs, err = parseChunk(path, data, c); err != nil {
				return docs, err
			}
		}
		mu.Lock()
		defer mu.Unlock()
		now[text] = chunkRead{c.line, docs}
		return docs, nil
	})
	r.known = now
	return docs, err
}

// moved gives the documents some lines further down; the same ones where they
// stay. It is false for what has aliases, whose nodes are shared.
func moved(docs []*Document, by int) ([]*Document, bool) {
	if by == 0 {
		return docs, true
	}
	out := make([]*Document, len(docs))
	for i, d := range docs {
		one := *d
		one.Line += by
		if one.Node != nil {
			if one.Node = copied(d.Node, by); one.Node == nil {
				return nil, false
			}
		}
		out[i] = &one
	}
	return out, true
}

// copied is a node some lines further down; nil where it has aliases.
func copied(n *yaml.Node, by int) *yaml.Node {
	if n.Kind == yaml.AliasNode {
		return nil
	}
	out := *n
	out.Line += by
	if len(n.Content) > 0 {
		out.Content = make([]*yaml.Node, len(n.Content))
		for i, c := range n.Content {
			if out.Content[i] = copied(c, by); out.Content[i] == nil {
				return nil
			}
		}
	}
	return &out
}
