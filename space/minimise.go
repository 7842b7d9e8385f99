package space

// minimise gives the smallest automaton with the same language, its states
// numbered in the order in which they are reached (Hopcroft's algorithm).
func minimise(d *dfa, start int32) *dfa {
	p := newPartition(d)
	p.refine(d)
	return p.quotient(d, start)
}

// partition keeps the blocks of states as stretches of one list.
type partition struct {
	elems, at, block []int32 // states by block; where a state is; its block
	first, end, mark []int32 // of each block; [first,mark) are marked
}

func newPartition(d *dfa) *partition {
	n := len(d.accept)
	p := &partition{elems: make([]int32, 0, n), at: make([]int32, n), block: make([]int32, n)}
	for _, want := range []bool{true, false} {
		from := int32(len(p.elems))
		for s, a := range d.accept {
			if a == want {
				p.at[s], p.block[s] = int32(len(p.elems)), int32(len(p.first))
				p.elems = append(p.elems, int32(s))
			}
		}
		if to := int32(len(p.elems)); to > from {
			p.first, p.end, p.mark = append(p.first, from), append(p.end, to), append(p.mark, from)
		}
	}
	return p
}

// inverse lists, for each class and state, the states that lead there.
func inverse(d *dfa) (from []int32, states []int32) {
	n := len(d.accept)
	from = make([]int32, n*d.width+1)
	for i, t := range d.next {
		from[(i%d.width)*n+int(t)+1]++
	}
	for i := 1; i < len(from); i++ {
		from[i] += from[i-1]
	}
	states = make([]int32, len(d.next))
	fill := append([]int32(nil), from...)
	for i, t := range d.next {
		k := (i%d.width)*n + int(t)
		states[fill[k]] = int32(i / d.width)
		fill[k]++
	}
	return from, states
}

func (p *partition) refine(d *dfa) {
	n := len(d.accept)
	from, states := inverse(d)
	var todo, splitter, touched []int32
	waiting := make([]bool, n+1)
	for b := range p.first {
		todo, waiting[b] = append(todo, int32(b)), true
	}
	for len(todo) > 0 {
		b := todo[len(todo)-1]
		todo, waiting[b] = todo[:len(todo)-1], false
		splitter = append(splitter[:0], p.elems[p.first[b]:p.end[b]]...)
		for c := range d.width {
			touched = touched[:0]
			for _, t := range splitter {
				k := c*n + int(t)
				for _, s := range states[from[k]:from[k+1]] {
					touched = p.touch(s, touched)
				}
			}
			for _, hit := range touched {
				if fresh, ok := p.split(hit); ok {
					if !waiting[hit] && p.end[hit]-p.first[hit] < p.end[fresh]-p.first[fresh] {
						fresh = hit
					}
					todo, waiting[fresh] = append(todo, fresh), true
				}
			}
		}
	}
}

// touch marks a state within its block.
func (p *partition) touch(s int32, touched []int32) []int32 {
	b := p.block[s]
	m := p.mark[b]
	if p.at[s] < m {
		return touched
	}
	if m == p.first[b] {
		touched = append(touched, b)
	}
	other := p.elems[m]
	p.elems[m], p.elems[p.at[s]] = s, other
	p.at[other], p.at[s] = p.at[s], m
	p.mark[b]++
	return touched
}

// split makes the marked states of a block a block of their own.
func (p *partition) split(b int32) (fresh int32, ok bool) {
	m := p.mark[b]
	p.mark[b] = p.first[b]
	if m == p.end[b] {
		return 0, false
	}
	fresh = int32(len(p.first))
	p.first, p.end, p.mark = append(p.first, p.first[b]), append(p.end, m), append(p.mark, p.first[b])
	p.first[b], p.mark[b] = m, m
	for _, s := range p.elems[p.first[fresh]:m] {
		p.block[s] = fresh
	}
	return fresh, true
}

// quotient builds the automaton whose states are the blocks that are reached.
func (p *partition) quotient(d *dfa, start int32) *dfa {
	var bytes []byte // the first of each class
	done := make([]bool, d.width)
	for b := range 256 {
		if c := d.class[b]; !done[c] {
			done[c] = true
			bytes = append(bytes, byte(b))
		}
	}
	number := make([]int32, len(p.first))
	for i := range number {
		number[i] = -1
	}
	number[p.block[start]] = 0
	order := []int32{p.block[start]}
	q := &dfa{dead: -1}
	for i := 0; i < len(order); i++ {
		s := p.elems[p.first[order[i]]]
		q.accept = append(q.accept, d.accept[s])
		for _, b := range bytes {
			t := p.block[d.step(s, b)]
			if number[t] < 0 {
				number[t] = int32(len(order))
				order = append(order, t)
			}
			q.next = append(q.next, number[t])
		}
	}
	q.mergeClasses(d, bytes)
	q.finish()
	return q
}

// mergeClasses makes one class of those that no state tells apart. The table
// has a column for each of bytes, which stand for the classes of old.
func (d *dfa) mergeClasses(old *dfa, bytes []byte) {
	width := len(bytes)
	columns := map[string]uint8{}
	var keep []int
	var classOf [256]uint8
	key := make([]byte, 4*len(d.accept))
	for c, b := range bytes {
		for s := range d.accept {
			t := d.next[s*width+c]
			key[4*s], key[4*s+1], key[4*s+2], key[4*s+3] = byte(t), byte(t>>8), byte(t>>16), byte(t>>24)
		}
		id, ok := columns[string(key)]
		if !ok {
			id = uint8(len(keep))
			columns[string(key)] = id
			keep = append(keep, c)
		}
		classOf[old.class[b]] = id
	}
	for b := range 256 {
		d.class[b] = classOf[old.class[b]]
	}
	if d.width = len(keep); d.width == width {
		return
	}
	next := make([]int32, 0, len(d.accept)*d.width)
	for s := range d.accept {
		for _, c := range keep {
			next = append(next, d.next[s*width+c])
		}
	}
	d.next = next
}

// finish finds the dead state and the lead.
func (d *dfa) finish() {
	for s := range d.accept {
		if d.accept[s] {
			continue
		}
		stays := true
		for _, t := range d.next[s*d.width : (s+1)*d.width] {
			stays = stays && t == int32(s)
		}
		if stays {
			d.dead = int32(s)
		}
	}
	var size [256]int // bytes in a class
	var some [256]byte
	for b := range 256 {
		size[d.class[b]]++
		some[d.class[b]] = byte(b)
	}
	var lead []byte
	for s := int32(0); !d.accept[s] && len(lead) < len(d.accept); {
		only := -1
		for c := range d.width {
			if d.next[int(s)*d.width+c] == d.dead {
				continue
			}
			if only >= 0 || size[c] > 1 {
				only = -2
				break
			}
			only = c
		}
		if only < 0 {
			break
		}
		lead = append(lead, some[only])
		s = d.next[int(s)*d.width+only]
	}
	d.lead = string(lead)
}
