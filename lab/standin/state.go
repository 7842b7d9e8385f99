package standin

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/meshstorm/meshstorm/lab/store"
)

// attempts bounds how often a change is tried again because another replica
// changed the same item meanwhile.
const attempts = 20

// decode reads JSON with all digits of its numbers; nil where it is none.
func decode(raw []byte) any {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	var v any
	if d.Decode(&v) != nil {
		return nil
	}
	return v
}

// encode writes JSON as people spell it, without escaping < and &.
func encode(v any) json.RawMessage {
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	if e.Encode(v) != nil {
		return json.RawMessage("null") // values come from JSON, so this cannot be
	}
	return bytes.TrimSuffix(out.Bytes(), []byte("\n"))
}

// transition is one change of one item by one actor.
type transition struct {
	by        *actor
	aggregate *aggregate
	key       string
	state     values // after the change; of a removed item, before it
	input     values // the request's body, or the event that a policy reacts to
	create    bool
	remove    bool
	ifAt      *int64 // the version that it was made of
	mark      string // of the consumed event; "" for requests
}

// newKey gives a new item's key: Long and Integer keys count from 1 as JPA's
// generated ones do, all others are UUIDs.
func (s *service) newKey(ctx context.Context, kind string, key field) (string, error) {
	if key.typ.number() {
		n, err := s.store.NextID(ctx, kind)
		return keyText(json.Number(itoa(n))), err
	}
	return uuid.NewString(), nil
}

// keyValue is a key as the item's JSON has it.
func keyValue(key field, text string) any {
	if key.typ.number() {
		if n, ok := numberOf(text); ok {
			return n
		}
	}
	return text
}

// commit writes a transition with its events in one transaction.
func (s *service) commit(ctx context.Context, t *transition) (*store.Record, error) {
	record := &store.Record{Key: t.key}
	b := store.Batch{Processed: t.mark}
	switch {
	case t.aggregate == nil:
	case t.remove:
		b.Deletes = []store.Delete{{Type: t.aggregate.kind, Key: t.key, IfAt: t.ifAt}}
	default:
		record.Value = encode(t.state)
		b.Puts = []store.Put{{Type: t.aggregate.kind, Key: t.key, Value: record.Value, Create: t.create, IfAt: t.ifAt}}
	}
	for _, e := range t.by.events {
		b.Events = append(b.Events, s.publication(ctx, e, t))
	}
	versions, err := s.store.Commit(ctx, b)
	if err != nil {
		return nil, err
	}
	if len(versions) > 0 {
		record.Version = versions[0]
	}
	return record, nil
}

// calls are those of the actor and of the events it publishes.
func (a *actor) allCalls() []*call {
	all := slices.Clone(a.calls)
	for _, e := range a.events {
		all = append(all, e.calls...)
	}
	return all
}

// change loads an item, lets apply change it, and writes it, again where
// another replica was faster. ifAt other than nil asks for that very version.
func (s *service) change(ctx context.Context, t transition, apply func(state values) error) (*store.Record, values, error) {
	want := t.ifAt
	called := false
	for range attempts {
		old, err := s.store.Get(ctx, t.aggregate.kind, t.key)
		if err != nil {
			return nil, nil, err
		}
		if want != nil && *want != old.Version {
			return nil, nil, store.ErrConflict
		}
		next := t
		next.state, _ = decode(old.Value).(values)
		if next.state == nil {
			next.state = values{}
		}
		if err := apply(next.state); err != nil {
			return nil, nil, err
		}
		if !called { // a call is not repeated because of a replica
			if err := s.perform(ctx, t.by.allCalls(), merged(next.state, t.input)); err != nil {
				return nil, nil, err
			}
			called = true
		}
		next.ifAt = &old.Version
		record, err := s.commit(ctx, &next)
		if errors.Is(err, store.ErrConflict) && want == nil {
			continue
		}
		return record, next.state, err
	}
	return nil, nil, store.ErrConflict
}

// merged is the item's values with the input's where the item has none.
func merged(state, input values) values {
	out := values{}
	for name, v := range input {
		out[name] = v
	}
	for name, v := range state {
		if v != nil {
			out[name] = v
		}
	}
	return out
}

