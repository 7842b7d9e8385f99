package istio

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	tcpv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/tcp_proxy/v3"

	meshv1 "istio.io/api/mesh/v1alpha1"
	networking "istio.io/api/networking/v1alpha3"
	"istio.io/istio/pilot/pkg/model"
	"istio.io/istio/pkg/config/host"
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

// podPort is the port of a gateway's pods behind a port of its Services.
func (c *Config) podPort(number int) (target uint32, why string) {
	var exposed []string
	seen := map[int]bool{}
	for _, s := range c.proxy.ServiceTargets {
		if s.Port.Port == number {
			return s.Port.TargetPort, ""
		}
		if !seen[s.Port.Port] {
			seen[s.Port.Port] = true
			exposed = append(exposed, strconv.Itoa(s.Port.Port))
		}
	}
	if len(exposed) == 0 {
		// No Service at all: clients can only reach the pods themselves.
		return uint32(number), ""
	}
	slices.SortFunc(exposed, func(a, b string) int { x, _ := strconv.Atoi(a); y, _ := strconv.Atoi(b); return x - y })
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
	chain, wrong := chooseChain(l, t)
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
	h := manager(chain)
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
func chooseChain(l *listenerv3.Listener, t Target) (chain *listenerv3.FilterChain, wrong bool) {
	secure := t.Scheme == "https"
	best := -1
	for _, fc := range l.FilterChains {
		m := fc.GetFilterChainMatch()
		if p := m.GetDestinationPort(); p != nil && int(p.Value) != t.Port {
			continue
		}
		speaksTLS := fc.TransportSocket != nil || len(m.GetServerNames()) > 0 || m.GetTransportProtocol() == "tls"
		if speaksTLS != secure && !plainTCP(fc, secure) {
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
func plainTCP(fc *listenerv3.FilterChain, secure bool) bool {
	return secure && fc.TransportSocket == nil && manager(fc) == nil
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

func (c *Config) sidecarEntry(t Target) Entry {
	s := c.service(t.Host)
	if s == nil && !strings.Contains(t.Host, "*") {
		s = nil
	}
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
	scope, push := c.proxy.SidecarScope, c.plane.push
	domain := c.proxy.DNSDomain // NAMESPACE.svc.DOMAIN
	_, suffix, _ := strings.Cut(domain, ".")
	_, root, _ := strings.Cut(suffix, ".")
	for _, full := range []string{name, name + "." + domain, name + "." + suffix, name + "." + root} {
		if strings.Contains(name, "*") {
			break
		}
		if s := push.ServiceForHostname(c.proxy, host.Name(full)); s != nil && visible(scope, s) {
			return s
		}
	}
	for _, s := range scope.Services() {
		if s.Hostname.IsWildCarded() && host.Name(name).SubsetOf(s.Hostname) {
			return s
		}
	}
	return nil
}

func visible(scope *model.SidecarScope, s *model.Service) bool {
	for _, v := range scope.Services() {
		if v.Hostname == s.Hostname {
			return true
		}
	}
	return false
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
	var wild *listenerv3.Listener
	for _, l := range c.Listeners {
		a := l.GetAddress().GetSocketAddress()
		if int(a.GetPortValue()) != t.Port || l.Name == model.VirtualOutboundListenerName || l.Name == model.VirtualInboundListenerName {
			continue
		}
		if slices.Contains(vips, a.GetAddress()) && a.GetAddress() != "0.0.0.0" {
			return l
		}
		if a.GetAddress() == "0.0.0.0" || a.GetAddress() == "::" {
			wild = l
		}
	}
	return wild
}

// unknownEntry is what a sidecar does with a destination that it does not
// know.
func (c *Config) unknownEntry(t Target) Entry {
	var l *listenerv3.Listener
	for _, v := range c.Listeners {
		if v.Name == model.VirtualOutboundListenerName {
			l = v
		}
	}
	mode := c.plane.push.Mesh.GetOutboundTrafficPolicy().GetMode() == meshv1.MeshConfig_OutboundTrafficPolicy_REGISTRY_ONLY
	if p := c.proxy.SidecarScope.OutboundTrafficPolicy; p != nil {
		mode = p.Mode == networking.OutboundTrafficPolicy_REGISTRY_ONLY
	}
	if mode {
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
