package route

import (
	"strconv"
	"strings"

	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
)

// queryMatcher is envoy.config.route.v3.QueryParameterMatcher. Names and values
// are compared as sent: RouteMatch.query_parameters calls them URL-encoded.
type queryMatcher struct {
	name     string
	presence bool
	present  bool
	value    stringMatcher
}

func (b *builder) queryMatcher(m *routev3.QueryParameterMatcher) (queryMatcher, error) {
	out := queryMatcher{name: m.GetName()}
	var err error
	switch s := m.GetQueryParameterMatchSpecifier().(type) {
	case *routev3.QueryParameterMatcher_StringMatch:
		out.value, err = b.stringMatcher(s.StringMatch)
	case *routev3.QueryParameterMatcher_PresentMatch:
		out.presence, out.present = true, s.PresentMatch
	default:
		out.presence, out.present = true, true
	}
	return out, err
}

func (m *queryMatcher) match(v *view) result {
	value, ok := queryValue(v.query(), m.name)
	switch {
	case m.presence:
		return truth(ok == m.present)
	case !ok:
		return no
	}
	return m.value.match(value)
}

func (m *queryMatcher) why(v *view) string {
	value, ok := queryValue(v.query(), m.name)
	switch {
	case !ok:
		return "query parameter " + m.name + " is missing"
	case m.presence:
		return "query parameter " + m.name + " is present"
	}
	return "query parameter " + m.name + " " + m.value.why(value, false)
}

// queryValue is the first value of a parameter (RouteMatch.query_parameters:
// only the first value for each key is considered).
func queryValue(query, name string) (string, bool) {
	for query != "" {
		var pair string
		pair, query, _ = strings.Cut(query, "&")
		key, value, _ := strings.Cut(pair, "=")
		if key == name {
			return value, true
		}
	}
	return "", false
}

// decodedQueryValue is the first value of a parameter, with name and value
// percent-decoded, as the input of a match tree gives it
// (HttpRequestQueryParamMatchInput).
func decodedQueryValue(query, name string) (string, bool) {
	for query != "" {
		var pair string
		pair, query, _ = strings.Cut(query, "&")
		key, value, _ := strings.Cut(pair, "=")
		if percentDecode(key) == name {
			return percentDecode(value), true
		}
	}
	return "", false
}

// percentDecode leaves what is no escape as it is, and "+" too.
func percentDecode(s string) string {
	if strings.IndexByte(s, '%') < 0 {
		return s
	}
	var out strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '%' && i+2 < len(s) {
			if n, err := strconv.ParseUint(s[i+1:i+3], 16, 8); err == nil {
				out.WriteByte(byte(n))
				i += 2
				continue
			}
		}
		out.WriteByte(s[i])
	}
	return out.String()
}

// cookieMatcher is envoy.config.route.v3.CookieMatcher.
type cookieMatcher struct {
	name   string
	value  stringMatcher
	invert bool
}

func (b *builder) cookieMatcher(m *routev3.CookieMatcher) (cookieMatcher, error) {
	value, err := b.stringMatcher(m.GetStringMatch())
	return cookieMatcher{name: m.GetName(), value: value, invert: m.GetInvertMatch()}, err
}

// match takes a cookie that is missing for one that does not match, so that
// invert_match holds without it (CookieMatcher.invert_match).
func (m *cookieMatcher) match(v *view) result {
	held := no
	if value, ok := v.cookie(m.name); ok {
		held = m.value.match(value)
	}
	if m.invert {
		return held.not()
	}
	return held
}

func (m *cookieMatcher) why(v *view) string {
	value, ok := v.cookie(m.name)
	if !ok {
		return "cookie " + m.name + " is missing"
	}
	return "cookie " + m.name + " " + m.value.why(value, m.invert)
}

// cookie is the value of a cookie, without the quotes that may be around it
// (RFC 6265, 4.1.1).
func (v *view) cookie(name string) (string, bool) {
	for i := range v.r.Headers {
		if !equalFold(v.r.Headers[i].Name, "cookie") {
			continue
		}
		rest := v.r.Headers[i].Value
		for rest != "" {
			var pair string
			pair, rest, _ = strings.Cut(rest, ";")
			key, value, ok := strings.Cut(strings.Trim(pair, " \t"), "=")
			if !ok || key != name {
				continue
			}
			if n := len(value); n >= 2 && value[0] == '"' && value[n-1] == '"' {
				value = value[1 : n-1]
			}
			return value, true
		}
	}
	return "", false
}
