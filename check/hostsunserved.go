package check

import (
	"fmt"
	"slices"
	"strings"
)

// unserved reports hosts of Gateways that no VirtualService is for. That a
// VirtualService has no host of its Gateway is IST0132.
func (h *hosts) unserved() {
	if len(h.mesh.VirtualServices) == 0 {
		return // the Gateways are shown alone
	}
	bound := map[string][]*VirtualService{}
	for _, v := range h.mesh.VirtualServices {
		for _, g := range v.Gateways {
			bound[g] = append(bound[g], v)
		}
	}
	for _, g := range h.mesh.Gateways {
		h.unservedOf(g, bound[g.Key()])
	}
}

func (h *hosts) unservedOf(g *Gateway, bound []*VirtualService) {
	told := map[string]bool{}
	for i, s := range g.Spec.GetServers() {
		if !servesHTTP(s) {
			continue
		}
		for j, host := range s.GetHosts() {
			if told[host] || slices.ContainsFunc(bound, func(v *VirtualService) bool { return serves(g, v, host) }) {
				continue
			}
			told[host] = true
			severity, fix := Warning, "bind a VirtualService with this host to the gateway, or remove the host"
			if v := h.forgotten(g, host); v != nil {
				fix = fmt.Sprintf("%s has the host and is not bound to this gateway: add it to its spec.gateways as %s", v.ID(), g.Key())
			} else if len(bound) == 0 {
				severity = Info // they may be in files of somebody else
			}
			_, name, ok := strings.Cut(host, "/")
			if !ok {
				name = host
			}
			f := g.Finding(CodeUnservedHost, severity, fmt.Sprintf("spec.servers[%d].hosts[%d]", i, j),
				fmt.Sprintf("no VirtualService is for host %s of this gateway, so the gateway answers 404 to all its requests", host))
			f.Fix = fix
			scheme, port := urlPort(s.GetPort().GetNumber(), s.GetTls() != nil)
			f.Witness = "GET " + scheme + "://" + outsideHost(strings.ToLower(name)) + port + "/"
			h.found = append(h.found, f)
		}
	}
}

// serves tells whether a VirtualService has a host in common with one of a
// server, as the Gateway writes it.
func serves(g *Gateway, v *VirtualService, host string) bool {
	open := openHosts([]string{host}, g.Namespace(), v.Namespace())
	return len(open) > 0 && len(commonHosts(open, v.Spec.GetHosts())) > 0
}

// forgotten is a VirtualService for precisely this host that names no gateway.
func (h *hosts) forgotten(g *Gateway, host string) *VirtualService {
	for _, v := range h.mesh.VirtualServices {
		if len(v.Spec.GetGateways()) == 0 && slices.ContainsFunc(openHosts([]string{host}, g.Namespace(), v.Namespace()), func(open string) bool {
			return open != "*" && slices.ContainsFunc(v.Spec.GetHosts(), func(own string) bool { return within(strings.ToLower(own), open) })
		}) {
			return v
		}
	}
	return nil
}
