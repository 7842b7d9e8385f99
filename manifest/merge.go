package manifest

import (
	"bytes"
	"slices"
)

// Merged is a file after a merge.
type Merged struct {
	Data      []byte
	Conflicts []Conflict // in the order of the file
	Added     []ID       // new from the generator
	Removed   []ID       // gone with the generator
	Updated   []ID       // changed by the generator, with or without edits of people
	Kept      []ID       // objects with edits of people that stand, and objects of people
}

// Merge brings what the generator changed since the last time (base to next)
// into the file as people edited it (mine). Objects are the same if their ID
// is; their fields merge by key, their lists by natural keys such as names.
// Text that needs no change is kept byte for byte. Where both sides changed the
// same thing the person's stands and a Conflict says so. With an empty base,
// all of mine stands. mine must be valid YAML: the error is a *SyntaxError, and
// nothing is merged.
func Merge(path string, base, next, mine []byte) (Merged, error) {
	f := &fileMerge{path: path}
	var err error
	if f.next, err = newVersion(path, next, nil); err != nil {
		return Merged{}, err
	}
	// A base that people broke is as good as none.
	if f.base, err = newVersion(path, base, nil); err != nil {
		f.base = &version{byKey: map[key]int{}}
	}
	known := func(p piece) bool { return f.base.knows(p) || f.next.knows(p) }
	if f.mine, err = newVersion(path, mine, known); err != nil {
		return Merged{}, err
	}
	f.crlf = bytes.Count(mine, []byte("\r\n"))*2 > bytes.Count(mine, []byte("\n"))
	f.followMoves()
	f.run()
	switch {
	case bytes.Equal(base, next):
		f.out = mine
	case bytes.Equal(base, mine):
		f.out = next
	}
	f.result.Data = f.out
	if mark := []byte("\ufeff"); bytes.HasPrefix(mine, mark) && !bytes.HasPrefix(f.out, mark) {
		f.result.Data = append(mark, f.out...)
	}
	return f.result, nil
}

// key is an object's identity among the pieces of a file: the second object
// with the same ID is another one.
type key struct {
	id  ID
	nth int
}

type version struct {
	pieces []piece
	keys   []key
	byKey  map[key]int
}

func newVersion(path string, data []byte, known func(piece) bool) (*version, error) {
	pieces, err := cut(path, data, known)
	if err != nil {
		return nil, err
	}
	v := &version{pieces: pieces, keys: make([]key, len(pieces)), byKey: make(map[key]int, len(pieces))}
	for i, p := range pieces {
		if p.empty {
			continue
		}
		k := key{id: p.id}
		for {
			if _, taken := v.byKey[k]; !taken {
				break
			}
			k.nth++
		}
		v.keys[i], v.byKey[k] = k, i
	}
	return v, nil
}

// knows tells whether an object stands in this version with the same text.
func (v *version) knows(p piece) bool {
	i, ok := v.byKey[key{id: p.id}]
	return ok && bytes.Equal(v.pieces[i].content(), p.content())
}

func (v *version) find(k key) *piece {
	if i, ok := v.byKey[k]; ok {
		return &v.pieces[i]
	}
	return nil
}

// content is the text without the separator and the blank lines at its end.
func (p *piece) content() []byte { return bytes.TrimRight(p.text[p.body:], "\n") }

// fileMerge is the merge of one file.
type fileMerge struct {
	path             string
	base, next, mine *version
	crlf             bool
	out              []byte
	lines            int // in out
	result           Merged
}

func (f *fileMerge) run() {
	size := 0
	for _, p := range f.mine.pieces {
		size += len(p.raw)
	}
	f.out = make([]byte, 0, size+size/16)
	after, first := f.additions()
	if len(f.mine.pieces) == 0 || !f.mine.pieces[0].empty {
		f.addAll(first)
		first = nil
	}
	for i := range f.mine.pieces {
		f.piece(i)
		if first != nil {
			f.addAll(first)
			first = nil
		}
		f.addAll(after[i])
	}
	f.disputeDeletions()
}

// additions finds the places of the generator's new objects: after the piece
// of mine with the index, or first.
func (f *fileMerge) additions() (after map[int][]int, first []int) {
	after = map[int][]int{}
	at := -1
	for i := range f.next.pieces {
		if f.next.pieces[i].empty {
			if i == 0 && len(f.mine.pieces) == 0 && len(f.base.pieces) == 0 {
				first = append(first, i)
			}
			continue
		}
		k := f.next.keys[i]
		if have, ok := f.mine.byKey[k]; ok {
			at = have
			continue
		}
		if f.base.find(k) != nil {
			continue
		}
		if at < 0 {
			first = append(first, i)
		} else {
			after[at] = append(after[at], i)
		}
	}
	return after, first
}

