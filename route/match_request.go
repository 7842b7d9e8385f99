package route

import "strings"

// view is a request with what every matcher asks for worked out once.
type view struct {
	r         *Request
	method    string
	scheme    string
	target    string // :path as sent, with the query
	path      string // what path matchers see
	pathless  bool   // CONNECT without a path: there is no :path header
	forwarded string // x-forwarded-proto
}

// newView prepares a request. Path matchers see neither query nor fragment,
// and no path parameters where ignoreParams is set
// (RouteConfiguration.ignore_path_parameters_in_path_matching).
func newView(r *Request, ignoreParams bool) view {
	v := view{r: r, method: r.Method, scheme: r.Scheme, target: r.Path}
	if v.method == "" {
		v.method = "GET"
	}
	if v.scheme == "" {
		v.scheme = "http"
	}
	if v.target == "" {
		v.pathless = v.method == "CONNECT"
		if !v.pathless {
			v.target = "/"
		}
	}
	v.path = pathOnly(v.target)
	if ignoreParams {
		if i := strings.IndexByte(v.path, ';'); i >= 0 {
			v.path = v.path[:i]
		}
	}
	// Envoy's connection manager sets x-forwarded-proto from the connection
	// unless a trusted proxy in front already did.
	v.forwarded = v.scheme
	if r.TLS != nil {
		v.forwarded = "https"
	}
	return v
}

func pathOnly(target string) string {
	for i := 0; i < len(target); i++ {
		if target[i] == '?' || target[i] == '#' {
			return target[:i]
		}
	}
	return target
}

// query is the text behind the first question mark, as sent.
func (v *view) query() string {
	_, q, _ := strings.Cut(v.target, "?")
	return q
}

// source tells where the value of a header name comes from.
type source uint8

const (
	fromHeaders source = iota
	fromMethod
	fromPath
	fromAuthority
	fromScheme
	fromForwarded
	fromInternal
	fromCookies
)

// headerName is a header's lower-case name, resolved at compile time.
type headerName struct {
	text string
	from source
}

func newHeaderName(name string) headerName {
	h := headerName{text: strings.ToLower(name)}
	switch h.text {
	case ":method":
		h.from = fromMethod
	case ":path":
		h.from = fromPath
	case ":authority", "host":
		h.from = fromAuthority
	case ":scheme":
		h.from = fromScheme
	case "x-forwarded-proto":
		h.from = fromForwarded
	case "x-envoy-internal":
		h.from = fromInternal
	case "cookie":
		h.from = fromCookies
	}
	return h
}

// words is the header as messages name it.
func (h headerName) words() string {
	switch h.from {
	case fromMethod:
		return "method"
	case fromPath:
		return "path with query"
	case fromAuthority:
		return "authority"
	case fromScheme:
		return "scheme"
	}
	return "header " + h.text
}

// header is the value of a header; several of one name are joined, as Envoy
// does before it matches.
func (v *view) header(h headerName) (string, bool) {
	switch h.from {
	case fromMethod:
		return v.method, true
	case fromPath:
		return v.target, !v.pathless
	case fromAuthority:
		return v.r.Authority, true
	case fromScheme:
		return v.scheme, true
	}
	first, n := v.first(h)
	if n < 2 {
		return first, n == 1
	}
	separator := ","
	if h.from == fromCookies {
		separator = "; " // RFC 9113, 8.2.3
	}
	var all []string
	for i := range v.r.Headers {
		if equalFold(v.r.Headers[i].Name, h.text) {
			all = append(all, v.r.Headers[i].Value)
		}
	}
	return strings.Join(all, separator), true
}

// first is the first value of a header, and how many there are.
func (v *view) first(h headerName) (string, int) {
	value, n := "", 0
	switch h.from {
	case fromMethod, fromPath, fromAuthority, fromScheme:
		text, ok := v.header(h)
		if ok {
			n = 1
		}
		return text, n
	}
	for i := range v.r.Headers {
		if equalFold(v.r.Headers[i].Name, h.text) {
			if n == 0 {
				value = v.r.Headers[i].Value
			}
			n++
		}
	}
	if n > 0 {
		return value, n
	}
	switch {
	case h.from == fromForwarded:
		return v.forwarded, 1
	case h.from == fromInternal && v.r.Internal:
		return "true", 1
	}
	return "", 0
}

// isConnect holds for CONNECT and CONNECT-UDP requests; other extended CONNECT
// requests reach the matchers as upgrades (RouteMatch.connect_matcher).
func (v *view) isConnect() bool {
	if v.method == "CONNECT" {
		return true
	}
	upgrade, n := v.first(headerName{text: "upgrade"})
	return n > 0 && equalFold(upgrade, "connect-udp")
}

// equalFold compares ASCII letters in any case; lower must be lower-case.
func equalFold(s, lower string) bool {
	if len(s) != len(lower) {
		return false
	}
	for i := 0; i < len(s); i++ {
		if toLower(s[i]) != lower[i] {
			return false
		}
	}
	return true
}

func toLower(b byte) byte {
	if 'A' <= b && b <= 'Z' {
		return b + 'a' - 'A'
	}
	return b
}

// lowerASCII gives s itself where it has no upper-case letters.
func lowerASCII(s string) string {
	for i := 0; i < len(s); i++ {
		if 'A' <= s[i] && s[i] <= 'Z' {
			b := []byte(s)
			for ; i < len(b); i++ {
				b[i] = toLower(b[i])
			}
			return string(b)
		}
	}
	return s
}
