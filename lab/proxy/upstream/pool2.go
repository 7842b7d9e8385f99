package upstream

import (
	"context"
	"crypto/tls"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"

	"golang.org/x/net/http2"
)

// pool2 is the HTTP/2 connections to one host: a request takes the first that
// has a stream free, another one is made only when none has.
type pool2 struct {
	host      *Host
	breaker   *breaker
	sni       string
	transport *http2.Transport
	streams   int64 // per connection as configured; 0: as the upstream says

	mu      sync.Mutex
	conns   []*connection2
	making  *attempt2
	drained bool
}

// connection2 is an HTTP/2 connection; its fields are guarded by the pool's mu.
type connection2 struct {
	pool   *pool2
	client *http2.ClientConn
	local  netip.AddrPort
	active int64
	served uint64
	retire bool // no new streams
	gone   bool
	idle   *time.Timer
}

// attempt2 is a connection being made, that any number of requests wait for.
type attempt2 struct {
	done chan struct{}
	err  error
}

// pool2 is the host's pool of HTTP/2 connections.
func (h *Host) pool2(high bool, sni string) *pool2 {
	h.mu.Lock()
	defer h.mu.Unlock()
	key := poolKey{http2: true, high: high, sni: sni}
	if p, ok := h.others[key].(*pool2); ok {
		return p
	}
	s := h.cluster.settings
	p := &pool2{host: h, breaker: h.cluster.breaker(high), sni: sni, drained: h.gone}
	p.streams = int64(orDefault(s.options2.GetMaxConcurrentStreams(), 0))
	p.transport = &http2.Transport{AllowHTTP: true, DisableCompression: true, MaxHeaderListSize: s.headersKB << 10}
	if k := s.options2.GetConnectionKeepalive(); k.GetInterval() != nil {
		p.transport.ReadIdleTimeout = k.GetInterval().AsDuration()
		p.transport.PingTimeout = k.GetTimeout().AsDuration()
	}
	h.keep(key, p)
	return p
}

