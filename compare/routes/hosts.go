package routes

import (
	"net/netip"
	"slices"
	"sort"
	"strings"

	"github.com/meshstorm/meshstorm/route"
	"github.com/meshstorm/meshstorm/space"
)

// domains are the domains of all virtual hosts of a side, lower-case. The order
// in which they are tried is that of VirtualHost.domains: exact ones, suffix
// wildcards, prefix wildcards, "*", the longest wildcard first.
type domains struct {
	exact map[string]*route.VirtualHost
	wild  []wildcard // in the order they are tried; the last is "*"
}

// wildcard is a domain with a * in it, without the *.
type wildcard struct {
	kind wildcardKind
	text string
	host *route.VirtualHost // nil for a "*" that nobody has
}

type wildcardKind uint8

const (
	suffixWildcard wildcardKind = iota
	prefixWildcard
	anyWildcard
)

func newDomains(hosts []*route.VirtualHost) *domains {
	d := &domains{exact: map[string]*route.VirtualHost{}}
	last := wildcard{kind: anyWildcard}
	for _, h := range hosts {
		for _, domain := range h.Domains {
			name := lowerASCII(domain)
			switch {
			case name == "*":
				last.host = h
			case strings.HasPrefix(name, "*"):
				d.wild = append(d.wild, wildcard{suffixWildcard, name[1:], h})
			case strings.HasSuffix(name, "*"):
				d.wild = append(d.wild, wildcard{prefixWildcard, name[:len(name)-1], h})
			default:
				d.exact[name] = h
			}
		}
	}
	slices.SortStableFunc(d.wild, func(a, b wildcard) int {
		if a.kind != b.kind {
			return int(a.kind) - int(b.kind)
		}
		return len(b.text) - len(a.text)
	})
	d.wild = append(d.wild, last)
	return d
}

func lowerASCII(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'A' && r <= 'Z' {
			r += 'a' - 'A'
		}
		return r
	}, s)
}

// find gives the virtual host of an authority, as the side reads it.
func (d *domains) find(name string) *route.VirtualHost {
	if h, ok := d.exact[name]; ok {
		return h
	}
	for _, w := range d.wild {
		switch {
		case w.kind == anyWildcard,
			w.kind == suffixWildcard && len(name) > len(w.text) && strings.HasSuffix(name, w.text),
			w.kind == prefixWildcard && len(name) > len(w.text) && strings.HasPrefix(name, w.text):
			return w.host
		}
	}
	return nil
}

// cell is a set of authorities for which each side chooses one virtual host.
type cell struct {
	a, b  *host
	names []string // exact domains; none for wildcards
	hosts func() space.Strings
}

// cells cut the authorities of both sides, those of exact domains first, in the
// order of their names.
func (c *comparison) cells() []cell {
	var all []cell
	type pair struct{ a, b *host }
	groups := map[pair][]string{}
	var order []pair
	exact := c.exactDomains()
	for _, name := range exact {
		if c.options.ByName && c.hasNames(name) {
			continue
		}
		p := pair{c.before.host(c.before.domains.find(name)), c.after.host(c.after.domains.find(name))}
		if groups[p] == nil {
			order = append(order, p)
		}
		groups[p] = append(groups[p], name)
	}
	for _, p := range order {
		all = append(all, cell{p.a, p.b, groups[p], func() space.Strings { return c.withPorts(groups[p]) }})
	}
	a, b := c.before.domains.wild, c.after.domains.wild
	for i, x := range a {
		for j, y := range b {
			if x.related(y) {
				all = append(all, cell{c.before.host(x.host), c.after.host(y.host), nil, func() space.Strings {
					return c.wildHosts(i, j, exact)
				}})
			}
		}
	}
	return all
}

// hasNames tells whether a domain is an address of virtual hosts that have
// names.
func (c *comparison) hasNames(domain string) bool {
	if !isAddress(domain) {
		return false
	}
	for _, s := range []*side{c.before, c.after} {
		if h := s.domains.exact[domain]; h != nil && !slices.ContainsFunc(h.Domains, func(d string) bool { return !isAddress(d) }) {
			return false
		}
	}
	return true
}

func isAddress(domain string) bool {
	_, err := netip.ParseAddr(strings.Trim(withoutPort(domain), "[]"))
	return err == nil
}

