package istio

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	tcpv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/tcp_proxy/v3"
)

// Target is the way a request takes into a proxy.
type Target struct {
	Scheme string // http or https
	Host   string // without port; the SNI for https
	Port   int    // the port that the client connects to (a gateway's Service port, or the called service's port)
}

// Entry is the route configuration that answers on a target.
type Entry struct {
	Listener *listenerv3.Listener
	Routes   *routev3.RouteConfiguration // nil where the target is no HTTP
	// Why says in words why there is no route configuration: no listener on the
	// port, TLS without a matching server, TCP.
	Why string
	// Cluster is where the connection goes where it is no HTTP to this proxy:
	// TCP, TLS that is passed through, PassthroughCluster, BlackHoleCluster; ""
	// where it goes nowhere.
	Cluster string
}

// Entry finds the listener, its filter chain and the route configuration for a
// target, as Envoy does: for a gateway the Service's port leads to a port of
// the pod, for a sidecar the called service's address to the most specific
// outbound listener.
func (c *Config) Entry(t Target) Entry {
	t.Host = strings.ToLower(strings.TrimSuffix(t.Host, "."))
	if c.Proxy.Kind == Gateway {
		return c.gatewayEntry(t)
	}
	return c.sidecarEntry(t)
}

func (c *Config) gatewayEntry(t Target) Entry {
	target, why := c.podPort(t.Port)
	l := c.listenerAt(target)
	switch {
	case why != "" && l != nil:
		return Entry{Listener: l, Why: why + fmt.Sprintf("; the gateway's pods do listen on %d", target)}
	case why != "":
		return Entry{Why: why}
	case l == nil:
		return Entry{Why: fmt.Sprintf("%s has no listener on port %d (port %d of its pods): no Gateway with a server on that port selects it%s",
			c.Proxy, t.Port, target, c.openPorts())}
	}
	return c.chainEntry(l, t)
}

// Ports are the ports by which clients reach a gateway: those that its Services
// expose, sorted; the pods' own where it has no Service.
func (c *Config) Ports() []int {
	var ports []int
	for _, s := range c.proxy.ServiceTargets {
		ports = append(ports, s.Port.Port)
	}
	if len(ports) == 0 {
		for _, l := range c.Listeners {
			ports = append(ports, int(l.GetAddress().GetSocketAddress().GetPortValue()))
		}
	}
	slices.Sort(ports)
	return slices.Compact(ports)
}

// podPort is the port of a gateway's pods behind a port of its Services.
func (c *Config) podPort(number int) (target uint32, why string) {
	for _, s := range c.proxy.ServiceTargets {
		if s.Port.Port == number {
			return s.Port.TargetPort, ""
		}
	}
	if len(c.proxy.ServiceTargets) == 0 {
		// No Service at all: clients can only reach the pods themselves.
		return uint32(number), ""
	}
	var exposed []string
	for _, p := range c.Ports() {
		exposed = append(exposed, strconv.Itoa(p))
	}
	return uint32(number), fmt.Sprintf("the Service of %s does not expose port %d (it exposes %s): add the port to the Service, or use one of these",
		c.Proxy, number, strings.Join(exposed, ", "))
}

// listenerAt finds a gateway's listener by its port.
func (c *Config) listenerAt(port uint32) *listenerv3.Listener {
	for _, l := range c.Listeners {
		a := l.GetAddress().GetSocketAddress()
		if a.GetPortValue() == port && a.GetProtocol() == 0 && !internalListener(l) {
			return l
		}
	}
	return nil
}

// internalListener tells listeners for probes and metrics.
func internalListener(l *listenerv3.Listener) bool {
	p := l.GetAddress().GetSocketAddress().GetPortValue()
	return p == 15021 || p == 15090
}

// openPorts lists the ports that a gateway does answer on, as clients see
// them.
func (c *Config) openPorts() string {
	var ports []string
	seen := map[int]bool{}
	for _, s := range c.proxy.ServiceTargets {
		if !seen[s.Port.Port] && c.listenerAt(s.Port.TargetPort) != nil {
			seen[s.Port.Port] = true
			ports = append(ports, strconv.Itoa(s.Port.Port))
		}
	}
	if len(ports) == 0 {
		return ""
	}
	return "; it answers on " + strings.Join(ports, ", ")
}

