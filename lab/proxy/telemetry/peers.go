package telemetry

import (
	"encoding/base64"
	"net/http"
	"strings"
	"sync"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"
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

const (
	metadataHeader   = "X-Envoy-Peer-Metadata"
	metadataIDHeader = "X-Envoy-Peer-Metadata-Id"

	// maxPeers bounds the cache of peers; Istio's filter keeps 500 too.
	maxPeers = 500
	// maxMetadata bounds one peer's header, in bytes.
	maxMetadata = 16 << 10
)

var exchanged = []string{PeerName, PeerNamespace, PeerOwner, PeerWorkload, PeerCluster}

var exchangedLabels = []string{PeerApp, PeerVersion, PeerCanonicalName, PeerCanonicalRevision}

// Peers exchanges workload metadata in the headers x-envoy-peer-metadata and
// x-envoy-peer-metadata-id, as Istio's peer_metadata filter does with
// "istio_headers": the node's id, and a base64 protobuf Struct of what metrics
// need.
type Peers struct {
	id, metadata string

	mu    sync.RWMutex
	known map[string]map[string]string // by both headers
}

func newPeers(node *corev3.Node) *Peers {
	p := &Peers{id: node.GetId(), known: map[string]map[string]string{}}
	own := node.GetMetadata().GetFields()
	told := &structpb.Struct{Fields: map[string]*structpb.Value{}}
	for _, key := range exchanged {
		if s := own[key].GetStringValue(); s != "" {
			told.Fields[key] = structpb.NewStringValue(s)
		}
	}
	labels := &structpb.Struct{Fields: map[string]*structpb.Value{}}
	for _, key := range exchangedLabels {
		if s := own["LABELS"].GetStructValue().GetFields()[key].GetStringValue(); s != "" {
			labels.Fields[key] = structpb.NewStringValue(s)
		}
	}
	if len(labels.Fields) > 0 {
		told.Fields["LABELS"] = structpb.NewStructValue(labels)
	}
	// A Struct of strings that came as a Struct always marshals.
	data, _ := proto.MarshalOptions{Deterministic: true}.Marshal(told)
	p.metadata = base64.StdEncoding.EncodeToString(data)
	return p
}

// Inject sets the headers that tell the other side who this proxy is.
func (p *Peers) Inject(h http.Header) {
	if p.id != "" {
		h[metadataIDHeader] = []string{p.id}
	}
	if p.metadata != "" {
		h[metadataHeader] = []string{p.metadata}
	}
}

// Extract reads and removes the headers that the other side set; nil where
// there are none. Of headers that cannot be read, the id alone is taken: it
// names the pod and its namespace. The map is shared: don't change it.
func (p *Peers) Extract(h http.Header) map[string]string {
	id, metadata := first(h[metadataIDHeader]), first(h[metadataHeader])
	if id == "" && metadata == "" {
		return nil
	}
	delete(h, metadataIDHeader)
	delete(h, metadataHeader)
	if len(id) > maxMetadata || len(metadata) > maxMetadata {
		return nil
	}
	p.mu.RLock()
	peer, ok := p.known[id+"\x00"+metadata]
	p.mu.RUnlock()
	if ok {
		return peer
	}
	peer = readPeer(id, metadata)
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.known) >= maxPeers {
		clear(p.known) // pods come and go; those that are left come again
	}
	p.known[id+"\x00"+metadata] = peer
	return peer
}

func first(values []string) string {
	if len(values) == 0 {
		return ""
	}
	return values[0]
}

func readPeer(id, metadata string) map[string]string {
	peer := map[string]string{}
	if id != "" {
		peer[PeerID] = id
		// sidecar~10.244.0.4~order-5d9.default~default.svc.cluster.local
		if parts := strings.Split(id, "~"); len(parts) == 4 {
			if name, namespace, ok := strings.Cut(parts[2], "."); ok {
				peer[PeerName], peer[PeerNamespace] = name, namespace
			}
		}
	}
	told := &structpb.Struct{}
	data, err := base64.StdEncoding.DecodeString(metadata)
	if err == nil {
		err = proto.Unmarshal(data, told)
	}
	if err == nil {
		for _, key := range exchanged {
			if s := told.GetFields()[key].GetStringValue(); s != "" {
				peer[key] = s
			}
		}
		for _, key := range exchangedLabels {
			if s := told.GetFields()["LABELS"].GetStructValue().GetFields()[key].GetStringValue(); s != "" {
				peer[key] = s
			}
		}
	}
	if len(peer) == 0 {
		return nil
	}
	return peer
}

// WorkloadFromEndpoint reads a workload from an endpoint's filter metadata
// (istio.workload, "name;namespace;canonical name;canonical revision;cluster"),
// which is how TCP connections without metadata exchange know their
// destination. It takes the whole filter metadata or what is under "istio" and
// gives nil where there is no workload.
func WorkloadFromEndpoint(metadata map[string]any) map[string]string {
	if istio, ok := metadata["istio"].(map[string]any); ok {
		metadata = istio
	}
	text, _ := metadata["workload"].(string)
	parts := strings.Split(text, ";")
	if len(parts) < 5 {
		return nil
	}
	peer := map[string]string{}
	for i, key := range []string{PeerWorkload, PeerNamespace, PeerCanonicalName, PeerCanonicalRevision, PeerCluster} {
		if parts[i] != "" {
			peer[key] = parts[i]
		}
	}
	if len(peer) == 0 {
		return nil
	}
	return peer
}
