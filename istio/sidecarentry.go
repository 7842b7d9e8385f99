package istio

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"

	meshv1 "istio.io/api/mesh/v1alpha1"
	networking "istio.io/api/networking/v1alpha3"
	"istio.io/istio/pilot/pkg/model"
	"istio.io/istio/pkg/config/host"
)

func (c *Config) sidecarEntry(t Target) Entry {
	s := c.service(t.Host)
	if l := c.outbound(s, t); l != nil {
		e := c.chainEntry(l, t)
		if e.Why != "" && s == nil && e.Routes == nil && e.Cluster == "" {
			return c.unknownEntry(t)
		}
		return e
	}
	if s != nil {
		e := c.unknownEntry(t)
		e.Why = fmt.Sprintf("service %s has no port %d that is sent to %s (it has %s): %s", s.Hostname, t.Port, c.Proxy, ports(s), e.Why)
		return e
	}
	return c.unknownEntry(t)
}

// service is the service that a host name means to this proxy.
func (c *Config) service(name string) *model.Service {
	domain := c.proxy.DNSDomain // NAMESPACE.svc.DOMAIN
	_, suffix, _ := strings.Cut(domain, ".")
	_, root, _ := strings.Cut(suffix, ".")
	for _, full := range []string{name, name + "." + domain, name + "." + suffix, name + "." + root} {
		if s := c.index.services[host.Name(full)]; s != nil {
			return s
		}
	}
	for _, s := range c.index.wildcards {
		if host.Name(name).SubsetOf(s.Hostname) {
			return s
		}
	}
	return nil
}

// outbound is the listener that a connection to a service's address, or to an
// address that nobody knows, reaches.
func (c *Config) outbound(s *model.Service, t Target) *listenerv3.Listener {
	var vips []string
	if s != nil {
		vips = s.GetAllAddressesForProxy(c.proxy)
	} else if a, err := netip.ParseAddr(t.Host); err == nil {
		vips = []string{a.String()}
	}
	for _, vip := range append(vips, "0.0.0.0", "::") {
		if l := c.index.listeners[netip.AddrPortFrom(address(vip), uint16(t.Port))]; l != nil {
			return l
		}
	}
	return nil
}

// unknownEntry is what a sidecar does with a destination that it does not
// know.
func (c *Config) unknownEntry(t Target) Entry {
	l := c.index.virtual
	closed := c.plane.push.Mesh.GetOutboundTrafficPolicy().GetMode() == meshv1.MeshConfig_OutboundTrafficPolicy_REGISTRY_ONLY
	if p := c.proxy.SidecarScope.OutboundTrafficPolicy; p != nil {
		closed = p.Mode == networking.OutboundTrafficPolicy_REGISTRY_ONLY
	}
	if closed {
		return Entry{Listener: l, Cluster: "BlackHoleCluster", Why: fmt.Sprintf(
			"%s knows nothing on %s:%d, and the outbound traffic policy is REGISTRY_ONLY: the connection is closed (BlackHoleCluster); a ServiceEntry would make the host known",
			c.Proxy, t.Host, t.Port)}
	}
	return Entry{Listener: l, Cluster: "PassthroughCluster", Why: fmt.Sprintf(
		"%s knows nothing on %s:%d, and the outbound traffic policy is ALLOW_ANY: the connection goes where the client wants, untouched (PassthroughCluster)",
		c.Proxy, t.Host, t.Port)}
}

func ports(s *model.Service) string {
	var all []string
	for _, p := range s.Ports {
		all = append(all, fmt.Sprintf("%d %s", p.Port, p.Protocol))
	}
	if len(all) == 0 {
		return "none"
	}
	return strings.Join(all, ", ")
}

// Names are the host names by which a sidecar's workload reaches an outbound
// listener that is bound to an address of its own, sorted: full names, which
// may end in a dot, short ones, and wildcards of ServiceEntries. They are nil for a listener that takes
// connections to any address.
func (c *Config) Names(l *listenerv3.Listener) []string {
	at := l.GetAddress().GetSocketAddress()
	if a := address(at.GetAddress()); !a.IsValid() || a.IsUnspecified() {
		return nil
	}
	target := Target{Scheme: "http", Port: int(at.GetPortValue())}
	_, suffix, _ := strings.Cut(c.proxy.DNSDomain, ".")
	_, root, _ := strings.Cut(suffix, ".")
	var all []string
	for _, s := range c.proxy.SidecarScope.Services() {
		if c.outbound(s, target) != l {
			continue
		}
		all = append(all, s.Hostname.String(), s.Hostname.String()+".")
		for _, end := range []string{c.proxy.DNSDomain, suffix, root} {
			if short, ok := strings.CutSuffix(s.Hostname.String(), "."+end); ok && short != "" {
				all = append(all, short)
			}
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}
