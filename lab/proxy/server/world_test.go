package server

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/meshstorm/meshstorm/lab/loopback"
	"github.com/meshstorm/meshstorm/lab/pod"
	"github.com/meshstorm/meshstorm/lab/proxy/telemetry"
	"github.com/meshstorm/meshstorm/lab/proxy/upstream"
	"github.com/meshstorm/meshstorm/lab/proxy/xds"
)

// world is a proxy with hand-made configuration on real sockets.
type world struct {
	t      testing.TB
	server *Server
	spec   *pod.Spec
	snap   *xds.Snapshot
	log    *lockedBuffer // access log
	notes  *lockedBuffer // slog
	stop   context.CancelFunc
	done   chan struct{}
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

var lastPod atomic.Uint32

// newWorld starts a proxy on a pod IP of its own.
func newWorld(t testing.TB, gateway bool, change ...func(*Options)) *world {
	t.Helper()
	n := lastPod.Add(1)
	pid := uint32(os.Getpid())
	ip := netip.AddrFrom4([4]byte{10, 244, byte(100 + pid%100), byte(2 + n%250)})
	w := &world{t: t, log: &lockedBuffer{}, notes: &lockedBuffer{}, spec: &pod.Spec{IP: ip, Net: loopback.Default, Namespace: "default", Name: "test"}}
	log := slog.New(slog.NewTextHandler(w.notes, &slog.HandlerOptions{Level: slog.LevelDebug}))
	clusters := upstream.New(upstream.Options{Log: log})
	tel := telemetry.New(telemetry.Options{Node: &corev3.Node{}, Spec: w.spec, Out: w.log, Log: log})
	o := Options{Spec: w.spec, Gateway: gateway, Clusters: clusters, Telemetry: tel, Log: log, TerminationDrain: 2 * time.Second}
	for _, f := range change {
		f(&o)
	}
	w.server = New(o)
	w.snap = &xds.Snapshot{Listeners: map[string]*listenerv3.Listener{}, Routes: map[string]*routev3.RouteConfiguration{},
		Clusters: map[string]*clusterv3.Cluster{}, Endpoints: map[string]*endpointv3.ClusterLoadAssignment{},
		Secrets: map[string]*tlsv3.Secret{}, Filters: map[string]*corev3.TypedExtensionConfig{}}
	ctx, cancel := context.WithCancel(context.Background())
	w.stop, w.done = cancel, make(chan struct{})
	go func() { defer close(w.done); _ = w.server.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		<-w.done
		if t.Failed() {
			t.Logf("proxy's log:\n%s\naccess log:\n%s", w.notes, w.log)
		}
	})
	return w
}

// apply takes the snapshot over, as a copy of its maps.
func (w *world) apply() error {
	s := *w.snap
	s.Number++
	w.snap.Number++
	s.Listeners, s.Routes, s.Clusters = clone(s.Listeners), clone(s.Routes), clone(s.Clusters)
	s.Endpoints, s.Secrets, s.Filters = clone(s.Endpoints), clone(s.Secrets), clone(s.Filters)
	w.server.o.Clusters.Update(&s)
	return w.server.Update(&s)
}

func (w *world) mustApply() {
	w.t.Helper()
	if err := w.apply(); err != nil {
		w.t.Fatal(err)
	}
}

func clone[V any](m map[string]V) map[string]V {
	out := make(map[string]V, len(m))
	for k, v := range m {
		out[k] = v
	}
	return out
}

// listener adds a listener from protojson.
func (w *world) listener(text string) *listenerv3.Listener {
	w.t.Helper()
	l := &listenerv3.Listener{}
	parse(w.t, text, l)
	w.snap.Listeners[l.GetName()] = l
	return l
}

func parse(t testing.TB, text string, m proto.Message) {
	t.Helper()
	if err := protojson.Unmarshal([]byte(text), m); err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
}

