package router

import (
	"strings"

	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
)

type pathVerdict int

const (
	pathGood pathVerdict = iota
	pathBad
	pathRedirect // the client is sent to the path without escaped slashes
)

// cleanPath brings a path with its query into the form that the manager wants
// routes to see (HttpConnectionManager.normalize_path, merge_slashes,
// path_with_escaped_slashes_action). The query stays; a fragment, which no client
// may send, is dropped.
func cleanPath(path string, m *manager) (string, pathVerdict) {
	if path[0] != '/' {
		return path, pathBad
	}
	end := strings.IndexAny(path, "?#")
	bare, query := path, ""
	if end >= 0 {
		bare, query = path[:end], path[end:]
		if i := strings.IndexByte(query, '#'); i >= 0 {
			query = query[:i]
		}
	}
	redirect := false
	if escaped := escapedSlash(bare); escaped {
		switch m.escapedSlashes {
		case hcmv3.HttpConnectionManager_REJECT_REQUEST:
			return path, pathBad
		case hcmv3.HttpConnectionManager_UNESCAPE_AND_REDIRECT:
			bare, redirect = unescapeSlashes(bare), true
		case hcmv3.HttpConnectionManager_UNESCAPE_AND_FORWARD:
			bare = unescapeSlashes(bare)
		}
	}
	if m.normalize && strings.ContainsAny(bare, ".%\\") {
		bare = normalizePath(bare)
	}
	if m.mergeSlashes && strings.Contains(bare, "//") {
		bare = mergeSlashes(bare)
	}
	if len(bare)+len(query) != len(path) || bare != path[:len(bare)] {
		path = bare + query
	}
	if redirect {
		return path, pathRedirect
	}
	return path, pathGood
}

// escapedSlash finds %2F and %5C.
func escapedSlash(path string) bool {
	for rest := path; ; {
		i := strings.IndexByte(rest, '%')
		if i < 0 || i+2 >= len(rest) {
			return false
		}
		if code := strings.ToLower(rest[i+1 : i+3]); code == "2f" || code == "5c" {
			return true
		}
		rest = rest[i+1:]
	}
}

var slashes = strings.NewReplacer("%2F", "/", "%2f", "/", "%5C", "\\", "%5c", "\\")

func unescapeSlashes(path string) string { return slashes.Replace(path) }

// normalizePath resolves dot segments and writes unreserved characters as
// themselves (RFC 3986, sections 5.2.4 and 6.2.2.2); a backslash counts as a
// slash, as browsers have it.
func normalizePath(path string) string {
	var plain strings.Builder
	for i := 0; i < len(path); i++ {
		c := path[i]
		switch {
		case c == '\\':
			c = '/'
		case c == '%' && i+2 < len(path):
			if b, ok := unhex(path[i+1], path[i+2]); ok && unreserved(b) {
				c = b
				i += 2
			}
		}
		plain.WriteByte(c)
	}
	var out []string
	segments := strings.Split(plain.String(), "/")[1:]
	for i, s := range segments {
		last := i == len(segments)-1
		switch s {
		case ".", "..":
			if s == ".." && len(out) > 0 {
				out = out[:len(out)-1]
			}
			if last {
				out = append(out, "")
			}
		default:
			out = append(out, s)
		}
	}
	return "/" + strings.Join(out, "/")
}

func unhex(a, b byte) (byte, bool) {
	x, okX := nibble(a)
	y, okY := nibble(b)
	return x<<4 | y, okX && okY
}

func nibble(c byte) (byte, bool) {
	switch {
	case '0' <= c && c <= '9':
		return c - '0', true
	case 'a' <= c && c <= 'f':
		return c - 'a' + 10, true
	case 'A' <= c && c <= 'F':
		return c - 'A' + 10, true
	}
	return 0, false
}

func unreserved(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '-' || c == '.' || c == '_' || c == '~'
}

func mergeSlashes(path string) string {
	var out strings.Builder
	for i := range len(path) {
		if path[i] == '/' && i > 0 && path[i-1] == '/' {
			continue
		}
		out.WriteByte(path[i])
	}
	return out.String()
}

// splitPort gives a host without its port; ok tells whether it had one.
func splitPort(authority string) (host, port string, ok bool) {
	i := strings.LastIndexByte(authority, ':')
	if i < 0 || i < strings.LastIndexByte(authority, ']') {
		return authority, "", false
	}
	return authority[:i], authority[i+1:], true
}

// stripPort takes the port from the host: any, or only that of the listener.
func stripPort(authority string, how hostPort, local uint16) string {
	host, port, ok := splitPort(authority)
	if !ok || how == stripMatchingPort && port != itoa(int(local)) {
		return authority
	}
	return host
}

// stripDot takes the trailing dot from the host.
func stripDot(authority string) string {
	host, port, ok := splitPort(authority)
	host = strings.TrimSuffix(host, ".")
	if ok {
		return host + ":" + port
	}
	return host
}
