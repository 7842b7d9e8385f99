package standin

import (
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strconv"
	"strings"

	"github.com/meshstorm/meshstorm/lab/store"
)

// maxBody bounds a request's body: 1 MiB.
const maxBody = 1 << 20

// body reads a request's JSON object, or answers what is wrong with it.
func body(w http.ResponseWriter, r *request, types ...string) (values, bool) {
	raw, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		if large := (*http.MaxBytesError)(nil); errors.As(err, &large) {
			problem(w, http.StatusRequestEntityTooLarge, fmt.Sprintf("a body may have %d bytes", maxBody))
		}
		return nil, false // else the client is gone
	}
	media, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	types = append(types, jsonType, halType)
	known := false
	for _, t := range types {
		known = known || media == t
	}
	if !known && (len(raw) > 0 || media != "") {
		if media == "" {
			media = "nothing"
		}
		w.Header().Set("Accept", strings.Join(types, ", "))
		problem(w, http.StatusUnsupportedMediaType, "the Content-Type says "+media+"; supported are "+strings.Join(types, ", "))
		return nil, false
	}
	out, ok := decode(raw).(values)
	if !ok || !validJSON(raw) {
		problem(w, http.StatusBadRequest, "the body is no JSON object")
		return nil, false
	}
	delete(out, "_links")
	return out, true
}

// read converts a body's fields, or answers 400 with those that do not fit.
// Fields that the aggregate does not have are ignored, as Jackson does.
func (a *aggregate) read(w http.ResponseWriter, in values) (values, bool) {
	out := values{}
	var bad []invalid
	for _, f := range a.fields {
		if v, ok := in[f.name]; ok && f.name != a.key.name {
			out[f.name] = f.typ.convert(f.name, v, &bad)
		}
	}
	if len(bad) > 0 {
		var names []string
		for _, b := range bad {
			names = append(names, b.Field)
		}
		problem(w, http.StatusBadRequest, "these fields do not fit: "+strings.Join(names, ", "), bad...)
		return nil, false
	}
	return out, true
}

func etag(version int64) string { return `"` + strconv.FormatInt(version, 10) + `"` }

// ifMatch reads the version that a change is made of; nil where the client does
// not say.
func ifMatch(w http.ResponseWriter, r *request) (*int64, bool) {
	header := strings.TrimSpace(r.Header.Get("If-Match"))
	if header == "" || header == "*" {
		return nil, true
	}
	n, err := strconv.ParseInt(strings.Trim(strings.TrimPrefix(header, "W/"), `"`), 10, 64)
	if err != nil {
		problem(w, http.StatusPreconditionFailed, "If-Match "+header+" is no version of this item")
		return nil, false
	}
	return &n, true
}

// fail answers what went wrong while a request was worked on.
func (s *service) fail(w http.ResponseWriter, r *request, err error) {
	call := (*callError)(nil)
	switch {
	case errors.Is(err, store.ErrNotFound):
		problem(w, http.StatusNotFound, "there is no item at "+r.URL.EscapedPath())
	case errors.Is(err, store.ErrExists):
		problem(w, http.StatusConflict, "an item with this key is there already")
	case errors.Is(err, store.ErrConflict) && r.Header.Get("If-Match") != "":
		problem(w, http.StatusPreconditionFailed, "the item has another version than If-Match says")
	case errors.Is(err, store.ErrConflict):
		problem(w, http.StatusConflict, "others keep changing this item; send the request again")
	case errors.Is(err, store.ErrFull):
		problem(w, http.StatusInsufficientStorage, store.ErrFull.Error())
	case errors.Is(err, store.ErrUnavailable):
		problem(w, http.StatusServiceUnavailable, store.ErrUnavailable.Error())
	case errors.As(err, &call):
		problem(w, http.StatusInternalServerError, err.Error()) // as an unhandled FeignException
	case r.Context().Err() != nil:
		// The client is gone.
	default:
		problem(w, http.StatusInternalServerError, err.Error())
	}
	known := errors.Is(err, store.ErrNotFound) || errors.Is(err, store.ErrExists) || errors.Is(err, store.ErrConflict)
	if r.Context().Err() == nil && !known {
		s.log.Error("a request failed", "method", r.Method, "path", r.URL.EscapedPath(), "error", err)
	}
}

// show answers an item.
func (a *aggregate) show(w http.ResponseWriter, r *request, status int, media string, record *store.Record, row values) {
	self := r.href(a.path, record.Key)
	links := (&object{}).add("self", link(self)).add(a.rel, link(self))
	w.Header().Set("ETag", etag(record.Version))
	if status == http.StatusCreated {
		w.Header().Set("Location", self)
	}
	answer(w, status, media, resource(a.fields, row, links).json())
}

