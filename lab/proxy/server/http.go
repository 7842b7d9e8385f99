package server

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	"golang.org/x/net/http2"
	"google.golang.org/protobuf/proto"

	"github.com/meshstorm/meshstorm/lab/proxy/flow"
	"github.com/meshstorm/meshstorm/lab/proxy/router"
	"github.com/meshstorm/meshstorm/lab/proxy/telemetry"
	"github.com/meshstorm/meshstorm/lab/proxy/xds"
	"github.com/meshstorm/meshstorm/route"
)

// manager is an HTTP connection manager: the protocol below a router.
type manager struct {
	c       *chain
	log     *slog.Logger
	router  *router.Router
	handler http.Handler
	access  *telemetry.AccessLog
	rds     string // the route configuration's name; "" for an inline one
	routes  *routes

	codec       hcmv3.HttpConnectionManager_CodecType
	serverName  string
	limits      limits
	idle        time.Duration // 0 for none
	headTimeout time.Duration // 0 for none
	maxAge      time.Duration // max_connection_duration, 0 for none
	maxRequests uint32        // 0 for no limit
	drainTime   time.Duration

	h2   *http2.Server
	base *http.Server // knows the HTTP/2 connections, for GOAWAY
	busy atomic.Int64 // requests under way
	once sync.Once
}

// routes is a route configuration, compiled once for all managers.
type routes struct {
	proto  *routev3.RouteConfiguration
	config *route.Config
	err    error
}

// newManager compiles a connection manager.
func (c *chain) newManager(hcm *hcmv3.HttpConnectionManager, ecds map[string]*corev3.TypedExtensionConfig) (*manager, error) {
	if hcm.GetScopedRoutes() != nil {
		return nil, fmt.Errorf("scoped_routes are not supported")
	}
	if hcm.GetCodecType() == hcmv3.HttpConnectionManager_HTTP3 {
		return nil, fmt.Errorf("codec_type HTTP3 is not supported")
	}
	hcm = c.resolve(hcm, ecds)
	o := c.s.o
	r, err := router.New(hcm, router.Options{Clusters: o.Clusters, Telemetry: o.Telemetry, Random: o.Random, Now: o.Now, Log: o.Log,
		Cluster: o.Node.GetCluster(), Node: o.Node.GetId()})
	if err != nil {
		return nil, err
	}
	m := &manager{c: c, log: o.Log, router: r, rds: hcm.GetRds().GetRouteConfigName(), codec: hcm.GetCodecType()}
	if m.access, err = o.Telemetry.AccessLogs(hcm.GetAccessLog()); err != nil {
		return nil, fmt.Errorf("access_log: %w", err)
	}
	m.handler = m.router
	m.readOptions(hcm)
	return m, m.prepareHTTP2(hcm.GetHttp2ProtocolOptions())
}

// resolve puts the configuration that ECDS gives in the place of
// config_discovery.
func (c *chain) resolve(hcm *hcmv3.HttpConnectionManager, ecds map[string]*corev3.TypedExtensionConfig) *hcmv3.HttpConnectionManager {
	var out *hcmv3.HttpConnectionManager
	for i, f := range hcm.GetHttpFilters() {
		if f.GetConfigDiscovery() == nil {
			continue
		}
		ext := ecds[f.GetName()]
		c.ecds[f.GetName()] = ext
		if ext == nil {
			continue // the router says what it makes of that
		}
		if out == nil {
			out = proto.Clone(hcm).(*hcmv3.HttpConnectionManager)
		}
		out.HttpFilters[i].ConfigType = &hcmv3.HttpFilter_TypedConfig{TypedConfig: ext.GetTypedConfig()}
	}
	if out == nil {
		return hcm
	}
	return out
}

