package msaez

import (
	"fmt"

	"github.com/meshstorm/meshstorm/storm"
)

// connect makes the relations. Their from and to are trusted; the copies of
// the stickers inside them are outdated as a rule and only asked where an end
// is missing.
func (r *reader) connect() {
	for _, e := range r.relations {
		if e.Kind == storm.KindLine {
			r.model.Notes = append(r.model.Notes, e.copied())
			continue
		}
		e.Kind = "Relation"
		from, to := r.end(e, "from", e.get(fieldFrom), fieldSource), r.end(e, "to", e.get(fieldTo), fieldTarget)
		if from == "" || to == "" {
			continue
		}
		rel := &storm.Relation{ID: e.ID, Name: e.Name, From: from, To: to}
		if rel.Name == "" {
			rel.Name = e.DisplayName
		}
		rel.Fallback, _ = r.flag(&e.Element, e.get(fieldFallback), "fallback")
		rel.CircuitBreaker, _ = r.flag(&e.Element, e.get(fieldBreaker), "circuitBreaker")
		source, _ := r.model.Resolve(from)
		target, _ := r.model.Resolve(to)
		rel.Kind = storm.KindOf(source.Kind, target.Kind)
		r.model.Relations = append(r.model.Relations, rel)
	}
}

// end finds the sticker at one end of a relation; "" and a warning where there
// is none.
func (r *reader) end(e *entry, name string, p span, embedded field) string {
	id := r.id(&e.Element, p, name)
	if id == "" {
		r.pick(e.get(fieldRelationView), func(key []byte, at span) {
			if string(key) == name && r.is(at, '"') {
				id = unquote(r.raw(at))
			}
		})
	}
	if id == "" {
		id = r.embedded(e.get(embedded))
	}
	if known := r.ids[id]; known != nil && !known.unknown {
		if _, ok := r.model.Lookup(known.ID); ok {
			return known.ID
		}
	}
	if _, ok := r.model.Lookup(id); ok {
		return id
	}
	why := fmt.Sprintf("points to %q, which is not in the model", short(id))
	switch {
	case id == "":
		why = "is missing"
	case r.ids[id] != nil:
		why = "is " + r.ids[id].String() + ", whose type has no part in deployment"
	case r.deleted[id]:
		why = fmt.Sprintf("points to %q, which was deleted", short(id))
	}
	r.warn(&e.Element, "its end %q %s; the relation stays in the file and is otherwise left out", name, why)
	return ""
}

// embedded finds the id in the copy of a sticker: that of the drawing first,
// for relations are drawn between drawings.
func (r *reader) embedded(p span) string {
	own, view := "", ""
	r.pick(p, func(key []byte, at span) {
		switch {
		case string(key) == "id" && r.is(at, '"'):
			own = unquote(r.raw(at))
		case string(key) == "elementView":
			view = r.viewID(at, "")
		}
	})
	if r.ids[view] != nil || r.nested[view] || own == "" {
		return view
	}
	return own
}
