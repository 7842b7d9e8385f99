// Package route decides what Envoy would do with one HTTP request. It takes
// Envoy's own route configuration (v3), as istiod or anybody else sends it, and
// a request; it gives the virtual host, the route, the cluster and everything
// that is done to the request on the way, or a reason for each route that did
// not take it. What it cannot evaluate it calls unsupported; it never guesses.
package route

import (
	"time"

	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
)

// Request is one HTTP request as a proxy sees it.
type Request struct {
	Method    string // "" is GET
	Scheme    string // "" is http
	Authority string // the Host or :authority header, with the port where the client sent one
	Path      string // path and query as on the wire; "" is "/"
	Headers   []Header
	// Random is the number that Envoy would draw for weights and fractions of
	// this request; Envoy takes it modulo the total.
	Random uint64
	// Runtime says what the runtime layer holds for a fraction; nil takes each
	// fraction's default.
	Runtime Runtime
	TLS     *TLS // nil for plain text
	// Internal marks a request that Envoy trusts as internal
	// (x-envoy-internal), which internal redirects and internal_only_headers
	// look at.
	Internal bool
	// Protocol is what %PROTOCOL% stands for in header values: HTTP/1.0,
	// HTTP/1.1, HTTP/2 or HTTP/3. "" is not known, and %PROTOCOL% unsupported.
	Protocol string
	// Remote is the client's address, ADDRESS:PORT, that
	// %DOWNSTREAM_REMOTE_ADDRESS% and its forms stand for. "" is not known, and
	// they are unsupported.
	Remote string
}

// Header is one header field. Names are lower-case in everything that this
// package gives; in requests their case does not matter.
type Header struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// TLS is what a route may ask of the downstream TLS connection.
type TLS struct {
	Presented bool // the client presented a certificate
	Validated bool // and it was validated
}

// Runtime decides a runtime fraction: key and default as configured, as a
// numerator over a denominator, and the request's random value.
type Runtime func(key string, numerator, denominator uint32, random uint64) bool

// Config is a compiled route configuration. It is safe for concurrent use.
type Config struct {
	proto *routev3.RouteConfiguration
	hosts []*VirtualHost
	compiled
}

// VirtualHost is a compiled virtual host.
type VirtualHost struct {
	Name    string
	Domains []string
	Routes  []*Route // in the order Envoy tries them
	Proto   *routev3.VirtualHost
	compiledHost
}

// Route is a compiled route.
type Route struct {
	Name  string
	Index int // in its virtual host, from 0
	Host  *VirtualHost
	Proto *routev3.Route
	compiledRoute
}

// Decision is where a request goes.
type Decision struct {
	VirtualHost *VirtualHost // nil where no domain takes the authority
	Route       *Route       // nil where no route takes the request
	// Cluster is the chosen cluster's name; "" for a redirect, a direct
	// response, and where nothing was chosen. It is also "" where the header
	// that names the cluster is missing: Envoy then answers with the route's
	// cluster_not_found_response_code (503 unless set) and the flag NC.
	Cluster string
	// Weighted is the chosen entry of the weighted clusters, -1 where there are
	// none.
	Weighted int
	// TLSRedirect says that the virtual host's require_tls answers the request
	// with a redirect to https before any route is tried; Route is nil.
	TLSRedirect bool
	// Unsupported says what kept the decision from being made, "" where it was
	// made. Route is then the route that could not be decided, or whose action
	// could not.
	Unsupported string
}

// Verdict is what one route says of a request.
type Verdict struct {
	Route   *Route
	Matched bool // its conditions hold; an earlier route may still have won
	// Failed is the first condition that does not hold, in words with the
	// wanted and the actual value: `path "/order" is not "/orders"`.
	Failed      string
	Unsupported string // why it cannot be told whether it matches
}

