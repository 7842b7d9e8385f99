package upstream

import (
	"context"
	"errors"
	"math"
	"sync"
	"time"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
)

// outlier is a cluster's outlier detection (Envoy docs, "Outlier detection").
// Its intervals are counted when hosts are picked or results come in, with the
// times at which Envoy's timer would have fired: an ejected host matters to
// nobody in between.
type outlier struct {
	consecutive5xx, consecutiveGateway, consecutiveLocal uint32
	enforce5xx, enforceGateway, enforceLocal             uint32 // percent
	split                                                bool
	interval, base, longest, jitter                      time.Duration
	maxEjected                                           uint32 // percent of the hosts
	alwaysOne                                            bool
	rate                                                 rateDetection

	mu   sync.Mutex
	next time.Time // of the interval
}

// monitor is what outlier detection knows of a host; guarded by outlier.mu.
type monitor struct {
	in5xx, inGateway, inLocal uint32 // consecutive failures
	multiplier                int64  // how often in a row it was ejected
	since, until              time.Time
	external, local           rateCount
}

func newOutlier(c *clusterv3.OutlierDetection, now time.Time) *outlier {
	if c == nil {
		return nil
	}
	o := &outlier{
		consecutive5xx: orDefault(c.GetConsecutive_5Xx(), 5), consecutiveGateway: orDefault(c.GetConsecutiveGatewayFailure(), 5),
		consecutiveLocal: orDefault(c.GetConsecutiveLocalOriginFailure(), 5),
		enforce5xx:       orDefault(c.GetEnforcingConsecutive_5Xx(), 100), enforceGateway: orDefault(c.GetEnforcingConsecutiveGatewayFailure(), 0),
		enforceLocal: orDefault(c.GetEnforcingConsecutiveLocalOriginFailure(), 100),
		split:        c.GetSplitExternalLocalOriginErrors(),
		interval:     10 * time.Second, base: 30 * time.Second, longest: 300 * time.Second,
		jitter:     c.GetMaxEjectionTimeJitter().AsDuration(),
		maxEjected: orDefault(c.GetMaxEjectionPercent(), 10), alwaysOne: c.GetAlwaysEjectOneHost().GetValue(),
		rate: newRateDetection(c),
	}
	if c.GetInterval() != nil {
		o.interval = max(c.GetInterval().AsDuration(), time.Millisecond)
	}
	if c.GetBaseEjectionTime() != nil {
		o.base = c.GetBaseEjectionTime().AsDuration()
	}
	if c.GetMaxEjectionTime() != nil {
		o.longest = c.GetMaxEjectionTime().AsDuration()
	}
	o.longest = max(o.longest, o.base)
	o.next = now.Add(o.interval)
	return o
}

// outcome is a result as outlier detection counts it.
type outcome struct {
	ignored bool
	local   bool // made here: no connection, a reset, a timeout
	failed  bool // of a local one
	status  int
}

// outcomeOf sorts a result: what the client or a circuit breaker did is not the
// host's fault.
func outcomeOf(status int, err error) outcome {
	switch {
	case err == nil && status == 0:
		return outcome{local: true, status: 200} // a TCP connection was made
	case err == nil:
		return outcome{status: status}
	case errors.Is(err, ErrOverflow), errors.Is(err, ErrNoHealthyHost), errors.Is(err, ErrTLS), errors.Is(err, context.Canceled):
		return outcome{ignored: true}
	case errors.Is(err, context.DeadlineExceeded):
		return outcome{local: true, failed: true, status: 504}
	case status != 0:
		return outcome{local: true, failed: true, status: status}
	}
	return outcome{local: true, failed: true, status: 503}
}

// Result feeds outlier detection: the status of an answer, or the context's
// error for a timeout, or the error of Do or Connect; 0 and nil is a TCP
// connection that was made. For gRPC, give the HTTP status that the gRPC status
// stands for.
func (h *Host) Result(status int, err error) {
	c := h.cluster
	o := c.outlier
	if o == nil {
		return
	}
	result := outcomeOf(status, err)
	if result.ignored {
		return
	}
	o.mu.Lock()
	changed := o.tick(c, c.owner.options.Now())
	if o.count(h, result, c.owner.options.Random) {
		changed = o.eject(c, h, c.owner.options.Now()) || changed
	}
	o.mu.Unlock()
	if changed {
		c.rebuild()
	}
}

// count adds a result and tells whether the host is to be ejected.
func (o *outlier) count(h *Host, r outcome, random func() uint64) bool {
	m := &h.monitor
	if r.local && o.split {
		m.local.add(!r.failed)
		if !r.failed {
			m.inLocal = 0
			return false
		}
		m.inLocal++
		return o.reached(&m.inLocal, o.consecutiveLocal, o.enforceLocal, random)
	}
	if !r.local {
		m.inLocal = 0 // an answer needs a connection
	}
	m.external.add(r.status < 500)
	if r.status < 500 {
		m.in5xx, m.inGateway = 0, 0
		return false
	}
	eject := false
	if r.status >= 502 && r.status <= 504 {
		m.inGateway++
		eject = o.reached(&m.inGateway, o.consecutiveGateway, o.enforceGateway, random)
	} else {
		m.inGateway = 0
	}
	m.in5xx++
	return o.reached(&m.in5xx, o.consecutive5xx, o.enforce5xx, random) || eject
}

func (o *outlier) reached(n *uint32, limit, enforce uint32, random func() uint64) bool {
	if limit == 0 || *n < limit {
		return false
	}
	*n = 0
	return uint32(random()%100) < enforce
}

