package upstream

import (
	"net/netip"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
)

// assign takes over a load assignment, or what the DNS says anew: hosts that
// were there stay as they are, those that are gone are drained.
func (c *Cluster) assign(cla *endpointv3.ClusterLoadAssignment) {
	c.mu.Lock()
	c.load = cla
	gone := c.assignLocked()
	c.mu.Unlock()
	c.rebuild()
	for _, h := range gone {
		h.drain()
	}
}

func (c *Cluster) assignLocked() (gone []*Host) {
	a := &assignment{overprovisioning: orDefault(c.load.GetPolicy().GetOverprovisioningFactor(), defaultOverprovisioning)}
	next := map[string]*Host{}
	for _, group := range c.load.GetEndpoints() {
		for int(group.GetPriority()) >= len(a.priorities) {
			a.priorities = append(a.priorities, nil)
		}
		l := locality{weight: orDefault(group.GetLoadBalancingWeight(), 0)}
		for _, ep := range group.GetLbEndpoints() {
			for _, place := range c.places(ep) {
				if _, twice := next[place.key]; twice {
					continue // Envoy: an address counts once in a cluster
				}
				h := c.host(place, ep, group)
				next[place.key] = h
				l.endpoints = append(l.endpoints, endpoint{h, max(1, orDefault(ep.GetLoadBalancingWeight(), 1)), healthOf(ep.GetHealthStatus())})
			}
		}
		p := group.GetPriority()
		a.priorities[p] = append(a.priorities[p], l)
	}
	for key, h := range c.byKey {
		if next[key] != h {
			gone = append(gone, h)
		}
	}
	c.byKey, c.assigned = next, a
	hosts := make([]*Host, 0, len(next))
	for _, levels := range a.priorities {
		for _, l := range levels {
			for _, e := range l.endpoints {
				hosts = append(hosts, e.host)
			}
		}
	}
	c.hosts.Store(&hosts)
	return gone
}

// place is where an endpoint is.
type place struct {
	key      string
	address  netip.AddrPort
	hostname string
}

// places are an endpoint's addresses: one, or as many as its name has.
func (c *Cluster) places(ep *endpointv3.LbEndpoint) []place {
	socket := ep.GetEndpoint().GetAddress().GetSocketAddress()
	if socket == nil {
		c.owner.options.Log.Warn("unsupported: an endpoint that is no socket address", "cluster", c.name, "endpoint", ep.GetEndpoint().GetAddress().String())
		return nil
	}
	port := uint16(socket.GetPortValue())
	hostname := ep.GetEndpoint().GetHostname()
	if ip, err := netip.ParseAddr(socket.GetAddress()); err == nil {
		at := netip.AddrPortFrom(ip.Unmap(), port)
		return []place{{at.String(), at, hostname}}
	}
	if hostname == "" {
		hostname = socket.GetAddress()
	}
	ips := c.resolved[socket.GetAddress()]
	if c.proto.GetType() == clusterv3.Cluster_LOGICAL_DNS {
		if len(ips) == 0 {
			return nil
		}
		name := socket.GetAddress() + ":" + netip.AddrPortFrom(netip.IPv4Unspecified(), port).String()
		return []place{{name, netip.AddrPortFrom(ips[0], port), hostname}}
	}
	var all []place
	for _, ip := range ips {
		at := netip.AddrPortFrom(ip, port)
		all = append(all, place{at.String(), at, hostname})
	}
	return all
}

// host is the host at a place, the one that was there if there was one. A host
// whose transport socket changes begins anew, so that no connection made under
// other rules is used.
func (c *Cluster) host(p place, ep *endpointv3.LbEndpoint, group *endpointv3.LocalityLbEndpoints) *Host {
	match := matchMetadata(ep.GetMetadata())
	if match == nil {
		match = matchMetadata(group.GetMetadata())
	}
	info := &about{
		address: p.address, hostname: p.hostname,
		metadata: istioMetadata(ep.GetMetadata()),
		hashKey:  metadataString(ep.GetMetadata(), "envoy.lb", "hash_key"),
		socket:   c.sockets.match(match),
	}
	if h := c.byKey[p.key]; h != nil && h.about.Load().socket == info.socket {
		h.about.Store(info)
		return h
	}
	return c.newHost(info)
}

func (c *Cluster) newHost(info *about) *Host {
	h := &Host{cluster: c, created: c.owner.options.Now()}
	h.about.Store(info)
	return h
}

// healthOf is the health that the control plane gives (Envoy docs,
// "HealthStatus"): a draining endpoint gets no new requests.
func healthOf(s corev3.HealthStatus) health {
	switch s {
	case corev3.HealthStatus_UNKNOWN, corev3.HealthStatus_HEALTHY:
		return healthy
	case corev3.HealthStatus_DEGRADED:
		return degraded
	}
	return unhealthy
}
