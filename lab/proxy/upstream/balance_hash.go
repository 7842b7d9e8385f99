package upstream

import (
	"math"
	"slices"
	"sort"
	"strconv"

	"github.com/cespare/xxhash/v2"
)

// hashed is a host with its part of the ring or table.
type hashed struct {
	host   *Host
	key    string
	weight float64 // the sum over all hosts is 1
}

// hashedShares normalises weights: a locality's share is spread over its hosts
// by their weights.
func hashedShares(shares []share, byLocality bool) []hashed {
	var all []hashed
	total := 0.0
	for _, s := range shares {
		sum := 0.0
		for _, e := range s.endpoints {
			sum += float64(e.weight)
		}
		for _, e := range s.endpoints {
			w := float64(e.weight)
			if byLocality {
				w = s.weight * w / sum
			}
			total += w
			all = append(all, hashed{host: e.host, key: e.host.hashKey(), weight: w})
		}
	}
	for i := range all {
		all[i].weight /= total
	}
	return all
}

// ring is Envoy's Ketama ring: each host has points in proportion to its weight,
// at least one, and a request goes to the first point at or after its hash.
type ring struct{ points []ringPoint }

type ringPoint struct {
	hash uint64
	host *Host
}

// newRing builds a ring of at least minimum and at most maximum points, as far as
// the weights allow (Envoy's RingHashLoadBalancer).
func newRing(hosts []hashed, minimum, maximum uint64, hash func([]byte) uint64) *ring {
	least := math.Inf(1)
	for _, h := range hosts {
		least = math.Min(least, h.weight)
	}
	scale := math.Min(math.Ceil(least*float64(minimum))/least, float64(maximum))
	r := &ring{points: make([]ringPoint, 0, int(math.Ceil(scale)))}
	current, target := 0.0, 0.0
	buffer := make([]byte, 0, 64)
	for _, h := range hosts {
		buffer = append(append(buffer[:0], h.key...), '_')
		prefix := len(buffer)
		target += scale * h.weight
		for i := 0; current < target; i++ {
			buffer = strconv.AppendInt(buffer[:prefix], int64(i), 10)
			r.points = append(r.points, ringPoint{hash(buffer), h.host})
			current++
		}
	}
	slices.SortFunc(r.points, func(a, b ringPoint) int {
		switch {
		case a.hash < b.hash:
			return -1
		case a.hash > b.hash:
			return 1
		}
		return 0
	})
	return r
}

// pick goes one point further for each host that was refused, as if it were not
// on the ring.
func (r *ring) pick(hash uint64, _ func() uint64, attempt int) *Host {
	at := sort.Search(len(r.points), func(i int) bool { return r.points[i].hash >= hash })
	return r.points[(at+attempt)%len(r.points)].host
}

// maglev is the lookup table of Google's Maglev paper (section 3.4), with
// Envoy's weights.
type maglev struct {
	table []uint32
	hosts []*Host
}

type permutation struct {
	offset, skip, next uint64
	weight, target     float64
}

// newMaglev fills a table of size entries; size is prime.
func newMaglev(hosts []hashed, size uint64) *maglev {
	m := &maglev{table: make([]uint32, size), hosts: make([]*Host, len(hosts))}
	heaviest := 0.0
	lines := make([]permutation, len(hosts))
	for i, h := range hosts {
		m.hosts[i] = h.host
		heaviest = math.Max(heaviest, h.weight)
		second := xxhash.NewWithSeed(1)
		_, _ = second.WriteString(h.key)
		lines[i] = permutation{offset: xxhash.Sum64String(h.key) % size, skip: second.Sum64()%(size-1) + 1, weight: h.weight}
	}
	const empty = math.MaxUint32
	for i := range m.table {
		m.table[i] = empty
	}
	filled := uint64(0)
	for round := 1; filled < size; round++ {
		for i := range lines {
			line := &lines[i]
			// A lighter host has its turn only in some of the rounds.
			if float64(round)*line.weight < line.target {
				continue
			}
			line.target += heaviest
			at := (line.offset + line.skip*line.next) % size
			for m.table[at] != empty {
				line.next++
				at = (line.offset + line.skip*line.next) % size
			}
			m.table[at] = uint32(i)
			line.next++
			if filled++; filled == size {
				break
			}
		}
	}
	return m
}

// pick moves on by attempts as Envoy does: a host that was refused is left by
// hashing anew.
func (m *maglev) pick(hash uint64, _ func() uint64, attempt int) *Host {
	if attempt > 0 {
		// Envoy: hash ^= ~0 - attempt + 1, so that every retry has another place.
		hash ^= math.MaxUint64 - uint64(attempt) + 1
	}
	return m.hosts[m.table[hash%uint64(len(m.table))]]
}

// murmurHash2 is MurmurHash64A with the seed of libstdc++'s std::hash, Envoy's
// MURMUR_HASH_2.
func murmurHash2(data []byte) uint64 {
	const mul = 0xc6a4a7935bd1e995
	hash := uint64(0xc70f6907) ^ uint64(len(data))*mul
	for len(data) >= 8 {
		k := uint64(0)
		for i := 7; i >= 0; i-- {
			k = k<<8 | uint64(data[i])
		}
		k *= mul
		k ^= k >> 47
		hash = (hash ^ k*mul) * mul
		data = data[8:]
	}
	if len(data) > 0 {
		k := uint64(0)
		for i := len(data) - 1; i >= 0; i-- {
			k = k<<8 | uint64(data[i])
		}
		hash = (hash ^ k) * mul
	}
	hash = (hash ^ hash>>47) * mul
	return hash ^ hash>>47
}
