package upstream

import (
	"context"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
)

// Cluster is one cluster of a snapshot. It stays usable by who holds it after
// the snapshot has gone: what it opens then is not kept.
type Cluster struct {
	name     string
	proto    *clusterv3.Cluster
	metadata map[string]any
	owner    *Clusters
	policy   *policy
	settings *settings
	sockets  *sockets
	inbound  bool
	breakers [2]*breaker // DEFAULT, HIGH
	outlier  *outlier    // nil for none
	original *originals  // nil but for ORIGINAL_DST
	names    *names      // nil but for STRICT_DNS and LOGICAL_DNS
	state    balanceState
	ctx      context.Context // ends with the cluster: DNS, connections being made
	cancel   context.CancelFunc

	balance atomic.Pointer[balancer]
	hosts   atomic.Pointer[[]*Host] // all of the assignment, in its order

	mu       sync.Mutex
	load     *endpointv3.ClusterLoadAssignment
	resolved map[string][]netip.Addr // by name
	assigned *assignment
	byKey    map[string]*Host
}

func (c *Clusters) newCluster(name string, proto *clusterv3.Cluster) *Cluster {
	cluster := &Cluster{
		name: name, proto: proto, owner: c,
		metadata: istioMetadata(proto.GetMetadata()),
		policy:   newPolicy(proto),
		settings: newSettings(proto),
		inbound:  isInbound(proto),
		outlier:  newOutlier(proto.GetOutlierDetection(), c.options.Now()),
		state:    balanceState{random: c.options.Random, now: c.options.Now},
		resolved: map[string][]netip.Addr{},
	}
	cluster.sockets = newSockets(c, proto)
	cluster.state.next.Store(c.options.Random() >> 1)
	cluster.ctx, cluster.cancel = context.WithCancel(c.ctx)
	cluster.breakers[0] = newBreaker(proto.GetCircuitBreakers(), corev3.RoutingPriority_DEFAULT, c.options.Now)
	cluster.breakers[1] = newBreaker(proto.GetCircuitBreakers(), corev3.RoutingPriority_HIGH, c.options.Now)
	switch proto.GetType() {
	case clusterv3.Cluster_ORIGINAL_DST:
		cluster.original = newOriginals(cluster)
	case clusterv3.Cluster_STRICT_DNS, clusterv3.Cluster_LOGICAL_DNS:
		cluster.names = newNames(cluster)
	}
	if err := cluster.policy.check(); err != nil {
		c.options.Log.Warn(err.Error(), "cluster", name)
	}
	return cluster
}

// Name is the cluster's name, "outbound|8080|stable|order.default.svc.cluster.local".
func (c *Cluster) Name() string { return c.name }

// Proto is the cluster as istiod sent it; read-only.
func (c *Cluster) Proto() *clusterv3.Cluster { return c.proto }

// Metadata is filter_metadata["istio"]; nil where there is none. Read-only.
func (c *Cluster) Metadata() map[string]any { return c.metadata }

// Pick chooses a host. The error wraps ErrNoHealthyHost. In a cluster whose
// names were not resolved yet it waits for the first answer of the DNS, at most
// five seconds.
func (c *Cluster) Pick(choice Choice) (*Host, error) {
	if c.original != nil {
		return c.original.pick(choice)
	}
	if c.names != nil {
		c.names.wait()
	}
	if c.outlier != nil {
		c.outlier.due(c, c.owner.options.Now())
	}
	b := c.balance.Load()
	if b != nil && !b.again.IsZero() && c.owner.options.Now().After(b.again) {
		c.rebuild()
		b = c.balance.Load()
	}
	if b == nil {
		return nil, &Error{Kind: ErrNoHealthyHost}
	}
	for attempt := 0; ; attempt++ {
		h := b.choose(&choice, c.owner.options.Random, attempt)
		if h == nil {
			return nil, &Error{Kind: ErrNoHealthyHost}
		}
		if choice.Avoid == nil || attempt >= choice.Tries || !choice.Avoid(h) {
			return h, nil
		}
	}
}

// Retry asks whether one more retry may be under way: max_retries or the retry
// budget of the DEFAULT priority. release must be called when the retry is over.
func (c *Cluster) Retry() (release func(), ok bool) { return c.RetryFor(false) }

// RetryFor is Retry for a priority.
func (c *Cluster) RetryFor(highPriority bool) (release func(), ok bool) {
	b := c.breaker(highPriority)
	if !b.retry() {
		return func() {}, false
	}
	return sync.OnceFunc(b.retries.release), true
}

func (c *Cluster) breaker(high bool) *breaker {
	if high {
		return c.breakers[1]
	}
	return c.breakers[0]
}

func (c *Cluster) allHosts() []*Host {
	if all := c.hosts.Load(); all != nil {
		return *all
	}
	return nil
}

// rebuild makes the balancer anew, after a change of hosts or of their health.
func (c *Cluster) rebuild() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.assigned != nil {
		c.balance.Store(newBalancer(c.policy, c.assigned, &c.state, c.owner.options.Now()))
	}
}

// drain ends what the cluster does by itself; exchanges in flight finish.
func (c *Cluster) drain() {
	c.cancel()
	for _, h := range c.allHosts() {
		h.drain()
	}
	if c.original != nil {
		c.original.drain()
	}
}

// originals are the hosts of an ORIGINAL_DST cluster: made when a connection
// wants to go there, forgotten when nothing went there for the cleanup interval
// (Envoy docs, "Original destination").
type originals struct {
	cluster  *Cluster
	interval time.Duration
	port     uint16 // 0: as wanted

	mu     sync.RWMutex
	hosts  map[netip.AddrPort]*Host
	looked time.Time
}

func newOriginals(c *Cluster) *originals {
	o := &originals{cluster: c, interval: 5 * time.Second, hosts: map[netip.AddrPort]*Host{}, looked: c.owner.options.Now()}
	if i := c.proto.GetCleanupInterval(); i != nil {
		o.interval = i.AsDuration()
	}
	o.port = uint16(c.proto.GetOriginalDstLbConfig().GetUpstreamPortOverride().GetValue())
	return o
}

func (o *originals) pick(choice Choice) (*Host, error) {
	at := choice.OriginalDestination
	if !at.IsValid() {
		return nil, &Error{Kind: ErrNoHealthyHost}
	}
	if o.port != 0 {
		at = netip.AddrPortFrom(at.Addr(), o.port)
	}
	now := o.cluster.owner.options.Now()
	o.mu.RLock()
	h, stale := o.hosts[at], now.Sub(o.looked) > o.interval
	o.mu.RUnlock()
	if h == nil {
		o.mu.Lock()
		if h = o.hosts[at]; h == nil {
			h = o.cluster.newHost(&about{address: at, socket: o.cluster.sockets.match(nil)})
			o.hosts[at] = h
		}
		o.mu.Unlock()
	}
	h.used.Store(now.UnixNano())
	if stale {
		o.clean(now)
	}
	return h, nil
}

func (o *originals) clean(now time.Time) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.looked = now
	for at, h := range o.hosts {
		if h.active.Load() == 0 && now.Sub(time.Unix(0, h.used.Load())) > o.interval {
			delete(o.hosts, at)
			defer h.drain()
		}
	}
}

func (o *originals) drain() {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, h := range o.hosts {
		defer h.drain()
	}
}
