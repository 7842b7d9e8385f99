package telemetry

import (
	"net/http"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
)

// Keys of a peer's metadata, as in flow.Record.Peer.
const (
	PeerID                = "ID" // node id
	PeerName              = "NAME"
	PeerNamespace         = "NAMESPACE"
	PeerOwner             = "OWNER"
	PeerWorkload          = "WORKLOAD_NAME"
	PeerCluster           = "CLUSTER_ID"
	PeerApp               = "app"
	PeerVersion           = "version"
	PeerCanonicalName     = "service.istio.io/canonical-name"
	PeerCanonicalRevision = "service.istio.io/canonical-revision"
	PeerPrincipal         = "PRINCIPAL" // SPIFFE identity; set by who knows it, never exchanged
)

// Peers exchanges workload metadata in the headers x-envoy-peer-metadata and
// x-envoy-peer-metadata-id.
type Peers struct {
	id, metadata string
}

func newPeers(node *corev3.Node) *Peers { return &Peers{id: node.GetId()} }

// Inject sets the headers that tell the other side who this proxy is.
func (p *Peers) Inject(h http.Header) {}

// Extract reads and removes the headers that the other side set; nil where
// there are none.
func (p *Peers) Extract(h http.Header) map[string]string { return nil }

// WorkloadFromEndpoint reads a workload from an endpoint's filter metadata
// (istio.workload, "name;namespace;canonical name;canonical revision;cluster"),
// which is how TCP connections without metadata exchange know their
// destination. It takes the whole filter metadata or what is under "istio" and
// gives nil where there is no workload.
func WorkloadFromEndpoint(metadata map[string]any) map[string]string { return nil }
