package route

import (
	"fmt"
	"regexp"
	"regexp/syntax"
	"strings"
)

// maxProgram is the program size beyond which a regular expression is refused.
// Istio starts its proxies with re2.max_program_size.error_level at this value;
// the size here is that of Go's program, which is close to RE2's.
const maxProgram = 32768

// pattern is a regular expression that matches whole values, as every regular
// expression in a route configuration does (RegexMatcher.regex).
type pattern struct {
	text    string
	re      *regexp.Regexp
	prefix  string // literal text that every match starts with
	literal bool   // prefix is all there is
	open    bool   // prefix and then anything but a line break
}

// pattern compiles a regular expression, equal texts once.
func (b *builder) pattern(text string) (*pattern, error) {
	if p, ok := b.patterns[text]; ok {
		return p, b.patternErrors[text]
	}
	p, err := newPattern(text)
	b.patterns[text] = p
	if err != nil {
		b.patternErrors[text] = err
	}
	return p, err
}

// parsePattern refuses what RE2 or its program size limit would refuse.
func parsePattern(text string) (*syntax.Regexp, error) {
	tree, err := syntax.Parse(text, syntax.Perl)
	if err != nil {
		return nil, fmt.Errorf("regular expression %q: %w; Envoy takes RE2's syntax (https://github.com/google/re2/wiki/Syntax)", text, err)
	}
	if n := programSize(tree); n > maxProgram {
		return nil, fmt.Errorf("regular expression %q: compiles to %d steps or more, %d are allowed; use fewer or smaller repetitions", text, n, maxProgram)
	}
	return tree, nil
}

func newPattern(text string) (*pattern, error) {
	// Parsed on its own first: within a group, a stray ")(" would pass.
	tree, err := parsePattern(text)
	if err != nil {
		return nil, err
	}
	re, err := regexp.Compile(`\A(?:` + text + `)\z`)
	if err != nil {
		return nil, fmt.Errorf("regular expression %q: %w", text, err)
	}
	p := &pattern{text: text, re: re}
	p.prefix, p.literal, p.open = literalPrefix(withoutAnchors(tree))
	return p, nil
}

// withoutAnchors drops a leading ^ and a trailing $, which say nothing where
// the whole value has to match anyway.
func withoutAnchors(re *syntax.Regexp) *syntax.Regexp {
	if re.Op != syntax.OpConcat {
		return re
	}
	bare := *re
	if bare.Sub[0].Op == syntax.OpBeginText {
		bare.Sub = bare.Sub[1:]
	}
	if n := len(bare.Sub); n > 0 && bare.Sub[n-1].Op == syntax.OpEndText {
		bare.Sub = bare.Sub[:n-1]
	}
	return &bare
}

func (p *pattern) match(s string) bool {
	if !strings.HasPrefix(s, p.prefix) {
		return false
	}
	switch {
	case p.literal:
		return len(s) == len(p.prefix)
	case p.open:
		return strings.IndexByte(s[len(p.prefix):], '\n') < 0
	}
	return p.re.MatchString(s)
}

// literalPrefix finds the literal text a regular expression begins with;
// whether that is all of it, and whether ".*" is the rest.
func literalPrefix(re *syntax.Regexp) (prefix string, literal, open bool) {
	switch re.Op {
	case syntax.OpEmptyMatch:
		return "", true, false
	case syntax.OpLiteral:
		if re.Flags&syntax.FoldCase != 0 {
			return "", false, false
		}
		return string(re.Rune), true, false
	case syntax.OpCapture:
		return literalPrefix(re.Sub[0])
	case syntax.OpStar:
		return "", false, re.Sub[0].Op == syntax.OpAnyCharNotNL
	case syntax.OpConcat:
		for i, sub := range re.Sub {
			text, whole, rest := literalPrefix(sub)
			prefix += text
			if !whole {
				return prefix, false, rest && i == len(re.Sub)-1
			}
		}
		return prefix, true, false
	case syntax.OpPlus, syntax.OpRepeat:
		if re.Op == syntax.OpPlus || re.Min > 0 {
			prefix, _, _ = literalPrefix(re.Sub[0])
		}
	}
	return prefix, false, false
}

// programSize estimates the steps that a compiled expression has, and stops
// counting soon after maxProgram.
func programSize(re *syntax.Regexp) int {
	size := 0
	switch re.Op {
	case syntax.OpLiteral:
		return len(re.Rune)
	case syntax.OpRepeat:
		times := max(re.Min, re.Max, 1)
		return min(times*(programSize(re.Sub[0])+1), 2*maxProgram)
	}
	for _, sub := range re.Sub {
		size += programSize(sub) + 1
		if size > maxProgram {
			return size
		}
	}
	return max(size, 1)
}
