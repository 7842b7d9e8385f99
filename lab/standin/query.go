package standin

import (
	"encoding/json"
	"net/http"
	"strings"

	"github.com/meshstorm/meshstorm/lab/store"
)

// rows are where a view's rows are and which fields they show.
func (v *view) rows() (kind string, key field, fields []field) {
	if v.of != nil {
		return v.of.kind, v.of.key, v.of.fields
	}
	return v.kind, v.key, v.fields
}

// able answers 501 where the model asks for a query that the lab does not
// execute.
func (v *view) able(w http.ResponseWriter) bool {
	if v.missing != "" {
		problem(w, http.StatusNotImplemented, "the read model "+v.name+": "+v.missing)
	}
	return v.missing == ""
}

// filter are the request's parameters and path variables that name fields.
func (v *view) filter(r *request) map[string]json.RawMessage {
	_, key, fields := v.rows()
	where := map[string]json.RawMessage{}
	set := func(name, text string) {
		if i := indexOf(fields, name); i >= 0 {
			var bad []invalid
			where[name] = encode(fields[i].typ.convert(name, text, &bad))
		}
	}
	for name, list := range r.URL.Query() {
		if list[0] != "" {
			set(name, list[0])
		}
	}
	for name, text := range r.vars {
		if name == "id" && indexOf(fields, "id") < 0 {
			name = key.name
		}
		set(name, text)
	}
	return where
}

func (v *view) resource(r *request, record store.Record) *object {
	_, _, fields := v.rows()
	row, _ := decode(record.Value).(values)
	links := &object{}
	switch {
	case v.item != "":
		self := r.href(v.path, record.Key)
		links.add("self", link(self)).add(v.rel, link(self))
	case v.of != nil:
		self := r.href(v.of.path, record.Key)
		links.add("self", link(self)).add(v.of.rel, link(self))
	default:
		links.add("self", link(r.base+r.URL.RequestURI()))
	}
	return resource(fields, row, links)
}

func (v *view) getCollection(s *service, w http.ResponseWriter, r *request) {
	media, ok := accepted(w, r, halType, jsonType)
	if !ok || !v.able(w) {
		return
	}
	kind, _, _ := v.rows()
	q := paging(r)
	if v.of != nil {
		q.Where = v.filter(r)
	}
	page, err := s.store.List(r.Context(), kind, q)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	rel := strings.TrimPrefix(v.path, "/")
	answer(w, http.StatusOK, media, collection(r, v.path, rel, q, page, func(record store.Record) *object {
		return v.resource(r, record)
	}).json())
}

func (v *view) getItem(s *service, w http.ResponseWriter, r *request) {
	media, ok := accepted(w, r, halType, jsonType)
	if !ok || !v.able(w) {
		return
	}
	kind, _, _ := v.rows()
	record, err := s.store.Get(r.Context(), kind, r.id())
	if err != nil {
		s.fail(w, r, err)
		return
	}
	w.Header().Set("ETag", etag(record.Version))
	answer(w, http.StatusOK, media, v.resource(r, *record).json())
}

// query answers a read model with a path of its own: rows whose fields are as
// the parameters say, or the first of them where the model wants one.
func (v *view) query(s *service, w http.ResponseWriter, r *request) {
	media, ok := accepted(w, r, halType, jsonType)
	if !ok || !v.able(w) {
		return
	}
	kind, _, _ := v.rows()
	q := paging(r)
	q.Where = v.filter(r)
	if !v.multiple {
		q.Page, q.Size = 0, 1
	}
	page, err := s.store.List(r.Context(), kind, q)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	switch {
	case v.multiple:
		rel := v.rel
		if v.of != nil {
			rel = strings.TrimPrefix(v.of.path, "/")
		}
		answer(w, http.StatusOK, media, collection(r, v.path, rel, q, page, func(record store.Record) *object {
			return v.resource(r, record)
		}).json())
	case len(page.Records) == 0:
		s.fail(w, r, store.ErrNotFound)
	default:
		answer(w, http.StatusOK, media, v.resource(r, page.Records[0]).json())
	}
}
