package msaez

import (
	"fmt"
	"strings"

	"github.com/meshstorm/meshstorm/storm"
)

// findLoops refuses references that lead back to where they began: nobody can
// say where such stickers belong.
func (r *reader) findLoops() *fault {
	for _, e := range r.elements {
		// A sticker drawn inside a package stands for the package's own element,
		// under the same id.
		if e.Mirror == e.ID && r.nested[e.ID] {
			e.Mirror = ""
		}
		if e.Mirror != "" && r.ids[e.Mirror] == nil && !r.nested[e.Mirror] {
			r.warn(&e.Element, "it stands for the element %q (mirrorElement), which is not in this model; what that one serves is not known here", short(e.Mirror))
		}
	}
	mirrors := func(e *entry) *entry { return r.ids[e.Mirror] }
	if f := r.loop(mirrors, "stand for each other (mirrorElement)", "clear mirrorElement of one of them"); f != nil {
		return f
	}
	return r.loop(r.parent, "contain each other (boundedContext, aggregate)", "clear the reference of one of them")
}

// parent is the sticker that this one says it lies in.
func (r *reader) parent(e *entry) *entry {
	if e.Kind != storm.KindAggregate && e.Kind != storm.KindBoundedContext {
		if p := r.ids[e.owner.id]; p != nil {
			return p
		}
	}
	if p := r.ids[e.context.id]; p != nil {
		return p
	}
	return r.places.listed[e.ID]
}

// loop follows next from every sticker and reports the first circle.
func (r *reader) loop(next func(*entry) *entry, how, hint string) *fault {
	for walk, start := range r.elements {
		for e := start; e != nil; e = next(e) {
			if e.visit == r.walks+walk+1 {
				return r.circle(e, next, how, hint)
			}
			if e.visit > r.walks {
				break
			}
			e.visit = r.walks + walk + 1
		}
	}
	r.walks += len(r.elements)
	return nil
}

func (r *reader) circle(e *entry, next func(*entry) *entry, how, hint string) *fault {
	const most = 5
	names := []string{e.String()}
	for at := next(e); at != e; at = next(at) {
		if len(names) == most {
			names = append(names, "…")
			break
		}
		names = append(names, at.String())
	}
	names = append(names, e.String())
	return &fault{off: e.keyAt, path: fmt.Sprintf("elements[%q]", short(e.ID)),
		msg: fmt.Sprintf("stickers that %s in a loop: %s", how, strings.Join(names, " → ")), hint: hint}
}
