package network

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"time"
)

// flows are the connections that are being copied.
type flows struct {
	mu     sync.Mutex
	open   map[net.Conn]struct{}
	closed bool
	wait   sync.WaitGroup
}

func (f *flows) add(conns ...net.Conn) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return false
	}
	if f.open == nil {
		f.open = map[net.Conn]struct{}{}
	}
	for _, c := range conns {
		f.open[c] = struct{}{}
	}
	f.wait.Add(1)
	return true
}

func (f *flows) remove(conns ...net.Conn) {
	f.mu.Lock()
	for _, c := range conns {
		delete(f.open, c)
	}
	f.mu.Unlock()
	f.wait.Done()
}

func (f *flows) closeAll() {
	f.mu.Lock()
	f.closed = true
	for c := range f.open {
		_ = c.Close()
	}
	f.mu.Unlock()
	f.wait.Wait()
}

// join copies both ways until both sides are done. A side that ends is
// half-closed on the other, as TCP has it.
func (f *flows) join(a, b net.Conn) {
	defer func() { _, _ = a.Close(), b.Close() }()
	if !f.add(a, b) {
		return
	}
	defer f.remove(a, b)
	done := make(chan struct{})
	go func() {
		defer close(done)
		pipe(b, a)
	}()
	pipe(a, b)
	<-done
}

// pipe copies from one connection to another. Bare TCP connections on both
// sides let Linux splice them in the kernel.
func pipe(to, from net.Conn) {
	to, from = bare(to), bare(from)
	_, err := io.Copy(to, from)
	if errors.Is(err, io.EOF) { // what came with the PROXY header was all there is
		err = nil
	}
	half, ok := to.(interface{ CloseWrite() error })
	if err != nil || !ok {
		_ = to.Close()
		_ = from.Close()
		return
	}
	_ = half.CloseWrite()
}

// bare takes the wrapper off a connection whose PROXY header has been read. The
// wrapper's own reader may hold bytes that came along with the header, so it is
// kept for reading.
func bare(c net.Conn) net.Conn {
	if wrapped, ok := c.(interface{ TCPConn() (*net.TCPConn, bool) }); ok {
		if tcp, ok := wrapped.TCPConn(); ok {
			return &afterHeader{Conn: c, tcp: tcp}
		}
	}
	return c
}

type afterHeader struct {
	net.Conn
	tcp *net.TCPConn
}

func (a *afterHeader) CloseWrite() error                   { return a.tcp.CloseWrite() }
func (a *afterHeader) ReadFrom(r io.Reader) (int64, error) { return a.tcp.ReadFrom(r) }

// WriteTo writes what came with the header, and lets the kernel do the rest.
func (a *afterHeader) WriteTo(w io.Writer) (int64, error) {
	if to, ok := w.(*afterHeader); ok {
		w = to.tcp
	}
	if from, ok := a.Conn.(io.WriterTo); ok {
		return from.WriteTo(w)
	}
	return a.tcp.WriteTo(w)
}

// reset closes a connection as a host does where nobody listens.
func reset(c net.Conn) {
	if wrapped, ok := c.(interface{ TCPConn() (*net.TCPConn, bool) }); ok {
		if tcp, ok := wrapped.TCPConn(); ok {
			_ = tcp.SetLinger(0)
		}
	}
	if tcp, ok := c.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = c.Close()
}

// accept hands each connection to handle in a goroutine of its own until ctx
// ends, which closes the listener.
func accept(ctx context.Context, l net.Listener, handle func(net.Conn)) error {
	stop := context.AfterFunc(ctx, func() { _ = l.Close() })
	defer stop()
	for {
		conn, err := l.Accept()
		if err != nil {
			if ctx.Err() != nil || errors.Is(err, net.ErrClosed) {
				return nil
			}
			// No file descriptors left, most likely: they come back as
			// connections end.
			select {
			case <-ctx.Done():
				return nil
			case <-time.After(50 * time.Millisecond):
			}
			continue
		}
		go handle(conn)
	}
}
