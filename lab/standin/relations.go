package standin

import (
	"slices"
	"strings"

	"github.com/meshstorm/meshstorm/storm"
)

// relations connects what is drawn: commands with their events, events that
// ask commands, policies and commands that call other contexts.
func (c *compiler) relations() {
	for _, r := range c.a.model.Relations {
		from, ok1 := c.a.model.Resolve(r.From)
		to, ok2 := c.a.model.Resolve(r.To)
		if !ok1 || !ok2 || !c.own(from) {
			continue
		}
		switch {
		case r.Kind == storm.Trigger && from.Kind == storm.KindCommand:
			if e, cmd := c.byEvent[to.ID], c.commands[from.ID]; e != nil && cmd != nil {
				e.drawn = true
				cmd.events = appendNew(cmd.events, e)
			}
		case r.Kind == storm.Trigger && to.Kind == storm.KindEvent:
			if e := c.byEvent[to.ID]; e != nil {
				e.drawn = true
			}
		case r.Kind == storm.ReqRes && from.Kind == storm.KindCommand:
			if cmd := c.commands[from.ID]; cmd != nil {
				cmd.calls = c.call(cmd.calls, r, from, to)
			}
		case r.Kind == storm.ReqRes && from.Kind == storm.KindEvent:
			if e := c.byEvent[from.ID]; e != nil && !c.own(to) {
				e.calls = c.call(e.calls, r, from, to)
			}
		case r.Kind == storm.Other && from.Kind == storm.KindEvent && to.Kind == storm.KindEvent, r.Kind == storm.Reference, r.Kind == storm.Mashup, r.Kind == storm.PubSub:
		case r.Kind == storm.Other && (from.Kind == storm.KindCommand || from.Kind == storm.KindPolicy):
			c.note("the relation %s → %s has no meaning in the original: it is not executed", from.Element, to.Element)
		}
	}
}

func (c *compiler) own(l storm.Located) bool {
	return l.Package == nil && l.Context != nil && l.Context.ID == c.context.ID
}

func appendNew[T comparable](list []T, v T) []T {
	if slices.Contains(list, v) {
		return list
	}
	return append(list, v)
}

// outputs decides which events a command publishes: those it is drawn to, else
// those it says it raises, else the event that says the same in the past tense,
// else the events of its aggregate's lifecycle.
func (c *compiler) outputs(cmd *command) {
	if len(cmd.events) == 0 {
		var named []string
		c.a.part(cmd.id, "outputEvents", &named)
		for _, name := range named {
			for _, e := range c.byEvent {
				if e.name == pascal(name) {
					e.drawn = true
					cmd.events = appendNew(cmd.events, e)
				}
			}
		}
	}
	if len(cmd.events) == 0 {
		cmd.events = c.sameSaying(cmd.name)
	}
	if len(cmd.events) == 0 && !cmd.repository && cmd.aggregate != nil {
		c.note("the command %q is drawn to no event: it publishes none", cmd.name)
	}
}

func (c *compiler) sameSaying(name string) []*event {
	var out []*event
	for _, id := range c.eventIDs() {
		if e := c.byEvent[id]; saying(e.name) == saying(name) {
			e.drawn = true
			out = append(out, e)
		}
	}
	return out
}

// eventIDs are in the model's order.
func (c *compiler) eventIDs() []string {
	var ids []string
	for _, a := range c.context.Aggregates {
		for _, e := range a.Events {
			if c.byEvent[e.ID] != nil {
				ids = append(ids, e.ID)
			}
		}
	}
	for _, e := range c.context.Events {
		if c.byEvent[e.ID] != nil {
			ids = append(ids, e.ID)
		}
	}
	return ids
}

