package server

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
)

// TestAConfigurationPushedWhileRequestsFlow changes routes, chains and
// listeners fifty times; no request fails.
func TestAConfigurationPushedWhileRequestsFlow(t *testing.T) {
	w := simple(t, hello2, "")
	w.cluster("b", backend(t, hello2))
	w.mustApply()
	stop := make(chan struct{})
	var sent, failed atomic.Int64
	var group sync.WaitGroup
	h2 := &http.Client{Transport: &http2.Transport{AllowHTTP: true, DialTLSContext: plainDial}}
	h1 := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 8}}
	for _, client := range []*http.Client{h1, h1, h1, h2} {
		group.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				resp, err := client.Get("http://" + w.address(8080) + "/x")
				sent.Add(1)
				if err != nil {
					failed.Add(1)
					t.Error(err)
					return
				}
				_, _ = io.Copy(io.Discard, resp.Body)
				_ = resp.Body.Close()
				if resp.StatusCode != http.StatusOK {
					failed.Add(1)
					t.Error(resp.Status)
				}
			}
		})
	}
	for i := range 50 {
		w.routes("r", []string{"a", "b"}[i%2])
		if i%3 == 0 { // the chain changes: live connections drain
			w.listener(gatewayListener(8080, fmt.Sprintf(`{"name":"c%d","filters":[%s]}`, i, hcm("r", ""))))
		}
		if i%5 == 0 {
			w.listener(gatewayListener(8100+i, `{"filters":[`+hcm("r", "")+`]}`))
		}
		before := sent.Load()
		w.mustApply()
		eventually(t, "requests after the push", func() bool { return sent.Load() > before+8 || failed.Load() > 0 })
	}
	close(stop)
	group.Wait()
	t.Logf("%d requests, %d failed", sent.Load(), failed.Load())
}

func TestALiveConnectionTakesNewRoutes(t *testing.T) {
	w := simple(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "a") }, "")
	w.cluster("b", backend(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "b") }))
	conn := w.dial(8080)
	br := bufio.NewReader(conn)
	for _, want := range []string{"a", "b"} {
		w.routes("r", want)
		w.mustApply()
		_, _ = io.WriteString(conn, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
		resp, err := http.ReadResponse(br, nil)
		if err != nil {
			t.Fatal(err)
		}
		if got, _ := io.ReadAll(resp.Body); string(got) != want || resp.Close {
			t.Errorf("got %q, close %v; want %q", got, resp.Close, want)
		}
	}
	w.listener(gatewayListener(8080, `{"name":"other","filters":[`+hcm("r", "")+`]}`))
	w.mustApply()
	_, _ = io.WriteString(conn, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	resp, err := http.ReadResponse(br, nil)
	if err != nil || !resp.Close {
		t.Errorf("a connection of the old chain goes on: %v, %v", resp, err)
	}
}

func TestAFaultyListenerKeepsWhatItWas(t *testing.T) {
	w := simple(t, hello2, "")
	w.listener(gatewayListener(8080, `{"filters":[`+tcp("", "")+`]}`))
	if err := w.apply(); err == nil || !strings.Contains(err.Error(), "listener 0.0.0.0_8080: filter chain 0: network filter") {
		t.Errorf("the error is %v", err)
	}
	if got := exchange(t, w.dial(8080), "GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"); !strings.Contains(got, " 200 OK") {
		t.Errorf("got %q", got)
	}
	if err := Check("", "x", w.snap.Listeners["0.0.0.0_8080"]); err == nil {
		t.Error("Check accepts it")
	}
}

func TestStopping(t *testing.T) {
	release := make(chan struct{})
	started := make(chan struct{})
	w := simple(t, func(w http.ResponseWriter, _ *http.Request) {
		close(started)
		<-release
		_, _ = io.WriteString(w, "done")
	}, "")
	conn := w.dial(8080)
	_, _ = io.WriteString(conn, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	<-started
	w.stop()
	eventually(t, "no more connections are accepted", func() bool {
		c, err := net.Dial("tcp", w.address(8080))
		if err == nil {
			_ = c.Close()
		}
		return err != nil
	})
	close(release)
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	if got, _ := io.ReadAll(resp.Body); string(got) != "done" || !resp.Close {
		t.Errorf("got %q, close %v", got, resp.Close)
	}
	<-w.done
}

// TestGRPC streams through the proxy over HTTP/2 without TLS.
func TestGRPC(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	service := health.NewServer()
	s := grpc.NewServer()
	healthv1.RegisterHealthServer(s, service)
	go func() { _ = s.Serve(ln) }()
	t.Cleanup(s.Stop)
	w := newWorld(t, true)
	w.cluster("g", ln.Addr().String())
	speakHTTP2(t, w.snap.Clusters["g"])
	w.routes("r", "g")
	w.listener(gatewayListener(8080, `{"filters":[`+hcm("r", "")+`]}`))
	w.mustApply()
	client, err := grpc.NewClient(w.address(8080), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	stream, err := healthv1.NewHealthClient(client).Watch(ctx, &healthv1.HealthCheckRequest{})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []healthv1.HealthCheckResponse_ServingStatus{1, 2, 1} {
		service.SetServingStatus("", want)
		got, err := stream.Recv()
		if err != nil {
			t.Fatal(err)
		}
		if got.GetStatus() != want {
			t.Errorf("got %v, want %v", got.GetStatus(), want)
		}
	}
	if _, err := healthv1.NewHealthClient(client).Check(ctx, &healthv1.HealthCheckRequest{Service: "nobody"}); grpcCode(err) != "NotFound" {
		t.Errorf("a trailers-only answer gives %v", err)
	}
}

// TestWebsocket upgrades through the whole proxy; bytes flow both ways.
func TestWebsocket(t *testing.T) {
	w := simple(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Upgrade") != "websocket" {
			http.Error(w, "no upgrade", http.StatusBadRequest)
			return
		}
		conn, rw, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		defer func() { _ = conn.Close() }()
		_, _ = rw.WriteString("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
		_ = rw.Flush()
		_, _ = io.Copy(conn, rw)
	}, "")
	conn := w.dial(8080)
	_, _ = io.WriteString(conn, "GET /ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
	br := bufio.NewReader(conn)
	resp, err := http.ReadResponse(br, nil)
	if err != nil || resp.StatusCode != http.StatusSwitchingProtocols || resp.Header.Get("Upgrade") != "websocket" {
		t.Fatalf("got %v, %v", resp, err)
	}
	for _, text := range []string{"ping", "pong"} {
		_, _ = io.WriteString(conn, text)
		got := make([]byte, 4)
		if _, err := io.ReadFull(br, got); err != nil || string(got) != text {
			t.Fatalf("got %q, %v", got, err)
		}
	}
}