// eject takes a host out, unless as many are out as may be. It tells whether it
// did.
func (o *outlier) eject(c *Cluster, h *Host, now time.Time) bool {
	if h.ejected.Load() {
		return false
	}
	all, out := 0, 0
	for _, other := range c.allHosts() {
		all++
		if other.ejected.Load() {
			out++
		}
	}
	if all == 0 {
		return false
	}
	within := float64(100*(out+1))/float64(all) <= float64(o.maxEjected)
	if !within && (!o.alwaysOne || out > 0) {
		return false
	}
	m := &h.monitor
	m.multiplier++
	m.since = now
	stay := o.longest
	if o.base == 0 || m.multiplier <= int64(o.longest/max(o.base, 1)) {
		stay = min(o.longest, o.base*time.Duration(m.multiplier))
	}
	if o.jitter > 0 {
		stay += time.Duration(c.owner.options.Random() % uint64(o.jitter))
	}
	m.until = now.Add(stay)
	h.ejected.Store(true)
	c.owner.options.Log.Debug("a host is ejected", "cluster", c.name, "host", h.Address(), "for", stay)
	return true
}

// tick does what Envoy does at each interval: hosts whose time has passed
// return, the others' multipliers sink, rates are looked at. It tells whether a
// host's state changed.
func (o *outlier) tick(c *Cluster, now time.Time) bool {
	changed := false
	if late := now.Sub(o.next) / o.interval; late > 1000 {
		o.next = o.next.Add(o.interval * (late - 1000)) // no multiplier is that high
	}
	for !now.Before(o.next) {
		at := o.next
		o.next = o.next.Add(o.interval)
		hosts := c.allHosts()
		for _, h := range hosts {
			m := &h.monitor
			switch {
			case !h.ejected.Load():
				m.multiplier = max(0, m.multiplier-1)
			case !at.Before(m.until):
				h.ejected.Store(false)
				m.in5xx, m.inGateway, m.inLocal = 0, 0, 0
				changed = true
			}
		}
		for _, h := range o.rate.outliers(hosts, o.split, c.owner.options.Random) {
			changed = o.eject(c, h, at) || changed
		}
	}
	return changed
}

// due tells without waiting whether an interval is over.
func (o *outlier) due(c *Cluster, now time.Time) {
	o.mu.Lock()
	changed := !now.Before(o.next) && o.tick(c, now)
	o.mu.Unlock()
	if changed {
		c.rebuild()
	}
}

// rateCount is a host's results of one interval.
type rateCount struct{ success, all uint32 }

func (r *rateCount) add(success bool) {
	r.all++
	if success {
		r.success++
	}
}

// rateDetection finds hosts whose success rate is far below the others', or too
// low. Istio turns it off.
type rateDetection struct {
	enforceRate, enforceLocalRate, minimumHosts, volume, deviations             uint32
	enforcePercentage, enforceLocalPercentage, threshold, percentHosts, pVolume uint32
}

func newRateDetection(c *clusterv3.OutlierDetection) rateDetection {
	return rateDetection{
		enforceRate:      orDefault(c.GetEnforcingSuccessRate(), 100),
		enforceLocalRate: orDefault(c.GetEnforcingLocalOriginSuccessRate(), 100),
		minimumHosts:     orDefault(c.GetSuccessRateMinimumHosts(), 5), volume: orDefault(c.GetSuccessRateRequestVolume(), 100),
		deviations:        orDefault(c.GetSuccessRateStdevFactor(), 1900),
		enforcePercentage: orDefault(c.GetEnforcingFailurePercentage(), 0), enforceLocalPercentage: orDefault(c.GetEnforcingFailurePercentageLocalOrigin(), 0),
		threshold: orDefault(c.GetFailurePercentageThreshold(), 85), percentHosts: orDefault(c.GetFailurePercentageMinimumHosts(), 5),
		pVolume: orDefault(c.GetFailurePercentageRequestVolume(), 50),
	}
}

// outliers looks at the interval that ended, and starts the next.
func (d rateDetection) outliers(hosts []*Host, split bool, random func() uint64) []*Host {
	out := d.kind(hosts, func(h *Host) *rateCount { return &h.monitor.external }, d.enforceRate, d.enforcePercentage, random)
	if split {
		out = append(out, d.kind(hosts, func(h *Host) *rateCount { return &h.monitor.local }, d.enforceLocalRate, d.enforceLocalPercentage, random)...)
	}
	return out
}

func (d rateDetection) kind(hosts []*Host, count func(*Host) *rateCount, enforceRate, enforcePercentage uint32, random func() uint64) []*Host {
	var rated, counted []*Host
	rates := map[*Host]float64{}
	sum := 0.0
	for _, h := range hosts {
		n := count(h)
		if n.all > 0 {
			rates[h] = 100 * float64(n.success) / float64(n.all)
		}
		if n.all >= d.volume && n.all > 0 && !h.ejected.Load() {
			rated = append(rated, h)
			sum += rates[h]
		}
		if n.all >= d.pVolume && n.all > 0 && !h.ejected.Load() {
			counted = append(counted, h)
		}
		*n = rateCount{}
	}
	var out []*Host
	if len(rated) > 0 && len(rated) >= int(d.minimumHosts) {
		mean, square := sum/float64(len(rated)), 0.0
		for _, h := range rated {
			square += (rates[h] - mean) * (rates[h] - mean)
		}
		floor := mean - math.Sqrt(square/float64(len(rated)))*float64(d.deviations)/1000
		for _, h := range rated {
			if rates[h] < floor && uint32(random()%100) < enforceRate {
				out = append(out, h)
			}
		}
	}
	if len(counted) >= int(d.percentHosts) {
		for _, h := range counted {
			if 100-rates[h] >= float64(d.threshold) && uint32(random()%100) < enforcePercentage {
				out = append(out, h)
			}
		}
	}
	return out
}
