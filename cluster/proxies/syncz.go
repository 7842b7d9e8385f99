package proxies

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
)

// kind is a resource type of xDS, by the short name that istiod's pages use.
type kind string

const (
	clusters  kind = "CDS"
	listeners kind = "LDS"
	endpoints kind = "EDS"
	routes    kind = "RDS"
)

// typeURLs are the keys of a status' resources.
var typeURLs = map[kind]string{
	clusters:  "type.googleapis.com/envoy.config.cluster.v3.Cluster",
	listeners: "type.googleapis.com/envoy.config.listener.v3.Listener",
	endpoints: "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment",
	routes:    "type.googleapis.com/envoy.config.route.v3.RouteConfiguration",
}

// status is one proxy of /debug/syncz, Istio's pilot/pkg/xds/debug.go
// SyncStatus. Sent and acked are nonces: the push's version and a UUID.
type status struct {
	ID            string `json:"proxy"`
	Type          string `json:"proxy_type"` // "router", "sidecar", "waypoint", "ztunnel"; "" before Istio 1.18
	ProxyVersion  string `json:"proxy_version"`
	IstioVersion  string `json:"istio_version"`
	ClusterSent   string `json:"cluster_sent"`
	ClusterAcked  string `json:"cluster_acked"`
	ListenerSent  string `json:"listener_sent"`
	ListenerAcked string `json:"listener_acked"`
	RouteSent     string `json:"route_sent"`
	RouteAcked    string `json:"route_acked"`
	EndpointSent  string `json:"endpoint_sent"`
	EndpointAcked string `json:"endpoint_acked"`
	// Resources are there since Istio 1.27.
	Resources map[string]struct {
		SentTime  time.Time `json:"sentTime"`
		LastError string    `json:"lastError"`
	} `json:"resources"`
}

// readSyncz reads the answer of /debug/syncz. Of a proxy that has reconnected
// while its old connection still lingers, the newer one counts.
func readSyncz(r io.Reader) ([]status, error) {
	var all []status
	if err := json.NewDecoder(r).Decode(&all); err != nil {
		return nil, fmt.Errorf("read /debug/syncz: a list of proxies was expected: %w", err)
	}
	at := make(map[string]int, len(all))
	kept := all[:0]
	for _, s := range all {
		if s.ID == "" {
			continue
		}
		i, twice := at[s.ID]
		if !twice {
			at[s.ID] = len(kept)
			kept = append(kept, s)
		} else if !s.sentTime().Before(kept[i].sentTime()) {
			kept[i] = s
		}
	}
	return kept, nil
}

func (s *status) sentTime() time.Time { return s.Resources[typeURLs[clusters]].SentTime }

// nonces are what was sent of a type and what was acknowledged.
func (s *status) nonces(k kind) (sent, acked string) {
	switch k {
	case clusters:
		return s.ClusterSent, s.ClusterAcked
	case listeners:
		return s.ListenerSent, s.ListenerAcked
	case endpoints:
		return s.EndpointSent, s.EndpointAcked
	default:
		return s.RouteSent, s.RouteAcked
	}
}

// refusal is what a proxy said against the last configuration, "" for nothing.
func (s *status) refusal(k kind) string { return s.Resources[typeURLs[k]].LastError }

// uuidLength is that of the end of a nonce.
const uuidLength = 36

// push is the number of the push whose clusters were sent last. istiod counts
// from its start on, and writes TIME/NUMBERUUID; 0 stands for nothing sent.
func (s *status) push() uint64 {
	number := s.ClusterSent[strings.LastIndex(s.ClusterSent, "/")+1:]
	if len(number) <= uuidLength {
		return 0
	}
	n, err := strconv.ParseUint(number[:len(number)-uuidLength], 10, 64)
	if err != nil {
		return 0
	}
	return n
}

// split parts POD.NAMESPACE: neither namespaces nor the names of pods that
// controllers make have dots, and names that people choose have them in front.
func split(id string) (pod, namespace string) {
	at := strings.LastIndex(id, ".")
	if at < 0 {
		return id, ""
	}
	return id[:at], id[at+1:]
}

func (s *status) proxy(istiod string) Proxy {
	p := Proxy{Name: s.ID, Istiod: istiod, Version: cmp.Or(s.IstioVersion, s.ProxyVersion), Gateway: s.Type == "router"}
	p.Pod, p.Namespace = split(s.ID)
	for _, k := range []kind{clusters, listeners, endpoints, routes} {
		switch sent, acked := s.nonces(k); sent {
		case "":
		case acked:
			p.Synced = append(p.Synced, string(k))
		default:
			p.Stale = append(p.Stale, string(k))
		}
	}
	return p
}
