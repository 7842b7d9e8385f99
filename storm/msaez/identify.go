package msaez

import (
	"fmt"
	"strings"

	"github.com/meshstorm/meshstorm/storm"
)

// identify reads what all stickers share and gives each its id: its own, else
// that of its drawing, else its key.
func (r *reader) identify() *fault {
	r.ids = make(map[string]*entry, len(r.elements))
	for i, e := range r.elements {
		r.common(e, i)
		if f := r.claim(e, r.ids, "sticker", "elements"); f != nil {
			return f
		}
		r.checkType(e)
	}
	// Relations point to the drawing's id, references to the element's; files
	// by the tool's AI generators have only keys.
	for _, e := range r.elements {
		r.alias(e.viewID, e)
	}
	for _, e := range r.elements {
		r.alias(e.key, e)
	}
	for _, e := range r.elements {
		r.references(e)
	}
	relations := make(map[string]*entry, len(r.relations))
	for i, e := range r.relations {
		r.common(e, i)
		if f := r.claim(e, relations, "relation", "relations"); f != nil {
			return f
		}
	}
	return nil
}

func (r *reader) alias(id string, e *entry) {
	if id == "" || id == e.ID {
		return
	}
	if _, taken := r.ids[id]; !taken {
		r.ids[id] = e
	}
}

// common reads id, type, names and drawing.
func (r *reader) common(e *entry, index int) {
	e.ID = e.key
	typeName := r.word(nil, e.get(fieldType), "_type")
	if typeName == "" {
		r.pick(e.get(fieldView), func(key []byte, at span) {
			if string(key) == "_type" {
				typeName = r.text(nil, at, "elementView._type")
			}
		})
	}
	e.Kind = kindOf(typeName)
	e.typeName = typeName
	e.Name = r.text(&e.Element, e.get(fieldName), "name")
	if own := e.get(fieldID); !r.is(own, '"') || string(r.data[own.start+1:own.end-1]) != e.key {
		e.ID = r.text(&e.Element, own, "id")
	}
	e.viewID = r.viewID(e.get(fieldView), e.ID)
	if e.viewID == "" {
		e.viewID = r.viewID(e.get(fieldRelationView), e.ID)
	}
	switch {
	case e.ID != "":
	case e.viewID != "":
		e.ID = e.viewID
	case e.key != "":
		e.ID = e.key
	default:
		e.ID = fmt.Sprintf("#%d", index)
	}
	e.DisplayName = r.text(&e.Element, e.get(fieldDisplayName), "displayName")
	e.Description = r.text(&e.Element, e.get(fieldDescription), "description")
	e.Box, e.drawn = r.box(&e.Element, e.get(fieldView))
}

// claim makes sure that ids are unique. Copies that differ at least in the id
// of their drawing can still be told apart.
func (r *reader) claim(e *entry, ids map[string]*entry, what, list string) *fault {
	first, taken := ids[e.ID]
	if taken && e.viewID != "" && e.viewID != first.viewID && ids[e.viewID] == nil {
		r.warn(&e.Element, "it has the same id as %s; the id of its drawing, %s, is used instead", first.String(), e.viewID)
		e.ID = e.viewID
		taken = false
	}
	if !taken {
		ids[e.ID] = e
		return nil
	}
	line, column := position(r.data, first.keyAt)
	path := ""
	if e.key != "" {
		path = fmt.Sprintf("%s[%q]", list, short(e.key))
	}
	return &fault{off: e.keyAt, path: path,
		msg:  fmt.Sprintf("the id %q is there twice, first in the %s %q at %d:%d", short(e.ID), what, short(first.Label()), line, column),
		hint: "give one of the two its own id, or delete it"}
}

// box reads where a sticker lies; x and y are its centre.
func (r *reader) box(e *storm.Element, view span) (storm.Box, bool) {
	var b storm.Box
	var x, y bool
	r.pick(view, func(key []byte, at span) {
		switch string(key) {
		case "x":
			b.X, x = r.number(e, at, "elementView.x")
		case "y":
			b.Y, y = r.number(e, at, "elementView.y")
		case "width":
			b.Width, _ = r.number(e, at, "elementView.width")
		case "height":
			b.Height, _ = r.number(e, at, "elementView.height")
		}
	})
	if r.has(view) && !r.is(view, '{') {
		r.mistyped(e, view, "elementView", "an object", "it counts as never drawn")
	}
	if !x || !y {
		return storm.Box{}, false
	}
	b.Width, b.Height = max(b.Width, 0), max(b.Height, 0)
	return b, true
}

// references reads what the sticker says it lies in, and which element it
// stands for: ids, or objects with them.
func (r *reader) references(e *entry) {
	e.context = r.ref(&e.Element, e.get(fieldContext), "boundedContext")
	e.owner = r.ref(&e.Element, e.get(fieldAggregate), "aggregate")
	e.Mirror = r.ref(&e.Element, e.get(fieldMirror), "mirrorElement").id
	if original, ok := r.ids[e.Mirror]; ok {
		e.Mirror = original.ID
	}
}

// checkType warns about an entry that is no sticker of EventStorming, such as
// one of a customer journey.
func (r *reader) checkType(e *entry) {
	if e.Kind != "" {
		return
	}
	e.unknown = true
	if e.typeName == "" {
		e.Kind = "Sticker"
		r.warn(&e.Element, "it has no _type; it stays in the file and is otherwise left out")
		return
	}
	e.Kind = storm.Kind(e.typeName[strings.LastIndexByte(e.typeName, '.')+1:])
	if kindOf(string(e.Kind)) != "" {
		e.Kind = storm.Kind(e.typeName) // another family's Event is not ours
	}
	r.warn(&e.Element, "its type %q is no sticker of EventStorming; it stays in the file and is otherwise left out", short(e.typeName))
}
