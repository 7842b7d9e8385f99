package routes

import (
	"crypto/sha256"

	"github.com/meshstorm/meshstorm/space"
)

// Memory keeps what several comparisons have in common: many proxies get the
// same virtual hosts, and many routes the same expressions. The zero Memory is
// ready; it is not safe for concurrent use.
type Memory struct {
	expressions map[string]expression
	pairs       map[hostPair]found
	last        int // the last number given to a difference
}

// expression is a regular expression as a set; ok is false where it is too
// large to compute with.
type expression struct {
	set space.Strings
	ok  bool
}

// hostPair names two virtual hosts whose comparison depends on nothing else.
type hostPair struct {
	a, b         [sha256.Size]byte
	nameA, nameB string // without ports
	scheme       string
}

// found are the numbers of what differs between two virtual hosts.
type found struct{ differences, unproved []int }

// regexp is the set of an expression.
func (m *Memory) regexp(expr string) (space.Strings, bool) {
	if e, ok := m.expressions[expr]; ok {
		return e.set, e.ok
	}
	s, err := space.Regexp(expr)
	if m.expressions == nil {
		m.expressions = map[string]expression{}
	}
	m.expressions[expr] = expression{s, err == nil}
	return s, err == nil
}

// number gives differences their numbers.
func (m *Memory) number() int {
	m.last++
	return m.last
}

func (m *Memory) recall(p hostPair) (found, bool) {
	f, ok := m.pairs[p]
	return f, ok
}

func (m *Memory) remember(p hostPair, f found) {
	if m.pairs == nil {
		m.pairs = map[hostPair]found{}
	}
	m.pairs[p] = f
}
