package route

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// template is a path template of
// envoy.extensions.path.match.uri_template.v3.UriTemplateMatchConfig.
type template struct {
	text  string
	re    *regexp.Regexp // one named group for each variable
	names []string       // variables in order
}

// The characters that an operator takes: those of an RFC 3986 path segment but
// for "*".
const (
	segmentClass = `[a-zA-Z0-9\-._~%!$&'()+,;:@=]`
	pathClass    = `[a-zA-Z0-9\-._~%!$&'()+,;:@=/]`
)

// Envoy takes at most five variables, with names of at most 16 characters.
const (
	maxVariables    = 5
	maxVariableName = 16
)

func (b *builder) template(text string) (*template, error) {
	if t, ok := b.templates[text]; ok {
		return t, nil
	}
	p := templateParser{text: text}
	if err := p.parse(); err != nil {
		return nil, fmt.Errorf("path template %q: %w", text, err)
	}
	re, err := regexp.Compile(`\A` + p.re.String() + `\z`)
	if err != nil {
		return nil, fmt.Errorf("path template %q: %w", text, err)
	}
	t := &template{text: text, re: re, names: p.names}
	b.templates[text] = t
	return t, nil
}

func (t *template) match(path string) bool { return t.re.MatchString(path) }

// templateParser turns a template into a regular expression.
type templateParser struct {
	text  string
	re    strings.Builder
	names []string
	last  bool // a ** was seen: no operator may follow
}

func (p *templateParser) parse() error {
	rest, ok := strings.CutPrefix(p.text, "/")
	if !ok {
		return fmt.Errorf("has to start with /")
	}
	p.re.WriteByte('/')
	for rest != "" {
		segment, tail := cutSegment(rest)
		if segment == "" {
			return fmt.Errorf("has an empty segment")
		}
		if err := p.segment(segment); err != nil {
			return err
		}
		if tail != "" {
			p.re.WriteByte('/')
			tail = tail[1:]
		}
		rest = tail
	}
	return nil
}

// cutSegment splits before the next / that is outside of braces.
func cutSegment(s string) (string, string) {
	depth := 0
	for i := range len(s) {
		switch s[i] {
		case '{':
			depth++
		case '}':
			depth--
		case '/':
			if depth == 0 {
				return s[:i], s[i:]
			}
		}
	}
	return s, ""
}

// segment takes literal text with at most one operator or variable in it.
func (p *templateParser) segment(s string) error {
	i := strings.IndexAny(s, "*{")
	if i < 0 {
		return p.literal(s)
	}
	if i > 0 && s[i] == '*' {
		return fmt.Errorf("segment %q: * has to begin its segment", s)
	}
	if i > 0 {
		if err := p.literal(s[:i]); err != nil {
			return err
		}
	}
	rest := s[i:]
	var err error
	if rest[0] == '*' {
		rest, err = p.operator(rest)
	} else {
		rest, err = p.variable(rest)
	}
	if err != nil || rest == "" {
		return err
	}
	if strings.ContainsAny(rest, "*{") {
		return fmt.Errorf("segment %q: only one operator or variable can be in a segment", s)
	}
	return p.literal(rest)
}

func (p *templateParser) literal(s string) error {
	for i := range len(s) {
		if !isSegmentByte(s[i]) {
			return fmt.Errorf("%q cannot be part of a path segment (in %q)", s[i], s)
		}
	}
	p.re.WriteString(regexp.QuoteMeta(s))
	return nil
}

func isSegmentByte(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' ||
		strings.IndexByte("-._~%!$&'()+,;:@=", c) >= 0
}

// operator takes * or ** off the front; ** has to be the last operator.
func (p *templateParser) operator(s string) (string, error) {
	if p.last {
		return "", fmt.Errorf("nothing but literal text may follow **")
	}
	if rest, ok := strings.CutPrefix(s, "**"); ok {
		p.last = true
		p.re.WriteString(pathClass + "*")
		return rest, nil
	}
	p.re.WriteString(segmentClass + "+")
	return s[1:], nil
}

// variable takes {name} or {name=pattern} off the front.
func (p *templateParser) variable(s string) (string, error) {
	body, rest, ok := strings.Cut(s[1:], "}")
	if !ok {
		return "", fmt.Errorf("%q has no closing brace", s)
	}
	name, inner, given := strings.Cut(body, "=")
	if !isVariableName(name) {
		return "", fmt.Errorf("%q is no variable name: a letter, then letters, digits and _, at most %d", name, maxVariableName)
	}
	if slices.Contains(p.names, name) {
		return "", fmt.Errorf("variable %q is repeated", name)
	}
	if p.names = append(p.names, name); len(p.names) > maxVariables {
		return "", fmt.Errorf("has more than %d variables", maxVariables)
	}
	if !given {
		inner = "*"
	}
	p.re.WriteString("(?P<" + name + ">")
	if err := p.inner(inner); err != nil {
		return "", fmt.Errorf("variable %q: %w", name, err)
	}
	p.re.WriteByte(')')
	return rest, nil
}

// inner is the pattern of a variable: literal segments and operators.
func (p *templateParser) inner(s string) error {
	for i, segment := range strings.Split(s, "/") {
		if i > 0 {
			p.re.WriteByte('/')
		}
		switch {
		case segment == "":
			return fmt.Errorf("pattern %q has an empty segment", s)
		case segment[0] == '*':
			rest, err := p.operator(segment)
			if err != nil {
				return err
			}
			if rest != "" {
				return fmt.Errorf("%q: an operator fills its segment", segment)
			}
		default:
			if err := p.literal(segment); err != nil {
				return err
			}
		}
	}
	return nil
}

func isVariableName(s string) bool {
	for i := range len(s) {
		c := s[i] | 0x20
		letter := 'a' <= c && c <= 'z'
		if !letter && (i == 0 || s[i] != '_' && (s[i] < '0' || '9' < s[i])) {
			return false
		}
	}
	return s != "" && len(s) <= maxVariableName
}
