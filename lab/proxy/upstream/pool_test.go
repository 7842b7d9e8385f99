package upstream_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/meshstorm/meshstorm/lab/proxy/upstream"
	"github.com/meshstorm/meshstorm/lab/proxy/xds"
)

// held is an upstream that answers when it is let.
func held(t testing.TB) (at netip.AddrPort, arrived, release chan struct{}) {
	arrived, release = make(chan struct{}, 100), make(chan struct{})
	at = server(t, func(w http.ResponseWriter, r *http.Request) {
		arrived <- struct{}{}
		<-release
		_, _ = io.WriteString(w, "ok")
	})
	return at, arrived, release
}

func TestOverflow(t *testing.T) {
	for _, c := range []struct {
		name, thresholds, protocol string
		high                       bool
		passes                     int // requests at the upstream when the next overflows
		queued                     int
	}{
		{"one request", `[{"maxRequests":1}]`, ``, false, 1, 0},
		{"one request over HTTP/2", `[{"maxRequests":1}]`, `,"http2ProtocolOptions":{}`, false, 1, 0},
		{"one connection and one that waits", `[{"maxConnections":1,"maxPendingRequests":1}]`, ``, false, 1, 1},
		{"three connections and two that wait", `[{"maxConnections":3,"maxPendingRequests":2}]`, ``, false, 3, 2},
		{"each priority has its own", `[{"maxRequests":0},{"priority":"HIGH","maxRequests":2}]`, ``, true, 2, 0},
		{"connections per host", `[{"maxPendingRequests":1}],"perHostThresholds":[{"maxConnections":2}]`, ``, false, 2, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			at, arrived, release := held(t)
			k, _ := cluster(t, upstream.Options{}, `{"circuitBreakers":{"thresholds":`+c.thresholds+`}`+c.protocol+`}`, endpoints(at))
			results := make(chan error, 10)
			call := func() {
				ctx := upstream.WithExchange(context.Background(), &upstream.Exchange{HighPriority: c.high})
				resp, err := k.Do(ctx, pick(t, k), request(t, "GET", "/", nil))
				if err == nil {
					_, err = io.ReadAll(resp.Body)
					resp.Body.Close()
				}
				results <- err
			}
			for range c.passes {
				go call()
				<-arrived
			}
			for range c.queued + 1 {
				go call()
			}
			if err := <-results; !errors.Is(err, upstream.ErrOverflow) || upstream.ResetReason(err) != "overflow" {
				t.Errorf("got %v (%q), want an overflow", err, upstream.ResetReason(err))
			}
			close(release)
			for range c.passes + c.queued {
				if err := <-results; err != nil {
					t.Errorf("a request within the limits: %v", err)
				}
			}
			for range 3 { // and all is given back
				if call(); <-results != nil {
					t.Error("a request after all were over failed")
				}
			}
		})
	}
}

func TestRetries(t *testing.T) {
	k, _ := cluster(t, upstream.Options{}, `{"circuitBreakers":{"thresholds":[{"maxRetries":2}]}}`, endpoints(addresses(1)...))
	first, ok1 := k.Retry()
	_, ok2 := k.Retry()
	_, ok3 := k.Retry()
	if !ok1 || !ok2 || ok3 {
		t.Errorf("2 retries may be under way, got %v %v %v", ok1, ok2, ok3)
	}
	first()
	first() // once is enough
	if _, ok := k.Retry(); !ok {
		t.Error("a retry that is over makes room")
	}
	if _, ok := k.Retry(); ok {
		t.Error("one release made room for two")
	}
}

func TestRetryBudget(t *testing.T) {
	at, arrived, release := held(t)
	k, _ := cluster(t, upstream.Options{}, `{"circuitBreakers":{"thresholds":[{"retryBudget":{"budgetPercent":{"value":50},"minRetryConcurrency":1}}]}}`, endpoints(at))
	if _, ok := k.Retry(); !ok {
		t.Error("the minimum is always allowed")
	}
	if _, ok := k.Retry(); ok {
		t.Error("without requests there is no more than the minimum")
	}
	var wait sync.WaitGroup
	for range 4 {
		wait.Go(func() { do(t, k, request(t, "GET", "/", nil)) })
		<-arrived
	}
	if _, ok := k.Retry(); !ok {
		t.Error("50 % of 4 requests are 2 retries")
	}
	if _, ok := k.Retry(); ok {
		t.Error("a third retry is more than 50 % of 4")
	}
	close(release)
	wait.Wait()
}

