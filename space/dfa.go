package space

import (
	"strings"
)

// Limits on what one operation may build, so that no input makes it slow.
const (
	maxRegexpStates = 2_000   // of an expression's automaton
	maxWork         = 100_000 // states that one operation looks at
)

// meter counts work down to nothing.
type meter struct{ left int }

func newMeter() *meter { return &meter{left: maxWork} }

func (m *meter) spend(n int) bool {
	m.left -= n
	return m.left >= 0
}

// dfa is a complete, minimal, deterministic automaton over bytes. Bytes that no
// state tells apart share a class. State 0 is the start. It never changes once
// built, and equal languages have equal automata.
type dfa struct {
	class  [256]uint8
	width  int     // number of classes
	next   []int32 // state*width + class
	accept []bool
	dead   int32  // the state that nothing is accepted from, -1 where there is none
	lead   string // what every member begins with
}

func (d *dfa) step(s int32, b byte) int32 { return d.next[int(s)*d.width+int(d.class[b])] }
func (d *dfa) accepts(s int32) bool       { return d.accept[s] }
func (d *dfa) isDead(s int32) bool        { return s == d.dead }

func (d *dfa) has(v string) bool {
	s := int32(0)
	for i := range len(v) {
		if s = d.step(s, v[i]); s == d.dead {
			return false
		}
	}
	return d.accept[s]
}

// constant tells whether the language is empty (out) or every string (not out).
func (d *dfa) constant() (out, constant bool) {
	return !d.accept[0], len(d.accept) == 1
}

// words lists a finite language, if it has at most limit strings.
func (d *dfa) words(limit int) (words []string, ok bool) {
	depth := 0
	var visit func(s int32, word []byte) bool
	visit = func(s int32, word []byte) bool {
		if s == d.dead {
			return true
		}
		// A word longer than there are states goes round in a circle.
		if depth++; depth > 64*limit || len(word) > len(d.accept) {
			return false
		}
		if d.accept[s] {
			words = append(words, string(word))
		}
		if len(words) > limit {
			return false
		}
		for b := range 256 {
			if t := d.step(s, byte(b)); t != d.dead && !visit(t, append(word, byte(b))) {
				return false
			}
		}
		return true
	}
	if !visit(0, nil) {
		return nil, false
	}
	return words, true
}

// fromRows builds the automaton of a transition table; start names its start.
func fromRows(rows [][256]int32, accept []bool, start int32) *dfa {
	d := &dfa{accept: accept}
	columns := map[string]uint8{}
	key := make([]byte, 4*len(rows))
	var bytes []int
	for b := range 256 {
		for i := range rows {
			t := rows[i][b]
			key[4*i], key[4*i+1], key[4*i+2], key[4*i+3] = byte(t), byte(t>>8), byte(t>>16), byte(t>>24)
		}
		c, ok := columns[string(key)]
		if !ok {
			c = uint8(len(bytes))
			columns[string(key)] = c
			bytes = append(bytes, b)
		}
		d.class[b] = c
	}
	d.width = len(bytes)
	d.next = make([]int32, len(rows)*d.width)
	for i := range rows {
		for c, b := range bytes {
			d.next[i*d.width+c] = rows[i][b]
		}
	}
	return minimise(d, start)
}

// literal is the automaton of one string in any case of ASCII letters; open
// lets anything follow it.
func literal(s string, open bool) *dfa {
	n := len(s)
	rows := make([][256]int32, n+2) // n is after the literal, n+1 is dead
	accept := make([]bool, n+2)
	accept[n] = true
	for i := range rows {
		for b := range 256 {
			rows[i][b] = int32(n + 1)
			switch {
			case i < n && lower(byte(b)) == lower(s[i]):
				rows[i][b] = int32(i + 1)
			case i == n && open:
				rows[i][b] = int32(n)
			}
		}
	}
	return fromRows(rows, accept, 0)
}

// search is the automaton that looks for a string (Knuth, Morris and Pratt);
// sticky accepts from the first find on, otherwise the find must be at the end.
func search(s string, fold, sticky bool) *dfa {
	if fold {
		s = strings.Map(func(r rune) rune {
			if r < 0x80 {
				return rune(lower(byte(r)))
			}
			return r
		}, s)
	}
	n := len(s)
	rows := make([][256]int32, n+1)
	accept := make([]bool, n+1)
	accept[n] = true
	border := int32(0) // the state of s[1:i]
	for i := range n + 1 {
		for b := range 256 {
			c := byte(b)
			if fold {
				c = lower(c)
			}
			switch {
			case sticky && i == n:
				rows[i][b] = int32(n)
			case i < n && c == s[i]:
				rows[i][b] = int32(i + 1)
			case i > 0:
				rows[i][b] = rows[border][b]
			}
		}
		if i > 0 && i < n {
			border = rows[border][s[i]]
		}
	}
	return fromRows(rows, accept, 0)
}

func lower(b byte) byte {
	if b >= 'A' && b <= 'Z' {
		return b + 'a' - 'A'
	}
	return b
}

// product is the automaton of the strings for which op holds of a's and b's
// verdict; ok is false where the meter ran out.
func product(a, b *dfa, op func(a, b bool) bool, m *meter) (*dfa, bool) {
	d := &dfa{}
	both := newClasses()
	both.refine(a.width, func(c int) int { return int(a.class[c]) })
	both.refine(b.width, func(c int) int { return int(b.class[c]) })
	var bytes []byte
	for c := range 256 {
		if int(both.of[c]) == len(bytes) {
			bytes = append(bytes, byte(c))
		}
		d.class[c] = uint8(both.of[c])
	}
	d.width = len(bytes)
	// Where the verdict cannot change any more there is no need to tell states
	// apart.
	settle := func(s, t int32) [2]int32 {
		if s == a.dead && op(false, true) == op(false, false) {
			t = 0
		}
		if t == b.dead && b.dead >= 0 && op(true, false) == op(false, false) {
			s = 0
			if a.dead >= 0 {
				s = a.dead
			}
		}
		return [2]int32{s, t}
	}
	first := [2]int32{0, 0}
	seen := map[[2]int32]int32{first: 0}
	for todo := [][2]int32{first}; len(todo) > 0; todo = todo[1:] {
		if !m.spend(1) {
			return nil, false
		}
		at := todo[0]
		d.accept = append(d.accept, op(a.accept[at[0]], b.accept[at[1]]))
		for _, c := range bytes {
			to := settle(a.step(at[0], c), b.step(at[1], c))
			n, ok := seen[to]
			if !ok {
				n = int32(len(seen))
				seen[to] = n
				todo = append(todo, to)
			}
			d.next = append(d.next, n)
		}
	}
	return minimise(d, 0), true
}
