package space

// Box is a conjunction: every field's value is in its set, every atom holds as
// said. Fields that are not named may be anything within the field's universe
// (a path begins with "/" and has no "?"; a method is a token; ...). The zero
// Box is every request. Boxes are values: operations give new ones.
type Box struct{ skeleton bool }

// With narrows a field to a set (intersecting with what it was narrowed to
// before).
func (b Box) With(f Field, s Strings) Box { panic("skeleton") }

// WithAtom adds a condition that is no set of strings, by its text; the same
// text means the same condition. Two atoms that exclude each other are not
// known to do so, so results that rest on atoms may be not proved.
func (b Box) WithAtom(text string, holds bool) Box { panic("skeleton") }

// And is the requests in both.
func (b Box) And(o Box) Box { panic("skeleton") }

// IsEmpty tells whether no request is in the box.
func (b Box) IsEmpty() bool { panic("skeleton") }

// Overlaps tells whether some request is in both, cheaply where literal paths
// or other fields already say no.
func (b Box) Overlaps(o Box) bool { panic("skeleton") }

// Left gives what remains of b when all of by is taken away, as disjoint boxes.
// proved is false where a limit was reached; the boxes may then hold too much.
func Left(b Box, by []Box) (rest []Box, proved bool) { panic("skeleton") }

// Covered asks whether every request of b is in one of by.
func Covered(b Box, by []Box) Result { panic("skeleton") }

// Witness gives a request of the box, ok false where there is none.
func (b Box) Witness() (w Witness, ok bool) { panic("skeleton") }