func (c *comparison) exactDomains() []string {
	seen := map[string]bool{}
	var names []string
	for _, s := range []*side{c.before, c.after} {
		for name := range s.domains.exact {
			// Where ports are ignored, a domain with one never matches.
			if (c.ignorePorts() && withoutPort(name) != name) || seen[name] {
				continue
			}
			seen[name] = true
			names = append(names, name)
		}
	}
	sort.Strings(names)
	return names
}

// ignorePorts tells whether ports of authorities do not count on either side.
func (c *comparison) ignorePorts() bool {
	a, b := c.before, c.after
	return (a.ignores || a.Config == nil) && (b.ignores || b.Config == nil)
}

// withPorts is the set of names, and of the names with any port where ports are
// ignored.
func (c *comparison) withPorts(names []string) space.Strings {
	s := space.OneOf(names...)
	if !c.ignorePorts() {
		return s
	}
	sets := make([]space.Strings, len(names))
	for i, n := range names {
		sets[i] = space.Prefix(n+":", false)
	}
	return s.Or(union(sets))
}

func union(sets []space.Strings) space.Strings {
	if len(sets) == 0 {
		return space.None()
	}
	if len(sets) == 1 {
		return sets[0]
	}
	return union(sets[:len(sets)/2]).Or(union(sets[len(sets)/2:]))
}

// wildHosts are the authorities in lower case for which the i-th wildcard of one side and the
// j-th of the other are the first that fit, and no exact domain does.
func (c *comparison) wildHosts(i, j int, exact []string) space.Strings {
	a, b := c.before.domains.wild, c.after.domains.wild
	x, y := a[i], b[j]
	s := c.wildSet(x).And(c.wildSet(y))
	var minus []space.Strings
	var names []string
	for _, n := range exact {
		if x.fits(n) && y.fits(n) {
			names = append(names, n)
		}
	}
	minus = append(minus, c.withPorts(names))
	seen := map[string]bool{}
	for _, earlier := range append(slices.Clone(a[:i]), b[:j]...) {
		key := string(rune('0'+earlier.kind)) + earlier.text
		if !seen[key] && earlier.related(x) && earlier.related(y) {
			seen[key] = true
			minus = append(minus, c.wildSet(earlier))
		}
	}
	s = s.Minus(union(minus))
	// Hosts choose in any case of letters; they are compared in lower case.
	if lower := s.And(noUpperCase()); lower.Exactly() {
		return lower
	}
	return s
}

func noUpperCase() space.Strings {
	s, err := space.Regexp("[^A-Z]*")
	if err != nil {
		return space.Present()
	}
	return s
}

func (w wildcard) fits(name string) bool {
	switch w.kind {
	case suffixWildcard:
		return strings.HasSuffix(name, w.text)
	case prefixWildcard:
		return strings.HasPrefix(name, w.text)
	}
	return true
}

// related is false where no name can fit both.
func (w wildcard) related(o wildcard) bool {
	if w.kind != o.kind || w.kind == anyWildcard {
		return true
	}
	short, long := w.text, o.text
	if len(short) > len(long) {
		short, long = long, short
	}
	if w.kind == suffixWildcard {
		return strings.HasSuffix(long, short)
	}
	return strings.HasPrefix(long, short)
}

// wildSet is what a wildcard stands for: never for the empty string.
func (c *comparison) wildSet(w wildcard) space.Strings {
	switch w.kind {
	case anyWildcard:
		return space.Present()
	case prefixWildcard:
		s := space.Prefix(w.text, false).Minus(space.Exact(w.text, false))
		if c.ignorePorts() {
			s = s.Minus(space.Prefix(w.text+":", false))
		}
		return s
	}
	s := space.Suffix(w.text, false).Minus(space.Exact(w.text, false))
	if c.ignorePorts() && withoutPort(w.text) == w.text {
		port, err := space.Regexp(`.+` + quoteExpr(w.text) + `:[0-9]*`)
		if err == nil {
			s = s.Or(port)
		}
	}
	return s
}

func withoutPort(authority string) string {
	i := strings.LastIndexByte(authority, ':')
	if i < 0 || strings.LastIndexByte(authority, ']') > i {
		return authority
	}
	return authority[:i]
}
