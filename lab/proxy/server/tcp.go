package server

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"

	tcpproxyv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/tcp_proxy/v3"

	"github.com/meshstorm/meshstorm/lab/proxy/flow"
	"github.com/meshstorm/meshstorm/lab/proxy/telemetry"
	"github.com/meshstorm/meshstorm/lab/proxy/upstream"
)

// tcpProxy is envoy.filters.network.tcp_proxy.
type tcpProxy struct {
	c        *chain
	cluster  string
	weighted []weighted
	total    uint64
	idle     time.Duration // 0 for none
	longest  time.Duration // max_downstream_connection_duration, 0 for none
	attempts uint32
	hashed   bool // by source IP
	access   *telemetry.AccessLog
	early    bool // flush_access_log_on_connected
	every    time.Duration
}

type weighted struct {
	cluster string
	weight  uint64
}

func (c *chain) newTCPProxy(m *tcpproxyv3.TcpProxy) (*tcpProxy, error) {
	p := &tcpProxy{c: c, cluster: m.GetCluster(), idle: time.Hour, attempts: 1,
		longest: m.GetMaxDownstreamConnectionDuration().AsDuration()}
	for _, w := range m.GetWeightedClusters().GetClusters() {
		if w.GetMetadataMatch() != nil {
			return nil, errors.New("weighted_clusters: metadata_match is not supported")
		}
		p.weighted = append(p.weighted, weighted{w.GetName(), uint64(w.GetWeight())})
		p.total += uint64(w.GetWeight())
	}
	switch {
	case m.GetTunnelingConfig() != nil:
		return nil, errors.New("tunneling_config is not supported")
	case m.GetOnDemand() != nil:
		return nil, errors.New("on_demand is not supported")
	case m.GetMetadataMatch() != nil:
		return nil, errors.New("metadata_match is not supported")
	case p.cluster == "" && p.total == 0:
		return nil, errors.New("neither a cluster nor weighted_clusters with a weight")
	}
	if t := m.GetIdleTimeout(); t != nil {
		p.idle = t.AsDuration()
	}
	if n := m.GetMaxConnectAttempts().GetValue(); n > 0 {
		p.attempts = n
	}
	for _, h := range m.GetHashPolicy() {
		if h.GetSourceIp() == nil {
			return nil, errors.New("hash_policy: only source_ip is supported")
		}
		p.hashed = true
	}
	p.early = m.GetFlushAccessLogOnConnected() || m.GetAccessLogOptions().GetFlushAccessLogOnConnected()
	p.every = m.GetAccessLogOptions().GetAccessLogFlushInterval().AsDuration()
	if t := m.GetAccessLogFlushInterval(); t != nil {
		p.every = t.AsDuration()
	}
	var err error
	if p.access, err = c.s.o.Telemetry.AccessLogs(m.GetAccessLog()); err != nil {
		return nil, fmt.Errorf("access_log: %w", err)
	}
	return p, nil
}

// choose gives the cluster's name for a connection.
func (p *tcpProxy) choose(conn *connection) string {
	if p.c.byServer && conn.sni != "" {
		return conn.sni
	}
	if p.total == 0 {
		return p.cluster
	}
	n := p.c.s.o.Random() % p.total
	for _, w := range p.weighted {
		if n < w.weight {
			return w.cluster
		}
		n -= w.weight
	}
	return ""
}

// session is one connection through the TCP proxy.
type session struct {
	p              *tcpProxy
	down           net.Conn
	up             net.Conn
	r              *flow.Record
	received, sent atomic.Int64
	active         atomic.Int64 // unix nanoseconds of the last byte
}

// serve connects a downstream connection with its cluster, until both are done.
func (p *tcpProxy) serve(ctx context.Context, stream net.Conn, conn *connection) {
	s := &session{p: p, down: stream, r: &flow.Record{Downstream: &conn.down, TCP: true, Start: p.c.s.o.Now(), GRPCStatus: -1, SNI: conn.sni}}
	if s.r.SNI == "" && conn.down.TLS != nil {
		s.r.SNI = conn.down.TLS.ServerName
	}
	s.r.Cluster = p.choose(conn)
	started := time.Now()
	if ok := s.connect(ctx, conn); !ok {
		s.end(nil, started)
		resetOnClose(conn.Conn)
		_ = conn.Close()
		return
	}
	counted := make([]*telemetry.Connection, 0, len(p.c.stats))
	for _, stats := range p.c.stats {
		counted = append(counted, stats.Open(s.r, func() (int64, int64) { return s.received.Load(), s.sent.Load() }))
	}
	if p.early {
		early := *s.r
		p.access.Log(&early)
	}
	conn.onClose(func() { _ = s.up.Close() })
	s.pump(conn)
	s.end(counted, started)
	_ = conn.Close()
	_ = s.up.Close()
}

