package compare

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"

	"github.com/meshstorm/meshstorm/istio"
	"github.com/meshstorm/meshstorm/space"
)

// door is a way into a proxy: a port that clients connect to, and the routes
// that answer there.
type door struct {
	scheme string
	port   int
	names  []string // server names of TLS; none for all
	hosts  space.Strings
	routes *routev3.RouteConfiguration
}

// key is equal for doors of both sides that lead to the same routes.
func (d door) key(sidecar bool) string {
	k := d.scheme + "\x00" + strconv.Itoa(d.port) + "\x00" + strings.Join(d.names, "\x00")
	if sidecar {
		k += "\x00" + d.routes.GetName()
	}
	return k
}

// doors lists the ways into a proxy for HTTP requests. unknown says for which
// listeners nobody knows the port that clients connect to.
func doors(c *istio.Config) (all []door, unknown []string) {
	if c == nil {
		return nil, nil
	}
	routes := map[string]*routev3.RouteConfiguration{}
	for _, rc := range c.Routes {
		routes[rc.GetName()] = rc
	}
	ports := clientPorts(c)
	for _, l := range c.Listeners {
		if !takesClients(c, l) {
			continue
		}
		for i, chain := range l.GetFilterChains() {
			rc := routesOf(chain, routes)
			if rc == nil {
				continue
			}
			known, ok := ports[l.GetName()]
			if !ok {
				unknown = append(unknown, fmt.Sprintf("no port is known by which clients reach listener %s; its routes were not compared", l.GetName()))
				continue
			}
			for _, port := range known {
				d := door{scheme: "http", port: port, routes: rc, names: slices.Sorted(slices.Values(chain.GetFilterChainMatch().GetServerNames()))}
				if chain.GetTransportSocket() != nil {
					d.scheme = "https"
				}
				d.hosts = serverHosts(l, i)
				if !slices.ContainsFunc(all, func(o door) bool { return o.key(true) == d.key(true) }) {
					all = append(all, d)
				}
			}
		}
	}
	return all, unknown
}

// takesClients leaves out listeners for probes and metrics, and of sidecars all
// that is not for the workload's own requests.
func takesClients(c *istio.Config, l *listenerv3.Listener) bool {
	switch l.GetAddress().GetSocketAddress().GetPortValue() {
	case 15001, 15006, 15021, 15090:
		return false
	}
	return c.Proxy.Kind == istio.Gateway || l.GetTrafficDirection() == corev3.TrafficDirection_OUTBOUND
}

func routesOf(chain *listenerv3.FilterChain, by map[string]*routev3.RouteConfiguration) *routev3.RouteConfiguration {
	for _, f := range chain.GetFilters() {
		h := &hcmv3.HttpConnectionManager{}
		if !f.GetTypedConfig().MessageIs(h) || f.GetTypedConfig().UnmarshalTo(h) != nil {
			continue
		}
		if name := h.GetRds().GetRouteConfigName(); name != "" {
			return by[name]
		}
		return h.GetRouteConfig()
	}
	return nil
}

// clientPorts are the ports by which clients reach listeners, by the listener's
// name. A gateway's pods listen on other ports than its Service exposes.
func clientPorts(c *istio.Config) map[string][]int {
	ports := map[string][]int{}
	if c.Proxy.Kind == istio.Sidecar {
		for _, l := range c.Listeners {
			ports[l.GetName()] = []int{int(l.GetAddress().GetSocketAddress().GetPortValue())}
		}
		return ports
	}
	for _, port := range c.Ports() {
		for _, scheme := range []string{"http", "https"} {
			e := c.Entry(istio.Target{Scheme: scheme, Host: "a.example", Port: port})
			if name := e.Listener.GetName(); name != "" && !slices.Contains(ports[name], port) {
				ports[name] = append(ports[name], port)
			}
		}
	}
	return ports
}

// serverHosts are the authorities that come with the server names of a filter
// chain: the most specific chain takes a connection.
func serverHosts(l *listenerv3.Listener, chain int) space.Strings {
	own := l.GetFilterChains()[chain].GetFilterChainMatch().GetServerNames()
	if len(own) == 0 && l.GetFilterChains()[chain].GetTransportSocket() == nil {
		return space.Any()
	}
	if len(own) == 0 {
		own = []string{"*"}
	}
	hosts := space.None()
	for _, name := range own {
		s := named(name)
		if strings.HasPrefix(name, "*") {
			for i, other := range l.GetFilterChains() {
				for _, o := range other.GetFilterChainMatch().GetServerNames() {
					if i != chain && covers(name, o) {
						s = s.Minus(named(o))
					}
				}
			}
		}
		hosts = hosts.Or(s)
	}
	return hosts
}

// covers tells whether a wildcard takes names that another server name, which is
// more specific, takes first.
func covers(wildcard, name string) bool {
	return name != wildcard && strings.HasSuffix(strings.TrimPrefix(name, "*"), wildcard[1:])
}

// named are the authorities of a server name, with and without a port.
func named(name string) space.Strings {
	name = strings.ToLower(name)
	if name == "*" {
		return space.Present()
	}
	if tail, ok := strings.CutPrefix(name, "*"); ok {
		plain := space.Suffix(tail, false)
		if s, err := space.Regexp(`.+` + strings.ReplaceAll(tail, ".", `\.`) + `:[0-9]+`); err == nil {
			return plain.Or(s)
		}
		return plain
	}
	return space.OneOf(name).Or(space.Prefix(name+":", false))
}

// way is a door on both sides, nil where a side has none, for some hosts.
type way struct {
	a, b  *door
	hosts space.Strings
}

func (w way) door() *door {
	if w.a != nil {
		return w.a
	}
	return w.b
}

// ways pairs doors by the hosts that they have in common. Of a sidecar, doors
// with the same route configuration belong together.
func ways(a, b []door, sidecar bool) []way {
	var all []way
	leftB := make([]space.Strings, len(b))
	at := map[string]int{}
	for j, d := range b {
		leftB[j] = d.hosts
		at[d.key(sidecar)] = j
	}
	for i := range a {
		// By far the most usual: the same door on both sides.
		if j, ok := at[a[i].key(sidecar)]; ok && (sidecar || leftB[j].Within(a[i].hosts) && a[i].hosts.Within(leftB[j])) {
			all = append(all, way{&a[i], &b[j], a[i].hosts})
			leftB[j] = space.None()
			continue
		}
		left := a[i].hosts
		for j := range b {
			if sidecar || a[i].scheme != b[j].scheme || a[i].port != b[j].port {
				continue
			}
			if both := left.And(leftB[j]); !both.IsEmpty() {
				all = append(all, way{&a[i], &b[j], both})
				left, leftB[j] = left.Minus(both), leftB[j].Minus(both)
			}
		}
		if !left.IsEmpty() {
			all = append(all, way{a: &a[i], hosts: left})
		}
	}
	for j := range b {
		if !leftB[j].IsEmpty() {
			all = append(all, way{b: &b[j], hosts: leftB[j]})
		}
	}
	return all
}
