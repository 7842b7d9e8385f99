package routes

import (
	"fmt"
	"regexp"
	"strings"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	uritemplatev3 "github.com/envoyproxy/go-control-plane/envoy/extensions/path/match/uri_template/v3"
	matcherv3 "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"
	typev3 "github.com/envoyproxy/go-control-plane/envoy/type/v3"

	"github.com/meshstorm/meshstorm/space"
)

// maxBoxes is how many boxes one route's conditions may fall into.
const maxBoxes = 64

// Conditions about the TLS connection, as atoms.
const (
	atomPresented = "a client certificate is presented"
	atomValidated = "the client certificate is validated"
)

func quoteExpr(s string) string { return regexp.QuoteMeta(s) }

// either is a condition as alternatives: one of the boxes has to hold.
type either []space.Box

// boxes turns a route's conditions into the boxes that they hold for.
func (k *Memory) boxes(m *routev3.RouteMatch) []space.Box {
	conditions := []either{k.path(m)}
	for _, h := range m.GetHeaders() {
		conditions = append(conditions, k.header(h))
	}
	for _, q := range m.GetQueryParameters() {
		conditions = append(conditions, k.query(q))
	}
	for _, c := range m.GetCookies() {
		conditions = append(conditions, k.cookie(c))
	}
	if m.GetGrpc() != nil {
		grpc := space.OneOf("application/grpc").Or(space.Prefix("application/grpc+", false))
		conditions = append(conditions, either{space.Box{}.With(space.Header("content-type"), grpc)})
	}
	if f := m.GetRuntimeFraction(); f != nil {
		conditions = append(conditions, either{fraction(f)})
	}
	var rest space.Box
	if p := m.GetTlsContext().GetPresented(); p != nil {
		rest = rest.WithAtom(atomPresented, p.Value)
	}
	if p := m.GetTlsContext().GetValidated(); p != nil {
		rest = rest.WithAtom(atomValidated, p.Value)
	}
	for _, d := range m.GetDynamicMetadata() {
		rest = rest.WithAtom("dynamic_metadata "+text(d), true)
	}
	for _, f := range m.GetFilterState() {
		rest = rest.WithAtom("filter_state "+text(f), true)
	}
	if out, ok := all(append(conditions, either{rest})); ok {
		return out
	}
	return unknown(fmt.Sprintf("more than %d combinations of conditions: %s", maxBoxes, text(m)))
}

// all multiplies the alternatives out; ok is false where they are too many.
func all(conditions []either) (out []space.Box, ok bool) {
	out = []space.Box{{}}
	for _, c := range conditions {
		var next []space.Box
		for _, b := range out {
			for _, alternative := range c {
				if both := b.And(alternative); !both.IsEmpty() {
					next = append(next, both)
				}
			}
		}
		if len(next) > maxBoxes {
			return nil, false
		}
		out = next
	}
	return out, true
}

func narrow(f space.Field, s space.Strings) either { return either{space.Box{}.With(f, s)} }

// unknown is a condition that is known by its text alone.
func unknown(what string) either { return either{space.Box{}.WithAtom(what, true)} }

// path is RouteMatch.path_specifier.
func (k *Memory) path(m *routev3.RouteMatch) either {
	fold := m.GetCaseSensitive() != nil && !m.GetCaseSensitive().GetValue()
	switch p := m.GetPathSpecifier().(type) {
	case *routev3.RouteMatch_Prefix:
		return narrow(space.Path, space.Prefix(p.Prefix, fold))
	case *routev3.RouteMatch_Path:
		return narrow(space.Path, space.Exact(p.Path, fold))
	case *routev3.RouteMatch_PathSeparatedPrefix:
		return narrow(space.Path, space.PathSeparatedPrefix(p.PathSeparatedPrefix, fold))
	case *routev3.RouteMatch_SafeRegex:
		s, ok := k.regexp(p.SafeRegex.GetRegex())
		if !ok {
			return unknown(fmt.Sprintf("the path matches %q, which is too large to compute with", p.SafeRegex.GetRegex()))
		}
		return narrow(space.Path, s)
	case *routev3.RouteMatch_ConnectMatcher_:
		return append(narrow(space.Method, space.OneOf("CONNECT")),
			narrow(space.Header("upgrade"), space.Exact("connect-udp", true))...)
	case *routev3.RouteMatch_PathMatchPolicy:
		t := &uritemplatev3.UriTemplateMatchConfig{}
		if extension := p.PathMatchPolicy.GetTypedConfig(); extension.MessageIs(t) && extension.UnmarshalTo(t) == nil {
			if s, err := space.Template(t.GetPathTemplate()); err == nil {
				return narrow(space.Path, s)
			}
		}
	}
	return unknown("path " + text(m))
}

func headerField(name string) space.Field {
	switch name = strings.ToLower(name); name {
	case ":method":
		return space.Method
	case ":authority", "host":
		return space.Authority
	case ":scheme":
		return space.Scheme
	}
	return space.Header(name)
}

