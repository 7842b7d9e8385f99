package upstream

import (
	"slices"

	"github.com/meshstorm/meshstorm/lab/proxy/fields"
)

const (
	clusterMessage  = "envoy.config.cluster.v3.Cluster"
	endpointPackage = "envoy.config.endpoint.v3."
	corePackage     = "envoy.config.core.v3."
	httpOptions     = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
)

// Fields is how this package deals with the messages of clusters and endpoints.
// Messages that other parts hold too are listed within the fields that clusters
// and endpoints hold them in.
func Fields() []fields.Field {
	return slices.Concat(clusterFields(), discoveryFields(), commonFields(), balanceFields(), extensionFields(),
		breakerFields(), outlierFields(), endpointFields(), httpFields(), protocolFields(), tlsFields(), sharedFields())
}

// noted marks what changes no traffic in the lab.
func noted(message string, names ...string) []fields.Field {
	return fields.NotShown(message, "", names...)
}

func lacking(message string, names ...string) []fields.Field {
	return fields.Unsupported(message, "", names...)
}

func clusterFields() []fields.Field {
	const c = clusterMessage
	return slices.Concat(
		fields.Evaluated(c, "TestDraining", "name"),
		fields.Evaluated(c, "TestUpdatesKeepConnections", "metadata"),
		fields.Evaluated(c, "TestConnectTimeout", "connect_timeout"),
		fields.Evaluated(c, "TestTransportSocketMatches", "transport_socket_matches"),
		fields.Evaluated(c, "TestTLS/a CA inline", "transport_socket"),
		fields.Evaluated(c, "TestClusterFilters", "filters"),
		fields.Evaluated(c, "TestOverflow/one request", "circuit_breakers"),
		fields.Evaluated(c, "TestOutlierDetection/5 times 500", "outlier_detection"),
		fields.Evaluated(c, "TestProtocol/HTTP/2 by prior knowledge", "typed_extension_protocol_options"),
		fields.Evaluated(c, "TestProtocol/the cluster's own, deprecated field", "http2_protocol_options", "protocol_selection"),
		fields.Evaluated(c, "TestDeprecatedOptions", "max_requests_per_connection", "common_http_protocol_options", "http_protocol_options"),
		fields.Evaluated(c, "TestTLS/the SNI is the authority", "upstream_http_protocol_options"),
		fields.Evaluated(c, "TestWhereAddressesGo/an inbound cluster's original destination", "upstream_bind_config"),
		fields.Evaluated(c, "TestKeepAliveOfTCP", "upstream_connection_options"),
		noted(c, "alt_stat_name", "per_connection_buffer_limit_bytes", "per_connection_buffer_high_watermark_timeout", "track_timeout_budgets",
			"track_cluster_stats", "preconnect_policy", "wait_for_warm_on_init"),
		fields.NotShown(c, "there is no active health check", "close_connections_on_host_health_failure", "ignore_health_on_host_removal"),
		lacking(c, "transport_socket_matcher", "cluster_type", "health_checks", "lb_subset_config", "lrs_server", "lrs_report_endpoint_metrics",
			"upstream_config", "connection_pool_per_downstream_connection"),
		fields.Evaluated(c+".TransportSocketMatch", "TestTransportSocketMatches", "name", "match", "transport_socket"),
		fields.Evaluated("envoy.config.cluster.v3.Filter", "TestClusterFilters", "name", "typed_config"),
		lacking("envoy.config.cluster.v3.Filter", "config_discovery"),
	)
}

