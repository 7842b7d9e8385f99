package routes

import (
	"slices"

	"github.com/meshstorm/meshstorm/space"
)

// Limits for one pair of virtual hosts.
const (
	maxRegions  = 50_000  // pieces that are looked at
	maxTries    = 6       // requests that are evaluated for one pair of rules
	maxSearches = 150_000 // pairs of expressions that are laid side by side
	maxHard     = 40      // remainders that are beyond the limits of package space
)

// compareHosts compares what two virtual hosts do to the requests of a cell.
func (c *comparison) compareHosts(at cell) {
	a, b := at.a, at.b
	if a.of == nil && b.of == nil && a.side.Config != nil && b.side.Config != nil {
		return // 404 on both sides
	}
	if c.equal(a, b) {
		c.result.Counts.VirtualHosts++
		c.result.Counts.Equal++
		return
	}
	key := hostPair{a: a.sum(), b: b.sum(), nameA: a.name(), nameB: b.name(), scheme: c.options.Scheme}
	plain := !a.tree() && !b.tree() && !a.looksAtHost() && !b.looksAtHost()
	regions := c.regions(at, plain)
	if len(regions) == 0 {
		return
	}
	c.result.Counts.VirtualHosts++
	if a.tree() || b.tree() {
		c.result.Unproved = append(c.result.Unproved, Unproved{Before: End{Host: a.of}, After: End{Host: b.of},
			Reason: "a virtual host chooses its routes by a match tree (VirtualHost.matcher), which is not computed with"})
		return
	}
	if known, ok := c.options.Memory.recall(key); plain && ok {
		c.result.Again = append(append(c.result.Again, known.differences...), known.unproved...)
		return
	}
	c.result.Counts.Routes += len(a.rules) + len(b.rules) - 2
	w := &walk{comparison: c, a: a, b: b, region: regions, pairs: map[[2]int]*pair{}}
	w.run()
	if f := w.report(); plain {
		c.options.Memory.remember(key, f)
	}
}

func (c *comparison) domainField() space.Field {
	if c.before.Config == nil {
		return c.after.domainField()
	}
	return c.before.domainField()
}

// walk finds the pieces that two virtual hosts treat differently.
type walk struct {
	*comparison
	a, b     *host
	region   []space.Box // the same requests; those that clients rather send come first
	pairs    map[[2]int]*pair
	order    [][2]int
	regions  int
	hard     int
	searches int
	stopped  bool
}

// pair is a rule of each side with requests that both take.
type pair struct {
	regions int
	tries   int
	first   int // the first region with such a piece
	rank    int // of the region that the last request was from
	found   *Difference
	size    int
	doubt   string // why a request that should differ does not
	request *space.Witness
}

// run walks the rules that are not the same on both sides. Rules that both
// sides begin with take the same requests; what neither side's other rules take
// ends in the same rules again.
func (w *walk) run() {
	head := 0
	for head < len(w.a.rules) && head < len(w.b.rules) && w.a.rules[head].twin(w.b.rules[head]) {
		head++
	}
	endA, endB := len(w.a.rules), len(w.b.rules)
	for endA > head && endB > head && w.a.rules[endA-1].twin(w.b.rules[endB-1]) {
		endA, endB = endA-1, endB-1
	}
	changedA := func(i int) bool { return i >= head && i < endA }
	for i := head; i < endA; i++ {
		w.follow(w.a, i, w.b, func(int) bool { return true }, func(j int) [2]int { return [2]int{i, j} })
	}
	for j := head; j < endB; j++ {
		w.follow(w.b, j, w.a, func(i int) bool { return !changedA(i) }, func(i int) [2]int { return [2]int{i, j} })
	}
}

// follow takes what one rule of a host gets, and finds what the other host does
// with it.
func (w *walk) follow(from *host, n int, to *host, wanted func(int) bool, key func(int) [2]int) {
	list, other := from.boxList(), to.boxList()
	first, _ := slices.BinarySearch(from.owner, n)
	for k := first; k < len(from.owner) && from.owner[k] == n; k++ {
		for rank, region := range w.region {
			own := region.And(list.Box(k))
			if own.IsEmpty() || w.stop() {
				continue
			}
			if costly(own) {
				w.searches += to.costly
			}
			near := other.Overlapping(own)
			var slow []int
			for _, m := range near {
				i := to.owner[m]
				if wanted(i) && !from.rules[n].same(to.rules[i]) && !w.quick(key(i), own.And(other.Box(m)), rank) {
					slow = append(slow, m)
				}
			}
			if len(slow) == 0 {
				continue
			}
			for _, piece := range w.left(own, earlier(list, list.Overlapping(own), k)) {
				for _, m := range slow {
					if at := key(to.owner[m]); w.pairs[at] == nil || w.pairs[at].found == nil {
						if !piece.Overlaps(other.Box(m)) {
							continue
						}
						for _, hit := range w.left(piece.And(other.Box(m)), earlier(other, near, m)) {
							w.hit(at, hit, rank)
						}
					}
				}
			}
		}
	}
}

