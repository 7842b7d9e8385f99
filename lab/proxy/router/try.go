package router

import (
	"context"
	"errors"
	"io"
	"maps"
	"net/http"
	"time"

	"github.com/meshstorm/meshstorm/lab/proxy/upstream"
)

// try sends the request to a host once.
func (f *forwarded) try(host *upstream.Host) (*http.Response, error) {
	x := f.x
	x.rec.Attempts++
	x.host = host
	f.tried = append(f.tried, host)
	if f.retries > 0 {
		// A try that was given up may still be reading its headers.
		x.in = maps.Clone(x.in)
		if x.plan.countRequest {
			x.in["X-Envoy-Attempt-Count"] = []string{itoa(x.rec.Attempts)}
		}
		if f.last != nil && x.plan.timeoutRetry {
			x.in["X-Envoy-Is-Timeout-Retry"] = trueValue
		}
	}
	f.last = nil
	x.rec.UpstreamHost, x.rec.UpstreamPath = host.Address(), x.path
	ctx, t := f.tryContext()
	ex := &upstream.Exchange{HighPriority: x.plan.high}
	started := x.now()
	x.sent = started
	if x.upload != nil {
		// Envoy counts the service time from the end of the request.
		x.upload.onEnd(func() { x.setSent() })
	}
	resp, err := f.cluster.Do(upstream.WithExchange(ctx, ex), host, x.outgoing(host))
	x.rec.UpstreamLocal = ex.Local
	t.stop()
	if err == nil {
		now := x.now()
		x.rec.FirstByte = now.Sub(x.rec.Start)
		x.rec.UpstreamTime = now.Sub(x.sentAt())
		status := resp.StatusCode
		if x.rec.GRPC {
			if n := grpcStatusOf(resp.Header); n > 0 {
				status = statusOfGRPC(n)
			}
		}
		host.Result(status, nil)
		if t != nil {
			resp.Body = t.hold(resp.Body)
		}
		return resp, nil
	}
	f.judge(host, ctx, err)
	if t != nil {
		t.cancel(nil)
	}
	if f.last != nil {
		return nil, &upstream.Error{Kind: upstream.ErrReset, Err: f.last}
	}
	return nil, err
}

// judge tells outlier detection how a try failed, and keeps its timeout.
func (f *forwarded) judge(host *upstream.Host, ctx context.Context, err error) {
	if why, ok := isTimeout(ctx); ok && f.x.req.Context().Err() == nil {
		host.Result(http.StatusGatewayTimeout, context.DeadlineExceeded)
		if why == perTryTimeout || why == perTryIdle {
			f.last = why
		}
		return
	}
	if !errors.Is(err, context.Canceled) && (f.x.upload == nil || f.x.upload.failed() == nil) {
		host.Result(0, err)
	}
}

func (x *exchange) setSent() { x.sentNano.Store(x.now().UnixNano()) }

// sentAt is when the whole request had been sent, as far as one can tell.
func (x *exchange) sentAt() time.Time {
	if n := x.sentNano.Load(); n > 0 {
		if at := time.Unix(0, n); at.After(x.sent) {
			return at
		}
	}
	return x.sent
}

// tryTimers are the timers of one try.
type tryTimers struct {
	ctx    context.Context
	cancel context.CancelCauseFunc
	whole  *time.Timer
	idle   *time.Timer
	idleIn time.Duration
}

// tryContext gives a try its context; the timers are nil where it has none.
func (f *forwarded) tryContext() (context.Context, *tryTimers) {
	x, l := f.x, f.limits
	if l.perTry <= 0 && l.perTryIdle <= 0 {
		return x.ctx, nil
	}
	ctx, cancel := context.WithCancelCause(x.ctx)
	t := &tryTimers{ctx: ctx, cancel: cancel, idleIn: l.perTryIdle}
	if l.perTry > 0 {
		start := func() { t.whole = x.timers.after(l.perTry, func() { cancel(perTryTimeout) }) }
		if x.upload == nil || x.upload.complete() {
			start()
		} else {
			x.upload.onEnd(func() {
				if ctx.Err() == nil {
					x.timers.after(l.perTry, func() {
						if !x.answering.Load() {
							cancel(perTryTimeout)
						}
					})
				}
			})
		}
	}
	if l.perTryIdle > 0 {
		t.idle = x.timers.after(l.perTryIdle, func() { cancel(perTryIdle) })
	}
	return ctx, t
}

// stop ends the timer of the response's head.
func (t *tryTimers) stop() {
	if t != nil && t.whole != nil {
		t.whole.Stop()
	}
}

// hold ends the try's context with its body.
func (t *tryTimers) hold(body io.ReadCloser) io.ReadCloser {
	if rw, ok := body.(io.ReadWriteCloser); ok {
		if t.idle != nil {
			t.idle.Stop()
		}
		return &heldUpgrade{rw, t}
	}
	return &heldBody{body, t}
}

type heldBody struct {
	io.ReadCloser
	t *tryTimers
}

func (b *heldBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if why, ok := isTimeout(b.t.ctx); ok && err != nil && !errors.Is(err, io.EOF) {
		err = why
	}
	if b.t.idle != nil {
		if err != nil {
			b.t.idle.Stop()
		} else {
			b.t.idle.Reset(b.t.idleIn)
		}
	}
	return n, err
}

func (b *heldBody) Close() error {
	if b.t.idle != nil {
		b.t.idle.Stop()
	}
	err := b.ReadCloser.Close()
	b.t.cancel(nil)
	return err
}

type heldUpgrade struct {
	io.ReadWriteCloser
	t *tryTimers
}

func (b *heldUpgrade) Close() error {
	err := b.ReadWriteCloser.Close()
	b.t.cancel(nil)
	return err
}
