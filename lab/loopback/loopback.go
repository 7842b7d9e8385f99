// Package loopback is how the lab lives on one machine without a network of its
// own: the API speaks of pod IPs in 10.244.0.0/16, the sockets are on loopback.
// 10.244.a.b is bound as 127.244.a.b; where a sidecar owns that address, the
// application listens on its twin, 127.245.a.b. The second octets can be others,
// so that two labs fit on one machine.
package loopback

import (
	"fmt"
	"net/netip"
)

// Net maps pod IPs to loopback addresses.
type Net struct {
	Pod  byte `json:"pod"`  // second octet of what stands for pod IPs: 244 in 127.244.a.b
	Twin byte `json:"twin"` // second octet of the applications behind sidecars: 245
}

// Default is 127.244.0.0/16 and 127.245.0.0/16.
var Default = Net{Pod: 244, Twin: 245}

// PodCIDR holds every pod IP and the node's own, 10.244.0.1.
var PodCIDR = netip.MustParsePrefix("10.244.0.0/16")

// ServiceCIDR holds every ClusterIP.
var ServiceCIDR = netip.MustParsePrefix("10.96.0.0/16")

// NodeIP is the address of the only node.
var NodeIP = netip.MustParseAddr("10.244.0.1")

// Bind is the loopback address that stands for a pod IP. Any other address is
// given back as it is.
func (n Net) Bind(ip netip.Addr) netip.Addr { return swap(ip, 10, 244, 127, n.Pod) }

// TwinOf is the loopback address on which the application behind a sidecar
// listens.
func (n Net) TwinOf(ip netip.Addr) netip.Addr { return swap(ip, 10, 244, 127, n.Twin) }

// PodIP is the pod IP that a loopback address stands for, and whether it stands
// for one.
func (n Net) PodIP(bound netip.Addr) (netip.Addr, bool) {
	bound = bound.Unmap()
	for _, second := range []byte{n.Pod, n.Twin} {
		if ip := swap(bound, 127, second, 10, 244); ip != bound {
			return ip, true
		}
	}
	return bound, false
}

// BindPort is Bind for an address with a port, "10.244.0.7:8080".
func (n Net) BindPort(hostport string) (string, error) {
	ap, err := netip.ParseAddrPort(hostport)
	if err != nil {
		return "", fmt.Errorf("%q is not IP:PORT", hostport)
	}
	return netip.AddrPortFrom(n.Bind(ap.Addr()), ap.Port()).String(), nil
}

func swap(ip netip.Addr, from, from2, to, to2 byte) netip.Addr {
	ip = ip.Unmap()
	if !ip.Is4() {
		return ip
	}
	b := ip.As4()
	if b[0] != from || b[1] != from2 {
		return ip
	}
	b[0], b[1] = to, to2
	return netip.AddrFrom4(b)
}