func discoveryFields() []fields.Field {
	const (
		c       = clusterMessage
		resolve = "TestNamesAreResolvedAgain"
		options = "envoy.config.cluster.v3.UpstreamConnectionOptions"
		bind    = corePackage + "BindConfig"
	)
	return slices.Concat(
		fields.Evaluated(c, "TestNames/STRICT_DNS takes all addresses of all names", "type", "load_assignment"),
		fields.Evaluated(c, "TestDraining", "eds_cluster_config"),
		fields.Evaluated(c, resolve, "dns_refresh_rate", "dns_failure_refresh_rate", "dns_jitter"),
		fields.Evaluated(c, "TestTimeToLive", "respect_dns_ttl"),
		fields.Evaluated(c+".RefreshRate", resolve, "base_interval", "max_interval"),
		fields.NotShown(c, "the lab's network is IPv4 only", "dns_lookup_family"),
		fields.Unsupported(c, "the lab's network is IPv4 only", "dns_lookup_family=V6_ONLY"),
		fields.NotShown(c, "names are asked of the cluster's DNS, as a pod does", "typed_dns_resolver_config", "use_tcp_for_dns_lookups"),
		lacking(c, "dns_resolvers", "dns_resolution_config"),
		fields.Evaluated(c, "TestOriginalDestinationIsForgotten", "cleanup_interval"),
		fields.Evaluated(c, "TestWhereAddressesGo/a passthrough cluster with another port", "original_dst_lb_config"),
		fields.Evaluated(c+".OriginalDstLbConfig", "TestWhereAddressesGo/a passthrough cluster with another port", "upstream_port_override"),
		lacking(c+".OriginalDstLbConfig", "use_http_header", "http_header_name", "metadata_key"),
		fields.Evaluated(bind, "TestWhereAddressesGo/an inbound cluster's original destination", "source_address"),
		noted(bind, "freebind", "extra_source_addresses", "additional_source_addresses", "local_address_selector"),
		lacking(bind, "socket_options"),
		fields.Evaluated(options, "TestKeepAliveOfTCP", "tcp_keepalive"),
		noted(options, "set_local_interface_name_on_upstream_connections"),
		fields.NotShown(options, "the lab's network is IPv4 only", "happy_eyeballs_config"),
		fields.Within(options+".tcp_keepalive", fields.Evaluated(corePackage+"TcpKeepalive", "TestKeepAliveOfTCP", "keepalive_probes", "keepalive_time", "keepalive_interval")),
	)
}

func commonFields() []fields.Field {
	const (
		common = clusterMessage + ".CommonLbConfig"
		hash   = common + ".ConsistentHashingLbConfig"
		panics = "TestDistribution/no panic with Istio's threshold of 0"
	)
	return slices.Concat(
		fields.Evaluated(clusterMessage, panics, "common_lb_config"),
		fields.Evaluated(common, panics, "healthy_panic_threshold"),
		fields.Evaluated(common, "TestDistribution/localities by weight", "locality_weighted_lb_config"),
		fields.Evaluated(common, "TestHashKeys/the name", "consistent_hashing_lb_config"),
		fields.NotShown(common, "a change takes effect when it comes", "update_merge_window"),
		fields.NotShown(common, "there is no active health check", "ignore_new_hosts_until_first_hc"),
		lacking(common, "zone_aware_lb_config", "close_connections_on_host_set_change", "override_host_status"),
		fields.Evaluated(hash, "TestHashKeys/the name", "use_hostname_for_hashing"),
		lacking(hash, "hash_balance_factor"),
	)
}

func balanceFields() []fields.Field {
	const (
		c    = clusterMessage
		slow = "TestSlowStart"
		ring = "TestHashStability"
	)
	return slices.Concat(
		fields.Evaluated(c, "TestDistribution/random", "lb_policy"),
		fields.Evaluated(c, slow, "round_robin_lb_config", "least_request_lb_config"),
		fields.Evaluated(c, ring, "ring_hash_lb_config", "maglev_lb_config"),
		fields.Evaluated(c, "TestDistribution/an extension's policy counts instead of lb_policy", "load_balancing_policy"),
		fields.Evaluated(c+".RoundRobinLbConfig", slow, "slow_start_config"),
		fields.Evaluated(c+".LeastRequestLbConfig", slow, "slow_start_config"),
		fields.Evaluated(c+".LeastRequestLbConfig", "TestLeastRequest/a bias of 0 counts weights only", "active_request_bias"),
		fields.Evaluated(c+".LeastRequestLbConfig", "TestLeastRequest/many choices find the idle host", "choice_count"),
		fields.Evaluated(c+".SlowStartConfig", slow, "slow_start_window", "aggression", "min_weight_percent"),
		fields.Evaluated(c+".RingHashLbConfig", ring, "minimum_ring_size", "hash_function"),
		fields.Evaluated(c+".RingHashLbConfig", "TestCheck/a ring that is larger than it may be", "maximum_ring_size"),
		fields.Evaluated(c+".MaglevLbConfig", ring, "table_size"),
		runtimeDoubles(c+".LeastRequestLbConfig.active_request_bias"),
		runtimeDoubles(c+".SlowStartConfig.aggression"),
	)
}

