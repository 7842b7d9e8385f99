package router

import (
	"fmt"

	udpav1 "github.com/cncf/xds/go/udpa/type/v1"
	xdsv3 "github.com/cncf/xds/go/xds/type/v3"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/meshstorm/meshstorm/lab/proxy/telemetry"
)

// peerMetadataURL is the type of Istio's peer_metadata filter, which has no Go
// package: istiod sends it as a TypedStruct.
const peerMetadataURL = "type.googleapis.com/io.istio.http.peer_metadata.Config"

// typedStruct reads either form of TypedStruct.
func typedStruct(config *anypb.Any) (url string, value *structpb.Struct) {
	if config.MessageIs((*udpav1.TypedStruct)(nil)) {
		m := &udpav1.TypedStruct{}
		if config.UnmarshalTo(m) == nil {
			return m.GetTypeUrl(), m.GetValue()
		}
	}
	if config.MessageIs((*xdsv3.TypedStruct)(nil)) {
		m := &xdsv3.TypedStruct{}
		if config.UnmarshalTo(m) == nil {
			return m.GetTypeUrl(), m.GetValue()
		}
	}
	return "", nil
}

func typedStructURL(config *anypb.Any) string {
	url, _ := typedStruct(config)
	return url
}

func isPeerMetadata(config *anypb.Any) bool {
	return config.GetTypeUrl() == peerMetadataURL || typedStructURL(config) == peerMetadataURL
}

// peerFilter is Istio's peer_metadata filter: the two proxies of a request tell
// each other which workload they belong to.
type peerFilter struct {
	peers                                  *telemetry.Peers
	fromClient, toClient, fromHost, toHost bool // by headers
	endpoint                               bool // upstream_discovery may take the endpoint's metadata
	skipToClient, skipToExternal           bool
}

func newPeerFilter(config *anypb.Any, peers *telemetry.Peers) (httpFilter, error) {
	_, value := typedStruct(config)
	if value == nil {
		return nil, fmt.Errorf("%s is only known as a TypedStruct", config.GetTypeUrl())
	}
	f := &peerFilter{peers: peers}
	methods := func(snake, camel string) map[string]*structpb.Struct {
		list := value.GetFields()[snake]
		if list == nil {
			list = value.GetFields()[camel]
		}
		out := map[string]*structpb.Struct{}
		for _, one := range list.GetListValue().GetValues() {
			for name, m := range one.GetStructValue().GetFields() {
				out[name] = m.GetStructValue()
			}
		}
		return out
	}
	headers := func(m map[string]*structpb.Struct) (on, insideOnly bool) {
		for _, name := range []string{"istio_headers", "istioHeaders"} {
			if s, ok := m[name]; ok {
				skip := s.GetFields()["skip_external_clusters"].GetBoolValue() || s.GetFields()["skipExternalClusters"].GetBoolValue()
				return true, skip
			}
		}
		return false, false
	}
	f.fromClient, _ = headers(methods("downstream_discovery", "downstreamDiscovery"))
	f.toClient, f.skipToClient = headers(methods("downstream_propagation", "downstreamPropagation"))
	discovery := methods("upstream_discovery", "upstreamDiscovery")
	f.fromHost, _ = headers(discovery)
	f.toHost, f.skipToExternal = headers(methods("upstream_propagation", "upstreamPropagation"))
	f.endpoint = discovery["workload_discovery"] != nil || discovery["workloadDiscovery"] != nil
	return f, nil
}

func (f *peerFilter) request(x *exchange) bool {
	if f.fromClient {
		x.peerAsked = first(x.in, "X-Envoy-Peer-Metadata-Id") != ""
		if peer := f.peers.Extract(x.in); peer != nil {
			x.rec.Peer = peer
		}
	}
	if f.toHost && (!f.skipToExternal || !x.external()) {
		f.peers.Inject(x.in)
	}
	return false
}

// external tells whether the request leaves the mesh, as istiod marks clusters.
func (x *exchange) external() bool {
	c, ok := x.r.o.Clusters.Get(x.decision.Cluster)
	if !ok {
		return false
	}
	external, _ := c.Metadata()["external"].(bool)
	return external
}

func (f *peerFilter) response(x *exchange) {
	h := x.w.Header()
	if f.fromHost {
		if peer := f.peers.Extract(h); peer != nil {
			x.rec.Peer = peer
		}
	}
	if f.endpoint && x.rec.Peer == nil && x.host != nil {
		x.rec.Peer = telemetry.WorkloadFromEndpoint(x.host.Metadata())
	}
	if f.toClient && x.peerAsked && (!f.skipToClient || !x.external()) {
		f.peers.Inject(h)
	}
}
