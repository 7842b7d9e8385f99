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
	var rules []httpRoute
	comments := map[string]string{}
	switch {
	case m.Settings.Routing == "msaez":
		rules = originalRoutes(s)
	case s.PathPrefix != "" && !m.Settings.Istio().AtLeast(1, 19):
		rules = cutRoutes(s)
	default:
		rules, comments = pathRoutes(s)
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

// takes are the two conditions that take a prefix segment-safe: the path itself
// and the path followed by "/", so that /orders does not take /orders-archive
// (istio/istio#60488: VirtualServices have no path-separated prefix).
func takes(s *deploy.Service, p deploy.Prefix) []stringMatch {
	path := s.PathPrefix + p.Path
	if deploy.HasVariable(p.Path) {
		return []stringMatch{{Regex: deploy.PathRegex(path)}}
	}
	encoded := deploy.EncodePath(path)
	return []stringMatch{{Exact: encoded}, {Prefix: encoded + "/"}}
}

// pathRoutes are the rule of the paths and, before it, the one of their methods
// that are not idempotent. A gateway prefix is taken away by expression, which
// Istio can since 1.19.
func pathRoutes(s *deploy.Service) ([]httpRoute, map[string]string) {
	var all, writes []match
	letters := map[string]map[int]string{RuleName: {}, WritesName: {}}
	for _, p := range s.Prefixes {
		path := s.PathPrefix + p.Path
		if deploy.EncodePath(path) != path {
			letters[RuleName][len(all)] = path
			if len(p.Writes()) > 0 {
				letters[WritesName][len(writes)] = path
			}
		}
		uris := takes(s, p)
		for i := range uris {
			all = append(all, match{URI: &uris[i]})
		}
		writes = append(writes, withMethods(uris, p.Writes())...)
	}
	primary := httpRoute{Name: RuleName, Match: all, Route: split(s.Name, s)}
	if s.PathPrefix != "" {
		expression := "^" + regexp.QuoteMeta(deploy.EncodePath(s.PathPrefix)) + "(/.*)$"
		primary.Rewrite = &rewrite{URIRegexRewrite: &regexRewrite{Match: expression, Rewrite: `\1`}}
	}
	rules := withWrites(writes, primary)
	comments := map[string]string{}
	for i, rule := range rules {
		for k, path := range letters[rule.Name] {
			comments[fmt.Sprintf("spec.http[%d].match[%d]", i, k)] = path
		}
	}
	return rules, comments
}

// withMethods asks every condition once for each method.
func withMethods(uris []stringMatch, methods []string) []match {
	var list []match
	for _, method := range methods {
		for i := range uris {
			list = append(list, match{URI: &uris[i], Method: &stringMatch{Exact: method}})
		}
	}
	return list
}

// withWrites puts a rule before primary that does the same, but never twice:
// Istio repeats a request up to two times unless told not to, in older releases
// after any 503, and today after gRPC's UNAVAILABLE and CANCELLED, which may all
// come after the request was carried out (istio/istio#50506).
func withWrites(matches []match, primary httpRoute) []httpRoute {
	if len(matches) == 0 {
		return []httpRoute{primary}
	}
	writes := primary
	writes.Name, writes.Match, writes.Retries = WritesName, matches, &retries{Attempts: 0}
	return []httpRoute{writes, primary}
}

// cutRoutes take a gateway prefix away without an expression: a rewrite
// replaces what was matched, so each condition needs a rule of its own.
func cutRoutes(s *deploy.Service) []httpRoute {
	var writes, all []httpRoute
	cut := len(deploy.EncodePath(s.PathPrefix))
	n := 0
	for _, p := range s.Prefixes {
		for _, uri := range takes(s, p) {
			n++
			target := uri.Exact + uri.Prefix
			if target == "" {
				continue // by expression, which has no part that could be replaced
			}
			rule := httpRoute{Name: fmt.Sprintf("%s-%d", RuleName, n), Match: []match{{URI: &uri}},
				Rewrite: &rewrite{URI: target[cut:]}, Route: split(s.Name, s)}
			both := withWrites(withMethods([]stringMatch{uri}, p.Writes()), rule)
			if len(both) == 2 {
				both[0].Name = fmt.Sprintf("%s-%d", WritesName, n)
				writes = append(writes, both[0])
			}
			all = append(all, rule)
		}
	}
	return append(writes, all...)
}

// originalRoutes is the shape of the original's topping: the exact plural of
// the context, rewritten to /, for all methods alike.
func originalRoutes(s *deploy.Service) []httpRoute {
	return []httpRoute{{
		Name:    RuleName,
		Match:   []match{{URI: &stringMatch{Exact: deploy.EncodePath("/" + s.Plural)}}},
		Rewrite: &rewrite{URI: "/"},
		Route:   split(s.Name, s),
	}}
}
