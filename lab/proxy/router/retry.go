package router

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"

	"github.com/meshstorm/meshstorm/lab/proxy/upstream"
)

// retryOn are the conditions of x-envoy-retry-on and x-envoy-retry-grpc-on.
type retryOn uint32

const (
	on5xx retryOn = 1 << iota
	onGatewayError
	onReset
	onResetBeforeRequest
	onConnectFailure
	onRateLimited
	onRetriable4xx
	onRefusedStream
	onStatusCodes
	onHeaders
	onHTTP3
	onCancelled
	onDeadlineExceeded
	onInternal
	onResourceExhausted
	onUnavailable
)

var retryWords = map[string]retryOn{
	"5xx": on5xx, "gateway-error": onGatewayError, "reset": onReset, "reset-before-request": onResetBeforeRequest,
	"connect-failure": onConnectFailure, "envoy-ratelimited": onRateLimited, "retriable-4xx": onRetriable4xx,
	"refused-stream": onRefusedStream, "retriable-status-codes": onStatusCodes, "retriable-headers": onHeaders,
	"http3-post-connect-failure": onHTTP3, "cancelled": onCancelled, "deadline-exceeded": onDeadlineExceeded,
	"internal": onInternal, "resource-exhausted": onResourceExhausted, "unavailable": onUnavailable,
}

func parseRetryOn(text string) retryOn {
	var out retryOn
	for word := range strings.SplitSeq(text, ",") {
		out |= retryWords[strings.TrimSpace(word)]
	}
	return out
}

// retryPolicy is when and how a request is tried again.
type retryPolicy struct {
	on                 retryOn
	retries            uint32
	perTry, perTryIdle time.Duration
	codes              []uint32
	headers            []*headerMatch // one of them in the response
	only               []*headerMatch // one of them in the request; nil for all requests
	base, longest      time.Duration
	avoid              bool // previous_hosts
	hostTries          int
	resets             []resetHeader
	resetLongest       time.Duration
}

// resetHeader is a response header that says when to come again.
type resetHeader struct {
	name string
	unix bool // a time in seconds, not a number of seconds
}

func newRetry(m *routev3.RetryPolicy) (*retryPolicy, error) {
	if m == nil {
		return nil, nil
	}
	p := &retryPolicy{
		on: parseRetryOn(m.GetRetryOn()), retries: 1,
		perTry: m.GetPerTryTimeout().AsDuration(), perTryIdle: m.GetPerTryIdleTimeout().AsDuration(),
		codes: m.GetRetriableStatusCodes(), base: 25 * time.Millisecond, hostTries: 1,
	}
	if n := m.GetNumRetries(); n != nil {
		p.retries = n.GetValue()
	}
	if b := m.GetRetryBackOff(); b != nil {
		p.base, p.longest = max(b.GetBaseInterval().AsDuration(), time.Millisecond), b.GetMaxInterval().AsDuration()
	}
	if p.longest == 0 {
		p.longest = 10 * p.base
	}
	if n := m.GetHostSelectionRetryMaxAttempts(); n > 0 {
		p.hostTries = int(n)
	}
	for _, one := range m.GetRetryHostPredicate() {
		if strings.HasSuffix(one.GetTypedConfig().GetTypeUrl(), "PreviousHostsPredicate") || one.GetName() == "envoy.retry_host_predicates.previous_hosts" {
			p.avoid = true
		}
	}
	if r := m.GetRateLimitedRetryBackOff(); r != nil {
		p.resetLongest = 300 * time.Second
		if r.GetMaxInterval() != nil {
			p.resetLongest = r.GetMaxInterval().AsDuration()
		}
		for _, h := range r.GetResetHeaders() {
			p.resets = append(p.resets, resetHeader{http.CanonicalHeaderKey(h.GetName()), h.GetFormat() == routev3.RetryPolicy_UNIX_TIMESTAMP})
		}
	}
	var err, only error
	p.headers, err = anyOf(m.GetRetriableHeaders())
	p.only, only = anyOf(m.GetRetriableRequestHeaders())
	return p, errors.Join(err, only)
}

var retryHeaders = []string{
	"X-Envoy-Retry-On", "X-Envoy-Retry-Grpc-On", "X-Envoy-Max-Retries", "X-Envoy-Retriable-Status-Codes", "X-Envoy-Retriable-Header-Names",
}

