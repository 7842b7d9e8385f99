package upstream

import (
	"math"
	"time"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
)

// health is what a load balancer knows of an endpoint (Envoy docs, "Degraded
// endpoints").
type health uint8

const (
	healthy health = iota
	degraded
	unhealthy
)

// endpoint is a host's place in a load assignment.
type endpoint struct {
	host   *Host
	weight uint32
	health health
}

// locality is a locality of one priority.
type locality struct {
	weight    uint32
	endpoints []endpoint
}

// assignment is a load assignment after names were resolved: localities by
// priority.
type assignment struct {
	priorities       [][]locality
	overprovisioning uint32 // percent
}

// balancer is the state of a cluster's load balancer for one assignment and one
// state of health. It is replaced, not changed, when either changes.
type balancer struct {
	levels       []level
	healthyLoad  []uint32 // percent of the requests, by priority
	degradedLoad []uint32
	// again is when slow start ends for all hosts and plain weights are enough;
	// zero where no host is in it.
	again time.Time
}

// level is one priority.
type level struct {
	healthy, degraded, all *group
	panic                  bool
}

// choose picks a host; nil where there is none.
func (b *balancer) choose(c *Choice, random func() uint64, attempt int) *Host {
	hash := c.Hash
	if !c.HasHash {
		hash = random()
	}
	level, isDegraded, ok := b.level(hash)
	if !ok {
		return nil
	}
	l := &b.levels[level]
	switch {
	case l.panic:
		return l.all.pick(hash, random, attempt)
	case isDegraded:
		return l.degraded.pick(hash, random, attempt)
	}
	return l.healthy.pick(hash, random, attempt)
}

// level picks the priority by the loads (Envoy docs, "Priority levels").
func (b *balancer) level(hash uint64) (index int, isDegraded, ok bool) {
	percent, sum := uint32(hash%100)+1, uint32(0)
	for i, load := range b.healthyLoad {
		if sum += load; percent <= sum {
			return i, false, true
		}
	}
	for i, load := range b.degradedLoad {
		if sum += load; percent <= sum {
			return i, true, true
		}
	}
	return 0, false, false
}

// newBalancer builds the balancer of an assignment as things are at now.
func newBalancer(p *policy, a *assignment, state *balanceState, now time.Time) *balancer {
	b := &balancer{levels: make([]level, len(a.priorities))}
	counts := make([]levelCount, len(a.priorities))
	for i, localities := range a.priorities {
		b.levels[i], counts[i] = newLevel(p, localities, a.overprovisioning, state, now)
		if p.slowStart != nil {
			b.again = later(b.again, p.slowStart.lastEnd(localities, now))
		}
	}
	b.loads(counts, a.overprovisioning, p.panicThreshold)
	return b
}

type levelCount struct{ healthy, degraded, all int }

func (c levelCount) percent(n int, factor uint32) uint32 {
	if c.all == 0 {
		return 0
	}
	return min(100, uint32(uint64(factor)*uint64(n)/uint64(c.all)))
}

// loads spreads 100 % over the priorities: each takes as much as its health,
// times the overprovisioning factor, allows; what is missing goes to the next
// one. With a total health below 100 % it is scaled up, and priorities below the
// panic threshold use all their hosts (Envoy docs, "Panic threshold").
func (b *balancer) loads(counts []levelCount, factor uint32, threshold float64) {
	n := len(counts)
	b.healthyLoad, b.degradedLoad = make([]uint32, n), make([]uint32, n)
	healthyShare, degradedShare, total, hosts := make([]uint32, n), make([]uint32, n), uint32(0), 0
	for i, c := range counts {
		healthyShare[i] = c.percent(c.healthy, factor)
		degradedShare[i] = c.percent(c.degraded, factor)
		total = min(100, total+healthyShare[i]+degradedShare[i])
		hosts += c.all
	}
	if hosts == 0 {
		return
	}
	panics := 0
	for i, c := range counts {
		percent := 0.0
		if c.all > 0 {
			percent = 100 * float64(c.healthy) / float64(c.all)
		}
		b.levels[i].panic = total < 100 && threshold > 0 && percent < threshold
		if b.levels[i].panic {
			panics++
		}
	}
	switch {
	case panics == n: // all panic: by the number of hosts
		b.loadsByHosts(counts, hosts)
	case total > 0:
		spread(b.healthyLoad, b.degradedLoad, healthyShare, degradedShare, total)
	case panics > 0:
		b.loadsByHosts(counts, hosts)
	}
}

func (b *balancer) loadsByHosts(counts []levelCount, hosts int) {
	left, last := uint32(100), 0
	for i, c := range counts {
		b.healthyLoad[i] = uint32(100 * c.all / hosts)
		left -= b.healthyLoad[i]
		if c.all > 0 {
			last = i
		}
	}
	b.healthyLoad[last] += left
}

func spread(healthyLoad, degradedLoad, healthyShare, degradedShare []uint32, total uint32) {
	left, last := uint32(100), (*uint32)(nil)
	for _, pass := range []struct{ load, share []uint32 }{{healthyLoad, healthyShare}, {degradedLoad, degradedShare}} {
		for i, share := range pass.share {
			pass.load[i] = min(left, share*100/total)
			left -= pass.load[i]
			if last == nil && pass.load[i] > 0 {
				last = &pass.load[i] // rounding goes to the first that takes load
			}
		}
	}
	if last != nil {
		*last += left
	}
}

func newLevel(p *policy, localities []locality, factor uint32, state *balanceState, now time.Time) (level, levelCount) {
	var count levelCount
	everything := make([]endpoint, 0, 8)
	var good, half []share
	for _, l := range localities {
		var ok, deg []endpoint
		for _, e := range l.endpoints {
			switch e.current() {
			case healthy:
				ok = append(ok, e)
			case degraded:
				deg = append(deg, e)
			}
		}
		everything = append(everything, l.endpoints...)
		count.healthy += len(ok)
		count.degraded += len(deg)
		count.all += len(l.endpoints)
		good = append(good, share{endpoints: ok, weight: effective(l, len(ok), factor)})
		half = append(half, share{endpoints: deg, weight: effective(l, len(deg), factor)})
	}
	return level{
		healthy:  newGroup(p, good, p.localityWeighted, state, now),
		degraded: newGroup(p, half, p.localityWeighted, state, now),
		all:      newGroup(p, []share{{endpoints: everything, weight: 1}}, false, state, now),
	}, count
}

// current is the endpoint's health with outlier detection.
func (e endpoint) current() health {
	if e.host.ejected.Load() {
		return unhealthy
	}
	return e.health
}

// effective is a locality's weight scaled down by its health, times the
// overprovisioning factor (Envoy docs, "Locality weighted load balancing").
func effective(l locality, available int, factor uint32) float64 {
	if len(l.endpoints) == 0 || available == 0 {
		return 0
	}
	ratio := float64(available) / float64(len(l.endpoints)) * float64(factor) / 100
	return float64(l.weight) * math.Min(1, ratio)
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

func policyName(p clusterv3.Cluster_LbPolicy) string {
	return clusterv3.Cluster_LbPolicy_name[int32(p)]
}
