package istio

import (
	"net/netip"
	"slices"

	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"

	"istio.io/istio/pilot/pkg/model"
	"istio.io/istio/pkg/config/host"
)

// index is what Entry looks up, read once per proxy.
type index struct {
	names     []string // of the route configurations that listeners ask for, in the listeners' order
	managers  map[*listenerv3.FilterChain]*hcmv3.HttpConnectionManager
	listeners map[netip.AddrPort]*listenerv3.Listener
	virtual   *listenerv3.Listener // what a sidecar does with the rest
	services  map[host.Name]*model.Service
	wildcards []*model.Service
}

func newIndex(c *Config) *index {
	x := &index{managers: map[*listenerv3.FilterChain]*hcmv3.HttpConnectionManager{},
		listeners: map[netip.AddrPort]*listenerv3.Listener{}, services: map[host.Name]*model.Service{}}
	seen := map[string]bool{}
	for _, l := range c.Listeners {
		x.addListener(l)
		for _, chain := range append(slices.Clone(l.FilterChains), l.DefaultFilterChain) {
			h := readManager(chain)
			if h == nil {
				continue
			}
			x.managers[chain] = h
			if name := routeName(h); name != "" && !seen[name] {
				seen[name] = true
				x.names = append(x.names, name)
			}
		}
	}
	for _, s := range c.proxy.SidecarScope.Services() {
		if s.Hostname.IsWildCarded() {
			x.wildcards = append(x.wildcards, s)
		} else if x.services[s.Hostname] == nil {
			x.services[s.Hostname] = s
		}
	}
	return x
}

func (x *index) addListener(l *listenerv3.Listener) {
	switch l.Name {
	case model.VirtualOutboundListenerName:
		x.virtual = l
		return
	case model.VirtualInboundListenerName:
		return
	}
	a := l.GetAddress().GetSocketAddress()
	if a == nil || a.GetProtocol() != 0 { // UDP
		return
	}
	at := netip.AddrPortFrom(address(a.GetAddress()), uint16(a.GetPortValue()))
	if x.listeners[at] == nil {
		x.listeners[at] = l
	}
}

// address is the zero Addr for what is none.
func address(s string) netip.Addr {
	a, _ := netip.ParseAddr(s)
	return a
}

// manager is a filter chain's HTTP connection manager, nil where it has none.
func (x *index) manager(chain *listenerv3.FilterChain) *hcmv3.HttpConnectionManager {
	return x.managers[chain]
}

func readManager(chain *listenerv3.FilterChain) *hcmv3.HttpConnectionManager {
	for _, f := range chain.GetFilters() {
		h := &hcmv3.HttpConnectionManager{}
		if f.GetTypedConfig().MessageIs(h) && f.GetTypedConfig().UnmarshalTo(h) == nil {
			return h
		}
	}
	return nil
}

func routeName(h *hcmv3.HttpConnectionManager) string { return h.GetRds().GetRouteConfigName() }
