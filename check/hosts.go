package check

import (
	"context"
	"fmt"
	"slices"
	"strings"

	networking "istio.io/api/networking/v1alpha3"

	"github.com/meshstorm/meshstorm/deploy"
	"github.com/meshstorm/meshstorm/space"
)

// Codes of hosts that several objects have.
const (
	CodeUndefinedOrder = "MS0504" // VirtualServices of one gateway host whose order decides
	CodeWaypoint       = "MS0505" // several VirtualServices behind a waypoint
	CodeTwoAPIs        = "MS0506" // VirtualService and HTTPRoute for one host
	CodeWildcardHost   = "MS0507" // rules for * that a specific host never sees
	CodeUnservedHost   = "MS0508" // a gateway host without a VirtualService
)

// Hosts looks at what becomes of a host that several objects have, or none.
func Hosts() Rule {
	return Rule{
		Codes: []string{CodeUndefinedOrder, CodeWaypoint, CodeTwoAPIs, CodeWildcardHost, CodeUnservedHost},
		Name:  "hosts",
		Doc:   "Two VirtualServices of a gateway take the same requests for one host, and their age decides which does.",
		CodeDocs: map[string]string{
			CodeWaypoint:     "Several VirtualServices are for one Service behind a waypoint.",
			CodeTwoAPIs:      "A VirtualService and an HTTPRoute are for one host.",
			CodeWildcardHost: "Rules for a wildcard host never see requests for a host that has rules of its own.",
			CodeUnservedHost: "A Gateway opens a host that no VirtualService is for.",
		},
		Rows: hostRows(),
		Run: func(ctx context.Context, in *Input) []Finding {
			h := newHosts(in)
			for _, port := range h.mesh.gatewayPorts() {
				for _, host := range port.sorted() {
					if ctx.Err() != nil {
						return h.found
					}
					h.order(host)
				}
				h.wildcards(port)
			}
			h.unserved()
			h.twoAPIs()
			h.waypoints()
			return h.found
		},
	}
}

func hostRows() []Row {
	return []Row{
		{Code: CodeUndefinedOrder, Severity: "error; warning",
			Means: "two VirtualServices take the same requests for one gateway host; the older object wins, and nothing in the files says which that is (warning: creation times do)",
			Todo:  "put both rules into one VirtualService, or let their matches exclude each other"},
		{Code: CodeWaypoint, Severity: "warning",
			Means: "several VirtualServices are for a Service behind a waypoint, which reads them by age; before Istio 1.31 it reads one only",
			Todo:  "put them into one"},
		{Code: CodeTwoAPIs, Severity: "error",
			Means: "a VirtualService and an HTTPRoute are for one host, which Istio does not support: in the mesh the VirtualService has no effect, at a gateway the order of the rules is undefined",
			Todo:  "keep one of the two"},
		{Code: CodeWildcardHost, Severity: "warning; info",
			Means: "requests for a host with rules of its own never see the rules for `*`, and some get 404; info: all are served there",
			Todo:  "repeat the rules for that host"},
		{Code: CodeUnservedHost, Severity: "warning; info",
			Means: "no VirtualService is for a host of a Gateway, so all its requests get 404; info: no VirtualService in the files names the Gateway at all",
			Todo:  "bind a VirtualService to it, or remove the host"},
	}
}

type hosts struct {
	mesh  *Mesh
	pairs map[[2]*VirtualService]bool // reported
	lists map[string]bool             // lists of VirtualServices that were compared
	// overlaps are the model's elements of which MS0302 says that their paths
	// are another's too.
	overlaps map[string]bool
	found    []Finding
	// contests are the pairs that order has reported.
	contests [][2]*VirtualService
}

func newHosts(in *Input) *hosts {
	h := &hosts{mesh: in.Mesh(), pairs: map[[2]*VirtualService]bool{}, lists: map[string]bool{}, overlaps: map[string]bool{}}
	if in.Intent != nil {
		for _, p := range in.Intent.Problems {
			if p.Code == deploy.CodePathOverlap {
				h.overlaps[p.Source.String()] = true
			}
		}
	}
	return h
}

