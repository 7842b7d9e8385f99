package standin

import (
	"bytes"
	"context"
	"encoding/json"
	"strconv"

	"github.com/google/uuid"

	"github.com/meshstorm/meshstorm/lab/store"
)

// message is an event as it arrives.
type message struct {
	id     string // the same in every delivery
	name   string
	values values
	source source
}

// key is the id of the aggregate that published the event.
func (m *message) key() any {
	if v := m.values[m.source.key]; v != nil {
		return v
	}
	return m.values["id"]
}

func itoa(n int64) string { return strconv.FormatInt(n, 10) }

// object writes a JSON object whose members keep their order.
type object struct{ bytes.Buffer }

func (o *object) add(name string, v any) *object {
	if o.Len() == 0 {
		o.WriteByte('{')
	} else {
		o.WriteByte(',')
	}
	o.Write(encode(name))
	o.WriteByte(':')
	switch x := v.(type) {
	case *object:
		o.Write(x.json())
	case json.RawMessage:
		o.Write(x)
	default:
		o.Write(encode(v))
	}
	return o
}

func (o *object) json() []byte {
	if o.Len() == 0 {
		return []byte("{}")
	}
	return append(bytes.Clone(o.Bytes()), '}')
}

// publication is an event of a transition for the outbox, in the shape of the
// original's AbstractEvent: eventType, timestamp in milliseconds, then the
// fields. Each takes the aggregate's value of the same name, else the input's;
// the aggregate's key is always there.
func (s *service) publication(ctx context.Context, e *event, t *transition) store.Event {
	body := &object{}
	body.add("eventType", e.name).add("timestamp", s.now().UnixMilli())
	var key any
	fields := e.fields
	if a := t.aggregate; a != nil {
		key = keyValue(a.key, t.key)
		if len(fields) == 0 {
			fields = a.fields
		}
		if indexOf(fields, a.key.name) < 0 {
			body.add(a.key.name, key)
		}
	}
	for _, f := range fields {
		v := t.state[f.name]
		if v == nil && t.aggregate != nil && (f.name == "id" || f.name == t.aggregate.rel+"Id") {
			v = key
		}
		if v == nil {
			v = t.input[f.name]
		}
		var bad []invalid
		if fits := f.typ.convert(f.name, v, &bad); len(bad) == 0 {
			v = fits
		}
		body.add(f.name, v)
	}
	headers := map[string]string{"type": e.name, "contentType": "application/json"}
	for name, v := range traceOf(ctx) {
		headers[name] = v[0]
	}
	d := s.domain.Load()
	return store.Event{ID: uuid.NewString(), Topic: d.topic(s.spec.Namespace), Key: keyText(key), Headers: headers, Value: body.json()}
}

// topic is shared by all contexts of a workspace, as the original's is by those
// of a project.
func (d *domain) topic(namespace string) string {
	if namespace == "" || namespace == "default" {
		return d.workspace
	}
	return namespace + "." + d.workspace
}