// chainEntry chooses a filter chain as Envoy does for a connection with this
// scheme and server name.
func (c *Config) chainEntry(l *listenerv3.Listener, t Target) Entry {
	secure := t.Scheme == "https"
	chain, wrong := c.chooseChain(l, t)
	if chain == nil {
		switch {
		case !secure && wrong:
			return Entry{Listener: l, Why: fmt.Sprintf("%s expects TLS on port %d: the connection is closed; ask with https", c.Proxy, t.Port)}
		case secure && wrong:
			return Entry{Listener: l, Why: fmt.Sprintf("%s speaks plain HTTP on port %d, the TLS handshake fails; ask with http", c.Proxy, t.Port)}
		}
		return Entry{Listener: l, Why: fmt.Sprintf("no server on port %d of %s takes the name %q: the TLS connection is closed%s",
			t.Port, c.Proxy, t.Host, serverNames(l))}
	}
	h := c.index.manager(chain)
	if h == nil {
		return c.tcpEntry(l, chain, t)
	}
	if name := routeName(h); name != "" {
		if rc := c.routes[name]; rc != nil {
			return Entry{Listener: l, Routes: rc}
		}
		return Entry{Listener: l, Why: fmt.Sprintf("istiod sends no route configuration %q", name)}
	}
	if rc := h.GetRouteConfig(); rc != nil {
		return Entry{Listener: l, Routes: rc}
	}
	return Entry{Listener: l, Why: "the listener takes its routes from somewhere that is not known here"}
}

func (c *Config) tcpEntry(l *listenerv3.Listener, chain *listenerv3.FilterChain, t Target) Entry {
	for _, f := range chain.Filters {
		p := &tcpv3.TcpProxy{}
		if !f.GetTypedConfig().MessageIs(p) || f.GetTypedConfig().UnmarshalTo(p) != nil {
			continue
		}
		cluster := p.GetCluster()
		if w := p.GetWeightedClusters().GetClusters(); len(w) > 0 {
			cluster = w[0].Name
		}
		what := "TCP"
		if t.Scheme == "https" {
			what = "TLS, passed through as it is"
		}
		return Entry{Listener: l, Cluster: cluster, Why: fmt.Sprintf("port %d is %s for %s: no HTTP routes apply, the connection goes to %s",
			t.Port, what, c.Proxy, cluster)}
	}
	return Entry{Listener: l, Why: fmt.Sprintf("port %d is no HTTP for %s", t.Port, c.Proxy)}
}

// chooseChain follows FilterChainMatch: the most specific server name wins.
// wrong tells that the listener speaks TLS where the client does not, or the
// other way round.
func (c *Config) chooseChain(l *listenerv3.Listener, t Target) (chain *listenerv3.FilterChain, wrong bool) {
	secure := t.Scheme == "https"
	best := -1
	for _, fc := range l.FilterChains {
		m := fc.GetFilterChainMatch()
		if p := m.GetDestinationPort(); p != nil && int(p.Value) != t.Port {
			continue
		}
		speaksTLS := fc.TransportSocket != nil || len(m.GetServerNames()) > 0 || m.GetTransportProtocol() == "tls"
		if speaksTLS != secure && !c.plainTCP(fc, secure) {
			wrong = true
			continue
		}
		score := nameScore(m.GetServerNames(), t.Host)
		if score < 0 {
			continue
		}
		// Of the chains that istiod makes for a sniffed port, HTTP has one with
		// application protocols and everything else one without.
		if len(m.GetApplicationProtocols()) > 0 {
			if !secure && !slices.Contains(m.ApplicationProtocols, "http/1.1") {
				continue
			}
			score++
		}
		if score > best {
			best, chain = score, fc
		}
	}
	if chain == nil && l.DefaultFilterChain != nil {
		return l.DefaultFilterChain, false
	}
	return chain, wrong
}

// plainTCP tells a chain that takes TLS as bytes like any others.
func (c *Config) plainTCP(fc *listenerv3.FilterChain, secure bool) bool {
	return secure && fc.TransportSocket == nil && c.index.manager(fc) == nil
}

// nameScore is -1 where no server name fits; longer names fit better.
func nameScore(names []string, sni string) int {
	if len(names) == 0 {
		return 0
	}
	best := -1
	for _, n := range names {
		switch {
		case n == sni:
			best = max(best, 100000)
		case n == "*":
			best = max(best, 1)
		case strings.HasPrefix(n, "*.") && strings.HasSuffix(sni, n[1:]):
			best = max(best, 10*len(n))
		}
	}
	return best
}

func serverNames(l *listenerv3.Listener) string {
	var names []string
	for _, fc := range l.FilterChains {
		names = append(names, fc.GetFilterChainMatch().GetServerNames()...)
	}
	if len(names) == 0 {
		return ""
	}
	slices.Sort(names)
	return "; it has servers for " + strings.Join(slices.Compact(names), ", ")
}
