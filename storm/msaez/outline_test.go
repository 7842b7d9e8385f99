package msaez_test

import (
	"fmt"
	"strings"

	"github.com/meshstorm/meshstorm/storm"
)

// outline is a model as text for people to review: one line per element,
// indented by what holds it.
func outline(m *storm.Model) string {
	var o outliner
	o.line(0, "model %q toppings %v scm %s/%s:%s", m.Name, m.Toppings, m.SCM.Org, m.SCM.Repo, m.SCM.Tag)
	for _, c := range m.Contexts {
		o.line(0, "%s", o.name(&c.Element))
		o.context(c)
	}
	o.line(0, "outside")
	o.context(m.Outside)
	for _, e := range m.Externals {
		o.line(0, "%s", o.name(e))
	}
	for _, p := range m.Packages {
		o.line(0, "%s", o.name(&p.Element))
		for _, e := range p.Elements {
			o.line(1, "%s", o.name(e))
		}
	}
	for _, a := range m.Actors {
		o.line(0, "%s commands %v", o.name(&a.Element), a.Commands)
	}
	for _, e := range m.Notes {
		o.line(0, "note %s", o.name(e))
	}
	for _, r := range m.Relations {
		o.line(0, "relation %s %q %s: %s -> %s fallback %t breaker %t", r.ID, r.Name, r.Kind, r.From, r.To, r.Fallback, r.CircuitBreaker)
	}
	return o.String()
}

type outliner struct{ strings.Builder }

func (o *outliner) line(depth int, format string, args ...any) {
	fmt.Fprintf(o, strings.Repeat("  ", depth)+format+"\n", args...)
}

func (o *outliner) name(e *storm.Element) string {
	text := fmt.Sprintf("%s %q id %s", e.Kind, e.Name, e.ID)
	if e.DisplayName != "" {
		text += fmt.Sprintf(" shown as %q", e.DisplayName)
	}
	if e.Mirror != "" {
		text += " stands for " + e.Mirror
	}
	return text
}

func (o *outliner) context(c *storm.Context) {
	for _, a := range c.Aggregates {
		o.line(1, "%s%s entities %v", o.name(&a.Element), fields(a.Fields), a.Entities)
		o.commands(2, a.Commands)
		o.events(2, a.Events)
	}
	o.commands(1, c.Commands)
	o.events(1, c.Events)
	for _, p := range c.Policies {
		o.line(1, "%s saga %t", o.name(&p.Element), p.Saga)
	}
	for _, v := range c.Views {
		o.line(1, "%s%s path %q projection %q multiple %t asks%s", o.name(&v.Element), fields(v.Fields), v.Path, v.Projection, v.Multiple, fields(v.QueryParameters))
	}
}

func (o *outliner) commands(depth int, list []*storm.Command) {
	for _, c := range list {
		o.line(depth, "%s%s repository %t %s %q outputs %v", o.name(&c.Element), fields(c.Fields), c.Repository, c.Method, c.Path, c.Outputs)
	}
}

func (o *outliner) events(depth int, list []*storm.Event) {
	for _, e := range list {
		o.line(depth, "%s%s", o.name(&e.Element), fields(e.Fields))
	}
}

func fields(list []storm.Field) string {
	var b strings.Builder
	b.WriteString(" (")
	for i, f := range list {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(f.Name + " " + f.Class)
		for _, mark := range []struct {
			on   bool
			text string
		}{{f.Key, " key"}, {f.List, " list"}, {f.Value, " value"}} {
			if mark.on {
				b.WriteString(mark.text)
			}
		}
	}
	return b.String() + ")"
}
