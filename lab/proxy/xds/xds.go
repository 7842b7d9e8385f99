// Package xds keeps istiod's configuration current: it opens one ADS stream
// (delta or state of the world), subscribes to listeners and clusters and to
// the routes, endpoints and secrets that these name, checks what comes, ACKs or
// NACKs it with a reason, and gives snapshots in which everything that is
// needed is there: a cluster appears when its endpoints do, a listener when its
// routes do, so that a change drops no request (Envoy docs, "xDS configuration
// API overview", eventual consistency).
package xds

import (
	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
)

// Snapshot is a consistent configuration. It and all it holds are read-only;
// a resource that did not change is the same pointer in the next snapshot.
type Snapshot struct {
	Number    uint64
	Listeners map[string]*listenerv3.Listener
	Routes    map[string]*routev3.RouteConfiguration
	Clusters  map[string]*clusterv3.Cluster
	Endpoints map[string]*endpointv3.ClusterLoadAssignment // by cluster name
	Secrets   map[string]*tlsv3.Secret
	Filters   map[string]*corev3.TypedExtensionConfig // ECDS
}
