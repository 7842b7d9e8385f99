package upstream

import (
	"fmt"
	"math"
	"time"

	"github.com/cespare/xxhash/v2"
	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

// Envoy's defaults of its load balancers.
const (
	defaultPanicThreshold   = 50 // percent
	defaultOverprovisioning = 140
	defaultChoices          = 2
	defaultRingMinimum      = 1024
	defaultRingMaximum      = 8 << 20
	defaultMaglevSize       = 65537
)

// policy is a cluster's load balancing policy.
type policy struct {
	kind             clusterv3.Cluster_LbPolicy
	localityWeighted bool
	panicThreshold   float64 // percent; 0 never panics
	slowStart        *slowStart
	choices          int
	scanAll          bool
	activeBias       float64 // of least request with weights
	ringMin, ringMax uint64
	murmur           bool
	tableSize        uint64
	useHostname      bool // for the hash of a host
	unsupported      string
}

func newPolicy(c *clusterv3.Cluster) *policy {
	p := &policy{
		kind: c.GetLbPolicy(), panicThreshold: defaultPanicThreshold,
		choices: defaultChoices, activeBias: 1,
		ringMin: defaultRingMinimum, ringMax: defaultRingMaximum, tableSize: defaultMaglevSize,
	}
	common := c.GetCommonLbConfig()
	if common.GetHealthyPanicThreshold() != nil {
		p.panicThreshold = common.GetHealthyPanicThreshold().GetValue()
	}
	p.localityWeighted = common.GetLocalityWeightedLbConfig() != nil
	p.useHostname = common.GetConsistentHashingLbConfig().GetUseHostnameForHashing()
	switch p.kind {
	case clusterv3.Cluster_ROUND_ROBIN:
		p.slowStart = newSlowStart(c.GetRoundRobinLbConfig().GetSlowStartConfig())
	case clusterv3.Cluster_LEAST_REQUEST:
		config := c.GetLeastRequestLbConfig()
		p.slowStart = newSlowStart(config.GetSlowStartConfig())
		p.choices = int(orDefault(config.GetChoiceCount(), defaultChoices))
		p.activeBias = runtimeDouble(config.GetActiveRequestBias(), 1)
	case clusterv3.Cluster_RING_HASH:
		config := c.GetRingHashLbConfig()
		p.ring(config.GetMinimumRingSize(), config.GetMaximumRingSize())
		p.murmur = config.GetHashFunction() == clusterv3.Cluster_RingHashLbConfig_MURMUR_HASH_2
	case clusterv3.Cluster_MAGLEV:
		if size := c.GetMaglevLbConfig().GetTableSize(); size != nil {
			p.tableSize = size.GetValue()
		}
	case clusterv3.Cluster_RANDOM, clusterv3.Cluster_CLUSTER_PROVIDED:
	default:
		if c.GetLoadBalancingPolicy() == nil {
			p.unsupported = policyName(p.kind)
		}
	}
	if lb := c.GetLoadBalancingPolicy(); lb != nil {
		p.extend(lb)
	}
	return p
}

func (p *policy) ring(minimum, maximum *wrapperspb.UInt64Value) {
	if minimum != nil {
		p.ringMin = minimum.GetValue()
	}
	if maximum != nil {
		p.ringMax = maximum.GetValue()
	}
}

func (p *policy) hashes() bool {
	return p.kind == clusterv3.Cluster_RING_HASH || p.kind == clusterv3.Cluster_MAGLEV
}

func (p *policy) newHashed(hosts []hashed) picker {
	if p.kind == clusterv3.Cluster_MAGLEV {
		return newMaglev(hosts, p.tableSize)
	}
	hash := xxhash.Sum64
	if p.murmur {
		hash = murmurHash2
	}
	return newRing(hosts, p.ringMin, p.ringMax, hash)
}

// newPicker is the picker of policies that do not hash. Hosts of different
// weights, or in slow start, are scheduled by their weights.
func (p *policy) newPicker(endpoints []endpoint, state *balanceState, now time.Time) picker {
	hosts := make([]*Host, len(endpoints))
	equal := true
	for i, e := range endpoints {
		hosts[i] = e.host
		equal = equal && e.weight == endpoints[0].weight && !p.slowStart.within(e.host, now)
	}
	weight := func(i int) float64 {
		return float64(endpoints[i].weight) * p.slowStart.factor(endpoints[i].host, state.now)
	}
	switch p.kind {
	case clusterv3.Cluster_RANDOM:
		return &uniform{hosts}
	case clusterv3.Cluster_LEAST_REQUEST:
		switch {
		case p.scanAll:
			return &scan{hosts}
		case equal:
			return &fewest{hosts, p.choices}
		}
		return &weighted{hosts, newSchedule(len(hosts), func(i int) float64 {
			return weight(i) / math.Pow(float64(hosts[i].active.Load()+1), p.activeBias)
		}, state.random)}
	}
	if equal {
		return &roundRobin{hosts, &state.next}
	}
	return &weighted{hosts, newSchedule(len(hosts), weight, state.random)}
}

// Check tells why a cluster cannot be taken, for a NACK.
func Check(c *clusterv3.Cluster) error {
	p := newPolicy(c)
	p.unsupported = "" // that is told in another way, and does no harm
	return p.check()
}

// check tells what istiod must not send.
func (p *policy) check() error {
	switch {
	case p.unsupported != "":
		return fmt.Errorf("unsupported: load balancing policy %s", p.unsupported)
	case p.kind == clusterv3.Cluster_RING_HASH && p.ringMin > p.ringMax:
		return fmt.Errorf("ring hash: minimum_ring_size (%d) > maximum_ring_size (%d)", p.ringMin, p.ringMax)
	case p.kind == clusterv3.Cluster_MAGLEV && !prime(p.tableSize):
		return fmt.Errorf("maglev: the table's size %d is not a prime number", p.tableSize)
	}
	return nil
}

func prime(n uint64) bool {
	if n < 2 {
		return false
	}
	for d := uint64(2); d*d <= n; d++ {
		if n%d == 0 {
			return false
		}
	}
	return true
}

// slowStart raises the weight of a new host over a time (Envoy docs, "Slow start
// mode").
type slowStart struct {
	window     time.Duration
	aggression float64
	minimum    float64 // of the weight, 0 to 1
}

func newSlowStart(c slowStartConfig) *slowStart {
	if c.GetSlowStartWindow().AsDuration() <= 0 {
		return nil
	}
	s := &slowStart{window: c.GetSlowStartWindow().AsDuration(), aggression: 1, minimum: 0.10}
	if a := runtimeDouble(c.GetAggression(), 1); a > 0 {
		s.aggression = a
	}
	if m := c.GetMinWeightPercent(); m != nil {
		s.minimum = m.GetValue() / 100
	}
	return s
}

func (s *slowStart) within(h *Host, now time.Time) bool {
	return s != nil && now.Before(h.created.Add(s.window))
}

// factor is what the weight of a host is multiplied by.
func (s *slowStart) factor(h *Host, clock func() time.Time) float64 {
	if s == nil {
		return 1
	}
	now := clock()
	if !s.within(h, now) {
		return 1
	}
	part := max(now.Sub(h.created), time.Millisecond).Seconds() / s.window.Seconds()
	return math.Max(s.minimum, math.Pow(part, 1/s.aggression))
}

func (s *slowStart) lastEnd(localities []locality, now time.Time) time.Time {
	var last time.Time
	for _, l := range localities {
		for _, e := range l.endpoints {
			if s.within(e.host, now) {
				last = later(last, e.host.created.Add(s.window))
			}
		}
	}
	return last
}

func orDefault(v *wrapperspb.UInt32Value, otherwise uint32) uint32 {
	if v == nil {
		return otherwise
	}
	return v.GetValue()
}
