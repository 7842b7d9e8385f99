package router_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"

	"github.com/meshstorm/meshstorm/lab/proxy/flow"
)

const http2Cluster = `"typedExtensionProtocolOptions":{"envoy.extensions.upstreams.http.v3.HttpProtocolOptions":{"@type":"type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions","explicitHttpConfig":{"http2ProtocolOptions":{}}}}`

func frame(text string) []byte {
	n := len(text)
	return append([]byte{0, byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)}, text...)
}

func TestStreamBothWaysWithTrailers(t *testing.T) {
	t.Parallel()
	w := newWorld(t, setup{h2: true, clusters: map[string]string{"a": http2Cluster}, filters: `{"name":"envoy.filters.http.grpc_stats","typedConfig":{"@type":"type.googleapis.com/envoy.extensions.filters.http.grpc_stats.v3.FilterConfig","emitFilterState":true}}`,
		handlers: handlers(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "application/grpc")
			w.WriteHeader(200)
			_ = http.NewResponseController(w).Flush()
			buf := make([]byte, 64)
			for {
				n, err := r.Body.Read(buf)
				_, _ = w.Write(buf[:n])
				_ = http.NewResponseController(w).Flush()
				if err != nil {
					break
				}
			}
			w.Header().Set(http.TrailerPrefix+"Grpc-Status", "7")
		}))})
	in, out := io.Pipe()
	req, _ := http.NewRequest("POST", w.url+"/s/M", in)
	req.Header.Set("Content-Type", "application/grpc")
	req.Header.Set("Te", "trailers")
	resp, err := w.client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"one", "two", "three"} {
		if _, err := out.Write(frame(text)); err != nil {
			t.Fatal(err)
		}
		got := make([]byte, 5+len(text))
		if _, err := io.ReadFull(resp.Body, got); err != nil || !bytes.Equal(got, frame(text)) {
			t.Fatalf("got %q, %v", got, err)
		}
	}
	_ = out.Close()
	if _, err := io.ReadAll(resp.Body); err != nil {
		t.Fatal(err)
	}
	if got := resp.Trailer.Get("Grpc-Status"); got != "7" {
		t.Errorf("grpc-status %q, want 7", got)
	}
	if rec := w.record(0); rec[0] != "200" || rec[7] != "7" || rec[4] != "26" || rec[5] != "26" {
		t.Errorf("record %q", rec)
	}
}

// socket is a websocket-like server: it answers 101 and gives every line back.
func socket() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Upgrade") != "websocket" {
			w.WriteHeader(400)
			return
		}
		conn, rw, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		defer func() { _ = conn.Close() }()
		_, _ = rw.WriteString("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: x\r\n\r\n")
		_ = rw.Flush()
		_, _ = io.Copy(conn, rw)
	})
}

func TestUpgrade(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		setup setup
	}{
		{"the manager allows it", setup{handlers: handlers(socket()), manager: `"upgradeConfigs":[{"upgradeType":"websocket"}]`}},
		{"the route allows it", setup{handlers: handlers(socket()), manager: `"upgradeConfigs":[{"upgradeType":"websocket","enabled":false}]`, routes: toCluster(`"upgradeConfigs":[{"upgradeType":"websocket"}]`)}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, c.setup)
			conn, err := net.Dial("tcp", strings.TrimPrefix(w.url, "http://"))
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = conn.Close() }()
			_, _ = fmt.Fprint(conn, "GET /ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
			br := bufio.NewReader(conn)
			resp, err := http.ReadResponse(br, nil)
			if err != nil || resp.StatusCode != 101 || resp.Header.Get("Upgrade") != "websocket" || resp.Header.Get("Server") != "envoy" {
				t.Fatalf("%v, %v", resp, err)
			}
			_, _ = fmt.Fprint(conn, "hello")
			got := make([]byte, 5)
			if _, err := io.ReadFull(br, got); err != nil || string(got) != "hello" {
				t.Fatalf("%q, %v", got, err)
			}
			_ = conn.(*net.TCPConn).CloseWrite()
			_, _ = io.Copy(io.Discard, br)
			if rec := w.record(0); rec[0] != "101" || rec[4] != "5" || rec[5] != "5" {
				t.Errorf("record %q", rec)
			}
		})
	}
}

