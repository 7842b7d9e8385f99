package space

import (
	"encoding/binary"
	"fmt"
	"regexp/syntax"
	"slices"
	"unicode"
)

// Limits on expressions.
const (
	maxInstructions = 20_000
	maxSteps        = 3_000_000 // moves tried while building one automaton
)

// Regexp holds the strings that an RE2 expression matches as a whole, as
// Envoy's safe_regex does. Characters are those of UTF-8: what is no UTF-8 is
// in no expression's set, as in RE2. The error is that of regexp/syntax, or
// wraps ErrTooLarge.
func Regexp(expr string) (Strings, error) {
	re, err := syntax.Parse(expr, syntax.Perl)
	if err != nil {
		return None(), err
	}
	if re.Op == syntax.OpLiteral && re.Flags&syntax.FoldCase == 0 {
		return OneOf(string(re.Rune)), nil
	}
	prog, err := syntax.Compile(re.Simplify())
	if err != nil {
		return None(), err
	}
	if len(prog.Inst) > maxInstructions {
		return Any(), fmt.Errorf("%.60q has %d steps; at most %d can be computed with: %w", expr, len(prog.Inst), maxInstructions, ErrTooLarge)
	}
	b := &subsets{prog: prog, nodes: []utf8Node{{}}, classes: map[string]int32{}}
	for i := range prog.Inst {
		b.assertions = b.assertions || prog.Inst[i].Op == syntax.InstEmptyWidth
	}
	d, ok := b.build()
	if !ok {
		return Any(), fmt.Errorf("%.60q needs more than %d states: %w", expr, maxRegexpStates, ErrTooLarge)
	}
	return automaton(d), nil
}

// subsets builds a deterministic automaton from a compiled expression: each of
// its states is the set of places where the expression may be. A place is an
// instruction, or the middle of a character that an instruction reads.
type subsets struct {
	prog       *syntax.Prog
	assertions bool // the expression looks at its surroundings (^, $, \b)
	nodes      []utf8Node
	classes    map[string]int32 // the node where a class of characters begins
	roots      []int32          // by instruction
	reps       []byte           // one of each class of bytes
	steps      int
	visited    []uint32 // the round in which an instruction was last followed
	round      uint32
}

// utf8Node is a point within the encodings of a class of characters.
type utf8Node struct {
	edges []utf8Edge
	by    [][]int32 // targets by class of bytes
}

type utf8Edge struct {
	byteRange
	to int32 // 0 ends the character
}

// place packs an instruction and a node; node 0 is before the character.
type place uint64

func at(inst uint32, node int32) place { return place(inst)<<32 | place(uint32(node)) }

// before is what stood before a position, as assertions see it.
type before byte

const (
	beforeNothing before = iota
	beforeNewline
	beforeWord
	beforeOther
)

func (b *subsets) build() (*dfa, bool) {
	var cuts [257]bool
	b.roots = make([]int32, len(b.prog.Inst))
	for i := range b.prog.Inst {
		if ranges := runes(&b.prog.Inst[i]); ranges != nil {
			b.roots[i] = b.class(ranges)
			if b.steps > maxSteps {
				return nil, false
			}
		}
	}
	for _, n := range b.nodes {
		for _, e := range n.edges {
			cuts[e.lo], cuts[int(e.hi)+1] = true, true
		}
	}
	if b.assertions {
		for _, r := range []byteRange{{'\n', '\n'}, {'0', '9'}, {'A', 'Z'}, {'_', '_'}, {'a', 'z'}} {
			cuts[r.lo], cuts[int(r.hi)+1] = true, true
		}
	}
	d := &dfa{}
	for c := range 256 {
		if c == 0 || cuts[c] {
			b.reps = append(b.reps, byte(c))
		}
		d.class[c] = uint8(len(b.reps) - 1)
	}
	d.width = len(b.reps)
	for i := range b.nodes {
		n := &b.nodes[i]
		n.by = make([][]int32, d.width)
		for _, e := range n.edges {
			for c := int(d.class[e.lo]); c <= int(d.class[e.hi]); c++ {
				n.by[c] = append(n.by[c], e.to)
			}
		}
	}
	return b.determinise(d)
}

func (b *subsets) determinise(d *dfa) (*dfa, bool) {
	type state struct {
		places []place
		prev   before
	}
	seen := map[string]int32{}
	var todo []state
	add := func(s state) int32 {
		slices.Sort(s.places)
		s.places = slices.Compact(s.places)
		key := make([]byte, 0, 8*len(s.places)+1)
		for _, p := range s.places {
			key = binary.LittleEndian.AppendUint64(key, uint64(p))
		}
		key = append(key, byte(s.prev))
		id, ok := seen[string(key)]
		if !ok {
			id = int32(len(todo))
			seen[string(key)] = id
			todo = append(todo, s)
		}
		return id
	}
	b.visit()
	add(state{places: b.follow(nil, uint32(b.prog.Start), 0)})
	for i := 0; i < len(todo); i++ {
		s := todo[i]
		if i >= maxRegexpStates || b.steps > maxSteps {
			return nil, false
		}
		end := b.settle(s.places, s.prev, -1)
		d.accept = append(d.accept, slices.ContainsFunc(end, func(p place) bool {
			return b.prog.Inst[p>>32].Op == syntax.InstMatch
		}))
		ready := s.places
		for c, rep := range b.reps {
			next := state{}
			if b.assertions {
				ready = b.settle(s.places, s.prev, int(rep))
				next.prev = kind(rep)
			}
			next.places = b.move(ready, c)
			if len(next.places) == 0 {
				next.prev = 0
			}
			d.next = append(d.next, add(next))
		}
	}
	return minimise(d, 0), true
}

