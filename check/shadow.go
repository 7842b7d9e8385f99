package check

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"

	networking "istio.io/api/networking/v1alpha3"

	"github.com/meshstorm/meshstorm/space"
)

// Codes of rules that hide one another.
const (
	CodeShadowed = "MS0501" // a rule or match that no request reaches
	CodeCatchAll = "MS0502" // rules behind one that takes everything
	CodeSibling  = "MS0503" // a prefix that takes its neighbours' paths
)

// Shadows looks for rules of one VirtualService that can never act.
func Shadows() Rule {
	return Rule{
		Codes: []string{CodeShadowed, CodeCatchAll, CodeSibling},
		Name:  "shadowed-rules",
		Doc:   "A rule of a VirtualService can never act, because earlier rules take all of its requests.",
		CodeDocs: map[string]string{
			CodeCatchAll: "A rule that takes every request stands before others, and istiod leaves those out.",
			CodeSibling:  "A prefix without a closing slash also takes paths that only begin alike.",
		},
		Rows: []Row{
			{Code: CodeShadowed, Severity: "warning; info",
				Means: "earlier rules take all requests of this rule, which never acts; info: of this one match",
				Todo:  "move it up, narrow the earlier rule, or remove it"},
			{Code: CodeCatchAll, Severity: "warning",
				Means: "a match takes every request, and istiod does not even send the rules after it",
				Todo:  "move it to the end"},
			{Code: CodeSibling, Severity: "warning; info",
				Means: "a prefix also takes paths that only begin alike, which another rule is for; info: no such rule is in sight",
				Todo:  "write `exact: /x` and `prefix: /x/`"},
		},
		// Istio finds a part of these itself: equal matches, and rules after
		// one without matches.
		Yields: map[string][]string{CodeShadowed: {"IST0130", "IST0131"}},
		Run: func(ctx context.Context, in *Input) []Finding {
			var found []Finding
			m := in.Mesh()
			for _, v := range m.VirtualServices {
				if ctx.Err() != nil {
					return found
				}
				s := &shadows{mesh: m, vs: v, entries: v.entries()}
				s.find()
				found = append(found, s.found...)
			}
			return found
		},
	}
}

// shadows works on one VirtualService.
type shadows struct {
	mesh    *Mesh
	vs      *VirtualService
	entries []*entry
	hidden  map[*entry][]*entry // what takes all requests of an entry
	told    map[int]bool        // rules that need no more words
	found   []Finding
}

func (s *shadows) find() {
	s.hidden, s.told = map[*entry][]*entry{}, map[int]bool{}
	last := len(s.entries)
	if i := slices.IndexFunc(s.entries, (*entry).total); i >= 0 {
		last = i + 1
	}
	index := newEntryIndex()
	for i, e := range s.entries[:last] {
		if takers := s.takers(e, index.before(e, s.entries[:i])); takers != nil {
			s.hidden[e] = takers
		}
		if e.exact {
			index.add(e)
		}
	}
	if last < len(s.entries) {
		s.catchAll(s.entries[last-1], s.entries[last:])
	}
	s.siblings(s.entries[:last])
	s.rules(s.entries[:last])
}

// takers are earlier entries that together take all requests of e: one of them
// where one is enough. It is nil where they do not, or where there is no proof.
func (s *shadows) takers(e *entry, earlier []*entry) []*entry {
	box := e.placed()
	var near []*entry
	var boxes []space.Box
	for _, k := range earlier {
		if mayMeet(k, e) {
			near, boxes = append(near, k), append(boxes, k.placed())
		}
	}
	if w, ok := box.Witness(); ok && !slices.ContainsFunc(boxes, func(b space.Box) bool { return b.Has(w) }) {
		return nil // this request gets through
	}
	if r := space.Covered(box, boxes); !r.Empty || !r.Proved {
		return nil
	}
	var some []*entry
	for i := range near {
		if r := space.Covered(box, boxes[i:i+1]); r.Empty && r.Proved {
			return near[i : i+1]
		}
		if boxes[i].Overlaps(box) {
			some = append(some, near[i])
		}
	}
	return some
}

// rules reports what is hidden: whole rules, and single matches of others.
func (s *shadows) rules(entries []*entry) {
	for start := 0; start < len(entries); {
		end := start
		for end < len(entries) && entries[end].rule == entries[start].rule {
			end++
		}
		rule := entries[start:end]
		start = end
		dead := 0
		for _, e := range rule {
			if s.hidden[e] != nil {
				dead++
			}
		}
		switch {
		case dead == 0 || s.told[rule[0].rule]:
		case dead == len(rule):
			s.deadRule(rule)
		default:
			s.deadMatches(rule)
		}
	}
}

