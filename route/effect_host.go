package route

import (
	"strings"

	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
)

// rewriteHost follows RouteAction.host_rewrite_specifier. The path and headers
// that it reads are those after the header changes and before the path is
// rewritten.
func (e *evaluation) rewriteHost(a *routev3.RouteAction) {
	own := e.d.Route.effects
	host := ""
	switch s := a.GetHostRewriteSpecifier().(type) {
	case *routev3.RouteAction_HostRewriteLiteral:
		host = s.HostRewriteLiteral
	case *routev3.RouteAction_HostRewriteHeader:
		host, _ = e.request.first(s.HostRewriteHeader)
	case *routev3.RouteAction_HostRewritePathRegex:
		path, _ := e.request.first(":path")
		if own.hostRegex != nil {
			host = e.formatter("").replace(own.hostRegex, pathOnly(path))
		}
	case *routev3.RouteAction_HostRewrite:
		if own.hostFormat != nil {
			host = e.formatter("host_rewrite").text(*own.hostFormat)
		}
	case *routev3.RouteAction_AutoHostRewrite:
		if s.AutoHostRewrite.GetValue() {
			e.unsupported(autoHostText)
		}
		return
	}
	if host == "" {
		return
	}
	before, _ := e.request.first(":authority")
	if before != "" {
		if a.GetAppendXForwardedHost() {
			e.forwardHost(before)
		}
		e.request.set("x-envoy-original-host", before)
	}
	e.request.set(":authority", host)
}

const autoHostText = "unsupported: RouteAction.auto_host_rewrite (the authority becomes the name of the upstream host, where the cluster finds its hosts by DNS or gives their names)"

// forwardHost appends to x-forwarded-host what is not its last value already
// (RouteAction.append_x_forwarded_host).
func (e *evaluation) forwardHost(host string) {
	all, _ := e.request.first("x-forwarded-host")
	last := all[strings.LastIndexByte(all, ',')+1:]
	if last != host {
		e.request.add("x-forwarded-host", host)
	}
}

// rewritePath comes last, so that headers and host see the path as it was sent.
func (e *evaluation) rewritePath() {
	own := &e.d.Route.effects.path
	if own.unknown != "" {
		e.unsupported(own.unknown)
	}
	before, ok := e.request.first(":path")
	if own.none() || !ok {
		return
	}
	if path, ok := own.rewrite(e.d.Route, before, e.formatter("path_rewrite")); ok {
		e.request.set("x-envoy-original-path", before)
		e.request.set(":path", path)
	}
}
