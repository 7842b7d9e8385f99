package deploy

import (
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/meshstorm/meshstorm/storm"
)

var (
	// origin is what stands before the path of a whole URL.
	origin = regexp.MustCompile(`^[a-zA-Z][a-zA-Z0-9+.-]*://[^/]*`)
	// constraint is the expression in "{id:[0-9]+}", as frameworks write it.
	constraint = regexp.MustCompile(`\{([^{}/:]+):[^{}]*\}`)
	// variable is {name} or a part of a segment such as report-{id}.csv.
	variable = regexp.MustCompile(`\{[^{}/]+\}`)
)

// cleanPath makes "/a/b" of what people write as a path: separators doubled or
// at the end, "." and ".." segments, a query, ":id" for a variable, "/**" at
// the end, a URL's scheme and host, percent-encoding.
func cleanPath(p string) string {
	p = constraint.ReplaceAllString(origin.ReplaceAllString(strings.TrimSpace(p), ""), "{$1}")
	p, _, _ = strings.Cut(p, "?")
	p, _, _ = strings.Cut(p, "#")
	p = strings.TrimSuffix(strings.TrimSuffix(p, "/**"), "/*")
	if plain, err := url.PathUnescape(p); err == nil {
		p = plain
	}
	var out []string
	for s := range strings.SplitSeq(p, "/") {
		s = strings.TrimSpace(s)
		switch {
		case s == "" || s == "." || s == "..":
			continue
		case len(s) > 1 && s[0] == ':':
			s = "{" + s[1:] + "}"
		}
		out = append(out, s)
	}
	return "/" + strings.Join(out, "/")
}

func segments(p string) []string { return strings.Split(strings.TrimPrefix(p, "/"), "/") }

// isVariable reports whether a segment such as {id} or report-{id}.csv stands
// for more than one text.
func isVariable(segment string) bool { return variable.MatchString(segment) }

// takesAny reports whether a segment stands for any text.
func takesAny(segment string) bool { return variable.FindString(segment) == segment && segment != "" }

// segmentRegex is an RE2 expression for one segment, encoded.
func segmentRegex(segment string) string {
	var b strings.Builder
	from := 0
	for _, at := range variable.FindAllStringIndex(segment, -1) {
		b.WriteString(regexp.QuoteMeta(encodeSegment(segment[from:at[0]])))
		b.WriteString("[^/]+")
		from = at[1]
	}
	b.WriteString(regexp.QuoteMeta(encodeSegment(segment[from:])))
	return b.String()
}

// meet returns a text that both segments take, or "". Two patterns that both
// hold literal parts are taken to meet: to say so is the safe side.
func meet(a, b string) string {
	fits := func(pattern, text string) bool {
		ok, err := regexp.MatchString("^"+segmentRegex(pattern)+"$", encodeSegment(text))
		return err == nil && ok
	}
	switch {
	case a == b, isVariable(a) && isVariable(b):
		return a
	case isVariable(a) && (takesAny(a) || fits(a, b)):
		return b
	case isVariable(b) && (takesAny(b) || fits(b, a)):
		return a
	}
	return ""
}

// Covers reports whether every path that q's prefix takes is also taken by p's.
func covers(p, q string) bool {
	ps, qs := segments(p), segments(q)
	if len(ps) > len(qs) {
		return false
	}
	for i := range ps {
		if !takesAny(ps[i]) && ps[i] != qs[i] && (isVariable(qs[i]) || meet(ps[i], qs[i]) == "") {
			return false
		}
	}
	return true
}

// overlap returns a path that both prefixes take, or "".
func overlap(p, q string) string {
	ps, qs := segments(p), segments(q)
	long := ps
	if len(qs) > len(ps) {
		long = qs
	}
	witness := slices.Clone(long)
	for i := range min(len(ps), len(qs)) {
		if witness[i] = meet(ps[i], qs[i]); witness[i] == "" {
			return ""
		}
	}
	for i, s := range witness {
		witness[i] = variable.ReplaceAllString(s, "1")
	}
	return "/" + strings.Join(witness, "/")
}

// prefixesOf is the smallest set of prefixes that covers the resources.
func prefixesOf(resources []Resource) []Prefix {
	all := make([]Prefix, 0, len(resources))
	for _, r := range resources {
		all = append(all, Prefix{Path: r.Path, Source: r.Source})
	}
	slices.SortStableFunc(all, func(a, b Prefix) int {
		if n := len(segments(a.Path)) - len(segments(b.Path)); n != 0 {
			return n
		}
		return strings.Compare(a.Path, b.Path)
	})
	var kept []Prefix
	for _, p := range all {
		if !slices.ContainsFunc(kept, func(k Prefix) bool { return covers(k.Path, p.Path) }) {
			kept = append(kept, p)
		}
	}
	slices.SortFunc(kept, func(a, b Prefix) int { return strings.Compare(a.Path, b.Path) })
	for i := range kept {
		for _, r := range resources {
			if covers(kept[i].Path, r.Path) {
				kept[i].Methods = union(kept[i].Methods, r.Methods)
			}
		}
	}
	return kept
}

