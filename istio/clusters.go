package istio

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"

	"github.com/meshstorm/meshstorm/manifest"
)

// Cluster gives a cluster by name, or nil.
func (c *Config) Cluster(name string) *clusterv3.Cluster { return c.clusters[name] }

// Workload is a pod, or what stands for pods, behind a cluster.
type Workload struct {
	Name, Namespace string // of the Deployment, StatefulSet, Pod, WorkloadEntry ...
	Kind            string
	Document        *manifest.Document
	Address         string // made up where there is no real pod
	Port            uint32
}

// Workloads are the endpoints of a cluster, sorted; ok is false where the
// cluster is not one whose endpoints istiod knows (DNS, passthrough). An
// endpoint that no workload of the manifests stands for has no Kind. Of a
// workload with many replicas, three stand for all.
func (m *Mesh) Workloads(c *Config, cluster string) (w []Workload, ok bool) {
	e, ok := c.endpoints[cluster]
	if !ok {
		return nil, false
	}
	for _, locality := range e.Endpoints {
		for _, lb := range locality.LbEndpoints {
			a := lb.GetEndpoint().GetAddress().GetSocketAddress()
			w = append(w, m.workloadAt(a.GetAddress(), a.GetPortValue()))
		}
	}
	slices.SortStableFunc(w, func(a, b Workload) int {
		return cmp.Or(strings.Compare(a.Namespace, b.Namespace), strings.Compare(a.Name, b.Name),
			strings.Compare(a.Address, b.Address), cmp.Compare(a.Port, b.Port))
	})
	return w, true
}

func (m *Mesh) workloadAt(address string, port uint32) Workload {
	found := Workload{Address: address, Port: port}
	if l := m.world.byAddress[address]; l != nil {
		found.Name, found.Namespace, found.Kind, found.Document = l.Name, l.Namespace, l.Kind, l.doc
		return found
	}
	if e := m.entries[address]; e != nil {
		found.Name, found.Namespace, found.Kind, found.Document = e.name, e.namespace, e.kind, e.doc
	}
	return found
}

// ClusterParts are the parts of one of Istio's cluster names,
// "outbound|8080|stable|order.default.svc.cluster.local".
type ClusterParts struct {
	Direction, Subset, Host string
	Port                    int
}

// ParseCluster reads one of Istio's cluster names; ok is false for others,
// such as PassthroughCluster and BlackHoleCluster.
func ParseCluster(name string) (p ClusterParts, ok bool) {
	parts := strings.Split(name, "|")
	if len(parts) != 4 {
		return ClusterParts{}, false
	}
	port, err := strconv.Atoi(parts[1])
	if err != nil {
		return ClusterParts{}, false
	}
	return ClusterParts{Direction: parts[0], Port: port, Subset: parts[2], Host: parts[3]}, true
}
