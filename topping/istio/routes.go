package istio

import (
	"fmt"
	"regexp"

	"github.com/meshstorm/meshstorm/deploy"
	"github.com/meshstorm/meshstorm/topping"
)

// edgeRoutes makes the VirtualService of the gateway and the comments that
// show encoded paths in the letters people wrote.
func edgeRoutes(m *deploy.Model, s *deploy.Service) (*virtualService, map[string]string) {
	comments := map[string]string{}
	var rules []httpRoute
	switch {
	case m.Settings.Routing == "msaez":
		rules = originalRoutes(s)
	case s.PathPrefix == "":
		rules = []httpRoute{{Name: RuleName, Match: matches(s, comments), Route: split(s.Name, s)}}
	default:
		rules = prefixedRoutes(m, s, comments)
	}
	return &virtualService{
		TypeMeta:   typeMeta(m, "VirtualService"),
		ObjectMeta: topping.ServiceMeta(m, VirtualServicePrefix+s.Name, s),
		Spec: virtualServiceSpec{
			Hosts:    m.Settings.Gateway.Hosts,
			Gateways: []string{m.Settings.Gateway.Name},
			HTTP:     rules,
		},
	}, comments
}

// matches takes every prefix segment-safe: the path itself and the path
// followed by "/", so that /orders does not take /orders-archive
// (istio/istio#60488: VirtualServices have no path-separated prefix).
func matches(s *deploy.Service, comments map[string]string) []match {
	var list []match
	for _, p := range s.Prefixes {
		path := s.PathPrefix + p.Path
		encoded := deploy.EncodePath(path)
		if encoded != path {
			comments[fmt.Sprintf("spec.http[0].match[%d]", len(list))] = path
		}
		if deploy.HasVariable(p.Path) {
			list = append(list, match{stringMatch{Regex: deploy.PathRegex(path)}})
			continue
		}
		list = append(list, match{stringMatch{Exact: encoded}}, match{stringMatch{Prefix: encoded + "/"}})
	}
	return list
}

// prefixedRoutes takes the gateway prefix away again. Istio 1.19 and later
// rewrite by expression, so one rule does; before that each match needs a rule
// with its own rewrite.
func prefixedRoutes(m *deploy.Model, s *deploy.Service, comments map[string]string) []httpRoute {
	list := matches(s, comments)
	if m.Settings.Istio().AtLeast(1, 19) {
		expression := "^" + regexp.QuoteMeta(deploy.EncodePath(s.PathPrefix)) + "(/.*)$"
		return []httpRoute{{Name: RuleName, Match: list, Route: split(s.Name, s),
			Rewrite: &rewrite{URIRegexRewrite: &regexRewrite{Match: expression, Rewrite: `\1`}}}}
	}
	clear(comments)
	cut := len(deploy.EncodePath(s.PathPrefix))
	var rules []httpRoute
	for i, match := range list {
		rule := httpRoute{Name: fmt.Sprintf("%s-%d", RuleName, i+1), Match: list[i : i+1], Route: split(s.Name, s)}
		if target := match.URI.Exact + match.URI.Prefix; target != "" { // a rewrite replaces what was matched
			rule.Rewrite = &rewrite{URI: target[cut:]}
			rules = append(rules, rule)
		}
	}
	return rules
}

// originalRoutes is the shape of the original's topping: the exact plural of
// the context, rewritten to /.
func originalRoutes(s *deploy.Service) []httpRoute {
	return []httpRoute{{
		Name:    RuleName,
		Match:   []match{{stringMatch{Exact: deploy.EncodePath("/" + s.Plural)}}},
		Rewrite: &rewrite{URI: "/"},
		Route:   split(s.Name, s),
	}}
}
