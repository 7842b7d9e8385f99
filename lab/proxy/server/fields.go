package server

import (
	"slices"

	"github.com/meshstorm/meshstorm/lab/proxy/fields"
)

// Fields is how this package deals with the messages of listeners, their
// filters, the TCP proxy and TLS.
func Fields() []fields.Field {
	return slices.Concat(listenerFields(), matchFields(), filterFields(), tcpFields(),
		tlsFields(), validationFields(), secretFields(), sharedFields(), emptyFields())
}

// noted marks what changes no traffic in the lab.
func noted(message string, names ...string) []fields.Field {
	return fields.NotShown(message, "", names...)
}

func lacking(message string, names ...string) []fields.Field {
	return fields.Unsupported(message, "", names...)
}

func listenerFields() []fields.Field {
	const (
		listener = "envoy.config.listener.v3.Listener"
		chain    = "envoy.config.listener.v3.FilterChain"
		another  = "envoy.config.listener.v3.AdditionalAddress"
		filter   = "envoy.config.listener.v3.Filter"
		outbound = "TestOutbound/"
		inbound  = "TestInbound/"
	)
	return slices.Concat(
		fields.Evaluated(listener, outbound+"the listener of the address", "name", "address", "filter_chains", "bind_to_port"),
		fields.Evaluated(listener, outbound+"an additional address", "additional_addresses"),
		fields.Evaluated(listener, outbound+"its default chain", "default_filter_chain"),
		fields.Evaluated(listener, outbound+"the listener of the port", "use_original_dst"),
		fields.Evaluated(listener, "TestFilterChainMatcher", "filter_chain_matcher"),
		fields.Evaluated(listener, inbound+"HTTP is found out", "listener_filters", "traffic_direction"),
		fields.Evaluated(listener, inbound+"a server that speaks first is heard after the filters' timeout", "listener_filters_timeout", "continue_on_listener_filters_timeout"),
		fields.Evaluated(listener, "TestASecretOfTheMeshFailsClosed", "access_log"),
		noted(listener, "stat_prefix", "metadata", "max_connections_to_accept_per_socket_event", "connection_balance_config", "reuse_port",
			"enable_reuse_port", "tcp_backlog_size", "tcp_fast_open_queue_length", "per_connection_buffer_limit_bytes",
			"per_connection_buffer_high_watermark_timeout", "ignore_global_conn_limit", "bypass_overload_manager", "enable_mptcp", "transparent", "freebind", "drain_type"),
		lacking(listener, "fcds_config", "deprecated_v1", "socket_options", "udp_listener_config", "api_listener", "internal_listener", "tcp_keepalive"),
		fields.Evaluated(another, outbound+"an additional address", "address"),
		lacking(another, "socket_options", "tcp_keepalive"),
		fields.Evaluated(chain, outbound+"the listener of the port", "filter_chain_match", "filters"),
		fields.Evaluated(chain, "TestTLS/HTTP/2 by ALPN, the chain by SNI", "transport_socket"),
		fields.Evaluated(chain, "TestTLSHandshakeTimeout", "transport_socket_connect_timeout"),
		fields.Evaluated(chain, "TestTCP/bytes flow both ways and each side may end first", "name"),
		noted(chain, "metadata"),
		lacking(chain, "use_proxy_proto"),
		fields.Evaluated(filter, "TestTCP/bytes flow both ways and each side may end first", "name", "typed_config"),
		fields.Evaluated(filter, "TestNetworkFilterByDiscovery", "config_discovery"),
	)
}

func matchFields() []fields.Field {
	const (
		match     = "envoy.config.listener.v3.FilterChainMatch"
		predicate = "envoy.config.listener.v3.ListenerFilterChainMatchPredicate"
	)
	return slices.Concat(
		fields.Evaluated(match, "TestFilterChains/a destination port", "destination_port"),
		fields.Evaluated(match, "TestFilterChains/the longest destination prefix", "prefix_ranges"),
		fields.Evaluated(match, "TestFilterChains/an exact server name before a wildcard", "server_names"),
		fields.Evaluated(match, "TestFilterChains/a transport protocol", "transport_protocol"),
		fields.Evaluated(match, "TestFilterChains/an application protocol", "application_protocols"),
		fields.Evaluated(match, "TestFilterChains/a direct source", "direct_source_prefix_ranges"),
		fields.Evaluated(match, "TestFilterChains/a source type", "source_type"),
		fields.Evaluated(match, "TestFilterChains/a source prefix", "source_prefix_ranges"),
		fields.Evaluated(match, "TestFilterChains/a source port", "source_ports"),
		lacking(match, "address_suffix", "suffix_len"),
		fields.Evaluated(predicate, "TestFilterDisabled/a range of ports", "destination_port_range"),
		fields.Evaluated(predicate, "TestFilterDisabled/one of several", "or_match"),
		fields.Evaluated(predicate, "TestFilterDisabled/all of several", "and_match"),
		fields.Evaluated(predicate, "TestFilterDisabled/not", "not_match"),
		fields.Evaluated(predicate, "TestFilterDisabled/always", "any_match"),
		fields.Evaluated(predicate+".MatchSet", "TestFilterDisabled/one of several", "rules"),
	)
}

