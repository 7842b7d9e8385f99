package upstream_test

import (
	"strings"
	"testing"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	leastv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/load_balancing_policies/least_request/v3"
	maglevv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/load_balancing_policies/maglev/v3"
	randomv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/load_balancing_policies/random/v3"
	ringv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/load_balancing_policies/ring_hash/v3"
	roundv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/load_balancing_policies/round_robin/v3"
	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	httpv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/upstreams/http/v3"
	"google.golang.org/protobuf/proto"

	"github.com/meshstorm/meshstorm/lab/proxy/fields"
	"github.com/meshstorm/meshstorm/lab/proxy/fields/fieldstest"
	"github.com/meshstorm/meshstorm/lab/proxy/upstream"
	"github.com/meshstorm/meshstorm/lab/proxy/xds"
	"github.com/meshstorm/meshstorm/route"
)

func TestTheFieldsNameTheirTests(t *testing.T) { fieldstest.Check(t, ".", upstream.Fields()) }

// The messages of clusters and endpoints, with what they hold, are in this
// package's list, but for what package server lists for both sides: addresses,
// and TLS below its contexts.
func TestEveryFieldIsListed(t *testing.T) {
	table, err := fields.NewTable(upstream.Fields(), xds.Fields(), route.Fields())
	if err != nil {
		t.Fatal(err)
	}
	const tlsPackage = "envoy.extensions.transport_sockets.tls.v3."
	for _, m := range []proto.Message{
		&clusterv3.Cluster{}, &endpointv3.ClusterLoadAssignment{}, &httpv3.HttpProtocolOptions{}, &tlsv3.UpstreamTlsContext{},
		&roundv3.RoundRobin{}, &leastv3.LeastRequest{}, &randomv3.Random{}, &ringv3.RingHash{}, &maglevv3.Maglev{},
	} {
		root := string(m.ProtoReflect().Descriptor().FullName())
		for _, name := range table.Missing(m.ProtoReflect().Descriptor()) {
			message := name[:strings.LastIndexByte(name, '.')]
			if message == "envoy.config.core.v3.SocketAddress" ||
				root == tlsPackage+"UpstreamTlsContext" && message != root && message != tlsPackage+"CommonTlsContext" {
				continue
			}
			t.Errorf("%s: %s is in no list", root, name)
		}
	}
}
