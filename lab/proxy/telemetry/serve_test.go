package telemetry_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/health"
	"google.golang.org/grpc/health/grpc_health_v1"

	"github.com/meshstorm/meshstorm/lab/loopback"
	"github.com/meshstorm/meshstorm/lab/pod"
	"github.com/meshstorm/meshstorm/lab/proxy/telemetry"
)

// sidecar is a proxy whose ports are served, and the address of its application.
type sidecar struct {
	*world
	spec  *pod.Spec
	ready atomic.Bool
	quits atomic.Int32
	level slog.LevelVar
}

func serve(t *testing.T, env map[string]string) *sidecar {
	t.Helper()
	s := &sidecar{}
	// An address of its own for each test, so that the fixed ports are free.
	ip := netip.AddrFrom4([4]byte{10, 244, byte(rand.IntN(250) + 1), byte(rand.IntN(250) + 1)})
	n := loopback.Net{Pod: 201, Twin: 202}
	s.spec = &pod.Spec{Name: "delivery-5d9", Namespace: "default", IP: ip, Net: n, Listen: netip.MustParseAddr("127.0.0.1")}
	s.world = newWorld(t, func(o *telemetry.Options) {
		o.Spec = s.spec
		o.Env = func(name string) string { return env[name] }
	})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() {
		done <- s.Serve(ctx, telemetry.AdminOptions{
			Ready: s.ready.Load, Quit: func() { s.quits.Add(1) }, Level: &s.level,
			Unsupported: func() []string { return []string{"filter x", "field y"} },
			Dump:        func() map[string]any { return map[string]any{"node": node(t, "sidecar", "x"), "list": []any{1}} },
			Clusters:    func(w io.Writer) { _, _ = io.WriteString(w, "outbound|8080||order::10.244.0.4:8080\n") },
		})
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	eventually(t, func() bool {
		for _, port := range []int{15000, 15020, 15021, 15090} {
			c, err := net.Dial("tcp", s.spec.Address(port))
			if err != nil {
				return false
			}
			_ = c.Close()
		}
		return true
	})
	return s
}

// ask makes a request from an address; "" is the node's 127.0.0.1.
func (s *sidecar) ask(t *testing.T, from, method string, port int, path string, header ...string) (int, string) {
	t.Helper()
	dialer := &net.Dialer{}
	if from != "" {
		dialer.LocalAddr = &net.TCPAddr{IP: net.ParseIP(from)}
	}
	client := &http.Client{Transport: &http.Transport{DialContext: dialer.DialContext, DisableKeepAlives: true}}
	request, err := http.NewRequest(method, "http://"+s.spec.Address(port)+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i+1 < len(header); i += 2 {
		request.Header.Set(header[i], header[i+1])
	}
	response, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(body)
}

func TestPorts(t *testing.T) {
	s := serve(t, nil)
	for _, port := range []int{15020, 15021} {
		if code, _ := s.ask(t, "", "GET", port, "/healthz/ready"); code != 503 {
			t.Errorf("port %d is ready too early: %d", port, code)
		}
	}
	s.ready.Store(true)
	s.filter(t, `{}`).Observe(record())
	for _, c := range []struct {
		method string
		port   int
		path   string
		code   int
		want   string
	}{
		{"GET", 15021, "/healthz/ready", 200, ""},
		{"GET", 15020, "/healthz/ready", 200, ""},
		{"GET", 15020, "/stats/prometheus", 200, "istio_requests_total{"},
		{"GET", 15020, "/metrics", 200, "istio_requests_total{"},
		{"GET", 15090, "/stats/prometheus", 200, "istio_requests_total{"},
		{"GET", 15000, "/stats/prometheus", 200, "istio_requests_total{"},
		{"GET", 15000, "/stats", 200, "istio_requests_total.connection_security_policy.unknown."},
		{"GET", 15000, "/stats?format=prometheus", 200, "istio_requests_total{"},
		{"GET", 15000, "/ready", 200, "LIVE"},
		{"GET", 15000, "/server_info", 200, `"state": "LIVE"`},
		{"GET", 15000, "/config_dump", 200, `"WORKLOAD_NAME"`},
		{"GET", 15000, "/clusters", 200, "outbound|8080||order::10.244.0.4:8080"},
		{"GET", 15000, "/listeners", 501, "not known to this proxy"},
		{"GET", 15000, "/", 200, "/unsupported"},
		{"GET", 15000, "/none", 404, ""},
		{"POST", 15000, "/logging?level=debug", 200, "proxy: DEBUG"},
		{"POST", 15000, "/logging?level=loud", 400, "usage"},
		{"GET", 15000, "/quitquitquit", 405, ""},
		{"GET", 15020, "/quitquitquit", 405, ""},
		{"GET", 15020, "/app-health/order/livez", 400, "/app-health/order/livez"},
	} {
		code, body := s.ask(t, "", c.method, c.port, c.path)
		if code != c.code || !strings.Contains(body, c.want) {
			t.Errorf("%s %d%s: %d %.300s", c.method, c.port, c.path, code, body)
		}
	}
	if s.level.Level() != slog.LevelDebug {
		t.Error(s.level.Level())
	}
	var unsupported []string
	if _, body := s.ask(t, "", "GET", 15000, "/unsupported"); json.Unmarshal([]byte(body), &unsupported) != nil || len(unsupported) != 2 {
		t.Error(body)
	}
}

func TestOnlyThePodAndItsNodeAdminister(t *testing.T) {
	s := serve(t, nil)
	own := s.spec.Net.Bind(s.spec.IP).String()
	for _, c := range []struct {
		name, from string
		header     []string
		code       int
	}{
		{"the node", "", nil, 200},
		{"the node's pod address", s.spec.Net.Bind(loopback.NodeIP).String(), nil, 200},
		{"the pod's proxy address", own, nil, 200},
		{"the pod's application", s.spec.Net.TwinOf(s.spec.IP).String(), nil, 200},
		{"another pod", "127.201.251.251", nil, 403},
		{"a page in a browser", "", []string{"Origin", "http://evil.example"}, 403},
		{"a page's form", "", []string{"Sec-Fetch-Site", "cross-site"}, 403},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, port := range []int{15000, 15020} {
				before := s.quits.Load()
				if code, body := s.ask(t, c.from, "POST", port, "/quitquitquit", c.header...); code != c.code {
					t.Errorf("port %d: %d %s", port, code, body)
				}
				if c.code == 200 {
					eventually(t, func() bool { return s.quits.Load() == before+1 })
				} else if s.quits.Load() != before {
					t.Error("it quit")
				}
			}
		})
	}
	if code, _ := s.ask(t, "127.201.251.251", "GET", 15020, "/metrics"); code != 200 {
		t.Error("another pod cannot scrape", code)
	}
}

