package upstream

import (
	"bufio"
	"errors"
	"net"
	"net/netip"
	"sync"
	"syscall"
	"time"
)

// countedConn gives back what it counted against when it is closed.
type countedConn struct {
	net.Conn
	once sync.Once
	give func()
}

// halfCloser is a connection whose write side closes alone; TCP proxies need it.
type halfCloser interface{ CloseWrite() error }

type countedHalfCloser struct{ *countedConn }

func counted(conn net.Conn, give func()) net.Conn {
	c := &countedConn{Conn: conn, give: give}
	if _, ok := conn.(halfCloser); ok {
		return countedHalfCloser{c}
	}
	return c
}

func (c *countedConn) Close() error {
	err := c.Conn.Close()
	c.once.Do(c.give)
	return err
}

// NetConn is the connection itself, for what splices or sets socket options.
func (c *countedConn) NetConn() net.Conn { return c.Conn }

func (c countedHalfCloser) CloseWrite() error { return c.Conn.(halfCloser).CloseWrite() }

// errHeadersTooLong is a response whose headers exceed max_response_headers_kb.
var errHeadersTooLong = errors.New("response headers are too long")

const bufferSize = 4 << 10

// connection is an HTTP/1.1 connection of a pool. One request has it at a time;
// no goroutine belongs to it.
type connection struct {
	pool   *pool
	conn   net.Conn
	reader *bufio.Reader
	writer *bufio.Writer
	local  netip.AddrPort

	served  uint64
	ends    time.Time // max_connection_duration; zero for none
	idle    time.Time // since when
	sent    int64
	allowed int // bytes that may still be read as headers; -1 for no limit

	raw    syscall.RawConn
	look   func(fd uintptr) bool // kept, so that a look allocates nothing
	silent bool                  // what look found
	secure bool
}

func newConnection(p *pool, conn net.Conn) *connection {
	c := &connection{pool: p, conn: conn, allowed: -1, local: addrPort(conn.LocalAddr())}
	c.reader = bufio.NewReaderSize(c, bufferSize)
	c.writer = bufio.NewWriterSize(c, bufferSize)
	if d := p.host.cluster.settings.longest; d > 0 {
		c.ends = time.Now().Add(d)
	}
	under := conn
	if wrapped, ok := conn.(interface{ NetConn() net.Conn }); ok {
		under, c.secure = wrapped.NetConn(), true
	}
	if sys, ok := under.(syscall.Conn); ok {
		c.raw, _ = sys.SyscallConn()
	}
	c.look = func(fd uintptr) bool {
		var one [1]byte
		n, _, err := syscall.Recvfrom(int(fd), one[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
		// TLS 1.3 tickets may wait on a connection that nothing was read from.
		c.silent = err == syscall.EAGAIN || err == syscall.EINTR || n > 0 && c.secure && c.served == 0
		return true
	}
	return c
}

// Read reads from the connection, as many bytes of headers as are allowed.
func (c *connection) Read(b []byte) (int, error) {
	if c.allowed == 0 {
		return 0, errHeadersTooLong
	}
	if c.allowed > 0 && len(b) > c.allowed {
		b = b[:c.allowed]
	}
	n, err := c.conn.Read(b)
	if c.allowed > 0 {
		c.allowed -= n
	}
	return n, err
}

// Write counts, so that it is known whether anything of a request was sent.
func (c *connection) Write(b []byte) (int, error) {
	n, err := c.conn.Write(b)
	c.sent += int64(n)
	return n, err
}

// usable tells whether an idle connection still is one: Envoy sees at once that
// the upstream closes, this proxy looks when it wants to use the connection.
func (c *connection) usable(now time.Time) bool {
	if c.expired(now) || c.reader.Buffered() > 0 {
		return false
	}
	if c.raw == nil {
		return true
	}
	c.silent = false
	return c.raw.Read(c.look) == nil && c.silent
}

func (c *connection) expired(now time.Time) bool {
	s := c.pool.host.cluster.settings
	return !c.ends.IsZero() && !now.Before(c.ends) ||
		s.idle > 0 && now.Sub(c.idle) >= s.idle ||
		s.requests > 0 && c.served >= s.requests
}
