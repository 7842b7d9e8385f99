package router

import (
	"errors"
	"io"
	"sync"
	"sync/atomic"

	"net/http"
)

// upload is the request's body as all tries and mirrors read it. It keeps what
// was read as long as somebody may have to read it again.
type upload struct {
	source io.Reader
	count  atomic.Int64 // bytes read from the client
	seen   *messageCounter
	touch  func()

	mu      sync.Mutex
	cond    *sync.Cond
	kept    []byte
	limit   int
	keep    bool
	over    bool // more came than is kept: nobody can begin again
	reading bool
	end     error // io.EOF after the last byte
	ended   []func()
}

// body takes the request's body, if it has one.
func (x *exchange) body() {
	req := x.req
	if req.Body == nil || req.Body == http.NoBody || req.ContentLength == 0 && len(req.TransferEncoding) == 0 && req.ProtoMajor == 1 {
		return
	}
	u := &upload{source: req.Body, over: true}
	u.cond = sync.NewCond(&u.mu)
	if x.rec.GRPC && x.r.counts {
		u.seen = &x.messages[0]
	}
	x.upload = u
	if req.ProtoMajor == 1 {
		_ = http.NewResponseController(x.w).EnableFullDuplex()
	}
}

// retain keeps up to limit bytes from now on; nothing may have been read yet.
func (u *upload) retain(limit int) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.count.Load() == 0 && !u.reading && u.end == nil {
		u.keep, u.limit, u.over = true, limit, false
	}
}

// forget says that nobody will begin again.
func (u *upload) forget() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.keep = false
}

// again tells whether the body can be read from its begin.
func (u *upload) again() bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.keep && !u.over
}

func (u *upload) complete() bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	return errors.Is(u.end, io.EOF)
}

// failed is why the body could not be read from the client; nil where it could.
func (u *upload) failed() error {
	u.mu.Lock()
	defer u.mu.Unlock()
	if errors.Is(u.end, io.EOF) {
		return nil
	}
	return u.end
}

// onEnd calls f when the whole request has come, or at once.
func (u *upload) onEnd(f func()) {
	u.mu.Lock()
	if u.end == nil {
		u.ended = append(u.ended, f)
		u.mu.Unlock()
		return
	}
	u.mu.Unlock()
	f()
}

var (
	errClosed = errors.New("the request's body is closed")
	errLarge  = errors.New("the request's body is too large to be kept")
)

// reader reads the body from its begin.
func (u *upload) reader() io.ReadCloser { return &uploadReader{u: u} }

type uploadReader struct {
	u      *upload
	at     int64
	closed bool
}

func (r *uploadReader) Read(p []byte) (int, error) {
	u := r.u
	u.mu.Lock()
	for {
		switch {
		case r.closed:
			u.mu.Unlock()
			return 0, errClosed
		case r.at < int64(len(u.kept)):
			n := copy(p, u.kept[r.at:])
			r.at += int64(n)
			u.mu.Unlock()
			return n, nil
		case r.at < u.count.Load():
			u.mu.Unlock()
			return 0, errLarge
		case u.end != nil:
			err := u.end
			u.mu.Unlock()
			return 0, err
		case !u.reading:
			return r.pull(p)
		}
		u.cond.Wait()
	}
}

// pull reads from the client, for all. It is called with the lock held.
func (r *uploadReader) pull(p []byte) (int, error) {
	u := r.u
	u.reading = true
	u.mu.Unlock()
	n, err := u.source.Read(p)
	if u.touch != nil {
		u.touch()
	}
	if u.seen != nil {
		u.seen.add(p[:n])
	}
	u.mu.Lock()
	u.reading = false
	if u.keep && !u.over {
		if len(u.kept)+n > u.limit {
			u.over = true
		} else {
			u.kept = append(u.kept, p[:n]...)
		}
	}
	r.at += int64(n)
	u.count.Add(int64(n))
	var ended []func()
	if err != nil {
		u.end = err
		if err == io.EOF {
			ended, u.ended = u.ended, nil
		}
	}
	closed := r.closed
	u.cond.Broadcast()
	u.mu.Unlock()
	for _, f := range ended {
		f()
	}
	if closed {
		return 0, errClosed
	}
	return n, err
}

// Close ends this reader; the body itself belongs to the server.
func (r *uploadReader) Close() error {
	u := r.u
	u.mu.Lock()
	defer u.mu.Unlock()
	r.closed = true
	u.cond.Broadcast()
	return nil
}

// messageCounter counts the messages of a gRPC stream by their prefixes: a byte
// of flags and four of length.
type messageCounter struct {
	n     atomic.Uint64
	head  [5]byte
	have  int
	inner uint64 // bytes left of the current message
}

func (c *messageCounter) add(p []byte) {
	for len(p) > 0 {
		if c.inner > 0 {
			skip := min(c.inner, uint64(len(p)))
			c.inner -= skip
			p = p[skip:]
			continue
		}
		k := copy(c.head[c.have:], p)
		c.have += k
		p = p[k:]
		if c.have == len(c.head) {
			c.have = 0
			c.n.Add(1)
			c.inner = uint64(c.head[1])<<24 | uint64(c.head[2])<<16 | uint64(c.head[3])<<8 | uint64(c.head[4])
		}
	}
}
