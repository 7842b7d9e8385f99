package server

import (
	"errors"
	"fmt"
	"net/netip"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	"google.golang.org/protobuf/proto"

	"github.com/meshstorm/meshstorm/lab/proxy/flow"
	"github.com/meshstorm/meshstorm/lab/proxy/telemetry"
	"github.com/meshstorm/meshstorm/lab/proxy/xds"
)

// Istio's names for the two listeners that iptables sends everything to.
const (
	virtualOutbound = "virtualOutbound"
	virtualInbound  = "virtualInbound"
)

// listener is a listener of a snapshot, compiled.
type listener struct {
	s       *Server
	proto   *listenerv3.Listener
	name    string
	inbound bool
	filters []*listenerFilter
	timeout time.Duration // 0 for none
	goOn    bool          // when the timeout passes
	rules   []rule
	matcher *chainMatcher
	chains  []*chain
	fall    *chain // default_filter_chain
	access  *telemetry.AccessLog
	ecds    map[string]*corev3.TypedExtensionConfig // that its chains name
}

// listenerSet is what new connections see.
type listenerSet struct {
	byName  map[string]*listener
	exact   map[netip.AddrPort]*listener
	anyAddr map[uint16]*listener
}

// index finds listeners by address, as use_original_dst needs it.
func (set *listenerSet) index() {
	set.exact, set.anyAddr = map[netip.AddrPort]*listener{}, map[uint16]*listener{}
	for _, name := range sortedNames(set.byName) {
		l := set.byName[name]
		for _, a := range l.addresses() {
			if a.Addr().IsUnspecified() {
				set.anyAddr[a.Port()] = l
			} else {
				set.exact[a] = l
			}
		}
	}
}

// at is the listener for an original destination: of that very address, or of
// all addresses with that port. Nil where there is none.
func (set *listenerSet) at(dst netip.AddrPort) *listener {
	if l := set.exact[dst]; l != nil {
		return l
	}
	return set.anyAddr[dst.Port()]
}

// addresses are the listener's own and its additional ones.
func (l *listener) addresses() []netip.AddrPort {
	out := []netip.AddrPort{}
	add := func(a *corev3.Address) {
		s := a.GetSocketAddress()
		ip, err := netip.ParseAddr(s.GetAddress())
		if err == nil {
			out = append(out, netip.AddrPortFrom(ip.Unmap(), uint16(s.GetPortValue())))
		}
	}
	add(l.proto.GetAddress())
	for _, a := range l.proto.GetAdditionalAddresses() {
		add(a.GetAddress())
	}
	return out
}

// allChains are the chains with the default one.
func (l *listener) allChains() []*chain {
	if l.fall == nil {
		return l.chains
	}
	return append(l.chains[:len(l.chains):len(l.chains)], l.fall)
}

// listenerFor gives the compiled listener, the old one where nothing changed.
func (s *Server) listenerFor(old *listener, m *listenerv3.Listener, snap *xds.Snapshot) (*listener, error) {
	if old != nil && sameExtensions(old.ecds, snap.Filters) {
		if old.proto == m || proto.Equal(old.proto, m) {
			return old, nil
		}
	}
	return s.compileListener(old, m, snap.Filters)
}

func sameExtensions(have, now map[string]*corev3.TypedExtensionConfig) bool {
	for name, f := range have {
		if now[name] != f && !proto.Equal(now[name], f) {
			return false
		}
	}
	return true
}

// compileListener reads a listener; chains that old had just so are taken over.
// The error joins all faults.
func (s *Server) compileListener(old *listener, m *listenerv3.Listener, ecds map[string]*corev3.TypedExtensionConfig) (*listener, error) {
	l := &listener{s: s, proto: m, name: m.GetName(), goOn: m.GetContinueOnListenerFiltersTimeout(), timeout: 15 * time.Second,
		inbound: m.GetTrafficDirection() == corev3.TrafficDirection_INBOUND, ecds: map[string]*corev3.TypedExtensionConfig{}}
	var faults []error
	if err := checkAddresses(m); err != nil {
		faults = append(faults, err)
	}
	if t := m.GetListenerFiltersTimeout(); t != nil {
		l.timeout = t.AsDuration()
	}
	for _, f := range m.GetListenerFilters() {
		lf, err := newListenerFilter(f)
		if err != nil {
			faults = append(faults, err)
			continue
		}
		l.filters = append(l.filters, lf)
	}
	var err error
	if l.access, err = s.o.Telemetry.AccessLogs(m.GetAccessLog()); err != nil {
		faults = append(faults, fmt.Errorf("access_log: %w", err))
	}
	faults = append(faults, l.compileChains(old, m, ecds)...)
	if len(faults) > 0 {
		return nil, errors.Join(faults...)
	}
	return l, nil
}

