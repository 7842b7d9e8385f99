package simulate

import (
	"slices"
	"strings"

	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"

	"github.com/meshstorm/meshstorm/istio"
)

// quiet are the HTTP filters that change nothing of what an answer says, or
// whose part in it is read from the route (cors, fault).
var quiet = []string{
	"envoy.filters.http.router", "envoy.filters.http.cors", "envoy.filters.http.fault", "envoy.filters.http.grpc_stats",
	"envoy.filters.http.grpc_web", "istio.metadata_exchange", "istio.stats", "istio.alpn", "istio_authn",
	"envoy.filters.http.upgrade", "envoy.filters.http.set_filter_state", "connect_authority",
}

// otherFilters names the HTTP filters before the routes that may answer or
// change a request, and that nothing here looks at.
func (m *Mesh) otherFilters(e istio.Entry) []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	found, ok := m.filters[e.Listener]
	if !ok {
		found = filtersBefore(e.Listener, e.Routes.GetName())
		m.filters[e.Listener] = found
	}
	return found
}

// filtersBefore reads them from the listener's filter chains for these routes.
func filtersBefore(l *listenerv3.Listener, routes string) []string {
	var found []string
	chains := l.GetFilterChains()
	if d := l.GetDefaultFilterChain(); d != nil {
		chains = append(slices.Clone(chains), d)
	}
	for _, chain := range chains {
		for _, f := range chain.GetFilters() {
			h := &hcmv3.HttpConnectionManager{}
			if !f.GetTypedConfig().MessageIs(h) || f.GetTypedConfig().UnmarshalTo(h) != nil {
				continue
			}
			if name := h.GetRds().GetRouteConfigName(); name != routes && h.GetRouteConfig().GetName() != routes {
				continue
			}
			for _, filter := range h.GetHttpFilters() {
				if name := filter.GetName(); !slices.Contains(quiet, name) && !slices.Contains(found, name) {
					found = append(found, name)
				}
			}
		}
	}
	return found
}

// unseen is what an answer says of such filters.
func unseen(filters []string) string {
	return "unsupported: these filters stand before the routes, and what they do to a request is not looked at: " + strings.Join(filters, ", ")
}
