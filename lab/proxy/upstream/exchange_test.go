package upstream_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/iotest"
	"time"

	"github.com/meshstorm/meshstorm/lab/proxy/upstream"
)

// answer reads one request's head and says what it is told.
func answer(t testing.TB, said string) netip.AddrPort {
	return raw(t, func(c net.Conn) {
		r := bufio.NewReader(c)
		for {
			if _, err := http.ReadRequest(r); err != nil {
				return
			}
			if _, err := io.WriteString(c, said); err != nil {
				return
			}
			if strings.Contains(said, "connection: close") || !strings.Contains(said, "HTTP") {
				return
			}
		}
	})
}

func TestResponses(t *testing.T) {
	for _, c := range []struct {
		name, method, said string
		status             int
		body               string
		connections        int // for two requests
	}{
		{"a length", "GET", "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello", 200, "hello", 1},
		{"chunks", "GET", "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n", 200, "hello", 1},
		{"chunks with a trailer that HTTP/1.1 drops", "GET", "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ntrailer: x-sum\r\n\r\n5\r\nhello\r\n0\r\nx-sum: 1\r\n\r\n", 200, "hello", 1},
		{"no length, until the connection closes", "GET", "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nhello", 200, "hello", 2},
		{"connection: close with a length", "GET", "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 5\r\n\r\nhello", 200, "hello", 2},
		{"the answer to HEAD has a length and no body", "HEAD", "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n", 200, "", 1},
		{"204 has no body", "GET", "HTTP/1.1 204 No Content\r\n\r\n", 204, "", 1},
		{"304 has a length and no body", "GET", "HTTP/1.1 304 Not Modified\r\ncontent-length: 5\r\n\r\n", 304, "", 1},
		{"interim responses are passed over", "GET", "HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok", 200, "ok", 1},
		{"an empty body", "GET", "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", 200, "", 1},
		{"HTTP/1.0 closes", "GET", "HTTP/1.0 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok", 200, "ok", 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			k, _ := cluster(t, upstream.Options{}, `{}`, endpoints(answer(t, c.said)))
			locals := map[netip.AddrPort]bool{}
			for range 2 {
				ex := &upstream.Exchange{}
				resp, err := k.Do(upstream.WithExchange(context.Background(), ex), pick(t, k), request(t, c.method, "/", nil))
				if err != nil {
					t.Fatal(err)
				}
				body, err := io.ReadAll(resp.Body)
				if err != nil || resp.StatusCode != c.status || string(body) != c.body || len(resp.Trailer) > 0 {
					t.Fatalf("got %d %q %v %v, want %d %q", resp.StatusCode, body, resp.Trailer, err, c.status, c.body)
				}
				resp.Body.Close()
				locals[ex.Local] = true
			}
			if len(locals) != c.connections {
				t.Errorf("used %d connections, want %d", len(locals), c.connections)
			}
		})
	}
}

func TestFailures(t *testing.T) {
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nobody := netip.MustParseAddrPort(free.Addr().String())
	free.Close()
	for _, c := range []struct {
		name   string
		at     netip.AddrPort
		want   error
		reason string
		text   string
	}{
		{"nobody listens", nobody, upstream.ErrConnect, "remote connection failure", "delayed connect error: Connection refused"},
		{"closed before the response", answer(t, ""), upstream.ErrReset, "connection termination", ""},
		{"closed within the headers", answer(t, "HTTP/1.1 200 OK\r\nconnection: close\r\n"), upstream.ErrReset, "connection termination", ""},
		{"no HTTP", answer(t, "HTTP NO\r\n\r\n"), upstream.ErrProtocol, "protocol error", ""},
		{"headers of more than 60 KB", answer(t, "HTTP/1.1 200 OK\r\nx: "+strings.Repeat("x", 70<<10)+"\r\n\r\n"), upstream.ErrProtocol, "protocol error", ""},
		{"more than 100 headers", answer(t, "HTTP/1.1 200 OK\r\n"+manyHeaders(101)+"\r\n"), upstream.ErrProtocol, "protocol error", ""},
		{"an upgrade that nobody asked for", answer(t, "HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\n\r\n"), upstream.ErrProtocol, "protocol error", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			k, _ := cluster(t, upstream.Options{}, `{}`, endpoints(c.at))
			_, err := k.Do(context.Background(), pick(t, k), request(t, "GET", "/", nil))
			if !errors.Is(err, c.want) || upstream.ResetReason(err) != c.reason || upstream.TransportFailure(err) != c.text {
				t.Errorf("got %v (%q, %q), want %v (%q, %q)", err, upstream.ResetReason(err), upstream.TransportFailure(err), c.want, c.reason, c.text)
			}
		})
	}
}