// order reports VirtualServices of a virtual host that take the same requests:
// istiod puts their rules one after the other by the age of the objects, save
// for catch-alls, which go to the end (SortVHostRoutes in
// pilot/pkg/networking/core/route).
func (h *hosts) order(host *virtualHost) {
	if len(host.members) < 2 || h.compared(host) {
		return
	}
	done := map[*VirtualService]bool{}
	index := newEntryIndex()
	var all, others []*entry
	for _, m := range host.members {
		for _, e := range m.reachable(host.port.number) {
			if e.all {
				all = append(all, e)
			} else if e.exact {
				others = append(others, e)
				index.add(e)
			}
		}
	}
	for _, e := range all {
		h.conflict(host, all[0], e, done)
	}
	for _, e := range others {
		for _, k := range index.above(e) {
			h.conflict(host, k, e, done)
		}
	}
}

// compared tells whether the same VirtualServices met at another host already,
// and notes that they did.
func (h *hosts) compared(host *virtualHost) bool {
	var b strings.Builder
	fmt.Fprint(&b, host.port.key)
	for _, m := range host.members {
		fmt.Fprintf(&b, "\n%d %s", m.index, m.gateway.Key())
	}
	seen := h.lists[b.String()]
	h.lists[b.String()] = true
	return seen
}

// reachable are the entries that become routes of a gateway's port: none
// behind a catch-all.
func (m member) reachable(port uint32) []*entry {
	var all []*entry
	for _, e := range m.entries() {
		if !e.actsAt(m.gateway.Key(), port) {
			continue
		}
		all = append(all, e)
		if e.all {
			break
		}
	}
	return all
}

// conflict reports two entries of different VirtualServices if some request
// would be treated differently in the other order.
func (h *hosts) conflict(host *virtualHost, a, b *entry, done map[*VirtualService]bool) {
	if a.vs == b.vs {
		return
	}
	if a.vs.index > b.vs.index {
		a, b = b, a
	}
	if done[b.vs] || h.known(a.vs, b.vs) || h.pairs[[2]*VirtualService{a.vs, b.vs}] || sameAction(a.httpRule(), b.httpRule()) && sameNames(a, b) {
		return
	}
	both := a.box.And(b.box)
	if both.IsEmpty() {
		return
	}
	r := space.Covered(both, append(earlier(a, both), earlier(b, both)...))
	if r.Empty || r.Witness == nil {
		return
	}
	done[b.vs], h.pairs[[2]*VirtualService{a.vs, b.vs}] = true, true
	severity, which := Error, "the rule of the older object wins, and nothing here says which that is"
	if ta, tb := a.vs.created(), b.vs.created(); ta != "" && tb != "" && ta != tb {
		older := a.vs
		if tb < ta {
			older = b.vs
		}
		severity, which = Warning, "the rule of the older object wins, today "+older.ID().String()+"; made anew, it would lose"
	}
	f := b.vs.Finding(CodeUndefinedOrder, severity, b.field(),
		fmt.Sprintf("rule %s here and rule %s of %s take the same requests for %s at %s: %s",
			b.ruleName(), a.ruleName(), a.vs.ID(), host.host, host.members[0].gateway.ID(), which))
	f.Fix = "put both rules into one VirtualService, in the order that is meant, or let their matches exclude each other"
	if beside(a, b) {
		f.Fix = "in " + a.vs.ID().String() + ", " + separated(a)
	} else if beside(b, a) {
		f.Fix = separated(b)
	}
	f.Witness = h.mesh.witnessAt(host, *r.Witness)
	h.found = append(h.found, f)
	h.contests = append(h.contests, [2]*VirtualService{a.vs, b.vs})
}

