package upstream

import (
	"sync/atomic"

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
}

func newBreaker(c *clusterv3.CircuitBreakers, priority corev3.RoutingPriority) *breaker {
	t := thresholdsOf(c.GetThresholds(), priority)
	b := &breaker{}
	b.connections.limit = int64(orDefault(t.GetMaxConnections(), defaultThreshold))
	b.pending.limit = int64(orDefault(t.GetMaxPendingRequests(), defaultThreshold))
	b.requests.limit = int64(orDefault(t.GetMaxRequests(), defaultThreshold))
	b.retries.limit = int64(orDefault(t.GetMaxRetries(), defaultMaxRetries))
	if budget := t.GetRetryBudget(); budget != nil {
		b.budgetPercent, b.budgetMinimum = defaultBudgetPercent, int64(orDefault(budget.GetMinRetryConcurrency(), defaultRetryConcurrency))
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
	active := b.requests.now.Load() + b.pending.now.Load()
	allowed := max(b.budgetMinimum, int64(float64(active)*b.budgetPercent/100))
	if b.retries.now.Add(1) <= allowed {
		return true
	}
	b.retries.now.Add(-1)
	return false
}
