// Package telemetry is what the proxy tells about the traffic: Envoy's access
// log, Istio's metrics and the peer metadata they need, and the admin, metrics
// and probe ports of a sidecar (15000, 15020, 15021, 15090).
package telemetry
