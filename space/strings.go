package space

import (
	"errors"
	"sort"
	"strings"
)

// Strings is an immutable set of strings, plus, for fields that may be missing,
// the answer to whether "missing" belongs to it. The zero value is every string
// and missing.
//
// Two forms are used. What is made of literals and prefixes is a list of
// intervals in the order of bytes, so that operations between such sets are
// merges of short lists; everything else is a minimal automaton over bytes.
//
// Where an operation passes a limit its result holds too much, never too
// little, and Exactly is false from then on.
type Strings struct {
	noAbsent bool
	vague    bool // the true set is a subset of this one
	// out tells whether the empty string, and all strings up to the first
	// bound, are outside. Each bound, in ascending order, begins a stretch that
	// is on the other side.
	out    bool
	bounds []string
	dfa    *dfa // where set, it says which strings; out and bounds are empty
}

// Any is every string, and missing.
func Any() Strings { return Strings{} }

// Present is every string, but not missing.
func Present() Strings { return Strings{noAbsent: true} }

// Absent is missing alone.
func Absent() Strings { return Strings{out: true} }

// None is the empty set.
func None() Strings { return Strings{out: true, noAbsent: true} }

// OneOf holds exactly these strings.
func OneOf(values ...string) Strings {
	sorted := append([]string(nil), values...)
	sort.Strings(sorted)
	b := make([]string, 0, 2*len(sorted))
	for i, v := range sorted {
		if i == 0 || v != sorted[i-1] {
			b = append(b, v, v+"\x00")
		}
	}
	return intervals(b)
}

// Exact holds one string; with fold, in any case of ASCII letters.
func Exact(s string, fold bool) Strings {
	if !fold || !hasLetter(s) {
		return intervals([]string{s, s + "\x00"})
	}
	return automaton(literal(s, false))
}

// Prefix holds all strings that begin so.
func Prefix(s string, fold bool) Strings {
	if !fold || !hasLetter(s) {
		return intervals(prefixBounds(s))
	}
	return automaton(literal(s, true))
}

// Suffix holds all strings that end so.
func Suffix(s string, fold bool) Strings {
	if s == "" {
		return Present()
	}
	return automaton(search(s, fold, false))
}

// Contains holds all strings with this somewhere.
func Contains(s string, fold bool) Strings {
	if s == "" {
		return Present()
	}
	return automaton(search(s, fold, true))
}

// PathSeparatedPrefix holds the path itself and all paths below it: "/api",
// "/api/" and "/api/x", but not "/apis" (Envoy's path_separated_prefix, and
// PathPrefix of the Gateway API).
func PathSeparatedPrefix(s string, fold bool) Strings {
	return Exact(s, fold).Or(Prefix(s+"/", fold))
}

// ErrTooLarge is returned for expressions whose automaton passes the limit.
var ErrTooLarge = errors.New("the expression is too large to compute with")

// intervals is the set of the strings in [b0,b1), [b2,b3), ... without missing.
func intervals(b []string) Strings {
	s := Strings{noAbsent: true, out: true}
	for _, bound := range b {
		switch n := len(s.bounds); {
		case bound == "":
			s.out = !s.out
		case n > 0 && s.bounds[n-1] == bound: // two stretches that touch
			s.bounds = s.bounds[:n-1]
		default:
			s.bounds = append(s.bounds, bound)
		}
	}
	return s
}

func automaton(d *dfa) Strings {
	if words, ok := d.words(maxWords); ok {
		return OneOf(words...)
	}
	return Strings{noAbsent: true, dfa: d}
}

// maxWords is how many strings a finite language may have to be kept as a list.
const maxWords = 64

// prefixBounds are the bounds of the interval of all strings with a prefix.
func prefixBounds(p string) []string {
	for i := len(p) - 1; i >= 0; i-- {
		if p[i] != 0xff {
			return []string{p, p[:i] + string([]byte{p[i] + 1})}
		}
	}
	return []string{p}
}

func hasLetter(s string) bool {
	return strings.ContainsFunc(s, func(r rune) bool { return r|0x20 >= 'a' && r|0x20 <= 'z' })
}

// And is the strings in both.
func (s Strings) And(o Strings) Strings { return s.and(o, newMeter()) }

// Or is the strings in either.
func (s Strings) Or(o Strings) Strings { return s.or(o, newMeter()) }

// Minus is the strings that are in s and not in o.
func (s Strings) Minus(o Strings) Strings { return s.minus(o, newMeter()) }

// Not is everything, missing included, but the set.
func (s Strings) Not() Strings { return Any().Minus(s) }

func (s Strings) and(o Strings, m *meter) Strings {
	r, ok := combine(s, o, func(a, b bool) bool { return a && b }, m)
	if !ok {
		r = s // either holds all of the intersection
	}
	r.noAbsent = s.noAbsent || o.noAbsent
	r.vague = !ok || s.vague || o.vague
	return r
}

