package analyze

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"istio.io/api/networking/v1alpha3"
	"istio.io/istio/pkg/config/analysis/analyzers/util"
	"istio.io/istio/pkg/config/analysis/diag"
	"istio.io/istio/pkg/config/resource"
	"istio.io/istio/pkg/config/schema/gvk"

	"github.com/meshstorm/meshstorm/check"
)

// entrance is a port that requests for a VirtualService come in on.
type entrance struct {
	port  int
	where string // a Gateway, or a host of the mesh
}

// judgeNoPort tells whether a destination that names none of its several ports
// fails. Istio's analyzer takes it for an error always; istiod uses the port
// that the request came in on (GetDestinationCluster in
// pilot/pkg/networking/core/route/route.go), so it works where the destination
// has all of these.
func (w *world) judgeNoPort(m diag.Message) check.Severity {
	if missing, known := w.portsMissing(m); known && len(missing) == 0 {
		return check.Info
	}
	return check.Error
}

// noPortText is the message of IST0112 with the ports that fail.
func (w *world) noPortText(m diag.Message) string {
	text := fmt.Sprintf("The destination %q names none of its ports %v", m.Parameters[0], m.Parameters[1])
	if missing, _ := w.portsMissing(m); len(missing) > 0 {
		var all []string
		for _, e := range missing {
			all = append(all, fmt.Sprintf("%d (%s)", e.port, e.where))
		}
		return text + ", and requests come in on port " + strings.Join(all, ", ")
	}
	return text
}

// portsMissing are the entrances whose port the destination does not have. It
// is not known where a Gateway or host of the VirtualService is not among the
// files.
func (w *world) portsMissing(m diag.Message) (missing []entrance, known bool) {
	vs, ok := m.Resource.Message.(*v1alpha3.VirtualService)
	if !ok {
		return nil, false
	}
	ports, _ := m.Parameters[1].([]int)
	all, known := w.entrances(m.Resource, vs)
	for _, e := range all {
		if !slices.Contains(ports, e.port) && !slices.Contains(missing, e) {
			missing = append(missing, e)
		}
	}
	return missing, known
}

func (w *world) entrances(r *resource.Instance, vs *v1alpha3.VirtualService) (all []entrance, known bool) {
	gateways := vs.GetGateways()
	if len(gateways) == 0 {
		gateways = []string{util.MeshGateway}
	}
	if len(vs.GetHosts()) == 0 {
		return nil, false // a delegate: its ports are those of its roots
	}
	known = true
	namespace := r.Metadata.FullName.Namespace
	for _, g := range gateways {
		if g == util.MeshGateway {
			continue
		}
		gateway := w.index[key{gvk.Gateway, resource.NewShortOrFullName(namespace, g)}]
		if gateway == nil {
			known = false
			continue
		}
		for _, s := range gateway.Message.(*v1alpha3.Gateway).GetServers() {
			all = append(all, entrance{int(s.GetPort().GetNumber()), "Gateway " + g})
		}
	}
	if slices.Contains(gateways, util.MeshGateway) {
		for _, h := range vs.GetHosts() {
			ports := w.portsOf(namespace, h)
			known = known && len(ports) > 0
			for _, p := range ports {
				all = append(all, entrance{p, "host " + h})
			}
		}
	}
	return all, known
}

// portsOf are the ports of the Service or ServiceEntry with a host.
func (w *world) portsOf(namespace resource.Namespace, host string) []int {
	var all []int
	if s := w.index[key{gvk.Service, util.GetResourceNameFromHost(namespace, host)}]; s != nil {
		for _, p := range s.Message.(*corev1.ServiceSpec).Ports {
			all = append(all, int(p.Port))
		}
	}
	for _, r := range w.objects[gvk.ServiceEntry] {
		if e := r.Message.(*v1alpha3.ServiceEntry); slices.Contains(e.GetHosts(), host) {
			for _, p := range e.GetPorts() {
				all = append(all, int(p.GetNumber()))
			}
		}
	}
	return all
}
