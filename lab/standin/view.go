package standin

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"

	"github.com/meshstorm/meshstorm/lab/store"
	"github.com/meshstorm/meshstorm/storm"
)

// view is a read model: rows that events fill, or another look at an aggregate.
type view struct {
	id, name string
	rel      string
	path     string // "/myPages", or the path of its query
	item     string // "/myPages/{id}"; "" for a query
	kind     string
	key      field
	fields   []field
	rules    []*rule
	of       *aggregate // its rows are this aggregate's items; nil for rows of its own
	multiple bool
	missing  string // why it cannot answer; "" where it can
}

type ruleKind string

const (
	createRule ruleKind = "createRules"
	updateRule ruleKind = "updateRules"
	deleteRule ruleKind = "deleteRules"
)

// rule changes rows when an event arrives.
type rule struct {
	kind  ruleKind
	event string
	set   []mapping
	where []mapping
}

// mapping is a field of the row and where its value comes from.
type mapping struct {
	to       string
	from     string // a field of the event
	constant any    // stands instead, where from is empty
	sign     int    // +1 or -1 adds or subtracts; 0 sets
}

func (c *compiler) view(from *storm.View) {
	alone := *from
	paths := resourcesOf(&storm.Context{Views: []*storm.View{&alone}})
	if len(paths) == 0 {
		c.note("%s has no name that a path could be made of: it is not served", &from.Element)
		return
	}
	v := &view{id: from.ID, name: from.Label(), rel: camel(from.Label()), path: paths[0].Path, multiple: from.Multiple, kind: "view:" + from.Label()}
	if len(paths) > 1 {
		v.item, v.multiple = paths[1].Path, true
	}
	t := newTypes(c.classesOf(from.ID))
	v.fields = t.fields(from.Fields)
	v.key, v.fields = key(from.Fields, v.fields)
	switch from.Projection {
	case "query-for-aggregate":
		if v.of = c.d.aggregateByID(c.a.ref(from.ID, "aggregate")); v.of == nil {
			v.of = c.d.aggregateLike(v)
		}
		if v.of == nil {
			v.missing = "it queries an aggregate, and the model does not say which"
		}
	case "query-for-multiple-aggregate":
		v.missing = "queries over several aggregates are not executed in the lab"
	}
	if v.missing != "" {
		c.note("the read model %q: %s", v.name, v.missing)
	}
	for _, kind := range []ruleKind{createRule, updateRule, deleteRule} {
		for _, r := range c.a.rules(from.ID, string(kind)) {
			v.rules = append(v.rules, c.rule(kind, r))
		}
	}
	c.d.views = append(c.d.views, v)
}

func (c *compiler) classesOf(id string) map[string]*classElement {
	if a := c.a.ref(id, "aggregate"); a != "" {
		return c.a.classes(a)
	}
	out := map[string]*classElement{}
	for _, a := range c.context.Aggregates {
		for name, class := range c.a.classes(a.ID) {
			out[name] = class
		}
	}
	return out
}

func (c *compiler) rule(kind ruleKind, from ruleElement) *rule {
	r := &rule{kind: kind, event: pascal(from.When.Name)}
	if l, ok := c.a.model.Resolve(from.When.ID); ok && l.Kind == storm.KindEvent {
		r.event = pascal(l.Label())
	}
	for _, m := range from.Fields {
		if m.View == nil || m.View.Name == "" || m.Event == nil {
			continue
		}
		to := mappingOf(m.View, m.Event)
		switch strings.TrimSpace(m.Operator) {
		case "+", "+=":
			to.sign = 1
		case "-", "-=":
			to.sign = -1
		}
		r.set = append(r.set, to)
	}
	for _, m := range from.Where {
		if m.View != nil && m.View.Name != "" && m.Event != nil {
			r.where = append(r.where, mappingOf(m.View, m.Event))
		}
	}
	return r
}

// mappingOf reads the tool's two ways to write a constant: a value, or a name in
// quotes.
func mappingOf(to, from *ruleField) mapping {
	m := mapping{to: fieldName(to.Name), from: fieldName(from.Name)}
	name := strings.TrimSpace(from.Name)
	quoted := len(name) > 1 && (name[0] == '\'' || name[0] == '"') && name[len(name)-1] == name[0]
	switch {
	case len(from.Value) > 0 && string(from.Value) != "null":
		m.from, m.constant = "", decode(from.Value)
	case quoted:
		m.from, m.constant = "", name[1:len(name)-1]
	}
	return m
}