func (s Strings) or(o Strings, m *meter) Strings {
	r, ok := combine(s, o, func(a, b bool) bool { return a || b }, m)
	if !ok {
		r = Any()
	}
	r.noAbsent = s.noAbsent && o.noAbsent
	r.vague = !ok || s.vague || o.vague
	return r
}

func (s Strings) minus(o Strings, m *meter) Strings {
	if o.vague { // nobody knows which of o's strings are really in it
		s.vague = true
		return s
	}
	r, ok := combine(s, o, func(a, b bool) bool { return a && !b }, m)
	if !ok {
		r = s
	}
	r.noAbsent = s.noAbsent || !o.noAbsent
	r.vague = !ok || s.vague
	return r
}

// combine is the set of the strings for which op holds; ok is false where the
// meter ran out. Whether missing belongs to it is the caller's to say.
func combine(s, o Strings, op func(a, b bool) bool, m *meter) (r Strings, ok bool) {
	if s.dfa == nil && o.dfa == nil {
		r.out, r.bounds = merge(s, o, op)
		return r, true
	}
	a, okA := s.machine(m)
	b, okB := o.machine(m)
	if !okA || !okB {
		return r, false
	}
	d, ok := product(a, b, op, m)
	if !ok {
		return r, false
	}
	if out, constant := d.constant(); constant {
		return Strings{out: out}, true
	}
	if words, finite := d.words(maxWords); finite {
		return OneOf(words...), true
	}
	return Strings{dfa: d}, true
}

// machine is the automaton of the strings of a set.
func (s Strings) machine(m *meter) (*dfa, bool) {
	if s.dfa != nil {
		return s.dfa, true
	}
	return intervalAutomaton(s.out, s.bounds, m)
}

// Exactly is false where a limit was reached on the way: the set then holds
// too much, never too little.
func (s Strings) Exactly() bool { return !s.vague }

// Literal tells whether the set is made of literals and prefixes alone, so that
// asking about it costs next to nothing; other sets are automata.
func (s Strings) Literal() bool { return s.dfa == nil }

// IsEmpty tells whether nothing, not even missing, is in the set.
func (s Strings) IsEmpty() bool { return s.noAbsent && s.noStrings() }

func (s Strings) noStrings() bool {
	if s.dfa != nil {
		out, constant := s.dfa.constant()
		return constant && out
	}
	return s.out && len(s.bounds) == 0
}

// everyString tells whether every string is in the set.
func (s Strings) everyString() bool { return s.dfa == nil && !s.out && len(s.bounds) == 0 }

// Within tells whether every member is one of o's. False may also mean that a
// limit was reached.
func (s Strings) Within(o Strings) bool { return s.within(o, newMeter()) }

func (s Strings) within(o Strings, m *meter) bool {
	if o.vague || !s.noAbsent && o.noAbsent {
		return false
	}
	if o.everyString() {
		return true
	}
	if s.dfa == nil && o.dfa == nil {
		return withinIntervals(s, o)
	}
	if w, ok := s.single(); ok {
		return o.Has(w)
	}
	return s.minus(o, m).noStrings()
}

// Overlaps tells whether the sets have a member in common. True may also mean
// that a limit was reached.
func (s Strings) Overlaps(o Strings) bool { return !s.And(o).IsEmpty() }

// Has tells whether a string is a member.
func (s Strings) Has(v string) bool {
	if s.dfa != nil {
		return s.dfa.has(v)
	}
	n := sort.Search(len(s.bounds), func(i int) bool { return s.bounds[i] > v })
	return s.out == (n%2 == 1)
}

// HasAbsent tells whether missing is a member.
func (s Strings) HasAbsent() bool { return !s.noAbsent }

// single gives the only string of the set, where there is just one.
func (s Strings) single() (string, bool) {
	if s.dfa != nil || !s.out || len(s.bounds) != 2 {
		return "", false
	}
	lo, hi := s.bounds[0], s.bounds[1]
	if len(hi) == len(lo)+1 && hi[len(lo)] == 0 && hi[:len(lo)] == lo {
		return lo, true
	}
	return "", false
}

// Values are the strings of a finite set, sorted; ok is false where it is not
// known to be finite. Missing is not counted.
func (s Strings) Values() (values []string, ok bool) {
	if s.dfa != nil {
		return nil, false
	}
	for _, t := range s.stretches() {
		if t.endless || t.hi != t.lo+"\x00" {
			return nil, false
		}
		values = append(values, t.lo)
	}
	return values, true
}

// Lead is what every string of the set begins with, as far as it is known.
func (s Strings) Lead() string {
	if s.dfa != nil {
		return s.dfa.lead
	}
	if !s.out || len(s.bounds) < 2 || len(s.bounds)%2 == 1 {
		return ""
	}
	return lead(s.bounds[0], s.bounds[len(s.bounds)-1])
}

// Example gives a short member that people can read; absent is true where only
// missing is a member, ok is false for the empty set.
func (s Strings) Example() (v string, absent, ok bool) {
	return example(s, everything())
}