// move reads one byte.
func (b *subsets) move(places []place, class int) []place {
	var out []place
	b.visit()
	for _, p := range places {
		inst, node := uint32(p>>32), int32(uint32(p))
		if node == 0 {
			if node = b.roots[inst]; node == 0 {
				continue
			}
		}
		targets := b.nodes[node].by[class]
		b.steps += 1 + len(targets)
		for _, to := range targets {
			if to != 0 {
				out = append(out, at(inst, to))
			} else {
				out = b.follow(out, b.prog.Inst[inst].Out, 0)
			}
		}
	}
	return out
}

// visit begins anew to remember which instructions were followed.
func (b *subsets) visit() {
	b.round++
	if b.visited == nil {
		b.visited = make([]uint32, len(b.prog.Inst))
	}
}

// follow adds the places that are reached from an instruction without reading.
// Assertions among holds are passed; others stay as places, for what comes next
// decides them.
func (b *subsets) follow(out []place, pc uint32, holds syntax.EmptyOp) []place {
	for stack := []uint32{pc}; len(stack) > 0; {
		pc := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		if b.visited[pc] == b.round {
			continue
		}
		b.visited[pc] = b.round
		b.steps++
		switch in := &b.prog.Inst[pc]; in.Op {
		case syntax.InstFail:
		case syntax.InstAlt, syntax.InstAltMatch:
			stack = append(stack, in.Arg, in.Out)
		case syntax.InstCapture, syntax.InstNop:
			stack = append(stack, in.Out)
		case syntax.InstEmptyWidth:
			if op := syntax.EmptyOp(in.Arg); op&^holds == 0 {
				stack = append(stack, in.Out)
			} else {
				out = append(out, at(pc, 0))
			}
		default:
			out = append(out, at(pc, 0))
		}
	}
	return out
}

// settle passes the assertions that hold between what was before and the next
// byte, -1 for the end of the text.
func (b *subsets) settle(places []place, prev before, next int) []place {
	if !b.assertions {
		return places
	}
	var holds syntax.EmptyOp
	if prev == beforeNothing {
		holds |= syntax.EmptyBeginText | syntax.EmptyBeginLine
	}
	if prev == beforeNewline {
		holds |= syntax.EmptyBeginLine
	}
	if next < 0 {
		holds |= syntax.EmptyEndText | syntax.EmptyEndLine
	}
	if next == '\n' {
		holds |= syntax.EmptyEndLine
	}
	if (prev == beforeWord) != (next >= 0 && kind(byte(next)) == beforeWord) {
		holds |= syntax.EmptyWordBoundary
	} else {
		holds |= syntax.EmptyNoWordBoundary
	}
	var out []place
	b.visit()
	for _, p := range places {
		if uint32(p) != 0 {
			out = append(out, p)
		} else {
			out = b.follow(out, uint32(p>>32), holds)
		}
	}
	return out
}

func kind(c byte) before {
	switch {
	case c == '\n':
		return beforeNewline
	case c == '_' || c >= '0' && c <= '9' || lower(c) >= 'a' && lower(c) <= 'z':
		return beforeWord
	}
	return beforeOther
}

// class is the node where a class of characters begins.
func (b *subsets) class(ranges []rune) int32 {
	var raw []byte
	for _, r := range ranges {
		raw = binary.LittleEndian.AppendUint32(raw, uint32(r))
	}
	key := string(raw)
	if root, ok := b.classes[key]; ok {
		return root
	}
	root := int32(len(b.nodes))
	b.nodes = append(b.nodes, utf8Node{})
	b.classes[key] = root
	rest := map[string]int32{"": 0} // nodes by the bytes that are still to come
	for i := 0; i+1 < len(ranges); i += 2 {
		encode(ranges[i], ranges[i+1], func(seq []byteRange) {
			b.steps += len(seq)
			to, key := int32(0), ""
			for k := len(seq) - 1; k > 0; k-- {
				key = string([]byte{seq[k].lo, seq[k].hi}) + key
				n, ok := rest[key]
				if !ok {
					n = int32(len(b.nodes))
					b.nodes = append(b.nodes, utf8Node{edges: []utf8Edge{{seq[k], to}}})
					rest[key] = n
				}
				to = n
			}
			b.nodes[root].edges = append(b.nodes[root].edges, utf8Edge{seq[0], to})
		})
	}
	return root
}

// runes are the characters that an instruction reads, as pairs of first and
// last; nil where it reads none.
func runes(in *syntax.Inst) []rune {
	switch in.Op {
	case syntax.InstRuneAny:
		return []rune{0, unicode.MaxRune}
	case syntax.InstRuneAnyNotNL:
		return []rune{0, '\n' - 1, '\n' + 1, unicode.MaxRune}
	case syntax.InstRune, syntax.InstRune1:
		if len(in.Rune) != 1 {
			return in.Rune
		}
		out := []rune{in.Rune[0], in.Rune[0]}
		if in.Op == syntax.InstRune && syntax.Flags(in.Arg)&syntax.FoldCase != 0 {
			for r := unicode.SimpleFold(in.Rune[0]); r != in.Rune[0]; r = unicode.SimpleFold(r) {
				out = append(out, r, r)
			}
		}
		return out
	}
	return nil
}
