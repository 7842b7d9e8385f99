package upstream_test

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"testing"

	"github.com/meshstorm/meshstorm/lab/proxy/upstream"
)

// quick is an upstream that costs as little as possible: it looks for the end of
// the request's head and says one thing.
func quick(c net.Conn) {
	r := bufio.NewReader(c)
	said := []byte("HTTP/1.1 200 OK\r\ncontent-type: application/hal+json\r\ndate: Mon, 23 Nov 2026 08:00:00 GMT\r\nx-meshstorm-version: v1\r\ncontent-length: 256\r\n\r\n" + string(bytes.Repeat([]byte("x"), 256)))
	for {
		for {
			line, err := r.ReadSlice('\n')
			if err != nil {
				return
			}
			if len(line) == 2 {
				break
			}
		}
		if _, err := c.Write(said); err != nil {
			return
		}
	}
}

func benchmarkRequest(b *testing.B) *http.Request {
	r := request(b, "GET", "/orders?page=1", nil)
	r.Header = http.Header{"User-Agent": {"curl/8"}, "Accept": {"*/*"}, "X-Request-Id": {"4f1f5b39-2a1b-4e9c-8e6f-0d9b6a0f7c11"}, "X-Forwarded-Proto": {"http"}, "X-Forwarded-For": {"10.244.0.1"}}
	return r
}

func benchmark(b *testing.B, exchange func(ctx context.Context, r *http.Request) (*http.Response, error)) {
	b.ReportAllocs()
	b.SetParallelism(32) // 64 connections on 2 cores
	b.RunParallel(func(pb *testing.PB) {
		buffer := make([]byte, 4096)
		for pb.Next() {
			ctx, cancel := context.WithCancel(context.Background())
			resp, err := exchange(ctx, benchmarkRequest(b))
			if err != nil {
				b.Error(err)
				cancel()
				return
			}
			for {
				if _, err := resp.Body.Read(buffer); err != nil {
					if err != io.EOF {
						b.Error(err)
					}
					break
				}
			}
			resp.Body.Close()
			cancel()
		}
	})
}

func BenchmarkDo(b *testing.B) {
	k, _ := cluster(b, upstream.Options{}, `{"lbPolicy":"LEAST_REQUEST"}`, endpoints(raw(b, quick), raw(b, quick)))
	benchmark(b, func(ctx context.Context, r *http.Request) (*http.Response, error) {
		h, err := k.Pick(upstream.Choice{})
		if err != nil {
			return nil, err
		}
		return k.Do(ctx, h, r)
	})
}

// BenchmarkTransport is what BenchmarkDo is measured against.
func BenchmarkTransport(b *testing.B) {
	at := raw(b, quick)
	transport := &http.Transport{MaxIdleConnsPerHost: 1000, DisableCompression: true}
	b.Cleanup(transport.CloseIdleConnections)
	benchmark(b, func(ctx context.Context, r *http.Request) (*http.Response, error) {
		r = r.WithContext(ctx)
		r.URL.Host = at.String()
		return transport.RoundTrip(r)
	})
}

func BenchmarkPick(b *testing.B) {
	for _, policy := range []string{"ROUND_ROBIN", "LEAST_REQUEST", "RANDOM", "RING_HASH", "MAGLEV"} {
		b.Run(policy, func(b *testing.B) {
			k, _ := cluster(b, upstream.Options{}, `{"lbPolicy":"`+policy+`"}`, endpoints(addresses(10)...))
			b.ReportAllocs()
			for i := range b.N {
				if _, err := k.Pick(upstream.Choice{Hash: uint64(i) * 0x9e3779b97f4a7c15, HasHash: true}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
