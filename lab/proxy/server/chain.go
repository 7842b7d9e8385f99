package server

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	"google.golang.org/protobuf/proto"

	"github.com/meshstorm/meshstorm/lab/proxy/flow"
	"github.com/meshstorm/meshstorm/lab/proxy/telemetry"
)

// chain is a filter chain: what becomes of the connections that it matches.
type chain struct {
	s        *Server
	proto    *listenerv3.FilterChain
	name     string
	index    int    // of its listener; -1 for the default one
	listener string // the listener's name
	tls      *termination
	shake    time.Duration // transport_socket_connect_timeout, 0 for none
	refusal  string        // why its connections are closed; "" for none

	limits    []*connectionLimit
	byServer  bool // sni_cluster: the SNI is the cluster
	stats     []*telemetry.Stats
	access    *telemetry.AccessLog // of the last filter
	manager   *manager
	tcp       *tcpProxy
	direct    []byte // direct_response
	hasDirect bool

	ecds map[string]*corev3.TypedExtensionConfig
	gone atomic.Bool // draining

	mu    sync.Mutex
	conns map[*connection]struct{}
}

func chainLabel(fc *listenerv3.FilterChain, index int) string {
	switch {
	case fc.GetName() != "":
		return fc.GetName()
	case index < 0:
		return "default_filter_chain"
	}
	return strconv.Itoa(index)
}

func (c *chain) label() string { return chainLabel(c.proto, c.index) }

// chainFor gives the chain of old that is the same, or a new one.
func (l *listener) chainFor(old *listener, fc *listenerv3.FilterChain, index int, ecds map[string]*corev3.TypedExtensionConfig) (*chain, error) {
	if old != nil && old.inbound == l.inbound {
		for _, c := range old.allChains() {
			taken := slices.Contains(l.chains, c)
			if !taken && (c.proto == fc || proto.Equal(c.proto, fc)) && sameExtensions(c.ecds, ecds) {
				for name, f := range c.ecds {
					l.ecds[name] = f
				}
				return c, nil
			}
		}
	}
	return l.compileChain(fc, index, ecds)
}

func (l *listener) compileChain(fc *listenerv3.FilterChain, index int, ecds map[string]*corev3.TypedExtensionConfig) (*chain, error) {
	c := &chain{s: l.s, proto: fc, name: fc.GetName(), index: index, listener: l.name, conns: map[*connection]struct{}{},
		shake: fc.GetTransportSocketConnectTimeout().AsDuration(), ecds: map[string]*corev3.TypedExtensionConfig{}}
	var faults []error
	if t := fc.GetTransportSocket(); t != nil {
		var err error
		if c.tls, c.refusal, err = l.s.termination(t); err != nil {
			faults = append(faults, err)
		}
	}
	for i, f := range fc.GetFilters() {
		if err := c.addFilter(f, ecds); err != nil {
			faults = append(faults, fmt.Errorf("network filter %s: %w", f.GetName(), err))
		}
		if c.terminal() && i+1 < len(fc.GetFilters()) {
			faults = append(faults, fmt.Errorf("network filter %s must be the last of its chain", f.GetName()))
		}
	}
	if len(faults) == 0 && c.refusal == "" && !c.terminal() && len(fc.GetFilters()) > 0 {
		faults = append(faults, errors.New("no filter ends the chain"))
	}
	for name, f := range c.ecds {
		l.ecds[name] = f
	}
	return c, errors.Join(faults...)
}

func (c *chain) terminal() bool { return c.manager != nil || c.tcp != nil || c.hasDirect }

// drain tells the chain's clients to close, and closes what is left after wait.
func (c *chain) drain(wait time.Duration) {
	c.gone.Store(true)
	if c.manager != nil {
		c.manager.goAway(wait)
	}
	if _, open := c.load(); open == 0 {
		return
	}
	time.AfterFunc(wait, c.closeAll)
}

func (c *chain) closeAll() {
	c.mu.Lock()
	conns := make([]*connection, 0, len(c.conns))
	for conn := range c.conns {
		conns = append(conns, conn)
	}
	c.mu.Unlock()
	for _, conn := range conns {
		_ = conn.Close()
	}
}

// load is how many requests or TCP connections are under way, and how many
// connections are open.
func (c *chain) load() (busy, open int) {
	c.mu.Lock()
	open = len(c.conns)
	c.mu.Unlock()
	if c.manager != nil {
		return int(c.manager.busy.Load()), open
	}
	return open, open
}

func (c *chain) track(conn *connection) {
	c.mu.Lock()
	c.conns[conn] = struct{}{}
	c.mu.Unlock()
	conn.chain = c
	conn.onClose(func() {
		c.mu.Lock()
		delete(c.conns, conn)
		c.mu.Unlock()
	})
}

// serve does with a connection what the chain says, until it ends.
func (c *chain) serve(conn *connection) {
	conn.down.FilterChain = c.name
	c.track(conn)
	if c.refusal != "" {
		c.s.o.Log.Warn("connection closed: "+c.refusal, "listener", c.listener, "filterChain", c.label(), "client", conn.down.Remote)
		c.logClosed(conn, c.refusal, "")
		return
	}
	for _, l := range c.limits {
		if !l.take(conn) {
			c.logClosed(conn, "", flow.UpstreamOverflow)
			return
		}
	}
	ctx, cancel := context.WithCancel(c.s.base)
	conn.onClose(cancel)
	ctx = flow.WithDownstream(ctx, &conn.down)
	stream, err := c.secure(ctx, conn)
	if err != nil {
		c.s.o.Log.Info("TLS handshake failed", "listener", c.listener, "filterChain", c.label(), "client", conn.down.Remote,
			"sni", conn.sni, "error", err)
		c.logClosed(conn, "TLS_error: "+err.Error(), "")
		return
	}
	switch {
	case c.manager != nil:
		c.manager.serve(ctx, stream, conn)
	case c.tcp != nil:
		c.tcp.serve(ctx, stream, conn)
	default: // direct_response, or a chain without filters, which Envoy closes
		_, _ = stream.Write(c.direct)
		lingeringClose(stream, time.Second)
		_ = conn.Close()
	}
}

// logClosed closes a connection that got no further and logs it.
func (c *chain) logClosed(conn *connection, reason, flag string) {
	r := &flow.Record{Downstream: &conn.down, TCP: true, Start: c.s.o.Now(), GRPCStatus: -1, SNI: conn.sni, FailureReason: reason}
	if flag != "" {
		r.Flags.Add(flag)
	}
	c.access.Log(r)
	_ = conn.Close()
}

// connectionLimit is envoy.filters.network.connection_limit.
type connectionLimit struct {
	max    uint64
	delay  time.Duration
	active atomic.Uint64
}

func (l *connectionLimit) take(conn *connection) bool {
	if l.active.Add(1) > l.max {
		l.active.Add(^uint64(0))
		time.Sleep(l.delay)
		return false
	}
	conn.onClose(func() { l.active.Add(^uint64(0)) })
	return true
}
