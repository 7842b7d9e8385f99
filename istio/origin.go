package istio

import (
	"fmt"
	"strconv"
	"strings"

	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"

	networking "istio.io/api/networking/v1alpha3"
)

// tokens follow rules through istiod: it composes a route's name of the names
// of its rule and match, of the root's and the delegate's where there are two.
// So each rule and match goes in with a name of its own, and comes out with
// the one that was written.
type tokens struct {
	marks []mark
}

// mark is what a token stands for.
type mark struct {
	object *object
	field  string
	match  string // of a HTTPRoute's rule, which goes in split into its matches
	name   string // as written
	sent   string // as istiod would send it: like name, but made of numbers for a HTTPRoute's rule without one
}

func newTokens() *tokens { return &tokens{} }

// tokenPrefix keeps tokens apart from names that people write; it must not
// contain what istiod joins names with.
const tokenPrefix = "meshstorm~origin~"

func (t *tokens) make(m mark) string {
	t.marks = append(t.marks, m)
	return tokenPrefix + strconv.Itoa(len(t.marks)-1)
}

func (t *tokens) find(token string) (mark, bool) {
	number, ok := strings.CutPrefix(token, tokenPrefix)
	if !ok {
		return mark{}, false
	}
	i, err := strconv.Atoi(number)
	if err != nil || i < 0 || i >= len(t.marks) {
		return mark{}, false
	}
	return t.marks[i], true
}

// mark names the rules and matches of a VirtualService.
func (t *tokens) mark(o *object, spec *networking.VirtualService) {
	for i, rule := range spec.Http {
		if rule == nil {
			continue
		}
		field := fmt.Sprintf("spec.http[%d]", i)
		for j, match := range rule.Match {
			if match != nil {
				match.Name = t.make(mark{object: o, field: fmt.Sprintf("%s.match[%d]", field, j), name: match.Name, sent: match.Name})
			}
		}
		rule.Name = t.make(mark{object: o, field: field, name: rule.Name, sent: rule.Name})
	}
}

// origin reads the tokens of a route's name, and gives the route the name that
// istiod would have sent.
func (t *tokens) origin(r *routev3.Route) (Origin, bool) {
	if !strings.Contains(r.Name, tokenPrefix) {
		return Origin{}, false
	}
	ruleName, matchName, _ := strings.Cut(r.Name, ".")
	rules, matches := t.split(ruleName), t.split(matchName)
	if len(rules) == 0 {
		return Origin{}, false
	}
	own := rules[len(rules)-1]
	o := Origin{Document: own.object.doc, Rule: own.name, Field: own.field, Match: own.match}
	if len(rules) > 1 {
		o.Delegate, o.Root = true, rules[0].object.doc
	}
	for _, m := range matches {
		// A delegate's rule without a match goes by the root's.
		if m.object == own.object {
			o.Match = m.field
		}
	}
	sent := join(rules)
	if action := r.GetRoute(); action != nil && action.GetCluster() == ruleName {
		action.ClusterSpecifier = &routev3.RouteAction_Cluster{Cluster: sent}
	}
	if match := join(matches); match != "" {
		sent += "." + match
	}
	r.Name = sent
	return o, true
}

func (t *tokens) split(name string) []mark {
	var all []mark
	for part := range strings.SplitSeq(name, "-") {
		if m, ok := t.find(part); ok {
			all = append(all, m)
		}
	}
	return all
}

func join(marks []mark) string {
	var names []string
	for _, m := range marks {
		if m.sent != "" {
			names = append(names, m.sent)
		}
	}
	return strings.Join(names, "-")
}