// acquire gives a connection and counts one more stream on it.
func (p *pool2) acquire(ctx context.Context) (*connection2, error) {
	pending := false
	defer func() {
		if pending {
			p.breaker.pending.release()
		}
	}()
	for {
		p.mu.Lock()
		if c := p.free(); c != nil {
			p.mu.Unlock()
			return c, nil
		}
		if !pending {
			if pending = p.breaker.pending.acquire(); !pending {
				p.mu.Unlock()
				return nil, &Error{Kind: ErrOverflow}
			}
		}
		making := p.making
		if making == nil {
			making = p.make()
		}
		if making == nil { // at max_connections: share the least busy one, which queues the stream
			c := p.least()
			p.take(c)
			p.mu.Unlock()
			return c, nil
		}
		p.mu.Unlock()
		select {
		case <-making.done:
			if making.err != nil {
				return nil, making.err
			}
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

func (p *pool2) free() *connection2 {
	p.conns = slices.DeleteFunc(p.conns, func(c *connection2) bool {
		return c.retire || !c.client.CanTakeNewRequest() && c.active == 0
	})
	for _, c := range p.conns {
		if c.active < p.limit(c) && c.client.CanTakeNewRequest() {
			p.take(c)
			return c
		}
	}
	return nil
}

// limit is how many streams a connection takes: as the upstream says, at most as
// the cluster does.
func (p *pool2) limit(c *connection2) int64 {
	limit := int64(c.client.State().MaxConcurrentStreams)
	if limit == 0 {
		limit = 100 // the upstream's settings are not there yet; RFC 9113 advises at least that
	}
	if p.streams > 0 {
		limit = min(limit, p.streams)
	}
	return limit
}

func (p *pool2) take(c *connection2) {
	c.active++
	c.served++
	if c.idle != nil {
		c.idle.Stop()
	}
	if limit := p.host.cluster.settings.requests; limit > 0 && c.served >= limit {
		c.retire = true
	}
}

// least is the connection with the fewest streams; there is one whenever no
// other may be made.
func (p *pool2) least() *connection2 {
	return slices.MinFunc(p.conns, func(a, b *connection2) int { return int(a.active - b.active) })
}

// make begins a connection; nil where the circuit breakers allow none and there
// is one that can be shared.
func (p *pool2) make() *attempt2 {
	full := p.breaker.perHost > 0 && p.host.open.Load() >= p.breaker.perHost
	switch {
	case !full && p.breaker.connections.acquire():
	case len(p.conns) == 0:
		p.breaker.connections.force()
	default:
		return nil
	}
	p.host.open.Add(1)
	a := &attempt2{done: make(chan struct{})}
	p.making = a
	go p.dial(a)
	return a
}

func (p *pool2) dial(a *attempt2) {
	c := &connection2{pool: p}
	give := func() { // when the connection is closed, by whom ever
		p.host.open.Add(-1)
		p.breaker.connections.release()
	}
	conn, err := p.host.dial(p.host.cluster.owner.ctx, p.sni, []string{"h2"})
	if err == nil {
		err = negotiated(conn)
	}
	if err == nil {
		c.local = addrPort(conn.LocalAddr())
		conn = counted(conn, give)
		if c.client, err = p.transport.NewClientConn(conn); err != nil {
			_ = conn.Close()
			err = &Error{Kind: ErrConnect, Text: "HTTP/2: " + err.Error(), Err: err}
		}
	} else {
		give()
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.making = nil
	if a.err = err; err == nil {
		if d := p.host.cluster.settings.longest; d > 0 {
			time.AfterFunc(d, c.expire)
		}
		p.conns = append(p.conns, c)
		c.wait()
		if p.drained { // it serves who waits for it; should nobody any more, it goes
			time.AfterFunc(time.Second, c.expire)
		}
	}
	close(a.done)
}

// negotiated refuses a TLS upstream that did not agree to HTTP/2.
func negotiated(conn net.Conn) error {
	secured, ok := conn.(*tls.Conn)
	if !ok || secured.ConnectionState().NegotiatedProtocol == "h2" || secured.ConnectionState().NegotiatedProtocol == "" {
		return nil
	}
	_ = conn.Close()
	return &Error{Kind: ErrProtocol, Text: "TLS: the upstream does not speak HTTP/2"}
}

// release ends a stream.
func (c *connection2) release() {
	p := c.pool
	p.mu.Lock()
	defer p.mu.Unlock()
	c.active--
	if c.active > 0 {
		return
	}
	if c.retire || p.drained {
		c.close()
		return
	}
	c.wait()
}

// wait begins the idle timeout.
func (c *connection2) wait() {
	d := c.pool.host.cluster.settings.idle
	switch {
	case d <= 0:
	case c.idle == nil:
		c.idle = time.AfterFunc(d, c.rest)
	default:
		c.idle.Reset(d)
	}
}

// rest closes a connection that is idle for the idle timeout.
func (c *connection2) rest() {
	c.pool.mu.Lock()
	defer c.pool.mu.Unlock()
	if c.active == 0 {
		c.close()
	}
}

// expire ends a connection with its last stream.
func (c *connection2) expire() {
	c.pool.mu.Lock()
	defer c.pool.mu.Unlock()
	c.retire = true
	if c.active == 0 {
		c.close()
	}
}

func (c *connection2) close() {
	if c.gone {
		return
	}
	c.gone, c.retire = true, true
	if i := slices.Index(c.pool.conns, c); i >= 0 {
		c.pool.conns = slices.Delete(c.pool.conns, i, i+1)
	}
	go func() { _ = c.client.Close() }() // it waits for locks that a reader may hold
}

func (p *pool2) drain() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.drained = true
	for _, c := range slices.Clone(p.conns) {
		if c.retire = true; c.active == 0 {
			c.close()
		}
	}
}