func (m *mapping) value(e *message) any {
	if m.from == "" {
		return m.constant
	}
	return e.values[m.from]
}

func (d *domain) aggregateByID(id string) *aggregate {
	for _, a := range d.aggregates {
		if a.id == id {
			return a
		}
	}
	return nil
}

// aggregateLike is the only aggregate, or the only one with all of a view's
// fields.
func (d *domain) aggregateLike(v *view) *aggregate {
	if len(d.aggregates) == 1 {
		return d.aggregates[0]
	}
	var found []*aggregate
	for _, a := range d.aggregates {
		if !slices.ContainsFunc(v.fields, func(f field) bool { return indexOf(a.fields, f.name) < 0 }) {
			found = append(found, a)
		}
	}
	if len(found) == 1 {
		return found[0]
	}
	return nil
}

// project changes a view's rows by one rule, once per event.
func (s *service) project(ctx context.Context, v *view, r *rule, e *message, mark string) error {
	for range attempts {
		b := store.Batch{Processed: mark}
		var err error
		if r.kind == createRule {
			err = s.createRow(ctx, v, r, e, &b)
		} else {
			err = s.changeRows(ctx, v, r, e, &b)
		}
		if err != nil {
			return err
		}
		_, err = s.store.Commit(ctx, b)
		if !errors.Is(err, store.ErrConflict) && !errors.Is(err, store.ErrNotFound) {
			return ignoreProcessed(err)
		}
	}
	return store.ErrConflict
}

func (s *service) createRow(ctx context.Context, v *view, r *rule, e *message, b *store.Batch) error {
	row := v.assign(values{}, r, e)
	key := keyText(row[v.key.name])
	if key == "" {
		var err error
		if key, err = s.newKey(ctx, v.kind, v.key); err != nil {
			return err
		}
		row[v.key.name] = keyValue(v.key, key)
	}
	b.Puts = append(b.Puts, store.Put{Type: v.kind, Key: key, Value: encode(row)})
	return nil
}

// changeRows updates or deletes the rows that fulfil the rule's conditions; one
// without conditions means the row with the event's key.
func (s *service) changeRows(ctx context.Context, v *view, r *rule, e *message, b *store.Batch) error {
	where := map[string]json.RawMessage{}
	for i := range r.where {
		want := r.where[i].value(e)
		if j := indexOf(v.fields, r.where[i].to); j >= 0 {
			var bad []invalid
			if fits := v.fields[j].typ.convert("", want, &bad); len(bad) == 0 {
				want = fits
			}
		}
		where[r.where[i].to] = encode(want)
	}
	if len(where) == 0 {
		id := e.values[v.key.name]
		if id == nil {
			id = e.key()
		}
		where[v.key.name] = encode(id)
	}
	for _, want := range where {
		if string(want) == "null" {
			return nil // a condition that the event does not fill fits no row
		}
	}
	page, err := s.store.List(ctx, v.kind, store.Query{Where: where})
	if err != nil {
		return err
	}
	for _, record := range page.Records {
		if r.kind == deleteRule {
			b.Deletes = append(b.Deletes, store.Delete{Type: v.kind, Key: record.Key, IfAt: &record.Version})
			continue
		}
		row, _ := decode(record.Value).(values)
		b.Puts = append(b.Puts, store.Put{Type: v.kind, Key: record.Key, IfAt: &record.Version, Value: encode(v.assign(row, r, e))})
	}
	return nil
}

func (v *view) assign(row values, r *rule, e *message) values {
	for i := range r.set {
		m := &r.set[i]
		value := m.value(e)
		if m.sign != 0 {
			value = plus(row[m.to], value, m.sign)
		}
		if j := indexOf(v.fields, m.to); j >= 0 {
			var bad []invalid
			if value = v.fields[j].typ.convert(m.to, value, &bad); len(bad) > 0 {
				continue // the model maps what does not fit; the row keeps what it has
			}
		}
		row[m.to] = value
	}
	return row
}
