package manifest

import (
	"bytes"
)

// comments merges a document that holds only comments: the header, which is
// the file's first, or a note of a person.
func (f *fileMerge) comments(i int, m *piece) {
	if i == 0 && len(f.base.pieces) > 0 && len(f.next.pieces) > 0 {
		b, n := &f.base.pieces[0], &f.next.pieces[0]
		if b.empty && n.empty && bytes.Equal(b.text, m.text) {
			f.emit(n.text[:n.body], n.text[n.body:], len(m.raw) != len(m.text))
			return
		}
	}
	f.keep(m)
}

// gone is for an object that the generator no longer makes.
func (f *fileMerge) gone(b, m *piece) {
	if bytes.Equal(b.content(), m.content()) || !f.edited(b, m) {
		f.result.Removed = append(f.result.Removed, m.id)
		return
	}
	line := f.keep(m)
	f.result.Kept = append(f.result.Kept, m.id)
	at, column := 1, 1
	if len(m.roots) > 0 {
		at, column = m.roots[0].Line, m.roots[0].Column
	}
	f.result.Conflicts = append(f.result.Conflicts, Conflict{
		Path: f.path, Line: line + at - 1, Column: column, Object: m.id, Yours: string(bytes.TrimSpace(m.content())),
	})
}

// both is for an object that the generator and a person changed.
func (f *fileMerge) both(b, n, m *piece) {
	if !f.readable(b) {
		b = nil
	}
	if !f.readable(n) || !f.readable(m) {
		line := f.keep(m)
		f.result.Kept = append(f.result.Kept, m.id)
		f.result.Conflicts = append(f.result.Conflicts, Conflict{Path: f.path, Line: line, Column: 1, Object: m.id,
			Yours: string(bytes.TrimSpace(m.content())), Generated: string(bytes.TrimSpace(n.content()))})
		return
	}
	edited := b == nil || f.edited(b, m)
	text, conflicts := mergeObject(f.path, b, n, m)
	if bytes.Equal(text, m.text) {
		line := f.keep(m)
		f.conflicts(conflicts, line)
	} else {
		f.result.Updated = append(f.result.Updated, m.id)
		f.conflicts(conflicts, f.emit(text[:m.body], text[m.body:], len(m.raw) != len(m.text)))
	}
	if edited {
		f.result.Kept = append(f.result.Kept, m.id)
	}
}

func (f *fileMerge) conflicts(list []Conflict, line int) {
	for _, c := range list {
		c.Line += line - 1
		f.result.Conflicts = append(f.result.Conflicts, c)
	}
}

// readable tells whether a piece is one document, and parses it.
func (f *fileMerge) readable(p *piece) bool {
	return p != nil && p.parse(f.path) == nil && len(p.roots) == 1
}

// edited tells whether a person changed a value or a comment; spaces and line
// breaks don't count.
func (f *fileMerge) edited(was, m *piece) bool {
	if !f.readable(was) || !f.readable(m) || !equal(was.roots[0], m.roots[0]) {
		return true
	}
	a, b := newLayout(was.text, was.roots[0]), newLayout(m.text, m.roots[0])
	return a.allRemarks() != b.allRemarks()
}

// allRemarks are all comments of a document.
func (l *layout) allRemarks() string {
	var b bytes.Buffer
	for i := 1; i < l.end; i++ {
		if line := bytes.TrimSpace(l.lines.text(i)); !l.content[i] && len(line) > 0 {
			b.Write(line)
			b.WriteByte('\n')
		}
	}
	b.WriteString(l.remarks(side{value: l.root}))
	return b.String()
}

// disputeDeletions reports objects that a person deleted and the generator
// changed since.
func (f *fileMerge) disputeDeletions() {
	for i := range f.next.pieces {
		n := &f.next.pieces[i]
		if n.empty || f.mine.find(f.next.keys[i]) != nil {
			continue
		}
		b := f.base.find(f.next.keys[i])
		if b == nil || bytes.Equal(b.content(), n.content()) {
			continue
		}
		if f.readable(b) && f.readable(n) && equal(b.roots[0], n.roots[0]) {
			continue
		}
		f.result.Conflicts = append(f.result.Conflicts, Conflict{
			Path: f.path, Line: 1, Column: 1, Object: n.id, Generated: string(bytes.TrimSpace(n.content())),
		})
	}
}