func TestRetryBudgetInterval(t *testing.T) {
	now := time.Unix(1_000_000, 0)
	at := server(t, func(w http.ResponseWriter, r *http.Request) {})
	k, _ := cluster(t, upstream.Options{Now: func() time.Time { return now }},
		`{"circuitBreakers":{"thresholds":[{"retryBudget":{"budgetPercent":{"value":50},"budgetInterval":"10s","minRetryConcurrency":1}}]}}`, endpoints(at))
	locals(t, k, 4)
	_, first := k.Retry()
	release, second := k.Retry()
	if _, third := k.Retry(); !first || !second || third {
		t.Errorf("50 %% of 4 requests of the last 10 s are 2 retries, got %t %t %t", first, second, third)
	}
	release()
	now = now.Add(11 * time.Second)
	if _, ok := k.Retry(); ok {
		t.Error("after 10 s only the minimum is left, and that is under way")
	}
}

// locals makes n requests one after another and gives the connections used.
func locals(t testing.TB, k *upstream.Cluster, n int) map[netip.AddrPort]bool {
	used := map[netip.AddrPort]bool{}
	for range n {
		ex := &upstream.Exchange{}
		resp, err := k.Do(upstream.WithExchange(context.Background(), ex), pick(t, k), request(t, "GET", "/", nil))
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.ReadAll(resp.Body)
		resp.Body.Close()
		used[ex.Local] = true
	}
	return used
}

func TestKeepAlive(t *testing.T) {
	for _, c := range []struct {
		name, options string
		connections   int // for 6 requests
	}{
		{"kept", ``, 1},
		{"two requests per connection", `"maxRequestsPerConnection":2`, 3},
		{"one request per connection", `"maxRequestsPerConnection":1`, 6},
		{"a connection that is too old", `"maxConnectionDuration":"0.000001s"`, 6},
	} {
		for _, version := range []string{`{"httpProtocolOptions":{}}`, `{"http2ProtocolOptions":{}}`} {
			if strings.Contains(c.options, "maxConnectionDuration") && strings.Contains(version, "http2") {
				continue // it ends by its own timer: TestIdleConnectionsAreClosed
			}
			t.Run(c.name+version, func(t *testing.T) {
				at := server(t, func(w http.ResponseWriter, r *http.Request) {})
				k, _ := cluster(t, upstream.Options{}, protocol(`"commonHttpProtocolOptions":{`+c.options+`},"explicitHttpConfig":`+version), endpoints(at))
				if used := locals(t, k, 6); len(used) != c.connections {
					t.Errorf("6 requests took %d connections, want %d", len(used), c.connections)
				}
			})
		}
	}
}

// watched is an upstream that tells how many connections are open.
func watched(t testing.TB) (netip.AddrPort, *atomic.Int32) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {}), Protocols: &http.Protocols{}}
	s.Protocols.SetHTTP1(true)
	s.Protocols.SetUnencryptedHTTP2(true)
	counting := &countingListener{Listener: l}
	go func() { _ = s.Serve(counting) }()
	t.Cleanup(func() { s.Close() })
	return netip.MustParseAddrPort(l.Addr().String()), &counting.open
}

type countingListener struct {
	net.Listener
	open atomic.Int32
}

type countingConn struct {
	net.Conn
	closed func()
}

func (l *countingListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	l.open.Add(1)
	return &countingConn{c, sync.OnceFunc(func() { l.open.Add(-1) })}, nil
}

func (c *countingConn) Close() error {
	defer c.closed()
	return c.Conn.Close()
}

func TestIdleConnectionsAreClosed(t *testing.T) {
	for _, version := range []string{`{"httpProtocolOptions":{}}`, `{"http2ProtocolOptions":{}}`} {
		for _, option := range []string{`"idleTimeout":"0.020s"`, `"maxConnectionDuration":"0.020s"`} {
			at, open := watched(t)
			k, _ := cluster(t, upstream.Options{}, protocol(`"commonHttpProtocolOptions":{`+option+`},"explicitHttpConfig":`+version), endpoints(at))
			locals(t, k, 2)
			eventually(t, version+option+": no connection is left", func() bool { return open.Load() == 0 })
			locals(t, k, 2)
		}
	}
}

func TestDraining(t *testing.T) {
	for _, version := range []string{`{}`, http2Cluster} {
		at, arrived, release := held(t)
		k, all := cluster(t, upstream.Options{}, version, endpoints(at))
		h := pick(t, k)
		done := make(chan error, 1)
		go func() {
			resp, err := k.Do(context.Background(), h, request(t, "GET", "/", nil))
			if err == nil {
				_, err = io.ReadAll(resp.Body)
				resp.Body.Close()
			}
			done <- err
		}()
		<-arrived
		all.Update(snapshot(k.Proto(), endpoints(addresses(1)...))) // the host goes
		if pick(t, k) == h {
			t.Error("a host that is gone was picked")
		}
		all.Update(&xds.Snapshot{}) // the cluster goes
		if _, ok := all.Get("c"); ok {
			t.Error("the cluster is still there")
		}
		close(release)
		if err := <-done; err != nil {
			t.Errorf("the request in flight failed: %v", err)
		}
		resp, err := k.Do(context.Background(), h, request(t, "GET", "/", nil)) // by who still holds it
		if err != nil {
			t.Fatalf("a late request: %v", err)
		}
		_, _ = io.ReadAll(resp.Body)
		resp.Body.Close()
	}
	eventually(t, "no goroutine is left", func() bool { n, _ := goroutinesOf(t); return n == 0 })
}

