package space

import "container/heap"

// machine is an automaton that is walked without being built.
type machine interface {
	step(s int32, b byte) int32
	accepts(s int32) bool
	isDead(s int32) bool
}

// walker is the automaton of one stretch of strings. State i+4 has read i bytes
// that are the beginning of lo and of hi; the others leave lo or hi behind.
type walker struct {
	stretch
	n int32 // as long as the longer of both, plus one
}

const (
	walkDead int32 = iota
	walkFree
	walkBase
)

func newWalker(t stretch) *walker {
	return &walker{stretch: t, n: int32(max(len(t.lo), len(t.hi)) + 1)}
}

// The states from walkBase: n that are tight on lo and hi, then n on lo alone,
// then n on hi alone.
func (w *walker) state(i int, onLo, onHi bool) int32 {
	switch {
	case onLo && onHi && !w.endless:
		return walkBase + int32(i)
	case onLo:
		return walkBase + w.n + int32(i)
	case onHi && !w.endless:
		return walkBase + 2*w.n + int32(i)
	}
	return walkFree
}

func (w *walker) start() int32 { return w.state(0, true, true) }

func (w *walker) split(s int32) (i int, onLo, onHi bool) {
	s -= walkBase
	return int(s % w.n), s < 2*w.n, s < w.n || s >= 2*w.n
}

func (w *walker) step(s int32, b byte) int32 {
	if s < walkBase {
		return s
	}
	i, onLo, onHi := w.split(s)
	if onLo && i < len(w.lo) && b < w.lo[i] || onHi && (i == len(w.hi) || b > w.hi[i]) {
		return walkDead
	}
	return w.state(i+1, onLo && i < len(w.lo) && b == w.lo[i], onHi && b == w.hi[i])
}

func (w *walker) accepts(s int32) bool {
	if s < walkBase {
		return s == walkFree
	}
	i, onLo, onHi := w.split(s)
	return (!onLo || i == len(w.lo)) && (!onHi || i < len(w.hi))
}

func (w *walker) isDead(s int32) bool { return s == walkDead }

func startOf(m machine) int32 {
	if w, ok := m.(*walker); ok {
		return w.start()
	}
	return 0
}

// walk is a walk through up to three automata at once; nil ones accept all.
type walk struct {
	machines [3]machine
	reps     []byte // bytes that stand for all others, best first
}

// classes are groups of bytes, made finer step by step.
type classes struct {
	of [256]int32
	n  int
}

func newClasses() *classes { return &classes{n: 1} }

// refine tells bytes apart that are told apart by another grouping.
func (c *classes) refine(width int, group func(b int) int) {
	ids := make([]int32, c.n*width)
	n := int32(0)
	for b := range 256 {
		id := &ids[int(c.of[b])*width+group(b)]
		if *id == 0 {
			n++
			*id = n
		}
		c.of[b] = *id - 1
	}
	c.n = int(n)
}

type position [3]int32

func newWalk(order string, machines ...machine) *walk {
	w := &walk{}
	n := 0
	var tables []*dfa
	var used [256]bool // bytes that a walker looks at
	for _, m := range machines {
		switch m := m.(type) {
		case nil:
			continue
		case *dfa:
			if m == nil {
				continue
			}
			tables = append(tables, m)
		case *walker:
			for _, bound := range []string{m.lo, m.hi} {
				for i := range len(bound) {
					used[bound[i]] = true
				}
			}
		}
		w.machines[n] = m
		n++
	}
	w.represent(order, tables, used)
	return w
}

// represent chooses one byte of those that no automaton tells apart. Walkers
// tell bytes apart that stand between those of their bounds, too.
func (w *walk) represent(order string, tables []*dfa, used [256]bool) {
	var gap [256]uint16
	for b, g := 0, uint16(0); b < 256; b++ {
		if used[b] || b > 0 && used[b-1] {
			g++
		}
		gap[b] = g
	}
	classes := newClasses()
	if gap[255] > 0 {
		classes.refine(int(gap[255])+1, func(b int) int { return int(gap[b]) })
	}
	for _, t := range tables {
		classes.refine(t.width, func(b int) int { return int(t.class[b]) })
	}
	seen := make([]bool, classes.n)
	try := func(b byte) {
		if !seen[classes.of[b]] {
			seen[classes.of[b]] = true
			w.reps = append(w.reps, b)
		}
	}
	for i := range len(order) {
		try(order[i])
	}
	for b := byte(' '); b < 0x7f; b++ {
		try(b)
	}
	for b := range 256 {
		try(byte(b))
	}
}

func (w *walk) start() (p position) {
	for i, m := range w.machines {
		if m != nil {
			p[i] = startOf(m)
		}
	}
	return p
}

