package metrics

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// realPrometheus starts a Prometheus that scrapes what exposition gives, five
// times a second, and gives its address.
func realPrometheus(t *testing.T, exposition http.HandlerFunc) string {
	t.Helper()
	program, err := exec.LookPath("prometheus")
	if err != nil {
		t.Skip("there is no prometheus on this machine")
	}
	proxy := httptest.NewServer(exposition)
	t.Cleanup(proxy.Close)
	dir := t.TempDir()
	config := fmt.Sprintf("global: {scrape_interval: 200ms, scrape_timeout: 200ms}\nscrape_configs: [{job_name: proxies, static_configs: [{targets: [%q]}]}]\n",
		strings.TrimPrefix(proxy.URL, "http://"))
	if err := os.WriteFile(filepath.Join(dir, "prometheus.yml"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	_ = l.Close()
	ctx, stop := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, program, "--config.file="+filepath.Join(dir, "prometheus.yml"),
		"--storage.tsdb.path="+filepath.Join(dir, "data"), "--web.listen-address="+address)
	var log bytes.Buffer
	cmd.Stdout, cmd.Stderr = &log, &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		stop()
		_ = cmd.Wait()
		if t.Failed() {
			t.Log(log.String())
		}
	})
	return "http://" + address
}

// until asks for what was measured since a mark until it is as wanted.
func until(t *testing.T, s Source, mark Mark, wanted func(map[string]Traffic) bool) {
	t.Helper()
	var got map[string]Traffic
	var err error
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		if got, err = s.Since(t.Context(), target, mark); err == nil && wanted(got) {
			return
		}
	}
	t.Fatalf("measured %+v, %v", got, err)
}

func duration(workload, le string, n int) string {
	return fmt.Sprintf("istio_request_duration_milliseconds_bucket{reporter=\"source\",destination_workload=%q,destination_workload_namespace=\"shop\",le=%q} %d\n", workload, le, n)
}

// A real Prometheus is asked, since only that knows what an expression means.
func TestFirstErrorsOfACanaryAreCounted(t *testing.T) {
	var canary, old atomic.Int64
	old.Store(1000)
	s, err := Prometheus(realPrometheus(t, func(w http.ResponseWriter, _ *http.Request) {
		text := "# TYPE istio_requests_total counter\n" + series("order", "source", "gateway", "200", "", int(old.Load())) +
			series("order", "destination", "gateway", "200", "", int(old.Load()))
		if n := int(canary.Load()); n > 0 {
			text += series("order-canary", "source", "gateway", "200", "", n) + series("order-canary", "source", "gateway", "500", "", 7) +
				series("order-canary", "destination", "unknown", "200", "", 3)
			text += "# TYPE istio_request_duration_milliseconds histogram\n" + duration("order-canary", "5", 0) + duration("order-canary", "10", 20) + duration("order-canary", "+Inf", 20)
		}
		_, _ = w.Write([]byte(text))
	}), "", nil)
	if err != nil {
		t.Fatal(err)
	}
	long := Mark(fmt.Sprintf("%q", time.Now().Add(-time.Hour).Format(time.RFC3339Nano)))
	until(t, s, long, func(got map[string]Traffic) bool { return got["order"].Duration > 0 })
	if got, err := s.Since(t.Context(), target, long); err != nil || got["order"].Requests != 0 {
		t.Errorf("what was counted before Prometheus scraped is taken for new: %+v, %v", got, err)
	}
	time.Sleep(1200 * time.Millisecond) // spans have whole seconds
	mark, err := s.Mark(t.Context(), target)
	if err != nil {
		t.Fatal(err)
	}
	canary.Store(30)
	old.Add(60)
	until(t, s, mark, func(got map[string]Traffic) bool {
		c := got["order-canary"]
		return got["order"].Requests == 60 && c.Requests == 40 && c.Errors == 7 && math.Abs(c.P95-9.75) < 1e-9
	})
	old.Store(5) // the proxy began anew
	until(t, s, mark, func(got map[string]Traffic) bool { return got["order"].Requests == 5 })
}

func TestWithoutCountingSendersTheReceiversAreAsked(t *testing.T) {
	var n atomic.Int64
	s, err := Prometheus(realPrometheus(t, func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte("# TYPE istio_requests_total counter\n" + series("order", "destination", "gateway", "200", "", int(n.Load())) +
			series("order", "destination", "unknown", "500", "", 5)))
	}), "", nil)
	if err != nil {
		t.Fatal(err)
	}
	n.Store(10)
	mark, _ := s.Mark(t.Context(), target)
	until(t, s, mark, func(got map[string]Traffic) bool { return got["order"].Duration > 0 })
	n.Store(110)
	until(t, s, mark, func(got map[string]Traffic) bool { return got["order"].Requests == 100 && got["order"].Errors == 0 })
}
