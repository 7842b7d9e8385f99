package route

import (
	"fmt"
	"regexp"
	"strings"

	matcherv3 "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"
)

// substitution is envoy.type.matcher.v3.RegexMatchAndSubstitute: every match is
// replaced, wherever it stands.
type substitution struct {
	re      *regexp.Regexp
	parts   []substitutionPart
	unknown string // why nothing is replaced
}

// substitutionPart is literal text, or a group of the match where group >= 0.
type substitutionPart struct {
	text  string
	group int
}

// newSubstitution reads RE2's syntax for replacements: \1 is a group, \0 the
// whole match and \\ a backslash. A pattern that is none was refused before.
func newSubstitution(m *matcherv3.RegexMatchAndSubstitute) *substitution {
	if m == nil {
		return nil
	}
	re, err := regexp.Compile(m.GetPattern().GetRegex())
	if err != nil {
		return nil
	}
	out := &substitution{re: re}
	text := m.GetSubstitution()
	for rest := text; rest != ""; {
		i := strings.IndexByte(rest, '\\')
		if i < 0 {
			i = len(rest)
		}
		if i > 0 {
			out.parts = append(out.parts, substitutionPart{text: rest[:i], group: -1})
			rest = rest[i:]
			continue
		}
		part, ok := escape(rest)
		if !ok || part.group > re.NumSubexp() {
			out.unknown = fmt.Sprintf("unsupported: RegexMatchAndSubstitute.substitution %q (RE2 takes \\0 to \\9 for groups, of which the pattern has %d, and \\\\)", text, re.NumSubexp())
			break
		}
		out.parts = append(out.parts, part)
		rest = rest[2:]
	}
	return out
}

// escape reads the backslash that s begins with and what stands behind it.
func escape(s string) (substitutionPart, bool) {
	switch {
	case len(s) < 2:
		return substitutionPart{}, false
	case s[1] == '\\':
		return substitutionPart{text: "\\", group: -1}, true
	case '0' <= s[1] && s[1] <= '9':
		return substitutionPart{group: int(s[1] - '0')}, true
	}
	return substitutionPart{}, false
}

// replace gives the text as it was where the substitution is one that RE2 does
// not take.
func (f *formatter) replace(s *substitution, text string) string {
	if s.unknown != "" {
		f.unsupported(s.unknown)
		return text
	}
	var out strings.Builder
	at := 0
	for _, m := range s.re.FindAllStringSubmatchIndex(text, -1) {
		out.WriteString(text[at:m[0]])
		for _, part := range s.parts {
			if part.group < 0 {
				out.WriteString(part.text)
			} else if begin := m[2*part.group]; begin >= 0 {
				out.WriteString(text[begin:m[2*part.group+1]])
			}
		}
		at = m[1]
	}
	out.WriteString(text[at:])
	return out.String()
}
