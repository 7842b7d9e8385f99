package router_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	"golang.org/x/net/http2"

	"github.com/meshstorm/meshstorm/lab/loopback"
	"github.com/meshstorm/meshstorm/lab/pod"
	"github.com/meshstorm/meshstorm/lab/proxy/server"
	"github.com/meshstorm/meshstorm/lab/proxy/telemetry"
	"github.com/meshstorm/meshstorm/lab/proxy/upstream"
)

var lastPod atomic.Uint32

// listening starts a gateway with one listener, whose routes come by RDS, and
// gives its address.
func listening(t *testing.T, manager string, h http.Handler) string {
	t.Helper()
	n := lastPod.Add(1)
	ip := netip.AddrFrom4([4]byte{10, 244, byte(50 + os.Getpid()%50), byte(2 + n%250)})
	spec := &pod.Spec{IP: ip, Net: loopback.Default, Namespace: "default", Name: "gateway"}
	clusters := upstream.New(upstream.Options{})
	tel := telemetry.New(telemetry.Options{Node: &corev3.Node{}, Spec: spec, Out: io.Discard})
	s := server.New(server.Options{Spec: spec, Gateway: true, Clusters: clusters, Telemetry: tel, TerminationDrain: time.Second})
	snap := snapshot(t, &setup{handlers: handlers(h)})
	rc := &routev3.RouteConfiguration{}
	unmarshal(t, `{"name":"r","virtualHosts":[{"name":"v","domains":["*"],"routes":[`+toA+`]}]}`, rc)
	snap.Routes = map[string]*routev3.RouteConfiguration{"r": rc}
	l := &listenerv3.Listener{}
	unmarshal(t, `{"name":"0.0.0.0_8080","address":{"socketAddress":{"address":"0.0.0.0","portValue":8080}},"filterChains":[{"filters":[{"name":"hcm","typedConfig":{
		"@type":"type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager","statPrefix":"s",
		"rds":{"configSource":{"ads":{}},"routeConfigName":"r"},"httpFilters":[{"name":"envoy.filters.http.router","typedConfig":{"@type":"type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"}}]`+prefixed(manager)+`}}]}]}`, l)
	snap.Listeners = map[string]*listenerv3.Listener{l.GetName(): l}
	clusters.Update(snap)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); _ = s.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-done; clusters.Close() })
	if err := s.Update(snap); err != nil {
		t.Fatal(err)
	}
	return spec.Address(8080)
}

func dial(t *testing.T, address string) (net.Conn, *bufio.Reader) {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
	return conn, bufio.NewReader(conn)
}

// Below the router is the listener's codec: what the connection manager asks of
// it.
func TestListenerOptions(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, manager string
		run           func(t *testing.T, conn net.Conn, br *bufio.Reader)
	}{
		{"routes by RDS", "", func(t *testing.T, conn net.Conn, br *bufio.Reader) { expect(t, conn, br, get, "HTTP/1.1 200 OK") }},
		{"HTTP/2 only", `"codecType":"HTTP2","http2ProtocolOptions":{"maxConcurrentStreams":7,"initialStreamWindowSize":70000,"initialConnectionWindowSize":80000,"connectionKeepalive":{"interval":"0.02s","timeout":"5s"}}`, http2Settings},
		{"half a head takes too long", `"requestHeadersTimeout":"0.02s"`, func(t *testing.T, conn net.Conn, br *bufio.Reader) {
			expect(t, conn, br, "GET / HTTP/1.1\r\n", "HTTP/1.1 408 Request Timeout")
		}},
		{"an idle connection is closed", `"commonHttpProtocolOptions":{"idleTimeout":"0.02s"}`, func(t *testing.T, _ net.Conn, br *bufio.Reader) { closed(t, br) }},
		{"a connection grows too old", `"commonHttpProtocolOptions":{"maxConnectionDuration":"0.02s"},"drainTimeout":"0.02s"`, func(t *testing.T, _ net.Conn, br *bufio.Reader) { closed(t, br) }},
		{"a connection has had its requests", `"commonHttpProtocolOptions":{"maxRequestsPerConnection":1}`, func(t *testing.T, conn net.Conn, br *bufio.Reader) {
			expect(t, conn, br, get, "HTTP/1.1 200 OK")
			closed(t, br)
		}},
		{"HTTP/1.0 is taken", `"httpProtocolOptions":{"acceptHttp10":true}`, func(t *testing.T, conn net.Conn, br *bufio.Reader) {
			expect(t, conn, br, "GET / HTTP/1.0\r\nHost: x\r\n\r\n", "200 OK")
		}},
		{"a length beside chunks is taken", `"httpProtocolOptions":{"allowChunkedLength":true}`, func(t *testing.T, conn net.Conn, br *bufio.Reader) {
			expect(t, conn, br, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n", "HTTP/1.1 200 OK")
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			conn, br := dial(t, listening(t, c.manager, echo()))
			c.run(t, conn, br)
		})
	}
}

const get = "GET / HTTP/1.1\r\nHost: x\r\n\r\n"

func expect(t *testing.T, conn net.Conn, br *bufio.Reader, send, want string) {
	t.Helper()
	_, _ = fmt.Fprint(conn, send)
	line, err := br.ReadString('\n')
	if !strings.Contains(line, want) {
		t.Fatalf("%q, %v; want %q", line, err, want)
	}
}

func closed(t *testing.T, br *bufio.Reader) {
	t.Helper()
	if _, err := io.Copy(io.Discard, br); err != nil && strings.Contains(err.Error(), "timeout") {
		t.Fatal(err)
	}
}

func http2Settings(t *testing.T, conn net.Conn, br *bufio.Reader) {
	t.Helper()
	_, _ = fmt.Fprint(conn, http2.ClientPreface)
	framer := http2.NewFramer(conn, br)
	_ = framer.WriteSettings()
	settings, window, ping := map[http2.SettingID]uint32{}, uint32(0), false
	for len(settings) == 0 || window == 0 || !ping {
		f, err := framer.ReadFrame()
		if err != nil {
			t.Fatal(err)
		}
		switch f := f.(type) {
		case *http2.SettingsFrame:
			_ = f.ForeachSetting(func(s http2.Setting) error { settings[s.ID] = s.Val; return nil })
		case *http2.WindowUpdateFrame:
			window = f.Increment
		case *http2.PingFrame:
			ping = true
		}
	}
	if settings[http2.SettingMaxConcurrentStreams] != 7 || settings[http2.SettingInitialWindowSize] != 70000 || window != 80000-65535 {
		t.Errorf("settings %v, window update %d", settings, window)
	}
}
