package msaez

import (
	"strings"

	"github.com/meshstorm/meshstorm/storm"
)

// places decides what lies in what: by the drawing, as the tool itself does,
// and by the stored references where the drawing says nothing.
type places struct {
	contexts layer
	packages layer
	listed   map[string]*entry // by id: the context whose lists name the sticker
	named    map[string]*entry // contexts by name
	inside   map[*storm.Context]*layer
}

// layer is a set of drawn stickers, in file order, that others can lie on.
type layer struct {
	entries []*entry
	boxes   []rect
	tree    *tree
}

func (l *layer) add(e *entry) {
	l.entries = append(l.entries, e)
	l.boxes = append(l.boxes, rectOf(e.Box))
}

// under finds the last sticker of the layer that e overlaps, and the one before
// it, which the last one hides.
func (l *layer) under(e *entry) (last, before *entry) {
	if !e.drawn || len(l.entries) == 0 {
		return nil, nil
	}
	if l.tree == nil {
		l.tree = newTree(l.boxes)
	}
	i, j := l.tree.last2(rectOf(e.Box))
	if i >= 0 {
		last = l.entries[i]
	}
	if j >= 0 {
		before = l.entries[j]
	}
	return last, before
}

// readLists notes which context's lists name which stickers.
func (r *reader) readLists() {
	p := &r.places
	p.listed = map[string]*entry{}
	p.named = map[string]*entry{}
	for _, e := range r.elements {
		if e.Kind != storm.KindBoundedContext {
			continue
		}
		if _, ok := p.named[e.Name]; !ok && e.Name != "" {
			p.named[e.Name] = e
		}
		for _, list := range []struct {
			field field
			name  string
		}{{fieldAggregates, "aggregates"}, {fieldPolicies, "policies"}, {fieldViews, "views"}, {fieldCommands, "commands"}, {fieldEvents, "events"}} {
			r.items(&e.Element, e.get(list.field), list.name, func(_ []byte, at span) {
				known := r.ids[r.ref(&e.Element, at, list.name+" entry").id]
				if known != nil && p.listed[known.ID] == nil {
					p.listed[known.ID] = e
				}
			})
		}
	}
}

// settle gives every sticker that counts its context.
func (r *reader) settle() {
	p := &r.places
	p.inside = map[*storm.Context]*layer{}
	for _, e := range r.elements {
		switch {
		case e.Kind == storm.KindBoundedContext:
			e.in = &storm.Context{Element: e.Element}
			r.model.Contexts = append(r.model.Contexts, e.in)
			if e.Box.Width > 0 && e.Box.Height > 0 {
				p.contexts.add(e)
			}
		case e.Kind == storm.KindPackage && e.Box.Width > 0 && e.Box.Height > 0:
			p.packages.add(e)
		}
	}
	// Aggregates first: a command may know its context only through its aggregate.
	for _, e := range r.elements {
		if e.Kind == storm.KindAggregate {
			r.settleOne(e)
			if e.in != nil && e.drawn {
				l := p.inside[e.in]
				if l == nil {
					l = &layer{}
					p.inside[e.in] = l
				}
				l.add(e)
			}
		}
	}
	for _, e := range r.elements {
		if counts(e.Kind) && e.Kind != storm.KindAggregate {
			r.settleOne(e)
		}
	}
}

func (r *reader) settleOne(e *entry) {
	home, hidden := r.places.contexts.under(e)
	if hidden != nil {
		r.warn(&e.Element, "it lies on two contexts, %q and %q; it is taken into %q, the later one in the file, as the tool does",
			hidden.Label(), home.Label(), home.Label())
	}
	if home == nil {
		home, _ = r.places.packages.under(e)
	}
	if home == nil {
		home = r.stored(e)
	}
	switch {
	case home == nil:
		e.in = r.model.Outside
		r.warn(&e.Element, "it lies in no bounded context, so that no service has it; move it onto the context it belongs to")
	case home.Kind == storm.KindPackage:
		e.pack = home.pack
	default:
		e.in = home.in
	}
}

// stored finds the context, or package, that the references name: the
// sticker's own, the lists of the contexts, a name, or its aggregate's context.
func (r *reader) stored(e *entry) *entry {
	holds := func(h *entry) bool {
		return h != nil && (h.Kind == storm.KindBoundedContext || h.Kind == storm.KindPackage)
	}
	if h := r.ids[e.context.id]; holds(h) {
		return h
	}
	if h := r.places.listed[e.ID]; h != nil {
		return h
	}
	if h := r.places.named[e.context.name]; h != nil {
		return h
	}
	// Hand-written files put the name where the reference belongs.
	if h := r.places.named[e.context.id]; h != nil {
		return h
	}
	if owner := r.ids[e.owner.id]; owner != nil && owner.Kind == storm.KindAggregate && e.Kind != storm.KindAggregate {
		for _, h := range []*entry{r.ids[owner.context.id], r.places.listed[owner.ID]} {
			if holds(h) && h.in == owner.in {
				return h
			}
		}
		return r.contextOf(owner)
	}
	return nil
}

// contextOf is the entry of the context that an aggregate was settled in.
func (r *reader) contextOf(aggregate *entry) *entry {
	if aggregate.in == nil || aggregate.in == r.model.Outside {
		return nil
	}
	return r.ids[aggregate.in.ID]
}

// aggregateOf finds the aggregate that owns a command or event: of those in the
// same context that it overlaps, the one it refers to, else the last in the
// file; where it overlaps none, the one it refers to.
func (r *reader) aggregateOf(e *entry) *storm.Aggregate {
	said := r.ids[e.owner.id]
	if said != nil && said.Kind != storm.KindAggregate {
		said = nil
	}
	layer := r.places.inside[e.in]
	if layer != nil {
		last, _ := layer.under(e)
		if last != nil {
			if said != nil && said.in == e.in && said.drawn && rectOf(said.Box).overlaps(rectOf(e.Box)) {
				return said.root
			}
			return last.root
		}
	}
	switch {
	case said == nil:
		return r.aggregateNamed(e)
	case said.in == e.in:
		return said.root
	}
	where := "outside every context"
	if said.in != nil && said.in != r.model.Outside {
		where = "in context " + said.in.Label()
	}
	if said.pack != nil {
		where = "in package " + said.pack.Label()
	}
	r.warn(&e.Element, "it refers to aggregate %q, which lies %s; it counts to its own context and to no aggregate", said.Label(), where)
	return nil
}

// aggregateNamed finds the aggregate where the reference holds only its name.
func (r *reader) aggregateNamed(e *entry) *storm.Aggregate {
	if e.owner.empty() {
		return nil
	}
	for _, a := range e.in.Aggregates {
		if name := strings.TrimSpace(a.Name); name != "" && (name == e.owner.name || name == e.owner.id) {
			return a
		}
	}
	return nil
}
