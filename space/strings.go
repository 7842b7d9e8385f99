package space

import "errors"

// Strings is an immutable set of strings, plus, for fields that may be missing,
// the answer to whether "missing" belongs to it. The zero value is every string
// and missing.
type Strings struct{ skeleton bool }

// Any is every string, and missing.
func Any() Strings { panic("skeleton") }

// Present is every string, but not missing.
func Present() Strings { panic("skeleton") }

// Absent is missing alone.
func Absent() Strings { panic("skeleton") }

// None is the empty set.
func None() Strings { panic("skeleton") }

// OneOf holds exactly these strings.
func OneOf(values ...string) Strings { panic("skeleton") }

// Exact holds one string; with fold, in any case of ASCII letters.
func Exact(s string, fold bool) Strings { panic("skeleton") }

// Prefix holds all strings that begin so.
func Prefix(s string, fold bool) Strings { panic("skeleton") }

// Suffix holds all strings that end so.
func Suffix(s string, fold bool) Strings { panic("skeleton") }

// Contains holds all strings with this somewhere.
func Contains(s string, fold bool) Strings { panic("skeleton") }

// ErrTooLarge is returned for expressions whose automaton passes the limit.
var ErrTooLarge = errors.New("the expression is too large to compute with")

// Regexp holds the strings that an RE2 expression matches as a whole. The
// error is that of regexp/syntax, or wraps ErrTooLarge.
func Regexp(expr string) (Strings, error) { panic("skeleton") }

// And, Or, Minus and Not are the operations on sets; Not is everything
// (missing included) but the set.
func (s Strings) And(o Strings) Strings   { panic("skeleton") }
func (s Strings) Or(o Strings) Strings    { panic("skeleton") }
func (s Strings) Minus(o Strings) Strings { panic("skeleton") }
func (s Strings) Not() Strings            { panic("skeleton") }

// IsEmpty tells whether nothing, not even missing, is in the set.
func (s Strings) IsEmpty() bool { panic("skeleton") }

// Within tells whether every member is one of o's.
func (s Strings) Within(o Strings) bool { panic("skeleton") }

// Has tells whether a string is a member.
func (s Strings) Has(v string) bool { panic("skeleton") }

// HasAbsent tells whether missing is a member.
func (s Strings) HasAbsent() bool { panic("skeleton") }

// Example gives a short member that people can read; absent is true where only
// missing is a member, ok is false for the empty set.
func (s Strings) Example() (v string, absent, ok bool) { panic("skeleton") }
