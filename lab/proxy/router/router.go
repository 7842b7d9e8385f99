// Package router is the HTTP side of one connection manager: its filters in
// their order (peer metadata, CORS, faults, gRPC statistics, the router) and,
// for a request, the route that project package route decides, with everything
// that Envoy's router does then: header changes, redirects, direct responses,
// timeouts, retries, mirrors, upgrades, and Envoy's own answers when there is
// nothing to send.
package router
