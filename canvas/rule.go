package canvas

import (
	"fmt"
	"net/url"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/meshstorm/meshstorm/deploy"
)

// catchesAll reports whether a match takes every path.
func catchesAll(m *yaml.Node) bool {
	uri := at(m, "uri")
	return empty(uri) || text(uri, "prefix") == "/" || slices.Contains([]string{".*", "/.*"}, text(uri, "regex"))
}

// conditional reports whether a match asks for more than a path.
func conditional(m *yaml.Node) bool {
	for key, value := range fields(m) {
		if key != "uri" && key != "name" && key != "ignoreUriCase" && !empty(value) {
			return true
		}
	}
	return false
}

// pathOf is the path of a match as people write it; "" where it is none that
// can be compared.
func pathOf(m *yaml.Node) (path string, exact bool) {
	path, exact = text(m, "uri", "exact"), true
	if path == "" {
		path, exact = text(m, "uri", "prefix"), false
	}
	if decoded, err := url.PathUnescape(path); err == nil {
		path = decoded
	}
	if trimmed := strings.TrimRight(path, "/"); trimmed != "" {
		path = trimmed
	}
	return path, exact
}

// covers reports whether a prefix, which may have {variables}, takes a path.
func covers(prefix, path string) bool {
	ps, qs := strings.Split(prefix, "/"), strings.Split(path, "/")
	if len(ps) > len(qs) {
		return false
	}
	for i := range ps {
		if ps[i] != qs[i] && !strings.Contains(ps[i], "{") {
			return false
		}
	}
	return true
}

// serves says whether a path is one of the context's own: root where it is
// one of its prefixes or what the original's topping wrote for it, inside
// where it lies below one.
func serves(s *deploy.Service, path string) (root, inside bool) {
	for _, p := range s.Prefixes {
		full := s.PathPrefix + p.Path
		if full == path {
			return true, true
		}
		inside = inside || covers(full, path)
	}
	return s.Plural != "" && path == "/"+s.Plural, inside
}

// routedAs says why a path needs no rule: the service's own paths cover it, or
// it is the context's plural, which the original routes whatever is served.
func routedAs(s *deploy.Service, path string) string {
	var all []string
	for _, p := range s.Prefixes {
		if covers(s.PathPrefix+p.Path, path) {
			return s.Name + " serves it already"
		}
		all = append(all, p.Path)
	}
	return fmt.Sprintf("the original routes the plural of the context; %s serves %s", s.Name, strings.Join(all, ", "))
}

// foldRule folds a rule into the generated VirtualServices of the context it
// routes to. It returns where to, or nil where the rule cannot be folded.
func (t *taker) foldRule(d *drawing, r *rule, where entrance) *document {
	if r.dropped {
		return nil
	}
	plain := len(r.extras) == 0 && !slices.ContainsFunc(r.matches, conditional)
	if r.several && plain && len(r.matches) == 0 && !weightedRule(r) {
		t.warn(d, "a rule for every path that routes to several services is left out: each has its own paths")
		r.dropped = true
		return t.firstRoutes(r)
	}
	if r.service == nil || where.own {
		return nil
	}
	docs := t.docsFor(r.service, where)
	if len(docs) == 0 {
		return t.unroutedDefault(d, r, plain)
	}
	share, weighted := t.shares(d, r.service, r.routes)
	if !weighted {
		share = nil
	}
	deeper := slices.ContainsFunc(r.matches, func(m *yaml.Node) bool {
		path, _ := pathOf(m)
		root, inside := serves(r.service, path)
		return !root && inside
	})
	switch {
	case !plain && !t.wholeService(r):
		t.addRule(d, r, docs)
	case !plain:
		t.extend(d, r, docs, share)
	case weighted && share[deploy.TrackCanary] > 0 && deeper:
		t.addRule(d, r, docs)
	default:
		if share != nil {
			t.applyShares(d, r.service, share)
		}
		t.foldPaths(d, r, docs[0])
	}
	return docs[0]
}

func weightedRule(r *rule) bool {
	return slices.ContainsFunc(r.routes, func(n *yaml.Node) bool { w, ok := number(n, "weight"); return ok && w > 0 })
}

// firstRoutes is the generated VirtualService of the first context that a rule
// routes to.
func (t *taker) firstRoutes(r *rule) *document {
	for _, route := range r.routes {
		if s := t.names.host(text(route, "destination", "host")); s != nil {
			if docs := t.routesOf(s); len(docs) > 0 {
				return docs[0]
			}
		}
	}
	return nil
}

// docsFor are the generated VirtualServices that stand where this one did.
func (t *taker) docsFor(s *deploy.Service, where entrance) []*document {
	var docs []*document
	for _, doc := range t.routesOf(s) {
		mesh := empty(doc.node, "spec", "gateways")
		if where.edge && !mesh || where.mesh && mesh {
			docs = append(docs, doc)
		}
	}
	return docs
}

// unroutedDefault drops a rule for every path to a context that the generated
// files do not route: at a gateway that others share it would take all.
func (t *taker) unroutedDefault(d *drawing, r *rule, plain bool) *document {
	if plain && len(r.matches) == 0 && !weightedRule(r) {
		t.warn(d, "the default rule (prefix / with rewrite /) for %s is left out", r.service.Name)
		r.dropped = true
	}
	return nil
}

