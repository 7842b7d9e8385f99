package space

import (
	"fmt"
	"regexp"
	"strings"
)

// What Envoy takes for one segment, and for any number of them.
const (
	oneSegment  = `[a-zA-Z0-9\-._~%!$&'()+,;:@=]+`
	anySegments = `[a-zA-Z0-9\-._~%!$&'()+,;:@=/]*`
)

// Template holds the paths that fit Envoy's URI template (the extension
// envoy.path.match.uri_template): "*" is one segment, "**" the rest of the
// path, "{name}" one segment and "{name=pattern}" what the pattern says. The
// error says what is no template, or wraps ErrTooLarge.
func Template(template string) (Strings, error) {
	if !strings.HasPrefix(template, "/") {
		return None(), fmt.Errorf("URI template %q: it has to begin with /", template)
	}
	var expr strings.Builder
	for rest := template; rest != ""; {
		before, after, variable := strings.Cut(rest, "{")
		operators(&expr, before)
		if rest = after; !variable {
			break
		}
		body, after, closed := strings.Cut(rest, "}")
		if !closed {
			return None(), fmt.Errorf("URI template %q: { has no }", template)
		}
		if _, pattern, given := strings.Cut(body, "="); given {
			operators(&expr, pattern)
		} else {
			expr.WriteString(oneSegment)
		}
		rest = after
	}
	return Regexp(expr.String())
}

// operators writes literal text with * and ** in it as an expression.
func operators(expr *strings.Builder, pattern string) {
	for pattern != "" {
		literal, _, _ := strings.Cut(pattern, "*")
		expr.WriteString(regexp.QuoteMeta(literal))
		switch pattern = pattern[len(literal):]; {
		case strings.HasPrefix(pattern, "**"):
			expr.WriteString(anySegments)
			pattern = pattern[2:]
		case pattern != "":
			expr.WriteString(oneSegment)
			pattern = pattern[1:]
		}
	}
}
