package server

import (
	"bytes"
	"strings"
)

// The transport protocols of filter_chain_match.
const (
	rawBuffer = "raw_buffer"
	overTLS   = "tls"
)

const preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

// methods are those that Envoy's HTTP inspector knows.
var methods = strings.Fields(`GET HEAD POST PUT DELETE CONNECT OPTIONS TRACE PATCH COPY LOCK MKCOL MOVE PROPFIND
	PROPPATCH SEARCH UNLOCK BIND REBIND UNBIND ACL REPORT MKACTIVITY CHECKOUT MERGE M-SEARCH NOTIFY SUBSCRIBE
	UNSUBSCRIBE PURGE MKCALENDAR LINK UNLINK SOURCE`)

// maxRequestLine is where the HTTP inspector gives up (Envoy, 64 kB).
const maxRequestLine = 64 << 10

// sniffHTTP tells from the first bytes of a connection which HTTP it speaks:
// "http/1.0", "http/1.1", "h2c", or "" for none. more asks for further bytes.
func sniffHTTP(b []byte) (protocol string, more bool) {
	n := min(len(b), len(preface))
	if string(b[:n]) == preface[:n] {
		if n == len(preface) {
			return "h2c", false
		}
		return "", true
	}
	b = bytes.TrimLeft(b, "\r\n")
	line, _, whole := bytes.Cut(b, []byte("\n"))
	if !whole && len(b) > maxRequestLine {
		return "", false
	}
	method, rest, spaced := bytes.Cut(line, []byte(" "))
	if !spaced {
		return "", !whole && isMethodPrefix(string(method))
	}
	if !isMethod(string(method)) {
		return "", false
	}
	if !whole {
		for _, c := range rest {
			if c < ' ' && c != '\r' || c == 0x7f {
				return "", false
			}
		}
		return "", true
	}
	i := bytes.LastIndexByte(rest, ' ')
	if i <= 0 {
		return "", false
	}
	switch string(bytes.TrimRight(rest[i+1:], "\r")) {
	case "HTTP/1.1":
		return "http/1.1", false
	case "HTTP/1.0":
		return "http/1.0", false
	}
	return "", false
}

func isMethodPrefix(s string) bool {
	for _, m := range methods {
		if strings.HasPrefix(m, s) {
			return true
		}
	}
	return false
}

func isMethod(s string) bool {
	for _, m := range methods {
		if m == s {
			return true
		}
	}
	return false
}
