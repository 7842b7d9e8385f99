package standin

import (
	"encoding/json"
	"net/http"
	"strings"

	"github.com/meshstorm/meshstorm/deploy"
)

func rawJSON(s string) json.RawMessage { return json.RawMessage(s) }

func validJSON(raw []byte) bool { return json.Valid(raw) }

// exported is a collection as the index and the profiles show it.
type exported struct {
	rel, path, item string
	fields          []field
	key             string
	writes          bool
}

func (d *domain) exported() []exported {
	var list []exported
	for _, a := range d.aggregates {
		list = append(list, exported{strings.TrimPrefix(a.path, "/"), a.path, a.rel, a.fields, a.key.name, true})
	}
	for _, v := range d.views {
		if v.item != "" && !d.shadowed(v.path) {
			list = append(list, exported{strings.TrimPrefix(v.path, "/"), v.path, v.rel, v.fields, v.key.name, false})
		}
	}
	return list
}

func (d *domain) shadowed(path string) bool {
	for _, a := range d.aggregates {
		if a.path == path {
			return true
		}
	}
	return false
}

// root answers the index and the profiles of Spring Data REST.
func (r *request) root(w http.ResponseWriter) bool {
	path := strings.TrimSuffix(r.URL.Path, "/")
	if path != "" && path != "/profile" && !strings.HasPrefix(path, "/profile/") {
		return false
	}
	rest, below := strings.CutPrefix(path, "/profile/")
	var of *exported
	if below {
		for _, e := range r.d.exported() {
			if e.path == "/"+rest {
				of = &e
			}
		}
		if of == nil {
			problem(w, http.StatusNotFound, "there is no profile of "+rest)
			return true
		}
	}
	switch {
	case r.Method == http.MethodOptions:
		w.Header().Set("Allow", "GET,HEAD,OPTIONS")
		w.Header().Set("Content-Length", "0")
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		w.Header().Set("Allow", "GET,HEAD,OPTIONS")
		problem(w, http.StatusMethodNotAllowed, r.Method+" is not supported at "+r.URL.Path)
	case below:
		r.alps(w, of)
	default:
		r.index(w, path == "")
	}
	return true
}

func (r *request) index(w http.ResponseWriter, root bool) {
	media, ok := accepted(w, r, halType, jsonType)
	if !ok {
		return
	}
	links := &object{}
	if !root {
		links.add("self", link(r.base+"/profile"))
	}
	for _, e := range r.d.exported() {
		if root {
			links.add(e.rel, link(r.base+deploy.EncodePath(e.path)+"{?page,size,sort}").add("templated", true))
		} else {
			links.add(e.rel, link(r.base+"/profile"+deploy.EncodePath(e.path)))
		}
	}
	if root {
		links.add("profile", link(r.base+"/profile"))
	}
	answer(w, http.StatusOK, media, (&object{}).add("_links", links).json())
}

// alps describes a collection (Application-Level Profile Semantics): its
// representation and what can be done.
func (r *request) alps(w http.ResponseWriter, e *exported) {
	media, ok := accepted(w, r, "application/alps+json", jsonType)
	if !ok {
		return
	}
	href := r.base + "/profile" + deploy.EncodePath(e.path)
	var fields []*object
	for _, f := range e.fields {
		if f.name != e.key {
			fields = append(fields, (&object{}).add("name", f.name).add("type", "SEMANTIC"))
		}
	}
	list := []*object{(&object{}).add("id", e.item+"-representation").add("href", href).add("descriptor", objects(fields))}
	does := [][3]string{{"get-" + e.rel, e.rel, "SAFE"}, {"get-" + e.item, e.item, "SAFE"}}
	if e.writes {
		does = append(does, [3]string{"create-" + e.rel, e.rel, "UNSAFE"}, [3]string{"update-" + e.item, e.item, "IDEMPOTENT"},
			[3]string{"patch-" + e.item, e.item, "UNSAFE"}, [3]string{"delete-" + e.item, e.item, "IDEMPOTENT"})
	}
	for _, do := range does {
		list = append(list, (&object{}).add("id", do[0]).add("name", do[1]).add("type", do[2]).add("rt", "#"+e.item+"-representation"))
	}
	body := (&object{}).add("alps", (&object{}).add("version", "1.0").add("descriptor", objects(list)))
	answer(w, http.StatusOK, media, body.json())
}

func objects(list []*object) json.RawMessage {
	var b strings.Builder
	b.WriteByte('[')
	for i, o := range list {
		if i > 0 {
			b.WriteByte(',')
		}
		b.Write(o.json())
	}
	b.WriteByte(']')
	return json.RawMessage(b.String())
}
