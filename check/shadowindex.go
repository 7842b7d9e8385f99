package check

import (
	"slices"
	"strings"
)

// entryIndex finds the earlier entries that may take requests of another one
// by the literal that their paths begin with, so that long lists of rules are
// not compared each with each.
type entryIndex struct {
	byLiteral map[string][]*entry // those that take more than one path
	byPath    map[string][]*entry // exact paths
}

// Limits of what is compared: with less at hand there are fewer proofs, never
// wrong ones.
const (
	comparedWithAll = 64  // up to so many entries, each is compared with all
	comparedAtMost  = 128 // earlier entries in one question
)

func newEntryIndex() *entryIndex {
	return &entryIndex{byLiteral: map[string][]*entry{}, byPath: map[string][]*entry{}}
}

func (x *entryIndex) add(e *entry) {
	if e.path == pathExact {
		x.byPath[e.literal] = append(x.byPath[e.literal], e)
	} else {
		x.byLiteral[e.literal] = append(x.byLiteral[e.literal], e)
	}
}

// before gives exact entries before e that may take some of its requests, in
// order. Those with longer literals are left out of long lists: paths below a
// prefix do not add up to it.
func (x *entryIndex) before(e *entry, all []*entry) []*entry {
	if len(all) <= comparedWithAll {
		return slices.DeleteFunc(slices.Clone(all), func(k *entry) bool { return !k.exact })
	}
	return x.above(e)
}

// above are the entries whose literal begins that of e.
func (x *entryIndex) above(e *entry) []*entry {
	var near []*entry
	for n := 0; n <= len(e.literal); n++ {
		near = append(near, first(x.byLiteral[e.literal[:n]])...)
	}
	near = append(near, first(x.byPath[e.literal])...)
	slices.SortStableFunc(near, func(a, b *entry) int {
		if a.rule != b.rule {
			return a.rule - b.rule
		}
		return a.match - b.match
	})
	return first(near)
}

func first(entries []*entry) []*entry { return entries[:min(len(entries), comparedAtMost)] }

// mayMeet tells, by the literals alone, whether two entries can have a path in
// common.
func mayMeet(a, b *entry) bool {
	if len(a.literal) > len(b.literal) {
		a, b = b, a
	}
	if a.path == pathExact {
		return a.literal == b.literal || b.path == pathRegex && b.literal == ""
	}
	return strings.HasPrefix(b.literal, a.literal)
}
