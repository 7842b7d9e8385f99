package routes

import (
	"crypto/sha256"
	"slices"
	"strings"

	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"

	"github.com/meshstorm/meshstorm/route"
	"github.com/meshstorm/meshstorm/space"
)

// host is a virtual host of one side, or what stands for having none.
type host struct {
	side   *side
	of     *route.VirtualHost // nil where no virtual host takes the request
	rules  []*rule            // in order; the last takes what no route takes
	total  [sha256.Size]byte  // see sum
	ready  bool               // rules and total are there
	list   *space.List
	owner  []int // the rule of each box in list
	costly int   // how many of them are costly
}

// rule is a route of a virtual host, or what the virtual host does by itself.
type rule struct {
	host    *host
	index   int
	route   *route.Route      // nil for what is no route
	tls     bool              // redirects to https (VirtualHost.require_tls)
	sum     [sha256.Size]byte // equal for rules that are equal as written
	treated *Treatment
	parts   []space.Box
}

type digest struct{ parts []string }

func (d *digest) add(part string) { d.parts = append(d.parts, part) }

func (d *digest) sum() [sha256.Size]byte {
	h := sha256.New()
	var size [4]byte
	for _, p := range d.parts {
		n := len(p)
		size = [4]byte{byte(n), byte(n >> 8), byte(n >> 16), byte(n >> 24)}
		h.Write(size[:])
		h.Write([]byte(p))
	}
	var out [sha256.Size]byte
	h.Sum(out[:0])
	return out
}

// host prepares a virtual host once.
func (s *side) host(of *route.VirtualHost) *host {
	if h, ok := s.hosts[of]; ok {
		return h
	}
	h := &host{side: s, of: of}
	s.hosts[of] = h
	return h
}

// sum is equal for hosts that are equal as written, but for names.
func (h *host) sum() [sha256.Size]byte {
	h.prepare()
	return h.total
}

// prepare makes the rules.
func (h *host) prepare() {
	if h.ready {
		return
	}
	h.ready = true
	var whole, levels digest
	if of := h.of; of != nil {
		proto := of.Proto
		levels.add(raw(without(proto, silentHost)))
		levels.add(h.side.levels())
		if proto.GetRequireTls() != routev3.VirtualHost_NONE {
			h.add(&rule{tls: true}, "")
		}
		shared := levels.sum()
		for _, r := range of.Routes {
			h.add(&rule{route: r}, string(shared[:]))
		}
		whole.add(string(shared[:]))
	}
	h.add(&rule{}, h.side.Nothing)
	for _, r := range h.rules {
		whole.add(string(r.sum[:]))
	}
	h.total = whole.sum()
}

// levels is what the configuration says for all virtual hosts.
func (s *side) levels() string {
	if s.shared == nil && s.Config != nil {
		text := raw(without(s.Config.Proto(), silentConfig))
		s.shared = &text
	}
	if s.shared == nil {
		return ""
	}
	return *s.shared
}

// equal tells whether two virtual hosts are equal as they are written, but for
// names. Those that have equal names too are told at once.
func (c *comparison) equal(a, b *host) bool {
	if (a.of == nil) != (b.of == nil) {
		return false
	}
	if a.of != nil && c.before.levels() == c.after.levels() && raw(a.of.Proto) == raw(b.of.Proto) {
		for _, r := range a.of.Proto.GetRoutes() {
			for _, name := range clusters(r, a.of.Proto, a.side.Config.Proto()) {
				if !c.sameCluster(name) {
					return false
				}
			}
		}
		return true
	}
	return a.sum() == b.sum()
}

// sameCluster tells whether a cluster is the same on both sides.
func (c *comparison) sameCluster(name string) bool {
	same, known := c.same[name]
	if !known {
		x, y := c.before.cluster(name), c.after.cluster(name)
		same = x.Name == y.Name && x.Missing == y.Missing && x.Known == y.Known &&
			slices.Equal(x.Workloads, y.Workloads) && slices.Equal(x.Policy, y.Policy)
		c.same[name] = same
	}
	return same
}

func (h *host) add(r *rule, shared string) {
	r.host, r.index = h, len(h.rules)
	h.rules = append(h.rules, r)
	var d digest
	d.add(shared)
	switch {
	case r.route != nil:
		h.side.routes[r.route] = r
		d.add(raw(without(r.route.Proto, silentRoute)))
		for _, name := range clusters(r.route.Proto, h.of.Proto, h.side.Config.Proto()) {
			c := h.side.cluster(name)
			d.add(name)
			d.add(c.Name)
			d.add(strings.Join(c.Workloads, "\n"))
			d.add(strings.Join(c.Policy, "\n"))
			d.add(map[bool]string{true: "missing"}[c.Missing] + map[bool]string{true: "known"}[c.Known])
		}
	case r.tls:
		d.add(h.of.Proto.GetRequireTls().String())
	}
	r.sum = d.sum()
}

