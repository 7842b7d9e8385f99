package standin

import (
	"mime"
	"net/http"
	"strconv"
	"strings"

	"github.com/meshstorm/meshstorm/deploy"
	"github.com/meshstorm/meshstorm/lab/store"
)

const (
	halType  = "application/hal+json"
	jsonType = "application/json"
)

// accepted picks the type of the answer, or answers 406. Quality values decide
// between types; Spring Data REST's default is HAL.
func accepted(w http.ResponseWriter, r *request, offers ...string) (string, bool) {
	header := strings.Join(r.Header["Accept"], ",")
	if strings.TrimSpace(header) == "" {
		return offers[0], true
	}
	best, quality := "", 0.0
	for part := range strings.SplitSeq(header, ",") {
		media, params, err := mime.ParseMediaType(part)
		if err != nil {
			continue
		}
		q := 1.0
		if text, ok := params["q"]; ok {
			if q, err = strconv.ParseFloat(text, 64); err != nil {
				continue
			}
		}
		for _, offer := range offers {
			major, _, _ := strings.Cut(offer, "/")
			if (media == offer || media == "*/*" || media == major+"/*") && q > quality {
				best, quality = offer, q
				break
			}
		}
	}
	if best == "" {
		problem(w, http.StatusNotAcceptable, "the answer can be "+strings.Join(offers, " or ")+", and the request accepts only "+header)
		return "", false
	}
	return best, true
}

func link(href string) *object { return (&object{}).add("href", href) }

// resource is an item's JSON: its fields in the model's order, then links.
func resource(fields []field, row values, links *object) *object {
	body := &object{}
	for _, f := range fields {
		body.add(f.name, row[f.name])
	}
	if links != nil {
		body.add("_links", links)
	}
	return body
}

// href is an item's address.
func (r *request) href(path, key string) string {
	return r.base + deploy.EncodePath(path) + "/" + escape(key)
}

// escape encodes a key, slashes too.
func escape(key string) string { return strings.ReplaceAll(deploy.EncodePath(key), "/", "%2F") }

// paging are page, size and sort as Spring reads them: what makes no sense
// counts as absent; a page has 20 items and at most 1000.
func paging(r *request) store.Query {
	q := store.Query{Size: 20}
	query := r.URL.Query()
	if n, err := strconv.Atoi(query.Get("page")); err == nil && n > 0 {
		q.Page = n
	}
	if n, err := strconv.Atoi(query.Get("size")); err == nil && n > 0 {
		q.Size = min(n, 1000)
	}
	for _, sort := range query["sort"] {
		parts := strings.Split(sort, ",")
		descending := false
		if last := strings.ToLower(parts[len(parts)-1]); last == "asc" || last == "desc" {
			descending = last == "desc"
			parts = parts[:len(parts)-1]
		}
		for _, name := range parts {
			if name = strings.TrimSpace(name); name != "" {
				q.Sort = append(q.Sort, store.Order{Field: name, Descending: descending})
			}
		}
	}
	return q
}

// collection is a page of items with links to the others.
func collection(r *request, path, rel string, q store.Query, page *store.Page, item func(store.Record) *object) *object {
	var list strings.Builder
	list.WriteByte('[')
	for i, record := range page.Records {
		if i > 0 {
			list.WriteByte(',')
		}
		list.Write(item(record).json())
	}
	list.WriteByte(']')
	pages := (page.Total + q.Size - 1) / q.Size
	at := func(n int) *object {
		query := r.URL.Query()
		query.Set("page", strconv.Itoa(n))
		query.Set("size", strconv.Itoa(q.Size))
		return link(r.base + r.URL.EscapedPath() + "?" + query.Encode())
	}
	links := &object{}
	if pages > 1 {
		links.add("first", at(0))
	}
	if q.Page > 0 {
		links.add("prev", at(q.Page-1))
	}
	self := r.base + r.URL.EscapedPath()
	if r.URL.RawQuery != "" {
		self += "?" + r.URL.RawQuery
	}
	links.add("self", link(self))
	if q.Page+1 < pages {
		links.add("next", at(q.Page+1))
	}
	if pages > 1 {
		links.add("last", at(pages-1))
	}
	links.add("profile", link(r.base+"/profile"+deploy.EncodePath(path)))
	info := (&object{}).add("size", q.Size).add("totalElements", page.Total).add("totalPages", pages).add("number", q.Page)
	embedded := (&object{}).add(rel, rawJSON(list.String()))
	return (&object{}).add("_embedded", embedded).add("_links", links).add("page", info)
}
