package space

import "sort"

// stretch is the strings from lo on and below hi; endless has no hi.
type stretch struct {
	lo, hi  string
	endless bool
}

// stretches are the intervals of a set that is no automaton, ascending.
func (s Strings) stretches() []stretch {
	var all []stretch
	in, lo := !s.out, ""
	for _, b := range s.bounds {
		if in {
			all = append(all, stretch{lo: lo, hi: b})
		}
		in, lo = !in, b
	}
	if in {
		all = append(all, stretch{lo: lo, endless: true})
	}
	return all
}

// merge walks both lists of bounds and keeps those where op changes its mind.
func merge(s, o Strings, op func(a, b bool) bool) (out bool, bounds []string) {
	a, b := !s.out, !o.out
	now := op(a, b)
	out = !now
	for i, j := 0, 0; i < len(s.bounds) || j < len(o.bounds); {
		var at string
		switch {
		case j == len(o.bounds) || i < len(s.bounds) && s.bounds[i] < o.bounds[j]:
			at, a, i = s.bounds[i], !a, i+1
		case i == len(s.bounds) || o.bounds[j] < s.bounds[i]:
			at, b, j = o.bounds[j], !b, j+1
		default:
			at, a, b, i, j = s.bounds[i], !a, !b, i+1, j+1
		}
		if next := op(a, b); next != now {
			bounds, now = append(bounds, at), next
		}
	}
	return out, bounds
}

// touches tells whether a stretch has a string in common with the set.
func (s Strings) touches(t stretch) bool {
	n := sort.Search(len(s.bounds), func(i int) bool { return s.bounds[i] > t.lo })
	if s.out == (n%2 == 1) {
		return true
	}
	return n < len(s.bounds) && (t.endless || s.bounds[n] < t.hi)
}

// withinIntervals tells whether the set has no string outside of o.
func withinIntervals(s, o Strings) bool {
	o.out = !o.out
	if len(s.bounds) == 2 && s.out { // by far the most usual
		return !o.touches(stretch{lo: s.bounds[0], hi: s.bounds[1]})
	}
	for _, t := range s.stretches() {
		if o.touches(t) {
			return false
		}
	}
	return true
}

// common gives the stretches that two sets have in common, until f says stop.
func common(s, o Strings, f func(stretch) (more bool)) {
	if len(o.bounds) < len(s.bounds) {
		s, o = o, s
	}
	walk := func(t stretch) bool {
		i := sort.Search(len(o.bounds), func(i int) bool { return o.bounds[i] > t.lo })
		in, lo := o.out == (i%2 == 1), t.lo
		for ; ; i++ {
			end := i == len(o.bounds) || !t.endless && o.bounds[i] >= t.hi
			switch {
			case end && in:
				return f(stretch{lo: lo, hi: t.hi, endless: t.endless})
			case end:
				return true
			case in && !f(stretch{lo: lo, hi: o.bounds[i]}):
				return false
			}
			in, lo = !in, o.bounds[i]
		}
	}
	if len(s.bounds) == 2 && s.out {
		walk(stretch{lo: s.bounds[0], hi: s.bounds[1]})
		return
	}
	for _, t := range s.stretches() {
		if !walk(t) {
			return
		}
	}
}

// lead is the longest p with all strings of [lo,hi) beginning with it.
func lead(lo, hi string) string {
	n := 0
	for n < len(lo) && n < len(hi) && lo[n] == hi[n] {
		n++
	}
	if n < len(lo) && n+1 == len(hi) && hi[n] == lo[n]+1 {
		n++ // all of [abx, ac) begins with ab
	}
	return lo[:n]
}

// intervalAutomaton builds the automaton of a list of intervals. Its states are
// the beginnings of bounds, and one each for "in" and "out" from there on.
func intervalAutomaton(out bool, bounds []string, m *meter) (*dfa, bool) {
	type node struct {
		depth  int // of the beginning that leads here
		lo, hi int // the bounds that go on from here
		in     bool
	}
	const sinkOut, sinkIn = 0, 1
	nodes := []node{{in: false}, {in: true}, {hi: len(bounds), in: !out}}
	var rows [][256]int32
	var sinks [2][256]int32
	for b := range 256 {
		sinks[0][b], sinks[1][b] = sinkOut, sinkIn
	}
	rows = append(rows, sinks[0], sinks[1])
	for n := 2; n < len(nodes); n++ {
		if !m.spend(1) {
			return nil, false
		}
		at := nodes[n]
		var row [256]int32
		i, in := at.lo, at.in
		for b := range 256 {
			j := i
			for j < at.hi && bounds[j][at.depth] == byte(b) {
				j++
			}
			if j > i {
				child := node{depth: at.depth + 1, lo: i, hi: j, in: in}
				if len(bounds[i]) == child.depth { // the bound itself
					child.in, child.lo = !in, i+1
				}
				in = in != ((j-i)%2 == 1)
				if child.lo < child.hi {
					row[b] = int32(len(nodes))
					nodes = append(nodes, child)
				} else {
					row[b] = sink(child.in)
				}
				i = j
				continue
			}
			row[b] = sink(in)
		}
		rows = append(rows, row)
	}
	accept := make([]bool, len(nodes))
	for i, n := range nodes {
		accept[i] = n.in
	}
	return fromRows(rows, accept, 2), true
}

func sink(in bool) int32 {
	if in {
		return 1
	}
	return 0
}
