package check

import (
	"fmt"
	"slices"
	"strings"
)

// twoAPIs reports VirtualServices for a host that an HTTPRoute is for as well,
// inside the mesh (GAMMA) or at the same gateway pods. Istio's documentation of
// its Gateway API support calls the result undefined.
func (h *hosts) twoAPIs() {
	for _, r := range h.mesh.HTTPRoutes {
		for i, p := range r.Spec.ParentRefs {
			namespace := p.Namespace
			if namespace == "" {
				namespace = r.Namespace()
			}
			switch {
			case p.Kind == "Service" && (p.Group == nil || *p.Group == ""):
				h.besideService(r, i, p.Name+"."+namespace+".svc."+Domain)
			case (p.Kind == "" || p.Kind == "Gateway") && (p.Group == nil || *p.Group == "gateway.networking.k8s.io"):
				h.besideGateway(r, i, namespace, p.Name)
			}
		}
	}
}

func (h *hosts) besideService(r *HTTPRoute, parent int, host string) {
	for _, v := range h.mesh.VirtualServices {
		if v.InMesh() && len(v.Spec.GetHttp()) > 0 && slices.ContainsFunc(v.Hosts, func(own string) bool { return within(host, own) }) {
			h.twoAPIsFinding(r, parent, v, fmt.Sprintf("both for %s inside the mesh: Istio does not support that; today's sidecars follow the HTTPRoute, and the VirtualService has no effect", host))
			return
		}
	}
}

func (h *hosts) besideGateway(r *HTTPRoute, parent int, namespace, name string) {
	names := make([]string, 0, len(r.Spec.Hostnames))
	for _, n := range r.Spec.Hostnames {
		names = append(names, strings.ToLower(n))
	}
	if len(names) == 0 {
		names = []string{"*"}
	}
	for _, g := range h.mesh.Gateways {
		if !h.samePods(g, namespace, name) {
			continue
		}
		for _, v := range h.mesh.VirtualServices {
			if common := commonHosts(names, v.Spec.GetHosts()); slices.Contains(v.Gateways, g.Key()) && len(common) > 0 {
				h.twoAPIsFinding(r, parent, v, fmt.Sprintf("both for %s at the pods of %s: Istio does not support that; today their rules are put into one list, in an order that nothing defines", common[0], g.ID()))
				return
			}
		}
	}
}

// samePods tells whether one of Istio's Gateways is for the pods of a Gateway
// of the Gateway API: those that istiod makes for it have its name as a label.
func (h *hosts) samePods(g *Gateway, namespace, name string) bool {
	selector := g.Spec.GetSelector()
	return slices.ContainsFunc(h.mesh.KubeGateways, func(k *KubeGateway) bool {
		return k.Namespace() == namespace && k.Name() == name
	}) && (selector["gateway.networking.k8s.io/gateway-name"] == name || selector["istio.io/gateway-name"] == name)
}

func (h *hosts) twoAPIsFinding(r *HTTPRoute, parent int, v *VirtualService, what string) {
	f := r.Finding(CodeTwoAPIs, Error, fmt.Sprintf("spec.parentRefs[%d]", parent), fmt.Sprintf("this HTTPRoute and %s are %s", v.ID(), what))
	f.Fix = "move all rules for the host into one of the two, and remove the other"
	h.found = append(h.found, f)
}

// waypoints reports Services behind a waypoint that several VirtualServices
// are for. Where these have the very same host, IST0109 says so.
func (h *hosts) waypoints() {
	for _, s := range h.mesh.Services {
		waypoint := h.waypointOf(s)
		if waypoint == "" {
			continue
		}
		var first *VirtualService
		for _, v := range h.mesh.VirtualServices {
			if !v.InMesh() || len(v.Spec.GetHttp()) == 0 || v.Namespace() != s.Namespace() && v.Namespace() != waypoint ||
				!slices.ContainsFunc(v.Hosts, func(own string) bool { return within(s.Host, own) }) {
				continue
			}
			if first == nil {
				first = v
				continue
			}
			if slices.ContainsFunc(v.Hosts, func(own string) bool { return slices.Contains(first.Hosts, own) }) {
				continue
			}
			f := v.Finding(CodeWaypoint, Warning, "spec.hosts",
				fmt.Sprintf("Service %s/%s is behind a waypoint, and both this and %s are for its host: the waypoint puts the rules of the older one first; before Istio 1.31 it reads only that one",
					s.Namespace(), s.Name(), first.ID()))
			f.Fix = "put the rules of both into one VirtualService with the host " + s.Host
			h.found = append(h.found, f)
			break
		}
	}
}

// waypointOf is the namespace of the Service's waypoint, "" where it has none.
func (h *hosts) waypointOf(s *Service) string {
	const use = "istio.io/use-waypoint"
	name, namespace := s.text("metadata", "labels", use), s.text("metadata", "labels", use+"-namespace")
	if name == "" {
		l := h.mesh.NamespaceLabels(s.Namespace())
		name, namespace = l[use], l[use+"-namespace"]
	}
	switch {
	case name == "" || name == "none":
		return ""
	case namespace == "":
		return s.Namespace()
	}
	return namespace
}
