package server

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"testing"
)

// drive sends b.N requests over 64 connections, one at a time on each.
func drive(b *testing.B, address string) {
	b.Helper()
	const conns = 64
	work := make(chan struct{}, 1024)
	done := make(chan error, conns)
	for range conns {
		c, err := net.Dial("tcp", address)
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { _ = c.Close() })
		go func() {
			br := bufio.NewReader(c)
			for range work {
				if _, err := io.WriteString(c, "GET /trivial HTTP/1.1\r\nHost: x\r\nUser-Agent: bench\r\nAccept: */*\r\n\r\n"); err != nil {
					done <- err
					return
				}
				resp, err := http.ReadResponse(br, nil)
				if err != nil {
					done <- err
					return
				}
				_, _ = io.Copy(io.Discard, resp.Body)
			}
			done <- nil
		}()
	}
	b.ReportAllocs()
	b.ResetTimer()
	for range b.N {
		work <- struct{}{}
	}
	close(work)
	for range conns {
		if err := <-done; err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "requests/s")
}

// BenchmarkHTTP1 compares the server loop with net/http's, with a handler that
// does nothing.
func BenchmarkHTTP1(b *testing.B) {
	trivial := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		h := w.Header()
		h["Content-Length"], h["Content-Type"], h["Server"] = []string{"2"}, []string{"text/plain"}, []string{"istio-envoy"}
		_, _ = io.WriteString(w, "ok")
	})
	b.Run("own", func(b *testing.B) {
		w := simple(b, trivial, "")
		for _, c := range w.server.listeners.Load().byName["0.0.0.0_8080"].chains {
			c.manager.handler = trivial
		}
		drive(b, w.address(8080))
	})
	b.Run("net/http", func(b *testing.B) {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			b.Fatal(err)
		}
		s := &http.Server{Handler: trivial}
		go func() { _ = s.Serve(ln) }()
		b.Cleanup(func() { _ = s.Close() })
		drive(b, ln.Addr().String())
	})
	b.Run("proxied", func(b *testing.B) {
		w := simple(b, trivial, "")
		drive(b, w.address(8080))
	})
}
