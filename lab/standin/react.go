package standin

import (
	"context"
	"encoding/json"
	"errors"
	"strings"

	"github.com/meshstorm/meshstorm/lab/store"
)

// react lets everything in the context that waits for an event act on it, each
// once, however often the event is delivered.
func (s *service) react(ctx context.Context, d *domain, e *message) error {
	e.source = d.sources[e.name]
	for _, p := range d.policies[e.name] {
		if err := s.follow(ctx, d, p, e); err != nil {
			return err
		}
	}
	for _, v := range d.views {
		for i, r := range v.rules {
			if r.event != e.name {
				continue
			}
			if err := s.project(ctx, v, r, e, strings.Join([]string{v.id, string(r.kind), itoa(int64(i)), e.id}, "/")); err != nil {
				return err
			}
		}
	}
	return nil
}

// ignoreProcessed makes a second delivery a success.
func ignoreProcessed(err error) error {
	if errors.Is(err, store.ErrProcessed) {
		return nil
	}
	return err
}

// follow executes a policy: its calls, its commands, and the events it is drawn
// to that its commands did not publish.
func (s *service) follow(ctx context.Context, d *domain, p *policy, e *message) error {
	mark := p.id + "/" + e.id
	if done, err := s.store.Processed(ctx, mark); done || err != nil {
		return err
	}
	if err := s.perform(ctx, p.calls, e.values); err != nil {
		return err
	}
	published := map[*event]bool{}
	for _, cmd := range p.commands {
		for _, ev := range cmd.events {
			published[ev] = true
		}
		if err := ignoreProcessed(s.obey(ctx, d, cmd, e, mark+"/"+cmd.id)); err != nil {
			return err
		}
	}
	var order []*aggregate
	byAggregate := map[*aggregate][]*event{}
	for _, ev := range p.events {
		if published[ev] {
			continue
		}
		if _, known := byAggregate[ev.aggregate]; !known {
			order = append(order, ev.aggregate)
		}
		byAggregate[ev.aggregate] = append(byAggregate[ev.aggregate], ev)
	}
	for _, a := range order {
		by := &actor{id: p.id, name: p.name, intent: p.intent, events: byAggregate[a]}
		if err := ignoreProcessed(s.effect(ctx, d, by, a, e, mark+"/"+by.events[0].id)); err != nil {
			return err
		}
	}
	_, err := s.store.Commit(ctx, store.Batch{Processed: mark})
	return ignoreProcessed(err)
}

// obey executes a command that a policy is drawn to.
func (s *service) obey(ctx context.Context, d *domain, cmd *command, e *message, mark string) error {
	by := &cmd.actor
	if cmd.repository && cmd.aggregate != nil && len(by.events) == 0 {
		by = cmd.aggregate.plainly(cmd.method)
	}
	a := cmd.aggregate
	t := transition{by: by, aggregate: a, input: e.values, mark: mark, remove: cmd.repository && cmd.method == "DELETE"}
	switch {
	case a == nil:
		if err := s.perform(ctx, by.allCalls(), e.values); err != nil {
			return err
		}
		t.state = values{}
		_, err := s.commit(ctx, &t)
		return err
	case !cmd.onItem:
		t.state = a.fit(e.values, cmd.fields)
		return s.born(ctx, t, e)
	}
	keys, err := s.referred(ctx, d, a, e, true)
	if err != nil {
		return err
	}
	return s.alter(ctx, t, keys, cmd.fields)
}

// effect is what a policy does to the aggregate whose event it is drawn to. The
// item that the event refers to changes; where there is none, one is made,
// unless the verb says that it must be there (DecreaseStock, CancelDelivery).
func (s *service) effect(ctx context.Context, d *domain, by *actor, a *aggregate, e *message, mark string) error {
	t := transition{by: by, aggregate: a, input: e.values, mark: mark, state: values{}}
	if a == nil {
		_, err := s.commit(ctx, &t)
		return err
	}
	does := by.intent
	if does == creates {
		does = intentOf(by.events[0].name)
	}
	t.remove = strings.Contains(by.events[0].trigger, "Remove")
	keys, err := s.referred(ctx, d, a, e, does != creates)
	if err != nil {
		return err
	}
	if len(keys) == 0 && does == creates && !t.remove {
		t.state = a.fit(e.values, nil)
		return s.born(ctx, t, e)
	}
	return s.alter(ctx, t, keys, nil)
}

