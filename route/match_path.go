package route

import (
	"fmt"
	"strings"

	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	uritemplatev3 "github.com/envoyproxy/go-control-plane/envoy/extensions/path/match/uri_template/v3"
)

type pathKind uint8

const (
	pathPrefix pathKind = iota
	pathExact
	pathSeparated
	pathRegex
	pathTemplate
	pathConnect
	pathUnsupported
)

// pathMatcher is RouteMatch.path_specifier.
type pathMatcher struct {
	kind     pathKind
	text     string // lower-case where fold is set
	fold     bool
	re       *pattern
	template *template
}

func (b *builder) pathMatcher(m *routev3.RouteMatch) (pathMatcher, error) {
	out := pathMatcher{fold: m.GetCaseSensitive() != nil && !m.GetCaseSensitive().GetValue()}
	var err error
	switch p := m.GetPathSpecifier().(type) {
	case *routev3.RouteMatch_Prefix:
		out.kind, out.text = pathPrefix, p.Prefix
	case *routev3.RouteMatch_Path:
		out.kind, out.text = pathExact, p.Path
	case *routev3.RouteMatch_PathSeparatedPrefix:
		out.kind, out.text = pathSeparated, p.PathSeparatedPrefix
	case *routev3.RouteMatch_SafeRegex:
		out.kind, out.fold = pathRegex, false
		out.re, err = b.pattern(p.SafeRegex.GetRegex())
	case *routev3.RouteMatch_ConnectMatcher_:
		out.kind = pathConnect
	case *routev3.RouteMatch_PathMatchPolicy:
		out.fold = false
		err = b.pathPolicy(&out, p)
	}
	if out.fold {
		out.text = lowerASCII(out.text)
	}
	return out, err
}

func (b *builder) pathPolicy(out *pathMatcher, p *routev3.RouteMatch_PathMatchPolicy) error {
	extension := p.PathMatchPolicy.GetTypedConfig()
	config := &uritemplatev3.UriTemplateMatchConfig{}
	if !extension.MessageIs(config) {
		out.kind = pathUnsupported
		b.unsupported("RouteMatch.path_match_policy", extensionName(p.PathMatchPolicy))
		return nil
	}
	if err := extension.UnmarshalTo(config); err != nil {
		return fmt.Errorf("path_match_policy: %w", err)
	}
	out.kind = pathTemplate
	var err error
	out.template, err = b.template(config.GetPathTemplate())
	return err
}

func (m *pathMatcher) match(v *view) result {
	if m.kind == pathConnect {
		return truth(v.isConnect())
	}
	if v.pathless {
		return no
	}
	switch m.kind {
	case pathRegex:
		return truth(m.re.match(v.path))
	case pathTemplate:
		return truth(m.template.match(v.path))
	case pathUnsupported:
		return unknown
	}
	n := len(m.text)
	if len(v.path) < n {
		return no
	}
	head := v.path[:n]
	if m.fold && !equalFold(head, m.text) || !m.fold && head != m.text {
		return no
	}
	switch m.kind {
	case pathExact:
		return truth(len(v.path) == n)
	case pathSeparated:
		return truth(len(v.path) == n || v.path[n] == '/')
	}
	return yes
}

func (m *pathMatcher) why(v *view) string {
	if m.kind == pathConnect {
		return fmt.Sprintf("method is %s, not CONNECT", v.method)
	}
	if v.pathless {
		return "a CONNECT request without a path is only taken by a connect_matcher"
	}
	fold := ""
	if m.fold {
		fold = " in any case"
	}
	switch m.kind {
	case pathExact:
		return fmt.Sprintf("path %q is not %q%s", v.path, m.text, fold)
	case pathSeparated:
		return fmt.Sprintf("path %q is neither %q nor below it%s", v.path, m.text, fold)
	case pathRegex:
		return fmt.Sprintf("path %q does not match %q", v.path, m.re.text)
	case pathTemplate:
		return fmt.Sprintf("path %q does not match the template %q", v.path, m.template.text)
	}
	return fmt.Sprintf("path %q does not start with %q%s", v.path, m.text, fold)
}

// index says where a path must begin, or what it must be, for the matcher to
// hold; ok is false where nothing can be said.
func (m *pathMatcher) index() (text string, exact, ok bool) {
	switch m.kind {
	case pathPrefix, pathSeparated:
		return m.text, false, true
	case pathExact:
		return m.text, true, true
	case pathRegex:
		return m.re.prefix, m.re.literal, true
	case pathTemplate:
		head, _, variable := strings.Cut(m.template.text, "{")
		head, _, glob := strings.Cut(head, "*")
		return head, !variable && !glob, true
	}
	return "", false, false
}