// step reads a byte; ok is false where nothing can be accepted any more.
func (w *walk) step(p position, b byte) (q position, ok bool) {
	for i, m := range w.machines {
		if m == nil {
			break
		}
		if q[i] = m.step(p[i], b); m.isDead(q[i]) {
			return q, false
		}
	}
	return q, true
}

func (w *walk) accepts(p position) bool {
	for i, m := range w.machines {
		if m != nil && !m.accepts(p[i]) {
			return false
		}
	}
	return true
}

// reachable tells whether some string is accepted by all. True may also mean
// that the meter ran out.
func reachable(m *meter, machines ...machine) bool {
	w := newWalk(usual, machines...)
	first := w.start()
	if w.accepts(first) {
		return true
	}
	seen := newVisited(w)
	seen.add(first)
	for todo := []position{first}; len(todo) > 0; {
		at := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		for i := len(w.reps) - 1; i >= 0; i-- {
			to, ok := w.step(at, w.reps[i])
			if !ok || !seen.add(to) {
				continue
			}
			if w.accepts(to) || !m.spend(1) {
				return true
			}
			todo = append(todo, to)
		}
	}
	return false
}

// visited is a set of positions: bits where there are few, a map elsewhere.
type visited struct {
	sizes [3]int
	bits  []uint64
	set   map[position]bool
}

// maxBits is how many positions are kept as bits.
const maxBits = 1 << 18

func newVisited(w *walk) *visited {
	v := &visited{sizes: [3]int{1, 1, 1}}
	n := 1
	for i, m := range w.machines {
		switch m := m.(type) {
		case *dfa:
			v.sizes[i] = len(m.accept)
		case *walker:
			v.sizes[i] = int(walkBase + 3*m.n)
		}
		n *= v.sizes[i] // at most the limits of automata, cubed
	}
	if n > maxBits {
		v.set = map[position]bool{}
		return v
	}
	v.bits = make([]uint64, n/64+1)
	return v
}

// add tells whether the position is new.
func (v *visited) add(p position) bool {
	if v.set != nil {
		if v.set[p] {
			return false
		}
		v.set[p] = true
		return true
	}
	n := (int(p[0])*v.sizes[1]+int(p[1]))*v.sizes[2] + int(p[2])
	if v.bits[n/64]&(1<<(n%64)) != 0 {
		return false
	}
	v.bits[n/64] |= 1 << (n % 64)
	return true
}

// readable finds the member that is easiest to read: short, of letters, digits
// and what paths are made of.
func readable(order string, machines ...machine) (v string, cost int, ok bool) {
	w := newWalk(order, machines...)
	price := prices(order)
	type step struct {
		from position
		b    byte
	}
	came := map[position]step{}
	costs := map[position]int{}
	first := w.start()
	costs[first] = 0
	q := &queue{{at: first}}
	for q.Len() > 0 {
		it := heap.Pop(q).(item)
		if it.cost > costs[it.at] {
			continue
		}
		if w.accepts(it.at) {
			var back []byte
			for at := it.at; at != first; at = came[at].from {
				back = append(back, came[at].b)
			}
			for i, j := 0, len(back)-1; i < j; i, j = i+1, j-1 {
				back[i], back[j] = back[j], back[i]
			}
			return string(back), it.cost, true
		}
		if len(costs) > maxWork {
			break
		}
		for _, b := range w.reps {
			to, alive := w.step(it.at, b)
			if !alive {
				continue
			}
			c := it.cost + price[b]
			if old, known := costs[to]; !known || c < old {
				costs[to], came[to] = c, step{it.at, b}
				heap.Push(q, item{to, c, len(costs)})
			}
		}
	}
	return "", 0, false
}

// prices makes one odd character as dear as several plain ones.
func prices(order string) (price [256]int) {
	for b := range 256 {
		price[b] = 4000
		if b > ' ' && b < 0x7f {
			price[b] = 400
		}
	}
	for i := len(order) - 1; i >= 0; i-- {
		price[order[i]] = 100 + i
	}
	return price
}

type item struct {
	at    position
	cost  int
	order int // first come, first served
}

type queue []item

func (q queue) Len() int { return len(q) }
func (q queue) Less(i, j int) bool {
	return q[i].cost < q[j].cost || q[i].cost == q[j].cost && q[i].order < q[j].order
}
func (q queue) Swap(i, j int) { q[i], q[j] = q[j], q[i] }
func (q *queue) Push(x any)   { *q = append(*q, x.(item)) }
func (q *queue) Pop() any {
	old := *q
	last := old[len(old)-1]
	*q = old[:len(old)-1]
	return last
}
