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
	// own are the names by which a sidecar's workload gets here, where the
	// listener is bound to an address; none where it takes any address.
	own space.Strings
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
				d := door{scheme: "http", port: port, routes: rc, own: ownNames(c, l), names: slices.Sorted(slices.Values(chain.GetFilterChainMatch().GetServerNames()))}
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

func ownNames(c *istio.Config, l *listenerv3.Listener) space.Strings {
	own := space.None()
	if c.Proxy.Kind == istio.Sidecar {
		for _, name := range c.Names(l) {
			own = own.Or(named(name))
		}
	}
	return own
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
