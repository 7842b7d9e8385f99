// Package compare finds the requests that two meshes treat differently. It
// takes two meshes (package simulate), pairs their proxies, and for each port
// on which a proxy answers has the routes of both sides compared (package
// compare/routes). It gives a report: a request for each difference with what
// happens before and after, and what could not be proved.
package compare

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/meshstorm/meshstorm/compare/report"
	"github.com/meshstorm/meshstorm/compare/routes"
	"github.com/meshstorm/meshstorm/istio"
	"github.com/meshstorm/meshstorm/simulate"
)

// Options name the sides.
type Options struct {
	NameA, NameB string // as the report names them; "" is "before" and "after"
}

// Report says what changes from one mesh to another.
type Report = report.Report

// WriteText writes a report for people.
func WriteText(w io.Writer, r *Report) error { return report.WriteText(w, r) }

// Run compares two meshes. Every difference's request has been asked of both.
// The error is for a side that cannot be translated, and the context's.
func Run(ctx context.Context, a, b *simulate.Mesh, o Options) (*Report, error) {
	r := &run{before: newMesh(a), after: newMesh(b), report: &Report{
		APIVersion: report.APIVersion, Before: o.NameA, After: o.NameB, Differences: []report.Difference{},
	}, differences: map[string]int{}, unproved: map[string]int{}, numbers: map[int]int{}}
	if o.NameA == "" {
		r.report.Before = "before"
	}
	if o.NameB == "" {
		r.report.After = "after"
	}
	pairs := r.pairs()
	next := make([]func() (*translated, error), len(pairs)+1)
	for i, p := range pairs {
		// The next proxy is translated while this one is compared.
		for j := i; j < min(i+2, len(pairs)); j++ {
			if next[j] == nil {
				next[j] = r.translate(ctx, pairs[j])
			}
		}
		t, err := next[i]()
		if err != nil {
			return nil, err
		}
		if err := r.compareProxies(ctx, p, t); err != nil {
			return nil, err
		}
		next[i] = nil
	}
	r.report.Summarize()
	return r.report, nil
}

// run is one comparison under way.
type run struct {
	before, after *mesh
	report        *Report
	differences   map[string]int // indexes in the report, by what is the same for several proxies
	unproved      map[string]int
	numbers       map[int]int // indexes of differences, by their number
	memory        routes.Memory
}

// mesh is one side.
type mesh struct {
	*simulate.Mesh
	policies map[string][]string       // of clusters, by the cluster as written
	clusters map[string]routes.Cluster // of the proxy that is being compared
}

func newMesh(m *simulate.Mesh) *mesh { return &mesh{Mesh: m, policies: map[string][]string{}} }

// pair is a proxy on both sides; nil where a side has none.
type pair struct{ a, b *istio.Proxy }

func (p pair) any() istio.Proxy {
	if p.a != nil {
		return *p.a
	}
	return *p.b
}

// pairs finds each proxy's equal: of the same kind, namespace and name, with
// the same labels where there are several. A sidecar that stands for a group on
// one side only is paired with the same service's.
func (r *run) pairs() []pair {
	var all []pair
	b := r.after.Proxies()
	taken := make([]bool, len(b))
	for _, p := range r.before.Proxies() {
		match := -1
		for i, q := range b {
			if taken[i] || !sameName(p, q) {
				continue
			}
			if maps.Equal(p.Labels, q.Labels) {
				match = i
				break
			}
			if match < 0 {
				match = i
			}
		}
		if match >= 0 {
			taken[match] = true
			all = append(all, pair{&p, &b[match]})
			continue
		}
		all = append(all, pair{&p, r.after.equal(p)})
	}
	for i, q := range b {
		if !taken[i] {
			all = append(all, pair{r.before.equal(q), &b[i]})
		}
	}
	return all
}

func sameName(p, q istio.Proxy) bool {
	return p.Kind == q.Kind && p.Namespace == q.Namespace && p.Name == q.Name
}

// equal is the sidecar of the same service, where this side has it.
func (m *mesh) equal(p istio.Proxy) *istio.Proxy {
	if p.Kind != istio.Sidecar {
		return nil
	}
	q, err := m.Sidecar(p.Name + "." + p.Namespace)
	if err != nil {
		return nil
	}
	return &q
}

// oneSided tells of a sidecar that one side does not have. A gateway that one
// side does not have is compared with nothing.
func (p pair) oneSided() bool {
	return (p.a == nil || p.b == nil) && p.any().Kind == istio.Sidecar
}

// translated is a pair's configuration.
type translated struct{ a, b *istio.Config }

// translate starts to translate for a pair; the function waits for it.
func (r *run) translate(ctx context.Context, p pair) func() (*translated, error) {
	t := &translated{}
	if p.oneSided() {
		return func() (*translated, error) { return t, nil }
	}
	var errA, errB error
	var wait sync.WaitGroup
	wait.Go(func() { t.a, errA = r.before.translate(ctx, p.a) })
	wait.Go(func() { t.b, errB = r.after.translate(ctx, p.b) })
	return func() (*translated, error) {
		wait.Wait()
		switch {
		case errA != nil:
			return nil, fmt.Errorf("%s: %w", r.report.Before, errA)
		case errB != nil:
			return nil, fmt.Errorf("%s: %w", r.report.After, errB)
		}
		return t, nil
	}
}

// translate is nil for a proxy that is not there.
func (m *mesh) translate(ctx context.Context, p *istio.Proxy) (*istio.Config, error) {
	if p == nil {
		return nil, nil
	}
	return m.Config(ctx, *p)
}

// compareProxies compares what a proxy does on both sides.
func (r *run) compareProxies(ctx context.Context, p pair, t *translated) error {
	if p.oneSided() {
		side, other := r.report.Before, r.report.After
		if p.a == nil {
			side, other = other, side
		}
		r.addUnproved(report.Unproved{Reason: fmt.Sprintf("%s has no sidecar of %s, only %s has: its requests were not compared",
			other, p.any().Name+"."+p.any().Namespace, side)})
		return nil
	}
	r.report.Compared.Proxies++
	r.before.clusters, r.after.clusters = map[string]routes.Cluster{}, map[string]routes.Cluster{}
	doorsA, unknownA := doors(t.a)
	doorsB, unknownB := doors(t.b)
	for _, reason := range slices.Compact(slices.Sorted(slices.Values(append(unknownA, unknownB...)))) {
		r.addUnproved(report.Unproved{Proxy: p.any().String(), Reason: reason})
	}
	paired := ways
	if p.any().Kind == istio.Sidecar {
		paired = sidecarWays
	}
	for _, w := range paired(doorsA, doorsB) {
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("compare: %w", err)
		}
		if err := r.compareWay(ctx, p, t.a, t.b, w); err != nil {
			return err
		}
	}
	return nil
}

// from is how people name a proxy for `meshstorm route --from`.
func from(p istio.Proxy) string {
	name := p.Name + "." + p.Namespace
	if p.Kind == istio.Gateway {
		return "gateway:" + name
	}
	return name
}

func (r *run) addUnproved(u report.Unproved) {
	key := u.Reason
	if u.Before != nil && u.After != nil {
		key = strings.Join([]string{u.Reason, u.Before.String(), u.After.String()}, "\x00")
	}
	if i, ok := r.unproved[key]; ok {
		known := &r.report.Unproved[i]
		if u.Proxy != known.Proxy && !slices.Contains(known.Also, u.Proxy) {
			known.Also = append(known.Also, u.Proxy)
		}
		return
	}
	r.unproved[key] = len(r.report.Unproved)
	r.report.Unproved = append(r.report.Unproved, u)
}