// reactions makes the context's policies, and one for each event that asks a
// command of its own context.
func (c *compiler) reactions() {
	made := map[string]*policy{}
	for _, p := range c.context.Policies {
		if p.Mirror == "" {
			made[p.ID] = &policy{actor: actor{id: p.ID, name: p.Label(), intent: intentOf(p.Label())}}
		}
	}
	for _, r := range c.a.model.Relations {
		from, ok1 := c.a.model.Resolve(r.From)
		to, ok2 := c.a.model.Resolve(r.To)
		if !ok1 || !ok2 {
			continue
		}
		if p := made[from.ID]; p != nil {
			c.reaction(p, r, from, to)
		}
		if r.Kind == storm.ReqRes && from.Kind == storm.KindEvent && c.own(from) && c.own(to) {
			if cmd := c.commands[to.ID]; cmd != nil {
				p := &policy{actor: actor{id: r.ID, name: cmd.name, intent: cmd.intent}, commands: []*command{cmd}}
				c.listen(pascal(from.Label()), p)
			}
		}
	}
	for _, r := range c.a.model.Relations {
		from, ok1 := c.a.model.Resolve(r.From)
		to, ok2 := c.a.model.Resolve(r.To)
		if ok1 && ok2 && r.Kind == storm.PubSub && made[to.ID] != nil {
			c.listen(pascal(from.Label()), made[to.ID])
		}
	}
	for _, p := range c.context.Policies {
		if m := made[p.ID]; m != nil && len(m.commands)+len(m.events)+len(m.calls) == 0 {
			m.events = c.sameSaying(m.name)
			if len(m.events) == 0 {
				c.note("the policy %q is drawn to no command and no event: it does nothing, as its stub in the original", m.name)
			}
		}
	}
}

func (c *compiler) listen(event string, p *policy) {
	c.d.policies[event] = appendNew(c.d.policies[event], p)
}

// reaction adds what one arrow says that a policy does.
func (c *compiler) reaction(p *policy, r *storm.Relation, from, to storm.Located) {
	switch {
	case to.Kind == storm.KindCommand && c.own(to):
		if cmd := c.commands[to.ID]; cmd != nil {
			p.commands = appendNew(p.commands, cmd)
		}
	case r.Kind == storm.Trigger && to.Kind == storm.KindEvent:
		if e := c.byEvent[to.ID]; e != nil {
			p.events = appendNew(p.events, e)
		}
	case r.Kind == storm.ReqRes, r.Kind == storm.Trigger:
		p.calls = c.call(p.calls, r, from, to)
	}
}

// lifecycle are the events that a plain change of an aggregate publishes where
// nothing is drawn: those that no command and no policy is drawn to and whose
// trigger is of the kind. Since the tool gives every event @PostPersist, the
// verb decides for those.
func (a *aggregate) lifecycle(method string) []*event {
	var out []*event
	for _, e := range a.events {
		if e.drawn {
			continue
		}
		when := "Persist"
		switch {
		case strings.Contains(e.trigger, "Update"):
			when = "Update"
		case strings.Contains(e.trigger, "Remove"):
			when = "Remove"
		default:
			switch intentOf(e.name) {
			case cancels:
				when = "Remove"
			case updates, increases, decreases:
				when = "Update"
			}
		}
		if when == map[string]string{"POST": "Persist", "PUT": "Update", "PATCH": "Update", "DELETE": "Remove"}[method] {
			out = append(out, e)
		}
	}
	return out
}

// plainly is what a plain POST, PUT, PATCH or DELETE stands for: the repository
// commands of the method (PUT and PATCH are both an update), else the
// lifecycle.
func (a *aggregate) plainly(method string) *actor {
	methods := []string{method}
	switch method {
	case "PUT":
		methods = append(methods, "PATCH")
	case "PATCH":
		methods = append(methods, "PUT")
	}
	for _, m := range methods {
		list := a.plain[m]
		if len(list) == 0 {
			continue
		}
		all := &actor{id: list[0].id, name: list[0].name, intent: list[0].intent}
		for _, cmd := range list {
			for _, e := range cmd.events {
				all.events = appendNew(all.events, e)
			}
			all.calls = append(all.calls, cmd.calls...)
		}
		if len(all.events) == 0 {
			all.events = a.lifecycle(method)
		}
		return all
	}
	return &actor{id: a.id, name: method + " " + a.path, events: a.lifecycle(method)}
}