func manyHeaders(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "x-%d: 1\r\n", i)
	}
	return b.String()
}

func TestHeaderLimits(t *testing.T) {
	said := answer(t, "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n"+manyHeaders(10)+"x: "+strings.Repeat("x", 70<<10)+"\r\n\r\n")
	for _, c := range []struct {
		name, options string
		passes        bool
	}{
		{"more kilobytes", `"maxResponseHeadersKb":96`, true},
		{"fewer headers", `"maxResponseHeadersKb":96,"maxHeadersCount":5`, false},
	} {
		k, _ := cluster(t, upstream.Options{}, protocol(`"commonHttpProtocolOptions":{`+c.options+`},"explicitHttpConfig":{"httpProtocolOptions":{}}`), endpoints(said))
		if _, err := k.Do(context.Background(), pick(t, k), request(t, "GET", "/", nil)); (err == nil) != c.passes {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

func TestAnUpstreamThatDiesInTheBody(t *testing.T) {
	for _, said := range []string{"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 9\r\n\r\nhello", "HTTP/1.1 200 OK\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n"} {
		k, _ := cluster(t, upstream.Options{}, `{}`, endpoints(answer(t, said)))
		resp, err := k.Do(context.Background(), pick(t, k), request(t, "GET", "/", nil))
		if err != nil {
			t.Fatal(err)
		}
		if body, err := io.ReadAll(resp.Body); string(body) != "hello" || !errors.Is(err, upstream.ErrReset) {
			t.Errorf("read %q, %v; want hello and ErrReset", body, err)
		}
	}
}

func TestRequests(t *testing.T) {
	got := make(chan string, 1)
	at := raw(t, func(c net.Conn) {
		r := bufio.NewReader(c)
		var head bytes.Buffer
		for {
			line, err := r.ReadString('\n')
			if err != nil {
				return
			}
			head.WriteString(line)
			if line != "\r\n" {
				continue
			}
			if strings.Contains(head.String(), "chunked") {
				for !strings.HasSuffix(head.String(), "0\r\n\r\n") && !strings.HasSuffix(head.String(), "x-sum: 6\r\n\r\n") {
					b, err := r.ReadByte()
					if err != nil {
						return
					}
					head.WriteByte(b)
				}
			}
			if strings.Contains(head.String(), "content-length: 3") {
				b := make([]byte, 3)
				_, _ = io.ReadFull(r, b)
				head.Write(b)
			}
			got <- head.String()
			head.Reset()
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
		}
	})
	for _, c := range []struct {
		name, cluster, method, target, body string
		header                              http.Header
		length                              int64
		want                                string
	}{
		{"names in lower case", `{}`, "GET", "/a%2Fb?c=d", "", http.Header{"X-Request-Id": {"1"}}, 0, "GET /a%2Fb?c=d HTTP/1.1\r\nhost: order.default\r\nx-request-id: 1\r\n\r\n"},
		{"a body of known length", `{}`, "POST", "/", "abc", nil, 3, "POST / HTTP/1.1\r\nhost: order.default\r\ncontent-length: 3\r\n\r\nabc"},
		{"a body of unknown length", `{}`, "POST", "/", "abc", nil, -1, "POST / HTTP/1.1\r\nhost: order.default\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"},
		{"hop-by-hop headers stay here", `{}`, "GET", "/", "", http.Header{"Connection": {"keep-alive"}, "Keep-Alive": {"1"}, "Te": {"gzip"}, "Transfer-Encoding": {"chunked"}}, 0, "GET / HTTP/1.1\r\nhost: order.default\r\n\r\n"},
		{"te: trailers is kept", `{}`, "GET", "/", "", http.Header{"Te": {"gzip, trailers"}}, 0, "GET / HTTP/1.1\r\nhost: order.default\r\nte: trailers\r\n\r\n"},
		{"a trailer where HTTP/1.1 may have them", protocol(`"explicitHttpConfig":{"httpProtocolOptions":{"enableTrailers":true}}`), "POST", "/", "abc", nil, -1,
			"POST / HTTP/1.1\r\nhost: order.default\r\ntransfer-encoding: chunked\r\ntrailer: X-Sum\r\n\r\n3\r\nabc\r\n0\r\nx-sum: 6\r\n\r\n"},
		{"a whole URL as the target", protocol(`"explicitHttpConfig":{"httpProtocolOptions":{"sendFullyQualifiedUrl":true}}`), "GET", "/a", "", nil, 0, "GET http://order.default/a HTTP/1.1\r\nhost: order.default\r\n\r\n"},
		{"proper case where it is asked for", `{"typedExtensionProtocolOptions":{"envoy.extensions.upstreams.http.v3.HttpProtocolOptions":{"@type":"type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions","explicitHttpConfig":{"httpProtocolOptions":{"headerKeyFormat":{"properCaseWords":{}}}}}}}`,
			"GET", "/", "", http.Header{"X-A": {"b"}}, 0, "GET / HTTP/1.1\r\nHost: order.default\r\nX-A: b\r\n\r\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			k, _ := cluster(t, upstream.Options{}, c.cluster, endpoints(at))
			var body io.Reader
			if c.body != "" {
				body = io.NopCloser(strings.NewReader(c.body))
			}
			r := request(t, c.method, c.target, body)
			r.ContentLength = c.length
			r.Trailer = http.Header{"X-Sum": {"6"}}
			if c.header != nil {
				r.Header = c.header
			}
			do(t, k, r)
			if s := <-got; s != c.want {
				t.Errorf("sent %q, want %q", s, c.want)
			}
		})
	}
}

func TestWhatCannotBeSentIsNot(t *testing.T) {
	var connections atomic.Int32
	at := raw(t, func(net.Conn) { connections.Add(1) })
	k, _ := cluster(t, upstream.Options{}, `{}`, endpoints(at))
	for _, header := range []http.Header{{"X-A": {"b\r\nx-evil: 1"}}, {"X\r\nEvil": {"1"}}} {
		r := request(t, "GET", "/", nil)
		r.Header = header
		if _, err := k.Do(context.Background(), pick(t, k), r); !errors.Is(err, upstream.ErrProtocol) {
			t.Errorf("%v: got %v, want ErrProtocol", header, err)
		}
	}
	r := request(t, "GET", "/", nil)
	r.URL.RawQuery = "a b"
	if _, err := k.Do(context.Background(), pick(t, k), r); !errors.Is(err, upstream.ErrProtocol) {
		t.Errorf("a space in the target: %v", err)
	}
}

// A connection that the upstream closed while it was idle fails no request.
func TestAStaleConnectionIsNotUsed(t *testing.T) {
	closed := make(chan struct{}, 100)
	at := raw(t, func(c net.Conn) {
		if _, err := http.ReadRequest(bufio.NewReader(c)); err != nil {
			return
		}
		_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok") // and close, without saying so
		c.Close()
		closed <- struct{}{}
	})
	k, _ := cluster(t, upstream.Options{}, `{}`, endpoints(at))
	for range 50 {
		if _, body := do(t, k, request(t, "POST", "/", nil)); body != "ok" {
			t.Fatalf("got %q", body)
		}
		<-closed
	}
}

func TestCancellation(t *testing.T) {
	arrived := make(chan struct{}, 1)
	gone := make(chan struct{}, 1)
	at := server(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/body" {
			w.WriteHeader(200)
			_ = http.NewResponseController(w).Flush()
		}
		arrived <- struct{}{}
		<-r.Context().Done()
		gone <- struct{}{}
	})
	for _, path := range []string{"/", "/body"} {
		for _, protocol := range []string{`{}`, http2Cluster} {
			k, _ := cluster(t, upstream.Options{}, protocol, endpoints(at))
			ctx, cancel := context.WithCancel(context.Background())
			defer cancel()
			if path == "/" {
				go func() {
					<-arrived
					cancel()
				}()
			}
			resp, err := k.Do(ctx, pick(t, k), request(t, "GET", path, nil))
			if path == "/body" {
				if err != nil {
					t.Fatal(err)
				}
				<-arrived
				cancel()
				_, err = io.ReadAll(resp.Body)
			}
			if !errors.Is(err, context.Canceled) {
				t.Errorf("%s: got %v, want context.Canceled", path, err)
			}
			<-gone // the upstream learns of it
		}
	}
}

