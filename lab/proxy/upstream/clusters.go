package upstream

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	"google.golang.org/protobuf/proto"

	"github.com/meshstorm/meshstorm/lab/proxy/xds"
)

// Clusters are the clusters of the newest snapshot.
type Clusters struct {
	options Options
	ctx     context.Context
	cancel  context.CancelFunc
	secrets atomic.Pointer[map[string]*tlsv3.Secret]
	byName  atomic.Pointer[map[string]*Cluster]
	update  sync.Mutex
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
	c := &Clusters{options: o}
	c.ctx, c.cancel = context.WithCancel(context.Background())
	c.byName.Store(&map[string]*Cluster{})
	c.secrets.Store(&map[string]*tlsv3.Secret{})
	return c
}

// Update takes over a whole snapshot. Connections, ejections and the state of
// the load balancers stay for hosts that did not change; clusters and hosts that
// are gone finish what is in flight. A cluster whose own configuration changed
// begins anew, as in Envoy.
func (c *Clusters) Update(s *xds.Snapshot) {
	c.update.Lock()
	defer c.update.Unlock()
	secrets := s.Secrets
	c.secrets.Store(&secrets)
	before := *c.byName.Load()
	next := make(map[string]*Cluster, len(s.Clusters))
	for name, config := range s.Clusters {
		next[name] = c.take(name, before[name], config, loadOf(config, s.Endpoints))
	}
	c.byName.Store(&next)
	for name, cluster := range before {
		if next[name] != cluster {
			cluster.drain()
		}
	}
}

// take keeps a cluster that did not change.
func (c *Clusters) take(name string, before *Cluster, config *clusterv3.Cluster, load *endpointv3.ClusterLoadAssignment) *Cluster {
	if before != nil && (before.proto == config || proto.Equal(before.proto, config)) {
		before.mu.Lock()
		same := before.load == load || proto.Equal(before.load, load)
		before.mu.Unlock()
		if !same {
			before.assign(load)
		}
		return before
	}
	cluster := c.newCluster(name, config)
	cluster.assign(load)
	if cluster.names != nil {
		cluster.names.start()
	}
	return cluster
}

// loadOf is where a cluster's endpoints are: in EDS, by its service_name or its
// name, or in the cluster itself.
func loadOf(c *clusterv3.Cluster, eds map[string]*endpointv3.ClusterLoadAssignment) *endpointv3.ClusterLoadAssignment {
	if c.GetType() != clusterv3.Cluster_EDS {
		return c.GetLoadAssignment()
	}
	if load := eds[c.GetName()]; load != nil {
		return load
	}
	return eds[c.GetEdsClusterConfig().GetServiceName()]
}

// Get gives a cluster by name.
func (c *Clusters) Get(name string) (*Cluster, bool) {
	cluster, ok := (*c.byName.Load())[name]
	return cluster, ok
}

// Close ends DNS refreshes, connections being made and those that are idle;
// exchanges in flight finish.
func (c *Clusters) Close() {
	c.update.Lock()
	defer c.update.Unlock()
	c.cancel()
	for _, cluster := range *c.byName.Load() {
		cluster.drain()
	}
}
