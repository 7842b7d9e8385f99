package router

import (
	"net/http"
	"sync"

	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"

	"github.com/meshstorm/meshstorm/route"
)

// table is a route configuration with all that requests need worked out once.
type table struct {
	config       *route.Config
	plans        map[*route.Route]*plan
	asksHeaders  bool     // a decision may depend on headers
	internalOnly []string // internal_only_headers
	found        sync.Map // plans of routes that only a matcher tree knows
}

func (r *Router) newTable(c *route.Config) *table {
	t := &table{config: c, plans: map[*route.Route]*plan{}}
	for _, name := range c.Proto().GetInternalOnlyHeaders() {
		t.internalOnly = append(t.internalOnly, http.CanonicalHeaderKey(name))
	}
	for _, host := range c.VirtualHosts() {
		t.asksHeaders = t.asksHeaders || host.Proto.GetMatcher() != nil
		for _, rt := range host.Routes {
			t.asksHeaders = t.asksHeaders || asksHeaders(rt.Proto)
			p, err := r.newPlan(c.Proto(), host.Proto, rt)
			if err != nil {
				r.o.Log.Error("part of a route is not taken", "host", host.Name, "route", rt.Name, "error", err)
			}
			t.plans[rt] = p
		}
	}
	return t
}

func asksHeaders(m *routev3.Route) bool {
	match, a := m.GetMatch(), m.GetRoute()
	plain := a.GetCluster() != "" || a.GetWeightedClusters() != nil && a.GetWeightedClusters().GetHeaderName() == "" || a == nil
	return !plain || len(match.GetHeaders()) > 0 || len(match.GetCookies()) > 0 || match.GetConnectMatcher() != nil
}

// planOf gives the plan of a route; those of a virtual host's matcher tree are
// made when they are first used.
func (x *exchange) planOf(rt *route.Route) *plan {
	if p, ok := x.t.plans[rt]; ok {
		return p
	}
	if p, ok := x.t.found.Load(rt); ok {
		return p.(*plan) //nolint:forcetypeassert // nothing else is stored
	}
	p, err := x.r.newPlan(x.t.config.Proto(), rt.Host.Proto, rt)
	if err != nil {
		x.r.o.Log.Error("part of a route is not taken", "host", rt.Host.Name, "route", rt.Name, "error", err)
	}
	x.t.found.Store(rt, p)
	return p
}
