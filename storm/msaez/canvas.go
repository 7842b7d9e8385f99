package msaez

import (
	"encoding/json"

	"github.com/meshstorm/meshstorm/storm"
)

// CanvasObject is an object that was drawn on the tool's deployment canvas
// (k8sValue). Its raw messages are parts of the document: they must not be
// changed.
type CanvasObject struct {
	ID     string
	Type   string          // the palette's name, "VirtualService", "DestinationRuleSubset"
	Name   string          // the element's name, else the object's metadata.name; may be empty
	Object json.RawMessage // the Kubernetes object; nil where there is none, as for a DestinationRuleSubset

	X, Y          float64 // the centre, in canvas units
	Width, Height float64

	Raw json.RawMessage // the whole element
}

// CanvasRelation is an arrow on the deployment canvas. Its ends are IDs of
// canvas objects as the file has them; they may lead nowhere.
type CanvasRelation struct {
	ID, Type string
	From, To string
}

// Canvas lists the objects of the deployment canvas in the order of the file,
// without deleted (null) ones.
func (d *Document) Canvas() []CanvasObject {
	var objects []CanvasObject
	d.canvas("elements", func(r *reader, e *entry, object span) {
		o := CanvasObject{ID: e.ID, Type: e.typeName, Name: e.Name, Raw: r.raw(e.at),
			X: e.Box.X, Y: e.Box.Y, Width: e.Box.Width, Height: e.Box.Height}
		if r.has(object) {
			o.Object = r.raw(object)
			if o.Name == "" {
				o.Name = r.objectName(object)
			}
		}
		objects = append(objects, o)
	})
	return objects
}

// CanvasRelations lists the arrows of the deployment canvas in the order of
// the file, without deleted (null) ones.
func (d *Document) CanvasRelations() []CanvasRelation {
	var relations []CanvasRelation
	d.canvas("relations", func(r *reader, e *entry, _ span) {
		c := CanvasRelation{ID: e.ID, Type: e.typeName,
			From: r.text(nil, e.get(fieldFrom), "from"), To: r.text(nil, e.get(fieldTo), "to")}
		if c.From == "" {
			c.From = r.embedded(e.get(fieldSource))
		}
		if c.To == "" {
			c.To = r.embedded(e.get(fieldTarget))
		}
		relations = append(relations, c)
	})
	return relations
}

// canvas walks one of the collections of k8sValue.
func (d *Document) canvas(list string, each func(r *reader, e *entry, object span)) {
	r := &reader{data: d.data, model: &storm.Model{}}
	r.pick(d.top.canvas, func(name []byte, at span) {
		if string(name) != list {
			return
		}
		index := 0
		r.items(nil, at, list, func(key []byte, at span) {
			if !r.is(at, '{') {
				return
			}
			e, f := r.entry(r.inside(at), string(key), int(at.start))
			if f != nil {
				return
			}
			r.common(e, index)
			index++
			var object span
			r.pick(at, func(key []byte, at span) {
				if string(key) == "object" {
					object = at
				}
			})
			each(r, e, object)
		})
	})
}

func (r *reader) objectName(object span) string {
	name := ""
	r.pick(object, func(key []byte, at span) {
		if string(key) != "metadata" {
			return
		}
		r.pick(at, func(key []byte, at span) {
			if string(key) == "name" {
				name = r.text(nil, at, "metadata.name")
			}
		})
	})
	return name
}
