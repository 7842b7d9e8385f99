package router

import (
	"net/http"

	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	matcherv3 "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"

	"github.com/meshstorm/meshstorm/route"
)

// headerMatch is a list of header matchers outside of a route's match: package
// route evaluates it as the match of a route of its own.
type headerMatch struct{ config *route.Config }

func newHeaderMatch(all []*routev3.HeaderMatcher) (*headerMatch, error) {
	if len(all) == 0 {
		return nil, nil
	}
	c, err := route.Compile(&routev3.RouteConfiguration{VirtualHosts: []*routev3.VirtualHost{{
		Name: "match", Domains: []string{"*"}, Routes: []*routev3.Route{{
			Match:  &routev3.RouteMatch{PathSpecifier: &routev3.RouteMatch_Prefix{Prefix: "/"}, Headers: all},
			Action: &routev3.Route_DirectResponse{DirectResponse: &routev3.DirectResponseAction{Status: 200}},
		}},
	}}})
	if err != nil {
		return nil, err
	}
	return &headerMatch{c}, nil
}

// anyOf compiles matchers of which one is enough.
func anyOf(all []*routev3.HeaderMatcher) ([]*headerMatch, error) {
	var out []*headerMatch
	for _, m := range all {
		one, err := newHeaderMatch([]*routev3.HeaderMatcher{m})
		if err != nil {
			return nil, err
		}
		out = append(out, one)
	}
	return out, nil
}

// request matches a request; no matchers match all.
func (m *headerMatch) request(r *route.Request) bool {
	if m == nil {
		return true
	}
	d := m.config.Decide(&route.Request{Method: r.Method, Scheme: r.Scheme, Authority: r.Authority, Path: "/", Headers: r.Headers})
	return d.Route != nil && d.Unsupported == ""
}

// response matches response headers.
func (m *headerMatch) response(status int, h http.Header) bool {
	if m == nil {
		return true
	}
	list := append(appendHeaders(nil, h), route.Header{Name: ":status", Value: itoa(status)})
	d := m.config.Decide(&route.Request{Headers: list})
	return d.Route != nil && d.Unsupported == ""
}

// stringMatch is one string matcher.
type stringMatch struct {
	exact string // the common case needs no more
	m     *headerMatch
}

func newStringMatch(m *matcherv3.StringMatcher) (stringMatch, error) {
	if e, ok := m.GetMatchPattern().(*matcherv3.StringMatcher_Exact); ok && !m.GetIgnoreCase() {
		return stringMatch{exact: e.Exact}, nil
	}
	one, err := newHeaderMatch([]*routev3.HeaderMatcher{{Name: "x", HeaderMatchSpecifier: &routev3.HeaderMatcher_StringMatch{StringMatch: m}}})
	return stringMatch{m: one}, err
}

func (s *stringMatch) match(text string) bool {
	if s.m == nil {
		return s.exact == text
	}
	return s.m.request(&route.Request{Headers: []route.Header{{Name: "x", Value: text}}})
}