// create writes a new item, with a new key where it is given none.
func (s *service) create(ctx context.Context, t transition, key string) (*store.Record, error) {
	given := key != ""
	called := false
	for range attempts {
		if !given {
			var err error
			if key, err = s.newKey(ctx, t.aggregate.kind, t.aggregate.key); err != nil {
				return nil, err
			}
		}
		t.key, t.create = key, true
		t.state[t.aggregate.key.name] = keyValue(t.aggregate.key, key)
		t.by.status(t.aggregate, t.state, t.state)
		if !called {
			if err := s.perform(ctx, t.by.allCalls(), merged(t.state, t.input)); err != nil {
				return nil, err
			}
			called = true
		}
		record, err := s.commit(ctx, &t)
		if errors.Is(err, store.ErrExists) && !given {
			continue // a PUT took that key meanwhile
		}
		return record, err
	}
	return nil, store.ErrExists
}

// fit takes those of the input's values that fit the aggregate's fields, as a
// BeanUtils.copyProperties does. Only names those that may be taken; empty
// stands for all. The key is never taken.
func (a *aggregate) fit(input values, only []field) values {
	out := values{}
	for _, f := range a.fields {
		v, ok := input[f.name]
		if !ok || v == nil || f.name == a.key.name || len(only) > 0 && indexOf(only, f.name) < 0 {
			continue
		}
		var bad []invalid
		if fits := f.typ.convert(f.name, v, &bad); len(bad) == 0 {
			out[f.name] = fits
		}
	}
	return out
}

// amounts are the names under which an input says how much, in the order they
// are looked for.
var amounts = []string{"qty", "quantity", "amount", "count"}

// count adds to or takes from a number, where the actor's name says so:
// DecreaseStock takes the input's qty from stock. It reports whether it did.
func (a *actor) count(of *aggregate, state, input values) bool {
	does, said := a.intent, a.name
	if does == creates && len(a.events) > 0 { // RestoreStock, which the list of verbs lacks: StockIncreased
		said = a.events[0].name
		does = intentOf(said)
	}
	if does != increases && does != decreases {
		return false
	}
	f := of.counter(said)
	if f == nil {
		return false
	}
	var by any = json.Number("1")
	for _, name := range append(slices.Clone(amounts), f.name) {
		if n, ok := numberOf(input[name]); ok && (name != f.name || !isEvent(input)) {
			by = n
			break
		}
	}
	sign := 1
	if does == decreases {
		sign = -1
	}
	state[f.name] = plus(state[f.name], by, sign)
	return true
}

// isEvent tells an event from a request's body: the field of that name in an
// event is the publisher's total, not an amount.
func isEvent(input values) bool { return input["eventType"] != nil }

// counter is the number that an actor's name means: the field in its name, else
// the only one that counts something.
func (a *aggregate) counter(actor string) *field {
	spoken := words(actor)
	var only []*field
	for i := range a.fields {
		f := &a.fields[i]
		if !f.typ.number() || f.name == a.key.name {
			continue
		}
		if inOrder(spoken, words(f.name)) {
			return f
		}
		if (f.typ.kind == intType || f.typ.kind == longType) && !strings.HasSuffix(f.name, "Id") {
			only = append(only, f)
		}
	}
	if len(only) == 1 {
		return only[0]
	}
	return nil
}

// inOrder tells whether all words are among the spoken, in their order.
func inOrder(spoken, list []string) bool {
	for _, w := range spoken {
		if len(list) > 0 && (w == list[0] || stem(w) == stem(list[0])) {
			list = list[1:]
		}
	}
	return len(list) == 0
}

// status writes down what happened: the field status (or orderStatus of an
// Order) becomes the event's name, or that constant of an enumeration which the
// event's name holds, unless the input says another.
func (a *actor) status(of *aggregate, state, input values) {
	if len(a.events) == 0 {
		return
	}
	for _, name := range []string{"status", of.rel + "Status"} {
		i := indexOf(of.fields, name)
		if i < 0 || input[name] != nil {
			continue
		}
		f := of.fields[i]
		switch f.typ.kind {
		case textType:
			state[name] = a.events[0].name
		case enumType:
			for _, constant := range f.typ.of.constants {
				if inOrder(words(a.events[0].name), words(constant)) {
					state[name] = constant
				}
			}
		}
		return
	}
}
