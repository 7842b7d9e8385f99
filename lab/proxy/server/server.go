// Package server owns the listeners: it binds what a snapshot's listeners say,
// finds the filter chain for each connection, ends TLS, and hands HTTP
// connections to a router and others to the TCP proxy. A new snapshot replaces
// chains without closing connections that still flow.
//
// There is no iptables. A sidecar binds POD:15001 for outbound connections that
// carry their destination in a PROXY v2 header, and each of the pod's own ports
// as virtualInbound with that original destination.
package server
