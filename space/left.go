package space

import (
	"encoding/binary"
	"slices"
	"strings"
)

// Limits on what Left does before it gives up.
const (
	maxBoxes   = 10_000    // boxes that a remainder may fall into
	maxLooks   = 2_000_000 // pairs of boxes that it looks at
	leftStates = 1_000_000 // states of automata that it walks through
)

// Left gives what remains of b when all of by is taken away, as disjoint boxes.
// proved is false where a limit was reached; the boxes may then hold too much.
func Left(b Box, by []Box) (rest []Box, proved bool) {
	if b.empty {
		return nil, true
	}
	m := &meter{left: leftStates}
	bites, proved := bites(b, by, m)
	rest = []Box{b}
	looks := 0
	for _, bite := range bites {
		if looks += len(rest); looks > maxLooks || len(rest) > maxBoxes || m.left < 0 {
			return rest, false
		}
		rest = takeAway(rest, bite, m)
		if len(rest) == 0 {
			return nil, true
		}
	}
	exact := !slices.ContainsFunc(rest, func(r Box) bool { return !r.Exactly() })
	return rest, proved && exact
}

// bites are the boxes that take something of b, reduced to the conditions that
// b does not already fulfil, joined where they differ in one field only, the
// simplest first. exact is false where one is known only roughly, and was left
// out for that.
func bites(b Box, by []Box, m *meter) (out []Box, exact bool) {
	exact = true
	for _, o := range by {
		if !b.overlaps(o, m) {
			continue
		}
		if !o.Exactly() {
			exact = false
			continue
		}
		bite := o.beyond(b, m)
		if len(bite.fields)+len(bite.atoms) == 0 {
			return []Box{{}}, true
		}
		out = append(out, bite)
	}
	if len(out) > 1 {
		joining := newMeter() // what cannot be joined cheaply stays apart
		out = join(out, Path, joining)
		out = joinAll(out, joining)
	}
	slices.SortStableFunc(out, func(x, y Box) int {
		return len(x.fields) + len(x.atoms) - len(y.fields) - len(y.atoms)
	})
	return out, exact
}

// beyond is the box without the conditions that every request of b fulfils.
func (b Box) beyond(o Box, m *meter) Box {
	var out Box
	for _, f := range b.fields {
		if !o.fulfils(f, m) {
			out.fields = append(out.fields, f)
		}
	}
	for _, a := range b.atoms {
		if !slices.Contains(o.atoms, a) {
			out.atoms = append(out.atoms, a)
		}
	}
	return out
}

func (b Box) fulfils(f fieldSet, m *meter) bool {
	i, found := b.index(f.field)
	return found && b.fields[i].set.within(f.set, m)
}

// join makes one box of those that differ in one field alone.
func join(boxes []Box, by Field, m *meter) []Box {
	groups := map[string]int{}
	var out []Box
	var sets [][]Strings
	for _, b := range boxes {
		i, found := b.index(by)
		if !found {
			out, sets = append(out, b), append(sets, nil)
			continue
		}
		key := b.key(by)
		n, known := groups[key]
		if !known {
			n = len(out)
			groups[key] = n
			out, sets = append(out, b), append(sets, nil)
		}
		sets[n] = append(sets[n], b.fields[i].set)
	}
	for n, s := range sets {
		if len(s) > 1 {
			i, _ := out[n].index(by)
			out[n].fields = slices.Clone(out[n].fields)
			out[n].fields[i].set = union(s, m)
			if !out[n].Exactly() { // too large together: keep them apart
				return boxes
			}
		}
	}
	return out
}

// joinAll joins by every other field that the boxes have.
func joinAll(boxes []Box, m *meter) []Box {
	var names []Field
	for _, b := range boxes {
		for _, f := range b.fields {
			if f.field != Path {
				names = append(names, f.field)
			}
		}
	}
	slices.Sort(names)
	names = slices.Compact(names)
	if len(names) > 16 { // each costs a pass over all boxes
		names = names[:16]
	}
	for _, f := range names {
		boxes = join(boxes, f, m)
	}
	return boxes
}

// union joins in pairs, so that long lists are merged a few times only.
func union(sets []Strings, m *meter) Strings {
	for len(sets) > 1 {
		var next []Strings
		for i := 0; i+1 < len(sets); i += 2 {
			next = append(next, sets[i].or(sets[i+1], m))
		}
		if len(sets)%2 == 1 {
			next = append(next, sets[len(sets)-1])
		}
		sets = next
	}
	return sets[0]
}

// Key is a text that is equal for equal boxes; most different boxes have
// different ones.
func (b Box) Key() string {
	if b.empty {
		return "empty"
	}
	return b.key("")
}

// key is equal for boxes that differ in the one field alone.
func (b Box) key(without Field) string {
	var k strings.Builder
	for _, f := range b.fields {
		if f.field != without {
			k.WriteString(string(f.field) + "\x00")
			f.set.writeKey(&k)
		}
	}
	for _, a := range b.atoms {
		k.WriteString(a.String() + "\x00")
	}
	return k.String()
}

// writeKey writes what is equal for equal sets.
func (s Strings) writeKey(k *strings.Builder) {
	flags := byte('0')
	for i, f := range []bool{s.noAbsent, s.out, s.dfa != nil} {
		if f {
			flags += 1 << i
		}
	}
	k.WriteByte(flags)
	var n [4]byte
	number := func(v int) {
		binary.LittleEndian.PutUint32(n[:], uint32(v))
		k.Write(n[:])
	}
	number(len(s.bounds))
	for _, b := range s.bounds {
		number(len(b))
		k.WriteString(b)
	}
	if d := s.dfa; d != nil {
		k.Write(d.class[:])
		number(len(d.accept))
		for i, a := range d.accept {
			if a {
				number(i)
			}
		}
		for _, t := range d.next {
			number(int(t))
		}
	}
}

// takeAway splits the boxes that a bite overlaps: for one field after the
// other, what is outside of the bite stays as a box of its own.
func takeAway(boxes []Box, bite Box, m *meter) []Box {
	out := make([]Box, 0, len(boxes)+1)
	for _, b := range boxes {
		if !b.overlaps(bite, m) {
			out = append(out, b)
			continue
		}
		for _, f := range bite.fields {
			set := b.Field(f.field)
			if outside := b.narrowed(f.field, set.minus(f.set, m), m); !outside.empty {
				out = append(out, outside)
			}
			b = b.narrowed(f.field, set.and(f.set, m), m)
		}
		for _, a := range bite.atoms {
			if outside := b.WithAtom(a.text, !a.holds); !outside.empty {
				out = append(out, outside)
			}
			b = b.WithAtom(a.text, a.holds)
		}
	}
	return out
}

// narrowed is the box with the set in place of what the field had.
func (b Box) narrowed(f Field, s Strings, m *meter) Box {
	if b.empty {
		return b
	}
	u := f.universe()
	if !u.meets(s, m) {
		return Box{empty: true}
	}
	i, found := b.index(f)
	b.fields = slices.Clone(b.fields)
	if found {
		b.fields[i].set = s
	} else {
		b.fields = slices.Insert(b.fields, i, fieldSet{f, s})
	}
	return b
}
