package check

import (
	"fmt"
	"strings"

	networking "istio.io/api/networking/v1alpha3"
)

// siblings reports prefixes such as /test that take /test-abc as well, which a
// later rule of the VirtualService is for. Envoy compares prefixes by
// characters, not by path segments (istio#60488).
func (s *shadows) siblings(entries []*entry) {
	reported := map[*entry]bool{}
	index := newEntryIndex()
	for _, later := range entries {
		if s.told[later.rule] {
			continue
		}
		for _, k := range index.above(later) {
			if k.rule == later.rule || reported[k] || !beside(k, later) || sameAction(k.httpRule(), later.httpRule()) {
				continue
			}
			if both := k.placed().And(later.placed()); !both.IsEmpty() && s.sibling(k, later) {
				reported[k] = true
				break
			}
		}
		if later.exact {
			index.add(later)
		}
	}
	s.loose(entries, reported)
}

// beside tells whether the path of the entry later begins as the prefix of k
// does and goes on with something else than a slash.
func beside(k, later *entry) bool {
	return openEnded(k) && strings.HasPrefix(later.literal, k.literal) &&
		len(later.literal) > len(k.literal) && later.literal[len(k.literal)] != '/'
}

// openEnded tells whether the entry is a prefix that ends within a segment.
func openEnded(k *entry) bool {
	if k.path != pathPrefix || k.literal == "" {
		return false
	}
	c := k.literal[len(k.literal)-1]
	return c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '_' || c == '-'
}

// sibling reports that k takes requests which later is for; false where
// another finding says it better.
func (s *shadows) sibling(k, later *entry) bool {
	severity, loses := Info, ""
	takers := s.hidden[later]
	switch {
	case takers != nil && (len(takers) > 1 || takers[0] != k):
		return false // hidden by something else as well
	case takers != nil && s.hides(later.rule, k):
		severity, s.told[later.rule] = Warning, true
		loses = "rule " + later.ruleName() + " never gets a request"
	case takers != nil && s.hides(later.rule, nil):
		return false // the rule is hidden by several
	case takers != nil:
		severity = Warning
		loses = fmt.Sprintf("match[%d] of rule %s never gets a request", later.match, later.ruleName())
		delete(s.hidden, later) // this finding says so
	case k.plain:
		severity, loses = Warning, "rule "+later.ruleName()+" loses them"
	default:
		loses = "rule " + later.ruleName() + " gets the others"
	}
	f := s.vs.Finding(CodeSibling, severity, k.field(),
		fmt.Sprintf("prefix %s of rule %s also takes requests for %s, because Envoy compares prefixes character by character: %s",
			k.prefix(), k.ruleName(), later.written(), loses))
	f.Fix = separated(k) + fmt.Sprintf("; or move rule %s before rule %s", later.ruleName(), k.ruleName())
	f.Witness = s.mesh.witness(s.vs, k.placed().And(later.placed()))
	if severity == Warning {
		f.Edits = k.separate() // the neighbours have a rule of their own
	}
	s.found = append(s.found, f)
	return true
}

// hides tells whether every match of a rule is hidden, by k alone if it is not
// nil.
func (s *shadows) hides(rule int, k *entry) bool {
	for _, e := range s.entries {
		if e.rule == rule && (s.hidden[e] == nil || k != nil && (len(s.hidden[e]) != 1 || s.hidden[e][0] != k)) {
			return false
		}
	}
	return true
}

func separated(k *entry) string {
	return fmt.Sprintf("match the path and what is below it: `exact: %[1]s` and `prefix: %[1]s/`", k.prefix())
}

// loose reports the first prefix that ends within a segment where nothing in
// sight suffers from it.
func (s *shadows) loose(entries []*entry, reported map[*entry]bool) {
	var first *entry
	var all []string
	for _, e := range entries {
		if !openEnded(e) || reported[e] {
			continue
		}
		if first == nil {
			first = e
		}
		all = append(all, e.prefix())
	}
	if first == nil {
		return
	}
	more := ""
	if n := len(all) - 1; n > 0 {
		more = fmt.Sprintf("; so do %d more prefixes here", n)
		if n == 1 {
			more = "; so does " + all[1]
		}
	}
	f := s.vs.Finding(CodeSibling, Info, first.field(),
		fmt.Sprintf("prefix %[1]s of rule %[2]s also takes paths such as %[1]s-other, because Envoy compares prefixes character by character%[3]s",
			first.prefix(), first.ruleName(), more))
	f.Fix = separated(first)
	s.found = append(s.found, f)
}

func (e *entry) prefix() string { return e.request().GetUri().GetPrefix() }

// written is the entry's path as written.
func (e *entry) written() string {
	switch m := e.request().GetUri().GetMatchType().(type) {
	case *networking.StringMatch_Exact:
		return m.Exact
	case *networking.StringMatch_Prefix:
		return m.Prefix
	case *networking.StringMatch_Regex:
		return m.Regex
	}
	return "/"
}
