package upstream_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/meshstorm/meshstorm/lab/proxy/upstream"
)

// Whatever an upstream says, there is an answer or an error of this package, and
// everything is given back.
func FuzzUpstream(f *testing.F) {
	for _, said := range []string{
		"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok", "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nx: y\r\n\r\n",
		"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n", "HTTP/1.1 101 Switching Protocols\r\n\r\n", "HTTP/1.0 200\r\n\r\n",
		"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\nok", "\x00\x00\x00\x04\x00\x00\x00\x00\x00", "",
	} {
		f.Add([]byte(said))
	}
	f.Fuzz(func(t *testing.T, said []byte) {
		at := raw(t, func(c net.Conn) {
			_, _ = http.ReadRequest(bufio.NewReader(c))
			_, _ = c.Write(said)
		})
		k, _ := cluster(t, upstream.Options{}, `{"circuitBreakers":{"thresholds":[{"maxRequests":1,"maxConnections":1,"maxPendingRequests":1}]}}`, endpoints(at))
		for range 2 {
			ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
			resp, err := k.Do(ctx, pick(t, k), request(t, "GET", "/", nil))
			if err == nil {
				_, err = io.ReadAll(resp.Body)
				resp.Body.Close()
			}
			cancel()
			if err != nil && !errors.Is(err, upstream.ErrReset) && !errors.Is(err, upstream.ErrProtocol) {
				t.Errorf("said %q: %v", said, err)
			}
		}
	})
}
