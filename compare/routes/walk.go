package routes

import (
	"fmt"
	"slices"

	"github.com/meshstorm/meshstorm/space"
)

// Limits for one pair of virtual hosts.
const (
	maxRegions = 50_000 // pieces that are looked at
	maxTries   = 6      // requests that are evaluated for one pair of rules
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
	a, b    *host
	region  []space.Box // the same requests; those that clients rather send come first
	pairs   map[[2]int]*pair
	order   [][2]int
	regions int
	stopped bool
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
			if own.IsEmpty() {
				continue
			}
			var candidates []int
			near := other.Overlapping(own)
			for x, m := range near {
				if i := to.owner[m]; wanted(i) && !from.rules[n].same(to.rules[i]) {
					candidates = append(candidates, x)
				}
			}
			if len(candidates) == 0 {
				continue
			}
			pieces, _ := space.Left(own, earlier(list, list.Overlapping(own), k))
			for _, piece := range pieces {
				for _, x := range candidates {
					m := near[x]
					both := piece.And(other.Box(m))
					if both.IsEmpty() {
						continue
					}
					hits, _ := space.Left(both, earlier(other, near, m))
					for _, hit := range hits {
						if w.hit(key(to.owner[m]), hit, rank) {
							return
						}
					}
				}
			}
		}
	}
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

// hit notes a piece that is treated differently; stop is true where there are
// too many.
func (w *walk) hit(key [2]int, piece space.Box, rank int) (stop bool) {
	p := w.pairs[key]
	if p == nil {
		p = &pair{first: rank}
		w.pairs[key] = p
		w.order = append(w.order, key)
	}
	if rank == p.first { // regions split what is compared by hosts alone
		p.regions++
	}
	if w.regions++; w.regions%256 == 0 && w.ctx.Err() != nil || w.regions > maxRegions {
		w.stopped = true
		return true
	}
	if p.tries < maxTries && (p.found == nil || rank == p.rank) {
		p.tries++
		p.rank = rank
		w.try(p, key, piece)
	}
	return false
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
			Reason: fmt.Sprintf("the conditions fall into more than %d pieces; the rest was not compared", maxRegions)})
	}
	return all
}
