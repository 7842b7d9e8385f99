package capture

import (
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/meshstorm/meshstorm/deploy"
	"github.com/meshstorm/meshstorm/topping/istio"
)

// use is a path as a rule of a VirtualService takes it.
type use struct {
	outside string // as clients send it
	prefix  string // what the rule takes away before the service sees it
	inside  string // as the service sees it
	edge    bool   // through a gateway
	read    bool   // no rule takes commands for it
}

// hostOf is the Service of the snapshot's namespace that a destination names, ""
// for any other.
func (s *Snapshot) hostOf(host, namespace string) string {
	name, rest, full := strings.Cut(host, ".")
	if full {
		namespace, rest, _ = strings.Cut(rest, ".")
		if rest != "" && rest != "svc" && rest != "svc.cluster.local" {
			return ""
		}
	}
	if namespace != s.Namespace {
		return ""
	}
	return name
}

// targets are the Services that VirtualServices send to.
func (d *deriver) targets() map[string]bool {
	all := map[string]bool{}
	for _, o := range d.objects {
		if !isVirtualService(o) {
			continue
		}
		for _, rule := range items(o.Content, "spec", "http") {
			for _, r := range items(rule, "route") {
				all[d.snap.hostOf(text(r, "destination", "host"), d.snap.full(o.ID()).Namespace)] = true
			}
		}
	}
	delete(all, "")
	return all
}

// routes notes for each context what a VirtualService says of it.
func (d *deriver) routes(o Object, held bool) {
	about := "VirtualService/" + o.ID().Name
	gateways := strs(o.Content, "spec", "gateways")
	edge := slices.ContainsFunc(gateways, func(g string) bool { return g != "mesh" })
	rules := items(o.Content, "spec", "http")
	ours := !slices.ContainsFunc(rules, func(r map[string]any) bool { return !istio.Generated(text(r, "name")) })
	for _, rule := range rules {
		c := d.byName[d.receiver(about, o, rule)]
		if c == nil {
			continue
		}
		if share := shareOf(rule); share != nil && !held {
			c.shares = append(c.shares, share)
		}
		c.exposed = c.exposed || edge
		for _, u := range d.usesOf(about, rule, edge) {
			if ours && istio.Writes(text(rule, "name")) {
				u.read = false
			} else {
				u.read = ours
			}
			c.uses = append(c.uses, u)
		}
	}
	for _, kind := range []string{"tcp", "tls"} {
		if len(items(o.Content, "spec", kind)) > 0 {
			d.gap(about, "its %s rules: the model knows HTTP paths only; kept in the YAML", kind)
		}
	}
}

// receiver is the Service that a rule sends most requests to.
func (d *deriver) receiver(about string, o Object, rule map[string]any) string {
	shares := map[string]int64{}
	best := ""
	for _, r := range items(rule, "route") {
		host := text(r, "destination", "host")
		name := d.snap.hostOf(host, d.snap.full(o.ID()).Namespace)
		if name == "" || d.byName[name] == nil {
			if host != "" {
				d.gap(about, "it sends to %s, which is no bounded context here", host)
			}
			continue
		}
		weight, ok := number(r, "weight")
		if !ok {
			weight = 100
		}
		shares[name] += weight
		if best == "" || shares[name] > shares[best] {
			best = name
		}
	}
	if len(shares) > 1 {
		d.gap(about, "one of its rules splits requests between several Services, which the model cannot say; the paths are taken for %s, the split is kept in the YAML", best)
	}
	if rule["delegate"] != nil {
		d.gap(about, "it delegates to the VirtualService %s; the model knows the paths of its rules only", text(rule, "delegate", "name"))
	}
	return best
}

// shareOf reads a split between the tracks stable and canary; nil where a rule
// has none.
func shareOf(rule map[string]any) map[string]int32 {
	share := map[string]int32{}
	var sum int32
	for _, r := range items(rule, "route") {
		weight, ok := number(r, "weight")
		subset := text(r, "destination", "subset")
		if !ok || subset != deploy.TrackStable && subset != deploy.TrackCanary || weight < 0 || weight > 100 {
			return nil
		}
		share[subset] += int32(weight)
		sum += int32(weight)
	}
	if len(share) != 2 || sum != 100 {
		return nil
	}
	return share
}

