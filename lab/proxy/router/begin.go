package router

import (
	"net/http"
	"net/netip"
	"strings"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"

	"github.com/meshstorm/meshstorm/lab/proxy/flow"
)

// begin does what the connection manager does before it looks for a route. It
// gives false where the request was answered.
func (x *exchange) begin() bool {
	req, rec := x.req, &x.rec
	rec.Method, rec.Authority = req.Method, req.Host
	rec.Path = req.RequestURI
	if rec.Path == "" {
		rec.Path = req.URL.RequestURI()
	}
	if strings.Contains(rec.Path, "://") && rec.Path[0] != '/' { // absolute form (RFC 9112, 3.2.2)
		rec.Path = req.URL.RequestURI()
	}
	switch req.ProtoMajor {
	case 2:
		rec.Protocol = "HTTP/2"
	default:
		rec.Protocol = req.Proto
	}
	if rec.Downstream.TLS != nil {
		rec.SNI = rec.Downstream.TLS.ServerName
	}
	rec.GRPC = isGRPC(first(x.in, "Content-Type"))
	x.path, x.authority = rec.Path, req.Host
	if req.Method == http.MethodConnect {
		x.path = ""
		if req.ProtoMajor == 1 {
			x.authority = req.RequestURI
		}
	}
	x.body()
	return x.headersFit() && x.target() && x.trust()
}

// headersFit refuses requests with more headers than the manager takes (Envoy:
// max_request_headers_kb, max_headers_count).
func (x *exchange) headersFit() bool {
	m := x.r.m
	size, count := len(x.path)+len(x.authority)+len(x.req.Method), 0
	underscore := false
	for name, values := range x.in {
		for _, v := range values {
			size += len(name) + len(v)
			count++
		}
		underscore = underscore || m.underscores != 0 && strings.IndexByte(name, '_') >= 0
	}
	details := ""
	switch {
	case size > m.headerBytes:
		details = "headers_too_large"
	case count > m.headerCount:
		details = "too_many_headers"
	}
	if details != "" {
		codec := "http1."
		if x.req.ProtoMajor == 2 {
			codec = "http2."
		}
		x.rec.Flags.Add(flow.DownstreamProtocolError)
		x.reply(reply{status: http.StatusRequestHeaderFieldsTooLarge, details: codec + details})
		return false
	}
	if underscore {
		return x.underscored()
	}
	return true
}

func (x *exchange) underscored() bool {
	if x.r.m.underscores == corev3.HttpProtocolOptions_REJECT_REQUEST {
		x.rec.Flags.Add(flow.DownstreamProtocolError)
		x.reply(reply{status: http.StatusBadRequest, details: "http1.unexpected_underscore"})
		return false
	}
	for name := range x.in {
		if strings.IndexByte(name, '_') >= 0 {
			delete(x.in, name)
		}
	}
	return true
}

// target brings host and path into the form that routes see.
func (x *exchange) target() bool {
	m := x.r.m
	if m.stripDot {
		x.authority = stripDot(x.authority)
	}
	if m.stripPort != keepPort {
		x.authority = stripPort(x.authority, m.stripPort, x.rec.Downstream.Local.Port())
	}
	if x.path == "" || x.path == "*" {
		return true
	}
	path, verdict := cleanPath(x.path, m)
	switch verdict {
	case pathBad:
		x.reply(reply{status: http.StatusBadRequest, details: "path_normalization_failed"})
		return false
	case pathRedirect:
		x.reply(reply{status: http.StatusTemporaryRedirect, details: "path_normalization_failed", header: func(h http.Header) { h["Location"] = []string{path} }})
		return false
	}
	x.path = path
	return true
}