// wholeService reports whether a rule takes all that its context serves, so
// that what it adds can go into the generated rule.
func (t *taker) wholeService(r *rule) bool {
	if slices.ContainsFunc(r.matches, conditional) ||
		slices.ContainsFunc(r.extras, func(key string) bool { return key == "redirect" || key == "directResponse" || key == "delegate" }) {
		return false
	}
	if len(r.matches) == 0 {
		return true
	}
	taken := map[string]bool{}
	for _, m := range r.matches {
		path, exact := pathOf(m)
		root, _ := serves(r.service, path)
		if !root || exact && text(r.node, "rewrite", "uri") != "/" {
			return false
		}
		taken[path] = true
	}
	return len(taken) >= len(r.service.Prefixes)
}

// extend puts timeouts, retries and the like into the generated rules.
func (t *taker) extend(d *drawing, r *rule, docs []*document, share map[string]int) {
	if share != nil {
		t.applyShares(d, r.service, share)
	}
	for _, doc := range docs {
		for _, g := range generatedRules(doc) {
			for _, key := range r.extras {
				if key == "retries" && writes(g) {
					t.warn(d, "retries are not taken over for POST and PATCH of %s: repeated, they could be carried out twice", r.service.Name)
					continue
				}
				if old := at(g, key); old != nil && !same(old, at(r.node, key)) {
					t.warn(d, "%s is not taken over: another VirtualService gave %s another one", key, doc.ID.Name)
					continue
				}
				set(g, t.extra(r, key), key)
				doc.edited = true
			}
		}
	}
	t.warn(d, "%s of all paths of %s is taken over into the generated rule", strings.Join(r.extras, ", "), r.service.Name)
}

// extra is a field of a rule, its mirrors pointing to generated subsets.
func (t *taker) extra(r *rule, key string) *yaml.Node {
	v := clone(at(r.node, key))
	switch key {
	case "mirror":
		t.pointToTrack(v)
	case "mirrors":
		for _, m := range items(v) {
			t.pointToTrack(at(m, "destination"))
		}
	}
	return v
}

// pointToTrack makes a destination of a context name the generated subset.
func (t *taker) pointToTrack(destination *yaml.Node) {
	s := t.names.host(text(destination, "host"))
	if s == nil {
		return
	}
	set(destination, str(s.Name), "host")
	subset := text(destination, "subset")
	if subset == "" || t.files.find(groupIstio, "DestinationRule", "destrule-"+s.Name) == nil {
		return
	}
	track := trackOf(subset)
	if known := t.tracks[s]; known != nil && known.track[subset] != "" {
		track = known.track[subset]
	}
	if track == "" {
		track = deploy.TrackStable
	}
	set(destination, str(track), "subset")
}

// foldPaths adds paths of the person's own to the generated rule and drops
// those that the context serves already.
func (t *taker) foldPaths(d *drawing, r *rule, doc *document) {
	rewrite := text(r.node, "rewrite", "uri")
	if len(r.matches) == 0 {
		switch {
		case rewrite != "" && rewrite != "/" || at(r.node, "rewrite", "uriRegexRewrite") != nil || text(r.node, "rewrite", "authority") != "":
			t.warn(d, "a rule for every path with a rewrite is left out: the generated rule routes the paths that %s serves", r.service.Name)
		case at(r.node, "match") != nil:
			t.warn(d, "the default rule (prefix /) is dropped: the generated rule routes the paths that %s serves", r.service.Name)
		}
		return
	}
	var extra []*yaml.Node
	for _, m := range r.matches {
		path, _ := pathOf(m)
		if root, inside := serves(r.service, path); root || inside {
			t.warn(d, "path %s is dropped: %s", path, routedAs(r.service, path))
			continue
		}
		extra = append(extra, m)
		t.warnOverlap(d, r.service, path)
	}
	if len(extra) == 0 {
		return
	}
	generated := pathRules(doc)
	if at(r.node, "rewrite") != nil || len(generated) != 1 || at(generated[0], "rewrite") != nil || at(generated[0], "match") == nil {
		r.matches = extra
		t.addRule(d, r, []*document{doc})
		return
	}
	for _, m := range extra {
		for _, safe := range segmentSafe(m) {
			if !slices.ContainsFunc(items(generated[0], "match"), func(o *yaml.Node) bool { return same(o, safe) }) {
				add(generated[0], safe, "match")
				doc.edited = true
			}
		}
		t.warn(d, "path %s is taken over as a further match of %s", matchText(m), doc.ID.Name)
	}
}

// warnOverlap tells where another context serves the same path: which of two
// VirtualServices of one gateway comes first is not ours to choose.
func (t *taker) warnOverlap(d *drawing, own *deploy.Service, path string) {
	for _, s := range t.model.Services {
		for _, p := range s.Prefixes {
			if full := s.PathPrefix + p.Path; s != own && s.Exposed && path != "" && (covers(full, path) || covers(path, full)) {
				t.warn(d, "path %s is ambiguous: %s serves %s, and the order of two VirtualServices is not ours to choose", path, s.Name, full)
			}
		}
	}
}

// segmentSafe makes two matches of a prefix: the path itself and all below it.
func segmentSafe(m *yaml.Node) []*yaml.Node {
	prefix := text(m, "uri", "prefix")
	if prefix == "" || strings.HasSuffix(prefix, "/") {
		return []*yaml.Node{clone(m)}
	}
	exact, below := clone(m), clone(m)
	set(exact, pairs("exact", str(prefix)), "uri")
	set(below, pairs("prefix", str(prefix+"/")), "uri")
	return []*yaml.Node{exact, below}
}

func matchText(m *yaml.Node) string {
	for kind, value := range fields(m, "uri") {
		return fmt.Sprintf("%s %s", kind, text(value))
	}
	return "any"
}
