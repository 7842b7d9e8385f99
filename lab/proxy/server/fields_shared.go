package server

import (
	"slices"

	"github.com/meshstorm/meshstorm/lab/proxy/fields"
)

// sharedFields are messages that other parts hold too; they count here only
// within the fields that listeners hold them in.
func sharedFields() []fields.Field {
	const (
		core   = "envoy.config.core.v3."
		holder = "envoy.config.listener.v3."
		port   = "TestFilterDisabled/a range of ports"
		bound  = "TestOutbound/the listener of the address"
	)
	address := slices.Concat(fields.Evaluated(core+"Address", bound, "socket_address"), lacking(core+"Address", "pipe", "envoy_internal_address"))
	prefix := fields.Evaluated(core+"CidrRange", "TestFilterChains/the longest destination prefix", "address_prefix", "prefix_len")
	data := slices.Concat(
		fields.Evaluated(core+"DataSource", "TestTLSParameters/certificates from files and in the listener", "filename", "inline_string", "inline_bytes", "environment_variable"),
		noted(core+"DataSource", "watched_directory"))
	out := slices.Concat(
		within(holder+"Listener.address", address), within(holder+"AdditionalAddress.address", address),
		within(core+"Address.socket_address", fields.Evaluated(core+"SocketAddress", bound, "protocol", "address", "port_value"),
			noted(core+"SocketAddress", "ipv4_compat"), lacking(core+"SocketAddress", "named_port", "resolver_name", "network_namespace_filepath")),
		within(holder+"FilterChain.transport_socket", fields.Evaluated(core+"TransportSocket", "TestTLS/HTTP/2 by ALPN, the chain by SNI", "name", "typed_config")),
		within(holder+"ListenerFilterChainMatchPredicate.destination_port_range", fields.Evaluated("envoy.type.v3.Int32Range", port, "start", "end")),
		within(holder+"Filter.config_discovery", fields.Evaluated(core+"ExtensionConfigSource", "TestNetworkFilterByDiscovery", "default_config"),
			noted(core+"ExtensionConfigSource", "config_source", "apply_default_config_without_warming", "type_urls")),
		within("envoy.extensions.filters.network.connection_limit.v3.ConnectionLimit.runtime_enabled",
			fields.Evaluated(core+"RuntimeFeatureFlag", "TestTCP/connections above the limit are closed", "default_value"),
			noted(core+"RuntimeFeatureFlag", "runtime_key")),
	)
	for _, field := range []string{"prefix_ranges", "direct_source_prefix_ranges", "source_prefix_ranges"} {
		out = append(out, within(holder+"FilterChainMatch."+field, prefix)...)
	}
	for _, field := range []string{"TlsCertificate.certificate_chain", "TlsCertificate.private_key", "TlsCertificate.ocsp_staple",
		"CertificateValidationContext.trusted_ca", "CertificateValidationContext.crl"} {
		out = append(out, within(tlsPackage+field, data)...)
	}
	return append(out, within("envoy.extensions.filters.network.direct_response.v3.Config.response", data)...)
}

// emptyFields are filters and inputs that have nothing to set, and the peer
// exchange, which speaks only where mTLS has agreed on it.
func emptyFields() []fields.Field {
	const inputs = "envoy.extensions.matching.common_inputs.network.v3."
	out := slices.Concat(
		fields.Evaluated("envoy.extensions.filters.listener.http_inspector.v3.HttpInspector", "TestInbound/HTTP is found out", fields.Rest),
		fields.Evaluated("envoy.extensions.filters.listener.original_dst.v3.OriginalDst", "TestInbound/HTTP is found out", fields.Rest),
		fields.Evaluated("envoy.extensions.filters.network.sni_cluster.v3.SniCluster", "TestTLSPassthrough", fields.Rest),
		fields.NotShown("envoy.tcp.metadataexchange.config.MetadataExchange",
			"peers exchange metadata over mTLS only, which the lab does not have", "protocol", "enable_discovery"),
	)
	for _, name := range []string{"DestinationIPInput", "DestinationPortInput", "SourceIPInput", "SourcePortInput", "DirectSourceIPInput",
		"SourceTypeInput", "ServerNameInput", "TransportProtocolInput", "ApplicationProtocolInput"} {
		out = append(out, fields.Evaluated(inputs+name, "TestFilterChainMatcher", fields.Rest)...)
	}
	return out
}