// connect finds a host that takes the connection, in max_connect_attempts.
func (s *session) connect(ctx context.Context, conn *connection) bool {
	cluster, ok := s.p.c.s.o.Clusters.Get(s.r.Cluster)
	if !ok {
		s.r.Flags.Add(flow.NoCluster)
		return false
	}
	s.r.ClusterMetadata = cluster.Metadata()
	choice := upstream.Choice{OriginalDestination: conn.down.Local}
	if s.p.hashed {
		h := fnv.New64a()
		_, _ = h.Write(conn.down.Remote.Addr().AsSlice())
		choice.Hash, choice.HasHash = h.Sum64(), true
	}
	for attempt := uint32(0); attempt < s.p.attempts; attempt++ {
		host, err := cluster.Pick(choice)
		if err != nil {
			s.failed(err)
			return false
		}
		s.r.UpstreamHost, s.r.Attempts = host.Address(), s.r.Attempts+1
		exchange := &upstream.Exchange{}
		s.up, err = cluster.Connect(upstream.WithExchange(ctx, exchange), host)
		host.Result(0, err)
		if err == nil {
			if s.r.UpstreamLocal = exchange.Local; !exchange.Local.IsValid() {
				s.r.UpstreamLocal = s.p.c.s.podAddress(addrPortOf(s.up.LocalAddr()))
			}
			s.r.Peer = telemetry.WorkloadFromEndpoint(host.Metadata())
			return true
		}
		s.failed(err)
		if ctx.Err() != nil || errors.Is(err, upstream.ErrOverflow) {
			return false
		}
	}
	if s.p.attempts > 1 {
		s.r.Flags.Add(flow.RetryLimit)
	}
	return false
}

func (s *session) failed(err error) {
	switch {
	case errors.Is(err, upstream.ErrNoHealthyHost):
		s.r.Flags.Add(flow.NoHealthyUpstream)
	case errors.Is(err, upstream.ErrOverflow):
		s.r.Flags.Add(flow.UpstreamOverflow)
	default:
		s.r.Flags.Add(flow.UpstreamFailure)
	}
	s.r.FailureReason = upstream.TransportFailure(err)
}

var buffers = sync.Pool{New: func() any { return new([32 << 10]byte) }}

// pump copies both directions; the end of one is passed on, and the other goes
// on (half-close). It returns when both are done, one failed, or nothing moved
// for the idle timeout.
func (s *session) pump(conn *connection) {
	s.active.Store(time.Now().UnixNano())
	stop := s.watch(conn)
	defer stop()
	done := make(chan struct{})
	go func() {
		defer close(done)
		if s.copy(s.down, s.up, &s.sent) != nil {
			_ = s.up.Close()
		}
	}()
	if s.copy(s.up, s.down, &s.received) != nil {
		_ = s.down.Close()
		_ = s.up.Close()
	}
	<-done
}

// copy passes on what src gives. A failure resets the other side.
func (s *session) copy(dst, src net.Conn, count *atomic.Int64) error {
	buf := buffers.Get().(*[32 << 10]byte)
	defer buffers.Put(buf)
	for {
		n, err := src.Read(buf[:])
		if n > 0 {
			s.active.Store(time.Now().UnixNano())
			m, werr := dst.Write(buf[:n])
			count.Add(int64(m))
			if werr != nil {
				resetOnClose(src)
				_ = src.Close()
				return werr
			}
		}
		if errors.Is(err, io.EOF) {
			return closeWrite(dst)
		}
		if err != nil {
			resetOnClose(dst)
			_ = dst.Close()
			return err
		}
	}
}

// watch ends a session that is idle or too old, and writes the periodic access
// log.
func (s *session) watch(conn *connection) (stop func()) {
	var timers []*time.Timer
	if s.p.longest > 0 {
		timers = append(timers, time.AfterFunc(s.p.longest, func() {
			s.r.Termination = "max_downstream_connection_duration"
			_ = conn.Close()
		}))
	}
	quit := make(chan struct{})
	if s.p.idle > 0 || s.p.every > 0 {
		go s.tick(conn, quit)
	}
	return func() {
		close(quit)
		for _, t := range timers {
			t.Stop()
		}
	}
}

func (s *session) tick(conn *connection, quit <-chan struct{}) {
	wait := s.p.idle
	var flush <-chan time.Time
	if s.p.every > 0 {
		t := time.NewTicker(s.p.every)
		defer t.Stop()
		flush = t.C
	}
	for {
		var idle <-chan time.Time
		if s.p.idle > 0 {
			idle = time.After(wait)
		}
		select {
		case <-quit:
			return
		case <-flush:
			r := *s.r
			r.BytesReceived, r.BytesSent = s.received.Load(), s.sent.Load()
			s.p.access.Log(&r)
		case <-idle:
			quiet := time.Since(time.Unix(0, s.active.Load()))
			if quiet >= s.p.idle {
				_ = conn.Close()
				return
			}
			wait = s.p.idle - quiet
		}
	}
}

// end logs the connection and counts it.
func (s *session) end(counted []*telemetry.Connection, started time.Time) {
	s.r.Duration = time.Since(started)
	s.r.BytesReceived, s.r.BytesSent = s.received.Load(), s.sent.Load()
	s.r.UpstreamBytesRead, s.r.UpstreamWritten = s.r.BytesSent, s.r.BytesReceived
	for _, k := range counted {
		k.Close(s.r)
	}
	if counted == nil {
		for _, stats := range s.p.c.stats {
			stats.Open(s.r, func() (int64, int64) { return 0, 0 }).Close(s.r)
		}
	}
	s.p.access.Log(s.r)
}