// trust works out where the request comes from, and which of its headers to
// believe (Envoy: ConnectionManagerUtility::mutateRequestHeaders; docs "HTTP
// header manipulation").
func (x *exchange) trust() bool {
	h, m := x.in, x.r.m
	x.hopByHop()
	remote, single := x.client()
	x.forwardedProto()
	x.internal = single && m.isInternal(remote.Addr())
	x.edge = !x.internal && m.remote
	delete(h, "X-Envoy-Internal")
	if x.internal {
		h["X-Envoy-Internal"] = trueValue
	} else {
		if x.edge {
			removeAll(h, edgeHeaders)
		}
		removeAll(h, internalHeaders)
		if t := x.r.table.Load(); t != nil {
			removeAll(h, t.internalOnly)
		}
	}
	if m.userAgent && x.r.o.Cluster != "" {
		h["X-Envoy-Downstream-Service-Cluster"] = []string{x.r.o.Cluster}
		if first(h, "User-Agent") == "" {
			h["User-Agent"] = []string{x.r.o.Cluster}
		}
		if x.r.o.Node != "" {
			h["X-Envoy-Downstream-Service-Node"] = []string{x.r.o.Node}
		}
	}
	if m.via != "" {
		appendValue(h, "Via", m.via, ", ")
	}
	if x.edge && remote.IsValid() {
		h["X-Envoy-External-Address"] = []string{remote.Addr().String()}
	}
	if m.generateID && (x.edge && !m.preserveID || first(h, "X-Request-Id") == "") {
		h["X-Request-Id"] = []string{newID(x.r.o.Random(), x.r.o.Random())}
	}
	x.clientCertificate()
	if remote != x.rec.Downstream.Remote {
		d := *x.rec.Downstream
		d.Remote = remote
		x.rec.Downstream = &d
	}
	return true
}

var trueValue = []string{"true"}

// edgeHeaders are what a client outside cannot tell the first proxy.
var edgeHeaders = []string{
	"X-Envoy-Decorator-Operation", "X-Envoy-Downstream-Service-Cluster", "X-Envoy-Downstream-Service-Node",
	"X-Envoy-Original-Path", "X-Envoy-Original-Host",
}

// internalHeaders are what only internal clients can ask of a proxy.
var internalHeaders = []string{
	"X-Envoy-Retriable-Status-Codes", "X-Envoy-Retriable-Header-Names", "X-Envoy-Retry-On", "X-Envoy-Retry-Grpc-On",
	"X-Envoy-Max-Retries", "X-Envoy-Upstream-Alt-Stat-Name", "X-Envoy-Upstream-Rq-Timeout-Ms",
	"X-Envoy-Upstream-Rq-Per-Try-Timeout-Ms", "X-Envoy-Upstream-Rq-Timeout-Alt-Response",
	"X-Envoy-Expected-Rq-Timeout-Ms", "X-Envoy-Force-Trace", "X-Envoy-Ip-Tags", "X-Envoy-Original-Url",
	"X-Envoy-Hedge-On-Per-Try-Timeout", "X-Envoy-Upstream-Stream-Duration-Ms",
}

func removeAll(h http.Header, names []string) {
	for _, name := range names {
		delete(h, name)
	}
}

func appendValue(h http.Header, name, value, separator string) {
	if old := h[name]; len(old) > 0 {
		value = strings.Join(old, separator) + separator + value
	}
	h[name] = []string{value}
}

// hopByHop removes what is meant for this connection only. An upgrade keeps its
// two headers.
func (x *exchange) hopByHop() {
	h := x.in
	if x.req.ProtoMajor == 1 && len(h["Upgrade"]) > 0 && hasToken(h["Connection"], "upgrade") {
		x.upgrade = strings.ToLower(first(h, "Upgrade"))
		h["Connection"] = []string{"upgrade"}
	} else {
		delete(h, "Connection")
		delete(h, "Upgrade")
	}
	delete(h, "Keep-Alive")
	delete(h, "Proxy-Connection")
	delete(h, "Transfer-Encoding")
	if te := h["Te"]; len(te) > 0 {
		if hasToken(te, "trailers") {
			h["Te"] = []string{"trailers"}
		} else {
			delete(h, "Te")
		}
	}
	if !x.r.m.continue100 {
		delete(h, "Expect") // the answer 100 is this proxy's own
	}
}

