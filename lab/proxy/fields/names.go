package fields

import (
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"
)

// nouns say what a named resource is.
var nouns = map[protoreflect.FullName]struct {
	noun  string
	field protoreflect.Name
}{
	"envoy.config.listener.v3.Listener":                {"listener", "name"},
	"envoy.config.route.v3.RouteConfiguration":         {"route configuration", "name"},
	"envoy.config.cluster.v3.Cluster":                  {"cluster", "name"},
	"envoy.config.endpoint.v3.ClusterLoadAssignment":   {"endpoints of", "cluster_name"},
	"envoy.extensions.transport_sockets.tls.v3.Secret": {"secret", "name"},
	"envoy.config.core.v3.TypedExtensionConfig":        {"filter configuration", "name"},
}

// where is how a resource is named behind what it holds.
func where(m protoreflect.Message) string {
	n, ok := nouns[m.Descriptor().FullName()]
	if !ok {
		return ""
	}
	return strings.TrimSpace(n.noun + " " + m.Get(m.Descriptor().Fields().ByName(n.field)).String())
}

// extensionNouns say what is configured by a name and a typed_config; others are
// called as their message is.
var extensionNouns = map[protoreflect.FullName]string{
	"envoy.extensions.filters.network.http_connection_manager.v3.HttpFilter":         "http filter",
	"envoy.extensions.filters.network.http_connection_manager.v3.RequestIDExtension": "request id extension",
	"envoy.config.listener.v3.Filter":                                                "network filter",
	"envoy.config.listener.v3.ListenerFilter":                                        "listener filter",
	"envoy.config.cluster.v3.Filter":                                                 "upstream network filter",
	"envoy.config.accesslog.v3.AccessLog":                                            "access log",
	"envoy.config.core.v3.TransportSocket":                                           "transport socket",
	"envoy.config.core.v3.TypedExtensionConfig":                                      "extension",
}

// extensionName is "http filter envoy.filters.http.lua"; "" for a message that
// configures no extension.
func extensionName(m protoreflect.Message) string {
	d := m.Descriptor()
	name, config := d.Fields().ByName("name"), d.Fields().ByName("typed_config")
	if config == nil {
		return ""
	}
	noun := extensionNouns[d.FullName()]
	if noun == "" {
		noun = words(string(d.Name()))
	}
	if name == nil || m.Get(name).String() == "" {
		return noun
	}
	return noun + " " + m.Get(name).String()
}

// bare tells that a filter has a name and nothing else.
func bare(m protoreflect.Message, config protoreflect.FieldDescriptor) bool {
	if oneof := config.ContainingOneof(); oneof != nil {
		return m.WhichOneof(oneof) == nil
	}
	return !m.Has(config)
}

// words takes a message's name apart: "RetryHostPredicate" is "retry host
// predicate".
func words(name string) string {
	var b strings.Builder
	for i, r := range name {
		if r >= 'A' && r <= 'Z' {
			if i > 0 {
				b.WriteByte(' ')
			}
			r += 'a' - 'A'
		}
		b.WriteRune(r)
	}
	return b.String()
}