func (l *listener) compileChains(old *listener, m *listenerv3.Listener, ecds map[string]*corev3.TypedExtensionConfig) (faults []error) {
	for i, fc := range m.GetFilterChains() {
		c, err := l.chainFor(old, fc, i, ecds)
		if err != nil {
			faults = append(faults, fmt.Errorf("filter chain %s: %w", chainLabel(fc, i), err))
			continue
		}
		l.chains = append(l.chains, c)
		r, err := newRule(c, fc.GetFilterChainMatch())
		if err != nil {
			faults = append(faults, fmt.Errorf("filter chain %s: %w", chainLabel(fc, i), err))
		}
		l.rules = append(l.rules, r)
	}
	if fc := m.GetDefaultFilterChain(); fc != nil {
		c, err := l.chainFor(old, fc, -1, ecds)
		if err != nil {
			faults = append(faults, fmt.Errorf("filter chain %s: %w", chainLabel(fc, -1), err))
		}
		l.fall = c
	}
	if len(l.chains) == 0 && l.fall == nil && len(faults) == 0 {
		faults = append(faults, errors.New("no filter chains specified"))
	}
	if fm := m.GetFilterChainMatcher(); fm != nil {
		matcher, err := newChainMatcher(fm, l.chains)
		if err != nil {
			faults = append(faults, fmt.Errorf("filter_chain_matcher: %w", err))
		}
		l.matcher = matcher
	} else if len(faults) == 0 {
		if err := checkRules(l.rules); err != nil {
			faults = append(faults, err)
		}
	}
	return faults
}

func checkAddresses(m *listenerv3.Listener) error {
	if m.GetInternalListener() != nil {
		return errors.New("internal_listener is not supported")
	}
	if m.GetUdpListenerConfig() != nil {
		return errors.New("udp_listener_config is not supported")
	}
	all := []*corev3.Address{m.GetAddress()}
	for _, a := range m.GetAdditionalAddresses() {
		all = append(all, a.GetAddress())
	}
	for _, a := range all {
		s := a.GetSocketAddress()
		if s == nil {
			return fmt.Errorf("address: only socket_address is supported, not %T", a.GetAddress())
		}
		if _, err := netip.ParseAddr(s.GetAddress()); err != nil {
			return fmt.Errorf("address: %q is not an IP address", s.GetAddress())
		}
		if s.GetProtocol() != corev3.SocketAddress_TCP {
			return errors.New("address: UDP is not supported")
		}
	}
	return nil
}

// accept takes a connection whose original destination is known, and serves it
// until it ends.
func (s *Server) accept(l *listener, c *connection) {
	if err := l.inspect(c); err != nil {
		s.o.Log.Debug("connection closed by a listener filter", "listener", l.name, "error", err)
		_ = c.Close()
		return
	}
	if l.proto.GetUseOriginalDst().GetValue() {
		// Envoy: the connection goes to the listener of its destination, whose
		// own filters look at it then.
		if other := s.listeners.Load().at(c.down.Local); other != nil && other != l {
			s.accept(other, c)
			return
		}
	}
	chain := l.find(c)
	c.down.Listener, c.down.Inbound = l.name, l.inbound
	if chain == nil {
		l.refuse(c)
		return
	}
	chain.serve(c)
}

// find is the filter chain for a connection; nil where none matches.
func (l *listener) find(c *connection) *chain {
	var found *chain
	if l.matcher != nil {
		found = l.matcher.find(c)
	} else {
		found = findChain(l.rules, c)
	}
	if found == nil {
		return l.fall
	}
	return found
}

// refuse closes a connection for which there is no filter chain.
func (l *listener) refuse(c *connection) {
	r := &flow.Record{Downstream: &c.down, TCP: true, Start: l.s.o.Now(), GRPCStatus: -1, Details: "filter_chain_not_found",
		SNI: c.sni, Flags: flow.Flags{flow.NoRoute}}
	if l.onlyMutual(c.down.Local.Port()) {
		r.FailureReason = noMutual
		l.s.o.Log.Warn(noMutual, "listener", l.name, "client", c.down.Remote, "port", c.down.Local.Port())
	}
	l.access.Log(r)
	_ = c.Close()
}

const noMutual = "the lab has no mTLS: connections that must use it are closed (PeerAuthentication STRICT)"

// onlyMutual tells whether a port takes nothing but mTLS, the effect of
// PeerAuthentication STRICT.
func (l *listener) onlyMutual(port uint16) bool {
	mutual, own, plain := false, false, map[bool]bool{}
	for i := range l.rules {
		r := &l.rules[i]
		if r.hasPort && r.port != port {
			continue
		}
		own = own || r.hasPort
		if r.chain.tls != nil && r.chain.tls.mesh && r.hasPort == (r.port == port && r.hasPort) {
			mutual = true
		}
		if r.chain.tls == nil && r.transport != overTLS {
			plain[r.hasPort] = true
		}
	}
	return mutual && !plain[own]
}

// unsupported names what of the listener is refused.
func (l *listener) unsupported() []string {
	var out []string
	ports := map[uint16]bool{}
	catchAll := false
	for i := range l.rules {
		if r := &l.rules[i]; r.hasPort {
			ports[r.port] = true
		} else if r.chain.tls != nil && r.chain.tls.mesh {
			catchAll = true
		}
	}
	for port := range ports {
		if l.onlyMutual(port) {
			out = append(out, fmt.Sprintf("listener %s, port %d: %s", l.name, port, noMutual))
		}
	}
	if catchAll && l.onlyMutual(0) {
		out = append(out, fmt.Sprintf("listener %s, other ports: %s", l.name, noMutual))
	}
	for _, c := range l.allChains() {
		if c.refusal != "" {
			out = append(out, fmt.Sprintf("listener %s, filter chain %s: %s; its connections are closed", l.name, c.label(), c.refusal))
		}
	}
	return out
}