func hasToken(values []string, token string) bool {
	for _, v := range values {
		for part := range strings.SplitSeq(v, ",") {
			if strings.EqualFold(strings.TrimSpace(part), token) {
				return true
			}
		}
	}
	return false
}

// client gives the trusted client address, and whether x-forwarded-for held no
// more than that one.
func (x *exchange) client() (netip.AddrPort, bool) {
	h, m, d := x.in, x.r.m, x.rec.Downstream
	if !m.remote {
		ip, single, ok := lastForwarded(h["X-Forwarded-For"], m.trustedHops)
		if !ok {
			return d.Remote, false
		}
		return netip.AddrPortFrom(ip, 0), single
	}
	single := len(h["X-Forwarded-For"]) == 0
	remote := d.Remote
	if m.trustedHops > 0 {
		if ip, _, ok := lastForwarded(h["X-Forwarded-For"], m.trustedHops-1); ok {
			remote = netip.AddrPortFrom(ip, 0)
		}
	}
	if !m.skipXFF && d.Remote.IsValid() {
		own := d.Remote.Addr()
		if own.IsLoopback() && d.Local.IsValid() {
			own = d.Local.Addr() // as Envoy does for clients on its own host
		}
		appendValue(h, "X-Forwarded-For", own.Unmap().String(), ",")
	}
	return remote, single
}

// lastForwarded is the address that stands skip places before the last one.
func lastForwarded(values []string, skip int) (ip netip.Addr, single, ok bool) {
	all := strings.Split(strings.Join(values, ","), ",")
	at := len(all) - 1 - skip
	if len(values) == 0 || at < 0 {
		return ip, false, false
	}
	ip, err := netip.ParseAddr(strings.TrimSpace(all[at]))
	return ip, len(all) == 1, err == nil
}

func (x *exchange) forwardedProto() {
	h, m := x.in, x.r.m
	own := "http"
	if x.rec.Downstream.TLS != nil {
		own = "https"
	}
	if m.remote && m.trustedHops == 0 || first(h, "X-Forwarded-Proto") == "" {
		h["X-Forwarded-Proto"] = schemeValue(own)
	}
	if m.scheme != "" {
		h["X-Forwarded-Proto"] = schemeValue(m.scheme)
	}
	if m.remote && m.forwardPort && (m.trustedHops == 0 || first(h, "X-Forwarded-Port") == "") {
		h["X-Forwarded-Port"] = []string{itoa(int(x.rec.Downstream.Local.Port()))}
	}
	x.forwarded = first(h, "X-Forwarded-Proto")
	x.rec.Scheme = own
	if s := strings.ToLower(x.forwarded); s == "http" || s == "https" {
		x.rec.Scheme = s
	}
}

var httpScheme, httpsScheme = []string{"http"}, []string{"https"}

func schemeValue(s string) []string {
	switch s {
	case "http":
		return httpScheme
	case "https":
		return httpsScheme
	}
	return []string{s}
}

// clientCertificate sanitizes x-forwarded-client-cert (docs: "HTTP header
// manipulation", x-forwarded-client-cert).
func (x *exchange) clientCertificate() {
	h, m := x.in, x.r.m
	tls := x.rec.Downstream.TLS
	if m.certificates == hcmv3.HttpConnectionManager_ALWAYS_FORWARD_ONLY {
		return
	}
	if m.certificates == hcmv3.HttpConnectionManager_SANITIZE || tls == nil || len(tls.PeerCertificates) == 0 {
		delete(h, "X-Forwarded-Client-Cert")
		return
	}
	if m.certificates == hcmv3.HttpConnectionManager_FORWARD_ONLY {
		return
	}
	element := certificateElement(tls.PeerCertificates, m.details)
	if m.certificates == hcmv3.HttpConnectionManager_SANITIZE_SET {
		delete(h, "X-Forwarded-Client-Cert")
	}
	appendValue(h, "X-Forwarded-Client-Cert", element, ",")
}
