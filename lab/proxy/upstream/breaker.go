package upstream

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
)

// Envoy's defaults of circuit breakers and retry budgets.
const (
	defaultThreshold        = 1024
	defaultMaxRetries       = 3
	defaultBudgetPercent    = 20
	defaultRetryConcurrency = 3
)

// gauge counts what is under way, up to a limit.
type gauge struct {
	now   atomic.Int64
	limit int64
}

func (g *gauge) acquire() bool {
	if g.now.Add(1) <= g.limit {
		return true
	}
	g.now.Add(-1)
	return false
}

// force counts one more whatever the limit.
func (g *gauge) force() { g.now.Add(1) }

func (g *gauge) release() { g.now.Add(-1) }

// breaker is the circuit breaker of one priority (Envoy docs, "Circuit
// breaking").
type breaker struct {
	connections, pending, requests, retries gauge
	budgetPercent                           float64 // of the active requests; 0 for none
	budgetMinimum                           int64
	perHost                                 int64 // connections of one host; 0 for no limit

	// With a budget_interval, requests that began within it count for the budget
	// although they are over.
	interval time.Duration
	now      func() time.Time
	mu       sync.Mutex
	counts   []time.Time // until when such requests do
}

// begun is the time that done wants; zero where nobody asks for it.
func (b *breaker) begun() time.Time {
	if b.interval == 0 {
		return time.Time{}
	}
	return b.now()
}

// done ends a request that began then.
func (b *breaker) done(begun time.Time) {
	b.requests.release()
	if b.interval == 0 {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if until := begun.Add(b.interval); until.After(b.now()) {
		b.counts = append(b.counts, until)
	}
}

// recent is how many requests are over and still count.
func (b *breaker) recent() int64 {
	if b.interval == 0 {
		return 0
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	now := b.now()
	b.counts = slices.DeleteFunc(b.counts, func(until time.Time) bool { return !until.After(now) })
	return int64(len(b.counts))
}

func newBreaker(c *clusterv3.CircuitBreakers, priority corev3.RoutingPriority, now func() time.Time) *breaker {
	t := thresholdsOf(c.GetThresholds(), priority)
	b := &breaker{now: now}
	b.connections.limit = int64(orDefault(t.GetMaxConnections(), defaultThreshold))
	b.pending.limit = int64(orDefault(t.GetMaxPendingRequests(), defaultThreshold))
	b.requests.limit = int64(orDefault(t.GetMaxRequests(), defaultThreshold))
	b.retries.limit = int64(orDefault(t.GetMaxRetries(), defaultMaxRetries))
	if budget := t.GetRetryBudget(); budget != nil {
		b.budgetPercent, b.budgetMinimum = defaultBudgetPercent, int64(orDefault(budget.GetMinRetryConcurrency(), defaultRetryConcurrency))
		b.interval = budget.GetBudgetInterval().AsDuration()
		if budget.GetBudgetPercent() != nil {
			b.budgetPercent = budget.GetBudgetPercent().GetValue()
		}
	}
	if max := thresholdsOf(c.GetPerHostThresholds(), priority).GetMaxConnections(); max != nil {
		b.perHost = int64(max.GetValue())
	}
	return b
}

func thresholdsOf(all []*clusterv3.CircuitBreakers_Thresholds, priority corev3.RoutingPriority) *clusterv3.CircuitBreakers_Thresholds {
	for _, t := range all {
		if t.GetPriority() == priority {
			return t
		}
	}
	return nil
}

// retry counts one more retry; with a budget, as many may be under way as are
// that part of the active and pending requests, and always the minimum
// (Envoy's ResourceManagerImpl).
func (b *breaker) retry() bool {
	if b.budgetPercent == 0 && b.budgetMinimum == 0 {
		return b.retries.acquire()
	}
	active := b.requests.now.Load() + b.pending.now.Load() + b.recent()
	allowed := max(b.budgetMinimum, int64(float64(active)*b.budgetPercent/100))
	if b.retries.now.Add(1) <= allowed {
		return true
	}
	b.retries.now.Add(-1)
	return false
}
