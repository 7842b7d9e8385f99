package simulate

import (
	"context"
	"fmt"
	"slices"
	"strings"

	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"

	"github.com/meshstorm/meshstorm/istio"
	"github.com/meshstorm/meshstorm/route"
)

const fromGateway = "gateway"

// proxyFor finds the proxy that a request enters and the routes that answer.
func (m *Mesh) proxyFor(ctx context.Context, q *question) (*place, error) {
	from, name, named := q.asked.From, "", false
	if rest, ok := strings.CutPrefix(from, fromGateway+":"); ok {
		name, named = rest, true
	} else if from != fromGateway {
		p, err := m.Sidecar(from)
		if err != nil {
			return nil, err
		}
		at, err := m.enter(ctx, m.Alike(p), q.target)
		if err == nil {
			at.proxy = p
		}
		return at, err
	}
	gateways := m.Gateways()
	if named {
		chosen := slices.DeleteFunc(slices.Clone(gateways), func(p istio.Proxy) bool { return !called(p, name) })
		if len(chosen) == 0 {
			return nil, fmt.Errorf("there is no gateway %q; there is %s (the name of its pods' workload, or of a Gateway of the Gateway API)", name, names(gateways))
		}
		gateways = chosen
	}
	if len(gateways) == 0 {
		return nil, fmt.Errorf("there is no gateway in this mesh; ask as a service with --from SERVICE, or choose a profile that has a gateway")
	}
	return m.bestGateway(ctx, gateways, q)
}

// gatewayName is the label by which istiod marks the pods that it starts for a
// Gateway of the Gateway API.
const gatewayName = "gateway.networking.k8s.io/gateway-name"

// called is true where NAME or NAME.NAMESPACE means the gateway: by its
// workload, or by the Gateway that it was started for.
func called(p istio.Proxy, name string) bool {
	for _, n := range []string{p.Name, p.Labels[gatewayName]} {
		if n != "" && (n == name || n+"."+p.Namespace == name) {
			return true
		}
	}
	return false
}

// bestGateway is the first gateway that has a virtual host for the request,
// else the first that has routes on its port, else the first. A gateway for
// what leaves the mesh is asked last.
func (m *Mesh) bestGateway(ctx context.Context, gateways []istio.Proxy, q *question) (*place, error) {
	slices.SortStableFunc(gateways, func(a, b istio.Proxy) int { return rank(a) - rank(b) })
	var best *place
	score := -1
	for _, p := range gateways {
		at, err := m.enter(ctx, p, q.target)
		if err != nil {
			return nil, err
		}
		s := 0
		if at.routes != nil {
			s = 1
			if at.routes.Decide(&q.proxy).VirtualHost != nil {
				return at, nil
			}
		}
		if s > score {
			best, score = at, s
		}
	}
	return best, nil
}

func rank(p istio.Proxy) int {
	if p.Labels["istio"] == "egressgateway" {
		return 1
	}
	return 0
}

func names(proxies []istio.Proxy) string {
	var all []string
	for _, p := range proxies {
		all = append(all, p.Name+"."+p.Namespace)
	}
	if len(all) == 0 {
		return "none"
	}
	return strings.Join(all, ", ")
}

// compile compiles a route configuration once.
func (m *Mesh) compile(rc *routev3.RouteConfiguration) (*route.Config, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if c, ok := m.compiled[rc]; ok {
		return c, nil
	}
	c, err := route.Compile(rc)
	if err != nil {
		return nil, err
	}
	m.compiled[rc] = c
	return c, nil
}
