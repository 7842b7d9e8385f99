package standin

import (
	"fmt"
	"log/slog"
	"slices"
	"strings"

	"github.com/meshstorm/meshstorm/deploy"
	"github.com/meshstorm/meshstorm/storm"
)

// domain is one bounded context, ready to run. It never changes: a changed
// model makes another one.
type domain struct {
	workspace string // the model file's name without .json
	service   string // the context's name in the cluster
	label     string // the context as people know it

	aggregates []*aggregate
	views      []*view
	commands   []*command
	policies   map[string][]*policy // by the event they react to
	sources    map[string]source    // by event: where the model says that it comes from
	routes     []*route
	notes      []string // what the model asks for and the lab does not do
}

// aggregate is a collection of items with their behaviour.
type aggregate struct {
	id, name string
	rel      string // of one item: "order"
	path     string // of the collection: "/orders"
	item     string // of an item: "/orders/{id}"
	kind     string // the type of its records in the store
	key      field
	fields   []field // the key among them
	types    *types
	events   []*event
	plain    map[string][]*command // repository commands by method
}

// event is what the context publishes.
type event struct {
	id, name  string
	fields    []field // empty: it carries the aggregate's
	aggregate *aggregate
	trigger   string // "@PostPersist"
	drawn     bool   // a command or policy is drawn to it
	calls     []*call
}

// actor is what commands and policies have in common.
type actor struct {
	id, name string
	intent   intent
	events   []*event
	calls    []*call
}

type command struct {
	actor
	method, path string
	repository   bool
	fields       []field
	aggregate    *aggregate // nil for a command that belongs to none
	onItem       bool       // it changes an item that is there
}

type policy struct {
	actor
	commands []*command
}

// source is the aggregate and context that publish an event.
type source struct{ aggregate, context, key string }

// compiler makes a domain of an archive.
type compiler struct {
	a        *archive
	intent   *deploy.Model
	context  *storm.Context
	d        *domain
	byEvent  map[string]*event   // by ID
	commands map[string]*command // by ID
}

// settings are empty: a workspace's own are not in the archive.
func settings() *deploy.Settings { return deploy.DefaultSettings("lab") }

// services are the names of a model's contexts in the cluster, by context ID.
func services(m *deploy.Model) map[string]string {
	out := make(map[string]string, len(m.Services))
	for _, s := range m.Services {
		out[s.Source.ID] = s.Name
	}
	return out
}

// contextNames are those that an archive's model has, for messages.
func contextNames(m *deploy.Model) []string {
	var names []string
	for _, s := range m.Services {
		names = append(names, s.Name)
	}
	return names
}

// find picks the context of an app label: by its name in the cluster, else by
// its name on the sticker without regard to case and separators.
func find(m *deploy.Model, app string) (*storm.Context, *deploy.Service) {
	loose := func(s string) string { return strings.Join(words(s), "") }
	for _, same := range []func(s *deploy.Service) bool{
		func(s *deploy.Service) bool { return s.Name == app },
		func(s *deploy.Service) bool { return loose(s.Name) == loose(app) || loose(s.Source.Name) == loose(app) },
	} {
		for _, s := range m.Services {
			if !same(s) {
				continue
			}
			for _, c := range m.Source.Contexts {
				if c.ID == s.Source.ID {
					return c, s
				}
			}
		}
	}
	return nil, nil
}

// compile makes the domain of a context of the model.
func compile(a *archive, m *deploy.Model, context *storm.Context, workspace, service string) *domain {
	d := &domain{workspace: workspace, service: service, label: context.Label(), policies: map[string][]*policy{}, sources: map[string]source{}}
	c := &compiler{a: a, intent: m, context: context, d: d, byEvent: map[string]*event{}, commands: map[string]*command{}}
	c.sources()
	for _, from := range context.Aggregates {
		if from.Mirror == "" {
			c.aggregate(from)
		}
	}
	for _, e := range context.Events {
		if e.Mirror == "" {
			c.event(e, nil)
		}
	}
	for _, from := range context.Commands {
		if from.Mirror == "" {
			c.command(from, nil, "")
		}
	}
	c.relations()
	for _, cmd := range d.commands {
		c.outputs(cmd)
	}
	c.reactions()
	for _, v := range context.Views {
		if v.Mirror == "" {
			c.view(v)
		}
	}
	c.route()
	return d
}

func (c *compiler) note(format string, args ...any) {
	c.d.notes = append(c.d.notes, fmt.Sprintf(format, args...))
}

// sources notes where each event of the whole model comes from.
func (c *compiler) sources() {
	for _, ctx := range c.a.model.Contexts {
		for _, a := range ctx.Aggregates {
			for _, e := range a.Events {
				if e.Mirror == "" {
					c.d.sources[eventName(e)] = source{camel(a.Name), camel(ctx.Name), keyOf(e.Fields, a.Fields)}
				}
			}
		}
	}
}

// keyOf is the name of an event's key: its own key field, else the aggregate's.
func keyOf(lists ...[]storm.Field) string {
	for _, list := range lists {
		for _, f := range list {
			if f.Key {
				return fieldName(f.Name)
			}
		}
	}
	return "id"
}

