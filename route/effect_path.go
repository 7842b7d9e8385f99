package route

import (
	"errors"
	"fmt"
	"strings"

	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	uritemplatev3 "github.com/envoyproxy/go-control-plane/envoy/extensions/path/rewrite/uri_template/v3"
)

// pathRewrite is what a route does to the path, the query excluded.
type pathRewrite struct {
	prefix   string
	regex    *substitution
	format   *format
	template []substitutionPart // variables of the match's template by number
	unknown  string             // an extension that cannot be evaluated
}

func (p *pathRewrite) none() bool {
	return p.prefix == "" && p.regex == nil && p.format == nil && p.template == nil
}

func (b *builder) pathRewrite(rt *Route) (pathRewrite, error) {
	a := rt.Proto.GetRoute()
	out := pathRewrite{prefix: a.GetPrefixRewrite()}
	var faults []error
	var err error
	out.regex = newSubstitution(a.GetRegexRewrite())
	if out.format, err = optionalFormat("path_rewrite", a.GetPathRewrite()); err != nil {
		faults = append(faults, err)
	}
	if a.GetPathRewritePolicy() != nil {
		faults = append(faults, out.policy(rt))
	}
	if rt.path.kind == pathTemplate && out.prefix != "" {
		out.prefix = ""
		out.unknown = "unsupported: RouteAction.prefix_rewrite of a route with path_match_policy"
	}
	return out, errors.Join(faults...)
}

func optionalFormat(field, text string) (*format, error) {
	if text == "" {
		return nil, nil
	}
	f, err := parseFormat(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", field, err)
	}
	return &f, nil
}

// policy reads
// envoy.extensions.path.rewrite.uri_template.v3.UriTemplateRewriteConfig, whose
// variables are those of the route's path template.
func (p *pathRewrite) policy(rt *Route) error {
	policy := rt.Proto.GetRoute().GetPathRewritePolicy()
	config := &uritemplatev3.UriTemplateRewriteConfig{}
	if !policy.GetTypedConfig().MessageIs(config) {
		p.unknown = unsupportedText("RouteAction.path_rewrite_policy", extensionName(policy))
		return nil
	}
	if err := policy.GetTypedConfig().UnmarshalTo(config); err != nil {
		return fmt.Errorf("path_rewrite_policy: %w", err)
	}
	if rt.path.kind != pathTemplate {
		return errors.New("path_rewrite_policy: the rewrite by template needs a path_match_policy with a template, whose variables it uses")
	}
	text := config.GetPathTemplateRewrite()
	if !strings.HasPrefix(text, "/") {
		return fmt.Errorf("path_rewrite_policy: template %q has to start with /", text)
	}
	for rest := text; rest != ""; {
		literal, tail, found := strings.Cut(rest, "{")
		if literal != "" {
			p.template = append(p.template, substitutionPart{text: literal, group: -1})
		}
		if !found {
			break
		}
		name, tail, closed := strings.Cut(tail, "}")
		group := -1
		if rt.path.template != nil {
			group = rt.path.template.re.SubexpIndex(name)
		}
		if !closed || group < 0 {
			return fmt.Errorf("path_rewrite_policy: template %q uses variable %q, which the path template of the match does not have", text, name)
		}
		p.template = append(p.template, substitutionPart{group: group})
		rest = tail
	}
	return nil
}

// rewrite gives the new path with its query; ok is false where it stays.
func (p *pathRewrite) rewrite(rt *Route, path string, f *formatter) (string, bool) {
	bare := pathOnly(path)
	switch {
	case p.prefix != "":
		n := matchedLength(rt.Proto.GetMatch(), bare)
		if n > len(path) {
			return path, false
		}
		return p.prefix + path[n:], true
	case p.regex != nil:
		return f.replace(p.regex, bare) + path[len(bare):], true
	case p.format != nil:
		if text := f.text(*p.format); text != "" {
			return text + path[len(bare):], true
		}
	case p.template != nil:
		m := rt.path.template.re.FindStringSubmatch(bare)
		if m == nil {
			return path, false
		}
		var out strings.Builder
		for _, part := range p.template {
			if part.group < 0 {
				out.WriteString(part.text)
			} else {
				out.WriteString(m[part.group])
			}
		}
		return out.String() + path[len(bare):], true
	}
	return path, false
}

// matchedLength is how much of the path prefix_rewrite replaces: the matched
// prefix or path, and the whole path of a route that matches by regular
// expression or CONNECT.
func matchedLength(m *routev3.RouteMatch, bare string) int {
	switch p := m.GetPathSpecifier().(type) {
	case *routev3.RouteMatch_Prefix:
		return len(p.Prefix)
	case *routev3.RouteMatch_Path:
		return len(p.Path)
	case *routev3.RouteMatch_PathSeparatedPrefix:
		return len(p.PathSeparatedPrefix)
	}
	return len(bare)
}
