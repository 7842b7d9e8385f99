package upstream

import (
	"context"
	"slices"
	"sync"
	"time"
)

// poolKey tells connections apart that may not stand in for each other.
type poolKey struct {
	http2, high bool
	sni         string
}

// pool is the HTTP/1.1 connections to one host. Requests without a connection
// wait in the order in which they came; a connection that is made or becomes
// free goes to the first of them (Envoy docs, "Connection pooling").
type pool struct {
	host    *Host
	breaker *breaker
	sni     string

	mu               sync.Mutex
	idle             []*connection // the last used last
	waiting          []*waiter
	open, connecting int
	drained          bool
	sweeping         bool
}

// waiter is a request that waits for a connection.
type waiter struct{ got chan grant }

type grant struct {
	conn *connection
	err  error
}

// drainer is a pool of either protocol.
type drainer interface{ drain() }

// acquire gives a connection, within the circuit breakers.
func (p *pool) acquire(ctx context.Context) (*connection, error) {
	p.mu.Lock()
	for len(p.idle) > 0 {
		c := p.idle[len(p.idle)-1]
		p.idle = p.idle[:len(p.idle)-1]
		p.mu.Unlock()
		if c.usable(time.Now()) {
			return c, nil
		}
		p.release(c, false)
		p.mu.Lock()
	}
	if !p.breaker.pending.acquire() {
		p.mu.Unlock()
		return nil, &Error{Kind: ErrOverflow}
	}
	defer p.breaker.pending.release()
	w := &waiter{got: make(chan grant, 1)}
	p.waiting = append(p.waiting, w)
	p.connect()
	p.mu.Unlock()
	select {
	case g := <-w.got:
		return g.conn, g.err
	case <-ctx.Done():
	}
	p.mu.Lock()
	i := slices.Index(p.waiting, w)
	if i >= 0 {
		p.waiting = slices.Delete(p.waiting, i, i+1)
	}
	p.mu.Unlock()
	if i < 0 {
		if g := <-w.got; g.conn != nil {
			p.release(g.conn, true)
		}
	}
	return nil, ctx.Err()
}

// connect begins as many connections as are waited for, as far as the circuit
// breakers allow. A host without any connection gets one whatever they say, or
// its requests would wait for ever while other hosts hold all that are allowed
// (Envoy's ConnPoolImplBase).
func (p *pool) connect() {
	for p.connecting < len(p.waiting) {
		full := p.breaker.perHost > 0 && p.host.open.Load() >= p.breaker.perHost
		switch {
		case !full && p.breaker.connections.acquire():
		case p.open == 0:
			p.breaker.connections.force()
		default:
			return
		}
		p.open++
		p.connecting++
		p.host.open.Add(1)
		go p.dial()
	}
}

// dial is a connection that several requests may wait for: it goes on when the
// one that caused it is gone.
func (p *pool) dial() {
	conn, err := p.host.dial(p.host.cluster.owner.ctx, p.sni, nil)
	if err == nil {
		c := newConnection(p, conn)
		p.mu.Lock()
		p.connecting--
		p.give(c)
		p.mu.Unlock()
		return
	}
	p.mu.Lock()
	p.connecting--
	p.closed()
	waiting := p.waiting
	p.waiting = nil
	p.mu.Unlock()
	for _, w := range waiting { // as in Envoy, all of them may choose anew
		w.got <- grant{err: err}
	}
}

func (p *pool) closed() {
	p.open--
	p.host.open.Add(-1)
	p.breaker.connections.release()
}

// release takes a connection back.
func (p *pool) release(c *connection, reusable bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	c.idle = time.Now()
	if reusable && !c.expired(c.idle) {
		p.give(c)
		return
	}
	_ = c.conn.Close()
	p.closed()
	p.connect()
}

func (p *pool) give(c *connection) {
	if len(p.waiting) > 0 {
		w := p.waiting[0]
		p.waiting = slices.Delete(p.waiting, 0, 1)
		w.got <- grant{conn: c}
		return
	}
	if p.drained {
		_ = c.conn.Close()
		p.closed()
		return
	}
	c.idle = time.Now()
	p.idle = append(p.idle, c)
	if !p.sweeping {
		p.sweeping = true
		time.AfterFunc(p.period(), p.sweep)
	}
}

// period is how often idle connections are looked at: often enough for the idle
// timeout, and so that one that the upstream closed is soon closed here, too.
func (p *pool) period() time.Duration {
	period := time.Second
	if s := p.host.cluster.settings; s.idle > 0 {
		period = min(period, max(s.idle/2, 5*time.Millisecond))
	}
	return period
}

func (p *pool) sweep() {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	p.idle = slices.DeleteFunc(p.idle, func(c *connection) bool {
		if c.usable(now) {
			return false
		}
		_ = c.conn.Close()
		p.closed()
		return true
	})
	p.sweeping = len(p.idle) > 0
	if p.sweeping {
		time.AfterFunc(p.period(), p.sweep)
	}
}

func (p *pool) drain() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.drained = true
	for _, c := range p.idle {
		_ = c.conn.Close()
		p.closed()
	}
	p.idle = nil
}

// pool1 is the host's pool of HTTP/1.1 connections.
func (h *Host) pool1(high bool, sni string) *pool {
	if p := h.pools.Load(); p != nil && !high && sni == "" {
		return p
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	key := poolKey{high: high, sni: sni}
	if p, ok := h.others[key].(*pool); ok {
		return p
	}
	p := &pool{host: h, breaker: h.cluster.breaker(high), sni: sni, drained: h.gone}
	h.keep(key, p)
	if !high && sni == "" {
		h.pools.Store(p)
	}
	return p
}

func (h *Host) keep(key poolKey, p drainer) {
	if h.others == nil {
		h.others = map[poolKey]drainer{}
	}
	h.others[key] = p
}
