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
	"sync/atomic"
	"testing"

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
