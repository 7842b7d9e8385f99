package check

import (
	"context"
	"fmt"
	"slices"
)

// CodeEscape is the code of gateway routes that pass a host's subsets by.
const CodeEscape = "MS0509"

// Escapes looks for gateway traffic that the rules inside the mesh do not
// touch: a gateway's pods apply a VirtualService only where it is bound to the
// gateway, and send the rest to all pods of the host.
func Escapes() Rule {
	return Rule{
		Codes: []string{CodeEscape},
		Name:  "gateway-past-subsets",
		Doc:   "A gateway sends requests to a host without a subset, while the host's own rules split them into subsets.",
		Rows: []Row{{Code: CodeEscape, Severity: "warning",
			Means: "a gateway's route names no subset, so the weights and subsets that the host has inside the mesh do not apply to it (where both write the host alike, Istio says so: IST0140)",
			Todo:  "repeat the subsets and weights in the gateway's route"}},
		Run: func(_ context.Context, in *Input) []Finding {
			m := in.Mesh()
			split := splitters(m)
			var found []Finding
			for _, v := range m.VirtualServices {
				if !slices.ContainsFunc(v.Gateways, func(g string) bool { return g != MeshGateway }) {
					continue
				}
				found = append(found, escapes(v, split)...)
			}
			return found
		},
	}
}

// splitters are the VirtualServices by the hosts that they send to subsets of
// for callers inside the mesh.
func splitters(m *Mesh) map[string][]*VirtualService {
	split := map[string][]*VirtualService{}
	for _, v := range m.VirtualServices {
		if !v.InMesh() {
			continue
		}
		for _, rule := range v.Spec.GetHttp() {
			for _, r := range rule.GetRoute() {
				host := ResolveHost(r.GetDestination().GetHost(), v.Namespace())
				if r.GetDestination().GetSubset() != "" && slices.Contains(v.Hosts, host) && !slices.Contains(split[host], v) {
					split[host] = append(split[host], v)
				}
			}
		}
	}
	return split
}

func escapes(v *VirtualService, split map[string][]*VirtualService) []Finding {
	var found []Finding
	for i, rule := range v.Spec.GetHttp() {
		for j, r := range rule.GetRoute() {
			d := r.GetDestination()
			others := split[ResolveHost(d.GetHost(), v.Namespace())]
			if d.GetSubset() != "" || len(others) == 0 || slices.ContainsFunc(others, func(o *VirtualService) bool { return o == v || istioTells(d.GetHost(), o) }) {
				continue
			}
			f := v.Finding(CodeEscape, Warning, fmt.Sprintf("spec.http[%d].route[%d].destination", i, j),
				fmt.Sprintf("requests through the gateway go to all pods of %s: the subsets that %s chooses apply only inside the mesh", d.GetHost(), others[0].ID()))
			f.Fix = fmt.Sprintf("repeat the subsets and weights of %s here", others[0].ID())
			found = append(found, f)
		}
	}
	return found
}

// istioTells tells whether Istio's analyzer reports IST0140 for a destination:
// it compares the hosts as written.
func istioTells(host string, splitter *VirtualService) bool {
	if !slices.Contains(splitter.Spec.GetHosts(), host) {
		return false
	}
	for _, rule := range splitter.Spec.GetHttp() {
		for _, r := range rule.GetRoute() {
			if r.GetDestination().GetSubset() != "" && r.GetDestination().GetHost() == host {
				return true
			}
		}
	}
	return false
}
