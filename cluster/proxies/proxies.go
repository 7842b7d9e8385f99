// Package proxies asks istiod what the proxies have: through a port-forward to
// every istiod replica it reads /debug/config_dump, what a proxy is given, and
// /debug/syncz, what it has acknowledged. It answers the question of when a
// route may name a subset without a 503, and when no proxy sends to it any more.
package proxies

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/meshstorm/meshstorm/cluster"
)

// ErrTimeout says that proxies lacked something when the time was over.
var ErrTimeout = errors.New("not all proxies have taken the new configuration")

// ErrForbidden says that the right to port-forward to istiod is missing, or to
// list the pods that it is about.
var ErrForbidden = errors.New("no right to port-forward to istiod")

// ErrNoIstiod says that no istiod pod is ready.
var ErrNoIstiod = errors.New("no istiod is ready")

// ErrNoDebug says that an istiod answers, but shows its debug pages to nobody.
var ErrNoDebug = errors.New("istiod does not show what its proxies have")

// Unseen reports whether an error means that nobody can see here what proxies
// have, however long they are waited for: ErrForbidden and ErrNoDebug.
func Unseen(err error) bool { return errors.Is(err, ErrForbidden) || errors.Is(err, ErrNoDebug) }

// Proxy is one that is connected to istiod.
type Proxy struct {
	Name      string `json:"name"` // POD.NAMESPACE
	Pod       string `json:"pod"`
	Namespace string `json:"namespace"`
	Istiod    string `json:"istiod"`  // the replica it is connected to, POD.NAMESPACE
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
	// namespace. A selector without labels means every gateway.
	Gateways []map[string]string
	// Sidecars of these namespaces must have it too, as far as istiod gives
	// them the clusters' host at all (a Sidecar object may hide it). "*" means
	// all namespaces.
	Sidecars []string
	// Clusters are Envoy's names, "outbound|8080|canary|order.default.svc.cluster.local".
	Clusters []string
	// Weights are what routes must say by now.
	Weights []Weight
	// Gone are clusters that no route may name any more, neither one for testers
	// nor a mirror: those that are about to be deleted.
	Gone []string
}

// Weight is the share of a cluster in every route of a proxy that names the
// cluster's host and port; 0 means that none of these sends anything there.
// Routes whose name begins with TesterPrefix do not count.
type Weight struct {
	Cluster string
	Percent int
	// Rule is the name of the VirtualService's rule that has this weight; ""
	// means every route, also one that a person has pinned to one subset.
	Rule string
}

// TesterPrefix begins the names of rules that send testers, or clients with the
// canary's cookie, to one side alone.
const TesterPrefix = "meshstorm-canary-"

// Report says who waited for what.
type Report struct {
	Proxies int           // that were looked at
	Took    time.Duration // until all had it
	Missing []string      // sentences: "order-77.default has no cluster outbound|…"
}

// ClusterName is Envoy's name for a subset of a service.
func ClusterName(port int, subset, host string) string {
	return fmt.Sprintf("outbound|%d|%s|%s", port, subset, host)
}

// Open connects to every ready istiod of the cluster, of any revision. Close it
// after use. Errors wrap ErrForbidden, ErrNoIstiod or cluster.ErrUnreachable.
func Open(ctx context.Context, c *cluster.Client) (*Mesh, error) {
	return open(ctx, c.Kube, forwarding(c))
}

// Proxies lists who is connected, by name. An istiod that does not answer is an
// error.
func (m *Mesh) Proxies(ctx context.Context) ([]Proxy, error) {
	if err := m.refresh(ctx); err != nil {
		return nil, err
	}
	all := []Proxy{}
	for r, answer := range m.ask(ctx) {
		if answer.err != nil {
			return nil, fmt.Errorf("ask istiod %s for its proxies: %w", r.name, answer.err)
		}
		for i := range answer.statuses {
			all = append(all, answer.statuses[i].proxy(r.name))
		}
	}
	slices.SortFunc(all, func(a, b Proxy) int {
		return cmp.Or(strings.Compare(a.Namespace, b.Namespace), strings.Compare(a.Pod, b.Pod), strings.Compare(a.Istiod, b.Istiod))
	})
	return all, nil
}