// EncodePath is a path as clients send it: UTF-8 percent-encoded, but for "/"
// and what RFC 3986 lets stand in a path (pchar), which browsers and curl leave
// as it is.
func EncodePath(p string) string {
	parts := strings.Split(p, "/")
	for i := range parts {
		parts[i] = encodeSegment(parts[i])
	}
	return strings.Join(parts, "/")
}

func encodeSegment(s string) string {
	const pchar = "-._~!$&'()*+,;=:@"
	var b strings.Builder
	for i := range len(s) {
		c := s[i]
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte(pchar, c) >= 0 {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}

// HasVariable reports whether a path holds a {name} segment, so that only a
// regular expression can match it.
func HasVariable(p string) bool { return slices.ContainsFunc(segments(p), isVariable) }

// PathRegex is an RE2 expression for a prefix with variables: the path itself
// and everything below it, as Envoy matches, over the whole encoded path.
func PathRegex(p string) string {
	var b strings.Builder
	for _, s := range segments(p) {
		b.WriteString("/" + segmentRegex(s))
	}
	return b.String() + "(/.*)?"
}

var (
	collectionMethods = []string{"GET", "POST"}
	itemMethods       = []string{"GET", "PUT", "PATCH", "DELETE"}
)

// resourcesOf lists what a context serves, in the original's conventions: a
// collection and its items per aggregate, custom command paths below them, and
// a query per view. Mirrors are served where their originals live.
func (b *builder) resourcesOf(c *storm.Context) []Resource {
	r := resources{at: map[string]int{}}
	for _, a := range c.Aggregates {
		plural := b.plurals.path(a.Name)
		if plural == "" || a.Mirror != "" {
			continue
		}
		root := "/" + plural
		r.add(root, sourceOf(&a.Element), collectionMethods...)
		r.add(root+"/{id}", sourceOf(&a.Element), itemMethods...)
		for _, cmd := range a.Commands {
			if path := commandPath(root, cmd); path != "" && cmd.Mirror == "" {
				r.add(path, sourceOf(&cmd.Element), cmd.Method)
			}
		}
	}
	for _, cmd := range c.Commands {
		if p := cleanPath(cmd.Path); p != "/" && !cmd.Repository && cmd.Mirror == "" {
			r.add(p, sourceOf(&cmd.Element), cmd.Method)
		}
	}
	for _, v := range c.Views {
		if v.Mirror != "" {
			continue
		}
		if p := cleanPath(v.Path); p != "/" {
			r.add(p, sourceOf(&v.Element), "GET")
		} else if plural := b.plurals.path(v.Name); plural != "" {
			r.add("/"+plural, sourceOf(&v.Element), "GET")
			r.add("/"+plural+"/{id}", sourceOf(&v.Element), "GET")
		}
	}
	return r.list
}

// commandPath is where a command is served: a plain create, update or delete
// on the collection itself; a custom path below the collection (POST) or below
// one item (all other methods); a custom path that begins with the collection
// or with {id} says the rest itself.
func commandPath(root string, c *storm.Command) string {
	item := root + "/{id}"
	base := item
	if c.Method == "POST" {
		base = root
	}
	custom := cleanPath(c.Path)
	switch {
	case c.Repository || custom == "/":
		return base
	case covers(root, custom):
		return custom
	case isVariable(segments(custom)[0]):
		return root + custom
	}
	return base + custom
}

// resources collects paths, one entry each, with the union of the methods.
type resources struct {
	list []Resource
	at   map[string]int
}

func (r *resources) add(path string, source Source, methods ...string) {
	i, ok := r.at[path]
	if !ok {
		i = len(r.list)
		r.at[path] = i
		r.list = append(r.list, Resource{Path: path, Source: source})
	}
	r.list[i].Methods = union(r.list[i].Methods, methods)
}

// union appends what is not there yet.
func union(to, from []string) []string {
	for _, s := range from {
		if !slices.Contains(to, s) {
			to = append(to, s)
		}
	}
	return to
}

// applyPathSettings adds, drops or replaces what the model says.
func applyPathSettings(list []Resource, s PathSettings, source Source) []Resource {
	if s.Replace != nil {
		list = nil
	}
	for _, p := range slices.Concat(s.Replace, s.Add) {
		list = append(list, Resource{Path: cleanPath(p), Methods: []string{"GET", "POST", "PUT", "PATCH", "DELETE"}, Source: source})
	}
	return slices.DeleteFunc(list, func(r Resource) bool {
		return slices.ContainsFunc(s.Drop, func(d string) bool { return covers(cleanPath(d), r.Path) })
	})
}