// header is HeaderMatcher; treat_missing_header_as_empty says what a missing
// header does.
func (k *Memory) header(m *routev3.HeaderMatcher) either {
	name := strings.ToLower(m.GetName())
	value, presence, ok := k.headerValue(m)
	if presence != nil {
		there := *presence
		if m.GetInvertMatch() {
			there = !there
		}
		switch {
		case name == ":path" || name == "x-forwarded-proto" || m.GetTreatMissingHeaderAsEmpty(): // always there
			if there {
				return either{{}}
			}
			return nil
		case there:
			return narrow(headerField(name), space.Present())
		}
		return narrow(headerField(name), space.Absent())
	}
	if !ok || name == ":path" { // the path with its query is no field
		return unknown("header " + text(m))
	}
	if m.GetInvertMatch() {
		value = space.Present().Minus(value)
	}
	if name == "x-forwarded-proto" {
		// Envoy sets it from the connection where the client does not.
		absent := space.Box{}.With(space.Header(name), space.Absent()).With(space.Scheme, value)
		return append(narrow(space.Header(name), value), absent)
	}
	if m.GetTreatMissingHeaderAsEmpty() && value.Has("") {
		value = value.Or(space.Absent())
	}
	return narrow(headerField(name), value)
}

// headerValue is the set of a matcher about the value, or what a matcher about
// presence wants; ok is false where the value is not known as a set.
func (k *Memory) headerValue(m *routev3.HeaderMatcher) (value space.Strings, presence *bool, ok bool) {
	yes := true
	switch s := m.GetHeaderMatchSpecifier().(type) {
	case *routev3.HeaderMatcher_ExactMatch:
		if s.ExactMatch == "" { // the deprecated field cannot tell "" from unset
			return space.Present(), nil, true
		}
		return space.Exact(s.ExactMatch, false), nil, true
	case *routev3.HeaderMatcher_SafeRegexMatch:
		value, ok := k.regexp(s.SafeRegexMatch.GetRegex())
		return value, nil, ok
	case *routev3.HeaderMatcher_RangeMatch:
		return space.Range(s.RangeMatch.GetStart(), s.RangeMatch.GetEnd()), nil, true
	case *routev3.HeaderMatcher_PresentMatch:
		return value, &s.PresentMatch, true
	case *routev3.HeaderMatcher_PrefixMatch:
		return space.Prefix(s.PrefixMatch, false), nil, true
	case *routev3.HeaderMatcher_SuffixMatch:
		return space.Suffix(s.SuffixMatch, false), nil, true
	case *routev3.HeaderMatcher_ContainsMatch:
		return space.Contains(s.ContainsMatch, false), nil, true
	case *routev3.HeaderMatcher_StringMatch:
		value, ok := k.stringSet(s.StringMatch)
		return value, nil, ok
	case nil:
		return value, &yes, true
	}
	return value, nil, false
}

func (k *Memory) stringSet(m *matcherv3.StringMatcher) (space.Strings, bool) {
	fold := m.GetIgnoreCase()
	switch p := m.GetMatchPattern().(type) {
	case *matcherv3.StringMatcher_Exact:
		return space.Exact(p.Exact, fold), true
	case *matcherv3.StringMatcher_Prefix:
		return space.Prefix(p.Prefix, fold), true
	case *matcherv3.StringMatcher_Suffix:
		return space.Suffix(p.Suffix, fold), true
	case *matcherv3.StringMatcher_Contains:
		return space.Contains(p.Contains, fold), true
	case *matcherv3.StringMatcher_SafeRegex:
		return k.regexp(p.SafeRegex.GetRegex())
	case nil:
		return space.Present(), true
	}
	return space.Strings{}, false
}

// query is QueryParameterMatcher.
func (k *Memory) query(m *routev3.QueryParameterMatcher) either {
	f := space.Query(m.GetName())
	switch s := m.GetQueryParameterMatchSpecifier().(type) {
	case *routev3.QueryParameterMatcher_StringMatch:
		if value, ok := k.stringSet(s.StringMatch); ok {
			return narrow(f, value)
		}
		return unknown("query parameter " + text(m))
	case *routev3.QueryParameterMatcher_PresentMatch:
		if !s.PresentMatch {
			return narrow(f, space.Absent())
		}
	}
	return narrow(f, space.Present())
}

// cookie is CookieMatcher: without the cookie, an inverted one holds.
func (k *Memory) cookie(m *routev3.CookieMatcher) either {
	value, ok := k.stringSet(m.GetStringMatch())
	if !ok {
		return unknown("cookie " + text(m))
	}
	if m.GetInvertMatch() {
		value = value.Not()
	}
	return narrow(space.Cookie(m.GetName()), value)
}

// fraction is RouteMatch.runtime_fraction with its default value.
func fraction(f *corev3.RuntimeFractionalPercent) space.Box {
	of := uint32(100)
	switch f.GetDefaultValue().GetDenominator() {
	case typev3.FractionalPercent_TEN_THOUSAND:
		of = 10_000
	case typev3.FractionalPercent_MILLION:
		of = 1_000_000
	}
	n := min(f.GetDefaultValue().GetNumerator(), of)
	return space.Box{}.With(space.Random(of), space.Range(0, int64(n)))
}