func (a *aggregate) getCollection(s *service, w http.ResponseWriter, r *request) {
	media, ok := accepted(w, r, halType, jsonType)
	if !ok {
		return
	}
	q := paging(r)
	page, err := s.store.List(r.Context(), a.kind, q)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	answer(w, http.StatusOK, media, collection(r, a.path, strings.TrimPrefix(a.path, "/"), q, page, func(record store.Record) *object {
		row, _ := decode(record.Value).(values)
		self := r.href(a.path, record.Key)
		return resource(a.fields, row, (&object{}).add("self", link(self)).add(a.rel, link(self)))
	}).json())
}

func (a *aggregate) getItem(s *service, w http.ResponseWriter, r *request) {
	media, ok := accepted(w, r, halType, jsonType)
	if !ok {
		return
	}
	record, err := s.store.Get(r.Context(), a.kind, r.id())
	if err != nil {
		s.fail(w, r, err)
		return
	}
	if r.Header.Get("If-None-Match") == etag(record.Version) {
		w.Header().Set("ETag", etag(record.Version))
		w.WriteHeader(http.StatusNotModified)
		return
	}
	row, _ := decode(record.Value).(values)
	a.show(w, r, http.StatusOK, media, record, row)
}

func (a *aggregate) post(s *service, w http.ResponseWriter, r *request) {
	media, ok := accepted(w, r, halType, jsonType)
	if !ok {
		return
	}
	in, ok := body(w, r)
	if !ok {
		return
	}
	t := transition{by: a.plainly("POST"), aggregate: a, input: in}
	if t.state, ok = a.read(w, in); !ok {
		return
	}
	key := ""
	if !a.key.typ.number() {
		key = keyText(in[a.key.name]) // text keys may be the client's
	}
	record, err := s.create(r.Context(), t, key)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	a.show(w, r, http.StatusCreated, media, record, t.state)
}

func (a *aggregate) put(s *service, w http.ResponseWriter, r *request) { a.update(s, w, r, true) }

func (a *aggregate) patch(s *service, w http.ResponseWriter, r *request) { a.update(s, w, r, false) }

// update replaces an item's fields, or merges what is sent (RFC 7396). A PUT
// where there is nothing creates, as Spring Data REST does.
func (a *aggregate) update(s *service, w http.ResponseWriter, r *request, replace bool) {
	media, ok := accepted(w, r, halType, jsonType)
	if !ok {
		return
	}
	var also []string
	if !replace {
		also = []string{"application/merge-patch+json"}
	}
	in, ok := body(w, r, also...)
	if !ok {
		return
	}
	version, ok := ifMatch(w, r)
	if !ok {
		return
	}
	fields, ok := a.read(w, in)
	if !ok {
		return
	}
	t := transition{by: a.plainly(r.Method), aggregate: a, key: r.id(), input: in, ifAt: version}
	record, row, err := s.change(r.Context(), t, func(state values) error {
		for _, f := range a.fields {
			switch v, sent := fields[f.name]; {
			case f.name == a.key.name:
			case replace:
				state[f.name] = v
			case sent:
				state[f.name] = mergePatch(state[f.name], v, in[f.name])
			}
		}
		return nil
	})
	if replace && errors.Is(err, store.ErrNotFound) && version == nil && r.Header.Get("If-Match") == "" {
		a.putNew(s, w, r, media, fields, in)
		return
	}
	if err != nil {
		s.fail(w, r, err)
		return
	}
	a.show(w, r, http.StatusOK, media, record, row)
}

func (a *aggregate) putNew(s *service, w http.ResponseWriter, r *request, media string, fields, in values) {
	if a.key.typ.kind == intType || a.key.typ.kind == longType {
		if n, err := strconv.ParseInt(r.id(), 10, 64); err != nil || strconv.FormatInt(n, 10) != r.id() {
			problem(w, http.StatusBadRequest, "the key "+r.id()+" is no whole number", invalid{a.key.name, "it must be a whole number"})
			return
		}
	}
	t := transition{by: a.plainly("POST"), aggregate: a, input: in, state: fields}
	record, err := s.create(r.Context(), t, r.id())
	if err != nil {
		s.fail(w, r, err)
		return
	}
	a.show(w, r, http.StatusCreated, media, record, t.state)
}

// mergePatch merges objects member by member; all else is replaced.
func mergePatch(old, converted, sent any) any {
	was, ok1 := old.(values)
	is, ok2 := converted.(values)
	patch, ok3 := sent.(values)
	if !ok1 || !ok2 || !ok3 {
		return converted
	}
	out := values{}
	for name, v := range was {
		out[name] = v
	}
	for name, v := range patch {
		out[name] = mergePatch(was[name], is[name], v)
	}
	return out
}

func (a *aggregate) delete(s *service, w http.ResponseWriter, r *request) {
	version, ok := ifMatch(w, r)
	if !ok {
		return
	}
	t := transition{by: a.plainly("DELETE"), aggregate: a, key: r.id(), remove: true, ifAt: version}
	if _, _, err := s.change(r.Context(), t, func(values) error { return nil }); err != nil {
		s.fail(w, r, err)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}
