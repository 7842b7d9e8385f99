package space

import (
	"slices"
	"strings"
)

// HeaderValue is one header of a request.
type HeaderValue struct{ Name, Value string }

// value is what the witness has for a field, or what is usual; there is false
// where it is missing.
func (w Witness) value(f Field) (v string, there bool) {
	if v, ok := w.Values[f]; ok {
		return v, true
	}
	if u := f.universe(); !u.optional {
		return u.prefer[0], true
	}
	return "", false
}

// Request is the witness as people type it: a method, a URL (only the path and
// query where no authority is needed) and headers by name. Gateway, source,
// random numbers and atoms are no part of it.
func (w Witness) Request() (method, target string, headers []HeaderValue) {
	method, _ = w.value(Method)
	target, _ = w.value(Path)
	var query, cookies []string
	for f, v := range w.Values {
		switch kind, name, _ := strings.Cut(string(f), ":"); kind {
		case "header":
			headers = append(headers, HeaderValue{name, v})
		case "query":
			query = append(query, name+"="+v)
		case "cookie":
			cookies = append(cookies, name+"="+v)
		}
	}
	if len(cookies) > 0 {
		slices.Sort(cookies)
		headers = append(headers, HeaderValue{"cookie", strings.Join(cookies, "; ")})
	}
	slices.SortFunc(headers, func(a, b HeaderValue) int { return strings.Compare(a.Name, b.Name) })
	if len(query) > 0 {
		slices.Sort(query)
		target += "?" + strings.Join(query, "&")
	}
	if host, ok := w.Values[Authority]; ok {
		scheme, _ := w.value(Scheme)
		if port, named := w.Values[Port]; named && !hasPort(host) && port != usualPort(scheme) {
			host += ":" + port
		}
		target = scheme + "://" + host + target
	}
	return method, target, headers
}

func hasPort(host string) bool {
	return strings.LastIndexByte(host, ':') > strings.LastIndexByte(host, ']')
}

func usualPort(scheme string) string {
	if scheme == "https" {
		return "443"
	}
	return "80"
}

// String is the request for a command line: GET /orders -H 'x-user: a'.
func (w Witness) String() string {
	method, target, headers := w.Request()
	var b strings.Builder
	b.WriteString(method + " " + quote(target))
	for _, h := range headers {
		b.WriteString(" -H " + quote(h.Name+": "+h.Value))
	}
	return b.String()
}

// quote writes a word as a shell reads it.
func quote(word string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("-_./:@%+,=[]", r)
	}
	if word != "" && !strings.ContainsFunc(word, func(r rune) bool { return !plain(r) }) {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}
