package capture

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/meshstorm/meshstorm/deploy"
	"github.com/meshstorm/meshstorm/topping/kubernetes"
)

// bounded is a bounded context as the objects show it.
type bounded struct {
	name      string
	service   Object
	workloads []Object // that the Service selects
	routed    bool     // some VirtualService sends to it
	uses      []use
	exposed   bool
	prefix    string // at the gateway
	paths     []path
	shares    []map[string]int32 // one for each rule that splits stable and canary
}

// path is one that a context serves.
type path struct {
	text string // "/orders/{id}"
	read bool   // no rule takes commands for it
}

// deriver finds the bounded contexts of a snapshot.
type deriver struct {
	snap     *Snapshot
	objects  []Object
	contexts []*bounded
	byName   map[string]*bounded
	gaps     []Gap
}

func (d *deriver) gap(about, format string, args ...any) {
	d.gaps = append(d.gaps, Gap{about, fmt.Sprintf(format, args...)})
}

func derive(s *Snapshot, objects []Object) *deriver {
	d := &deriver{snap: s, objects: objects, byName: map[string]*bounded{}}
	d.findContexts()
	for _, o := range objects {
		if isVirtualService(o) {
			d.routes(withoutShift(o), shifted(o))
		}
	}
	for _, c := range d.contexts {
		d.settle(c)
	}
	return d
}

// findContexts takes the Services that have workloads. Where several select the
// same pods, one of them is the context.
func (d *deriver) findContexts() {
	var all []*bounded
	targets := d.targets()
	for _, o := range d.objects {
		id := d.snap.full(o.ID())
		if id.Group != "" || id.Kind != "Service" || id.Namespace != d.snap.Namespace {
			continue
		}
		c := &bounded{name: id.Name, service: o, routed: targets[id.Name]}
		c.workloads = d.selected(mapping(o.Content, "spec", "selector"))
		if len(c.workloads) > 0 {
			all = append(all, c)
		}
	}
	slices.SortStableFunc(all, func(a, b *bounded) int {
		return cmp.Or(first(b.routed, a.routed), len(b.workloads)-len(a.workloads), first(b.named(), a.named()), len(a.name)-len(b.name), cmp.Compare(a.name, b.name))
	})
	claimed := map[string]string{}
	for _, c := range all {
		owner := claimed[c.workloads[0].ID().Kind+"/"+c.workloads[0].ID().Name]
		switch {
		case !c.routed && owner != "":
			d.gap("Service/"+c.name, "it selects pods of the bounded context %s; kept as a file", owner)
			continue
		case !c.routed && !c.deployed():
			continue // a database or a broker: what stands behind it is no context
		case !d.fits(c):
			continue
		}
		for _, w := range c.workloads {
			if key := w.ID().Kind + "/" + w.ID().Name; claimed[key] == "" {
				claimed[key] = c.name
			}
		}
		d.contexts, d.byName[c.name] = append(d.contexts, c), c
	}
	slices.SortFunc(d.contexts, func(a, b *bounded) int { return cmp.Compare(a.name, b.name) })
}

// first orders what is true before what is not.
func first(b, a bool) int {
	switch {
	case b == a:
		return 0
	case b:
		return 1
	}
	return -1
}

// named tells whether a workload has the Service's name.
func (c *bounded) named() bool {
	return slices.ContainsFunc(c.workloads, func(o Object) bool { return o.ID().Name == c.name })
}

func (c *bounded) deployed() bool {
	return slices.ContainsFunc(c.workloads, func(o Object) bool { return o.ID().Kind == "Deployment" || o.ID().Kind == "Rollout" })
}

// fits tells whether meshstorm can use a Service's name for a context.
func (d *deriver) fits(c *bounded) bool {
	switch {
	case len(c.name) > deploy.MaxName:
		d.gap("Service/"+c.name, "its name has more than %d characters, which a bounded context cannot have; kept as a file", deploy.MaxName)
		return false
	case c.name == "" || c.name[0] < 'a' || c.name[0] > 'z':
		d.gap("Service/"+c.name, "its name does not begin with a letter, which a bounded context's must; kept as a file")
		return false
	}
	for _, suffix := range []string{kubernetes.CanarySuffix, "-mesh"} {
		if base, ok := strings.CutSuffix(c.name, suffix); ok && d.byName[base] != nil {
			d.gap("Service/"+c.name, "its name is one that meshstorm makes for %s; kept as a file", base)
			return false
		}
	}
	return true
}

// selected are the workloads whose pods a selector takes.
func (d *deriver) selected(selector map[string]any) []Object {
	if len(selector) == 0 {
		return nil
	}
	var all []Object
	for _, o := range d.objects {
		id := d.snap.full(o.ID())
		if !workloadKinds[id.Group+"/"+id.Kind] || id.Namespace != d.snap.Namespace {
			continue
		}
		if selects(selector, mapping(o.Content, "spec", "template", "metadata", "labels")) {
			all = append(all, o)
		}
	}
	return all
}

func selects(selector, labels map[string]any) bool {
	for k, v := range selector {
		if labels[k] != v {
			return false
		}
	}
	return true
}

// workload is the Deployment that stands for the stable track, or whatever
// comes nearest to it.
func (c *bounded) workload() Object {
	best := c.workloads[0]
	rank := func(o Object) int {
		labels := mapping(o.Content, "spec", "template", "metadata", "labels")
		switch {
		case o.ID().Name == c.name:
			return 3
		case labels["track"] == deploy.TrackStable:
			return 2
		case o.ID().Kind == "Deployment" && labels["track"] != deploy.TrackCanary:
			return 1
		}
		return 0
	}
	for _, o := range c.workloads[1:] {
		if rank(o) > rank(best) {
			best = o
		}
	}
	return best
}

// container is the one that is the service's, not a helper beside it.
func (c *bounded) container() map[string]any {
	all := items(c.workload().Content, "spec", "template", "spec", "containers")
	for _, one := range all {
		if one["name"] == c.name {
			return one
		}
	}
	if len(all) > 0 {
		return all[0]
	}
	return nil
}

// remove takes a context out again, for meshstorm could not generate it.
func (d *deriver) remove(name, why string) bool {
	i := slices.IndexFunc(d.contexts, func(c *bounded) bool { return c.name == name })
	if i < 0 {
		return false
	}
	d.contexts = slices.Delete(d.contexts, i, i+1)
	delete(d.byName, name)
	d.gap("Service/"+name, "no bounded context can be made of it: %s; kept as a file", why)
	return true
}
