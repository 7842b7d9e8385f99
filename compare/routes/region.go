package routes

import (
	"slices"
	"strconv"
	"strings"

	"github.com/meshstorm/meshstorm/space"
)

// regions are the requests of a cell, those with the hosts that clients rather
// send first. Where no rule looks at the host, one host stands for all.
func (c *comparison) regions(at cell, plain bool) []space.Box {
	var base space.Box
	if c.options.Scheme != "" {
		base = base.With(space.Scheme, space.OneOf(c.options.Scheme))
	}
	field := c.domainField()
	if plain && field == space.Authority {
		if name, ok := c.nice(at.names); ok {
			if b := base.With(field, space.OneOf(name)); !b.IsEmpty() {
				return []space.Box{b}
			}
		}
	}
	region := base.With(field, at.hosts()).With(space.Authority, c.options.Hosts)
	if c.portsDiffer() {
		region = region.With(space.Authority, space.Contains(":", false).Not())
	}
	if plain && field == space.Authority {
		const host = "shop.example"
		for _, name := range []string{host + ":" + strconv.Itoa(c.options.Port), host} {
			named := region.With(field, space.OneOf(name))
			if !named.IsEmpty() && c.usualPort() == (name == host) {
				return []space.Box{base.With(field, space.OneOf(name))}
			}
		}
	}
	all := c.preferPort(region)
	if !plain || field != space.Authority {
		return all
	}
	for _, r := range all {
		if w, ok := r.Witness(); ok {
			return []space.Box{base.With(field, space.OneOf(w.Values[field]))}
		}
	}
	return nil
}

// portsDiffer tells whether one side alone ignores ports of hosts.
func (c *comparison) portsDiffer() bool {
	return c.before.ignores != c.after.ignores && c.before.Config != nil && c.after.Config != nil
}

// usualPort tells whether clients leave the port out.
func (c *comparison) usualPort() bool {
	port := c.options.Port
	return port == 0 || port == 80 && c.options.Scheme != "https" || port == 443 && c.options.Scheme != "http"
}

// preferPort puts the hosts that carry the port clients connect to before the
// others, for that is what clients send.
func (c *comparison) preferPort(region space.Box) []space.Box {
	if region.IsEmpty() {
		return nil
	}
	first := space.Contains(":", false).Not()
	if !c.usualPort() {
		first = space.Suffix(":"+strconv.Itoa(c.options.Port), false)
	}
	var out []space.Box
	for _, s := range []space.Strings{first, first.Not()} {
		if b := region.With(space.Authority, s); !b.IsEmpty() {
			out = append(out, b)
		}
	}
	return out
}

// nice is the host of a list that people would rather send: with the port where
// clients send it, a name rather than an address, a short one. ok is false
// where none of them can be sent.
func (c *comparison) nice(names []string) (host string, ok bool) {
	type candidate struct {
		host  string
		right bool // has the port that clients send
		ip    bool
	}
	port := ":" + strconv.Itoa(c.options.Port)
	var all []candidate
	for _, n := range names {
		bare := withoutPort(n)
		add := func(host string, right bool) {
			if c.options.Hosts.Has(host) && (!c.portsDiffer() || withoutPort(host) == host) {
				all = append(all, candidate{host, right, isAddress(n)})
			}
		}
		switch {
		case c.usualPort():
			add(n, bare == n)
		case c.ignorePorts():
			add(n+port, true)
		default:
			add(n, strings.HasSuffix(n, port))
		}
	}
	if len(all) == 0 {
		return "", false
	}
	rank := func(x candidate) int {
		r := len(x.host)
		if !x.right {
			r += 2_000
		}
		if x.ip {
			r += 1_000
		}
		return r
	}
	best := slices.MinFunc(all, func(x, y candidate) int { return rank(x) - rank(y) })
	return best.host, true
}
