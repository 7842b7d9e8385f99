package msaez

import (
	"slices"
	"strings"

	"github.com/meshstorm/meshstorm/storm"
)

// build makes the domain's elements and puts each where it was settled.
func (r *reader) build() {
	r.settle()
	m := r.model
	for _, e := range r.elements {
		if e.Kind == storm.KindAggregate {
			e.root = r.aggregate(e)
			if e.in != nil {
				e.in.Aggregates = append(e.in.Aggregates, e.root)
			}
		}
	}
	var commands layer
	for _, e := range r.elements {
		if e.unknown {
			continue
		}
		if e.pack != nil && e.Kind != storm.KindPackage {
			if !r.nested[e.ID] {
				e.pack.Elements = append(e.pack.Elements, e.copied())
			}
			continue
		}
		switch e.Kind {
		case storm.KindCommand:
			r.addCommand(e)
			if e.drawn {
				commands.add(e)
			}
		case storm.KindEvent:
			r.addEvent(e)
		case storm.KindPolicy:
			saga, _ := r.flag(&e.Element, e.get(fieldSaga), "isSaga")
			e.in.Policies = append(e.in.Policies, &storm.Policy{Element: e.Element, Saga: saga})
		case storm.KindView:
			e.in.Views = append(e.in.Views, r.view(e))
		case storm.KindExternal:
			m.Externals = append(m.Externals, e.copied())
		case storm.KindActor:
			m.Actors = append(m.Actors, &storm.Actor{Element: e.Element})
		case storm.KindUI, storm.KindIssue, storm.KindText, storm.KindLine:
			m.Notes = append(m.Notes, e.copied())
		case storm.KindBoundedContext, storm.KindAggregate, storm.KindPackage: // in the model already
		}
	}
	r.actors(&commands)
}

func (r *reader) addCommand(e *entry) {
	c := r.command(e)
	if a := r.aggregateOf(e); a != nil {
		a.Commands = append(a.Commands, c)
		return
	}
	e.in.Commands = append(e.in.Commands, c)
}

func (r *reader) addEvent(e *entry) {
	x := &storm.Event{Element: e.Element, Fields: r.attributes(e, e.get(fieldDescriptors), "fieldDescriptors")}
	if a := r.aggregateOf(e); a != nil {
		a.Events = append(a.Events, x)
		return
	}
	e.in.Events = append(e.in.Events, x)
}

func (r *reader) aggregate(e *entry) *storm.Aggregate {
	a := &storm.Aggregate{Element: e.Element}
	descriptors := e.get(fieldDescriptors)
	var entities span
	r.pick(e.get(fieldRoot), func(key []byte, at span) {
		switch string(key) {
		case "fieldDescriptors":
			descriptors = at
		case "entities":
			entities = at
		}
	})
	a.Fields = r.attributes(e, descriptors, "aggregateRoot.fieldDescriptors")
	classes := entities
	r.pick(entities, func(key []byte, at span) {
		if string(key) == "elements" {
			classes = at
		}
	})
	r.items(&e.Element, classes, "aggregateRoot.entities", func(_ []byte, at span) {
		if name := r.class(e, at); name != "" {
			a.Entities = append(a.Entities, name)
		}
	})
	return a
}

// class is the name of a class inside an aggregate; "" for the frame around
// them and for the class that is the aggregate itself.
func (r *reader) class(e *entry, at span) string {
	name, isClass := "", true
	r.pick(at, func(key []byte, at span) {
		switch string(key) {
		case "name":
			name = r.word(&e.Element, at, "class's name")
		case "_type":
			isClass = isClass && !strings.HasSuffix(r.word(&e.Element, at, "class's _type"), "ClassGroup")
		case "isAggregateRoot":
			root, _ := r.flag(&e.Element, at, "class's isAggregateRoot")
			isClass = isClass && !root
		}
	})
	if !isClass {
		return ""
	}
	return name
}

// attributes reads a list of field descriptors; those without a name are left
// out.
func (r *reader) attributes(e *entry, p span, what string) []storm.Field {
	var fields []storm.Field
	r.items(&e.Element, p, what, func(_ []byte, at span) {
		var f storm.Field
		r.pick(at, func(key []byte, at span) {
			switch string(key) {
			case "name":
				f.Name = r.word(&e.Element, at, "attribute's name")
			case "className":
				f.Class = r.word(&e.Element, at, "attribute's className")
			case "isKey":
				f.Key, _ = r.flag(&e.Element, at, "attribute's isKey")
			case "isVO":
				f.Value, _ = r.flag(&e.Element, at, "attribute's isVO")
			case "isList":
				f.List, _ = r.flag(&e.Element, at, "attribute's isList")
			}
		})
		f.List = f.List || strings.HasPrefix(f.Class, "List<")
		if f.Name != "" {
			fields = append(fields, f)
		}
	})
	return fields
}

func (r *reader) view(e *entry) *storm.View {
	v := &storm.View{
		Element:         e.Element,
		Fields:          r.attributes(e, e.get(fieldDescriptors), "fieldDescriptors"),
		QueryParameters: r.attributes(e, e.get(fieldParameters), "queryParameters"),
		Projection:      r.text(&e.Element, e.get(fieldProjection), "dataProjection"),
	}
	r.pick(e.get(fieldQuery), func(key []byte, at span) {
		switch string(key) {
		case "apiPath":
			v.Path = r.text(&e.Element, at, "queryOption.apiPath")
		case "multipleResult":
			v.Multiple, _ = r.flag(&e.Element, at, "queryOption.multipleResult")
		}
	})
	r.viewRule(v, e, fieldCreateRules, "createRules")
	r.viewRule(v, e, fieldUpdateRules, "updateRules")
	r.viewRule(v, e, fieldDeleteRules, "deleteRules")
	return v
}

// viewRule adds the events that one list of a read model's rules waits for.
// Each rule carries a copy of its event, of which only the id is trusted; an
// event that is gone leaves the rule without effect.
func (r *reader) viewRule(v *storm.View, e *entry, list field, what string) {
	r.items(&e.Element, e.get(list), what, func(_ []byte, at span) {
		r.pick(at, func(key []byte, at span) {
			if string(key) != "when" {
				return
			}
			event := r.ids[r.embedded(at)]
			if event != nil && event.Kind == storm.KindEvent && !slices.Contains(v.Events, event.ID) {
				v.Events = append(v.Events, event.ID)
			}
		})
	})
}

// actors gives every actor the commands it touches on the drawing, else those
// that the file says it has.
func (r *reader) actors(commands *layer) {
	// More is a pile, not a drawing; and all pairs of a pile would not fit in memory.
	const most = 100
	index := newTree(commands.boxes)
	actor := 0
	for _, e := range r.elements {
		if e.Kind != storm.KindActor {
			continue
		}
		a := r.model.Actors[actor]
		actor++
		if e.drawn {
			for _, i := range index.all(rectOf(e.Box), most) {
				a.Commands = append(a.Commands, commands.entries[i].ID)
			}
		}
		if len(a.Commands) == most {
			r.warn(&e.Element, "it touches %d commands or more; only %d are taken", most, most)
		}
		if len(a.Commands) > 0 {
			continue
		}
		r.pick(e.get(fieldInner), func(key []byte, at span) {
			if string(key) != "command" {
				return
			}
			r.items(&e.Element, at, "innerAggregate.command", func(_ []byte, at span) {
				if c := r.ids[r.ref(&e.Element, at, "innerAggregate.command entry").id]; c != nil && c.Kind == storm.KindCommand && c.pack == nil {
					a.Commands = append(a.Commands, c.ID)
				}
			})
		})
	}
}