func (m *manager) readOptions(hcm *hcmv3.HttpConnectionManager) {
	common, h1 := hcm.GetCommonHttpProtocolOptions(), hcm.GetHttpProtocolOptions()
	m.serverName = hcm.GetServerName()
	if m.serverName == "" {
		m.serverName = "envoy"
	}
	m.idle = time.Hour
	if t := common.GetIdleTimeout(); t != nil {
		m.idle = t.AsDuration()
	}
	m.headTimeout = hcm.GetRequestHeadersTimeout().AsDuration()
	m.maxAge = common.GetMaxConnectionDuration().AsDuration()
	m.maxRequests = common.GetMaxRequestsPerConnection().GetValue()
	m.drainTime = 5 * time.Second
	if t := hcm.GetDrainTimeout(); t != nil {
		m.drainTime = t.AsDuration()
	}
	m.limits = limits{bytes: 60 << 10, headers: 100, http10: h1.GetAcceptHttp_10(), chunked: h1.GetAllowChunkedLength()}
	if kb := hcm.GetMaxRequestHeadersKb().GetValue(); kb > 0 {
		m.limits.bytes = int(kb) << 10
	}
	if n := common.GetMaxHeadersCount().GetValue(); n > 0 {
		m.limits.headers = int(n)
	}
}

func (m *manager) prepareHTTP2(o *corev3.Http2ProtocolOptions) error {
	m.base = &http.Server{Handler: http.HandlerFunc(m.serveHTTP2Request), MaxHeaderBytes: m.limits.bytes,
		ErrorLog: slog.NewLogLogger(m.log.Handler(), slog.LevelDebug)}
	m.h2 = &http2.Server{MaxConcurrentStreams: 1024, IdleTimeout: m.idle,
		MaxReadFrameSize: 64 << 10, MaxUploadBufferPerStream: 1 << 20, MaxUploadBufferPerConnection: 2 << 20}
	if n := o.GetMaxConcurrentStreams().GetValue(); n > 0 {
		m.h2.MaxConcurrentStreams = n
	}
	if n := o.GetInitialStreamWindowSize().GetValue(); n > 0 {
		m.h2.MaxUploadBufferPerStream = int32(min(n, 1<<31-1))
	}
	if n := o.GetInitialConnectionWindowSize().GetValue(); n > 0 {
		m.h2.MaxUploadBufferPerConnection = int32(min(n, 1<<31-1))
	}
	if k := o.GetConnectionKeepalive(); k != nil {
		m.h2.ReadIdleTimeout, m.h2.PingTimeout = k.GetInterval().AsDuration(), k.GetTimeout().AsDuration()
	}
	return http2.ConfigureServer(m.base, m.h2)
}

// takeRoutes gives the router the snapshot's routes, if they changed.
func (m *manager) takeRoutes(snap *xds.Snapshot, compiled map[string]*routes) {
	if m.rds == "" {
		return
	}
	rc := snap.Routes[m.rds]
	if rc == nil || m.routes != nil && m.routes.proto == rc {
		return
	}
	r := compiled[m.rds]
	if r == nil {
		r = &routes{proto: rc}
		r.config, r.err = route.Compile(rc)
		compiled[m.rds] = r
	}
	if r.err != nil {
		m.log.Error("route configuration refused", "routes", m.rds, "error", r.err)
		return
	}
	m.routes = r
	m.router.SetRoutes(r.config)
}

// draining tells whether clients are to close after the current request.
func (m *manager) draining() bool { return m.c.gone.Load() }

// lastRequest tells whether the connection's count-th request is its last.
func (m *manager) lastRequest(c *connection, count uint32) bool {
	return m.maxRequests > 0 && count >= m.maxRequests || m.draining() || m.maxAge > 0 && time.Now().After(c.until)
}

// goAway sends GOAWAY on the HTTP/2 connections and lets their streams end.
func (m *manager) goAway(wait time.Duration) {
	m.once.Do(func() {
		ctx, cancel := context.WithTimeout(context.Background(), wait)
		go func() {
			defer cancel()
			_ = m.base.Shutdown(ctx)
		}()
	})
}

