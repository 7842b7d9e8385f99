package router_test

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"net/netip"
	"testing"

	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"

	"github.com/meshstorm/meshstorm/lab/proxy/flow"
	"github.com/meshstorm/meshstorm/lab/proxy/router"
	"github.com/meshstorm/meshstorm/lab/proxy/telemetry"
	"github.com/meshstorm/meshstorm/lab/proxy/upstream"
)

// sink is a response that nobody reads.
type sink struct{ header http.Header }

func (s *sink) Header() http.Header         { return s.header }
func (s *sink) Write(p []byte) (int, error) { return len(p), nil }
func (s *sink) WriteHeader(int)             {}

// plain answers HTTP/1.1 requests without bodies with a fixed text, at the least
// cost, so that the router is what is measured.
func plain(b *testing.B) string {
	b.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer func() { _ = c.Close() }()
				br := bufio.NewReader(c)
				for {
					for {
						line, err := br.ReadSlice('\n')
						if err != nil {
							return
						}
						if len(line) == 2 {
							break
						}
					}
					if _, err := io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Type: application/hal+json\r\nContent-Length: 2\r\n\r\n{}"); err != nil {
						return
					}
				}
			}()
		}
	}()
	return l.Addr().String()
}

// BenchmarkServeHTTP is a request through a gateway's filters to a host on
// loopback; "alone" is the same exchange without the router.
func BenchmarkServeHTTP(b *testing.B) {
	address := plain(b)
	clusters := upstream.New(upstream.Options{})
	b.Cleanup(clusters.Close)
	clusters.Update(snapshot(b, &setup{hosts: map[string][]string{"a": {address}}}))
	request := func() *http.Request {
		req, _ := http.NewRequest("GET", "/orders", nil)
		req.Host, req.RequestURI = "shop.example", "/orders"
		req.Header["User-Agent"], req.Header["Accept"] = []string{"bench"}, []string{"*/*"}
		return req.WithContext(flow.WithDownstream(req.Context(), &flow.Downstream{
			Remote: netip.MustParseAddrPort("10.244.0.9:4000"), Local: netip.MustParseAddrPort("10.244.0.2:8080")}))
	}
	for _, c := range []struct{ name, route string }{
		{"route", `{"match":{"prefix":"/orders"},"route":{"weightedClusters":{"clusters":[{"name":"a","weight":100}]},"timeout":"0s"},"decorator":{"operation":"o"}}`},
		{"route with retries and timeout", `{"match":{"prefix":"/orders"},"route":{"cluster":"a","timeout":"10s","retryPolicy":{"retryOn":"connect-failure,refused-stream,unavailable,cancelled,retriable-status-codes","numRetries":2}}}`},
		{"route with header changes", `{"match":{"prefix":"/orders"},"route":{"cluster":"a","timeout":"0s"},"requestHeadersToAdd":[{"header":{"key":"x-a","value":"1"}}],"responseHeadersToAdd":[{"header":{"key":"x-b","value":"1"}}]}`},
	} {
		b.Run(c.name, func(b *testing.B) {
			hcm := &hcmv3.HttpConnectionManager{}
			unmarshal(b, `{`+inline(c.route)+`,"tracing":{},"useRemoteAddress":true,"streamIdleTimeout":"0s","normalizePath":true,"serverName":"istio-envoy","httpFilters":[`+faultChain+`,`+corsChain+`,`+routerOnly+`]}`, hcm)
			r, err := router.New(hcm, router.Options{Clusters: clusters, Telemetry: telemetry.New(telemetry.Options{Out: io.Discard})})
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				r.ServeHTTP(&sink{header: make(http.Header, 8)}, request())
			}
		})
	}
	b.Run("alone", func(b *testing.B) {
		cluster, _ := clusters.Get("a")
		b.ReportAllocs()
		for b.Loop() {
			host, err := cluster.Pick(upstream.Choice{})
			if err != nil {
				b.Fatal(err)
			}
			resp, err := cluster.Do(b.Context(), host, request())
			if err != nil {
				b.Fatal(err)
			}
			_, _ = io.Copy(io.Discard, resp.Body)
			_ = resp.Body.Close()
		}
	})
}