func TestAnAnswerBeforeTheRequestIsOver(t *testing.T) {
	at := server(t, func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusRequestEntityTooLarge)
	})
	plain := answer(t, "HTTP/1.1 413 Request Entity Too Large\r\ncontent-length: 0\r\n\r\n") // net/http's server would read on
	for protocol, at := range map[string]netip.AddrPort{`{}`: plain, http2Cluster: at} {
		k, _ := cluster(t, upstream.Options{}, protocol, endpoints(at))
		body, client := io.Pipe()
		r := request(t, "POST", "/", body)
		r.ContentLength = -1
		resp, _ := do(t, k, r)
		if resp.StatusCode != http.StatusRequestEntityTooLarge {
			t.Errorf("got %d", resp.StatusCode)
		}
		client.Close()
	}
}

func TestAClientThatGoesAway(t *testing.T) {
	read := make(chan error, 1)
	at := server(t, func(w http.ResponseWriter, r *http.Request) {
		_, err := io.ReadAll(r.Body)
		read <- err
	})
	k, _ := cluster(t, upstream.Options{}, `{}`, endpoints(at))
	gone := errors.New("the client is gone")
	for _, length := range []int64{-1, 10} {
		r := request(t, "POST", "/", io.NopCloser(io.MultiReader(strings.NewReader("abc"), iotest.ErrReader(gone))))
		r.ContentLength = length
		if _, err := k.Do(context.Background(), pick(t, k), r); !errors.Is(err, gone) {
			t.Errorf("got %v, want the body's error", err)
		}
		if err := <-read; err == nil {
			t.Error("the upstream took half a request for a whole one")
		}
	}
}

