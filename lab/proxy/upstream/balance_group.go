package upstream

import (
	"math"
	"sync"
	"sync/atomic"
	"time"
)

// share is a locality's part of a group: its usable endpoints, and how much of
// the group's requests it takes.
type share struct {
	endpoints []endpoint
	weight    float64
}

// balanceState outlives balancers, so that a change of the hosts does not send
// round robin back to the first one.
type balanceState struct {
	next   atomic.Uint64
	random func() uint64
	now    func() time.Time
}

// picker chooses among the hosts of one locality, or of all.
type picker interface {
	// pick gives a host; attempt counts the hosts that the caller refused.
	pick(hash uint64, random func() uint64, attempt int) *Host
}

// group is the usable hosts of a priority. Its pickers are built when they are
// first needed: most groups (degraded, panic) never are, and a maglev table is
// large.
type group struct {
	once   sync.Once
	build  func() (*schedule, []picker)
	places *schedule // among pickers, by the localities' weights; nil for a single picker
	picks  []picker
}

func newGroup(p *policy, shares []share, byLocality bool, state *balanceState, now time.Time) *group {
	return &group{build: func() (*schedule, []picker) {
		var used []share
		for _, s := range shares {
			if len(s.endpoints) > 0 && (!byLocality || s.weight > 0) {
				used = append(used, s)
			}
		}
		if len(used) == 0 {
			return nil, nil
		}
		if p.hashes() {
			return nil, []picker{p.newHashed(hashedShares(used, byLocality))}
		}
		if !byLocality || len(used) == 1 {
			var all []endpoint
			for _, s := range used {
				all = append(all, s.endpoints...)
			}
			return nil, []picker{p.newPicker(all, state, now)}
		}
		picks, weights := make([]picker, len(used)), make([]float64, len(used))
		for i, s := range used {
			picks[i], weights[i] = p.newPicker(s.endpoints, state, now), s.weight
		}
		return newSchedule(len(used), func(i int) float64 { return weights[i] }, state.random), picks
	}}
}

func (g *group) pick(hash uint64, random func() uint64, attempt int) *Host {
	g.once.Do(func() { g.places, g.picks = g.build() })
	switch {
	case len(g.picks) == 0:
		return nil
	case g.places == nil:
		return g.picks[0].pick(hash, random, attempt)
	}
	return g.picks[g.places.next()].pick(hash, random, attempt)
}

// roundRobin takes hosts of equal weight in turn.
type roundRobin struct {
	hosts []*Host
	next  *atomic.Uint64
}

func (r *roundRobin) pick(uint64, func() uint64, int) *Host {
	return r.hosts[r.next.Add(1)%uint64(len(r.hosts))]
}

// weighted takes hosts in the order of an earliest-deadline-first schedule.
type weighted struct {
	hosts    []*Host
	schedule *schedule
}

func (w *weighted) pick(uint64, func() uint64, int) *Host { return w.hosts[w.schedule.next()] }

// uniform takes any host (lb_policy RANDOM, which knows no weights).
type uniform struct{ hosts []*Host }

func (u *uniform) pick(_ uint64, random func() uint64, _ int) *Host {
	return u.hosts[random()%uint64(len(u.hosts))]
}

// fewest takes the host with the fewest requests among some drawn at random
// (the power of two choices).
type fewest struct {
	hosts   []*Host
	choices int
}

func (f *fewest) pick(_ uint64, random func() uint64, _ int) *Host {
	var best *Host
	for range f.choices {
		h := f.hosts[random()%uint64(len(f.hosts))]
		if best == nil || h.active.Load() < best.active.Load() {
			best = h
		}
	}
	return best
}

// scan takes the host with the fewest requests of all, any of those where
// several have as few (selection_method FULL_SCAN).
type scan struct{ hosts []*Host }

func (s *scan) pick(_ uint64, random func() uint64, _ int) *Host {
	var best *Host
	ties := uint64(0)
	for _, h := range s.hosts {
		switch {
		case best == nil || h.active.Load() < best.active.Load():
			best, ties = h, 1
		case h.active.Load() == best.active.Load():
			if ties++; random()%ties == 0 {
				best = h
			}
		}
	}
	return best
}

// schedule is an earliest-deadline-first schedule: entry i comes up in
// proportion to weight(i), which is asked each time it was taken.
type schedule struct {
	mu     sync.Mutex
	heap   []deadline
	now    float64
	order  uint64
	weight func(i int) float64
}

type deadline struct {
	at    float64
	order uint64 // entries of one deadline come in the order in which they were added
	index int
}

// newSchedule starts at a random place, so that many proxies do not all begin
// with the same host.
func newSchedule(n int, weight func(int) float64, random func() uint64) *schedule {
	s := &schedule{weight: weight}
	for i := range n {
		s.push(i)
	}
	for range random() % uint64(n) {
		s.next()
	}
	return s
}

func (s *schedule) next() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	top := s.heap[0]
	last := len(s.heap) - 1
	s.heap[0] = s.heap[last]
	s.heap = s.heap[:last]
	s.down(0)
	s.now = top.at
	s.push(top.index)
	return top.index
}

func (s *schedule) push(i int) {
	s.order++
	s.heap = append(s.heap, deadline{s.now + 1/math.Max(s.weight(i), 1e-9), s.order, i})
	for at := len(s.heap) - 1; at > 0; {
		parent := (at - 1) / 2
		if !s.heap[at].before(s.heap[parent]) {
			break
		}
		s.heap[at], s.heap[parent] = s.heap[parent], s.heap[at]
		at = parent
	}
}

func (s *schedule) down(at int) {
	for {
		least := at
		for child := 2*at + 1; child <= 2*at+2 && child < len(s.heap); child++ {
			if s.heap[child].before(s.heap[least]) {
				least = child
			}
		}
		if least == at {
			return
		}
		s.heap[at], s.heap[least] = s.heap[least], s.heap[at]
		at = least
	}
}

func (d deadline) before(other deadline) bool {
	return d.at < other.at || d.at == other.at && d.order < other.order
}
