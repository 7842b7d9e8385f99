package router

import (
	"context"
	"strconv"
	"sync"
	"time"

	"github.com/meshstorm/meshstorm/lab/proxy/flow"
)

// timeout is a reason to end a request, and how it is answered.
type timeout struct {
	flag, body, details string
	// late is the status once the whole request has come, early before
	// (Envoy: Http::Utility::maybeRequestTimeoutCode).
	late, early int
}

func (t *timeout) Error() string { return t.details }

var (
	routeTimeout    = &timeout{flow.UpstreamTimeout, "upstream request timeout", "response_timeout", 504, 504}
	perTryTimeout   = &timeout{flow.UpstreamTimeout, "upstream request timeout", "upstream_per_try_timeout", 504, 504}
	perTryIdle      = &timeout{flow.UpstreamTimeout, "upstream request timeout", "upstream_per_try_idle_timeout", 504, 504}
	idleTimeout     = &timeout{flow.StreamIdleTimeout, "stream timeout", "stream_idle_timeout", 504, 408}
	durationTimeout = &timeout{flow.DurationTimeout, "downstream duration timeout", "max_duration_timeout", 504, 408}
	requestTimeout  = &timeout{"", "request timeout", "request_overall_timeout", 408, 408}
)

// timers are those of one request.
type timers struct {
	mu      sync.Mutex
	all     []*time.Timer
	idle    *time.Timer
	idleFor time.Duration
	stopped bool
}

func (t *timers) after(d time.Duration, f func()) *time.Timer {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.stopped {
		return nil
	}
	timer := time.AfterFunc(d, f)
	t.all = append(t.all, timer)
	return timer
}

func (t *timers) stop() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.stopped = true
	for _, timer := range t.all {
		timer.Stop()
	}
}

// active says that bytes flow, so that the stream is not idle.
func (t *timers) active() {
	if t.idle != nil {
		t.idle.Reset(t.idleFor)
	}
}

// cancellable makes the request's context one that timers can end.
func (x *exchange) cancellable() {
	if x.cancel == nil {
		x.ctx, x.cancel = context.WithCancelCause(x.ctx)
	}
}

func (x *exchange) endAfter(d time.Duration, why *timeout) *time.Timer {
	x.cancellable()
	cancel := x.cancel
	return x.timers.after(d, func() { cancel(why) })
}

// watchStream starts the timers of the stream as a whole: idle, longest
// duration, and the time that the request may take to come.
func (x *exchange) watchStream() {
	m, p := x.r.m, x.plan
	idle, longest := m.idle, m.maxStream
	if p != nil {
		if p.idle != nil {
			idle = *p.idle
		}
		longest = p.longest(longest, first(x.in, "Grpc-Timeout"))
	}
	if idle > 0 && x.upgrade == "" {
		x.timers.idleFor = idle
		x.timers.idle = x.endAfter(idle, idleTimeout)
	}
	if longest > 0 {
		x.endAfter(longest, durationTimeout)
	}
	if m.requestTimeout > 0 && x.upload != nil {
		t := x.endAfter(m.requestTimeout, requestTimeout)
		x.upload.onEnd(func() { t.Stop() })
	}
}

// longest follows RouteAction.MaxStreamDuration; manager is that of the
// connection manager.
func (p *plan) longest(manager time.Duration, grpcTimeout string) time.Duration {
	asked, ok := parseGRPCTimeout(grpcTimeout)
	if !ok || p.streamMax == nil {
		if p.maxStream != nil {
			return *p.maxStream
		}
		return manager
	}
	if *p.streamMax > 0 && asked > *p.streamMax {
		asked = *p.streamMax
	}
	if p.streamOffset > 0 && p.streamOffset < asked {
		asked -= p.streamOffset
	}
	return asked
}

// parseGRPCTimeout reads a grpc-timeout header: up to eight digits and a unit
// (https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md).
func parseGRPCTimeout(text string) (time.Duration, bool) {
	if len(text) < 2 || len(text) > 9 {
		return 0, false
	}
	n, err := strconv.ParseUint(text[:len(text)-1], 10, 32)
	if err != nil {
		return 0, false
	}
	unit := time.Duration(0)
	switch text[len(text)-1] {
	case 'H':
		unit = time.Hour
	case 'M':
		unit = time.Minute
	case 'S':
		unit = time.Second
	case 'm':
		unit = time.Millisecond
	case 'u':
		unit = time.Microsecond
	case 'n':
		unit = time.Nanosecond
	default:
		return 0, false
	}
	return time.Duration(n) * unit, true
}

// limits are the timeouts of one request's forwarding; 0 is none.
type limits struct {
	whole, perTry, perTryIdle time.Duration
	altResponse               bool // a timeout is answered with 204
}

// limits works out the timeouts (docs: "Router", x-envoy-upstream-rq-timeout-ms
// and its relatives).
func (x *exchange) limits(retry *retryPolicy) limits {
	p, h := x.plan, x.in
	l := limits{whole: p.timeout}
	if retry != nil {
		l.perTry, l.perTryIdle = retry.perTry, retry.perTryIdle
	}
	if x.rec.GRPC && p.grpcMax != nil {
		asked, _ := parseGRPCTimeout(first(h, "Grpc-Timeout"))
		if p.grpcOffset > 0 && p.grpcOffset < asked {
			asked -= p.grpcOffset
		}
		if *p.grpcMax > 0 && (asked == 0 || asked > *p.grpcMax) {
			asked = *p.grpcMax
		}
		l.whole = asked
	}
	if n, ok := number(x, "X-Envoy-Upstream-Rq-Timeout-Ms"); ok {
		l.whole = time.Duration(n) * time.Millisecond
	}
	if n, ok := number(x, "X-Envoy-Upstream-Rq-Per-Try-Timeout-Ms"); ok {
		l.perTry = time.Duration(n) * time.Millisecond
	}
	if x.expected {
		if n, ok := number(x, "X-Envoy-Expected-Rq-Timeout-Ms"); ok {
			l.whole = time.Duration(n) * time.Millisecond
		}
	}
	if l.perTry >= l.whole && l.whole != 0 {
		l.perTry = 0
	}
	l.altResponse = len(h["X-Envoy-Upstream-Rq-Timeout-Alt-Response"]) > 0
	removeAll(h, timeoutHeaders)
	expected := l.whole
	if l.perTry > 0 {
		expected = l.perTry
	}
	if expected > 0 && !x.suppress {
		h["X-Envoy-Expected-Rq-Timeout-Ms"] = []string{strconv.FormatInt(expected.Milliseconds(), 10)}
	}
	return l
}

var timeoutHeaders = []string{
	"X-Envoy-Upstream-Rq-Timeout-Ms", "X-Envoy-Upstream-Rq-Per-Try-Timeout-Ms", "X-Envoy-Upstream-Rq-Timeout-Alt-Response",
	"X-Envoy-Hedge-On-Per-Try-Timeout",
}

// ended answers a request whose context has ended.
func (x *exchange) ended() {
	if x.gone() {
		return
	}
	why, ok := context.Cause(x.ctx).(*timeout) //nolint:errorlint // causes are not wrapped
	if !ok {
		why = routeTimeout
	}
	x.timedOut(why)
}

func (x *exchange) timedOut(why *timeout) {
	if why.flag != "" {
		x.rec.Flags.Add(why.flag)
	}
	status := why.late
	if x.upload != nil && !x.upload.complete() {
		status = why.early
	}
	body := why.body
	if x.altResponse && why.flag == flow.UpstreamTimeout {
		status, body = 204, ""
	}
	x.reply(reply{status: status, body: body, details: why.details})
}
