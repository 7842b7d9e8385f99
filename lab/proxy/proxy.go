// Package proxy is the lab's data plane: one program that is ingress gateway,
// egress gateway and sidecar, and does what istiod tells it over ADS, as Envoy
// would. What it does not support it says, by name; it ignores nothing in
// silence.
//
// The parts, none of which knows the ones behind it:
//
//	flow       one request or connection, as all parts see it
//	fields     which fields of Envoy's configuration are evaluated
//	xds        istiod's configuration, kept current, ACKed or NACKed
//	upstream   clusters: endpoints, balancing, pools, outliers, limits
//	router     the HTTP filters and the router of one connection manager
//	telemetry  access log, Istio's metrics, peer metadata, admin and probes
//	server     listeners, filter chains, TLS, HTTP and TCP connections
//
// Run, in this package, puts them together for one pod.
package proxy