func filterFields() []fields.Field {
	const (
		listenerFilter = "envoy.config.listener.v3.ListenerFilter"
		inspector      = "envoy.extensions.filters.listener.tls_inspector.v3.TlsInspector"
		proxy          = "envoy.extensions.filters.listener.proxy_protocol.v3.ProxyProtocol"
		limit          = "envoy.extensions.filters.network.connection_limit.v3.ConnectionLimit"
		direct         = "envoy.extensions.filters.network.direct_response.v3.Config"
	)
	return slices.Concat(
		fields.Evaluated(listenerFilter, "TestInbound/HTTP is found out", "name", "typed_config"),
		fields.Evaluated(listenerFilter, "TestInbound/a filter that is disabled for a port does not wait", "filter_disabled"),
		lacking(listenerFilter, "config_discovery"),
		noted(inspector, "enable_ja3_fingerprinting", "enable_ja4_fingerprinting", "initial_read_buffer_size"),
		lacking(inspector, "close_connection_on_client_hello_parsing_errors", "max_client_hello_size"),
		fields.Evaluated(proxy, "TestProxyProtocol/a header is asked for", "allow_requests_without_proxy_protocol"),
		noted(proxy, "stat_prefix"),
		lacking(proxy, "rules", "pass_through_tlvs", "disallowed_versions", "tlv_location"),
		fields.Evaluated(limit, "TestTCP/connections above the limit are closed", "max_connections", "delay", "runtime_enabled"),
		noted(limit, "stat_prefix"),
		fields.Evaluated(direct, "TestTCP/a direct response", "response"),
	)
}

func tcpFields() []fields.Field {
	const tcp = "envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy"
	return slices.Concat(
		fields.Evaluated(tcp, "TestTCP/bytes flow both ways and each side may end first", "cluster", "access_log"),
		fields.Evaluated(tcp, "TestTCP/weighted clusters", "weighted_clusters"),
		fields.Evaluated(tcp, "TestTCP/an idle connection is closed", "idle_timeout"),
		fields.Evaluated(tcp, "TestTCP/no host closes", "max_connect_attempts"),
		fields.Evaluated(tcp, "TestTCPOptions/the longest duration", "max_downstream_connection_duration"),
		fields.Evaluated(tcp, "TestTCPOptions/a line when connected, and one in between", "access_log_flush_interval", "flush_access_log_on_connected", "access_log_options"),
		fields.Evaluated(tcp, "TestTCPOptions/a hash of the source", "hash_policy"),
		noted(tcp, "stat_prefix"),
		lacking(tcp, "on_demand", "metadata_match", "downstream_idle_timeout", "upstream_idle_timeout", "backoff_options", "tunneling_config",
			"max_downstream_connection_duration_jitter_percentage", "proxy_protocol_tlvs", "proxy_protocol_tlv_merge_policy",
			"upstream_connect_mode", "max_early_data_bytes", "check_drain_close"),
		fields.Evaluated(tcp+".WeightedCluster", "TestTCP/weighted clusters", "clusters"),
		fields.Evaluated(tcp+".WeightedCluster.ClusterWeight", "TestTCP/weighted clusters", "name", "weight"),
		lacking(tcp+".WeightedCluster.ClusterWeight", "metadata_match"),
		fields.Evaluated(tcp+".TcpAccessLogOptions", "TestTCPOptions/a line when connected, and one in between", "access_log_flush_interval", "flush_access_log_on_connected"),
		lacking(tcp+".TcpAccessLogOptions", "flush_access_log_on_start"),
		fields.Evaluated("envoy.type.v3.HashPolicy", "TestTCPOptions/a hash of the source", "source_ip"),
		lacking("envoy.type.v3.HashPolicy", "filter_state"),
	)
}
