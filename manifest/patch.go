package manifest

import (
	"bytes"
	"cmp"
	"slices"
)

// edit replaces a range of the edited text.
type edit struct {
	start, end int
	parts      []part
	after      bool // an insertion that belongs to what stands above it
	order      int
}

// part is new text, or a range of the edited text with the edits inside it.
type part struct {
	text       []byte
	start, end int
}

// patch collects the edits of one document.
type patch struct {
	text  []byte
	edits []edit
}

func (p *patch) add(e edit) {
	e.order = len(p.edits)
	p.edits = append(p.edits, e)
}

// apply gives the text with all edits made.
func (p *patch) apply() []byte {
	slices.SortFunc(p.edits, func(a, b edit) int {
		side := func(e edit) int {
			if e.after {
				return 0
			}
			return 1
		}
		inserts := func(e edit) int {
			if e.start == e.end {
				return 0
			}
			return 1
		}
		// Of two ranges that start together the wider one stands for both.
		return cmp.Or(cmp.Compare(a.start, b.start), cmp.Compare(side(a), side(b)), cmp.Compare(inserts(a), inserts(b)),
			cmp.Compare(b.end, a.end), cmp.Compare(a.order, b.order))
	})
	return p.render(nil, 0, len(p.text), nil)
}

// render appends the range with its edits. within is the edit whose part this
// is: it must not be applied again.
func (p *patch) render(out []byte, start, end int, within *edit) []byte {
	at, replaced := start, -1 // replaced is the order of the edit that ends at at
	for i := range p.edits {
		e := &p.edits[i]
		inside := e.start >= start && e.end <= end
		if e.after {
			inside = e.start > start && e.end <= end || within == nil && e.start == start
		} else if e.start == e.end && e.start == end && within != nil {
			inside = false
		}
		if within != nil && e.order == within.order || !inside || e.start < at || e.after && e.start == at && e.order < replaced {
			continue
		}
		out = append(out, p.text[at:e.start]...)
		if e.after && len(out) > 0 && out[len(out)-1] != '\n' {
			out = append(out, '\n')
		}
		for _, part := range e.parts {
			if part.text == nil {
				if out = p.render(out, part.start, part.end, e); len(out) > 0 && out[len(out)-1] != '\n' {
					out = append(out, '\n')
				}
				continue
			}
			out = append(out, part.text...)
		}
		if at = e.end; e.end > e.start {
			replaced = e.order
		}
	}
	return append(out, p.text[at:end]...)
}

// reindent moves every line of a block but the first by some columns.
func reindent(text []byte, by int, first bool) []byte {
	if by == 0 {
		return text
	}
	out := make([]byte, 0, len(text)+max(by, 0)*(bytes.Count(text, []byte("\n"))+1))
	for line := range bytes.Lines(text) {
		switch {
		case !first:
			first = true
		case len(bytes.TrimRight(line, "\r\n")) == 0:
		case by > 0:
			out = append(out, bytes.Repeat([]byte(" "), by)...)
		default:
			n := 0
			for n < -by && line[n] == ' ' {
				n++
			}
			line = line[n:]
		}
		out = append(out, line...)
	}
	return out
}
