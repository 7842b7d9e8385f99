// Package storm is the domain model of an EventStorming session: bounded
// contexts with their aggregates, commands, events, policies and read models,
// the actors and external systems around them, and the relations between all
// of these. It takes nothing: readers such as storm/msaez fill it. It gives a
// model in which every containment and every relation end is already decided,
// so that nobody behind it looks at geometry or at stored references again.
package storm

import (
	"fmt"
	"iter"
	"slices"
)

// Kind is the type of a sticker.
type Kind string

// The kinds of stickers that EventStorming knows.
const (
	KindBoundedContext Kind = "BoundedContext"
	KindAggregate      Kind = "Aggregate"
	KindCommand        Kind = "Command"
	KindEvent          Kind = "Event"
	KindPolicy         Kind = "Policy"
	KindView           Kind = "View" // a read model
	KindExternal       Kind = "External"
	KindActor          Kind = "Actor"
	KindUI             Kind = "UI"
	KindIssue          Kind = "Issue"
	KindText           Kind = "Text"
	KindLine           Kind = "Line"
	KindPackage        Kind = "PBC" // a packaged business capability: a model bought in, not deployed by us
)

// Box is where a sticker lies. X and Y are its centre, in canvas units.
type Box struct {
	X, Y, Width, Height float64
}

// Element is what all stickers share.
type Element struct {
	ID          string
	Kind        Kind
	Name        string // as written on the sticker; may be empty
	DisplayName string // the label people read, often Korean; may be empty
	Description string
	Box         Box    // zero where the sticker was never drawn
	Mirror      string // ID of the element in another context or package that this one stands for, or ""
}

// Label is the name people recognise the sticker by: its name, else its
// display name, else its ID.
func (e *Element) Label() string {
	switch {
	case e.Name != "":
		return e.Name
	case e.DisplayName != "":
		return e.DisplayName
	}
	return e.ID
}

// String is "kind "label"", as messages name a sticker.
func (e *Element) String() string { return fmt.Sprintf("%s %q", e.Kind, e.Label()) }

// Field is one attribute of an aggregate, event, command or view.
type Field struct {
	Name  string // as written
	Class string // "Long", "String", "List<Item>", an enum's or value object's name
	Key   bool
	List  bool
	Value bool // the class is a value object
}

// Model is one EventStorming model.
type Model struct {
	Name      string // the project's name; may be empty
	Contexts  []*Context
	Externals []*Element // external systems
	Packages  []*Package
	Actors    []*Actor
	Notes     []*Element // UI, Issue, Text and Line stickers, wherever they lie
	Outside   *Context   // what lies outside every context, in a context without ID and name; never nil
	Relations []*Relation
	Toppings  []string // short names ticked in the original, such as "istio"
	SCM       SCM
	Warnings  []Warning

	index map[string]Located
}

// SCM says where the original keeps the generated code.
type SCM struct {
	Org, Repo, Tag string
}

// Context is a bounded context with what it holds, each list in the order of
// the source.
type Context struct {
	Element
	Aggregates []*Aggregate
	Policies   []*Policy
	Views      []*View
	Commands   []*Command // commands that belong to no aggregate
	Events     []*Event   // events that belong to no aggregate
}

// Aggregate is a consistency boundary with its commands and events.
type Aggregate struct {
	Element
	Fields   []Field
	Entities []string // names of the classes inside: entities, value objects, enumerations
	Commands []*Command
	Events   []*Event
}

// Command is something an actor or a policy asks an aggregate to do.
type Command struct {
	Element
	Fields []Field
	// Repository is true where the command is a plain create, update or delete
	// on the aggregate's REST collection (the original's isRestRepository).
	Repository bool
	Method     string   // HTTP method, upper case; never empty
	Path       string   // the custom path as written (controllerInfo.apiPath); "" where there is none
	Outputs    []string // names of the events it says it raises
}

// Event is a fact that an aggregate publishes.
type Event struct {
	Element
	Fields []Field
}

// Policy reacts to events.
type Policy struct {
	Element
	Saga bool
}

// View is a read model.
type View struct {
	Element
	Fields          []Field
	QueryParameters []Field
	Path            string   // queryOption.apiPath as written; "" stands for the default
	Projection      string   // "cqrs", "query-for-aggregate", "query-for-multiple-aggregate" or ""
	Multiple        bool     // the query answers a list
	Events          []string // IDs of the events that fill it, each once; they may be other contexts'
}

// Actor is a person or system that issues commands.
type Actor struct {
	Element
	Commands []string // IDs of the commands it touches
}

// Package is a packaged business capability (PBC): a nested model that is
// deployed elsewhere.
type Package struct {
	Element
	Elements []*Element // the nested model's stickers
}

// RelationKind is what an arrow means. The types of its two ends decide it
// alone, as in the original.
type RelationKind string

// The meanings of arrows.
const (
	PubSub    RelationKind = "pub-sub"   // Event → Policy: asynchronous
	ReqRes    RelationKind = "req-res"   // a synchronous call
	Trigger   RelationKind = "trigger"   // Command/Policy → Event, Policy → Command in one context
	Reference RelationKind = "reference" // Aggregate → Aggregate
	Mashup    RelationKind = "mashup"    // View → Aggregate: the page asks, not the service
	Other     RelationKind = "other"     // drawn, without a meaning for deployment
)