func TestConnect(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() { _, _ = io.Copy(c, c); _ = c.Close() }()
		}
	}()
	w := newWorld(t, setup{hosts: map[string][]string{"a": {l.Addr().String()}}, manager: `"upgradeConfigs":[{"upgradeType":"CONNECT"}]`,
		routes: `{"match":{"connectMatcher":{}},"route":{"cluster":"a","upgradeConfigs":[{"upgradeType":"CONNECT","connectConfig":{}}]}}`})
	conn, err := net.Dial("tcp", strings.TrimPrefix(w.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	_, _ = fmt.Fprint(conn, "CONNECT db:5432 HTTP/1.1\r\nHost: db:5432\r\n\r\n")
	br := bufio.NewReader(conn)
	resp, err := http.ReadResponse(br, &http.Request{Method: "CONNECT"})
	if err != nil || resp.StatusCode != 200 {
		t.Fatalf("%v, %v", resp, err)
	}
	_, _ = fmt.Fprint(conn, "hello")
	got := make([]byte, 5)
	if _, err := io.ReadFull(br, got); err != nil || string(got) != "hello" {
		t.Fatalf("%q, %v", got, err)
	}
	_ = conn.(*net.TCPConn).CloseWrite()
	_, _ = io.Copy(io.Discard, br)
	if rec := w.record(0); rec[0] != "200" || rec[2] != "via_upstream" {
		t.Errorf("record %q", rec)
	}
}

func TestClientThatLeaves(t *testing.T) {
	t.Parallel()
	arrived, left := make(chan struct{}), make(chan struct{})
	w := newWorld(t, setup{handlers: handlers(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		close(arrived)
		<-r.Context().Done()
		close(left)
	}))})
	ctx, cancel := context.WithCancel(context.Background())
	req, _ := http.NewRequestWithContext(ctx, "GET", w.url+"/", nil)
	done := make(chan error, 1)
	go func() {
		_, err := w.client.Do(req)
		done <- err
	}()
	<-arrived
	cancel()
	<-done
	<-left // the upstream learns of it
	if rec := w.record(0); rec[0] != "0" || rec[1] != "DC" || rec[2] != "downstream_remote_disconnect" {
		t.Errorf("record %q", rec)
	}
}

func TestUpstreamThatBreaksOff(t *testing.T) {
	t.Parallel()
	w := newWorld(t, setup{handlers: handlers(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte("half"))
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}))})
	resp, err := w.client.Get(w.url + "/")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	if _, err := io.ReadAll(resp.Body); err == nil {
		t.Error("the client takes the half for the whole")
	}
	if rec := w.record(0); rec[0] != "200" || rec[1] != "UC" || rec[2] != "upstream_reset_after_response_started{connection_termination}" {
		t.Errorf("record %q", rec)
	}
}

func TestTimeoutInTheMiddle(t *testing.T) {
	t.Parallel()
	w := newWorld(t, setup{routes: toCluster(`"timeout":"0.05s"`), handlers: handlers(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = w.Write([]byte("half"))
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	}))})
	resp, err := w.client.Get(w.url + "/")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	if _, err := io.ReadAll(resp.Body); err == nil {
		t.Error("the client takes the half for the whole")
	}
	if rec := w.record(0); rec[0] != "200" || rec[1] != "UT" || rec[2] != "response_timeout" {
		t.Errorf("record %q", rec)
	}
}

func TestContinue(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, manager string }{{"the proxy asks for the body", ""}, {"the upstream asks for the body", `"proxy100Continue":true`}} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, setup{handlers: handlers(echo()), manager: c.manager})
			conn, err := net.Dial("tcp", strings.TrimPrefix(w.url, "http://"))
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = conn.Close() }()
			_, _ = fmt.Fprint(conn, "POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n")
			br := bufio.NewReader(conn)
			line, err := br.ReadString('\n')
			if err != nil || !strings.Contains(line, "100 Continue") {
				t.Fatalf("%q, %v", line, err)
			}
			_, _ = br.ReadString('\n')
			_, _ = fmt.Fprint(conn, "hello")
			resp, err := http.ReadResponse(br, nil)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = resp.Body.Close() }()
			if got, _ := io.ReadAll(resp.Body); string(got) != "hello" {
				t.Errorf("got %q", got)
			}
		})
	}
}

func TestHTTP1Trailers(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, manager, want string }{
		{"they are dropped", "", ""}, {"they are passed on", `"httpProtocolOptions":{"enableTrailers":true}`, "1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, setup{manager: c.manager, clusters: map[string]string{"a": strings.Replace(http2Cluster, `"http2ProtocolOptions":{}`, `"httpProtocolOptions":{"enableTrailers":true}`, 1)}, handlers: handlers(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Trailer", "X-End")
				_, _ = w.Write([]byte("body"))
				_ = http.NewResponseController(w).Flush()
				w.Header().Set("X-End", "1")
			}))})
			resp, err := w.client.Get(w.url + "/")
			if err != nil {
				t.Fatal(err)
			}
			_, _ = io.ReadAll(resp.Body)
			_ = resp.Body.Close()
			if got := resp.Trailer.Get("X-End"); got != c.want {
				t.Errorf("trailer %q, want %q", got, c.want)
			}
		})
	}
}

func TestRequestTimeout(t *testing.T) {
	t.Parallel()
	w := newWorld(t, setup{handlers: handlers(echo()), manager: `"requestTimeout":"0.03s"`})
	in, out := io.Pipe()
	defer func() { _ = out.Close() }()
	req, _ := http.NewRequest("POST", w.url+"/", in)
	resp, err := w.client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode != 408 {
		t.Errorf("status %d, want 408", resp.StatusCode)
	}
	if rec := w.record(0); rec[2] != "request_overall_timeout" {
		t.Errorf("record %q", rec)
	}
}

func TestSourceBehindTrustedProxy(t *testing.T) {
	t.Parallel()
	w := newWorld(t, setup{handlers: handlers(echo()), down: flow.Downstream{Remote: netip.MustParseAddrPort("10.244.0.3:1")}})
	req, _ := http.NewRequest("GET", w.url+"/", nil)
	req.Header.Set("X-Forwarded-For", "192.0.2.1")
	resp, err := w.client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if rec := w.record(0); rec[8] != "192.0.2.1" {
		t.Errorf("record %q", rec)
	}
}
