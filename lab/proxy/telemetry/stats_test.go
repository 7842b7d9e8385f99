package telemetry_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync/atomic"
	"testing"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/types/known/anypb"
	"istio.io/api/envoy/extensions/stats"

	"github.com/meshstorm/meshstorm/lab/proxy/flow"
	"github.com/meshstorm/meshstorm/lab/proxy/telemetry"
)

// filter compiles an istio.stats filter.
func (w *world) filter(t testing.TB, config string) *telemetry.Stats {
	t.Helper()
	c := &stats.PluginConfig{}
	if err := protojson.Unmarshal([]byte(config), c); err != nil {
		t.Fatal(err)
	}
	packed, err := anypb.New(c)
	if err != nil {
		t.Fatal(err)
	}
	s, err := w.Stats(packed)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// metrics are the lines of /stats/prometheus that begin with a prefix.
func (w *world) metrics(t testing.TB, prefix string) string {
	t.Helper()
	recorder := httptest.NewRecorder()
	w.Metrics().ServeHTTP(recorder, httptest.NewRequest(http.MethodGet, "/stats/prometheus", nil))
	var b strings.Builder
	for line := range strings.Lines(recorder.Body.String()) {
		if strings.HasPrefix(line, prefix) {
			b.WriteString(line)
		}
	}
	return b.String()
}

func inbound(r *flow.Record) {
	r.Downstream.Inbound = true
	r.Peer = map[string]string{telemetry.PeerWorkload: "order", telemetry.PeerNamespace: "shop", telemetry.PeerCanonicalName: "order", telemetry.PeerApp: "order"}
	r.Cluster = "inbound|8080||"
	r.ClusterMetadata = map[string]any{"services": []any{map[string]any{"host": "delivery.default.svc.cluster.local", "name": "delivery", "namespace": "default"}}}
}

// TestMetrics holds names, labels and buckets to a file. UPDATE_GOLDEN=1 writes
// it anew.
func TestMetrics(t *testing.T) {
	w := newWorld(t)
	s := w.filter(t, `{}`)
	s.Observe(record())
	s.Observe(with(func(r *flow.Record) { r.Status, r.Flags = 503, flow.Flags{"UH"} }))
	s.Observe(with(inbound))
	grpc := with(func(r *flow.Record) { r.GRPC, r.GRPCStatus = true, 0 })
	s.Observe(grpc)
	s.ObserveMessages(grpc, 1, 5)
	s.Observe(connection())
	got := w.metrics(t, "")
	const golden = "testdata/metrics.prom"
	if os.Getenv("UPDATE_GOLDEN") != "" {
		if err := os.WriteFile(golden, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestLabels(t *testing.T) {
	for _, c := range []struct {
		name, config string
		change       func(*flow.Record)
		want         string // labels with values, by spaces
	}{
		{"a known service", `{}`, func(*flow.Record) {},
			`reporter="source" source_workload="delivery" source_canonical_revision="v1" destination_workload="order" destination_service="order.default.svc.cluster.local" destination_service_name="order" destination_service_namespace="default" connection_security_policy="unknown" response_flags="-" request_protocol="http" response_code="200" grpc_response_status=""`},
		{"the server's side", `{}`, inbound,
			`reporter="destination" source_workload="order" source_workload_namespace="shop" source_version="unknown" source_canonical_revision="latest" destination_workload="delivery" destination_service="delivery.default.svc.cluster.local" connection_security_policy="none"`},
		{"a client without a proxy", `{}`, func(r *flow.Record) { inbound(r); r.Peer = nil },
			`source_workload="unknown" source_canonical_service="unknown" source_canonical_revision="latest" source_principal="unknown" source_cluster="unknown"`},
		{"the Host header stands in for a service", `{}`, func(r *flow.Record) { r.ClusterMetadata, r.Peer, r.Cluster = nil, nil, "outbound|80||example.com" },
			`destination_service="order:8080" destination_service_name="order:8080" destination_service_namespace="unknown"`},
		{"no fallback to the Host header", `{"disableHostHeaderFallback":true}`, func(r *flow.Record) { r.ClusterMetadata, r.Peer = nil, nil },
			`destination_service="unknown" destination_service_name="unknown"`},
		{"no fallback at the server", `{"disableHostHeaderFallback":true}`, func(r *flow.Record) { inbound(r); r.ClusterMetadata = nil },
			`destination_service="delivery" destination_service_name="delivery" destination_service_namespace="default"`},
		{"outside the mesh", `{}`, func(r *flow.Record) { r.ClusterMetadata, r.Peer, r.Cluster = nil, nil, "PassthroughCluster" },
			`destination_service="order:8080" destination_service_name="PassthroughCluster"`},
		{"outside the mesh, by its route", `{}`, func(r *flow.Record) { r.RouteName = "allow_any" }, `destination_service_name="PassthroughCluster"`},
		{"not allowed outside", `{}`, func(r *flow.Record) { r.RouteName, r.Cluster = "block_all", "" }, `destination_service_name="BlackHoleCluster"`},
		{"a port that no service has", `{"disableHostHeaderFallback":true}`, func(r *flow.Record) { inbound(r); r.ClusterMetadata, r.Cluster = nil, "InboundPassthroughCluster" },
			`destination_service="delivery" destination_service_name="InboundPassthroughCluster"`},
		{"gRPC", `{}`, func(r *flow.Record) { r.GRPC, r.GRPCStatus = true, 14 }, `request_protocol="grpc" grpc_response_status="14"`},
		{"a failure", `{}`, func(r *flow.Record) { r.Status, r.Flags = 0, flow.Flags{"DC", "UF"} }, `response_code="0" response_flags="DC,UF"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			w.filter(t, c.config).Observe(with(c.change))
			got := w.metrics(t, "istio_requests_total")
			for _, label := range strings.Fields(c.want) {
				if !strings.Contains(got, label) {
					t.Errorf("%s lacks %s", got, label)
				}
			}
		})
	}
}

func TestOverrides(t *testing.T) {
	for _, c := range []struct {
		name, config string
		has, lacks   string
	}{
		{"a label less", `{"metrics":[{"tagsToRemove":["response_flags"]}]}`, "istio_requests_total", `response_flags`},
		{"a label less of one metric", `{"metrics":[{"name":"request_bytes","tagsToRemove":["reporter"]}]}`, `istio_request_duration_milliseconds_count{connection`, `istio_request_bytes_count{reporter`},
		{"a metric less", `{"metrics":[{"name":"requests_total","drop":true}]}`, "istio_request_bytes_count", "istio_requests_total"},
		{"all metrics less", `{"metrics":[{"drop":true}]}`, "", "istio_request"},
		{"an own dimension is named as unsupported", `{"metrics":[{"dimensions":{"host":"request.host"}}]}`, "istio_requests_total", "host="},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			w.filter(t, c.config).Observe(record())
			got := w.metrics(t, "istio_request")
			if !strings.Contains(got, c.has) || strings.Contains(got, c.lacks) {
				t.Errorf("%s\nlacks %s or has %s", got, c.has, c.lacks)
			}
			if strings.Contains(c.config, "dimensions") != strings.Contains(w.log.String(), "istio.stats dimension host = request.host") {
				t.Error(w.log.String())
			}
		})
	}
}

// Two filters of a proxy, with other labels each, must not break the page.
func TestFiltersOfOneProxyShareItsMetrics(t *testing.T) {
	w := newWorld(t)
	w.filter(t, `{}`).Observe(record())
	w.filter(t, `{}`).Observe(record())
	w.filter(t, `{"metrics":[{"tagsToRemove":["response_flags"]}]}`).Observe(record())
	got := w.metrics(t, "istio_requests_total")
	if strings.Count(got, "\n") != 2 || !strings.Contains(got, "} 2\n") || !strings.Contains(got, "} 1\n") {
		t.Error(got)
	}
}

func TestBucketsCanBeReplaced(t *testing.T) {
	w := newWorld(t, func(o *telemetry.Options) {
		o.Spec.Annotations = map[string]string{"sidecar.istio.io/statsHistogramBuckets": `{"istiocustom":[1,20]}`}
	})
	w.filter(t, `{}`).Observe(record())
	got := w.metrics(t, "istio_request_duration_milliseconds_bucket")
	if strings.Count(got, "\n") != 3 || !strings.Contains(got, `le="20"} 1`) {
		t.Error(got)
	}
}

func TestConnectionsAreReportedWhileTheyLast(t *testing.T) {
	w := newWorld(t)
	s := w.filter(t, `{"tcpReportingDuration":"0.001s"}`)
	var received atomic.Int64
	received.Store(10)
	r := connection()
	c := s.Open(r, func() (int64, int64) { return received.Load(), 0 })
	eventually(t, func() bool { return strings.Contains(w.metrics(t, "istio_tcp_received_bytes_total"), "} 10\n") })
	received.Store(15)
	eventually(t, func() bool { return strings.Contains(w.metrics(t, "istio_tcp_received_bytes_total"), "} 15\n") })
	if got := w.metrics(t, "istio_tcp_connections_closed_total"); !strings.Contains(got, "} 0\n") {
		t.Error(got)
	}
	c.Close(r) // 30 received, 50 sent
	c.Close(r)
	for name, want := range map[string]string{"received_bytes": "} 30\n", "sent_bytes": "} 50\n", "connections_opened": "} 1\n", "connections_closed": "} 1\n"} {
		if got := w.metrics(t, "istio_tcp_"+name+"_total"); !strings.Contains(got, want) || strings.Contains(got, "response_code") || !strings.Contains(got, `destination_workload="my-kafka"`) {
			t.Error(got)
		}
	}
}

func TestConfigurationsOfOtherFilters(t *testing.T) {
	if _, err := newWorld(t).Stats(&anypb.Any{TypeUrl: "type.googleapis.com/nope"}); err == nil {
		t.Error("taken")
	}
	if _, err := newWorld(t).Stats(node(t, "sidecar", "x")); err == nil || !strings.Contains(err.Error(), "envoy.config.core.v3.Node") {
		t.Error(err)
	}
	var none *telemetry.Stats
	none.Observe(record())
	none.Open(record(), nil).Close(record())
}

func TestHostsWithoutEndDoNotFillTheMemory(t *testing.T) {
	w := newWorld(t)
	names := []string{"request_duration_milliseconds", "request_bytes", "response_bytes"}
	config := `{"metrics":[{"name":"` + strings.Join(names, `","drop":true},{"name":"`) + `","drop":true}]}`
	s := w.filter(t, config)
	for i := range 10_100 {
		s.Observe(with(func(r *flow.Record) { r.ClusterMetadata, r.Authority = nil, fmt.Sprintf("host-%d", i) }))
	}
	if n := strings.Count(w.metrics(t, "istio_requests_total"), "\n"); n != 10_001 {
		t.Errorf("%d series", n)
	}
}

func BenchmarkObserve(b *testing.B) {
	w := newWorld(b)
	s := w.filter(b, `{}`)
	r := record()
	b.ReportAllocs()
	for b.Loop() {
		s.Observe(r)
	}
}

func TestObservingDoesNotAllocate(t *testing.T) {
	s := newWorld(t).filter(t, `{}`)
	r := record()
	if n := testing.AllocsPerRun(100, func() { s.Observe(r) }); n > 0 {
		t.Errorf("%.0f allocations per request", n)
	}
}
