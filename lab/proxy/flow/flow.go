// Package flow is one request or one TCP connection as every part of the proxy
// sees it: where it came from, what was decided, how it ended. The server fills
// in what came from downstream, the router and the TCP proxy the rest;
// telemetry reads it.
package flow

import (
	"context"
	"crypto/tls"
	"net/http"
	"net/netip"
	"time"
)

// Downstream is the connection from the client. All addresses are those of the
// API (10.244.x, never 127.244.x).
type Downstream struct {
	ID          uint64         // of the connection
	Remote      netip.AddrPort // the client: a pod, or a loopback address for clients on the host
	Local       netip.AddrPort // where the client wanted to go, the original destination
	Listener    string         // the listener's name
	FilterChain string         // the filter chain's name
	Inbound     bool           // the listener's traffic_direction is INBOUND
	TLS         *tls.ConnectionState
}

// Flags are Envoy's response flags, in the short form of the access log.
type Flags []string

// Envoy's response flags (Envoy docs, "Access logging", %RESPONSE_FLAGS%).
const (
	NoHealthyUpstream       = "UH"
	UpstreamFailure         = "UF" // connection failure
	UpstreamOverflow        = "UO"
	NoRoute                 = "NR"
	NoCluster               = "NC"
	RetryLimit              = "URX"
	UpstreamTimeout         = "UT"
	UpstreamReset           = "UR" // remote reset
	UpstreamTermination     = "UC" // connection termination
	DownstreamTermination   = "DC"
	DownstreamProtocolError = "DPE"
	UpstreamProtocolError   = "UPE"
	LocalReset              = "LR"
	DelayInjected           = "DI"
	FaultInjected           = "FI"
	StreamIdleTimeout       = "SI"
	MaxDuration             = "UMSDR"
	DurationTimeout         = "DT"
	OverloadManager         = "OM"
	DNSFailure              = "DF"
)

// Add adds a flag once.
func (f *Flags) Add(flag string) {
	for _, have := range *f {
		if have == flag {
			return
		}
	}
	*f = append(*f, flag)
}

// Record is one request, or one TCP connection.
type Record struct {
	Downstream *Downstream
	TCP        bool
	Start      time.Time
	Duration   time.Duration // whole
	// FirstByte is the time until the upstream's first response byte (Envoy's
	// %RESPONSE_DURATION%), UpstreamTime what x-envoy-upstream-service-time says.
	FirstByte, UpstreamTime time.Duration

	Method, Scheme, Authority, Path string // as the client sent them
	UpstreamPath                    string // after rewrites (%REQ(:PATH)% without X-ENVOY-ORIGINAL-PATH)
	Protocol                        string // HTTP/1.1, HTTP/2; "" for TCP
	GRPC                            bool
	RequestHeaders                  http.Header // as sent upstream; the client's where nothing was sent
	ResponseHeaders                 http.Header
	ResponseTrailers                http.Header

	Status        int // 0 where no response was sent
	GRPCStatus    int // -1 where unknown
	Flags         Flags
	Details       string // %RESPONSE_CODE_DETAILS%: via_upstream, route_not_found, …
	Termination   string // %CONNECTION_TERMINATION_DETAILS%
	FailureReason string // %UPSTREAM_TRANSPORT_FAILURE_REASON%

	RouteName     string
	Cluster       string // the cluster's name: outbound|8080|stable|order.default.svc.cluster.local
	UpstreamHost  netip.AddrPort
	UpstreamLocal netip.AddrPort
	Attempts      int
	SNI           string

	BytesReceived, BytesSent           int64 // body (HTTP), or all (TCP)
	UpstreamBytesRead, UpstreamWritten int64

	// Peer is the other workload's metadata as exchanged: the client's for an
	// inbound record, the server's for an outbound one; nil where unknown.
	Peer map[string]string
	// ClusterMetadata is the chosen cluster's metadata under "istio", as istiod
	// sends it: default_original_port, services [{host, name, namespace}].
	ClusterMetadata map[string]any
}

type contextKey struct{}

// WithDownstream puts the connection into the context of its requests
// (http.Server's ConnContext).
func WithDownstream(ctx context.Context, d *Downstream) context.Context {
	return context.WithValue(ctx, contextKey{}, d)
}

// From gives the connection of a request; never nil.
func From(ctx context.Context) *Downstream {
	if d, ok := ctx.Value(contextKey{}).(*Downstream); ok {
		return d
	}
	return &Downstream{}
}