// born makes an item of an event.
func (s *service) born(ctx context.Context, t transition, e *message) error {
	a := t.aggregate
	for _, name := range []string{e.source.aggregate + "Id", e.source.context + "Id"} {
		if i := indexOf(a.fields, name); i >= 0 && t.state[name] == nil && name != a.key.name {
			var bad []invalid
			t.state[name] = a.fields[i].typ.convert(name, e.key(), &bad)
		}
	}
	delete(t.state, "status") // the publisher's, not this aggregate's
	key := ""
	if a.key.name != "id" {
		key = keyText(e.values[a.key.name])
	}
	_, err := s.create(ctx, t, key)
	if errors.Is(err, store.ErrExists) {
		s.log.Warn("a policy finds its item there already", "policy", t.by.name, "item", a.path+"/"+key)
		return nil
	}
	return err
}

// alter changes the items that an event refers to.
func (s *service) alter(ctx context.Context, t transition, keys []string, only []field) error {
	if len(keys) == 0 {
		s.log.Info("a policy finds no item that the event refers to", "policy", t.by.name, "aggregate", t.aggregate.name)
		return nil
	}
	for i, key := range keys {
		next := t
		next.key = key
		if i > 0 {
			next.mark += "/" + key
		}
		_, _, err := s.change(ctx, next, func(state values) error {
			if t.remove {
				return nil
			}
			if !t.by.count(t.aggregate, state, t.input) {
				for name, v := range t.aggregate.fit(t.input, only) {
					if name != "status" {
						state[name] = v
					}
				}
			}
			t.by.status(t.aggregate, state, nil)
			return nil
		})
		switch {
		case errors.Is(err, store.ErrProcessed):
		case errors.Is(err, store.ErrNotFound): // deleted meanwhile
		case err != nil:
			return err
		}
	}
	return nil
}

// referred finds the items of an aggregate that an event means, by the first of
// these that the event has:
//
//  1. the publisher's key, where it is of the same aggregate;
//  2. a field AGGREGATEId, the aggregate's key under its own name (other than
//     id), or a field CONTEXTId: the item's key;
//  3. the items whose field PUBLISHERId (orderId) is the publisher's key;
//
// and, where an item must be there already,
//
//  4. the items that share all fields ending in Id with the event;
//  5. the event's key, where the two share no such field.
func (s *service) referred(ctx context.Context, d *domain, a *aggregate, e *message, must bool) ([]string, error) {
	var key any
	switch own := a.key.name; {
	case e.source.aggregate == a.rel:
		key = e.key()
	case e.values[a.rel+"Id"] != nil:
		key = e.values[a.rel+"Id"]
	case own != "id" && e.values[own] != nil:
		key = e.values[own]
	case e.values[d.contextKey()] != nil:
		key = e.values[d.contextKey()]
	}
	if key != nil {
		return s.existing(ctx, a, key)
	}
	for _, name := range []string{e.source.aggregate + "Id", e.source.context + "Id"} {
		if indexOf(a.fields, name) >= 0 && e.key() != nil {
			return s.where(ctx, a, values{name: e.key()})
		}
	}
	if !must {
		return nil, nil
	}
	shared := values{}
	for _, f := range a.fields {
		if v := e.values[f.name]; v != nil && strings.HasSuffix(f.name, "Id") && f.name != a.key.name {
			shared[f.name] = v
		}
	}
	if len(shared) > 0 {
		return s.where(ctx, a, shared)
	}
	return s.existing(ctx, a, e.key())
}

// contextKey is productId in the context product.
func (d *domain) contextKey() string { return camel(d.label) + "Id" }

func (s *service) existing(ctx context.Context, a *aggregate, key any) ([]string, error) {
	text := keyText(key)
	if text == "" {
		return nil, nil
	}
	_, err := s.store.Get(ctx, a.kind, text)
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	return []string{text}, err
}

func (s *service) where(ctx context.Context, a *aggregate, want values) ([]string, error) {
	where := map[string]json.RawMessage{}
	for name, v := range want {
		var bad []invalid
		where[name] = encode(a.fields[indexOf(a.fields, name)].typ.convert(name, v, &bad))
	}
	page, err := s.store.List(ctx, a.kind, store.Query{Where: where})
	if err != nil {
		return nil, err
	}
	var keys []string
	for _, r := range page.Records {
		keys = append(keys, r.Key)
	}
	return keys, nil
}
