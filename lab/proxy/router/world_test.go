package router_test

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/access_loggers/stream/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/rbac/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/retry/host/previous_hosts/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/upstreams/http/v3"

	"github.com/meshstorm/meshstorm/lab/proxy/flow"
	"github.com/meshstorm/meshstorm/lab/proxy/router"
	"github.com/meshstorm/meshstorm/lab/proxy/telemetry"
	"github.com/meshstorm/meshstorm/lab/proxy/upstream"
	"github.com/meshstorm/meshstorm/lab/proxy/xds"
	"github.com/meshstorm/meshstorm/route"
)

// logFormat is what the tests read of each record.
const logFormat = `%RESPONSE_CODE%~%RESPONSE_FLAGS%~%RESPONSE_CODE_DETAILS%~%UPSTREAM_CLUSTER%~%BYTES_RECEIVED%~%BYTES_SENT%~%UPSTREAM_TRANSPORT_FAILURE_REASON%~%GRPC_STATUS_NUMBER%~%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%\n`

// world is a router with real sockets on both sides.
type world struct {
	t        *testing.T
	router   *router.Router
	clusters *upstream.Clusters
	url      string
	client   *http.Client
	down     flow.Downstream
	log      *safeBuffer
	tel      *telemetry.Telemetry
}

type safeBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *safeBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *safeBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// setup is what a test asks of the world.
type setup struct {
	manager  string // more fields of the connection manager, as JSON
	filters  string // http_filters before the router, as JSON
	router   string // fields of the router filter
	host     string // more fields of the virtual host
	routes   string // routes, as JSON; one route to cluster "a" unless set
	config   string // more fields of the route configuration
	clusters map[string]string
	hosts    map[string][]string // endpoints of clusters; a and b by handlers
	handlers map[string][]http.Handler
	h2       bool // the client speaks HTTP/2
	down     flow.Downstream
	random   func() uint64
}

func unmarshal(t testing.TB, text string, m proto.Message) {
	t.Helper()
	if err := protojson.Unmarshal([]byte(text), m); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
}

func prefixed(text string) string {
	if text == "" {
		return ""
	}
	return "," + text
}

// serve starts a server that stops with the test.
func serve(t testing.TB, h http.Handler) string {
	t.Helper()
	s := httptest.NewUnstartedServer(h)
	s.Config.Protocols = &http.Protocols{}
	s.Config.Protocols.SetHTTP1(true)
	s.Config.Protocols.SetUnencryptedHTTP2(true)
	s.Start()
	t.Cleanup(func() { s.CloseClientConnections(); s.Close() })
	return s.Listener.Addr().String()
}

func snapshot(t testing.TB, s *setup) *xds.Snapshot {
	t.Helper()
	snap := &xds.Snapshot{Clusters: map[string]*clusterv3.Cluster{}, Endpoints: map[string]*endpointv3.ClusterLoadAssignment{}}
	names := map[string]bool{"a": true, "b": true}
	for name := range s.handlers {
		names[name] = true
	}
	for name := range s.hosts {
		names[name] = true
	}
	for name := range names {
		c := &clusterv3.Cluster{}
		unmarshal(t, `{"name":"`+name+`","type":"STATIC","connectTimeout":"5s"`+prefixed(s.clusters[name])+`}`, c)
		var endpoints []string
		addresses := s.hosts[name]
		for _, h := range s.handlers[name] {
			addresses = append(addresses, serve(t, h))
		}
		for _, a := range addresses {
			ap := netip.MustParseAddrPort(a)
			endpoints = append(endpoints, fmt.Sprintf(`{"endpoint":{"address":{"socketAddress":{"address":%q,"portValue":%d}}}}`, ap.Addr(), ap.Port()))
		}
		cla := &endpointv3.ClusterLoadAssignment{}
		unmarshal(t, `{"clusterName":"`+name+`","endpoints":[{"lbEndpoints":[`+strings.Join(endpoints, ",")+`]}]}`, cla)
		c.LoadAssignment = cla
		snap.Clusters[name] = c
		snap.Endpoints[name] = cla
	}
	return snap
}

const toA = `{"match":{"prefix":"/"},"route":{"cluster":"a"}}`