// cluster adds a static cluster.
func (w *world) cluster(name string, hosts ...string) {
	w.t.Helper()
	w.snap.Clusters[name] = &clusterv3.Cluster{Name: name, ClusterDiscoveryType: &clusterv3.Cluster_Type{Type: clusterv3.Cluster_EDS}}
	e := &endpointv3.ClusterLoadAssignment{ClusterName: name, Endpoints: []*endpointv3.LocalityLbEndpoints{{}}}
	for _, h := range hosts {
		ap := netip.MustParseAddrPort(h)
		e.Endpoints[0].LbEndpoints = append(e.Endpoints[0].LbEndpoints, &endpointv3.LbEndpoint{HealthStatus: corev3.HealthStatus_HEALTHY,
			HostIdentifier: &endpointv3.LbEndpoint_Endpoint{Endpoint: &endpointv3.Endpoint{Address: &corev3.Address{Address: &corev3.Address_SocketAddress{
				SocketAddress: &corev3.SocketAddress{Address: ap.Addr().String(), PortSpecifier: &corev3.SocketAddress_PortValue{PortValue: uint32(ap.Port())}}}}}}})
	}
	w.snap.Endpoints[name] = e
}

// routes adds a route configuration that sends all to a cluster.
func (w *world) routes(name, cluster string) {
	w.snap.Routes[name] = &routev3.RouteConfiguration{Name: name, VirtualHosts: []*routev3.VirtualHost{{Name: "all", Domains: []string{"*"},
		Routes: []*routev3.Route{{Match: &routev3.RouteMatch{PathSpecifier: &routev3.RouteMatch_Prefix{Prefix: "/"}},
			Action: &routev3.Route_Route{Route: &routev3.RouteAction{ClusterSpecifier: &routev3.RouteAction_Cluster{Cluster: cluster}}}}}}}}
}

const accessLog = `"accessLog":[{"name":"envoy.access_loggers.file","typedConfig":{"@type":"type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog","path":"/dev/stdout","logFormat":{"textFormatSource":{"inlineString":"code=%RESPONSE_CODE% flags=%RESPONSE_FLAGS% details=%RESPONSE_CODE_DETAILS% chain=%FILTER_CHAIN_NAME% up=%UPSTREAM_CLUSTER% in=%BYTES_RECEIVED% out=%BYTES_SENT% from=%DOWNSTREAM_REMOTE_ADDRESS% to=%DOWNSTREAM_LOCAL_ADDRESS% failure=%UPSTREAM_TRANSPORT_FAILURE_REASON%\n"}}}}]`

// hcm is an HTTP connection manager with routes from RDS.
func hcm(routes, more string) string {
	if more != "" {
		more = "," + more
	}
	return `{"name":"envoy.filters.network.http_connection_manager","typedConfig":{
	"@type":"type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
	"statPrefix":"x","rds":{"configSource":{"ads":{}},"routeConfigName":"` + routes + `"},` + accessLog + `,"upgradeConfigs":[{"upgradeType":"websocket"}],
	"httpFilters":[{"name":"envoy.filters.http.router","typedConfig":{"@type":"type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"}}]` + more + `}}`
}

func tcp(cluster, more string) string {
	if more != "" {
		more = "," + more
	}
	return `{"name":"envoy.filters.network.tcp_proxy","typedConfig":{"@type":"type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy",
	"statPrefix":"x","cluster":"` + cluster + `",` + accessLog + more + `}}`
}

// gatewayListener is a listener of a gateway with one chain.
func gatewayListener(port int, chain string) string {
	return fmt.Sprintf(`{"name":"0.0.0.0_%d","address":{"socketAddress":{"address":"0.0.0.0","portValue":%d}},"filterChains":[%s],"trafficDirection":"OUTBOUND"}`, port, port, chain)
}

// backend is an HTTP server that tells of the request.
func backend(t testing.TB, h http.HandlerFunc) string {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s.Listener.Addr().String()
}

func (w *world) address(port int) string { return w.spec.Address(port) }

// dial connects to a port of the gateway.
func (w *world) dial(port int) net.Conn {
	w.t.Helper()
	c, err := net.Dial("tcp", w.address(port))
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { _ = c.Close() })
	_ = c.SetDeadline(time.Now().Add(20 * time.Second))
	return c
}

// simple is a gateway on port 8080 in front of an HTTP backend.
func simple(t testing.TB, h http.HandlerFunc, more string) *world {
	w := newWorld(t, true)
	w.cluster("a", backend(t, h))
	w.routes("r", "a")
	w.listener(gatewayListener(8080, `{"filters":[`+hcm("r", more)+`]}`))
	w.mustApply()
	return w
}

// eventually waits until ok is true.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(15 * time.Second)
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain: %s", what)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func hello2(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	w.Header().Set("X-Seen", strings.Join([]string{r.Method, r.RequestURI, r.Host, string(body)}, " "))
	_, _ = io.WriteString(w, "hello")
}
