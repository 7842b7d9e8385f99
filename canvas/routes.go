package canvas

import (
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/meshstorm/meshstorm/deploy"
	"github.com/meshstorm/meshstorm/topping/istio"
)

// routesOf are the generated VirtualServices of a context: at the gateway,
// and inside the mesh.
func (t *taker) routesOf(s *deploy.Service) []*document {
	var docs []*document
	for _, name := range []string{istio.VirtualServicePrefix + s.Name, istio.VirtualServicePrefix + s.Name + istio.MeshSuffix} {
		if doc := t.files.find(groupIstio, "VirtualService", name); doc != nil {
			docs = append(docs, doc)
		}
	}
	return docs
}

// generatedRules are the http rules that meshstorm wrote.
func generatedRules(doc *document) []*yaml.Node {
	var rules []*yaml.Node
	for _, r := range items(doc.node, "spec", "http") {
		if istio.Generated(text(r, "name")) {
			rules = append(rules, r)
		}
	}
	return rules
}

// pathRules are the generated rules that take every method.
func pathRules(doc *document) []*yaml.Node {
	return slices.DeleteFunc(generatedRules(doc), writes)
}

func writes(rule *yaml.Node) bool { return istio.Writes(text(rule, "name")) }

// entrance says where the rules of a VirtualService apply.
type entrance struct {
	edge bool // at the generated Gateway
	mesh bool // for callers inside the mesh
	own  bool // at a Gateway that is not the generated one
}

// entranceOf reads gateways and hosts. Without gateways, hosts decide: "*" is
// what the original draws for a gateway, a service's name is for the mesh.
func (t *taker) entranceOf(d *drawing) entrance {
	var e entrance
	for _, g := range texts(d.node, "spec", "gateways") {
		switch {
		case g == "mesh":
			e.mesh = true
		case strings.Contains(g, "/") || t.survivingGateway(g):
			e.own = true
		default:
			e.edge = true
		}
	}
	if empty(d.node, "spec", "gateways") {
		e.mesh = slices.ContainsFunc(texts(d.node, "spec", "hosts"), func(h string) bool { return t.names.host(h) != nil })
		e.edge = !e.mesh
	}
	return e
}

// survivingGateway reports whether a Gateway of this name was drawn and kept.
func (t *taker) survivingGateway(name string) bool {
	return slices.ContainsFunc(t.drawn, func(d *drawing) bool {
		return d.is(groupIstio, "Gateway") && !d.done && (d.original == name || d.name == name)
	})
}

// foldVirtualServices folds the rules that route to one context each into that
// context's generated VirtualServices. What is left of a VirtualService
// afterwards survives.
func (t *taker) foldVirtualServices() {
	for _, d := range t.drawn {
		if d.is(groupIstio, "VirtualService") && !d.done {
			t.foldVirtualService(d)
		}
	}
	t.sweep()
}

func (t *taker) foldVirtualService(d *drawing) {
	where := t.entranceOf(d)
	own := t.names.within(d.original)
	var into *document
	var rest []*yaml.Node
	for _, n := range items(d.node, "spec", "http") {
		if !isMapping(n) {
			continue
		}
		r := t.readRule(d, n, own)
		doc := t.foldRule(d, r, where)
		if doc == nil && !r.dropped {
			rest = append(rest, n)
			continue
		}
		if into == nil {
			into = doc
		}
	}
	others := !empty(d.node, "spec", "tcp") || !empty(d.node, "spec", "tls")
	if len(rest) > 0 || others {
		remove(d.node, "spec", "http")
		setList(at(d.node, "spec"), rest, "http")
		if into != nil {
			t.warn(d, "kept with the rules that could not be folded into %s", into.ID.Name)
		}
		return
	}
	if into == nil && own != nil {
		if docs := t.routesOf(own); len(docs) > 0 {
			into = docs[0]
		}
	}
	if into == nil {
		t.leaveOut(d, "no rule of it routes anywhere that the generated ones do not")
		return
	}
	e := &editor{taker: t, d: d, doc: into}
	e.metadata("metadata")
	e.hosts(where)
	t.closeRoutes(e)
}

// closeRoutes folds a VirtualService; its default rule for / is gone.
func (t *taker) closeRoutes(e *editor) {
	if e.d.original != e.doc.ID.Name {
		e.took = true
		e.warn(e.d, "folded into VirtualService/%s", e.doc.ID.Name)
	}
	e.fold(e.d, e.doc)
}

