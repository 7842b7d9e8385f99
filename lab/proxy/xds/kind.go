package xds

import (
	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	"google.golang.org/protobuf/proto"
)

// The type URLs of the resources that the client asks for.
const (
	ListenerType = "type.googleapis.com/envoy.config.listener.v3.Listener"
	RouteType    = "type.googleapis.com/envoy.config.route.v3.RouteConfiguration"
	ClusterType  = "type.googleapis.com/envoy.config.cluster.v3.Cluster"
	EndpointType = "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment"
	SecretType   = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret"
	FilterType   = "type.googleapis.com/envoy.config.core.v3.TypedExtensionConfig"
)

// kind is a type of resource; the order is that in which a stream asks for them
// (Envoy docs, "xDS protocol", eventual consistency considerations).
type kind int

const (
	clusters kind = iota
	endpoints
	secrets
	listeners
	routes
	filters
	kinds
)

// key names a resource.
type key struct {
	kind kind
	name string
}

// traits is what differs between kinds.
type traits struct {
	url      string
	noun     string
	wildcard bool   // everything is asked for, not names; a removal counts
	refused  string // how Envoy begins a NACK
	empty    func() proto.Message
	name     func(proto.Message) string
}

var traitsOf = [kinds]traits{
	clusters: {ClusterType, "cluster", true, "Error adding/updating cluster(s) ",
		func() proto.Message { return &clusterv3.Cluster{} },
		func(m proto.Message) string { return m.(*clusterv3.Cluster).GetName() }},
	endpoints: {EndpointType, "endpoints", false, "",
		func() proto.Message { return &endpointv3.ClusterLoadAssignment{} },
		func(m proto.Message) string { return m.(*endpointv3.ClusterLoadAssignment).GetClusterName() }},
	secrets: {SecretType, "secret", false, "",
		func() proto.Message { return &tlsv3.Secret{} },
		func(m proto.Message) string { return m.(*tlsv3.Secret).GetName() }},
	listeners: {ListenerType, "listener", true, "Error adding/updating listener(s) ",
		func() proto.Message { return &listenerv3.Listener{} },
		func(m proto.Message) string { return m.(*listenerv3.Listener).GetName() }},
	routes: {RouteType, "route configuration", false, "",
		func() proto.Message { return &routev3.RouteConfiguration{} },
		func(m proto.Message) string { return m.(*routev3.RouteConfiguration).GetName() }},
	filters: {FilterType, "filter configuration", false, "",
		func() proto.Message { return &corev3.TypedExtensionConfig{} },
		func(m proto.Message) string { return m.(*corev3.TypedExtensionConfig).GetName() }},
}

func kindOf(url string) (kind, bool) {
	for k, t := range traitsOf {
		if t.url == url {
			return kind(k), true
		}
	}
	return 0, false
}
