package probe_test

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/health"
	"google.golang.org/grpc/health/grpc_health_v1"

	"github.com/meshstorm/meshstorm/lab/kubelet/probe"
)

var dial = (&net.Dialer{}).DialContext

func check(t *testing.T, err error, want string) {
	t.Helper()
	switch {
	case want == "" && err != nil:
		t.Errorf("fails: %v", err)
	case want != "" && (err == nil || !strings.Contains(err.Error(), want)):
		t.Errorf("error %v, want %q", err, want)
	}
}

func TestHTTP(t *testing.T) {
	stuck := make(chan struct{})
	mux := http.NewServeMux()
	for path, status := range map[string]int{"/ok": 200, "/none": 204, "/last": 399, "/bad": 400, "/down": 503} {
		mux.HandleFunc(path, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) })
	}
	mux.HandleFunc("/away", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "http://elsewhere.invalid/", http.StatusFound)
	})
	mux.HandleFunc("/down-there", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/down", http.StatusFound) })
	mux.HandleFunc("/stuck", func(http.ResponseWriter, *http.Request) { <-stuck })
	mux.HandleFunc("/asked", func(w http.ResponseWriter, r *http.Request) {
		if r.Host != "acme" || r.UserAgent() != probe.UserAgent || r.Header.Get("X-A") != "1" || !r.Close {
			w.WriteHeader(500)
		}
	})
	plain, secure := httptest.NewServer(mux), httptest.NewTLSServer(mux)
	defer plain.Close()
	defer secure.Close()
	defer close(stuck)
	for _, c := range []struct{ name, url, want string }{
		{"200", plain.URL + "/ok", ""},
		{"204", plain.URL + "/none", ""},
		{"399", plain.URL + "/last", ""},
		{"400", plain.URL + "/bad", "HTTP probe failed with statuscode: 400"},
		{"503", plain.URL + "/down", "HTTP probe failed with statuscode: 503"},
		{"a redirect to another host is not followed", plain.URL + "/away", ""},
		{"a redirect to the same host is", plain.URL + "/down-there", "statuscode: 503"},
		{"a certificate is not checked", secure.URL + "/ok", ""},
		{"no answer in time", plain.URL + "/stuck", "context deadline exceeded"},
		{"headers", plain.URL + "/asked", ""},
		{"nobody listens", "http://127.0.0.1:1/", "connection refused"},
	} {
		t.Run(c.name, func(t *testing.T) {
			u, err := url.Parse(c.url)
			if err != nil {
				t.Fatal(err)
			}
			check(t, probe.HTTP(t.Context(), dial, u, http.Header{"Host": {"acme"}, "X-A": {"1"}}, time.Second), c.want)
		})
	}
}

func TestTCP(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	check(t, probe.TCP(t.Context(), dial, l.Addr().String(), time.Second), "")
	l.Close()
	check(t, probe.TCP(t.Context(), dial, l.Addr().String(), time.Second), "connection refused")
}

func TestGRPC(t *testing.T) {
	serve := func(register func(*grpc.Server)) string {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		s := grpc.NewServer()
		register(s)
		go s.Serve(l)
		t.Cleanup(s.Stop)
		return l.Addr().String()
	}
	h := health.NewServer()
	h.SetServingStatus("sick", grpc_health_v1.HealthCheckResponse_NOT_SERVING)
	with := serve(func(s *grpc.Server) { grpc_health_v1.RegisterHealthServer(s, h) })
	without := serve(func(*grpc.Server) {})
	for _, c := range []struct{ name, address, service, want string }{
		{"it serves", with, "", ""},
		{"it does not", with, "sick", `service unhealthy (responded with "NOT_SERVING")`},
		{"a service that is not known", with, "who", "health rpc probe failed"},
		{"no health protocol", without, "", "does not implement the grpc health protocol"},
	} {
		t.Run(c.name, func(t *testing.T) {
			check(t, probe.GRPC(context.Background(), dial, c.address, c.service, 5*time.Second), c.want)
		})
	}
}
