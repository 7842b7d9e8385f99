package server

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"runtime/debug"
	"strings"
	"sync"
	"time"
)

// http1 serves the requests of one HTTP/1 connection, one after the other. The
// standard library's server would do too, but it starts a goroutine per request
// to notice clients that leave; this one starts it only for requests that take
// a while, and keeps what it needs per connection.
type http1 struct {
	m    *manager
	conn net.Conn
	c    *connection
	br   *bufio.Reader
	bw   *bufio.Writer
	ctx  context.Context
	head []byte
	w    response

	broken bool // the connection's framing is lost

	mu     sync.Mutex // of what follows
	wmu    sync.Mutex // 100-continue against the response
	watch  *time.Timer
	cancel context.CancelFunc
	state  watchState
	idle   chan struct{} // closed when the watcher is done
}

type watchState int

const (
	unwatched  watchState = iota
	bodyFlows             // the body is being read; a lost client shows there
	watchable             // nothing to read but the next request
	watching              // the watcher reads
	watchEnded            // the request is over
)

// watchAfter is how long a request may take before its client is watched.
const watchAfter = 20 * time.Millisecond

var (
	readers = sync.Pool{New: func() any { return bufio.NewReaderSize(nil, 8<<10) }}
	writers = sync.Pool{New: func() any { return bufio.NewWriterSize(nil, 8<<10) }}
)

var emptyRequest = &http.Request{}

// serveHTTP1 serves a connection until it ends.
func (m *manager) serveHTTP1(ctx context.Context, conn net.Conn, c *connection) {
	h := &http1{m: m, conn: conn, c: c, ctx: ctx}
	h.br, h.bw = readers.Get().(*bufio.Reader), writers.Get().(*bufio.Writer)
	h.br.Reset(conn)
	h.bw.Reset(conn)
	h.watch = time.AfterFunc(time.Hour, h.startWatch)
	h.watch.Stop()
	hijacked := false
	defer func() {
		if hijacked {
			return
		}
		h.br.Reset(nil)
		h.bw.Reset(nil)
		readers.Put(h.br)
		writers.Put(h.bw)
	}()
	for count := uint32(1); ; count++ {
		again, taken := h.serveOne(count)
		if taken {
			hijacked = true
			return
		}
		if !again {
			return
		}
	}
}

// serveOne serves a request. again tells whether the next may come; taken, that
// the handler owns the connection now.
func (h *http1) serveOne(count uint32) (again, taken bool) {
	head, err := h.awaitHead()
	if err != nil {
		h.refuse(err, nil)
		return false, false
	}
	h.m.busy.Add(1)
	defer h.m.busy.Add(-1)
	ctx, cancel := context.WithCancel(h.ctx)
	defer cancel()
	req := emptyRequest.WithContext(ctx)
	if err := parseHead(head, h.m.limits, req); err != nil {
		h.refuse(err, req)
		return false, false
	}
	b, err := h.bodyOf(req)
	if err != nil {
		h.refuse(err, req)
		return false, false
	}
	req.RemoteAddr, req.TLS = h.m.remoteText(h.c), h.c.down.TLS
	h.w = response{h: h, req: req, header: make(http.Header, 12)}
	h.w.closing = req.ProtoMinor == 0 && !hasToken(req.Header["Connection"], "keep-alive") ||
		hasToken(req.Header["Connection"], "close") || h.m.lastRequest(h.c, count)
	h.beginWatch(cancel, b)
	ok := h.handle(&h.w, req)
	h.endWatch()
	if h.w.hijacked {
		return false, true
	}
	if !ok {
		resetOnClose(h.c.Conn)
		_ = h.conn.Close()
		return false, false
	}
	return h.finish(&h.w, b), false
}

