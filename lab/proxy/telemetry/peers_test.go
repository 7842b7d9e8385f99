package telemetry_test

import (
	"encoding/base64"
	"maps"
	"net/http"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/meshstorm/meshstorm/lab/proxy/telemetry"
)

func TestPeersTellEachOther(t *testing.T) {
	order := telemetry.New(telemetry.Options{Node: node(t, "sidecar", "order")})
	h := http.Header{"Accept": {"*/*"}}
	order.Peers().Inject(h)
	if h.Get("X-Envoy-Peer-Metadata-Id") != "sidecar~10.244.0.4~order-5d9.default~default.svc.cluster.local" {
		t.Error(h)
	}
	told := &structpb.Struct{}
	data, err := base64.StdEncoding.DecodeString(h.Get("X-Envoy-Peer-Metadata"))
	if err != nil || proto.Unmarshal(data, told) != nil {
		t.Fatal(err)
	}
	if told.Fields["LABELS"].GetStructValue().Fields["secret"] != nil || told.Fields["ISTIO_VERSION"] != nil {
		t.Error("more is told than metrics need", told)
	}
	again := http.Header{}
	telemetry.New(telemetry.Options{Node: node(t, "sidecar", "order")}).Peers().Inject(again)
	if again.Get("X-Envoy-Peer-Metadata") != h.Get("X-Envoy-Peer-Metadata") {
		t.Error("the same node is told in two ways")
	}

	got := newWorld(t).Peers().Extract(h)
	want := map[string]string{
		telemetry.PeerID: "sidecar~10.244.0.4~order-5d9.default~default.svc.cluster.local", telemetry.PeerName: "order-5d9", telemetry.PeerNamespace: "default",
		telemetry.PeerOwner: "kubernetes://apis/apps/v1/namespaces/default/deployments/order", telemetry.PeerWorkload: "order", telemetry.PeerCluster: "Kubernetes",
		telemetry.PeerApp: "order", telemetry.PeerVersion: "v1", telemetry.PeerCanonicalName: "order", telemetry.PeerCanonicalRevision: "v1",
	}
	if !maps.Equal(got, want) {
		t.Errorf("got %v", got)
	}
	if len(h) != 1 {
		t.Error("the headers go on to the application", h)
	}
}

func TestPeersThatTellLittle(t *testing.T) {
	for _, c := range []struct {
		name, id, metadata string
		want               map[string]string
	}{
		{"nothing", "", "", nil},
		{"an id alone", "sidecar~10.244.0.4~order-5d9.shop~shop.svc.cluster.local", "",
			map[string]string{telemetry.PeerID: "sidecar~10.244.0.4~order-5d9.shop~shop.svc.cluster.local", telemetry.PeerName: "order-5d9", telemetry.PeerNamespace: "shop"}},
		{"no base64", "x", "%%%", map[string]string{telemetry.PeerID: "x"}},
		{"no protobuf", "", "////", nil},
		{"far too much", "x", strings.Repeat("A", 20_000), nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := http.Header{}
			if c.id != "" {
				h.Set("X-Envoy-Peer-Metadata-Id", c.id)
			}
			if c.metadata != "" {
				h.Set("X-Envoy-Peer-Metadata", c.metadata)
			}
			if got := newWorld(t).Peers().Extract(h); !maps.Equal(got, c.want) {
				t.Errorf("got %v", got)
			}
			if len(h) != 0 {
				t.Error(h)
			}
		})
	}
}

func TestWorkloadsOfEndpoints(t *testing.T) {
	inner := map[string]any{"workload": "order;default;order;v1;"}
	want := map[string]string{telemetry.PeerWorkload: "order", telemetry.PeerNamespace: "default", telemetry.PeerCanonicalName: "order", telemetry.PeerCanonicalRevision: "v1"}
	for name, metadata := range map[string]map[string]any{"all": {"istio": inner}, "the part of Istio": inner} {
		if got := telemetry.WorkloadFromEndpoint(metadata); !maps.Equal(got, want) {
			t.Error(name, got)
		}
	}
	for _, metadata := range []map[string]any{nil, {"workload": "a;b"}, {"workload": ";;;;"}, {"istio": 7}, {"workload": 7}} {
		if got := telemetry.WorkloadFromEndpoint(metadata); got != nil {
			t.Error(metadata, got)
		}
	}
}

func FuzzExtract(f *testing.F) {
	h := http.Header{}
	newWorld(f).Peers().Inject(h)
	f.Add(h.Get("X-Envoy-Peer-Metadata-Id"), h.Get("X-Envoy-Peer-Metadata"))
	peers := newWorld(f).Peers()
	f.Fuzz(func(t *testing.T, id, metadata string) {
		h := http.Header{"X-Envoy-Peer-Metadata-Id": {id}, "X-Envoy-Peer-Metadata": {metadata}}
		peers.Extract(h)
		telemetry.WorkloadFromEndpoint(map[string]any{"workload": metadata})
	})
}
