package proxies

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
)

// dump is what istiod gives one proxy, as far as it matters here.
type dump struct {
	clusters map[string]bool
	routes   []route
}

// route is one that sends somewhere.
type route struct {
	where   string // the route configuration
	name    string
	shares  map[string]uint64 // weights by cluster
	total   uint64
	mirrors []string
}

// dumpPage is /debug/config_dump: with "types" it lists the resources bare, and
// without, as Istio before 1.15 always does, in the sections of Envoy's own page.
type dumpPage struct {
	Configs []struct {
		Type string `json:"@type"`
		routeConfiguration
		DynamicActiveClusters []struct {
			Cluster struct {
				Name string `json:"name"`
			} `json:"cluster"`
		} `json:"dynamicActiveClusters"`
		DynamicRouteConfigs []struct {
			RouteConfig routeConfiguration `json:"routeConfig"`
		} `json:"dynamicRouteConfigs"`
	} `json:"configs"`
}

type routeConfiguration struct {
	Name         string `json:"name"`
	VirtualHosts []struct {
		Routes []struct {
			Name  string      `json:"name"`
			Route *routeToAny `json:"route"`
		} `json:"routes"`
	} `json:"virtualHosts"`
}

type routeToAny struct {
	Cluster          string `json:"cluster"`
	WeightedClusters struct {
		Clusters []struct {
			Name   string `json:"name"`
			Weight uint32 `json:"weight"`
		} `json:"clusters"`
	} `json:"weightedClusters"`
	RequestMirrorPolicies []struct {
		Cluster string `json:"cluster"`
	} `json:"requestMirrorPolicies"`
}

// readDump reads the answer of /debug/config_dump.
func readDump(r io.Reader) (*dump, error) {
	var page dumpPage
	if err := json.NewDecoder(r).Decode(&page); err != nil {
		return nil, fmt.Errorf("read /debug/config_dump: Envoy's configuration as JSON was expected: %w", err)
	}
	d := &dump{clusters: map[string]bool{}}
	for i := range page.Configs {
		c := &page.Configs[i]
		switch c.Type {
		case typeURLs[clusters]:
			d.clusters[c.Name] = true
		case typeURLs[routes]:
			d.addRoutes(&c.routeConfiguration)
		}
		for j := range c.DynamicActiveClusters {
			d.clusters[c.DynamicActiveClusters[j].Cluster.Name] = true
		}
		for j := range c.DynamicRouteConfigs {
			d.addRoutes(&c.DynamicRouteConfigs[j].RouteConfig)
		}
	}
	return d, nil
}

func (d *dump) addRoutes(c *routeConfiguration) {
	for _, host := range c.VirtualHosts {
		for _, r := range host.Routes {
			if r.Route == nil {
				continue
			}
			to := route{where: c.Name, name: r.Name, shares: map[string]uint64{}}
			if r.Route.Cluster != "" {
				to.shares[r.Route.Cluster], to.total = 1, 1
			}
			for _, w := range r.Route.WeightedClusters.Clusters {
				to.shares[w.Name] += uint64(w.Weight)
				to.total += uint64(w.Weight)
			}
			for _, m := range r.Route.RequestMirrorPolicies {
				to.mirrors = append(to.mirrors, m.Cluster)
			}
			d.routes = append(d.routes, to)
		}
	}
}

// service is the part of a cluster's name that all subsets of a port share; ""
// where it is no service's.
func service(cluster string) string {
	parts := strings.Split(cluster, "|")
	if len(parts) != 4 || parts[0] != "outbound" {
		return ""
	}
	return parts[1] + "|" + parts[3]
}

// hosts are the services, of any port, that the clusters belong to.
func (d *dump) hosts() map[string]bool {
	hosts := make(map[string]bool)
	for name := range d.clusters {
		if parts := strings.Split(name, "|"); len(parts) == 4 && parts[0] == "outbound" {
			hosts[parts[3]] = true
		}
	}
	return hosts
}

// lackedClusters says which clusters are not given. A proxy that only has what
// concerns it is asked for the clusters of hosts that it knows.
func (d *dump) lackedClusters(proxy string, wanted []string, knownHostsOnly bool) []string {
	var missing []string
	hosts := d.hosts()
	for _, name := range wanted {
		host := name[strings.LastIndex(name, "|")+1:]
		if !d.clusters[name] && (!knownHostsOnly || hosts[host]) {
			missing = append(missing, fmt.Sprintf("%s has no cluster %s", proxy, name))
		}
	}
	return missing
}

// lackedRoutes says which routes differ from the expectation. must asks for a
// route to each host with a weight.
func (d *dump) lackedRoutes(proxy string, e *Expectation, must bool) []string {
	var missing []string
	for _, w := range e.Weights {
		named := false
		for i := range d.routes {
			r := &d.routes[i]
			if !r.counts(w) {
				continue
			}
			named = true
			if got := r.percent(w.Cluster); got != w.Percent {
				missing = append(missing, fmt.Sprintf("%s sends %d %% to %s in route %q of %q, not %d %%", proxy, got, w.Cluster, r.name, r.where, w.Percent))
			}
		}
		if !named && must && w.Percent > 0 {
			missing = append(missing, fmt.Sprintf("%s has no route to %s%s", proxy, w.Cluster, ofRule(w.Rule)))
		}
	}
	for i := range d.routes {
		r := &d.routes[i]
		for _, name := range e.Gone {
			if _, named := r.shares[name]; named || slices.Contains(r.mirrors, name) {
				missing = append(missing, fmt.Sprintf("%s still has %s in route %q of %q", proxy, name, r.name, r.where))
			}
		}
	}
	slices.Sort(missing)
	return slices.Compact(missing)
}

func ofRule(name string) string {
	if name == "" {
		return ""
	}
	return fmt.Sprintf(" of rule %q", name)
}

// counts reports whether a weight speaks of this route. Istio gives a route the
// name of its rule, and of the match behind a dot.
func (r *route) counts(w Weight) bool {
	if strings.HasPrefix(r.name, TesterPrefix) {
		return false
	}
	if w.Rule != "" && r.name != w.Rule && !strings.HasPrefix(r.name, w.Rule+".") {
		return false
	}
	of := service(w.Cluster)
	for name := range r.shares {
		if name == w.Cluster || of != "" && service(name) == of {
			return true
		}
	}
	return false
}

// percent is a cluster's share, rounded.
func (r *route) percent(cluster string) int {
	if r.total == 0 {
		return 0
	}
	return int((r.shares[cluster]*100 + r.total/2) / r.total)
}
