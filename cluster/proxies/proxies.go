// Package proxies asks istiod what the proxies have: through a port-forward to
// every istiod replica it reads /debug/config_dump, what a proxy is given, and
// /debug/syncz, what it has acknowledged. It answers the question of when a
// route may name a subset without a 503, and when no proxy sends to it any more.
package proxies

import (
	"context"
	"errors"
	"time"

	"github.com/meshstorm/meshstorm/cluster"
)

// ErrTimeout says that proxies lacked something when the time was over.
var ErrTimeout = errors.New("not all proxies have taken the new configuration")

// ErrForbidden says that the right to port-forward to istiod is missing.
var ErrForbidden = errors.New("no right to port-forward to istiod")

// ErrNoIstiod says that no istiod pod is ready.
var ErrNoIstiod = errors.New("no istiod is ready")

// Proxy is one that is connected to istiod.
type Proxy struct {
	Name      string `json:"name"` // POD.NAMESPACE
	Pod       string `json:"pod"`
	Namespace string `json:"namespace"`
	Istiod    string `json:"istiod"`  // the replica it is connected to
	Version   string `json:"version"` // of the proxy; "" where unknown
	Gateway   bool   `json:"gateway"` // a router, not a sidecar
	// Synced are the resource types ("CDS", "LDS", "EDS", "RDS") whose last
	// configuration the proxy has acknowledged; Stale those that it has not.
	Synced []string `json:"synced,omitempty"`
	Stale  []string `json:"stale,omitempty"`
}

// Expectation is what proxies are to hold.
type Expectation struct {
	// Namespace is where the changed objects are.
	Namespace string
	// Gateways select the gateway pods that must have it, by their labels; any
	// namespace.
	Gateways []map[string]string
	// Sidecars of these namespaces must have it too, as far as istiod gives
	// them the clusters' host at all (a Sidecar object may hide it).
	Sidecars []string
	// Clusters are Envoy's names, "outbound|8080|canary|order.default.svc.cluster.local".
	Clusters []string
	// Weights are what routes must say by now.
	Weights []Weight
}

// Weight is the share of a cluster in every route of a proxy that names it; 0
// means that no route sends anything there.
type Weight struct {
	Cluster string
	Percent int
}

// Report says who waited for what.
type Report struct {
	Proxies int           // that were looked at
	Took    time.Duration // until all had it
	Missing []string      // sentences: "order-77.default has no cluster outbound|…"
}

// Mesh is a connection to all istiod replicas.
type Mesh struct{}

// Open connects to every ready istiod of the cluster, of any revision. Close it
// after use. Errors wrap ErrForbidden, ErrNoIstiod or cluster.ErrUnreachable.
func Open(ctx context.Context, c *cluster.Client) (*Mesh, error) { panic("not written yet") }

// Close ends the port-forwards.
func (m *Mesh) Close() { panic("not written yet") }

// Proxies lists who is connected.
func (m *Mesh) Proxies(ctx context.Context) ([]Proxy, error) { panic("not written yet") }

// Wait returns when istiod gives every proxy in question what is expected, and
// each has acknowledged it. Right after a write istiod still says "synced" for
// the old state, so it is the content that counts first. When ctx ends the error
// wraps ErrTimeout and the report says who lacks what.
func (m *Mesh) Wait(ctx context.Context, e Expectation) (Report, error) { panic("not written yet") }

// ClusterName is Envoy's name for a subset of a service.
func ClusterName(port int, subset, host string) string { panic("not written yet") }
