package telemetry

import (
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"

	"github.com/meshstorm/meshstorm/lab/proxy/flow"
)

const unknown = "unknown"

// workload is one side's labels.
type workload struct {
	workload, namespace, principal, app, version, canonical, revision, cluster string
}

// or is a value, or another where it is empty.
func or(s, other string) string {
	if s == "" {
		return other
	}
	return s
}

func localWorkload(node *corev3.Node) workload {
	m := node.GetMetadata().GetFields()
	labels := m["LABELS"].GetStructValue().GetFields()
	label := func(name string) string { return labels[name].GetStringValue() }
	name := or(m[PeerWorkload].GetStringValue(), unknown)
	return workload{
		workload:  name,
		namespace: or(m[PeerNamespace].GetStringValue(), unknown),
		principal: unknown, // the lab has no mutual TLS
		app:       or(label(PeerApp), unknown),
		version:   or(label(PeerVersion), unknown),
		canonical: or(or(label(PeerCanonicalName), label(PeerApp)), name),
		revision:  or(or(label(PeerCanonicalRevision), label(PeerVersion)), "latest"),
		cluster:   or(m[PeerCluster].GetStringValue(), unknown),
	}
}

// remoteWorkload is the other side as Istio's metrics name it; a peer that told
// nothing is "unknown", of revision "latest".
func remoteWorkload(peer map[string]string) workload {
	return workload{
		workload:  or(peer[PeerWorkload], unknown),
		namespace: or(peer[PeerNamespace], unknown),
		principal: or(peer[PeerPrincipal], unknown),
		app:       or(peer[PeerApp], unknown),
		version:   or(peer[PeerVersion], unknown),
		canonical: or(peer[PeerCanonicalName], unknown),
		revision:  or(peer[PeerCanonicalRevision], "latest"),
		cluster:   or(peer[PeerCluster], unknown),
	}
}

// service is the destination service as the cluster names it.
type service struct{ host, name, namespace string }

// serviceOf follows Istio's stats filter: what the cluster's metadata say;
// without them the Host header, unless the filter forbids it; and for what no
// route or service knows, the name of the catch-all cluster.
func serviceOf(r *flow.Record, hostFallback bool) service {
	var s service
	if hostFallback && !r.TCP {
		s.host, s.name = r.Authority, r.Authority
	}
	switch r.RouteName {
	case "block_all":
		s.name = "BlackHoleCluster"
		return s
	case "allow_any":
		s.name = "PassthroughCluster"
		return s
	}
	switch r.Cluster {
	case "BlackHoleCluster", "PassthroughCluster", "InboundPassthroughCluster",
		"InboundPassthroughClusterIpv4", "InboundPassthroughClusterIpv6":
		s.name = r.Cluster
		return s
	}
	services, _ := r.ClusterMetadata["services"].([]any)
	if len(services) > 0 {
		if m, ok := services[0].(map[string]any); ok {
			get := func(key string) string { text, _ := m[key].(string); return text }
			return service{host: get("host"), name: get("name"), namespace: get("namespace")}
		}
	}
	return s
}

// key is all that tells two series of a filter apart.
type key struct {
	inbound, tcp, grpc, mtls bool
	peer                     workload
	service                  service
	code                     int
	grpcStatus               int
	flags                    string
}

func keyOf(r *flow.Record, hostFallback bool) key {
	k := key{
		inbound: down(r).Inbound, tcp: r.TCP, grpc: r.GRPC, grpcStatus: -1,
		peer: remoteWorkload(r.Peer), service: serviceOf(r, hostFallback), flags: shortFlags(r.Flags),
	}
	if s := down(r).TLS; s != nil && len(s.PeerCertificates) > 0 {
		k.mtls = true
	}
	if !r.TCP {
		k.code = r.Status
	}
	if r.GRPC {
		k.grpcStatus = r.GRPCStatus
	}
	return k
}

// label is one name and value of a series.
type label struct{ name, value string }

// labels are the series' labels, before the filter's overrides.
func (k key) labels(local workload) []label {
	reporter, source, destination := "source", local, k.peer
	svc := service{host: or(k.service.host, unknown), name: or(k.service.name, unknown), namespace: or(k.service.namespace, k.peer.namespace)}
	policy := unknown
	if k.inbound {
		reporter, source, destination = "destination", k.peer, local
		svc = service{host: or(k.service.host, local.canonical), name: or(k.service.name, local.canonical), namespace: local.namespace}
		policy = "none"
		if k.mtls {
			policy = "mutual_tls"
		}
	}
	list := []label{{"reporter", reporter}}
	list = append(list, source.labels("source_")...)
	list = append(list, destination.labels("destination_")...)
	list = append(list, label{"destination_service", svc.host}, label{"destination_service_name", svc.name},
		label{"destination_service_namespace", svc.namespace}, label{"request_protocol", k.protocol()},
		label{"response_flags", k.flags}, label{"connection_security_policy", policy})
	if !k.tcp {
		list = append(list, label{"response_code", decimal(k.code)}, label{"grpc_response_status", decimal(k.grpcStatus)})
	}
	return list
}

func (k key) protocol() string {
	switch {
	case k.tcp:
		return "tcp"
	case k.grpc:
		return "grpc"
	}
	return "http"
}

func (w workload) labels(side string) []label {
	return []label{
		{side + "workload", w.workload}, {side + "workload_namespace", w.namespace}, {side + "principal", w.principal},
		{side + "app", w.app}, {side + "version", w.version}, {side + "canonical_service", w.canonical},
		{side + "canonical_revision", w.revision}, {side + "cluster", w.cluster},
	}
}
