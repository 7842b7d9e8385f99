package space

import "slices"

// Covered asks whether every request of b is in one of by.
func Covered(b Box, by []Box) Result {
	if b.empty {
		return Result{Empty: true, Proved: true}
	}
	overlapping := by[:0:0]
	m := &meter{left: leftStates}
	for _, o := range by {
		if b.overlaps(o, m) {
			overlapping = append(overlapping, o)
		}
	}
	if w, ok := b.Witness(); ok && len(w.Atoms) == 0 && b.Exactly() {
		if w = w.among(b, overlapping); outside(w, overlapping) {
			return Result{Proved: true, Witness: &w}
		}
	}
	rest, proved := Left(b, overlapping)
	if len(rest) == 0 {
		return Result{Empty: true, Proved: true}
	}
	slices.SortStableFunc(rest, func(x, y Box) int {
		return 100*(len(x.atoms)-len(y.atoms)) + len(x.fields) - len(y.fields)
	})
	w := choose(rest)
	if w == nil {
		return Result{Proved: false}
	}
	certain := len(w.Atoms) == 0 && b.Exactly() && (proved || b.Has(*w) && outside(*w, overlapping))
	return Result{Proved: certain, Witness: w}
}

// choose takes the shortest witness of the boxes with the fewest conditions.
func choose(rest []Box) *Witness {
	var best *Witness
	size := 0
	for i, r := range rest {
		if best != nil && (i > 32 || len(r.atoms) > len(rest[0].atoms)) {
			break
		}
		w, ok := r.Witness()
		if !ok {
			continue
		}
		n := 0
		for _, v := range w.Values {
			n += 4 + len(v)
		}
		if best == nil || n < size {
			best, size = &w, n
		}
	}
	return best
}

// among names the optional fields that the boxes look at and b does not: they
// are missing.
func (w Witness) among(b Box, boxes []Box) Witness {
	for _, o := range boxes {
		for _, f := range o.fields {
			if _, named := b.index(f.field); !named && f.field.Optional() {
				w.Absent = append(w.Absent, f.field)
			}
		}
	}
	slices.Sort(w.Absent)
	w.Absent = slices.Compact(w.Absent)
	return w
}

// outside tells whether the witness is surely in none of the boxes.
func outside(w Witness, boxes []Box) bool {
	return !slices.ContainsFunc(boxes, func(b Box) bool {
		b.atoms = nil // nobody knows whether they hold
		return b.Has(w)
	})
}