func TestAPortThatIsTakenIsNamed(t *testing.T) {
	s := serve(t, nil)
	err := telemetry.New(telemetry.Options{Spec: s.spec, Env: func(string) string { return "" }}).Serve(t.Context(), telemetry.AdminOptions{})
	if err == nil || !strings.Contains(err.Error(), "the proxy's port 15000") {
		t.Error(err)
	}
}

// application answers probes as the path says.
func application(t *testing.T) int {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/bad":
			http.Error(w, "down", http.StatusServiceUnavailable)
		case "/away":
			http.Redirect(w, r, "http://elsewhere.example/", http.StatusFound)
		case "/slow":
			<-r.Context().Done()
		case "/metrics":
			_, _ = io.WriteString(w, "orders_total 7\n# EOF\n")
		default:
			_, _ = fmt.Fprintf(w, "%s host=%s x=%s probe=%s", r.URL.RequestURI(), r.Host, r.Header.Get("X"), r.Header.Get("Probe"))
		}
	}))
	t.Cleanup(s.Close)
	return s.Listener.Addr().(*net.TCPAddr).Port
}

func TestProbes(t *testing.T) {
	port := application(t)
	secured := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "secured") }))
	t.Cleanup(secured.Close)
	tlsPort := secured.Listener.Addr().(*net.TCPAddr).Port

	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	rpc, state := grpc.NewServer(), health.NewServer()
	grpc_health_v1.RegisterHealthServer(rpc, state)
	state.SetServingStatus("down", grpc_health_v1.HealthCheckResponse_NOT_SERVING)
	go func() { _ = rpc.Serve(l) }()
	t.Cleanup(rpc.Stop)
	rpcPort := l.Addr().(*net.TCPAddr).Port

	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closedPort := closed.Addr().(*net.TCPAddr).Port
	_ = closed.Close()

	probes := map[string]string{}
	cases := []struct {
		name, probe string
		code        int
		want        string
	}{
		{"http", fmt.Sprintf(`{"httpGet":{"path":"/health?deep=1","port":%d,"scheme":"HTTP"},"timeoutSeconds":1}`, port), 200, "/health?deep=1 host="},
		{"headers", fmt.Sprintf(`{"httpGet":{"path":"health","port":%d,"httpHeaders":[{"name":"Probe","value":"p"},{"name":"Host","value":"order"}]}}`, port), 200, "/health host=order x=1 probe=p"},
		{"bad", fmt.Sprintf(`{"httpGet":{"path":"/bad","port":%d}}`, port), 503, "down"},
		{"away", fmt.Sprintf(`{"httpGet":{"path":"/away","port":%d}}`, port), 200, ""},
		{"slow", fmt.Sprintf(`{"httpGet":{"path":"/slow","port":%d},"timeoutSeconds":1}`, port), 500, ""},
		{"https", fmt.Sprintf(`{"httpGet":{"path":"/","port":%d,"scheme":"HTTPS"}}`, tlsPort), 200, "secured"},
		{"tcp", fmt.Sprintf(`{"tcpSocket":{"port":%d}}`, port), 200, ""},
		{"tcp-closed", fmt.Sprintf(`{"tcpSocket":{"port":%d}}`, closedPort), 500, ""},
		{"http-closed", fmt.Sprintf(`{"httpGet":{"path":"/","port":%d}}`, closedPort), 500, ""},
		{"grpc", fmt.Sprintf(`{"grpc":{"port":%d,"service":null}}`, rpcPort), 200, ""},
		{"grpc-down", fmt.Sprintf(`{"grpc":{"port":%d,"service":"down"}}`, rpcPort), 500, "NOT_SERVING"},
		{"grpc-closed", fmt.Sprintf(`{"grpc":{"port":%d}}`, closedPort), 500, ""},
	}
	for _, c := range cases {
		probes[c.name] = c.probe
	}
	var all []string
	for name, probe := range probes {
		all = append(all, fmt.Sprintf("%q:%s", "/app-health/"+name+"/readyz", probe))
	}
	s := serve(t, map[string]string{"ISTIO_KUBE_APP_PROBERS": "{" + strings.Join(all, ",") + "}"})
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			code, body := s.ask(t, "", "GET", 15020, "/app-health/"+c.name+"/readyz", "X", "1")
			if code != c.code || !strings.Contains(body, c.want) {
				t.Errorf("%d %q", code, body)
			}
		})
	}
}