func (d *deriver) usesOf(about string, rule map[string]any, edge bool) []use {
	var all []use
	matches := items(rule, "match")
	if len(matches) == 0 && edge {
		d.gap(about, "a rule without a match takes all paths; a path of the model names at least one segment")
	}
	for _, m := range matches {
		uri := mapping(m, "uri")
		if uri == nil {
			if edge {
				d.gap(about, "a rule that asks for no path takes all of them; a path of the model names at least one segment")
			}
			continue
		}
		u, ok := useOf(uri, mapping(rule, "rewrite"))
		if !ok {
			d.gap(about, "the condition %s is no path of the model; kept in the YAML", show(uri))
			continue
		}
		u.edge = edge
		all = append(all, u)
	}
	return all
}

// useOf reads a condition on the path, and what the rule's rewrite leaves of it.
func useOf(uri, rewrite map[string]any) (use, bool) {
	if expression := text(uri, "regex"); expression != "" {
		p, ok := fromRegex(expression)
		return cutExpression(use{outside: p, inside: p}, rewrite), ok
	}
	raw := text(uri, "exact")
	if raw == "" {
		raw = text(uri, "prefix")
	}
	p, ok := fromURI(raw)
	if !ok {
		return use{}, false
	}
	u := use{outside: p, inside: p}
	to, ok := fromURI(text(rewrite, "uri"))
	if before, cut := strings.CutSuffix(p, to); ok && cut {
		u.prefix, u.inside = before, to
	}
	return cutExpression(u, rewrite), true
}

// cutExpression knows the rewrite that meshstorm generates for a prefix.
func cutExpression(u use, rewrite map[string]any) use {
	expression := text(rewrite, "uriRegexRewrite", "match")
	quoted, ok1 := strings.CutPrefix(expression, "^")
	quoted, ok2 := strings.CutSuffix(quoted, "(/.*)$")
	prefix, ok3 := fromURI(unquoteMeta(quoted))
	if inside, cut := strings.CutPrefix(u.outside, prefix); ok1 && ok2 && ok3 && cut && strings.HasPrefix(inside, "/") {
		u.prefix, u.inside = prefix, inside
	}
	return u
}

// fromURI makes a path of the model of what clients send. What deploy would
// read as something else is none.
func fromURI(raw string) (string, bool) {
	p, err := url.PathUnescape(strings.TrimSuffix(raw, "/"))
	if err != nil || !strings.HasPrefix(p, "/") || strings.ContainsAny(p, "{}?#*%\\\n\r\t") || strings.Contains(p, "//") {
		return "", false
	}
	for s := range strings.SplitSeq(p[1:], "/") {
		if s == "" || s == "." || s == ".." || s[0] == ':' || strings.TrimSpace(s) != s {
			return "", false
		}
	}
	return p, true
}

// variableSegment is what meshstorm writes for one.
const variableSegment = "[^/]+"

// fromRegex reads an expression that meshstorm wrote for a path with variables.
func fromRegex(expression string) (string, bool) {
	body, ok := strings.CutSuffix(expression, "(/.*)?")
	if !ok {
		return "", false
	}
	plain := unquoteMeta(strings.ReplaceAll(body, variableSegment, "{id}"))
	p, err := url.PathUnescape(plain)
	if err != nil || !strings.HasPrefix(p, "/") || deploy.PathRegex(p) != expression {
		return "", false
	}
	return p, true
}

var escaped = regexp.MustCompile(`\\([^a-zA-Z0-9])`)

func unquoteMeta(s string) string { return escaped.ReplaceAllString(s, "$1") }

// settle decides a context's paths and its prefix at the gateway.
func (d *deriver) settle(c *bounded) {
	if i := slices.IndexFunc(c.uses, func(u use) bool { return u.edge }); i >= 0 {
		c.prefix = c.uses[i].prefix
	}
	if slices.ContainsFunc(c.uses, func(u use) bool { return u.edge && u.prefix != c.prefix }) {
		c.prefix = "" // one prefix for all paths is all that the settings can say
	}
	reads := map[string]bool{}
	for _, u := range c.uses {
		p := u.outside
		if c.prefix != "" && u.edge {
			p = u.inside
		}
		before, seen := reads[p]
		reads[p] = u.read && (!seen || before)
		if !seen {
			c.paths = append(c.paths, path{text: p})
		}
	}
	for i := range c.paths {
		c.paths[i].read = reads[c.paths[i].text]
	}
	if len(c.uses) == 0 {
		d.gap("Service/"+c.name, "no VirtualService tells its paths, so the model has none")
	}
}
