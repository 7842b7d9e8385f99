package route

import (
	"fmt"
	"strings"

	matcherv3 "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"
)

// result is what a condition says of a request.
type result uint8

const (
	no result = iota
	yes
	unknown // an unsupported condition: nobody can tell
)

func truth(b bool) result {
	if b {
		return yes
	}
	return no
}

func (r result) not() result {
	switch r {
	case yes:
		return no
	case no:
		return yes
	}
	return unknown
}

type stringKind uint8

const (
	stringAny stringKind = iota // every value
	stringExact
	stringPrefix
	stringSuffix
	stringContains
	stringRegex
	stringUnsupported
)

// stringMatcher is envoy.type.matcher.v3.StringMatcher.
type stringMatcher struct {
	kind stringKind
	text string // lower-case where fold is set
	fold bool
	re   *pattern
}

// stringMatcher compiles m. Envoy ignores ignore_case for safe_regex
// (StringMatcher.ignore_case).
func (b *builder) stringMatcher(m *matcherv3.StringMatcher) (stringMatcher, error) {
	out := stringMatcher{fold: m.GetIgnoreCase()}
	switch p := m.GetMatchPattern().(type) {
	case *matcherv3.StringMatcher_Exact:
		out.kind, out.text = stringExact, p.Exact
	case *matcherv3.StringMatcher_Prefix:
		out.kind, out.text = stringPrefix, p.Prefix
	case *matcherv3.StringMatcher_Suffix:
		out.kind, out.text = stringSuffix, p.Suffix
	case *matcherv3.StringMatcher_Contains:
		out.kind, out.text = stringContains, p.Contains
	case *matcherv3.StringMatcher_SafeRegex:
		re, err := b.pattern(p.SafeRegex.GetRegex())
		return stringMatcher{kind: stringRegex, re: re}, err
	case *matcherv3.StringMatcher_Custom:
		b.unsupported("StringMatcher.custom", xdsName(p.Custom))
		return stringMatcher{kind: stringUnsupported}, nil
	}
	if out.fold {
		out.text = lowerASCII(out.text)
	}
	return out, nil
}

func (m *stringMatcher) match(s string) result {
	switch m.kind {
	case stringAny:
		return yes
	case stringRegex:
		return truth(m.re.match(s))
	case stringUnsupported:
		return unknown
	}
	if m.fold {
		return truth(m.matchFold(s))
	}
	switch m.kind {
	case stringExact:
		return truth(s == m.text)
	case stringPrefix:
		return truth(strings.HasPrefix(s, m.text))
	case stringSuffix:
		return truth(strings.HasSuffix(s, m.text))
	}
	return truth(strings.Contains(s, m.text))
}

func (m *stringMatcher) matchFold(s string) bool {
	n := len(m.text)
	if len(s) < n {
		return false
	}
	switch m.kind {
	case stringExact:
		return equalFold(s, m.text)
	case stringPrefix:
		return equalFold(s[:n], m.text)
	case stringSuffix:
		return equalFold(s[len(s)-n:], m.text)
	}
	for i := 0; i+n <= len(s); i++ {
		if equalFold(s[i:i+n], m.text) {
			return true
		}
	}
	return false
}

// why says how actual and the matcher disagree, to stand behind the name of
// what has the value; held is true where the matcher holds but should not.
func (m *stringMatcher) why(actual string, held bool) string {
	if m.kind == stringExact && !held {
		return fmt.Sprintf("is %q, not %q%s", actual, m.text, m.inAnyCase())
	}
	verb, bare := "", ""
	switch m.kind {
	case stringAny:
		return fmt.Sprintf("is %q (excluded)", actual)
	case stringExact:
		return fmt.Sprintf("is %q%s (excluded)", actual, m.inAnyCase())
	case stringPrefix:
		verb, bare = "starts with", "start with"
	case stringSuffix:
		verb, bare = "ends with", "end with"
	case stringContains:
		verb, bare = "contains", "contain"
	case stringRegex:
		verb, bare = "matches", "match"
	}
	text := m.text
	if m.kind == stringRegex {
		text = m.re.text
	}
	if held {
		return fmt.Sprintf("is %q, which %s %q%s (excluded)", actual, verb, text, m.inAnyCase())
	}
	return fmt.Sprintf("is %q, which does not %s %q%s", actual, bare, text, m.inAnyCase())
}

func (m *stringMatcher) inAnyCase() string {
	if m.fold {
		return " in any case"
	}
	return ""
}
