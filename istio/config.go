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

	"istio.io/istio/pilot/pkg/model"
	"istio.io/istio/pilot/pkg/xds/endpoints"
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
	index     *index
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
	proxy := modelProxy(m.world, m.plane, p)
	c = &Config{Proxy: p, proxy: proxy, plane: m.plane, Origins: map[*routev3.Route]Origin{}}
	request := &model.PushRequest{Push: m.plane.push, Forced: true}
	c.Listeners = m.plane.generator.BuildListeners(proxy, m.plane.push)
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("translate for %s: %w", p, err)
	}
	c.index = newIndex(c)
	if err := m.addRoutes(c); err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("translate for %s: %w", p, err)
	}
	return c, m.addClusters(c, request)
}

// addRoutes translates the routes, and finds where they come from. Where the
// tokens of the origins would be seen by an EnvoyFilter, the routes are those
// made without, and the others only tell the origins.
func (m *Mesh) addRoutes(c *Config) error {
	marked, err := m.plane.routes(c.Proxy, c.proxy, c.index.names)
	if err != nil {
		return err
	}
	m.eachRoute(marked, func(_, _ string, r *routev3.Route) {
		o, _ := m.world.tokens.origin(r)
		c.Origins[r] = o
	})
	c.Routes = marked
	if m.plain != nil {
		if c.Routes, err = m.plain.routes(c.Proxy, modelProxy(m.world, m.plain, c.Proxy), c.index.names); err != nil {
			return err
		}
		byHost := map[[2]string][]*routev3.Route{}
		m.eachRoute(marked, func(rc, vh string, r *routev3.Route) {
			byHost[[2]string{rc, vh}] = append(byHost[[2]string{rc, vh}], r)
		})
		origins := c.Origins
		for _, rc := range c.Routes {
			for _, vh := range rc.VirtualHosts {
				adopt(vh.Routes, byHost[[2]string{rc.Name, vh.Name}], origins)
			}
		}
		m.eachRoute(marked, func(_, _ string, r *routev3.Route) { delete(origins, r) })
	}
	c.routes = make(map[string]*routev3.RouteConfiguration, len(c.Routes))
	for _, rc := range c.Routes {
		c.routes[rc.Name] = rc
	}
	return nil
}

func (m *Mesh) eachRoute(all []*routev3.RouteConfiguration, do func(rc, vh string, r *routev3.Route)) {
	for _, rc := range all {
		for _, vh := range rc.VirtualHosts {
			for _, r := range vh.Routes {
				do(rc.Name, vh.Name, r)
			}
		}
	}
}

// routes translates the route configurations of these names, sorted.
func (p *plane) routes(of Proxy, proxy *model.Proxy, names []string) ([]*routev3.RouteConfiguration, error) {
	resources, _ := p.generator.BuildHTTPRoutes(proxy, &model.PushRequest{Push: p.push, Forced: true}, names)
	all := make([]*routev3.RouteConfiguration, 0, len(resources))
	for _, r := range resources {
		rc := &routev3.RouteConfiguration{}
		if err := r.Resource.UnmarshalTo(rc); err != nil {
			return nil, fmt.Errorf("translate for %s: read route configuration %s: %w", of, r.Name, err)
		}
		all = append(all, rc)
	}
	slices.SortFunc(all, func(a, b *routev3.RouteConfiguration) int { return strings.Compare(a.Name, b.Name) })
	return all, nil
}

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
