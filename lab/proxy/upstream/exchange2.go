package upstream

import (
	"context"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/net/http/httpguts"
	"golang.org/x/net/http2"
)

// do2 is Do over HTTP/2: by prior knowledge without TLS, by ALPN with it.
func (c *Cluster) do2(ctx context.Context, h *Host, req *http.Request, high bool, ex *Exchange) (*http.Response, error) {
	p := h.pool2(high, c.settings.serverName(req))
	for tries := 0; ; tries++ {
		k, err := p.acquire(ctx)
		if err != nil {
			closeBody(req)
			return nil, err
		}
		if !p.breaker.requests.acquire() {
			k.release()
			closeBody(req)
			return nil, &Error{Kind: ErrOverflow}
		}
		h.active.Add(1)
		if ex != nil {
			ex.Local = k.local
		}
		body := &body2{connection: k, ctx: ctx, begun: p.breaker.begun()}
		resp, err := k.client.RoundTrip(request2(ctx, req, h.scheme()))
		if err == nil {
			body.ReadCloser = resp.Body
			resp.Body = body
			return resp, nil
		}
		body.end()
		// x/net has no exported name for a connection that closed between the
		// choice and the request; it says so before it touches the body.
		if strings.HasSuffix(err.Error(), "client conn not usable") && tries < 3 && ctx.Err() == nil && (req.Body == nil || req.Body == http.NoBody) {
			continue
		}
		return nil, failure2(ctx, err)
	}
}

func (h *Host) scheme() string {
	if h.about.Load().socket.isTLS() {
		return "https"
	}
	return "http"
}

// request2 is the request as x/net's HTTP/2 wants it, without what belongs to
// one hop (RFC 9113, section 8.2.2) and without the user agent that x/net would
// add.
func request2(ctx context.Context, req *http.Request, scheme string) *http.Request {
	out := req.WithContext(ctx)
	out.URL = &url.URL{}
	*out.URL = *req.URL
	if out.URL.Scheme == "" {
		out.URL.Scheme = scheme
	}
	if out.URL.Host == "" {
		out.URL.Host = req.Host
	}
	out.RequestURI = ""
	if req.Body != nil && req.Body != http.NoBody && req.ContentLength == 0 {
		out.ContentLength = -1
	}
	out.Header = maps.Clone(req.Header)
	if out.Header == nil {
		out.Header = http.Header{}
	}
	for _, name := range []string{"Connection", "Keep-Alive", "Proxy-Connection", "Transfer-Encoding", "Upgrade", "Host", "Http2-Settings"} {
		delete(out.Header, name)
	}
	if te := out.Header["Te"]; te != nil {
		if httpguts.HeaderValuesContainsToken(te, "trailers") {
			out.Header["Te"] = []string{"trailers"}
		} else {
			delete(out.Header, "Te")
		}
	}
	if _, ok := out.Header["User-Agent"]; !ok {
		out.Header["User-Agent"] = []string{""}
	}
	return out
}

// body2 ends the exchange when it was read or closed.
type body2 struct {
	io.ReadCloser
	connection *connection2
	ctx        context.Context
	begun      time.Time
	ended      atomic.Bool
}

func (b *body2) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err == nil {
		return n, nil
	}
	b.end()
	if err == io.EOF {
		return n, err
	}
	return n, failure2(b.ctx, err)
}

func (b *body2) Close() error {
	err := b.ReadCloser.Close()
	b.end()
	return err
}

func (b *body2) end() {
	if b.ended.Swap(true) {
		return
	}
	k := b.connection
	k.pool.breaker.done(b.begun)
	k.pool.host.active.Add(-1)
	k.release()
}

// failure2 is an error of x/net's HTTP/2 in this package's terms.
func failure2(ctx context.Context, err error) error {
	if ctxErr := ctx.Err(); ctxErr != nil {
		return ctxErr
	}
	var stream http2.StreamError
	var connection http2.ConnectionError
	var away http2.GoAwayError
	switch {
	case errors.As(err, &stream) && stream.Code == http2.ErrCodeRefusedStream:
		return &Error{Kind: ErrRefusedStream, Err: err}
	case errors.As(err, &stream) && stream.Cause != nil && stream.Cause.Error() != "received from peer":
		return &Error{Kind: ErrProtocol, Err: err} // x/net found it here
	case errors.As(err, &stream):
		return &Error{Kind: ErrStreamReset, Err: err}
	case errors.As(err, &connection), errors.As(err, &away) && away.ErrCode != http2.ErrCodeNo:
		return &Error{Kind: ErrProtocol, Err: err}
	case strings.Contains(err.Error(), "graceful shutdown GOAWAY"), strings.HasSuffix(err.Error(), "client conn not usable"):
		return &Error{Kind: ErrRefusedStream, Err: err} // it was not processed
	}
	return &Error{Kind: ErrReset, Err: err}
}
