package proxy

import (
	"testing"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/meshstorm/meshstorm/lab/proxy/fields/fieldstest"
	"github.com/meshstorm/meshstorm/lab/proxy/router"
	"github.com/meshstorm/meshstorm/lab/proxy/server"
	"github.com/meshstorm/meshstorm/lab/proxy/telemetry"
	"github.com/meshstorm/meshstorm/lab/proxy/upstream"
	"github.com/meshstorm/meshstorm/lab/proxy/xds"
)

// Every field that istiod could send is evaluated, or said not to be: a new
// version of Envoy's messages fails here until somebody has decided.
func TestEveryFieldOfEnvoysMessagesIsDealtWith(t *testing.T) {
	table, err := Fields()
	if err != nil {
		t.Fatal(err)
	}
	roots := []protoreflect.MessageDescriptor{
		(&listenerv3.Listener{}).ProtoReflect().Descriptor(),
		(&hcmv3.HttpConnectionManager{}).ProtoReflect().Descriptor(),
		(&clusterv3.Cluster{}).ProtoReflect().Descriptor(),
		(&endpointv3.ClusterLoadAssignment{}).ProtoReflect().Descriptor(),
	}
	for _, missing := range table.Missing(roots...) {
		t.Errorf("%v is in no list", missing)
	}
}

func TestEveryEvaluatedFieldNamesATestThatExists(t *testing.T) {
	fieldstest.Check(t, "xds", xds.Fields())
	fieldstest.Check(t, "upstream", upstream.Fields())
	fieldstest.Check(t, "telemetry", telemetry.Fields())
	fieldstest.Check(t, "router", router.Fields())
	fieldstest.Check(t, "server", server.Fields())
}
