package routercheck

import (
	"fmt"

	"github.com/meshstorm/meshstorm/route"
)

// Route is one route of the configuration, or one weighted cluster of a route
// that has several, as the tool counts them.
type Route struct {
	Key     string // as in Result.Covered
	Host    string // the virtual host's name
	Name    string // the route's name, or its place in the virtual host
	Match   string // its conditions, in words
	Cluster string // of a weighted cluster
	Line    int    // 0 where unknown
}

// Routes lists the configuration's routes in order.
func (c *Config) Routes() []Route {
	var all []Route
	for _, host := range c.VirtualHosts() {
		for _, r := range host.Routes {
			one := Route{Host: host.Name, Name: routeName(r), Match: matchText(r), Line: c.lines[r.Proto]}
			weighted := r.Proto.GetRoute().GetWeightedClusters().GetClusters()
			if len(weighted) == 0 {
				one.Key = routeKey(host, r, -1)
				all = append(all, one)
				continue
			}
			for i, w := range weighted {
				one.Key, one.Cluster = routeKey(host, r, i), w.GetName()+w.GetClusterHeader()
				all = append(all, one)
			}
		}
	}
	return all
}

// taken says that a route took a request, and where it is written.
func (c *Config) taken(r *route.Route) string {
	text := fmt.Sprintf("route %s of virtual host %s takes it (%s)", routeName(r), r.Host.Name, matchText(r))
	if line := c.lines[r.Proto]; line > 0 {
		text += fmt.Sprintf(", %s:%d", c.Path, line)
	}
	return text
}

func routeName(r *route.Route) string {
	if r.Name != "" {
		return r.Name
	}
	return fmt.Sprintf("routes[%d]", r.Index)
}

func routeKey(host *route.VirtualHost, r *route.Route, weighted int) string {
	return fmt.Sprintf("%s\x00%d\x00%d", host.Name, r.Index, weighted)
}

// matchText is what a route asks for, short.
func matchText(r *route.Route) string {
	m := r.Proto.GetMatch()
	text := ""
	switch {
	case m.GetPath() != "":
		text = "path " + m.GetPath()
	case m.GetSafeRegex() != nil:
		text = "regex " + m.GetSafeRegex().GetRegex()
	case m.GetPathSeparatedPrefix() != "":
		text = "path_separated_prefix " + m.GetPathSeparatedPrefix()
	case m.GetPathMatchPolicy() != nil:
		text = "path_match_policy " + m.GetPathMatchPolicy().GetName()
	case m.GetConnectMatcher() != nil:
		text = "CONNECT"
	default:
		text = "prefix " + m.GetPrefix()
	}
	if n := len(m.GetHeaders()); n > 0 {
		text += fmt.Sprintf(", %d header conditions", n)
	}
	if n := len(m.GetQueryParameters()); n > 0 {
		text += fmt.Sprintf(", %d query conditions", n)
	}
	return text
}
