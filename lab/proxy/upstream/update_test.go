package upstream_test

import (
	"context"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/meshstorm/meshstorm/lab/proxy/upstream"
	"github.com/meshstorm/meshstorm/lab/proxy/xds"
)

// Configurations come while requests flow: hosts come and go, the cluster is
// made anew, and no request fails.
func TestUpdatesUnderLoad(t *testing.T) {
	a := server(t, func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, "ok") })
	b := server(t, func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, "ok") })
	for _, more := range []string{``, `"http2ProtocolOptions":{}`} {
		all := upstream.New(upstream.Options{})
		first, second := config(t, `{`+more+`}`), config(t, `{"lbPolicy":"RANDOM"`+strings.Replace(more, `"`, `,"`, 1)+`}`)
		all.Update(snapshot(first, endpoints(a, b)))
		var done atomic.Bool
		var served atomic.Int64
		var wait sync.WaitGroup
		update := func(s *xds.Snapshot) {
			all.Update(s)
			enough := served.Load() + 20
			eventually(t, "twenty requests", func() bool { return served.Load() > enough || t.Failed() })
		}
		for range 8 {
			wait.Go(func() {
				for !done.Load() {
					k, _ := all.Get("c")
					resp, err := k.Do(context.Background(), pick(t, k), request(t, "GET", "/", nil))
					if err != nil {
						t.Error(err)
						return
					}
					if body, err := io.ReadAll(resp.Body); err != nil || string(body) != "ok" {
						t.Errorf("got %q, %v", body, err)
					}
					resp.Body.Close()
					served.Add(1)
				}
			})
		}
		for range 50 {
			update(snapshot(first, endpoints(a)))
			update(snapshot(first, endpoints(a, b)))
			update(snapshot(second, endpoints(b)))
			update(snapshot(second, endpoints(b, a)))
		}
		done.Store(true)
		wait.Wait()
		all.Close()
	}
	eventually(t, "no goroutine is left", func() bool { n, _ := goroutinesOf(t); return n == 0 })
}