// serve speaks HTTP on a connection until it ends.
func (m *manager) serve(ctx context.Context, stream net.Conn, conn *connection) {
	if m.maxAge > 0 {
		timer := time.AfterFunc(m.maxAge+m.drainTime, func() { _ = conn.Close() })
		conn.onClose(func() { timer.Stop() })
	}
	if m.maxAge > 0 {
		conn.until = time.Now().Add(m.maxAge)
	}
	two, err := m.speaksHTTP2(stream, conn)
	if err != nil {
		_ = conn.Close()
		return
	}
	if two {
		ctx = context.WithValue(ctx, ageKey{}, &age{since: time.Now()})
		m.h2.ServeConn(stream, &http2.ServeConnOpts{Context: ctx, BaseConfig: m.base})
		_ = conn.Close()
		return
	}
	m.serveHTTP1(ctx, stream, conn)
}

// speaksHTTP2 decides by codec_type, by the protocol agreed on in TLS, and at
// last by the first bytes.
func (m *manager) speaksHTTP2(stream net.Conn, conn *connection) (bool, error) {
	switch m.codec {
	case hcmv3.HttpConnectionManager_HTTP1:
		return false, nil
	case hcmv3.HttpConnectionManager_HTTP2:
		return true, nil
	}
	if s, ok := stream.(*secured); ok {
		switch s.ConnectionState().NegotiatedProtocol {
		case "h2":
			return true, nil
		case "http/1.1", "http/1.0":
			return false, nil
		}
		return s.startsWith(preface, m.idle)
	}
	return startsWith(conn, &conn.peeked, preface, m.idle)
}

// startsWith reads as far as needed to tell whether a stream begins with text.
func startsWith(conn net.Conn, peeked *[]byte, text string, wait time.Duration) (bool, error) {
	if wait > 0 && len(*peeked) == 0 {
		_ = conn.SetReadDeadline(time.Now().Add(wait))
		defer func() { _ = conn.SetReadDeadline(time.Time{}) }()
	}
	kept := *peeked
	*peeked = nil
	defer func() { *peeked = kept }()
	for {
		n := min(len(kept), len(text))
		if string(kept[:n]) != text[:n] {
			return false, nil
		}
		if n == len(text) {
			return true, nil
		}
		var buf [1024]byte
		got, err := conn.Read(buf[:])
		kept = append(kept, buf[:got]...)
		if err != nil && got == 0 {
			if len(kept) > 0 {
				return false, nil // the codec says what is wrong with it
			}
			return false, err
		}
	}
}

// serveHTTP2Request hands an HTTP/2 request to the router.
func (m *manager) serveHTTP2Request(w http.ResponseWriter, req *http.Request) {
	m.busy.Add(1)
	defer m.busy.Add(-1)
	if m.draining() || m.expired(req) {
		w.Header().Set("Connection", "close") // becomes GOAWAY
	}
	m.handler.ServeHTTP(w, req)
}

// expired tells whether the request's connection is older than
// max_connection_duration allows, or has had its number of requests.
func (m *manager) expired(req *http.Request) bool {
	if m.maxAge == 0 && m.maxRequests == 0 {
		return false
	}
	age, _ := req.Context().Value(ageKey{}).(*age)
	if age == nil {
		return false
	}
	n := age.requests.Add(1)
	return m.maxAge > 0 && time.Since(age.since) >= m.maxAge || m.maxRequests > 0 && n >= m.maxRequests
}

type ageKey struct{}

// age is how old a connection is.
type age struct {
	since    time.Time
	requests atomic.Uint32
}

func (m *manager) remoteText(c *connection) string {
	if c.remoteText == "" {
		c.remoteText = c.down.Remote.String()
	}
	return c.remoteText
}

// logRefusal writes the access log of a request that never reached the router.
func (m *manager) logRefusal(c *connection, req *http.Request, bad *badRequest, sent int) {
	r := &flow.Record{Downstream: &c.down, Start: m.c.s.o.Now(), GRPCStatus: -1, Status: bad.Status, Details: bad.Details, BytesSent: int64(sent)}
	if bad.Status == http.StatusBadRequest || bad.Status == http.StatusNotImplemented {
		r.Flags.Add(flow.DownstreamProtocolError)
	}
	if req != nil {
		r.Method, r.Path, r.Authority, r.Protocol, r.RequestHeaders = req.Method, req.RequestURI, req.Host, req.Proto, req.Header
	}
	m.access.Log(r)
}