// Effect is everything else that the proxy does with a request once its route
// is known. Durations of 0 mean "not set by the route" unless the field says
// more.
type Effect struct {
	Path      string // as sent upstream, after rewrites, with the query
	Authority string // as sent upstream, after rewrites
	// RequestHeaders are the headers sent upstream, after the changes of the
	// route, the weighted cluster, the virtual host and the configuration.
	RequestHeaders []Header
	// HeaderChanges are the changes in the order they are made, in words
	// ("request: set x-a: b", "response: remove server").
	HeaderChanges []string

	Redirect *Redirect
	Direct   *DirectResponse

	// Timeout is Envoy's default of 15 s where TimeoutSet is false; 0 is no
	// limit. For a gRPC request it is what its grpc-timeout header asks for,
	// where max_grpc_timeout allows that.
	Timeout         time.Duration
	TimeoutSet      bool
	IdleTimeout     time.Duration // 0 is no limit where IdleTimeoutSet
	IdleTimeoutSet  bool
	FlushTimeout    time.Duration // 0 is no limit where FlushTimeoutSet
	FlushTimeoutSet bool
	MaxStream       time.Duration // max_stream_duration; 0 is no limit where MaxStreamSet
	MaxStreamSet    bool
	Retry           *Retry
	Mirrors         []Mirror
	Hash            []string // what the hash for load balancing is made of, in words
	CORS            *CORS
	Fault           *Fault
	VirtualCluster  string // its stat name; "" where the virtual host has none

	ClusterNotFoundCode int // the status where the cluster does not exist
	HighPriority        bool
	Upgrades            []string // upgrade types that the route allows, or "NAME (off)"
	Endpoints           []string // labels that the endpoints must have (metadata_match), as "name=value"
	InternalRedirect    *InternalRedirect
	Operation           string // the decorator's name for the trace

	// Unsupported lists what of the route's action cannot be evaluated; the
	// other fields hold nevertheless.
	Unsupported []string
	// NotShown lists what is set but neither changes where the request goes nor
	// what becomes of it, such as names of statistics.
	NotShown []string
}

// InternalRedirect is what the proxy does with redirects of the upstream: it
// follows them itself.
type InternalRedirect struct {
	Max         uint32   // how many in a row
	Codes       []uint32 // of the responses it follows
	Predicates  []string // extensions that may refuse one
	CrossScheme bool     // also between http and https
	CopyHeaders []string // response headers that the new request gets
}

// Redirect is a redirect response.
type Redirect struct {
	Location string
	Code     int
}

// DirectResponse is a response that the proxy makes itself.
type DirectResponse struct {
	Status      int
	Body        string
	ContentType string // as body_format asks; "" is Envoy's own
}

// Retry is the retry policy that holds for the route.
type Retry struct {
	On             []string
	Attempts       uint32 // retries, not counting the first try
	PerTryTimeout  time.Duration
	RetriableCodes []uint32

	PerTryIdleTimeout  time.Duration
	BackOffBase        time.Duration // 25 ms unless set
	BackOffMax         time.Duration // ten times the base unless set
	RateLimitedBackOff []string      // response headers that say how long to wait, in words
	RetriableHeaders   []string      // response headers that cause a retry, in words
	HostPredicates     []string      // extensions that refuse hosts
	HostSelectionTries int64         // how often a host is chosen anew; 1 unless set
	Priority           string        // the extension that changes priorities; "" for none
	Hedge              bool          // a per-try timeout starts another try beside the first
	TimeoutHeader      bool          // such tries carry x-envoy-is-timeout-retry
}

// Mirror is a cluster that gets a copy of the request.
type Mirror struct {
	Cluster string
	Share   float64 // 0-1

	Path           string
	Authority      string // with "-shadow" behind the host, unless configured otherwise
	RequestHeaders []Header
}

// CORS is the cross-origin policy that holds for the route.
type CORS struct {
	AllowOrigins     []string `json:"allowOrigins"` // matchers in words
	AllowMethods     string   `json:"allowMethods,omitempty"`
	AllowHeaders     string   `json:"allowHeaders,omitempty"`
	ExposeHeaders    string   `json:"exposeHeaders,omitempty"`
	MaxAge           string   `json:"maxAge,omitempty"` // seconds
	AllowCredentials bool     `json:"allowCredentials,omitempty"`
	// Preflight requests of other origins are answered by the proxy.
	RejectPreflights    bool    `json:"rejectPreflights,omitempty"`
	AllowPrivateNetwork bool    `json:"allowPrivateNetwork,omitempty"`
	Share               float64 `json:"share,omitempty"` // 0-1, the requests it holds for; 0 is all
}

// Fault is the fault injection that holds for the route and this request.
type Fault struct {
	Delay        time.Duration
	DelayShare   float64 // 0-1
	Abort        int     // HTTP status; 0 for none
	AbortGRPC    int     // gRPC status; used where AbortShare > 0 and Abort is 0
	AbortShare   float64 // 0-1
	OnlyUpstream string  // the cluster it is limited to
	Headers      []string

	ResponseKiB   uint64  // the response body's limit in KiB/s
	ResponseShare float64 // 0-1
}
