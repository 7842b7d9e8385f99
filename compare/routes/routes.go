// Package routes finds the requests that two Envoy route configurations treat
// differently. It takes both configurations and what stands behind their
// clusters, and cuts the conditions of both sides into the pieces on which each
// side does one thing. It gives a request for each piece that differs, checked
// by asking package route, and says what could not be proved.
package routes

import (
	"context"
	"fmt"

	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"

	"github.com/meshstorm/meshstorm/route"
	"github.com/meshstorm/meshstorm/space"
)

// Side is one of the two configurations.
type Side struct {
	// Config is nil where nothing answers; Nothing then says what a client
	// sees, such as "reaches nothing".
	Config  *route.Config
	Nothing string
	// Through is the cluster that connections go to as they are where Config is
	// nil, "" where they go nowhere.
	Through string
	// Cluster describes a cluster; nil knows clusters by name only.
	Cluster func(name string) Cluster
}

// Cluster is what stands behind a cluster's name.
type Cluster struct {
	Name      string // as people read it; "" is the cluster's own name
	Missing   bool   // the proxy has no such cluster
	Known     bool   // Workloads are known, even where there are none
	Workloads []string
	Policy    []string // load balancing, outlier detection, TLS ..., one field a line
}

// Options narrow what is compared. The zero Options compare every request.
type Options struct {
	Scheme string // http or https; "" is both
	Port   int    // that clients connect to; hosts of witnesses carry it where it is not the scheme's own
	// Hosts are the values of the authority that can arrive; the zero value is
	// all.
	Hosts space.Strings
	// ByName leaves out domains that are addresses where their virtual host has
	// names, too: addresses are often made up, and differ where services do.
	ByName bool
	// Memory, where set, keeps what further comparisons have in common with
	// this one.
	Memory *Memory
}

// Result is what differs and what is not certain. Where all lists are
// empty, it is proved that no request is treated differently.
type Result struct {
	Differences []Difference
	Unproved    []Unproved
	// Disagreements are requests of which the evaluation says something else
	// than the computation with sets: a fault in this program.
	Disagreements []string
	// Again are the numbers of differences and unproved cases that an earlier
	// comparison with the same Memory found for the same pair of virtual hosts.
	Again  []int
	Counts Counts
}

// Same tells whether it is proved that nothing differs.
func (r *Result) Same() bool {
	return len(r.Differences)+len(r.Unproved)+len(r.Disagreements)+len(r.Again) == 0
}

// Counts say how much was compared.
type Counts struct {
	VirtualHosts int // pairs that some request can choose
	Equal        int // of these, pairs that are equal as they are written
	Routes       int // of both sides, where the pair is not equal
	Asked        int // requests that were evaluated on both sides
}

// Difference is a request that both sides treat differently, for one rule of
// each side.
type Difference struct {
	Request       route.Request
	Before, After End
	Changes       []Change
	Number        int // within the Memory, from 1
	Regions       int // how many pieces of the conditions differ in this way, at least
}

// End is where a request ends on one side.
type End struct {
	Host      *route.VirtualHost // nil where no domain takes the authority
	Route     *route.Route       // nil where no route takes the request
	Treatment Treatment
}

// Unproved is a pair of rules for which it is not known whether some request is
// treated differently.
type Unproved struct {
	Before, After End
	Number        int // within the Memory, from 1; 0 where it concerns no pair of rules
	Reason        string
	// Request is where the sides would differ if the conditions of Reason held;
	// nil where there is none to show.
	Request *route.Request
}

// Configs compares two route configurations by themselves. The error says which
// of them Envoy would refuse.
func Configs(ctx context.Context, a, b *routev3.RouteConfiguration, o Options) (*Result, error) {
	before, err := route.Compile(a)
	if err != nil {
		return nil, fmt.Errorf("before: %w", err)
	}
	after, err := route.Compile(b)
	if err != nil {
		return nil, fmt.Errorf("after: %w", err)
	}
	return Compare(ctx, Side{Config: before}, Side{Config: after}, o)
}

// Compare compares two sides. The error is the context's.
func Compare(ctx context.Context, a, b Side, o Options) (*Result, error) {
	if o.Memory == nil {
		o.Memory = &Memory{}
	}
	c := &comparison{ctx: ctx, options: o, result: &Result{}, same: map[string]bool{}, before: newSide(a, o.Memory), after: newSide(b, o.Memory)}
	if reason := c.incomparable(); reason != "" {
		c.result.Unproved = append(c.result.Unproved, Unproved{Reason: reason})
		return c.result, nil
	}
	c.notes()
	for _, cell := range c.cells() {
		if err := ctx.Err(); err != nil {
			return nil, fmt.Errorf("compare routes: %w", err)
		}
		c.compareHosts(cell)
	}
	return c.result, ctx.Err()
}

// comparison is one comparison under way.
type comparison struct {
	ctx           context.Context
	options       Options
	before, after *side
	same          map[string]bool // clusters that are the same on both sides
	result        *Result
}

// side is a Side with its virtual hosts prepared.
type side struct {
	Side
	hosts   map[*route.VirtualHost]*host
	domains *domains
	ignores bool // ports in authorities do not count
	header  string
	routes  map[*route.Route]*rule
	known   map[string]Cluster
	shared  *string // see levels
	memory  *Memory
}

func newSide(s Side, m *Memory) *side {
	out := &side{Side: s, hosts: map[*route.VirtualHost]*host{}, routes: map[*route.Route]*rule{}, known: map[string]Cluster{}, memory: m}
	out.domains = newDomains(nil)
	if s.Config != nil {
		proto := s.Config.Proto()
		out.ignores, out.header = proto.GetIgnorePortInHostMatching(), proto.GetVhostHeader()
		out.domains = newDomains(s.Config.VirtualHosts())
	}
	return out
}

func (s *side) cluster(name string) Cluster {
	if c, ok := s.known[name]; ok {
		return c
	}
	c := Cluster{}
	if s.Cluster != nil {
		c = s.Cluster(name)
	}
	if c.Name == "" {
		c.Name = name
	}
	s.known[name] = c
	return c
}

// incomparable says why two configurations cannot be laid side by side.
func (c *comparison) incomparable() string {
	a, b := c.before, c.after
	switch {
	case a.Config == nil || b.Config == nil:
		return ""
	case a.header != b.header:
		return fmt.Sprintf("virtual hosts are chosen by %q on one side and by %q on the other", a.domainField(), b.domainField())
	case a.Config.Proto().GetVhds() != nil || b.Config.Proto().GetVhds() != nil:
		return "virtual hosts are loaded on demand (vhds), and are not known here"
	case a.Config.Proto().GetIgnorePathParametersInPathMatching() != b.Config.Proto().GetIgnorePathParametersInPathMatching():
		return "path parameters (;a=b) are ignored on one side only"
	}
	return ""
}

func (s *side) domainField() space.Field {
	if s.header != "" {
		return headerField(s.header)
	}
	return space.Authority
}

// notes says what is left out of the comparison as a whole.
func (c *comparison) notes() {
	note := func(reason string) {
		c.result.Unproved = append(c.result.Unproved, Unproved{Reason: reason})
	}
	if c.before.Config == nil || c.after.Config == nil {
		return
	}
	if c.portsDiffer() {
		note("ports in host names are ignored on one side only; only hosts without a port were compared")
	}
}