func eventName(e *storm.Event) string { return pascal(e.Label()) }

// pascal is a class name, as the header "type" of events has it. A name that
// is an identifier already stays as it is.
func pascal(name string) string {
	if !strings.ContainsAny(name, " -_./") {
		return name
	}
	c := camel(name)
	if c == "" {
		return name
	}
	r := []rune(c)
	return strings.ToUpper(string(r[0])) + string(r[1:])
}

func (c *compiler) aggregate(from *storm.Aggregate) {
	paths := resourcesOf(&storm.Context{Aggregates: []*storm.Aggregate{{Element: from.Element, Fields: from.Fields}}})
	if len(paths) < 2 {
		c.note("%s has no name that a path could be made of: it is not served", &from.Element)
		return
	}
	a := &aggregate{
		id: from.ID, name: from.Label(), rel: camel(from.Label()), path: paths[0].Path, item: paths[1].Path,
		kind: strings.TrimPrefix(paths[0].Path, "/"), types: newTypes(c.a.classes(from.ID)), plain: map[string][]*command{},
	}
	a.fields = a.types.fields(from.Fields)
	a.key, a.fields = key(from.Fields, a.fields)
	switch a.key.typ.kind {
	case objectType, listType, anyType, enumType:
		c.note("%s has the key %s of class %s: keys of that kind are kept as text", &from.Element, a.key.name, a.key.typ.name)
	}
	c.d.aggregates = append(c.d.aggregates, a)
	for _, e := range from.Events {
		if e.Mirror == "" {
			a.events = append(a.events, c.event(e, a))
		}
	}
	for _, cmd := range from.Commands {
		if cmd.Mirror == "" {
			c.command(cmd, a, from.Name)
		}
	}
}

// key picks the key field, or makes a Long named id, which every entity of the
// original has.
func key(declared []storm.Field, fields []field) (field, []field) {
	for _, f := range declared {
		if i := indexOf(fields, fieldName(f.Name)); f.Key && i >= 0 {
			return fields[i], fields
		}
	}
	if i := indexOf(fields, "id"); i >= 0 {
		return fields[i], fields
	}
	id := field{"id", &fieldType{kind: longType, name: "Long"}}
	return id, append([]field{id}, fields...)
}

func indexOf(fields []field, name string) int {
	return slices.IndexFunc(fields, func(f field) bool { return f.name == name })
}

func (c *compiler) event(from *storm.Event, a *aggregate) *event {
	e := &event{id: from.ID, name: eventName(from), aggregate: a, trigger: c.a.text(from.ID, "trigger")}
	t := newTypes(nil)
	if a != nil {
		t = a.types
	}
	e.fields = t.fields(from.Fields)
	c.byEvent[from.ID] = e
	return e
}

func (c *compiler) command(from *storm.Command, a *aggregate, aggregateName string) {
	cmd := &command{
		actor:  actor{id: from.ID, name: from.Label(), intent: intentOf(from.Label())},
		method: from.Method, repository: from.Repository, aggregate: a,
	}
	t := newTypes(nil)
	if a != nil {
		t = a.types
		a.plain[cmd.method] = append(a.plain[cmd.method], cmd)
		if !from.Repository {
			a.plain[cmd.method] = a.plain[cmd.method][:len(a.plain[cmd.method])-1]
		}
	}
	cmd.fields = t.fields(from.Fields)
	cmd.path = commandPath(from, aggregateName)
	cmd.onItem = strings.Contains(cmd.path, "{") || cmd.method != "POST"
	c.d.commands = append(c.d.commands, cmd)
	c.commands[from.ID] = cmd
}

// resourcesOf asks deploy, which decides the paths that routes have, what a
// context serves.
func resourcesOf(c *storm.Context) []deploy.Resource {
	c.Name = "x"
	m := &storm.Model{Contexts: []*storm.Context{c}, Outside: &storm.Context{}}
	m.Index()
	return deploy.Build(m, settings()).Services[0].Resources
}

// commandPath asks deploy where a command is served: "" where it is not.
func commandPath(cmd *storm.Command, aggregate string) string {
	alone := *cmd
	if aggregate == "" {
		if list := resourcesOf(&storm.Context{Commands: []*storm.Command{&alone}}); len(list) > 0 {
			return list[0].Path
		}
		return ""
	}
	alone.ID = "command"
	list := resourcesOf(&storm.Context{Aggregates: []*storm.Aggregate{{
		Element: storm.Element{ID: "aggregate", Kind: storm.KindAggregate, Name: aggregate}, Commands: []*storm.Command{&alone},
	}}})
	switch {
	case len(list) > 2:
		return list[2].Path
	case len(list) < 2:
		return ""
	case slices.Contains(list[1].Methods, "POST"):
		return list[1].Path
	case len(list[0].Methods) > 2 || alone.Method == "POST":
		return list[0].Path
	}
	return list[1].Path
}

// logNotes says by name what is not executed.
func (d *domain) logNotes(log *slog.Logger) {
	for _, n := range d.notes {
		log.Warn("the model asks for what the lab does not do", "workspace", d.workspace, "context", d.label, "what", n)
	}
}