// sameNames tells whether hosts mean the same in both: a short one is a Service
// of the VirtualService's namespace.
func sameNames(a, b *entry) bool {
	if a.vs.ID().Namespace == b.vs.ID().Namespace {
		return true
	}
	rule := a.httpRule()
	short := func(d *networking.Destination) bool { return d.GetHost() != "" && !strings.Contains(d.GetHost(), ".") }
	return !slices.ContainsFunc(rule.GetRoute(), func(r *networking.HTTPRouteDestination) bool { return short(r.GetDestination()) }) &&
		!slices.ContainsFunc(rule.GetMirrors(), func(m *networking.HTTPMirrorPolicy) bool { return short(m.GetDestination()) }) &&
		!short(rule.GetMirror())
}

// known tells whether both are generated for bounded contexts of which the
// model says already that they serve the same paths (MS0302).
func (h *hosts) known(a, b *VirtualService) bool {
	x, y := a.Annotation("meshstorm.io/source"), b.Annotation("meshstorm.io/source")
	return x != "" && y != "" && (h.overlaps[x] || h.overlaps[y])
}

// earlier are what the entries before e in its VirtualService take of a box.
func earlier(e *entry, of space.Box) []space.Box {
	var boxes []space.Box
	for _, k := range e.vs.entries() {
		if k == e {
			break
		}
		if k.exact && !k.all && k.box.Overlaps(of) && len(boxes) < comparedAtMost {
			boxes = append(boxes, k.box)
		}
	}
	return boxes
}

func (v *VirtualService) created() string { return v.text("metadata", "creationTimestamp") }

// wildcards reports VirtualServices for a wildcard host whose rules a narrower
// host of the same port never sees: Envoy looks at the most specific virtual
// host only (istio#57404).
func (h *hosts) wildcards(port *gatewayPort) {
	all := port.sorted()
	for _, wide := range all {
		if !strings.HasPrefix(wide.host, "*") {
			continue
		}
		for _, m := range wide.members {
			h.wildcard(wide, m, all)
		}
	}
}

func (h *hosts) wildcard(wide *virtualHost, m member, all []*virtualHost) {
	var served *virtualHost
	for _, narrow := range all {
		if narrow == wide || narrow.has[m.VirtualService] || !within(narrow.host, wide.host) {
			continue
		}
		w, unseen, certain := unserved(m, narrow)
		if unseen {
			f := h.wildcardFinding(Warning, m, wide, narrow, "there is no rule for some of them there, which get 404")
			f.Witness = h.mesh.witnessAt(narrow, w)
			h.found = append(h.found, f)
			return
		}
		if certain && served == nil {
			served = narrow
		}
	}
	if served != nil {
		h.found = append(h.found, h.wildcardFinding(Info, m, wide, served, "those there serve all of them"))
	}
}

func (h *hosts) wildcardFinding(severity Severity, m member, wide, narrow *virtualHost, result string) Finding {
	i := max(0, slices.IndexFunc(m.Spec.GetHosts(), func(host string) bool { return within(wide.host, strings.ToLower(host)) }))
	f := m.Finding(CodeWildcardHost, severity, fmt.Sprintf("spec.hosts[%d]", i),
		fmt.Sprintf("requests for %s at %s never see the rules here, which are for %s: Envoy reads those of the most specific host only, in %s; %s",
			narrow.host, m.gateway.ID(), wide.host, narrow.members[0].ID(), result))
	f.Fix = fmt.Sprintf("repeat the rules for %s, in %s or in a VirtualService of their own with that host; a gateway merges the rules of one host", narrow.host, narrow.members[0].ID())
	return f
}

// unserved finds a request that a VirtualService has a rule for and that a
// virtual host without it has none for. certain is false where that cannot be
// proved either way.
func unserved(m member, host *virtualHost) (w space.Witness, found, certain bool) {
	var boxes []space.Box
	for _, o := range host.members {
		for _, e := range o.reachable(host.port.number) {
			if !e.exact {
				return w, false, false
			}
			if e.all {
				return w, false, true
			}
			boxes = append(boxes, e.box)
		}
	}
	for _, e := range m.reachable(host.port.number) {
		if !e.exact {
			continue
		}
		if r := space.Covered(e.box, boxes); !r.Empty && r.Proved && r.Witness != nil {
			return *r.Witness, true, true
		} else if !r.Proved {
			return w, false, false
		}
	}
	return w, false, true
}
