// Package istio is istiod's own code as a library: what a control plane would
// send to a proxy, with no cluster. It takes manifests (Kubernetes, Istio and
// Gateway API objects) and gives, for an ingress gateway or the sidecar of a
// service, the listeners, routes, clusters and endpoints that Istio makes of
// them, each route with the object, rule and match that it came from. Workload
// templates stand for their pods, so that endpoints exist.
package istio

import (
	"context"
	"errors"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"

	"github.com/meshstorm/meshstorm/manifest"
)

// Options say which installation the manifests are meant for.
type Options struct {
	Namespace      string // of objects without one; "" is "default"
	Profile        string // Istio's installation profile; "" is "demo": it decides which gateways are there
	IstioNamespace string // "" is "istio-system"
	ClusterDomain  string // "" is "cluster.local"
}

// Mesh is a control plane that holds some manifests. It is safe for concurrent
// use, and does not change.
type Mesh struct{}

// Problem is something about the manifests that keeps a part of them from
// having an effect: an object that cannot be decoded, a kind that nobody here
// knows (said once per kind), a delegate cycle.
type Problem struct {
	Document *manifest.Document // nil where it concerns many
	Message  string
}

// Kinds of proxies.
const (
	Gateway = "gateway"
	Sidecar = "sidecar"
)

// Proxy is a proxy that istiod would send configuration to.
type Proxy struct {
	Kind      string // Gateway or Sidecar
	Name      string // of the gateway's workload, or of the service that the sidecar's workload belongs to
	Namespace string
	Labels    map[string]string // of its pods
	Revision  string
}

// Origin is where a route came from.
type Origin struct {
	Document *manifest.Document // the VirtualService or HTTPRoute with the rule; nil for routes that Istio makes by itself
	// Delegate is true where Document is a delegate; Root is then the
	// VirtualService that names it.
	Delegate bool
	Root     *manifest.Document
	Rule     string // its name as written, "" for none
	Field    string // field path of the rule in Document: "spec.http[1]"
	Match    string // field path of the match entry: "spec.http[1].match[0]"; "" for a rule without
}

// Config is what istiod would send to one proxy.
type Config struct {
	Proxy     Proxy
	Listeners []*listenerv3.Listener
	Routes    []*routev3.RouteConfiguration
	Clusters  []*clusterv3.Cluster
	Endpoints []*endpointv3.ClusterLoadAssignment // for the clusters of type EDS
	// Origins has each route of Routes; names in Routes are what istiod sends.
	Origins map[*routev3.Route]Origin
}

var errSkeleton = errors.New("not written yet")

// New starts a control plane in this process with these manifests. Documents
// that cannot be used become Problems; the error is for what leaves nothing to
// ask.
func New(ctx context.Context, docs []*manifest.Document, o Options) (*Mesh, error) {
	return nil, errSkeleton
}

// Close frees what the mesh holds.
func (m *Mesh) Close() {}

// Problems are what could not be used, in source order.
func (m *Mesh) Problems() []Problem { return nil }

// Gateways are the gateway proxies: the installation's, those of Deployments
// that a Gateway's selector finds, those that istiod would start for a Gateway
// API Gateway; sorted by namespace and name.
func (m *Mesh) Gateways() []Proxy { return nil }

// Sidecar is the sidecar of a service's pods: NAME, NAME.NAMESPACE or a full
// host name. The error lists what is there.
func (m *Mesh) Sidecar(service string) (Proxy, error) { return Proxy{}, errSkeleton }

// Proxies are the gateways, and one sidecar for each group of workloads that
// istiod sends the same outbound routes to.
func (m *Mesh) Proxies() []Proxy { return nil }

// Config translates for a proxy; the answer is kept.
func (m *Mesh) Config(ctx context.Context, p Proxy) (*Config, error) { return nil, errSkeleton }

// Target is the way a request takes into a proxy.
type Target struct {
	Scheme string // http or https
	Host   string // without port; the SNI for https
	Port   int    // the port that the client connects to (a gateway's Service port, or the called service's port)
}

// Entry is the route configuration that answers on a target.
type Entry struct {
	Listener *listenerv3.Listener
	Routes   *routev3.RouteConfiguration // nil where the target is no HTTP
	// Why says in words why there is no route configuration: no listener on the
	// port, TLS without a matching server, TCP.
	Why string
}

// Entry finds the listener, its filter chain and the route configuration for a
// target.
func (c *Config) Entry(t Target) Entry { return Entry{} }

// Cluster gives a cluster by name, or nil.
func (c *Config) Cluster(name string) *clusterv3.Cluster { return nil }

// Workload is a pod, or what stands for pods, behind a cluster.
type Workload struct {
	Name, Namespace string // of the Deployment, StatefulSet, Pod, WorkloadEntry ...
	Kind            string
	Document        *manifest.Document
	Address         string // made up where there is no real pod
	Port            uint32
}

// Workloads are the endpoints of a cluster, sorted; ok is false where the
// cluster is not one whose endpoints istiod knows (DNS, passthrough).
func (m *Mesh) Workloads(c *Config, cluster string) (w []Workload, ok bool) { return nil, false }

// ClusterParts are the parts of one of Istio's cluster names,
// "outbound|8080|stable|order.default.svc.cluster.local".
type ClusterParts struct {
	Direction, Subset, Host string
	Port                    int
}
