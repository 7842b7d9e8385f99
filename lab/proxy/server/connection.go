package server

import (
	"errors"
	"io"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/meshstorm/meshstorm/lab/proxy/flow"
)

// connection is a downstream connection from its acceptance to its end. What
// the listener filters peeked at is read again by what comes after them.
type connection struct {
	net.Conn
	peeked []byte
	down   flow.Downstream
	direct netip.AddrPort // the peer of the socket itself

	transport string   // "tls" or "raw_buffer"; "" before detection
	sni       string   // of the ClientHello
	alpn      []string // of the ClientHello, or what the HTTP inspector saw

	remoteText string    // down.Remote, formatted once
	until      time.Time // max_connection_duration

	mu      sync.Mutex
	chain   *chain
	closed  bool
	release []func() // when closed
}

// Read gives what was peeked before what comes.
func (c *connection) Read(b []byte) (int, error) {
	if len(c.peeked) > 0 {
		n := copy(b, c.peeked)
		if c.peeked = c.peeked[n:]; len(c.peeked) == 0 {
			c.peeked = nil
		}
		return n, nil
	}
	return c.Conn.Read(b)
}

// more reads what comes next behind what was already peeked.
func (c *connection) more() error {
	buf := make([]byte, 4096)
	n, err := c.Conn.Read(buf)
	c.peeked = append(c.peeked, buf[:n]...)
	if n > 0 {
		return nil
	}
	if err == nil {
		err = io.ErrNoProgress
	}
	return err
}

// onClose asks for f when the connection is closed; at once if it is.
func (c *connection) onClose(f func()) {
	c.mu.Lock()
	if !c.closed {
		c.release = append(c.release, f)
		c.mu.Unlock()
		return
	}
	c.mu.Unlock()
	f()
}

// Close closes the connection once.
func (c *connection) Close() error {
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		return net.ErrClosed
	}
	c.closed = true
	release := c.release
	c.release = nil
	c.mu.Unlock()
	err := c.Conn.Close()
	for _, f := range release {
		f()
	}
	return err
}

// CloseWrite says that nothing more comes from us.
func (c *connection) CloseWrite() error { return closeWrite(c.Conn) }

// RemoteAddr is the client, as the API knows it.
func (c *connection) RemoteAddr() net.Addr { return net.TCPAddrFromAddrPort(c.down.Remote) }

// LocalAddr is where the client wanted to go.
func (c *connection) LocalAddr() net.Addr { return net.TCPAddrFromAddrPort(c.down.Local) }

// rawConn is a connection with a header of the PROXY protocol in front.
type rawConn interface{ Raw() net.Conn }

func closeWrite(c net.Conn) error {
	if w, ok := c.(interface{ CloseWrite() error }); ok {
		return w.CloseWrite()
	}
	if r, ok := c.(rawConn); ok {
		return closeWrite(r.Raw())
	}
	return errors.ErrUnsupported
}

// resetOnClose makes Close send RST, as Envoy does with a connection that its
// other side reset.
func resetOnClose(c net.Conn) {
	switch c := c.(type) {
	case *net.TCPConn:
		_ = c.SetLinger(0)
	case *connection:
		resetOnClose(c.Conn)
	case rawConn:
		resetOnClose(c.Raw())
	}
}

// lingeringClose ends a connection whose client may still be sending: without
// it, the kernel's RST could destroy the answer before the client read it.
func lingeringClose(c net.Conn, wait time.Duration) {
	if closeWrite(c) == nil {
		_ = c.SetReadDeadline(time.Now().Add(wait))
		_, _ = io.CopyN(io.Discard, c, 1<<20)
	}
	_ = c.Close()
}

func addrPortOf(a net.Addr) netip.AddrPort {
	t, ok := a.(*net.TCPAddr)
	if !ok {
		return netip.AddrPort{}
	}
	ap := t.AddrPort()
	return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
}
