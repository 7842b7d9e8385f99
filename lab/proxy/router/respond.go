package router

import (
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/meshstorm/meshstorm/lab/proxy/flow"
	"github.com/meshstorm/meshstorm/lab/proxy/upstream"
)

// respond gives the upstream's response to the client. True means that it was an
// internal redirect, and that the request goes on.
func (x *exchange) respond(resp *http.Response) (again bool) {
	if resp.StatusCode == http.StatusSwitchingProtocols {
		x.switchProtocols(resp)
		return false
	}
	defer func() { _ = resp.Body.Close() }()
	if x.plan.follow != nil && x.follow(resp) {
		return true
	}
	x.answering.Store(true)
	x.rec.Details = "via_upstream"
	x.responseHeaders(resp)
	if !x.startBody(resp) {
		x.copyBody(resp)
	}
	return false
}

// responseHeaders puts the upstream's headers into the answer.
func (x *exchange) responseHeaders(resp *http.Response) {
	h := x.w.Header()
	for name, values := range resp.Header {
		switch name {
		case "Connection", "Keep-Alive", "Proxy-Connection", "Transfer-Encoding", "Upgrade":
		default:
			h[name] = values
		}
	}
	if x.req.Method != http.MethodHead && resp.ContentLength < 0 {
		delete(h, "Content-Length")
	}
	if !x.suppress {
		h["X-Envoy-Upstream-Service-Time"] = []string{strconv.FormatInt(x.rec.UpstreamTime.Milliseconds(), 10)}
	}
	x.routeResponse(h)
	if len(x.setCookie) > 0 {
		h["Set-Cookie"] = append(h["Set-Cookie"][:len(h["Set-Cookie"]):len(h["Set-Cookie"])], x.setCookie...)
	}
}

// startBody writes the head; true means that no body follows.
func (x *exchange) startBody(resp *http.Response) bool {
	x.head(resp.StatusCode)
	x.timers.active()
	if resp.Body == http.NoBody && len(resp.Trailer) == 0 || x.req.Method == http.MethodHead {
		_, _ = io.Copy(io.Discard, resp.Body) // its end gives the connection back
		x.trailers(resp)
		return true
	}
	return false
}

var buffers = sync.Pool{New: func() any { b := make([]byte, 16<<10); return &b }}

// copyBody copies the body as it comes. Where more may follow soon, what is there
// is sent a moment later, so that a short response is one write; streams are
// sent at once.
func (x *exchange) copyBody(resp *http.Response) {
	buffer := buffers.Get().(*[]byte) //nolint:forcetypeassert // nothing else is in there
	defer buffers.Put(buffer)
	out := newSender(x, resp)
	defer out.stop()
	for {
		n, err := resp.Body.Read(*buffer)
		if n > 0 {
			x.timers.active()
			x.rec.UpstreamBytesRead += int64(n)
			if x.rec.GRPC && x.r.counts {
				x.messages[1].add((*buffer)[:n])
			}
			last := err != nil || resp.ContentLength >= 0 && x.rec.UpstreamBytesRead >= resp.ContentLength
			if !x.write((*buffer)[:n], out, last) {
				return
			}
		}
		switch {
		case err == io.EOF:
			out.stop()
			x.trailers(resp)
			return
		case err != nil:
			out.stop()
			out.flush() // the client gets what came
			x.broken(err)
			return
		}
	}
}

// write writes to the client, within a fault's response rate limit.
func (x *exchange) write(p []byte, out *sender, last bool) bool {
	for len(p) > 0 {
		part := p
		if x.limit > 0 {
			part = p[:min(uint64(len(p)), max(x.limit/16, 1))]
		}
		p = p[len(part):]
		n, err := out.send(part, last && len(p) == 0)
		x.rec.BytesSent += int64(n)
		if err != nil {
			if !x.gone() {
				x.rec.Flags.Add(flow.DownstreamTermination)
				x.rec.Details = "downstream_remote_disconnect"
				x.aborted = true
			}
			return false
		}
		if x.limit > 0 && !sleep(x.ctx, time.Duration(uint64(time.Second)*uint64(len(part))/x.limit)) {
			x.ended()
			return false
		}
	}
	return true
}

// broken ends a response whose upstream went away in the middle.
func (x *exchange) broken(err error) {
	if x.ctx.Err() != nil {
		x.ended()
		return
	}
	reason := upstream.ResetReason(err)
	if t, ok := isTimeoutError(err); ok {
		x.timedOut(t)
		return
	}
	if reason == "" {
		reason = "connection termination"
	}
	x.rec.Flags.Add(flagOf(err))
	x.rec.FailureReason = upstream.TransportFailure(err)
	x.rec.Details = "upstream_reset_after_response_started{" + strings.ReplaceAll(reason, " ", "_") + "}"
	x.aborted = true
}

// trailers passes the upstream's trailers on: over HTTP/2 always, over HTTP/1.1
// where the manager has enable_trailers (Http1ProtocolOptions).
func (x *exchange) trailers(resp *http.Response) {
	if len(resp.Trailer) == 0 {
		return
	}
	x.rec.ResponseTrailers = resp.Trailer
	if x.req.ProtoMajor == 1 && !x.r.m.trailers {
		return
	}
	if f, ok := x.w.(http.Flusher); ok {
		f.Flush() // a short response would get a length and lose its trailers
	}
	h := x.w.Header()
	for name, values := range resp.Trailer {
		h[http.TrailerPrefix+name] = values
	}
}

func isTimeoutError(err error) (*timeout, bool) {
	t, ok := err.(*timeout) //nolint:errorlint // causes are not wrapped
	return t, ok
}
