package check

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	networking "istio.io/api/networking/v1alpha3"
)

// virtualHost is one host at one port of a gateway's pods, with the
// VirtualServices whose rules istiod puts there (buildGatewayHTTPRouteConfig in
// pilot/pkg/networking/core/gateway.go).
type virtualHost struct {
	port    *gatewayPort
	host    string // lower case, may begin with "*"
	members []member
	has     map[*VirtualService]bool
}

// member is a VirtualService at a host, by the Gateway that brings it there.
type member struct {
	*VirtualService
	gateway *Gateway
}

// gatewayPort is what one list of virtual hosts belongs to: a plain port of
// all Gateways for the same pods, or one TLS server.
type gatewayPort struct {
	key    string
	number uint32
	tls    bool
	hosts  map[string]*virtualHost
}

// gatewayPorts are the HTTP ports of Istio's Gateways, in source order.
func (m *Mesh) gatewayPorts() []*gatewayPort {
	m.placing.Do(func() {
		bound := map[string][]*VirtualService{}
		for _, v := range m.VirtualServices {
			for _, g := range v.Gateways {
				bound[g] = append(bound[g], v)
			}
		}
		ports := map[string]*gatewayPort{}
		for _, g := range m.Gateways {
			for _, s := range g.Spec.GetServers() {
				if !servesHTTP(s) {
					continue
				}
				key := portKey(g, s)
				if ports[key] == nil {
					ports[key] = &gatewayPort{key: key, number: s.GetPort().GetNumber(), tls: s.GetTls() != nil, hosts: map[string]*virtualHost{}}
					m.ports = append(m.ports, ports[key])
				}
				ports[key].add(g, s, bound[g.Key()])
			}
		}
	})
	return m.ports
}

func portKey(g *Gateway, s *networking.Server) string {
	var selector []string
	for _, k := range slices.Sorted(maps.Keys(g.Spec.GetSelector())) {
		selector = append(selector, k+"="+g.Spec.GetSelector()[k])
	}
	key := fmt.Sprintf("%s %d", strings.Join(selector, ","), s.GetPort().GetNumber())
	if s.GetTls() != nil {
		key += " " + g.Key() + " " + s.GetPort().GetName()
	}
	return key
}

// servesHTTP tells whether HTTP rules decide about the server's requests: it is
// plain HTTP, or TLS ends there, and it does not send all of them to HTTPS.
func servesHTTP(s *networking.Server) bool {
	if s.GetTls().GetHttpsRedirect() {
		return false
	}
	switch strings.ToUpper(s.GetPort().GetProtocol()) {
	case "HTTP", "HTTP2", "GRPC", "GRPC-WEB":
		return true
	case "HTTPS":
		mode := s.GetTls().GetMode()
		return mode != networking.ServerTLSSettings_PASSTHROUGH && mode != networking.ServerTLSSettings_AUTO_PASSTHROUGH
	}
	return false
}

func (p *gatewayPort) add(g *Gateway, s *networking.Server, bound []*VirtualService) {
	for _, v := range bound {
		for _, host := range commonHosts(serverHosts(g, s, v.Namespace()), v.Spec.GetHosts()) {
			if p.hosts[host] == nil {
				p.hosts[host] = &virtualHost{port: p, host: host}
			}
			p.hosts[host].add(member{v, g})
		}
	}
}

// add takes a VirtualService once, though several servers may bring it here.
func (h *virtualHost) add(m member) {
	if h.has == nil {
		h.has = map[*VirtualService]bool{}
	}
	if !h.has[m.VirtualService] {
		h.has[m.VirtualService] = true
		h.members = append(h.members, m)
	}
}

// sorted are the port's virtual hosts by name.
func (p *gatewayPort) sorted() []*virtualHost {
	var all []*virtualHost
	for _, name := range slices.Sorted(maps.Keys(p.hosts)) {
		all = append(all, p.hosts[name])
	}
	return all
}

// serverHosts are the hosts of a server that are open to VirtualServices of a
// namespace.
func serverHosts(g *Gateway, s *networking.Server, namespace string) []string {
	return openHosts(s.GetHosts(), g.Namespace(), namespace)
}

// openHosts picks the hosts, written HOST, NAMESPACE/HOST, ./HOST or */HOST by
// a Gateway of a namespace, that are open to a VirtualService of another.
func openHosts(hosts []string, own, other string) []string {
	var all []string
	for _, h := range hosts {
		ns, host, ok := strings.Cut(h, "/")
		switch {
		case !ok:
			all = append(all, strings.ToLower(h))
		case ns == "*", ns == other, ns == "." && own == other:
			all = append(all, strings.ToLower(host))
		}
	}
	return all
}

// commonHosts are the hosts in both lists, the narrower one of two that
// overlap, without repetition.
func commonHosts(a, b []string) []string {
	var all []string
	for _, x := range a {
		for _, y := range b {
			y = strings.ToLower(y)
			switch {
			case within(x, y):
				all = append(all, x)
			case within(y, x):
				all = append(all, y)
			}
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// within tells whether each host of the pattern a is one of b.
func within(a, b string) bool {
	if suffix, ok := strings.CutPrefix(b, "*"); ok {
		return strings.HasSuffix(a, suffix) && len(strings.TrimPrefix(a, "*")) >= len(suffix)
	}
	return a == b
}
