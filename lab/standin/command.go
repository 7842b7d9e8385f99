package standin

import (
	"context"
	"errors"
	"net/http"

	"github.com/meshstorm/meshstorm/lab/store"
)

// handle executes a command with a path of its own. The original's controller
// answers 200 with the item as plain JSON.
func (cmd *command) handle(s *service, w http.ResponseWriter, r *request) {
	media, ok := accepted(w, r, jsonType, halType)
	if !ok {
		return
	}
	in := values{}
	if r.ContentLength != 0 && r.Method != http.MethodGet {
		if in, ok = body(w, r); !ok {
			return
		}
	}
	for name, v := range r.vars {
		if _, sent := in[name]; !sent && name != "" && name != "id" {
			in[name] = v
		}
	}
	if bad := cmd.check(in); len(bad) > 0 {
		problem(w, http.StatusBadRequest, "the command's fields do not fit", bad...)
		return
	}
	if cmd.aggregate == nil {
		cmd.publish(s, w, r, in, media)
		return
	}
	record, row, err := cmd.execute(r.Context(), s, r, in)
	if missing := (*missingKey)(nil); errors.As(err, &missing) {
		problem(w, http.StatusBadRequest, err.Error(), invalid{missing.name, "it must name the item"})
		return
	}
	if err != nil {
		s.fail(w, r, err)
		return
	}
	if media == jsonType {
		media += ";charset=UTF-8"
		w.Header().Set("ETag", etag(record.Version))
		answer(w, http.StatusOK, media, resource(cmd.aggregate.fields, row, nil).json())
		return
	}
	cmd.aggregate.show(w, r, http.StatusOK, media, record, row)
}

// check looks at the types of the command's own fields and of the aggregate's.
func (cmd *command) check(in values) []invalid {
	var bad []invalid
	fields := cmd.fields
	if len(fields) == 0 && cmd.aggregate != nil {
		fields = cmd.aggregate.fields
	}
	for _, f := range fields {
		f.typ.convert(f.name, in[f.name], &bad)
	}
	return bad
}

// missingKey is a command on an item that neither path nor body names.
type missingKey struct{ command, name string }

func (e *missingKey) Error() string {
	return "the command " + e.command + " acts on an item, and the request names none"
}

func (cmd *command) execute(ctx context.Context, s *service, r *request, in values) (*store.Record, values, error) {
	a := cmd.aggregate
	t := transition{by: &cmd.actor, aggregate: a, input: in, remove: cmd.method == "DELETE"}
	if !cmd.onItem {
		t.state = a.fit(in, nil)
		cmd.count(a, t.state, in)
		key := ""
		if !a.key.typ.number() {
			key = keyText(in[a.key.name])
		}
		record, err := s.create(ctx, t, key)
		return record, t.state, err
	}
	if t.key = r.id(); t.key == "" {
		t.key = keyText(in[a.key.name])
	}
	if t.key == "" {
		return nil, nil, &missingKey{cmd.name, a.key.name}
	}
	return s.change(ctx, t, func(state values) error {
		if t.remove {
			return nil
		}
		if !cmd.count(a, state, in) {
			for name, v := range a.fit(in, nil) {
				state[name] = v
			}
		}
		cmd.status(a, state, in)
		return nil
	})
}

// publish executes a command that belongs to no aggregate: its calls and events
// are all that there is.
func (cmd *command) publish(s *service, w http.ResponseWriter, r *request, in values, media string) {
	t := transition{by: &cmd.actor, input: in, state: values{}}
	err := s.perform(r.Context(), cmd.allCalls(), in)
	if err == nil {
		_, err = s.commit(r.Context(), &t)
	}
	if err != nil {
		s.fail(w, r, err)
		return
	}
	answer(w, http.StatusOK, media, []byte("{}"))
}