// awaitHead waits for a request, at most the idle timeout, and reads its head.
func (h *http1) awaitHead() ([]byte, error) {
	if h.br.Buffered() == 0 {
		if h.m.idle > 0 {
			_ = h.conn.SetReadDeadline(time.Now().Add(h.m.idle))
		}
		if _, err := h.br.Peek(1); err != nil {
			return nil, io.EOF
		}
	}
	if h.m.headTimeout > 0 {
		_ = h.conn.SetReadDeadline(time.Now().Add(h.m.headTimeout))
	}
	head, err := readHead(h.br, h.head[:0], h.m.limits.bytes)
	if h.m.idle > 0 || h.m.headTimeout > 0 {
		_ = h.conn.SetReadDeadline(time.Time{})
	}
	if cap(head) <= 16<<10 {
		h.head = head
	}
	var timeout net.Error
	if errors.As(err, &timeout) && timeout.Timeout() {
		err = &badRequest{http.StatusRequestTimeout, "request_header_timeout"}
	}
	return head, err
}

func (h *http1) bodyOf(req *http.Request) (*body, error) {
	length, chunked, err := framing(req, h.m.limits)
	if err != nil {
		return nil, err
	}
	req.ContentLength = length
	if length == 0 && !chunked {
		req.Body = http.NoBody
		return nil, nil
	}
	if chunked {
		req.TransferEncoding = []string{"chunked"}
		length = 0
	}
	b := &body{h: h, req: req, left: length, chunked: chunked, first: true}
	b.expect = req.ProtoMinor > 0 && strings.EqualFold(req.Header.Get("Expect"), "100-continue")
	req.Body = b
	return b, nil
}

// handle calls the router. It gives false where the answer was broken off.
func (h *http1) handle(w *response, req *http.Request) (ok bool) {
	defer func() {
		r := recover()
		if r == nil {
			return
		}
		ok = false
		if r != http.ErrAbortHandler { //nolint:errorlint // as net/http compares it
			h.m.log.Error("a request failed", "listener", h.c.down.Listener, "panic", r, "stack", string(debug.Stack()))
		}
	}()
	h.m.handler.ServeHTTP(w, req)
	return true
}

// finish ends the response and tells whether the connection can go on.
func (h *http1) finish(w *response, b *body) bool {
	if err := w.finish(); err != nil {
		_ = h.conn.Close()
		return false
	}
	if b != nil && !b.done {
		if !h.skip(b) {
			w.closing = true
		}
		if w.closing || h.broken {
			lingeringClose(h.conn, time.Second)
			return false
		}
	}
	if w.closing || h.broken {
		_ = h.conn.Close()
		return false
	}
	return true
}

// skip reads what is left of a body that nobody wanted, unless it is long or
// the client waits for permission to send it.
func (h *http1) skip(b *body) bool {
	if b.expect || b.err != nil || h.w.closing || !b.chunked && b.left > 256<<10 {
		return false
	}
	_ = h.conn.SetReadDeadline(time.Now().Add(500 * time.Millisecond))
	var sink [4 << 10]byte
	for n := 0; n < 256<<10; {
		m, err := b.readBody(sink[:])
		n += m
		if errors.Is(err, io.EOF) {
			_ = h.conn.SetReadDeadline(time.Time{})
			return true
		}
		if err != nil {
			return false
		}
	}
	return false
}

// refuse answers what is no request, and closes.
func (h *http1) refuse(err error, req *http.Request) {
	bad := (*badRequest)(nil)
	if !errors.As(err, &bad) {
		_ = h.conn.Close()
		return
	}
	text := http.StatusText(bad.Status)
	server := ""
	if h.m.serverName != "" {
		server = "server: " + h.m.serverName + "\r\n"
	}
	_, _ = h.bw.WriteString("HTTP/1.1 " + itoa(bad.Status) + " " + text + "\r\ncontent-length: " + itoa(len(text)) +
		"\r\ncontent-type: text/plain\r\ndate: " + httpDate() + "\r\n" + server + "connection: close\r\n\r\n" + text)
	_ = h.bw.Flush()
	h.m.logRefusal(h.c, req, bad, len(text))
	lingeringClose(h.conn, time.Second)
}

func (h *http1) writeContinue() {
	h.wmu.Lock()
	defer h.wmu.Unlock()
	if !h.w.sent {
		_, _ = h.bw.WriteString("HTTP/1.1 100 Continue\r\n\r\n")
		_ = h.bw.Flush()
	}
}

func hasToken(values []string, token string) bool {
	for _, v := range values {
		for part := range strings.SplitSeq(v, ",") {
			if strings.EqualFold(strings.TrimSpace(part), token) {
				return true
			}
		}
	}
	return false
}