// runtimeDoubles are values that a runtime key could change, which the lab does
// not have.
func runtimeDoubles(within string) []fields.Field {
	const message = corePackage + "RuntimeDouble"
	return fields.Within(within, fields.Evaluated(message, "TestSlowStart", "default_value"), fields.NotShown(message, "the lab has no runtime keys", "runtime_key"))
}

func extensionFields() []fields.Field {
	const (
		policies   = "envoy.extensions.load_balancing_policies."
		common     = policies + "common.v3."
		least      = policies + "least_request.v3.LeastRequest"
		ring       = policies + "ring_hash.v3.RingHash"
		maglevs    = policies + "maglev.v3.Maglev"
		first      = "TestDistribution/an extension's policy counts instead of lb_policy"
		full       = "TestDistribution/an extension's least request over all hosts"
		byLocality = "TestDistribution/an extension's random with localities by weight"
		rings      = "TestDistribution/an extension's ring by weight"
		names      = "TestHashKeys/the name, by an extension"
	)
	return slices.Concat(
		fields.Evaluated("envoy.config.cluster.v3.LoadBalancingPolicy", first, "policies"),
		fields.Evaluated("envoy.config.cluster.v3.LoadBalancingPolicy.Policy", first, "typed_extension_config"),
		fields.Within("envoy.config.cluster.v3.LoadBalancingPolicy.Policy.typed_extension_config", fields.Evaluated(corePackage+"TypedExtensionConfig", first, "name", "typed_config")),
		fields.Evaluated(policies+"round_robin.v3.RoundRobin", "TestSlowStart", "slow_start_config"),
		fields.Evaluated(policies+"round_robin.v3.RoundRobin", byLocality, "locality_lb_config"),
		fields.Evaluated(least, full, "selection_method", "choice_count"),
		fields.Evaluated(least, "TestSlowStart", "slow_start_config", "active_request_bias"),
		fields.Evaluated(least, byLocality, "locality_lb_config"),
		lacking(least, "enable_full_scan"),
		fields.Evaluated(policies+"random.v3.Random", byLocality, "locality_lb_config"),
		fields.Evaluated(policies+"cluster_provided.v3.ClusterProvided", "TestWhereAddressesGo/a passthrough cluster to a ClusterIP", fields.Rest),
		fields.Evaluated(ring, rings, "minimum_ring_size", "maximum_ring_size", "hash_function"),
		fields.Evaluated(ring, names, "use_hostname_for_hashing", "consistent_hashing_lb_config"),
		fields.Evaluated(ring, byLocality, "locality_weighted_lb_config"),
		lacking(ring, "hash_balance_factor"),
		fields.Evaluated(maglevs, names, "table_size", "consistent_hashing_lb_config"),
		fields.Evaluated(maglevs, byLocality, "locality_weighted_lb_config"),
		fields.Evaluated(common+"LocalityLbConfig", byLocality, "locality_weighted_lb_config"),
		lacking(common+"LocalityLbConfig", "zone_aware_lb_config"),
		fields.Evaluated(common+"SlowStartConfig", "TestSlowStart", "slow_start_window", "aggression", "min_weight_percent"),
		fields.Evaluated(common+"ConsistentHashingLbConfig", names, "use_hostname_for_hashing"),
		lacking(common+"ConsistentHashingLbConfig", "hash_balance_factor", "hash_policy"),
		runtimeDoubles(least+".active_request_bias"),
		runtimeDoubles(common+"SlowStartConfig.aggression"),
		percents(common+"SlowStartConfig.min_weight_percent", "TestSlowStart"),
	)
}

func percents(within, test string) []fields.Field {
	return fields.Within(within, fields.Evaluated("envoy.type.v3.Percent", test, "value"))
}
