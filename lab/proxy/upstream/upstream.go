// Package upstream is what Envoy calls the cluster manager: it takes the
// clusters, endpoints and secrets of a snapshot and gives, for a cluster's name,
// a host chosen by the cluster's load balancing policy and a connection or an
// HTTP exchange with it, within the cluster's circuit breakers, observed by its
// outlier detection.
package upstream

import (
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"time"

	"github.com/meshstorm/meshstorm/lab/loopback"
	"github.com/meshstorm/meshstorm/lab/pod"
)

// The ways in which an upstream fails. Errors of this package wrap one of them,
// and their text is what the access log's
// %UPSTREAM_TRANSPORT_FAILURE_REASON% says.
var (
	ErrNoHealthyHost = errors.New("no healthy upstream")                             // UH
	ErrOverflow      = errors.New("upstream overflow")                               // UO
	ErrConnect       = errors.New("upstream connect error")                          // UF
	ErrReset         = errors.New("upstream connection closed before the response")  // UC
	ErrProtocol      = errors.New("upstream broke the protocol")                     // UPE
	ErrTLS           = errors.New("the lab's proxy cannot make this TLS connection") // UF, fail closed
)

// Choice is what a request asks of the load balancer.
type Choice struct {
	Hash    uint64 // for ring hash and maglev
	HasHash bool
	// Avoid refuses a host (retry host predicates); it is asked up to Tries
	// times, then the last host is taken anyway. Nil refuses none.
	Avoid func(*Host) bool
	Tries int
	// OriginalDestination is where ORIGINAL_DST clusters go.
	OriginalDestination netip.AddrPort
	HighPriority        bool
}

// Options say how a proxy reaches its hosts. Dialer defaults to the Spec's, Now
// to time.Now, Random to math/rand/v2.Uint64, Log to nothing. Without Spec (a
// proxy outside a pod, in tests) addresses are dialed as they are.
type Options struct {
	Dialer *loopback.Dialer
	Spec   *pod.Spec
	Log    *slog.Logger
	Now    func() time.Time
	Random func() uint64
}

// Exchange is what one call of Do or Connect takes and tells beside request and
// response.
type Exchange struct {
	HighPriority bool           // uses the HIGH thresholds of the circuit breakers
	Local        netip.AddrPort // our end of the connection; set before Do returns
}

type exchangeKey struct{}

// WithExchange puts e into the context of one call of Do or Connect.
func WithExchange(ctx context.Context, e *Exchange) context.Context {
	return context.WithValue(ctx, exchangeKey{}, e)
}

func exchangeOf(ctx context.Context) *Exchange {
	e, _ := ctx.Value(exchangeKey{}).(*Exchange)
	return e
}