func (s *shadows) deadRule(rule []*entry) {
	var takers []*entry
	for _, e := range rule {
		for _, k := range s.hidden[e] {
			if k.rule != e.rule && !slices.ContainsFunc(takers, func(o *entry) bool { return o.rule == k.rule }) {
				takers = append(takers, k)
			}
		}
	}
	if len(takers) == 0 {
		return
	}
	f := s.vs.Finding(CodeShadowed, Warning, rule[0].ruleField(),
		fmt.Sprintf("rule %s never gets a request: the first rule that fits wins, and %s before it %s all of its requests",
			rule[0].ruleName(), names(takers), verb(takers)))
	f.Fix = fmt.Sprintf("move rule %s before rule %s, narrow what stands before it, or remove it", rule[0].ruleName(), takers[0].ruleName())
	f.Witness = s.common(rule, takers)
	s.found = append(s.found, f)
}

func (s *shadows) deadMatches(rule []*entry) {
	for _, e := range rule {
		takers := s.hidden[e]
		if takers == nil {
			continue
		}
		where := "other matches of the same rule take all of its requests already"
		if slices.ContainsFunc(takers, func(k *entry) bool { return k.rule != e.rule }) {
			where = fmt.Sprintf("%s before it %s all of its requests", names(takers), verb(takers))
		}
		f := s.vs.Finding(CodeShadowed, Info, e.field(), fmt.Sprintf("match[%d] of rule %s decides nothing: %s", e.match, e.ruleName(), where))
		f.Fix = "remove the match, or move its rule up"
		f.Witness = s.common([]*entry{e}, takers)
		s.found = append(s.found, f)
	}
}

// common is a request that a rule likes and that the first of its takers gets.
func (s *shadows) common(rule, takers []*entry) string {
	for _, k := range takers {
		for _, e := range rule {
			if w := s.mesh.witness(s.vs, e.placed().And(k.placed())); w != "" {
				return w
			}
		}
	}
	return ""
}

func (s *shadows) catchAll(all *entry, after []*entry) {
	if after = slices.DeleteFunc(slices.Clone(after), func(e *entry) bool { return e.rule == all.rule }); len(after) == 0 {
		return
	}
	if all.match < 0 {
		return // IST0130 says so of each rule behind one without matches
	}
	one := after[:1]
	f := s.vs.Finding(CodeCatchAll, Warning, all.field(),
		fmt.Sprintf("rule %s takes every request, and istiod stops reading there: %s never %s a request",
			all.ruleName(), ruleNames(after), map[bool]string{true: "gets", false: "get"}[oneRule(after)]))
	f.Fix = fmt.Sprintf("move rule %s to the end, after %s", all.ruleName(), after[len(after)-1].ruleName())
	f.Witness = s.mesh.witness(s.vs, one[0].placed())
	s.found = append(s.found, f)
}

func oneRule(entries []*entry) bool { return entries[0].rule == entries[len(entries)-1].rule }

// names are the rules of entries in words.
func names(entries []*entry) string {
	sorted := slices.SortedStableFunc(slices.Values(entries), func(a, b *entry) int { return a.rule - b.rule })
	return ruleNames(sorted)
}

func verb(entries []*entry) string {
	if sorted := slices.SortedStableFunc(slices.Values(entries), func(a, b *entry) int { return a.rule - b.rule }); oneRule(sorted) {
		return "takes"
	}
	return "together take"
}

// ruleNames lists the rules of entries that are sorted by rule.
func ruleNames(entries []*entry) string {
	var all []string
	for _, e := range entries {
		if n := e.ruleName(); len(all) == 0 || all[len(all)-1] != n {
			all = append(all, n)
		}
	}
	switch n := len(all); {
	case n == 1:
		return "rule " + all[0]
	case n > 4:
		return fmt.Sprintf("rules %s and %d more", strings.Join(all[:3], ", "), n-3)
	default:
		return "rules " + strings.Join(all[:n-1], ", ") + " and " + all[n-1]
	}
}

// sameAction tells whether two rules do the same with a request.
func sameAction(a, b *networking.HTTPRoute) bool {
	if a == b {
		return true
	}
	if len(a.GetRoute()) != len(b.GetRoute()) {
		return false
	}
	x, y := proto.Clone(a).(*networking.HTTPRoute), proto.Clone(b).(*networking.HTTPRoute)
	x.Match, y.Match, x.Name, y.Name = nil, nil, "", ""
	return proto.Equal(x, y)
}
