package routetest

import "math"

// Coverage is which routes some test reaches. A route is a match entry of a
// rule, or for an Envoy route configuration a route, or each cluster of a
// weighted one, as Envoy's tool counts.
type Coverage struct {
	Total     int     `json:"total"`
	Reached   int     `json:"reached"`
	Percent   float64 `json:"percent"` // 0-100, rounded down to a tenth; 100 where there are no routes
	Unreached []Route `json:"unreached"`
}

// Route is a route that no test reaches.
type Route struct {
	Name  string `json:"name"`  // the rule's, or the Envoy route's
	Owner string `json:"owner"` // Kind NAMESPACE/NAME, or the virtual host
	Match string `json:"match,omitempty"`
	File  string `json:"file,omitempty"`
	Line  int    `json:"line,omitempty"`
}

// cover counts what the subject has and the tests reached.
func (r *Report) cover(s Subject) {
	c := &Coverage{Unreached: []Route{}}
	count := func(reached bool, route Route) {
		c.Total++
		if reached {
			c.Reached++
			return
		}
		c.Unreached = append(c.Unreached, route)
	}
	for _, info := range s.Routes {
		count(r.reached[info.Key], Route{
			Name: info.Rule, Owner: info.Kind + " " + info.Namespace + "/" + info.VirtualService, Match: info.Match, File: info.File, Line: info.Line,
		})
	}
	if s.Envoy != nil {
		for _, e := range s.Envoy.Routes() {
			match := e.Match
			if e.Cluster != "" {
				match += ", cluster " + e.Cluster
			}
			count(r.reachedEnvoy[e.Key], Route{Name: e.Name, Owner: "virtual host " + e.Host, Match: match, File: s.Envoy.Path, Line: e.Line})
		}
	}
	c.Percent = 100
	if c.Total > 0 {
		c.Percent = math.Floor(1000*float64(c.Reached)/float64(c.Total)) / 10
	}
	r.covered = c
}

// ShowCoverage makes coverage a part of the report and gives it.
func (r *Report) ShowCoverage() *Coverage {
	r.Coverage = r.covered
	return r.covered
}

// Under reports whether fewer than percent of the routes are reached.
func (c *Coverage) Under(percent float64) bool {
	return c.Total > 0 && 100*float64(c.Reached) < percent*float64(c.Total)
}
