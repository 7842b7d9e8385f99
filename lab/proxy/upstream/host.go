package upstream

import (
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	"google.golang.org/protobuf/types/known/structpb"
)

// Host is one endpoint of a cluster. The pointer is the same as long as the
// cluster has that endpoint; what the control plane says of it may change.
type Host struct {
	cluster *Cluster
	created time.Time
	about   atomic.Pointer[about]
	active  atomic.Int64 // requests and TCP connections
	open    atomic.Int64 // connections, for the thresholds per host
	ejected atomic.Bool
	monitor monitor // guarded by cluster.outlier.mu
	used    atomic.Int64
	pools   atomic.Pointer[pool] // the plain HTTP/1.1 one of the DEFAULT priority, which most requests want

	mu     sync.Mutex
	others map[poolKey]drainer
	gone   bool
}

// about is what the control plane or the DNS says of a host; it is replaced as a
// whole.
type about struct {
	address  netip.AddrPort
	hostname string
	metadata map[string]any
	hashKey  string
	socket   *socket
}

// Address is where the host is in the API's terms, 10.244.a.b:PORT.
func (h *Host) Address() netip.AddrPort { return h.about.Load().address }

// Hostname is the endpoint's name: of STRICT_DNS and LOGICAL_DNS clusters the
// name that was resolved, of others what the endpoint says; "" for none
// (auto_host_rewrite).
func (h *Host) Hostname() string { return h.about.Load().hostname }

// Metadata is the endpoint's filter_metadata["istio"]; nil where there is none.
// Read-only.
func (h *Host) Metadata() map[string]any { return h.about.Load().metadata }

// hashKey is what stands for the host on a ring: its address, its name, or the
// hash_key of its metadata (Envoy docs, "Ring hash").
func (h *Host) hashKey() string {
	a := h.about.Load()
	switch {
	case a.hashKey != "":
		return a.hashKey
	case h.cluster.policy.useHostname:
		return a.hostname
	}
	return a.address.String()
}

// drain lets what is in flight finish and keeps no connection after that.
func (h *Host) drain() {
	h.mu.Lock()
	h.gone = true
	pools := make([]drainer, 0, len(h.others))
	for _, p := range h.others {
		pools = append(pools, p)
	}
	h.mu.Unlock()
	for _, p := range pools {
		p.drain()
	}
}

func istioMetadata(m *corev3.Metadata) map[string]any {
	s := m.GetFilterMetadata()["istio"]
	if s == nil {
		return nil
	}
	return s.AsMap()
}

func metadataString(m *corev3.Metadata, filter, key string) string {
	return m.GetFilterMetadata()[filter].GetFields()[key].GetStringValue()
}

func matchMetadata(m *corev3.Metadata) *structpb.Struct {
	return m.GetFilterMetadata()["envoy.transport_socket_match"]
}
