package upstream

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// Do makes one exchange with a host, without retries: HTTP/1.1 or HTTP/2, as the
// cluster's protocol options say, or as req.ProtoMajor says where they are
// use_downstream_protocol_config. The errors wrap those of this package, or are
// the context's, or req.Body's; ctx bounds the response's body, too. req.Body is
// closed, perhaps after Do has
// returned. The response's body must be closed; reading it fails with ErrReset
// where the upstream goes away in between. A response with status 101 has a body
// that is an io.ReadWriteCloser.
//
// Hop-by-hop headers of req are not sent (RFC 9110, section 7.6.1), those of an
// upgrade are. The target is req.URL's, the authority req.Host.
func (c *Cluster) Do(ctx context.Context, h *Host, req *http.Request) (*http.Response, error) {
	ex := exchangeOf(ctx)
	high := ex != nil && ex.HighPriority
	if c.settings.wants2(req) && req.Header.Get("Upgrade") == "" {
		return c.do2(ctx, h, req, high, ex)
	}
	resp, err := c.do1(ctx, h, req, high, ex)
	if err != nil {
		return nil, err
	}
	return resp, nil
}

func (c *Cluster) do1(ctx context.Context, h *Host, req *http.Request, high bool, ex *Exchange) (*http.Response, error) {
	p := h.pool1(high, c.settings.serverName(req))
	for {
		k, err := p.acquire(ctx)
		if err != nil {
			closeBody(req)
			return nil, err
		}
		if !p.breaker.requests.acquire() {
			p.release(k, true)
			closeBody(req)
			return nil, &Error{Kind: ErrOverflow}
		}
		h.active.Add(1)
		if ex != nil {
			ex.Local = k.local
		}
		e := &exchange{conn: k, ctx: ctx, req: req, begun: p.breaker.begun()}
		resp, unsent, err := e.run()
		if !unsent {
			return resp, err
		}
		// The upstream had closed the connection before a byte went out: take
		// another one. There are only so many, and a new one is not that old.
	}
}

func closeBody(req *http.Request) {
	if req.Body != nil {
		_ = req.Body.Close()
	}
}

// exchange is one request on one HTTP/1.1 connection. It has two parts, the
// request's body and the response; the connection goes back when both are over.
type exchange struct {
	conn  *connection
	ctx   context.Context
	req   *http.Request
	begun time.Time
	stop  func() bool // of the context's cancellation; nil where it has none

	parts   atomic.Int32
	broken  atomic.Bool // the connection may not be used again
	ended   atomic.Bool // the response is over
	bodyErr atomic.Pointer[error]
	goAhead chan struct{} // closed when a body that waits for 100 (Continue) may go
	once    sync.Once
}

var longAgo = time.Unix(1, 0)

// run sends the request and reads the response's headers. unsent tells that
// nothing was sent and req is as it was.
func (e *exchange) run() (resp *http.Response, unsent bool, err error) {
	k, before := e.conn, e.conn.sent
	e.parts.Store(1)
	if err := e.ctx.Err(); err != nil {
		e.end(true)
		closeBody(e.req)
		return nil, false, err
	}
	if e.ctx.Done() != nil {
		e.stop = context.AfterFunc(e.ctx, func() { _ = k.conn.SetDeadline(longAgo) })
	}
	body, length, err := bodyOf(e.req)
	if err == nil {
		err = k.writeHead(e.req, length)
	}
	if err == nil {
		err = k.writer.Flush()
	}
	if err != nil {
		e.end(false)
		if e.ctx.Err() == nil && k.sent == before && k.served > 0 && isReset(err) && (body == nil || e.req.ContentLength != 0) {
			return nil, true, nil
		}
		closeBody(e.req)
		return nil, false, e.failure(err)
	}
	k.served++
	if body != nil {
		e.parts.Add(1)
		if e.req.Header.Get("Expect") != "" {
			e.goAhead = make(chan struct{})
		}
		go e.send(body, length)
	} else {
		closeBody(e.req)
	}
	resp, err = e.receive()
	if err != nil {
		e.end(false)
		return nil, false, e.failure(err)
	}
	return resp, false, nil
}

// bodyOf is the body to send; nil where there is none. A length of 0 with a body
// means "unknown" in a request made here and "none" in one that a server read:
// the body itself is asked.
func bodyOf(req *http.Request) (io.Reader, int64, error) {
	if req.Body == nil || req.Body == http.NoBody {
		return nil, 0, nil
	}
	if req.ContentLength != 0 {
		return req.Body, req.ContentLength, nil
	}
	var first [1]byte
	n, err := io.ReadFull(req.Body, first[:])
	switch {
	case n == 1:
		return io.MultiReader(&oneByte{first[0], false}, req.Body), -1, nil
	case err == io.EOF:
		return nil, 0, nil
	}
	return req.Body, 0, &bodyError{err}
}

type oneByte struct {
	b    byte
	read bool
}

func (o *oneByte) Read(p []byte) (int, error) {
	if o.read || len(p) == 0 {
		return 0, io.EOF
	}
	o.read = true
	p[0] = o.b
	return 1, nil
}

// bodyError is a request body that could not be read: the client went away.
type bodyError struct{ err error }

func (b *bodyError) Error() string { return "read the request's body: " + b.err.Error() }
func (b *bodyError) Unwrap() error { return b.err }

