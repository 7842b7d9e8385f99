package canvas

import (
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/meshstorm/meshstorm/deploy"
	"github.com/meshstorm/meshstorm/topping/istio"
)

// addRule places a rule with conditions of its own before the generated ones,
// so that it is asked first. Where it names no path it gets the context's own:
// a condition without a path would take the other contexts' requests, too.
func (t *taker) addRule(d *drawing, r *rule, docs []*document) {
	for _, doc := range docs {
		for _, n := range t.buildRules(r, doc) {
			set(n, str(freeName(doc, text(r.node, "name"))), "name")
			t.insert(doc, n)
			t.warn(d, "a rule with %s is taken over into %s as %s", r.what(), doc.ID.Name, text(n, "name"))
		}
	}
}

// what names the conditions and actions of a rule.
func (r *rule) what() string {
	var list []string
	for _, m := range r.matches {
		for key := range fields(m) {
			if key != "name" && !slices.Contains(list, key) {
				list = append(list, key)
			}
		}
	}
	if at(r.node, "rewrite") != nil && len(list)+len(r.extras) == 0 {
		list = append(list, "rewrite")
	}
	return strings.Join(append(list, r.extras...), ", ")
}

// freeName is the rule's own name where it is free, else canvas-1 and so on.
func freeName(doc *document, name string) string {
	used := func(name string) bool { return named(items(doc.node, "spec", "http"), name) != nil }
	if name != "" && !istio.Generated(name) && !used(name) {
		return name
	}
	for i := 1; ; i++ {
		if free := fmt.Sprintf("canvas-%d", i); !used(free) {
			return free
		}
	}
}

// insert puts a rule before the first generated one.
func (t *taker) insert(doc *document, n *yaml.Node) {
	http := at(doc.node, "spec", "http")
	if !isSequence(http) {
		return
	}
	i := 0
	if generated := generatedRules(doc); len(generated) > 0 {
		i = slices.Index(http.Content, generated[0])
	}
	http.Content = slices.Insert(http.Content, i, n)
	doc.edited = true
}

// buildRules makes the rule; where generated rules rewrite the path, what gets
// their paths must rewrite as they do, so that there is a rule for each.
func (t *taker) buildRules(r *rule, doc *document) []*yaml.Node {
	var own, open []*yaml.Node
	for _, m := range r.matches {
		if catchesAll(m) {
			open = append(open, m)
		} else {
			own = append(own, m)
		}
	}
	var rules []*yaml.Node
	if len(own) > 0 {
		rules = append(rules, t.buildRule(r, doc, t.ownMatches(r, own), t.ownRewrite(r, own)))
	}
	if len(open) == 0 && len(own) > 0 {
		return rules
	}
	for _, g := range pathRules(doc) {
		matches := cross(items(g, "match"), open)
		if rewrite := at(g, "rewrite"); len(rules) == 1 && rewrite == nil && at(rules[0], "rewrite") == nil {
			add := slices.Concat(items(rules[0], "match"), matches)
			setList(rules[0], add, "match")
		} else {
			rules = append(rules, t.buildRule(r, doc, matches, rewrite))
		}
	}
	return rules
}

// ownMatches makes the paths that the context serves segment-safe; others stay
// as they were drawn.
func (t *taker) ownMatches(r *rule, own []*yaml.Node) []*yaml.Node {
	var list []*yaml.Node
	for _, m := range own {
		path, _ := pathOf(m)
		root, _ := serves(r.service, path)
		if !root {
			list = append(list, clone(m))
			continue
		}
		for _, p := range r.service.Prefixes {
			// The original's topping wrote the context's plural for all paths.
			if full := r.service.PathPrefix + p.Path; (full == path || path == "/"+r.service.Plural && !ownPrefix(r.service, path)) && !deploy.HasVariable(full) {
				whole := clone(m)
				set(whole, pairs("prefix", str(deploy.EncodePath(full))), "uri")
				list = append(list, segmentSafe(whole)...)
			}
		}
	}
	return list
}

