package graph

import (
	"fmt"
	"slices"

	networking "istio.io/api/networking/v1alpha3"

	"github.com/meshstorm/meshstorm/check"
)

// layer4 leads a VirtualService to where its tls and tcp rules send connections.
// Their weights are shown; the page edits those of http rules.
func (b *builder) layer4(v *check.VirtualService, id string) {
	for i, r := range v.Spec.GetTls() {
		b.connections(v, id, "tls", i, r.GetRoute())
	}
	for i, r := range v.Spec.GetTcp() {
		b.connections(v, id, "tcp", i, r.GetRoute())
	}
}

func (b *builder) connections(v *check.VirtualService, id, kind string, index int, routes []*networking.RouteDestination) {
	for j, r := range routes {
		label := kind
		if len(routes) > 1 {
			label = fmt.Sprintf("%s %d %%", kind, r.GetWeight())
		}
		line, _ := v.Place(fmt.Sprintf("spec.%s[%d].route[%d]", kind, index, j))
		to := b.destination(r.GetDestination().GetHost(), r.GetDestination().GetSubset(), v.Namespace())
		b.edge(Edge{ID: fmt.Sprintf("%s:%s#%s%d>%s#%d", EdgeBackend, id, kind, index, to, j), From: id, To: to, Kind: EdgeBackend, Label: label, Line: line})
	}
}

// gatewayAPIRoutes are the Gateway API's kinds of routes; all name their parents
// and backends alike (gateway-api.sigs.k8s.io/reference/spec).
var gatewayAPIRoutes = []string{"HTTPRoute", "GRPCRoute", "TLSRoute", "TCPRoute", "UDPRoute"}

// apiRoute leads the Gateways, or the Services, that a route hangs on to it, and
// it to its backends. Weights of the Gateway API are shares of their sum.
func (b *builder) apiRoute(r *check.Resource, id string) {
	ref := func(of any, kind string) (node string, weight float64) {
		m, _ := of.(map[string]any)
		text := func(key, otherwise string) string {
			if s, ok := m[key].(string); ok && s != "" {
				return s
			}
			return otherwise
		}
		weight = 1
		switch w := m["weight"].(type) {
		case int64:
			weight = float64(w)
		case float64:
			weight = w
		}
		return ID(text("kind", kind), text("namespace", r.Namespace()), text("name", "")), weight
	}
	parents, _ := value(r, "spec", "parentRefs").([]any)
	for _, p := range parents {
		if from, _ := ref(p, "Gateway"); b.known[from] {
			b.link(EdgeBinds, from, id)
		}
	}
	rules, _ := value(r, "spec", "rules").([]any)
	for i, rule := range rules {
		of, _ := rule.(map[string]any)
		backends, _ := of["backendRefs"].([]any)
		sum := 0.0
		for _, backend := range backends {
			_, w := ref(backend, "Service")
			sum += w
		}
		for j, backend := range backends {
			to, w := ref(backend, "Service")
			if !b.known[to] {
				continue
			}
			label := ""
			if len(backends) > 1 && sum > 0 {
				label = fmt.Sprintf("%.0f %%", 100*w/sum)
			}
			line, _ := r.Place(fmt.Sprintf("spec.rules[%d].backendRefs[%d]", i, j))
			b.edge(Edge{ID: fmt.Sprintf("%s:%s#%d>%s#%d", EdgeBackend, id, i, to, j), From: id, To: to, Kind: EdgeBackend, Label: label, Line: line})
		}
	}
}

func isAPIRoute(r *check.Resource) bool {
	return r.Group() == "gateway.networking.k8s.io" && slices.Contains(gatewayAPIRoutes, r.Kind())
}