func TestConcurrentExchanges(t *testing.T) {
	at := server(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		fmt.Fprintf(w, "%s %s", r.URL.Path, body)
	})
	for _, protocol := range []string{`{}`, http2Cluster} {
		k, all := cluster(t, upstream.Options{}, protocol, endpoints(at))
		var wait sync.WaitGroup
		for i := range 32 {
			wait.Go(func() {
				for j := range 50 {
					r := request(t, "POST", fmt.Sprintf("/%d/%d", i, j), io.NopCloser(strings.NewReader("body")))
					r.ContentLength = 4
					resp, err := k.Do(context.Background(), pick(t, k), r)
					if err != nil {
						t.Error(err)
						return
					}
					body, err := io.ReadAll(resp.Body)
					if want := fmt.Sprintf("/%d/%d body", i, j); err != nil || string(body) != want {
						t.Errorf("got %q %v, want %q", body, err, want)
					}
					resp.Body.Close()
				}
			})
		}
		wait.Wait()
		all.Close()
	}
	eventually(t, "no goroutine of a closed cluster", func() bool { n, _ := goroutinesOf(t); return n == 0 })
}

func TestExpectContinue(t *testing.T) {
	at := server(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body) // sends 100 (Continue)
		_, _ = w.Write(body)
	})
	k, _ := cluster(t, upstream.Options{}, `{}`, endpoints(at))
	r := request(t, "POST", "/", strings.NewReader("hello"))
	r.Header.Set("Expect", "100-continue")
	begin := time.Now()
	if _, body := do(t, k, r); body != "hello" {
		t.Errorf("got %q after %s", body, time.Since(begin))
	}
}

func TestUpgrade(t *testing.T) {
	at := raw(t, func(c net.Conn) {
		r := bufio.NewReader(c)
		req, err := http.ReadRequest(r)
		if err != nil || req.Header.Get("Upgrade") != "websocket" || req.Header.Get("Connection") != "upgrade" {
			return
		}
		_, _ = io.WriteString(c, "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\nhi ")
		line, _ := r.ReadString('\n')
		_, _ = io.WriteString(c, "echo "+line)
	})
	k, _ := cluster(t, upstream.Options{}, `{}`, endpoints(at))
	r := request(t, "GET", "/", nil)
	r.Header.Set("Upgrade", "websocket")
	r.Header.Set("Connection", "Upgrade")
	resp, err := k.Do(context.Background(), pick(t, k), r)
	if err != nil {
		t.Fatal(err)
	}
	both, ok := resp.Body.(io.ReadWriteCloser)
	if resp.StatusCode != 101 || !ok {
		t.Fatalf("got %d with a %T", resp.StatusCode, resp.Body)
	}
	_, _ = io.WriteString(both, "hello\n")
	if got, err := io.ReadAll(both); string(got) != "hi echo hello\n" {
		t.Errorf("got %q, %v", got, err)
	}
	both.Close()
}
