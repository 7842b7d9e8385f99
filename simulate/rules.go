package simulate

import (
	"context"
	"fmt"
	"strings"

	"github.com/meshstorm/meshstorm/istio"
	"github.com/meshstorm/meshstorm/manifest"
	"github.com/meshstorm/meshstorm/route"
	"github.com/meshstorm/meshstorm/simulate/answer"
)

// sourceAnnotation names the model element that an object came from; package
// topping writes it.
const sourceAnnotation = "metadata.annotations[meshstorm.io/source]"

// rules gives the verdicts in istiod's order.
func (m *Mesh) rules(at *place, verdicts []route.Verdict) []answer.Rule {
	rules := make([]answer.Rule, 0, len(verdicts))
	for _, v := range verdicts {
		o := at.config.Origins[v.Route.Proto]
		r := answer.Rule{Name: ruleName(o, v.Route), Matched: v.Matched, Failed: v.Failed}
		if v.Unsupported != "" {
			r.Failed = claims(v.Unsupported)
		}
		if o.Document != nil {
			r.VirtualService = o.Document.ID.Name
			r.File, r.Line = place0(o)
		}
		rules = append(rules, r)
	}
	return rules
}

func (m *Mesh) winner(at *place, r *route.Route) *answer.Winner {
	o := at.config.Origins[r.Proto]
	w := &answer.Winner{Rule: ruleName(o, r)}
	if o.Document == nil {
		return w
	}
	w.Kind, w.VirtualService, w.Namespace = o.Document.ID.Kind, o.Document.ID.Name, m.NamespaceOf(o.Document)
	w.File, w.Line = place0(o)
	w.Source = text(o.Document, sourceAnnotation)
	return w
}

// ruleName is the rule's own name, else its place in the list, else what Istio
// calls the route.
func ruleName(o istio.Origin, r *route.Route) string {
	if o.Rule != "" {
		return o.Rule
	}
	if o.Field != "" {
		return strings.TrimPrefix(o.Field, "spec.")
	}
	if r.Name != "" {
		return r.Name
	}
	return fmt.Sprintf("route %d", r.Index+1)
}

// place0 is where the condition, or else the rule, is written.
func place0(o istio.Origin) (file string, line int) {
	field := o.Match
	if field == "" {
		field = o.Field
	}
	line, _, _ = o.Document.Locate(field)
	return o.Document.Path, line
}

func text(d *manifest.Document, field string) string {
	if n := d.Get(field); n != nil {
		return n.Value
	}
	return ""
}

// key names a route by what people wrote, so that the same rule counts once
// however many proxies get it.
func key(o istio.Origin) string {
	if o.Document == nil {
		return ""
	}
	field := o.Match
	if field == "" {
		field = o.Field
	}
	id := o.Document.ID
	return fmt.Sprintf("%s %s/%s %s", id.Kind, id.Namespace, id.Name, field)
}

// Routes lists the routes of all rules that some proxy gets, in the order of
// the proxies and of their routes.
func (m *Mesh) Routes(ctx context.Context) ([]answer.RouteInfo, error) {
	var all []answer.RouteInfo
	seen := map[string]bool{}
	for _, p := range m.Proxies() {
		c, err := m.Config(ctx, p)
		if err != nil {
			return nil, err
		}
		for _, rc := range c.Routes {
			for _, host := range rc.GetVirtualHosts() {
				for _, r := range host.GetRoutes() {
					o := c.Origins[r]
					k := key(o)
					if k == "" || seen[k] {
						continue
					}
					seen[k] = true
					info := answer.RouteInfo{
						Key: k, Kind: o.Document.ID.Kind, VirtualService: o.Document.ID.Name, Namespace: m.NamespaceOf(o.Document),
						Rule: o.Rule, Match: condition(o),
						Proxy: answer.Proxy{Kind: p.Kind, Name: p.Name, Namespace: p.Namespace, Labels: p.Labels},
					}
					if info.Rule == "" {
						info.Rule = strings.TrimPrefix(o.Field, "spec.")
					}
					info.File, info.Line = place0(o)
					all = append(all, info)
				}
			}
		}
	}
	return all, ctx.Err()
}