// send writes the request's body while the response is read: an upstream may
// answer before it has all of it.
func (e *exchange) send(body io.Reader, length int64) {
	defer e.finish()
	defer closeBody(e.req)
	if e.goAhead != nil {
		select {
		case <-e.goAhead:
		case <-e.ctx.Done():
		case <-time.After(time.Second): // RFC 9110, section 10.1.1: not for ever
		}
	}
	if e.ended.Load() || e.broken.Load() {
		e.broken.Store(true)
		return
	}
	err := e.conn.writeBody(body, length, e.req)
	if err == nil {
		return
	}
	e.broken.Store(true)
	var fromClient *bodyError
	if errors.As(err, &fromClient) {
		e.bodyErr.Store(&err)
		_ = e.conn.conn.SetDeadline(longAgo) // the upstream must not take it for whole
	}
	// An upstream that stops reading may have answered: the response decides.
}

// receive reads responses until the final one.
func (e *exchange) receive() (*http.Response, error) {
	k := e.conn
	settings := k.pool.host.cluster.settings
	k.allowed = int(settings.headersKB)<<10 + bufferSize
	for {
		resp, err := http.ReadResponse(k.reader, e.req)
		if err != nil {
			return nil, err
		}
		switch {
		case resp.StatusCode == http.StatusSwitchingProtocols:
			if e.req.Header.Get("Upgrade") == "" {
				return nil, errUnasked
			}
		case resp.StatusCode < 200:
			if err := e.informed(resp); err != nil {
				return nil, err
			}
			continue
		}
		k.allowed = -1
		limit := settings.maxHeaders
		if limit == 0 {
			limit = 100 // Envoy's max_headers_count
		}
		if len(resp.Header) > int(limit) {
			return nil, errHeadersTooLong
		}
		e.letGo()
		e.hold(resp, settings)
		return resp, nil
	}
}

var errUnasked = errors.New("the upstream switched protocols, which nobody asked for")

func (e *exchange) informed(resp *http.Response) error {
	trace := httptrace.ContextClientTrace(e.ctx)
	if resp.StatusCode == http.StatusContinue {
		e.letGo()
	}
	if trace != nil && trace.Got1xxResponse != nil {
		return trace.Got1xxResponse(resp.StatusCode, textproto.MIMEHeader(resp.Header))
	}
	return nil
}

func (e *exchange) letGo() {
	if e.goAhead != nil {
		e.once.Do(func() { close(e.goAhead) })
	}
}

// hold gives the response the body that ends the exchange.
func (e *exchange) hold(resp *http.Response, s *settings) {
	if !s.trailers {
		resp.Trailer = nil
	}
	if resp.Close || e.req.Close {
		e.broken.Store(true)
	}
	switch {
	case resp.StatusCode == http.StatusSwitchingProtocols:
		e.broken.Store(true)
		resp.Body = &switched{exchange: e}
	case resp.Body == http.NoBody:
		e.end(true)
	default:
		resp.Body = &responseBody{exchange: e, body: resp.Body, resp: resp, trailers: s.trailers}
	}
}

// end says that the response is over; well, that it was read to its end.
func (e *exchange) end(well bool) {
	if e.ended.Swap(true) {
		return
	}
	k := e.conn
	if !well {
		e.broken.Store(true)
		_ = k.conn.Close() // now, although the request may still be written
	}
	e.letGo()
	k.pool.breaker.done(e.begun)
	k.pool.host.active.Add(-1)
	e.finish()
}

// finish ends one part; the last one gives the connection back.
func (e *exchange) finish() {
	if e.parts.Add(-1) > 0 {
		return
	}
	stopped := e.stop == nil || e.stop()
	k := e.conn
	k.pool.release(k, stopped && !e.broken.Load() && k.reader.Buffered() == 0)
}

// failure is err in this package's terms.
func (e *exchange) failure(err error) error {
	if ctxErr := e.ctx.Err(); ctxErr != nil {
		return ctxErr
	}
	if body := e.bodyErr.Load(); body != nil {
		return *body
	}
	var fromClient *bodyError
	switch {
	case errors.As(err, &fromClient):
		return err
	case isReset(err):
		return &Error{Kind: ErrReset, Err: err}
	}
	return &Error{Kind: ErrProtocol, Err: err}
}

func isReset(err error) bool {
	var network net.Error
	var number syscall.Errno
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed) ||
		errors.As(err, &network) || errors.As(err, &number)
}

// responseBody ends the exchange when it was read or closed.
type responseBody struct {
	exchange *exchange
	body     io.ReadCloser
	resp     *http.Response
	trailers bool
}

func (b *responseBody) Read(p []byte) (int, error) {
	n, err := b.body.Read(p)
	switch {
	case err == nil:
		return n, nil
	case err == io.EOF:
		if !b.trailers {
			b.resp.Trailer = nil
		}
		b.exchange.end(true)
		return n, io.EOF
	case b.exchange.ended.Load():
		return n, err // read after Close
	}
	b.exchange.end(false)
	return n, b.exchange.failure(err)
}

// Close ends an exchange whose response was not read to its end; the connection
// is closed with it. It does not wait for a Read that is under way.
func (b *responseBody) Close() error {
	b.exchange.end(false)
	return nil
}

// switched is a connection that speaks another protocol now.
type switched struct{ exchange *exchange }

func (s *switched) Read(p []byte) (int, error) { return s.exchange.conn.reader.Read(p) }

func (s *switched) Write(p []byte) (int, error) { return s.exchange.conn.conn.Write(p) }

// CloseWrite ends the sending side.
func (s *switched) CloseWrite() error {
	if c, ok := s.exchange.conn.conn.(halfCloser); ok {
		return c.CloseWrite()
	}
	return errors.ErrUnsupported
}

func (s *switched) Close() error {
	s.exchange.end(false)
	return nil
}