// quick tries a request of what two boxes have in common before anything is
// taken away from it: where it is known to be treated differently, or where
// they have nothing in common, there is nothing left to find.
func (w *walk) quick(key [2]int, both space.Box, rank int) bool {
	if both.IsEmpty() {
		return true
	}
	witness, ok := both.Witness()
	if !ok || len(witness.Atoms) > 0 {
		return false
	}
	request := w.request(witness)
	a, b := w.a.rules[key[0]], w.b.rules[key[1]]
	w.result.Counts.Asked++
	gotA, whyA := w.before.ask(w.a, &request)
	gotB, whyB := w.after.ask(w.b, &request)
	if gotA != a || gotB != b || whyA+whyB != "" {
		return false
	}
	p := w.pair(key, rank)
	w.confirm(p, a, b, request)
	if p.found != nil && rank == p.first {
		p.regions++
	}
	return p.found != nil
}

// left is what is left of a box; it is asked less where that is often hard.
func (w *walk) left(b space.Box, by []space.Box) []space.Box {
	if b.IsEmpty() || w.stop() {
		return nil
	}
	rest, proved := space.Left(b, by)
	if !proved {
		w.hard++
	}
	return rest
}

// stop tells whether there is too much to look at.
func (w *walk) stop() bool {
	w.stopped = w.stopped || w.regions > maxRegions || w.hard > maxHard || w.searches > maxSearches || w.ctx.Err() != nil
	return w.stopped
}

// earlier are the boxes of near that stand before box k.
func earlier(list *space.List, near []int, k int) []space.Box {
	var by []space.Box
	for _, i := range near {
		if i >= k {
			break
		}
		by = append(by, list.Box(i))
	}
	return by
}

// pair is what is known of two rules.
func (w *walk) pair(key [2]int, rank int) *pair {
	p := w.pairs[key]
	if p == nil {
		p = &pair{first: rank}
		w.pairs[key] = p
		w.order = append(w.order, key)
	}
	return p
}

// hit notes a piece that is treated differently.
func (w *walk) hit(key [2]int, piece space.Box, rank int) {
	p := w.pair(key, rank)
	if rank == p.first { // regions split what is compared by hosts alone
		p.regions++
	}
	w.regions++
	if p.tries < maxTries && (p.found == nil || rank == p.rank) {
		p.tries++
		p.rank = rank
		w.try(p, key, piece)
	}
}

// report writes down the pairs in the order of side a's rules.
func (w *walk) report() (all found) {
	slices.SortFunc(w.order, func(x, y [2]int) int {
		if x[0] != y[0] {
			return x[0] - y[0]
		}
		return x[1] - y[1]
	})
	for _, key := range w.order {
		p := w.pairs[key]
		if p.found != nil {
			p.found.Regions, p.found.Number = p.regions, w.options.Memory.number()
			all.differences = append(all.differences, p.found.Number)
			w.result.Differences = append(w.result.Differences, *p.found)
			continue
		}
		if p.doubt == "" {
			p.doubt = "no request could be made that shows it"
		}
		u := Unproved{Before: w.a.rules[key[0]].end(), After: w.b.rules[key[1]].end(), Reason: p.doubt, Number: w.options.Memory.number()}
		all.unproved = append(all.unproved, u.Number)
		if p.request != nil {
			r := w.request(*p.request)
			u.Request = &r
		}
		w.result.Unproved = append(w.result.Unproved, u)
	}
	if w.stopped {
		w.result.Unproved = append(w.result.Unproved, Unproved{Before: End{Host: w.a.of}, After: End{Host: w.b.of},
			Reason: "the conditions overlap in too many ways to compute with all of them; the rest was not compared"})
	}
	return all
}
