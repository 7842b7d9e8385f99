package xds_test

import (
	"slices"
	"testing"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	"google.golang.org/protobuf/types/known/durationpb"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"

	"github.com/meshstorm/meshstorm/lab/proxy/fields"
	"github.com/meshstorm/meshstorm/lab/proxy/fields/fieldstest"
	"github.com/meshstorm/meshstorm/lab/proxy/xds"
)

func TestTheFieldsNameTheirTests(t *testing.T) { fieldstest.Check(t, ".", xds.Fields()) }

func TestEveryFieldIsListed(t *testing.T) {
	table, err := fields.NewTable(xds.Fields())
	if err != nil {
		t.Fatal(err)
	}
	if missing := table.Missing((&hcmv3.Rds{}).ProtoReflect().Descriptor(), (&corev3.ExtensionConfigSource{}).ProtoReflect().Descriptor(),
		(&clusterv3.Cluster_EdsClusterConfig{}).ProtoReflect().Descriptor()); len(missing) > 0 {
		t.Errorf("missing are %q", missing)
	}
}

func TestSources(t *testing.T) {
	for _, c := range []struct {
		name   string
		source *corev3.ConfigSource
		names  []string // asked for
		waits  bool     // for more than the client's own timeout
	}{
		{"the source's own timeout", &corev3.ConfigSource{ConfigSourceSpecifier: ads().ConfigSourceSpecifier, InitialFetchTimeout: durationpb.New(time.Hour)}, []string{"eds-a"}, true},
		{"the stream itself", &corev3.ConfigSource{ConfigSourceSpecifier: &corev3.ConfigSource_Self{Self: &corev3.SelfConfigSource{}}}, []string{"eds-a"}, false},
		{"no time limit, as Istio has it", ads(), []string{"eds-a"}, false},
		{"a file", &corev3.ConfigSource{ConfigSourceSpecifier: &corev3.ConfigSource_Path{Path: "/etc/eds"}}, nil, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := startIstiod(t)
			client := s.run(func(o *xds.Options) { o.FetchTimeout = 50 * time.Millisecond })
			st := s.stream()
			st.expect(xds.ClusterType)
			cluster := edsCluster("a")
			cluster.EdsClusterConfig.EdsConfig = c.source
			st.answer(xds.ClusterType, list(cluster))
			if c.names != nil {
				if r := st.expect(xds.EndpointType); !slices.Equal(r.names, c.names) {
					t.Errorf("endpoints are asked for with %+v", r)
				}
			}
			if c.waits {
				client.eventually("warming", func(s xds.Status) bool { return len(s.Warming) == 1 })
				st.answer(xds.EndpointType, list(endpointsOf("a", 1)))
			}
			st.expect(xds.ListenerType)
			st.answer(xds.ListenerType, nil)
			if got := client.any().Endpoints["a"] != nil; got != c.waits {
				t.Errorf("there are endpoints: %t", got)
			}
		})
	}
}