// hosts takes hosts of the gateway that are not just all of them.
func (e *editor) hosts(where entrance) {
	hosts := texts(e.d.node, "spec", "hosts")
	if !where.edge || len(hosts) == 0 || slices.Contains(hosts, "*") || slices.ContainsFunc(hosts, func(h string) bool { return h == "" || e.names.host(h) != nil }) {
		return
	}
	if own := texts(e.doc.node, "spec", "hosts"); !slices.Equal(own, e.model.Settings.Gateway.Hosts) && !slices.Equal(own, hosts) {
		e.warn(e.d, "its hosts are not taken over: another VirtualService gave %s other ones", e.doc.ID.Name)
		return
	}
	e.take("hosts: "+strings.Join(hosts, ", "), at(e.d.node, "spec", "hosts"), "spec", "hosts")
}

// rule is one http rule of the canvas, read.
type rule struct {
	node    *yaml.Node
	matches []*yaml.Node // none: every request
	routes  []*yaml.Node
	service *deploy.Service // the one context it routes to; nil for several or another host
	several bool
	extras  []string // fields beyond name, match, route and rewrite
	dropped bool     // says nothing that is worth keeping
}

// readRule collapses repeated routes, fills empty hosts, and finds the context.
func (t *taker) readRule(d *drawing, n *yaml.Node, own *deploy.Service) *rule {
	r := &rule{node: n}
	for key, value := range fields(n) {
		if !slices.Contains([]string{"name", "match", "route", "rewrite"}, key) && (!empty(value) || key == "timeout") {
			r.extras = append(r.extras, key)
		}
	}
	pruneBlank(n, "name")
	r.matches = items(n, "match")
	if slices.ContainsFunc(r.matches, func(m *yaml.Node) bool { return catchesAll(m) && !conditional(m) }) {
		r.matches = nil
	}
	t.readRoutes(d, r, own)
	services := map[*deploy.Service]bool{}
	foreign := false
	for _, route := range r.routes {
		s := t.names.host(text(route, "destination", "host"))
		foreign = foreign || s == nil
		services[s] = true
		r.service = s
	}
	r.several = len(services) > 1
	if r.several || foreign {
		r.service = nil
	}
	answers := slices.ContainsFunc(r.extras, func(key string) bool { return key == "redirect" || key == "directResponse" || key == "delegate" })
	if len(r.routes) == 0 && answers {
		r.service = own
	} else if len(r.routes) == 0 {
		r.dropped = true
		t.warn(d, "a rule is left out: it routes nowhere")
	}
	return r
}

// readRoutes makes the list of distinct routes with a host.
func (t *taker) readRoutes(d *drawing, r *rule, own *deploy.Service) {
	list := items(r.node, "route")
	for _, route := range list {
		host := text(route, "destination", "host")
		if host == "" {
			s := t.subsetService(d, text(route, "destination", "subset"), own, list)
			if s == nil {
				t.warn(d, "a route without a host is left out")
				continue
			}
			t.warn(d, "a route's empty host is filled: %s", s.Name)
			set(route, str(s.Name), "destination", "host")
		}
		pruneBlank(route, "destination", "subset")
		if !slices.ContainsFunc(r.routes, func(o *yaml.Node) bool { return same(o, route) }) {
			r.routes = append(r.routes, route)
		}
	}
	if n := len(list) - len(r.routes); n > 0 && len(r.routes) > 0 {
		t.warn(d, "repeated routes are kept once: %d of %d are left", len(r.routes), len(list))
	}
	setList(r.node, r.routes, "route")
	if m := at(r.node, "mirror"); isMapping(m) && text(m, "host") == "" {
		if s := t.subsetService(d, text(m, "subset"), own, list); s != nil {
			set(m, str(s.Name), "host")
		} else {
			remove(r.node, "mirror")
			r.extras = slices.DeleteFunc(r.extras, func(key string) bool { return strings.HasPrefix(key, "mirror") })
			t.warn(d, "a mirror without a host is left out")
		}
	}
}

// subsetService finds whose subset a destination without a host means: by the
// arrow to the subset, by the VirtualService's name, by the only rule that has
// such a subset, and by the other routes of the rule.
func (t *taker) subsetService(d *drawing, subset string, own *deploy.Service, others []*yaml.Node) *deploy.Service {
	for _, id := range t.from[d.id] {
		parent := t.byID[t.parents[id]]
		if parent == nil || subset == "" || !slices.ContainsFunc(t.children[parent.id], func(c subsetChild) bool { return c.id == id && c.name == subset }) {
			continue
		}
		if s := t.directService(parent); s != nil {
			return s
		}
	}
	if own != nil {
		return own
	}
	var found *deploy.Service
	for s, known := range t.tracks {
		if _, ok := known.track[subset]; ok && subset != "" {
			if found != nil {
				return nil
			}
			found = s
		}
	}
	for _, o := range others {
		if s := t.names.host(text(o, "destination", "host")); found == nil && s != nil {
			found = s
		}
	}
	return found
}