func newWorld(t *testing.T, s setup) *world {
	t.Helper()
	w := &world{t: t, log: &safeBuffer{}, down: s.down}
	w.tel = telemetry.New(telemetry.Options{Out: w.log})
	t.Cleanup(func() { _ = w.tel.Close() })
	w.clusters = upstream.New(upstream.Options{})
	t.Cleanup(w.clusters.Close)
	w.clusters.Update(snapshot(t, &s))
	hcm := &hcmv3.HttpConnectionManager{}
	unmarshal(t, `{"statPrefix":"t","accessLog":[{"name":"stdout","typedConfig":{"@type":"type.googleapis.com/envoy.extensions.access_loggers.stream.v3.StdoutAccessLog","logFormat":{"textFormatSource":{"inlineString":"`+logFormat+`"}}}}],
		"httpFilters":[`+filters(s.filters)+`{"name":"envoy.filters.http.router","typedConfig":{"@type":"type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"`+prefixed(s.router)+`}}]`+prefixed(s.manager)+`}`, hcm)
	r, err := router.New(hcm, router.Options{Clusters: w.clusters, Telemetry: w.tel, Random: s.random, Cluster: "order.default", Node: "sidecar~1"})
	if err != nil {
		t.Fatal(err)
	}
	w.router = r
	w.routes(s)
	w.listen(s.h2)
	return w
}

func filters(text string) string {
	if text == "" {
		return ""
	}
	return text + ","
}

func (w *world) routes(s setup) {
	w.t.Helper()
	if s.routes == "" {
		s.routes = toA
	}
	rc := &routev3.RouteConfiguration{}
	unmarshal(w.t, `{"name":"r","virtualHosts":[{"name":"v","domains":["*"],"routes":[`+s.routes+`]`+prefixed(s.host)+`}]`+prefixed(s.config)+`}`, rc)
	c, err := route.Compile(rc)
	if err != nil {
		w.t.Fatal(err)
	}
	w.router.SetRoutes(c)
}

func (w *world) listen(h2 bool) {
	protocols := &http.Protocols{}
	protocols.SetHTTP1(true)
	protocols.SetUnencryptedHTTP2(true)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		w.t.Fatal(err)
	}
	server := &http.Server{Handler: w.router, Protocols: protocols, ConnContext: func(ctx context.Context, c net.Conn) context.Context {
		d := w.down
		if !d.Remote.IsValid() {
			d.Remote = netip.MustParseAddrPort("10.244.0.9:4000")
		}
		if !d.Local.IsValid() {
			d.Local = netip.MustParseAddrPort("10.96.0.1:8080")
		}
		return flow.WithDownstream(ctx, &d)
	}}
	go func() { _ = server.Serve(l) }()
	w.t.Cleanup(func() { _ = server.Close() })
	w.url = "http://" + l.Addr().String()
	own := &http.Protocols{}
	own.SetHTTP1(!h2)
	own.SetUnencryptedHTTP2(h2)
	transport := &http.Transport{Protocols: own, DisableCompression: true}
	w.t.Cleanup(transport.CloseIdleConnections)
	w.client = &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// record waits for the n-th line of the access log and gives its fields.
func (w *world) record(n int) []string {
	w.t.Helper()
	deadline := time.Now().Add(10 * time.Second)
	for time.Now().Before(deadline) {
		lines := strings.Split(strings.TrimSpace(w.log.String()), "\n")
		if len(lines) > n && lines[n] != "" && strings.HasSuffix(w.log.String(), "\n") {
			return strings.Split(lines[n], "~")
		}
		time.Sleep(time.Millisecond)
	}
	w.t.Fatalf("no record %d in %q", n, w.log.String())
	return nil
}

// answer is a handler with a fixed answer.
func answer(status int, body string, headers ...string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		for i := 0; i+1 < len(headers); i += 2 {
			w.Header().Add(headers[i], headers[i+1])
		}
		w.WriteHeader(status)
		_, _ = w.Write([]byte(body))
	})
}

// echo tells the request's path, authority and headers in the answer's headers
// "Saw-…".
func echo() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Saw-Path", r.RequestURI)
		w.Header().Set("Saw-Host", r.Host)
		w.Header().Set("Saw-Method", r.Method)
		for name, values := range r.Header {
			w.Header().Set("Saw-"+name, strings.Join(values, "|"))
		}
		var b bytes.Buffer
		_, _ = b.ReadFrom(r.Body)
		_, _ = w.Write(b.Bytes())
	})
}

// closing closes each connection without an answer.
func closing() http.Handler {
	return http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
}

// hanging answers nothing until the request is cancelled.
func hanging() http.Handler {
	return http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
}