// retryPolicy is the route's policy with what the request's headers ask for
// (docs: "Router", x-envoy-retry-on and its relatives); nil for no retries.
func (x *exchange) retryPolicy() *retryPolicy {
	p, h := x.plan.retry, x.in
	asked := false
	for _, name := range retryHeaders {
		if len(h[name]) > 0 {
			asked = true
		}
	}
	if p != nil && len(p.only) > 0 {
		ask := x.fullAsk()
		if !slices.ContainsFunc(p.only, func(m *headerMatch) bool { return m.request(ask) }) {
			removeAll(h, retryHeaders)
			return nil
		}
	}
	if !asked {
		return p
	}
	own := retryPolicy{retries: 1, base: 25 * time.Millisecond, longest: 250 * time.Millisecond, hostTries: 1}
	if p != nil {
		own = *p
	}
	own.on |= parseRetryOn(first(h, "X-Envoy-Retry-On")) | parseRetryOn(first(h, "X-Envoy-Retry-Grpc-On"))
	if n, ok := number(x, "X-Envoy-Max-Retries"); ok && own.on != 0 {
		own.retries = uint32(n)
	}
	own.codes = slices.Clone(own.codes)
	for code := range strings.SplitSeq(first(h, "X-Envoy-Retriable-Status-Codes"), ",") {
		if n, err := strconv.ParseUint(strings.TrimSpace(code), 10, 16); err == nil {
			own.codes = append(own.codes, uint32(n))
		}
	}
	for name := range strings.SplitSeq(first(h, "X-Envoy-Retriable-Header-Names"), ",") {
		if name = strings.TrimSpace(name); name == "" {
			continue
		}
		m, err := newHeaderMatch([]*routev3.HeaderMatcher{{Name: name, HeaderMatchSpecifier: &routev3.HeaderMatcher_PresentMatch{PresentMatch: true}}})
		if err == nil {
			own.headers = append(slices.Clone(own.headers), m)
		}
	}
	removeAll(h, retryHeaders)
	if own.on == 0 {
		return nil
	}
	return &own
}

// answered tells whether a response is to be tried again (Envoy:
// RetryStateImpl::wouldRetryFromHeaders).
func (p *retryPolicy) answered(status int, h http.Header) bool {
	if len(h["X-Envoy-Ratelimited"]) > 0 {
		return p.on&onRateLimited != 0
	}
	switch {
	case p.on&on5xx != 0 && status >= 500 && status < 600,
		p.on&onGatewayError != 0 && status >= 502 && status <= 504,
		p.on&onRetriable4xx != 0 && status == http.StatusConflict,
		p.on&onStatusCodes != 0 && slices.Contains(p.codes, uint32(status)):
		return true
	}
	if p.on&onHeaders != 0 && slices.ContainsFunc(p.headers, func(m *headerMatch) bool { return m.response(status, h) }) {
		return true
	}
	const grpc = onCancelled | onDeadlineExceeded | onInternal | onResourceExhausted | onUnavailable
	if p.on&grpc == 0 {
		return false
	}
	switch grpcStatusOf(h) {
	case 1:
		return p.on&onCancelled != 0
	case 4:
		return p.on&onDeadlineExceeded != 0
	case 8:
		return p.on&onResourceExhausted != 0
	case 13:
		return p.on&onInternal != 0
	case 14:
		return p.on&onUnavailable != 0
	}
	return false
}

// failed tells whether a try without a response is to be made again (Envoy:
// RetryStateImpl::wouldRetryFromReset).
func (p *retryPolicy) failed(err error) bool {
	connect := errors.Is(err, upstream.ErrConnect)
	switch {
	case errors.Is(err, upstream.ErrOverflow), errors.Is(err, upstream.ErrTLS):
		return false
	case p.on&(onReset|on5xx|onGatewayError) != 0:
		return true
	case p.on&onResetBeforeRequest != 0 && connect:
		return true
	case p.on&onRefusedStream != 0 && errors.Is(err, upstream.ErrRefusedStream):
		return true
	}
	return p.on&onConnectFailure != 0 && connect
}

// wait is the pause before a retry, counted from 0: random, below a limit that
// doubles each time, or what a rate limited response asks for.
func (x *exchange) wait(p *retryPolicy, n int, h http.Header) time.Duration {
	for _, r := range p.resets {
		v, err := strconv.ParseInt(strings.TrimSpace(first(h, r.name)), 10, 64)
		if err != nil {
			continue
		}
		d := time.Duration(v) * time.Second
		if r.unix {
			d = time.Unix(v, 0).Sub(x.r.o.Now())
		}
		if d > 0 && d <= p.resetLongest {
			return d + time.Duration(x.r.o.Random()%uint64(d/2+1)) // Envoy adds up to half as jitter
		}
	}
	limit := p.base
	for range n {
		if limit = 2 * limit; limit >= p.longest {
			limit = p.longest
			break
		}
	}
	return time.Duration(x.r.o.Random() % uint64(max(limit, 1)))
}

// pause waits before a retry; false means that the request is over.
func (x *exchange) pause(d time.Duration) bool {
	if d <= 0 {
		return x.ctx.Err() == nil
	}
	return sleep(x.ctx, d)
}

func isTimeout(ctx context.Context) (*timeout, bool) {
	t, ok := context.Cause(ctx).(*timeout) //nolint:errorlint // causes are not wrapped
	return t, ok
}
