package route

import (
	"errors"
	"fmt"
	"strings"

	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	matcherv3 "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"
)

// checkAction refuses what an action says beside the cluster, as Envoy does
// when it loads a configuration: rewrites that exclude each other, and regular
// expressions that are none.
func (b *builder) checkAction(rt *routev3.Route) error {
	switch a := rt.GetAction().(type) {
	case *routev3.Route_Route:
		return errors.Join(
			onlyOneRewrite(a.Route),
			checkRewrite("regex_rewrite", a.Route.GetRegexRewrite()),
			checkRewrite("host_rewrite_path_regex", a.Route.GetHostRewritePathRegex()),
		)
	case *routev3.Route_Redirect:
		return checkRewrite("regex_rewrite", a.Redirect.GetRegexRewrite())
	case *routev3.Route_DirectResponse:
		return b.directResponse(a.DirectResponse)
	}
	return nil
}

func checkRewrite(field string, m *matcherv3.RegexMatchAndSubstitute) error {
	if m == nil {
		return nil
	}
	if _, err := parsePattern(m.GetPattern().GetRegex()); err != nil {
		return fmt.Errorf("%s: %w", field, err)
	}
	return nil
}

// onlyOneRewrite holds the documentation of RouteAction.regex_rewrite: only one
// of the fields that rewrite the path may be specified.
func onlyOneRewrite(a *routev3.RouteAction) error {
	var set []string
	if a.GetPrefixRewrite() != "" {
		set = append(set, "prefix_rewrite")
	}
	if a.GetRegexRewrite() != nil {
		set = append(set, "regex_rewrite")
	}
	if a.GetPathRewritePolicy() != nil {
		set = append(set, "path_rewrite_policy")
	}
	if a.GetPathRewrite() != "" {
		set = append(set, "path_rewrite")
	}
	if len(set) < 2 {
		return nil
	}
	return fmt.Errorf("%s are set together; only one of them can be", strings.Join(set, " and "))
}
