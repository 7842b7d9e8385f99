package istio

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"

	"istio.io/istio/pilot/pkg/model"
	"istio.io/istio/pilot/pkg/xds/endpoints"
	"istio.io/istio/pkg/spiffe"
)

// Config is what istiod would send to one proxy. The route configurations that
// sidecars get inside of their inbound listeners are in Listeners only.
type Config struct {
	Proxy     Proxy
	Listeners []*listenerv3.Listener
	Routes    []*routev3.RouteConfiguration
	Clusters  []*clusterv3.Cluster
	Endpoints []*endpointv3.ClusterLoadAssignment // for the clusters of type EDS
	// Origins has each route of Routes; names in Routes are what istiod sends.
	Origins map[*routev3.Route]Origin

	proxy     *model.Proxy
	plane     *plane
	clusters  map[string]*clusterv3.Cluster
	endpoints map[string]*endpointv3.ClusterLoadAssignment
	routes    map[string]*routev3.RouteConfiguration
}

// key tells proxies apart that get different configuration.
func (p Proxy) key() string {
	var b strings.Builder
	b.WriteString(p.Kind + "\x00" + p.Namespace + "\x00" + p.Name)
	for _, k := range slices.Sorted(maps.Keys(p.Labels)) {
		b.WriteString("\x00" + k + "=" + p.Labels[k])
	}
	return b.String()
}

// String names the proxy, for messages.
func (p Proxy) String() string { return p.Kind + " " + p.Name + "." + p.Namespace }

// translate makes a proxy's configuration.
func (m *Mesh) translate(ctx context.Context, p Proxy) (c *Config, err error) {
	defer recovered(&err, "translate for "+p.String())
	proxy := m.modelProxy(p)
	c = &Config{Proxy: p, proxy: proxy, plane: m.plane, Origins: map[*routev3.Route]Origin{}}
	request := &model.PushRequest{Push: m.plane.push, Forced: true}
	c.Listeners = m.plane.generator.BuildListeners(proxy, m.plane.push)
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("translate for %s: %w", p, err)
	}
	if err := m.addRoutes(c, request); err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("translate for %s: %w", p, err)
	}
	return c, m.addClusters(c, request)
}

func (m *Mesh) addRoutes(c *Config, request *model.PushRequest) error {
	resources, _ := m.plane.generator.BuildHTTPRoutes(c.proxy, request, routeNames(c.Listeners))
	c.routes = make(map[string]*routev3.RouteConfiguration, len(resources))
	for _, r := range resources {
		rc := &routev3.RouteConfiguration{}
		if err := r.Resource.UnmarshalTo(rc); err != nil {
			return fmt.Errorf("translate for %s: read route configuration %s: %w", c.Proxy, r.Name, err)
		}
		for _, vh := range rc.VirtualHosts {
			for _, route := range vh.Routes {
				o, _ := m.world.tokens.origin(route)
				c.Origins[route] = o
			}
		}
		c.Routes = append(c.Routes, rc)
		c.routes[rc.Name] = rc
	}
	slices.SortFunc(c.Routes, func(a, b *routev3.RouteConfiguration) int { return strings.Compare(a.Name, b.Name) })
	return nil
}

// routeNames are the route configurations that listeners ask for, once each
// and in the listeners' order.
func routeNames(all []*listenerv3.Listener) []string {
	var names []string
	seen := map[string]bool{}
	for _, l := range all {
		for _, chain := range append(slices.Clone(l.FilterChains), l.DefaultFilterChain) {
			if name := routeName(manager(chain)); name != "" && !seen[name] {
				seen[name] = true
				names = append(names, name)
			}
		}
	}
	return names
}

// manager is a filter chain's HTTP connection manager, nil where it has none.
func manager(chain *listenerv3.FilterChain) *hcmv3.HttpConnectionManager {
	for _, f := range chain.GetFilters() {
		h := &hcmv3.HttpConnectionManager{}
		if f.GetTypedConfig().MessageIs(h) && f.GetTypedConfig().UnmarshalTo(h) == nil {
			return h
		}
	}
	return nil
}

func routeName(h *hcmv3.HttpConnectionManager) string { return h.GetRds().GetRouteConfigName() }

func (m *Mesh) addClusters(c *Config, request *model.PushRequest) error {
	resources, _ := m.plane.generator.BuildClusters(c.proxy, request)
	c.clusters = make(map[string]*clusterv3.Cluster, len(resources))
	c.endpoints = map[string]*endpointv3.ClusterLoadAssignment{}
	for _, r := range resources {
		cluster := &clusterv3.Cluster{}
		if err := r.Resource.UnmarshalTo(cluster); err != nil {
			return fmt.Errorf("translate for %s: read cluster %s: %w", c.Proxy, r.Name, err)
		}
		c.Clusters = append(c.Clusters, cluster)
		c.clusters[cluster.Name] = cluster
		if cluster.GetType() != clusterv3.Cluster_EDS {
			continue
		}
		b := endpoints.NewEndpointBuilder(cluster.Name, c.proxy, m.plane.push)
		if e := b.BuildClusterLoadAssignment(m.plane.env.EndpointIndex); e != nil {
			c.Endpoints = append(c.Endpoints, e)
			c.endpoints[cluster.Name] = e
		}
	}
	return nil
}

// modelProxy is a proxy as istiod sees it when it connects.
func (m *Mesh) modelProxy(p Proxy) *model.Proxy {
	l := m.workloadOf(p)
	ip, name, account := "10.255.255.254", p.Name, "default"
	if l != nil {
		name, account = l.Name, l.account
		if len(l.addresses) > 0 {
			ip = l.addresses[0]
		}
	}
	labels := maps.Clone(p.Labels)
	kind := model.SidecarProxy
	if p.Kind == Gateway {
		kind = model.Router
	}
	proxy := &model.Proxy{
		Type: kind, ID: name + "-0." + p.Namespace, ConfigNamespace: p.Namespace, IPAddresses: []string{ip}, Labels: labels,
		DNSDomain:    p.Namespace + ".svc." + m.world.opts.ClusterDomain,
		IstioVersion: model.MaxIstioVersion,
		Metadata: &model.NodeMetadata{
			Namespace: p.Namespace, Labels: labels, ClusterID: clusterID, WorkloadName: name, ServiceAccount: account,
			IstioRevision: p.Revision, InstanceIPs: []string{ip}, MeshID: "cluster.local",
		},
		VerifiedIdentity: &spiffe.Identity{TrustDomain: m.plane.push.Mesh.GetTrustDomain(), Namespace: p.Namespace, ServiceAccount: account},
	}
	if l != nil {
		proxy.Metadata.Annotations = l.annotations
	}
	config := m.plane.env.GetProxyConfigOrDefault(p.Namespace, labels, proxy.Metadata.Annotations, m.plane.push.Mesh)
	proxy.Metadata.ProxyConfig = (*model.NodeMetaProxyConfig)(config)
	proxy.SetSidecarScope(m.plane.push)
	proxy.SetServiceTargets(m.plane.registry)
	proxy.SetGatewaysForProxy(m.plane.push)
	proxy.DiscoverIPMode()
	return proxy
}

// workloadOf finds the workload that a proxy belongs to.
func (m *Mesh) workloadOf(p Proxy) *workload {
	var found *workload
	for _, l := range m.world.selected(p.Namespace, p.Labels) {
		if found == nil || l.Name == p.Name && found.Name != p.Name {
			found = l
		}
	}
	return found
}
