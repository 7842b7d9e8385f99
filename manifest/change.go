package manifest

import (
	"bytes"
	"fmt"
	"slices"
)

// Edit changes values in a file's text. It calls change with every object of
// the file, in the order of Parse; what change does to an object's Node is done
// to the text, and everything else stays byte for byte, comments included.
// Aliases are given as copies of what they stand for; Line and Column are those
// in the file. A document with several roots is left alone. data must be valid YAML:
// the error is a *SyntaxError. Data that change leaves as it was is returned as
// it is.
func Edit(path string, data []byte, change func(*Document)) ([]byte, error) {
	pieces, err := cut(path, data, nil)
	if err != nil {
		return nil, err
	}
	var out []byte
	if mark := []byte("\ufeff"); bytes.HasPrefix(data, mark) {
		out = slices.Clone(mark)
	}
	changed := false
	for i := range pieces {
		p := &pieces[i]
		text, err := p.edited(path, change)
		if err != nil {
			return nil, err
		}
		if text == nil {
			out = append(out, p.raw...)
			continue
		}
		changed = true
		if len(p.raw) != len(p.text) {
			text = bytes.ReplaceAll(text, []byte("\n"), []byte("\r\n"))
		}
		out = append(out, text...)
	}
	if !changed {
		return data, nil
	}
	return out, nil
}

// edited is the piece's text with what change does to its objects; nil where
// that is nothing.
func (p *piece) edited(path string, change func(*Document)) ([]byte, error) {
	if err := p.parse(path); err != nil {
		return nil, err
	}
	if len(p.roots) != 1 {
		return nil, nil
	}
	was, now := clone(p.roots[0]), clone(p.roots[0])
	expand(was)
	expand(now)
	doc, err := newDocument(path, now)
	if err != nil {
		return nil, err
	}
	for _, d := range expandList(doc) {
		d.Line += p.line - 1
		change(d)
	}
	want := canon(now)
	if canon(was) == want {
		return nil, nil
	}
	base, err := cutOne(path, encodeNode(was))
	if err != nil {
		return nil, err
	}
	text := encodeNode(now)
	next, err := cutOne(path, text)
	if err != nil {
		return nil, err
	}
	mine := *p
	if mine.roots, err = decodeAll(p.text); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	merged, _ := mergeObject(path, base, next, &mine)
	if roots, err := decodeAll(merged); err == nil && len(roots) == 1 {
		if expand(roots[0]); canon(roots[0]) == want {
			return merged, nil
		}
	}
	return append(slices.Clone(p.text[:p.body]), text...), nil
}

func cutOne(path string, text []byte) (*piece, error) {
	pieces, err := cut(path, text, nil)
	if err != nil {
		return nil, err
	}
	if len(pieces) != 1 {
		return nil, fmt.Errorf("%s: a document with a document marker inside cannot be edited", path)
	}
	return &pieces[0], pieces[0].parse(path)
}
