package route

import (
	"fmt"
	"strconv"

	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
)

// headerMatcher is envoy.config.route.v3.HeaderMatcher.
type headerMatcher struct {
	name         headerName
	presence     bool // asks only whether the header is there
	present      bool // and wants it to be
	ranged       bool
	start, end   int64
	value        stringMatcher
	invert       bool
	missingEmpty bool
}

func (b *builder) headerMatcher(m *routev3.HeaderMatcher) (headerMatcher, error) {
	out := headerMatcher{
		name:         newHeaderName(m.GetName()),
		invert:       m.GetInvertMatch(),
		missingEmpty: m.GetTreatMissingHeaderAsEmpty(),
	}
	var err error
	switch s := m.GetHeaderMatchSpecifier().(type) {
	case *routev3.HeaderMatcher_RangeMatch:
		out.ranged, out.start, out.end = true, s.RangeMatch.GetStart(), s.RangeMatch.GetEnd()
	case *routev3.HeaderMatcher_PresentMatch:
		out.presence, out.present = true, s.PresentMatch
	case *routev3.HeaderMatcher_StringMatch:
		out.value, err = b.stringMatcher(s.StringMatch)
	case nil:
		out.presence, out.present = true, true
	default:
		out.value, err = b.deprecatedHeaderMatch(m)
	}
	return out, err
}

// deprecatedHeaderMatch compiles the kinds that string_match replaces, which
// Envoy still takes.
//
//nolint:staticcheck // the deprecated fields are the subject
func (b *builder) deprecatedHeaderMatch(m *routev3.HeaderMatcher) (stringMatcher, error) {
	switch s := m.GetHeaderMatchSpecifier().(type) {
	case *routev3.HeaderMatcher_ExactMatch:
		if s.ExactMatch == "" {
			// The field cannot tell "" from unset: any value will do.
			return stringMatcher{kind: stringAny}, nil
		}
		return stringMatcher{kind: stringExact, text: s.ExactMatch}, nil
	case *routev3.HeaderMatcher_SafeRegexMatch:
		re, err := b.pattern(s.SafeRegexMatch.GetRegex())
		return stringMatcher{kind: stringRegex, re: re}, err
	case *routev3.HeaderMatcher_PrefixMatch:
		return stringMatcher{kind: stringPrefix, text: s.PrefixMatch}, nil
	case *routev3.HeaderMatcher_SuffixMatch:
		return stringMatcher{kind: stringSuffix, text: s.SuffixMatch}, nil
	case *routev3.HeaderMatcher_ContainsMatch:
		return stringMatcher{kind: stringContains, text: s.ContainsMatch}, nil
	}
	return stringMatcher{}, fmt.Errorf("header %s: unknown kind of match %T", m.GetName(), m.GetHeaderMatchSpecifier())
}

// match follows HeaderMatcher.treat_missing_header_as_empty: a rule about the
// value of a header that is missing does not hold, inverted or not, unless the
// header is to be taken as empty.
func (m *headerMatcher) match(v *view) result {
	value, ok := v.header(m.name)
	if m.missingEmpty {
		ok = true
	}
	var held result
	switch {
	case m.presence:
		held = truth(ok == m.present)
	case !ok:
		return no
	case m.ranged:
		held = truth(m.inRange(value))
	default:
		held = m.value.match(value)
	}
	if m.invert {
		return held.not()
	}
	return held
}

func (m *headerMatcher) inRange(value string) bool {
	n, err := strconv.ParseInt(value, 10, 64)
	return err == nil && m.start <= n && n < m.end
}

func (m *headerMatcher) why(v *view) string {
	value, ok := v.header(m.name)
	name := m.name.words()
	if m.presence {
		if ok || m.missingEmpty {
			return fmt.Sprintf("%s is present (%q)", name, value)
		}
		return name + " is missing"
	}
	if !ok && !m.missingEmpty {
		return name + " is missing"
	}
	if m.ranged {
		if m.invert {
			return fmt.Sprintf("%s is %q, in [%d,%d) (excluded)", name, value, m.start, m.end)
		}
		return fmt.Sprintf("%s is %q, not a number in [%d,%d)", name, value, m.start, m.end)
	}
	if m.name.from == fromMethod && m.value.kind == stringExact {
		if m.invert {
			return fmt.Sprintf("method is %s (excluded)", value)
		}
		return fmt.Sprintf("method is %s, not %s", value, m.value.text)
	}
	return name + " " + m.value.why(value, m.invert)
}