// clusters are the names of the clusters that a route may send to.
func clusters(r *routev3.Route, h *routev3.VirtualHost, c *routev3.RouteConfiguration) []string {
	a := r.GetRoute()
	if a == nil {
		return nil
	}
	names := []string{a.GetCluster()}
	for _, w := range a.GetWeightedClusters().GetClusters() {
		names = append(names, w.GetName())
	}
	for _, level := range [][]*routev3.RouteAction_RequestMirrorPolicy{a.GetRequestMirrorPolicies(), h.GetRequestMirrorPolicies(), c.GetRequestMirrorPolicies()} {
		for _, m := range level {
			names = append(names, m.GetCluster())
		}
	}
	return slices.DeleteFunc(names, func(n string) bool { return n == "" })
}

// name is the virtual host's name without a port, "" for none.
func (h *host) name() string {
	if h.of == nil {
		return ""
	}
	return withoutPort(h.of.Name)
}

// tree tells whether the virtual host chooses routes by a match tree.
func (h *host) tree() bool { return h.of != nil && h.of.Proto.GetMatcher() != nil }

// boxes are what the rule's conditions hold for.
func (r *rule) boxes() []space.Box {
	if r.parts == nil {
		switch {
		case r.route != nil:
			r.parts = r.host.side.memory.boxes(r.route.Proto.GetMatch())
		case r.tls:
			r.parts = insecure(r.host.of.Proto.GetRequireTls())
		default:
			r.parts = []space.Box{{}}
		}
	}
	return r.parts
}

// insecure is what VirtualHost.require_tls redirects.
func insecure(kind routev3.VirtualHost_TlsRequirementType) []space.Box {
	var external space.Box
	if kind == routev3.VirtualHost_EXTERNAL_ONLY {
		external = external.With(space.Header("x-envoy-internal"), space.Exact("true", false).Not())
	}
	other := space.Present().Minus(space.Exact("https", false))
	forwarded := space.Header("x-forwarded-proto")
	return []space.Box{
		external.With(forwarded, other),
		external.With(forwarded, space.Absent()).With(space.Scheme, other),
	}
}

// treatment is what the rule does to requests.
func (r *rule) treatment() Treatment {
	if r.treated != nil {
		return *r.treated
	}
	t := newTreatment()
	switch {
	case r.route != nil:
		t = r.host.side.treat(r.route)
	case r.tls:
		t.add(Redirect, "", "to https")
	case r.host.side.Config == nil:
		t.add(Destination, "", "%s", r.host.side.Nothing)
	default:
		t.add(Destination, "", "goes nowhere: 404, no rule takes it (NR)")
	}
	r.treated = &t
	return t
}

// same tells whether two rules do the same to every request.
func (r *rule) same(o *rule) bool {
	if r.goesThrough(o) || o.goesThrough(r) {
		return true
	}
	return r.sum == o.sum && r.route != nil && o.route != nil || len(changes(r.treatment(), o.treatment())) == 0
}

// goesThrough tells whether a connection that is no HTTP to its proxy ends where
// a rule of the other side sends requests.
func (r *rule) goesThrough(o *rule) bool {
	through := r.host.side.Through
	return r.host.side.Config == nil && through != "" && o.route != nil && o.route.Proto.GetRoute().GetCluster() == through
}

// twin tells whether two rules hold for the same requests and do the same.
func (r *rule) twin(o *rule) bool {
	if r.sum == o.sum {
		return (r.route != nil) == (o.route != nil) && r.tls == o.tls
	}
	if r.route == nil || o.route == nil || raw(r.route.Proto.GetMatch()) != raw(o.route.Proto.GetMatch()) {
		return false
	}
	return r.same(o)
}

func (r *rule) end() End { return End{Host: r.host.of, Route: r.route, Treatment: r.treatment()} }

// looksAtHost tells whether a rule has a condition on the authority.
func (h *host) looksAtHost() bool {
	for _, r := range h.rules {
		for _, b := range r.boxes() {
			if a := b.Field(space.Authority); !a.HasAbsent() || !space.Present().Within(a) {
				return true
			}
		}
	}
	return false
}

// costly tells whether a box can only be told from others of its kind by a
// search: its paths are an expression that begins with nothing certain.
func costly(b space.Box) bool {
	p := b.Field(space.Path)
	return !p.Literal() && len(p.Lead()) < 2
}

// boxList indexes the boxes of all rules, but for those that an equal one of an
// earlier rule makes dead.
func (h *host) boxList() *space.List {
	if h.list == nil {
		h.list = &space.List{}
		seen := map[string]bool{}
		for i, r := range h.rules {
			for _, b := range r.boxes() {
				if key := b.Key(); !seen[key] {
					seen[key] = true
					h.list.Add(b)
					h.owner = append(h.owner, i)
					if costly(b) {
						h.costly++
					}
				}
			}
		}
	}
	return h.list
}