// Relation is an arrow. From and To are always IDs of elements of the model.
type Relation struct {
	ID, Name       string
	From, To       string
	Kind           RelationKind
	Fallback       bool
	CircuitBreaker bool
}

// KindOf tells what an arrow between these kinds of stickers means. Policy →
// Command is a trigger inside a context; callers that know it crosses contexts
// treat it as ReqRes.
func KindOf(from, to Kind) RelationKind {
	caller := from == KindCommand || from == KindPolicy
	switch {
	case from == KindEvent && to == KindPolicy:
		return PubSub
	case from == KindEvent && to == KindCommand,
		caller && (to == KindView || to == KindAggregate || to == KindExternal):
		return ReqRes
	case caller && to == KindEvent, from == KindPolicy && to == KindCommand:
		return Trigger
	case from == KindAggregate && to == KindAggregate:
		return Reference
	case from == KindView && to == KindAggregate:
		return Mashup
	}
	return Other
}

// Warning is something in the source that could not be understood, and what
// was done instead.
type Warning struct {
	ID      string // the sticker's ID; "" where it concerns the whole model
	Element string // the sticker as people know it, `Command "Place order"`
	Message string
}

// String is the warning on one line.
func (w Warning) String() string {
	switch {
	case w.Element == "" && w.ID == "":
		return w.Message
	case w.Element == "":
		return fmt.Sprintf("id %s: %s", w.ID, w.Message)
	case w.ID == "":
		return fmt.Sprintf("%s: %s", w.Element, w.Message)
	}
	return fmt.Sprintf("%s (id %s): %s", w.Element, w.ID, w.Message)
}

// Located is an element and where it lives.
type Located struct {
	*Element
	Context   *Context   // nil for what belongs to no context; Model.Outside for stickers outside
	Aggregate *Aggregate // the aggregate itself, or the one that owns the command or event
	Package   *Package   // set for what lies inside a package
}

// Lookup finds an element by its ID. Mirrors are not followed.
func (m *Model) Lookup(id string) (Located, bool) {
	l, ok := m.index[id]
	return l, ok
}

// Resolve finds an element by its ID and follows mirrors to the element they
// stand for. A mirror whose original is missing, or that loops, is itself.
func (m *Model) Resolve(id string) (Located, bool) {
	first, ok := m.index[id]
	if !ok || first.Mirror == "" {
		return first, ok
	}
	seen := map[string]bool{}
	l := first
	for l.Mirror != "" && !seen[l.ID] {
		seen[l.ID] = true
		next, ok := m.index[l.Mirror]
		if !ok {
			return l, true
		}
		l = next
	}
	if l.Mirror != "" {
		return first, true
	}
	return l, true
}

// Index makes Lookup and Resolve work; readers call it when the model is
// complete.
func (m *Model) Index() {
	m.index = make(map[string]Located, m.size())
	for l := range m.All() {
		if l.ID != "" {
			m.index[l.ID] = l
		}
	}
	for _, p := range m.Packages {
		for _, x := range p.Elements {
			l, ok := m.index[x.ID]
			if !ok {
				l.Element = x
			}
			l.Package = p
			if x.ID != "" {
				m.index[x.ID] = l
			}
		}
	}
}

// All gives every sticker on the board, those that contain others before
// these; what lies inside of packages is not on the board.
func (m *Model) All() iter.Seq[Located] {
	return func(yield func(Located) bool) {
		for _, c := range m.Contexts {
			if !yield(Located{Element: &c.Element, Context: c}) || !c.all(yield) {
				return
			}
		}
		if m.Outside != nil && !m.Outside.all(yield) {
			return
		}
		for _, p := range m.Packages {
			if !yield(Located{Element: &p.Element, Package: p}) {
				return
			}
		}
		for _, x := range slices.Concat(m.Externals, m.Notes) {
			if !yield(Located{Element: x}) {
				return
			}
		}
		for _, x := range m.Actors {
			if !yield(Located{Element: &x.Element}) {
				return
			}
		}
	}
}

// all gives what a context holds; false says that nobody wants more.
func (c *Context) all(yield func(Located) bool) bool {
	for _, a := range c.Aggregates {
		if !yield(Located{Element: &a.Element, Context: c, Aggregate: a}) || !inside(a.Commands, a.Events, c, a, yield) {
			return false
		}
	}
	if !inside(c.Commands, c.Events, c, nil, yield) {
		return false
	}
	for _, x := range c.Policies {
		if !yield(Located{Element: &x.Element, Context: c}) {
			return false
		}
	}
	for _, x := range c.Views {
		if !yield(Located{Element: &x.Element, Context: c}) {
			return false
		}
	}
	return true
}

func inside(commands []*Command, events []*Event, c *Context, a *Aggregate, yield func(Located) bool) bool {
	for _, x := range commands {
		if !yield(Located{Element: &x.Element, Context: c, Aggregate: a}) {
			return false
		}
	}
	for _, x := range events {
		if !yield(Located{Element: &x.Element, Context: c, Aggregate: a}) {
			return false
		}
	}
	return true
}

// size is about how many elements the model has.
func (m *Model) size() int {
	n := len(m.Contexts) + len(m.Externals) + len(m.Actors) + len(m.Notes)
	for _, c := range m.Contexts {
		n += len(c.Aggregates) + len(c.Commands) + len(c.Events) + len(c.Policies) + len(c.Views)
		for _, a := range c.Aggregates {
			n += len(a.Commands) + len(a.Events)
		}
	}
	return n
}