func ownPrefix(s *deploy.Service, path string) bool {
	return slices.ContainsFunc(s.Prefixes, func(p deploy.Prefix) bool { return s.PathPrefix+p.Path == path })
}

// ownRewrite is the rule's rewrite, unless it is the original's default, which
// loses everything below the path.
func (t *taker) ownRewrite(r *rule, own []*yaml.Node) *yaml.Node {
	rewrite := at(r.node, "rewrite")
	if text(rewrite, "uri") != "/" {
		return rewrite
	}
	served := slices.ContainsFunc(own, func(m *yaml.Node) bool {
		path, _ := pathOf(m)
		root, inside := serves(r.service, path)
		return root || inside
	})
	if served {
		return nil
	}
	return rewrite
}

// cross joins every generated match with every condition.
func cross(generated, conditions []*yaml.Node) []*yaml.Node {
	if len(generated) == 0 {
		generated = []*yaml.Node{mapping()}
	}
	if len(conditions) == 0 {
		conditions = []*yaml.Node{mapping()}
	}
	var list []*yaml.Node
	for _, c := range conditions {
		for _, g := range generated {
			m := clone(g)
			for key, value := range fields(c) {
				if key != "uri" {
					set(m, clone(value), key)
				}
			}
			if len(m.Content) > 0 {
				list = append(list, m)
			}
		}
	}
	return list
}

func (t *taker) buildRule(r *rule, doc *document, matches []*yaml.Node, rewrite *yaml.Node) *yaml.Node {
	n := pairs("name", str(""))
	for _, m := range matches {
		t.mapGateways(at(m, "gateways"))
	}
	setList(n, matches, "match")
	for _, key := range r.extras {
		if key == "redirect" || key == "directResponse" || key == "delegate" {
			set(n, t.extra(r, key), key)
		}
	}
	if at(n, "directResponse") == nil && at(n, "redirect") == nil && at(n, "delegate") == nil {
		if rewrite != nil {
			set(n, clone(rewrite), "rewrite")
		}
		setList(n, t.buildRoutes(r, doc), "route")
	}
	for _, key := range r.extras {
		if at(n, key) == nil {
			set(n, t.extra(r, key), key)
		}
	}
	return n
}

// buildRoutes points the rule's routes to the generated host and subsets.
// Without a subset the split is the generated one.
func (t *taker) buildRoutes(r *rule, doc *document) []*yaml.Node {
	generated := generatedRules(doc)
	if len(generated) == 0 {
		return r.routes
	}
	standard := items(generated[0], "route")
	known := t.tracks[r.service]
	if known == nil || len(r.routes) == 1 && text(r.routes[0], "destination", "subset") == "" {
		return items(clone(at(generated[0], "route")))
	}
	var list []*yaml.Node
	weights := map[string]int{}
	for i, route := range r.routes {
		track := known.track[subsetOf(route, i)]
		w, _ := number(route, "weight")
		weights[track] += w
		if slices.ContainsFunc(list, func(o *yaml.Node) bool { return text(o, "destination", "subset") == track }) {
			continue
		}
		for _, g := range standard {
			if text(g, "destination", "subset") == track {
				n := clone(g)
				remove(n, "weight")
				if h := at(route, "headers"); !empty(h) {
					set(n, clone(h), "headers")
				}
				list = append(list, n)
			}
		}
	}
	if len(list) > 1 {
		total := max(1, weights[deploy.TrackStable]+weights[deploy.TrackCanary])
		canary := (weights[deploy.TrackCanary]*100 + total/2) / total
		for _, n := range list {
			w := canary
			if text(n, "destination", "subset") == deploy.TrackStable {
				w = 100 - canary
			}
			set(n, integer(w), "weight")
		}
	}
	return list
}

// mapGateways follows Gateways that were folded or renamed.
func (t *taker) mapGateways(list *yaml.Node) {
	for i, g := range items(list) {
		if name := text(g); name != "mesh" && !strings.Contains(name, "/") {
			list.Content[i] = str(t.resolve("Gateway", name))
		}
	}
}
