package space

import (
	"slices"
	"strings"
)

// Box is a conjunction: every field's value is in its set, every atom holds as
// said. Fields that are not named may be anything within the field's universe
// (a path begins with "/" and has no "?"; a method is a token; ...). The zero
// Box is every request. Boxes are values: operations give new ones.
type Box struct {
	fields []fieldSet // sorted by field, none of them everything
	atoms  []atom     // sorted by text
	empty  bool
}

type fieldSet struct {
	field Field
	set   Strings
}

type atom struct {
	text  string
	holds bool
}

// With narrows a field to a set (intersecting with what it was narrowed to
// before).
func (b Box) With(f Field, s Strings) Box {
	if b.empty {
		return b
	}
	u := f.universe()
	s = u.plain(s)
	i, found := b.index(f)
	if found {
		s = b.fields[i].set.And(s)
	}
	if !u.meets(s, newMeter()) {
		return Box{empty: true}
	}
	if s.everyString() && !s.vague && (!s.noAbsent || !u.optional) {
		return b
	}
	b.fields = slices.Clone(b.fields)
	if found {
		b.fields[i].set = s
	} else {
		b.fields = slices.Insert(b.fields, i, fieldSet{f, s})
	}
	return b
}

// plain writes a set in the simpler form of intervals where the field has no
// values that tell it from one: "/a.*" is all paths that begin with "/a".
func (u *universe) plain(s Strings) Strings {
	if s.dfa == nil || u.values == nil {
		return s
	}
	p := s.dfa.lead
	simple := Strings{noAbsent: s.noAbsent, vague: s.vague}
	if p != "" && p != u.values.lead {
		simple.out, simple.bounds = true, prefixBounds(p)
	}
	inverse := *s.dfa
	inverse.accept = make([]bool, len(s.dfa.accept))
	for i, a := range s.dfa.accept {
		inverse.accept[i] = !a
	}
	inverse.dead = -1
	inverse.finish()
	if !u.meetsBoth(Strings{dfa: &inverse}, simple, newMeter()) {
		return simple
	}
	return s
}

// WithAtom adds a condition that is no set of strings, by its text; the same
// text means the same condition. Two atoms that exclude each other are not
// known to do so, so results that rest on atoms may be not proved.
func (b Box) WithAtom(text string, holds bool) Box {
	if b.empty {
		return b
	}
	i, found := slices.BinarySearchFunc(b.atoms, text, func(a atom, t string) int { return strings.Compare(a.text, t) })
	switch {
	case found && b.atoms[i].holds == holds:
		return b
	case found:
		return Box{empty: true}
	}
	b.atoms = slices.Insert(slices.Clone(b.atoms), i, atom{text, holds})
	return b
}

func (b Box) index(f Field) (int, bool) {
	return slices.BinarySearchFunc(b.fields, f, func(s fieldSet, f Field) int { return strings.Compare(string(s.field), string(f)) })
}

// Field is what a field is narrowed to: Any where it is not.
func (b Box) Field(f Field) Strings {
	if b.empty {
		return None()
	}
	if i, ok := b.index(f); ok {
		return b.fields[i].set
	}
	return Any()
}

// Fields are the fields that are narrowed, sorted.
func (b Box) Fields() []Field {
	names := make([]Field, len(b.fields))
	for i, f := range b.fields {
		names[i] = f.field
	}
	return names
}

// Atoms are the conditions that are no set of strings, sorted, with "!" before
// those that must not hold.
func (b Box) Atoms() []string {
	var texts []string
	for _, a := range b.atoms {
		texts = append(texts, a.String())
	}
	return texts
}

func (a atom) String() string {
	if a.holds {
		return a.text
	}
	return "!" + a.text
}

// Exactly is false where a limit was reached for one of the fields: the box
// then holds too much, never too little.
func (b Box) Exactly() bool {
	return !slices.ContainsFunc(b.fields, func(f fieldSet) bool { return f.set.vague })
}

// And is the requests in both.
func (b Box) And(o Box) Box {
	if b.empty || o.empty {
		return Box{empty: true}
	}
	for _, f := range o.fields {
		b = b.With(f.field, f.set)
	}
	for _, a := range o.atoms {
		b = b.WithAtom(a.text, a.holds)
	}
	return b
}

// IsEmpty tells whether no request is in the box.
func (b Box) IsEmpty() bool { return b.empty }

// Overlaps tells whether some request is in both, cheaply where literal paths
// or other fields already say no. True may also mean that a limit was reached.
func (b Box) Overlaps(o Box) bool { return b.overlaps(o, newMeter()) }

func (b Box) overlaps(o Box, m *meter) bool {
	if b.empty || o.empty {
		return false
	}
	for i, j := 0, 0; i < len(b.atoms) && j < len(o.atoms); {
		switch c := strings.Compare(b.atoms[i].text, o.atoms[j].text); {
		case c == 0 && b.atoms[i].holds != o.atoms[j].holds:
			return false
		case c <= 0:
			i++
		default:
			j++
		}
	}
	for i, j := 0, 0; i < len(b.fields) && j < len(o.fields); {
		f, g := &b.fields[i], &o.fields[j]
		switch c := strings.Compare(string(f.field), string(g.field)); {
		case c < 0:
			i++
		case c > 0:
			j++
		default:
			if !overlap(f.field, f.set, g.set, m) {
				return false
			}
			i, j = i+1, j+1
		}
	}
	return true
}

// overlap tells whether some value of the field is in both sets.
func overlap(f Field, a, b Strings, m *meter) bool {
	u := f.universe()
	return u.optional && !a.noAbsent && !b.noAbsent || u.meetsBoth(a, b, m)
}

// Has tells whether a request is in the box. Optional fields that the witness
// does not name are missing; others have a usual value ("/", GET, http).
func (b Box) Has(w Witness) bool {
	if b.empty {
		return false
	}
	for _, f := range b.fields {
		v, there := w.value(f.field)
		if there && !f.set.Has(v) || !there && f.set.noAbsent {
			return false
		}
	}
	for _, a := range b.atoms {
		if !slices.Contains(w.Atoms, a.String()) {
			return false
		}
	}
	return true
}

// Witness gives a request of the box, ok false where there is none.
func (b Box) Witness() (w Witness, ok bool) {
	if b.empty {
		return w, false
	}
	w = Witness{Values: map[Field]string{}, Atoms: b.Atoms()}
	for _, f := range b.fields {
		u := f.field.universe()
		if u.optional && !f.set.noAbsent {
			w.Absent = append(w.Absent, f.field)
			continue
		}
		v, _, found := example(f.set, u)
		if !found {
			return Witness{}, false
		}
		w.Values[f.field] = v
	}
	return w, true
}