func (f *fileMerge) addAll(indexes []int) {
	for _, i := range indexes {
		p := &f.next.pieces[i]
		sep := []byte(separator)
		if len(f.out) == 0 {
			sep = p.text[:p.body]
		}
		f.emit(sep, p.text[p.body:], f.crlf)
		if !p.empty {
			f.result.Added = append(f.result.Added, p.id)
		}
	}
}

// emit appends a piece and sees to it that it is one: separated, and ended
// where directives follow. It gives the line of the piece's first byte.
func (f *fileMerge) emit(sep, body []byte, crlf bool) int {
	if len(f.out) > 0 {
		ended := endsDocument(f.out)
		if f.out[len(f.out)-1] != '\n' && f.out[len(f.out)-1] != '\r' {
			f.write([]byte("\n"), f.crlf)
		}
		switch {
		case len(sep) == 0 && !ended:
			sep = []byte(separator)
		case len(sep) > 0 && sep[0] == '%' && !ended:
			f.write([]byte("...\n"), f.crlf)
		}
	} else if string(sep) == separator && len(f.mine.pieces) > 0 && f.mine.pieces[0].body == 0 {
		sep = nil // the file had none at its beginning
	}
	line := f.lines + 1
	f.write(sep, crlf)
	f.write(body, crlf)
	return line
}

func (f *fileMerge) write(text []byte, crlf bool) {
	if crlf {
		text = bytes.ReplaceAll(bytes.ReplaceAll(text, []byte("\r\n"), []byte("\n")), []byte("\n"), []byte("\r\n"))
	}
	f.lines += bytes.Count(text, []byte("\n"))
	f.out = append(f.out, text...)
}

// endsDocument tells whether the last line that is not blank is "...".
func endsDocument(text []byte) bool {
	text = bytes.TrimRight(text, " \t\r\n")
	return bytes.HasSuffix(text, []byte("\n...")) || string(text) == "..."
}

// keep writes a piece as it is in the file.
func (f *fileMerge) keep(p *piece) int {
	if len(p.raw) == len(p.text) {
		return f.emit(p.raw[:p.body], p.raw[p.body:], false)
	}
	at := rawOffset(p.raw, p.body)
	return f.emit(p.raw[:at], p.raw[at:], false)
}

// rawOffset is where the offset of a text with LF is in the one with CRLF.
func rawOffset(raw []byte, offset int) int {
	at := 0
	for ; offset > 0; offset-- {
		if raw[at] == '\r' && at+1 < len(raw) && raw[at+1] == '\n' {
			at++
		}
		at++
	}
	return at
}

// piece merges one document of the edited file.
func (f *fileMerge) piece(i int) {
	m := &f.mine.pieces[i]
	if m.empty {
		f.comments(i, m)
		return
	}
	k := f.mine.keys[i]
	b, n := f.base.find(k), f.next.find(k)
	switch {
	case n == nil && b == nil:
		f.keep(m)
		f.result.Kept = append(f.result.Kept, m.id)
	case n == nil:
		f.gone(b, m)
	case b != nil && bytes.Equal(b.content(), n.content()), bytes.Equal(n.content(), m.content()):
		f.keep(m)
		if !bytes.Equal(n.content(), m.content()) && f.edited(n, m) {
			f.result.Kept = append(f.result.Kept, m.id)
		} else if b != nil && !bytes.Equal(b.content(), n.content()) {
			f.result.Updated = append(f.result.Updated, m.id)
		}
	case b != nil && bytes.Equal(b.content(), m.content()):
		f.emit(m.text[:m.body], f.renewed(b, n, m), len(m.raw) != len(m.text))
		f.result.Updated = append(f.result.Updated, m.id)
	default:
		f.both(b, n, m)
	}
}

// renewed is the generator's text with the blank lines that mine has at its
// end.
func (f *fileMerge) renewed(b, n, m *piece) []byte {
	text := n.text[n.body:]
	if !bytes.Equal(b.text[b.body:], m.text[m.body:]) {
		text = append(slices.Clone(n.content()), m.text[m.body+len(m.content()):]...)
	}
	if m.body > 0 && m.text[m.body-1] != '\n' && len(text) > 0 && text[0] != ' ' && text[0] != '\n' {
		text = append([]byte("\n"), text...)
	}
	return text
}
