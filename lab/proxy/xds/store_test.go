package xds

import (
	"fmt"
	"log/slog"
	"testing"
	"time"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/durationpb"
)

// One service's endpoints change in a mesh of a thousand clusters: the commonest
// push of all.
func BenchmarkEndpointsChange(b *testing.B) {
	pack := func(m proto.Message) sent {
		body, err := anypb.New(m)
		if err != nil {
			b.Fatal(err)
		}
		return sent{version: "1", body: body}
	}
	s := newStore(Options{Log: slog.New(slog.DiscardHandler), FetchTimeout: time.Second})
	var all, assigned response
	for i := range 1000 {
		name := fmt.Sprintf("c%d", i)
		all.resources = append(all.resources, pack(&clusterv3.Cluster{Name: name,
			ClusterDiscoveryType: &clusterv3.Cluster_Type{Type: clusterv3.Cluster_EDS},
			EdsClusterConfig: &clusterv3.Cluster_EdsClusterConfig{EdsConfig: &corev3.ConfigSource{
				ConfigSourceSpecifier: &corev3.ConfigSource_Ads{Ads: &corev3.AggregatedConfigSource{}}}}}))
		assigned.resources = append(assigned.resources, pack(&endpointv3.ClusterLoadAssignment{ClusterName: name}))
	}
	take := func(k kind, r response) {
		if err := s.take(k, r); err != nil {
			b.Fatal(err)
		}
		for k, names := range s.wanted() {
			s.subscribe(kind(k), names)
		}
	}
	take(clusters, all)
	take(endpoints, assigned)
	take(listeners, response{})
	now := time.Now()
	if w := s.warm(now); w.snapshot == nil || len(w.snapshot.Endpoints) != 1000 {
		b.Fatalf("the first snapshot is not complete: %d wait", len(w.cold))
	}
	b.ReportAllocs()
	for i := range b.N {
		weight := durationpb.New(time.Duration(i + 1))
		take(endpoints, response{resources: []sent{pack(&endpointv3.ClusterLoadAssignment{ClusterName: "c7",
			Policy: &endpointv3.ClusterLoadAssignment_Policy{EndpointStaleAfter: weight}})}})
		if s.warm(now).snapshot == nil {
			b.Fatal("no snapshot")
		}
	}
}

func FuzzTake(f *testing.F) {
	listener, err := proto.Marshal(&listenerv3.Listener{Name: "l", ListenerFilters: []*listenerv3.ListenerFilter{{Name: "f",
		ConfigType: &listenerv3.ListenerFilter_ConfigDiscovery{ConfigDiscovery: &corev3.ExtensionConfigSource{TypeUrls: []string{"a"}}}}}})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(uint8(listeners), listener, "")
	f.Add(uint8(clusters), []byte("\x0a\x01a"), "b")
	f.Fuzz(func(t *testing.T, k uint8, body []byte, removed string) {
		at := kind(k) % kinds
		s := newStore(Options{Log: slog.New(slog.DiscardHandler), FetchTimeout: time.Second})
		r := response{resources: []sent{{body: &anypb.Any{TypeUrl: traitsOf[at].url, Value: body}}}, removed: []string{removed}}
		for range 2 {
			_ = s.take(clusters, response{})
			_ = s.take(at, r)
			for k, names := range s.wanted() {
				s.subscribe(kind(k), names)
			}
			s.warm(time.Now())
		}
		s.answered[listeners] = true
		if w := s.warm(time.Now().Add(time.Hour)); len(w.cold) == 0 && s.last == nil {
			t.Error("nothing is held back, but there is no snapshot")
		}
	})
}