func TestTheApplicationsMetricsAreMerged(t *testing.T) {
	port := application(t)
	s := serve(t, map[string]string{"ISTIO_PROMETHEUS_ANNOTATIONS": fmt.Sprintf(`{"scrape":"true","path":"","port":"%d"}`, port)})
	for _, path := range []string{"/stats/prometheus", "/metrics"} {
		code, body := s.ask(t, "", "GET", 15020, path, "Accept", "application/openmetrics-text", "X-Prometheus-Scrape-Timeout-Seconds", "5")
		if code != 200 || !strings.Contains(body, "istio_build{") || !strings.HasSuffix(body, "orders_total 7\n") {
			t.Error(code, body)
		}
	}
	if _, body := s.ask(t, "", "GET", 15090, "/stats/prometheus"); strings.Contains(body, "orders_total") {
		t.Error("15090 is the proxy's own")
	}
}

func TestAnApplicationWithoutMetricsLeavesTheProxys(t *testing.T) {
	s := serve(t, map[string]string{"ISTIO_PROMETHEUS_ANNOTATIONS": `{"scrape":"true","path":"/metrics","port":"1"}`})
	if code, body := s.ask(t, "", "GET", 15020, "/metrics"); code != 200 || !strings.Contains(body, "istio_build{") {
		t.Error(code, body)
	}
	if !strings.Contains(s.log.String(), "the application's metrics") {
		t.Error(s.log.String())
	}
}

func TestTheInjectorsSettingsAreChecked(t *testing.T) {
	for name, env := range map[string]map[string]string{
		"is not a port":                      {"ISTIO_PROMETHEUS_ANNOTATIONS": `{"scrape":"true","port":"http"}`},
		"port 15020 is the proxy's own":      {"ISTIO_PROMETHEUS_ANNOTATIONS": `{"scrape":"true","port":"15020"}`},
		"ISTIO_PROMETHEUS_ANNOTATIONS":       {"ISTIO_PROMETHEUS_ANNOTATIONS": `{`},
		"is not the path of a probe":         {"ISTIO_KUBE_APP_PROBERS": `{"/x":{"tcpSocket":{"port":1}}}`},
		"one of httpGet, tcpSocket and grpc": {"ISTIO_KUBE_APP_PROBERS": `{"/app-health/a/livez":{}}`},
		"0 is not a port":                    {"ISTIO_KUBE_APP_PROBERS": `{"/app-health/a/livez":{"tcpSocket":{}}}`},
		"there is no probe":                  {"ISTIO_KUBE_APP_PROBERS": `{"/app-health/a/livez":null}`},
		"ISTIO_KUBE_APP_PROBERS: json":       {"ISTIO_KUBE_APP_PROBERS": `{"/app-health/a/livez":{"tcpSocket":{"port":"http"}}}`},
	} {
		w := newWorld(t, func(o *telemetry.Options) { o.Env = func(key string) string { return env[key] } })
		if err := w.Serve(t.Context(), telemetry.AdminOptions{}); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%v lacks %q", err, name)
		}
	}
}
