package standin

import (
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// request is an HTTP request on its way through a domain.
type request struct {
	*http.Request
	d    *domain
	vars map[string]string // the path's variables, decoded
	base string            // "http://host"
}

// id is the path's first variable, which names the item.
func (r *request) id() string { return r.vars[""] }

type handler func(s *service, w http.ResponseWriter, r *request)

// route is a path and what its methods do.
type route struct {
	path     string
	segments []segment
	methods  map[string]handler
}

// segment is a literal text, {name}, or report-{id}.csv.
type segment struct {
	text  string
	names []string
	match *regexp.Regexp // nil for a literal
}

var variable = regexp.MustCompile(`\{[^{}/]+\}`)

func newRoute(path string) *route {
	r := &route{path: path, methods: map[string]handler{}}
	path = strings.ToValidUTF8(path, "\uFFFD") // a model may hold %83, of which no expression can be made
	for s := range strings.SplitSeq(strings.TrimPrefix(path, "/"), "/") {
		seg := segment{text: s}
		at := variable.FindAllStringIndex(s, -1)
		if len(at) > 0 {
			var b strings.Builder
			from := 0
			for _, x := range at {
				b.WriteString(regexp.QuoteMeta(s[from:x[0]]) + "(.+)")
				seg.names = append(seg.names, s[x[0]+1:x[1]-1])
				from = x[1]
			}
			seg.match = regexp.MustCompile("^(?s:" + b.String() + regexp.QuoteMeta(s[from:]) + ")$")
		}
		r.segments = append(r.segments, seg)
	}
	return r
}

// vars matches a path's decoded segments.
func (r *route) vars(path []string) (map[string]string, bool) {
	if len(path) != len(r.segments) {
		return nil, false
	}
	vars := map[string]string{}
	for i, seg := range r.segments {
		if seg.match == nil {
			if seg.text != path[i] {
				return nil, false
			}
			continue
		}
		found := seg.match.FindStringSubmatch(path[i])
		if found == nil {
			return nil, false
		}
		for j, name := range seg.names {
			if _, first := vars[""]; !first {
				vars[""] = found[j+1]
			}
			vars[name] = found[j+1]
		}
	}
	return vars, true
}

// before tells whether r is more special than other: a literal goes before a
// variable in the same place.
func (r *route) before(other *route) int {
	for i := range min(len(r.segments), len(other.segments)) {
		a, b := r.segments[i].match, other.segments[i].match
		switch {
		case a == nil && b != nil:
			return -1
		case a != nil && b == nil:
			return 1
		}
	}
	return 0
}

// split decodes a request's path, segment by segment, so that %2F stays inside
// one. One slash at the end does not count.
func split(u *url.URL) ([]string, bool) {
	path := strings.TrimSuffix(u.EscapedPath(), "/")
	parts := strings.Split(strings.TrimPrefix(path, "/"), "/")
	for i, p := range parts {
		plain, err := url.PathUnescape(p)
		if err != nil {
			return nil, false
		}
		parts[i] = plain
	}
	return parts, true
}

// at is the domain's route of a path, made where there is none yet.
func (d *domain) at(path string) *route {
	for _, r := range d.routes {
		if r.path == path {
			return r
		}
	}
	r := newRoute(path)
	d.routes = append(d.routes, r)
	return r
}

// serve sets what a method does, unless something does it already.
func (c *compiler) serve(path, method string, h handler, what string) {
	r := c.d.at(path)
	if r.methods[method] != nil {
		c.note("%s would be served at %s %s, where something else is", what, method, path)
		return
	}
	r.methods[method] = h
}

// route lays out the context's paths: commands with paths of their own first,
// then what Spring Data REST serves for every aggregate, then read models.
func (c *compiler) route() {
	for _, cmd := range c.d.commands {
		if cmd.path != "" && (!cmd.repository || cmd.aggregate == nil) {
			c.serve(cmd.path, cmd.method, cmd.handle, "the command "+cmd.name)
		}
	}
	for _, a := range c.d.aggregates {
		for _, m := range []struct {
			path, method string
			h            handler
		}{
			{a.path, "GET", a.getCollection}, {a.path, "POST", a.post}, {a.item, "GET", a.getItem},
			{a.item, "PUT", a.put}, {a.item, "PATCH", a.patch}, {a.item, "DELETE", a.delete},
		} {
			if r := c.d.at(m.path); r.methods[m.method] == nil {
				r.methods[m.method] = m.h
			}
		}
	}
	for _, v := range c.d.views {
		if v.item == "" {
			c.serve(v.path, "GET", v.query, "the read model "+v.name)
			continue
		}
		c.serve(v.path, "GET", v.getCollection, "the read model "+v.name)
		c.serve(v.item, "GET", v.getItem, "the read model "+v.name)
	}
	slices.SortStableFunc(c.d.routes, (*route).before)
}

// lookup finds the route of a path.
func (d *domain) lookup(u *url.URL) (*route, map[string]string) {
	parts, ok := split(u)
	if !ok {
		return nil, nil
	}
	for _, r := range d.routes {
		if vars, ok := r.vars(parts); ok {
			return r, vars
		}
	}
	return nil, nil
}

// allow lists a route's methods as the header Allow has them.
func (r *route) allow() string {
	var list []string
	for _, m := range []string{"GET", "POST", "PUT", "PATCH", "DELETE"} {
		if r.methods[m] != nil {
			list = append(list, m)
			if m == "GET" {
				list = append(list, "HEAD")
			}
		}
	}
	return strings.Join(append(list, "OPTIONS"), ",")
}
