package studio

import (
	"github.com/meshstorm/meshstorm/deploy"
	"github.com/meshstorm/meshstorm/storm"
	"github.com/meshstorm/meshstorm/studio/graph"
)

// types are the stickers' kinds as the page calls them.
var types = map[storm.Kind]string{
	storm.KindBoundedContext: "context", storm.KindAggregate: "aggregate", storm.KindCommand: "command",
	storm.KindEvent: "event", storm.KindPolicy: "policy", storm.KindView: "view", storm.KindExternal: "external",
	storm.KindActor: "actor", storm.KindUI: "ui", storm.KindIssue: "issue", storm.KindText: "text",
	storm.KindLine: "line", storm.KindPackage: "package",
}

// arrows are the relations' kinds as the page calls them.
var arrows = map[storm.RelationKind]string{
	storm.PubSub: "pubsub", storm.ReqRes: "request", storm.Trigger: "trigger", storm.Reference: "reference",
	storm.Mashup: "mashup", storm.Other: "other",
}

// board is the model as a canvas shows it. intent may be nil.
func board(m *storm.Model, intent *deploy.Model) Canvas {
	b := &boardMaker{out: Canvas{Elements: []Element{}, Relations: []Relation{}}, problems: map[string][]graph.Issue{}, services: map[string]string{}}
	if intent != nil {
		for _, p := range intent.Problems {
			b.problems[p.Source.ID] = append(b.problems[p.Source.ID], graph.Issue{Severity: string(p.Severity), Code: p.Code, Message: p.Message})
		}
		for _, s := range intent.Services {
			b.services[s.Source.ID] = s.Name
		}
	}
	for _, c := range m.Contexts {
		b.context(c)
	}
	b.inside(m.Outside)
	for _, lists := range [][]*storm.Element{m.Externals, m.Notes} {
		for _, e := range lists {
			b.add(e, Element{})
		}
	}
	for _, p := range m.Packages {
		b.add(&p.Element, Element{})
	}
	for _, a := range m.Actors {
		b.add(&a.Element, Element{})
	}
	for i := range b.out.Elements {
		if at, ok := m.Lookup(b.out.Elements[i].ID); ok && at.Context != nil && at.Context.ID != b.out.Elements[i].ID {
			b.out.Elements[i].Context = at.Context.ID
		}
	}
	for _, r := range m.Relations {
		b.out.Relations = append(b.out.Relations, Relation{ID: r.ID, From: r.From, To: r.To, Kind: arrows[r.Kind], Label: r.Name})
	}
	return b.out
}

type boardMaker struct {
	out      Canvas
	problems map[string][]graph.Issue
	services map[string]string
}

func (b *boardMaker) add(e *storm.Element, more Element) {
	more.ID, more.Type, more.Name, more.DisplayName, more.Description = e.ID, types[e.Kind], e.Name, e.DisplayName, e.Description
	more.X, more.Y, more.Width, more.Height = e.Box.X, e.Box.Y, e.Box.Width, e.Box.Height
	more.Mirror = e.Mirror
	if more.Problems = b.problems[e.ID]; more.Problems == nil {
		more.Problems = []graph.Issue{}
	}
	b.out.Elements = append(b.out.Elements, more)
}

func (b *boardMaker) context(c *storm.Context) {
	b.add(&c.Element, Element{Service: b.services[c.ID]})
	b.inside(c)
}

func (b *boardMaker) inside(c *storm.Context) {
	for _, a := range c.Aggregates {
		b.add(&a.Element, Element{Fields: fields(a.Fields)})
		b.commands(a.Commands, a.ID)
		b.events(a.Events, a.ID)
	}
	b.commands(c.Commands, "")
	b.events(c.Events, "")
	for _, p := range c.Policies {
		b.add(&p.Element, Element{Saga: p.Saga})
	}
	for _, v := range c.Views {
		b.add(&v.Element, Element{Fields: fields(v.Fields)})
	}
}

func (b *boardMaker) commands(list []*storm.Command, aggregate string) {
	for _, c := range list {
		b.add(&c.Element, Element{Aggregate: aggregate, Method: c.Method, Path: c.Path, Fields: fields(c.Fields)})
	}
}

func (b *boardMaker) events(list []*storm.Event, aggregate string) {
	for _, e := range list {
		b.add(&e.Element, Element{Aggregate: aggregate, Fields: fields(e.Fields)})
	}
}

func fields(list []storm.Field) []Field {
	var all []Field
	for _, f := range list {
		all = append(all, Field{f.Name, f.Class, f.Key, f.List})
	}
	return all
}
