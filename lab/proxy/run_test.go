package proxy

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/meshstorm/meshstorm/lab/loopback"
	"github.com/meshstorm/meshstorm/lab/pod"
)

// discovery is a control plane that sends what it has, once, by delta.
type discovery struct {
	discoveryv3.UnimplementedAggregatedDiscoveryServiceServer
	t         testing.TB
	resources map[string]map[string]*anypb.Any
}

func (d *discovery) add(name, text string, m proto.Message) {
	d.t.Helper()
	if err := protojson.Unmarshal([]byte(text), m); err != nil {
		d.t.Fatal(err)
	}
	packed, err := anypb.New(m)
	if err != nil {
		d.t.Fatal(err)
	}
	if d.resources[packed.TypeUrl] == nil {
		d.resources[packed.TypeUrl] = map[string]*anypb.Any{}
	}
	d.resources[packed.TypeUrl][name] = packed
}

func (d *discovery) DeltaAggregatedResources(stream discoveryv3.AggregatedDiscoveryService_DeltaAggregatedResourcesServer) error {
	for n := 1; ; n++ {
		req, err := stream.Recv()
		if err != nil {
			return err
		}
		if e := req.GetErrorDetail(); e != nil {
			d.t.Errorf("NACK of %s: %s", req.GetTypeUrl(), e.GetMessage())
		}
		if req.GetResponseNonce() != "" && len(req.GetResourceNamesSubscribe()) == 0 {
			continue
		}
		resp := &discoveryv3.DeltaDiscoveryResponse{TypeUrl: req.GetTypeUrl(), Nonce: fmt.Sprint(n)}
		for name, r := range d.resources[req.GetTypeUrl()] {
			resp.Resources = append(resp.Resources, &discoveryv3.Resource{Name: name, Version: "1", Resource: r})
		}
		if err := stream.Send(resp); err != nil {
			return err
		}
	}
}

type safeBuffer struct {
	mu sync.Mutex
	b  strings.Builder
}

func (s *safeBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *safeBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// TestAGatewayFromDiscoveryToDraining runs a whole proxy against a control
// plane: it gets ready, answers, names what it lacks, and ends.
func TestAGatewayFromDiscoveryToDraining(t *testing.T) {
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "from the application") }))
	t.Cleanup(app.Close)
	where := netip.MustParseAddrPort(app.Listener.Addr().String())
	d := &discovery{t: t, resources: map[string]map[string]*anypb.Any{}}
	endpoint := fmt.Sprintf(`{"clusterName":"a","endpoints":[{"lbEndpoints":[{"endpoint":{"address":{"socketAddress":{"address":"%s","portValue":%d}}}}]}]}`, where.Addr(), where.Port())
	d.add("a", `{"name":"a","type":"STATIC","connectTimeout":"2s","loadAssignment":`+endpoint+`}`, &clusterv3.Cluster{})
	d.add("r", `{"name":"r","virtualHosts":[{"name":"all","domains":["*"],"routes":[{"match":{"prefix":"/"},"route":{"cluster":"a"}}]}]}`, &routev3.RouteConfiguration{})
	d.add("0.0.0.0_8080", `{"name":"0.0.0.0_8080","address":{"socketAddress":{"address":"0.0.0.0","portValue":8080}},"socketOptions":[{"level":"6","name":"1","intValue":"1"}],"filterChains":[{"filters":[
		{"name":"hcm","typedConfig":{"@type":"type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager","statPrefix":"x",
		"rds":{"configSource":{"ads":{}},"routeConfigName":"r"},"httpFilters":[{"name":"envoy.filters.http.router","typedConfig":{"@type":"type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"}}]}}]}]}`, &listenerv3.Listener{})
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	istiod := grpc.NewServer()
	discoveryv3.RegisterAggregatedDiscoveryServiceServer(istiod, d)
	go func() { _ = istiod.Serve(ln) }()
	t.Cleanup(istiod.Stop)
	pid := os.Getpid()
	spec := &pod.Spec{Namespace: "istio-system", Name: "gateway-1", IP: netip.AddrFrom4([4]byte{10, 244, byte(210 + pid%40), byte(2 + pid/40%250)}), Net: loopback.Default, Node: "127.0.0.1:1", DNS: "127.0.0.1:1"}
	config, _ := json.Marshal(map[string]any{"discoveryAddress": ln.Addr().String(), "controlPlaneAuthPolicy": "NONE"})
	env := map[string]string{"PROXY_CONFIG": string(config), "POD_NAME": spec.Name, "POD_NAMESPACE": spec.Namespace, "INSTANCE_IP": spec.IP.String()}
	notes := &safeBuffer{}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() {
		ended <- Run(ctx, spec, []string{"proxy", "router"}, func(k string) string { return env[k] }, io.Discard, slog.New(slog.NewTextHandler(notes, nil)))
	}()
	get := func(port int, path string) (int, string) {
		resp, err := http.Get("http://" + spec.Address(port) + path)
		if err != nil {
			return 0, err.Error()
		}
		defer func() { _ = resp.Body.Close() }()
		b, _ := io.ReadAll(resp.Body)
		return resp.StatusCode, string(b)
	}
	deadline := time.Now().Add(20 * time.Second)
	for code := 0; code != http.StatusOK; code, _ = get(15021, "/healthz/ready") {
		if time.Now().After(deadline) {
			t.Fatalf("never ready:\n%s", notes)
		}
		time.Sleep(10 * time.Millisecond)
	}
	if code, body := get(8080, "/"); code != http.StatusOK || body != "from the application" {
		t.Errorf("got %d %q\n%s", code, body, notes)
	}
	if _, body := get(15000, "/unsupported"); !strings.Contains(body, "socket_options") {
		t.Errorf("/unsupported says %q", body)
	}
	if strings.Count(notes.String(), "socket_options") != 1 {
		t.Errorf("what is missing is not logged once:\n%s", notes)
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if code, _ := get(8080, "/"); code != 0 {
		t.Error("the port is still bound")
	}
}

func TestKind(t *testing.T) {
	if gateway, err := kind([]string{"proxy", "router", "--domain", "x"}); !gateway || err != nil {
		t.Error(gateway, err)
	}
	if _, err := kind([]string{"proxy"}); err == nil {
		t.Error("no kind is accepted")
	}
}

func TestPodPorts(t *testing.T) {
	got := podPorts(`[{"name":"http","containerPort":8080,"protocol":"TCP"},{"containerPort":53,"protocol":"UDP"},{"containerPort":9}]`, slog.New(slog.DiscardHandler))
	if fmt.Sprint(got) != "[8080 9]" {
		t.Error(got)
	}
}
