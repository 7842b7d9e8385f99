package compare

import (
	"fmt"
	"slices"
	"strings"

	"github.com/meshstorm/meshstorm/compare/routes"
	"github.com/meshstorm/meshstorm/istio"
)

// cluster describes what stands behind a cluster of a proxy.
func (m *mesh) cluster(c *istio.Config, name string) routes.Cluster {
	out := routes.Cluster{Name: name}
	if parts, ok := istio.ParseCluster(name); ok {
		out.Name = parts.Host
		if parts.Subset != "" {
			out.Name += "@" + parts.Subset
		}
		out.Name += fmt.Sprintf(":%d", parts.Port)
	}
	if c == nil {
		return out
	}
	proto := c.Cluster(name)
	if proto == nil {
		out.Missing = true
		return out
	}
	out.Policy = routes.PolicyOf(proto, m.policies)
	workloads, known := m.Workloads(c, name)
	out.Known = known
	for _, w := range workloads {
		out.Workloads = append(out.Workloads, workload(w))
	}
	slices.Sort(out.Workloads)
	out.Workloads = slices.Compact(out.Workloads)
	return out
}

// revisionLabels are those by which Istio tells versions of a workload apart
// (its canonical revision).
var revisionLabels = []string{"service.istio.io/canonical-revision", "app.kubernetes.io/version", "version"}

// workload names what stands for pods, never by an address that is made up.
func workload(w istio.Workload) string {
	if w.Kind == "" {
		return fmt.Sprintf("%s:%d", w.Address, w.Port)
	}
	name := fmt.Sprintf("%s/%s.%s:%d", strings.ToLower(w.Kind), w.Name, w.Namespace, w.Port)
	if w.Document == nil {
		return name
	}
	for _, where := range []string{"spec.template.metadata.labels", "metadata.labels", "spec.labels"} {
		for _, label := range revisionLabels {
			if n := w.Document.Get(where + "[" + label + "]"); n != nil {
				return name + " (" + label + "=" + n.Value + ")"
			}
		}
	}
	return name
}