func TestUpdatesKeepConnections(t *testing.T) {
	at := server(t, func(w http.ResponseWriter, r *http.Request) {})
	k, all := cluster(t, upstream.Options{}, `{}`, endpoints(at))
	before := locals(t, k, 1)
	load := endpoints(at)
	load.Endpoints[0].LbEndpoints[0].Metadata = config(t, `{"metadata":{"filterMetadata":{"istio":{"workload":"order;default;order;v2"}}}}`).Metadata
	all.Update(snapshot(config(t, `{}`), load))
	same, _ := all.Get("c")
	if same != k {
		t.Error("an equal cluster was made anew")
	}
	for local := range locals(t, k, 1) {
		if !before[local] {
			t.Error("the connection was not kept")
		}
	}
	if w := pick(t, k).Metadata()["workload"]; w != "order;default;order;v2" {
		t.Errorf("the host's metadata is %v", w)
	}
}

func TestConnectTimeout(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	at := netip.MustParseAddrPort(l.Addr().String())
	c, _ := cluster(t, upstream.Options{}, `{"connectTimeout":"0.020s","transportSocket":{"name":"tls","typedConfig":{"@type":"type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext"}}}`, endpoints(at))
	_, err = c.Do(context.Background(), pick(t, c), request(t, "GET", "/", nil)) // nobody answers the handshake
	if !errors.Is(err, upstream.ErrConnectTimeout) || upstream.ResetReason(err) != "connection timeout" {
		t.Errorf("got %v (%q)", err, upstream.ResetReason(err))
	}
}

func TestConnect(t *testing.T) {
	at := raw(t, func(c net.Conn) { _, _ = io.Copy(c, c) })
	k, _ := cluster(t, upstream.Options{}, `{"circuitBreakers":{"thresholds":[{"maxConnections":1}]}}`, endpoints(at))
	conn, err := k.Connect(context.Background(), pick(t, k))
	if err != nil {
		t.Fatal(err)
	}
	_, _ = io.WriteString(conn, "hello")
	if _, err := k.Connect(context.Background(), pick(t, k)); !errors.Is(err, upstream.ErrOverflow) {
		t.Errorf("a second connection: %v, want ErrOverflow", err)
	}
	if err := conn.(interface{ CloseWrite() error }).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(conn); string(got) != "hello" || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
	conn.Close()
	conn.Close()
	again, err := k.Connect(context.Background(), pick(t, k))
	if err != nil {
		t.Fatalf("after the first was closed: %v", err)
	}
	again.Close()
}

func TestDeprecatedOptions(t *testing.T) {
	at := server(t, func(w http.ResponseWriter, r *http.Request) {})
	for text, connections := range map[string]int{
		`{"maxRequestsPerConnection":2}`:                                              2,
		`{"commonHttpProtocolOptions":{"maxRequestsPerConnection":1}}`:                4,
		`{"httpProtocolOptions":{},"commonHttpProtocolOptions":{"idleTimeout":"0s"}}`: 1,
	} {
		k, _ := cluster(t, upstream.Options{}, text, endpoints(at))
		if used := locals(t, k, 4); len(used) != connections {
			t.Errorf("%s: 4 requests took %d connections, want %d", text, len(used), connections)
		}
	}
}

// An upstream that answers no PING is left.
func TestKeepAliveOfHTTP2(t *testing.T) {
	at := raw(t, func(c net.Conn) {
		_, _ = c.Write([]byte{0, 0, 0, 4, 0, 0, 0, 0, 0}) // SETTINGS, and nothing more
		_, _ = io.Copy(io.Discard, c)
	})
	k, _ := cluster(t, upstream.Options{}, protocol(`"explicitHttpConfig":{"http2ProtocolOptions":{"connectionKeepalive":{"interval":"0.010s","timeout":"0.010s"}}}`), endpoints(at))
	if _, err := k.Do(context.Background(), pick(t, k), request(t, "GET", "/", nil)); !errors.Is(err, upstream.ErrReset) {
		t.Errorf("got %v, want ErrReset", err)
	}
}
