package telemetry_test

import (
	"bytes"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	accesslogv3 "github.com/envoyproxy/go-control-plane/envoy/config/accesslog/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/access_loggers/file/v3"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/meshstorm/meshstorm/lab/loopback"
	"github.com/meshstorm/meshstorm/lab/pod"
	"github.com/meshstorm/meshstorm/lab/proxy/flow"
	"github.com/meshstorm/meshstorm/lab/proxy/telemetry"
)

// buffer is an access log's output.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// node is the gateway or sidecar of a workload.
func node(t testing.TB, kind, name string) *corev3.Node {
	t.Helper()
	metadata, err := structpb.NewStruct(map[string]any{
		"NAME": name + "-5d9", "NAMESPACE": "default", "WORKLOAD_NAME": name, "CLUSTER_ID": "Kubernetes", "ISTIO_VERSION": "1.31.0",
		"OWNER":  "kubernetes://apis/apps/v1/namespaces/default/deployments/" + name,
		"LABELS": map[string]any{"app": name, "version": "v1", "service.istio.io/canonical-name": name, "service.istio.io/canonical-revision": "v1", "secret": "x"},
	})
	if err != nil {
		t.Fatal(err)
	}
	return &corev3.Node{Id: kind + "~10.244.0.4~" + name + "-5d9.default~default.svc.cluster.local", Metadata: metadata}
}

// record is a request from delivery to order, seen at delivery.
func record() *flow.Record {
	return &flow.Record{
		Downstream: &flow.Downstream{ID: 7, Remote: netip.MustParseAddrPort("10.244.0.9:40001"), Local: netip.MustParseAddrPort("10.96.0.7:8080"),
			Listener: "0.0.0.0_8080", FilterChain: "http"},
		Start: time.Date(2026, 11, 23, 8, 5, 9, 123456789, time.UTC), Duration: 12*time.Millisecond + 900*time.Microsecond,
		FirstByte: 10 * time.Millisecond, UpstreamTime: 9 * time.Millisecond,
		Method: "GET", Scheme: "http", Authority: "order:8080", Path: "/orders?page=1&size=20", UpstreamPath: "/v2/orders?page=1&size=20", Protocol: "HTTP/1.1",
		RequestHeaders:  http.Header{"User-Agent": {"curl/8"}, "X-Request-Id": {"7a1"}, "X-Forwarded-For": {"10.244.0.9"}, "X-Two": {"first", "second"}},
		ResponseHeaders: http.Header{"X-Envoy-Upstream-Service-Time": {"9"}, "Content-Type": {"application/hal+json"}},
		Status:          200, GRPCStatus: -1, Details: "via_upstream", RouteName: "default",
		Cluster: "outbound|8080|stable|order.default.svc.cluster.local", UpstreamHost: netip.MustParseAddrPort("10.244.0.4:8080"),
		UpstreamLocal: netip.MustParseAddrPort("10.244.0.9:51000"), Attempts: 1, BytesReceived: 3, BytesSent: 120,
		Peer: map[string]string{telemetry.PeerWorkload: "order", telemetry.PeerNamespace: "default", telemetry.PeerApp: "order", telemetry.PeerVersion: "v1",
			telemetry.PeerCanonicalName: "order", telemetry.PeerCanonicalRevision: "v1", telemetry.PeerCluster: "Kubernetes"},
		ClusterMetadata: map[string]any{"subset": "stable", "services": []any{map[string]any{"host": "order.default.svc.cluster.local", "name": "order", "namespace": "default"}}},
	}
}

func with(change func(*flow.Record)) *flow.Record {
	r := record()
	change(r)
	return r
}

// connection is a TCP connection to the broker.
func connection() *flow.Record {
	return &flow.Record{
		Downstream: &flow.Downstream{Remote: netip.MustParseAddrPort("10.244.0.9:40002"), Local: netip.MustParseAddrPort("10.96.0.2:9092")},
		TCP:        true, Start: record().Start, Duration: time.Second, GRPCStatus: -1, BytesReceived: 30, BytesSent: 50,
		Cluster: "outbound|9092||my-kafka.default.svc.cluster.local", UpstreamHost: netip.MustParseAddrPort("10.244.0.11:9092"),
		Peer:            telemetry.WorkloadFromEndpoint(map[string]any{"istio": map[string]any{"workload": "my-kafka;default;my-kafka;latest;Kubernetes"}}),
		ClusterMetadata: map[string]any{"services": []any{map[string]any{"host": "my-kafka.default.svc.cluster.local", "name": "my-kafka", "namespace": "default"}}},
	}
}

type world struct {
	*telemetry.Telemetry
	out, err, log *buffer
	folder        string
}

func newWorld(t testing.TB, change ...func(*telemetry.Options)) *world {
	w := &world{out: &buffer{}, err: &buffer{}, log: &buffer{}, folder: t.TempDir()}
	o := telemetry.Options{
		Node: node(t, "sidecar", "delivery"), Out: w.out, Err: w.err, Log: logTo(w.log),
		Spec: &pod.Spec{Name: "delivery-5d9", Namespace: "default", IP: netip.MustParseAddr("10.244.0.9"), Net: loopback.Default,
			Mounts: []pod.Mount{{Path: "/var/log", Host: w.folder}}},
		Now: func() time.Time { return record().Start.Add(time.Minute) },
		Env: func(name string) string { return map[string]string{"TEAM": "logistics"}[name] },
	}
	for _, c := range change {
		c(&o)
	}
	w.Telemetry = telemetry.New(o)
	t.Cleanup(func() { _ = w.Close() })
	return w
}

const (
	fileURL = "type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog"
	stream  = "type.googleapis.com/envoy.extensions.access_loggers.stream.v3."
)

// logger reads an access log's configuration.
func logger(t testing.TB, config string) *accesslogv3.AccessLog {
	t.Helper()
	l := &accesslogv3.AccessLog{}
	if err := protojson.Unmarshal([]byte(config), l); err != nil {
		t.Fatal(err)
	}
	return l
}

// toStdout is a file access log with fields of its own.
func toStdout(fields string) string {
	return `{"name":"envoy.access_loggers.file","typedConfig":{"@type":"` + fileURL + `","path":"/dev/stdout"` + fields + `}}`
}

func text(format string) string {
	return toStdout(`,"logFormat":{"textFormatSource":{"inlineString":` + quoted(format) + `}}`)
}

func quoted(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`).Replace(s) + `"`
}

// logged is what a configuration writes of records.
func (w *world) logged(t testing.TB, config string, records ...*flow.Record) string {
	t.Helper()
	l, err := w.AccessLogs([]*accesslogv3.AccessLog{logger(t, config)})
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range records {
		l.Log(r)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return w.out.String()
}
