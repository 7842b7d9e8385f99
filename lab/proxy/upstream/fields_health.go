package upstream

import (
	"slices"

	"github.com/meshstorm/meshstorm/lab/proxy/fields"
)

func breakerFields() []fields.Field {
	const (
		breakers   = "envoy.config.cluster.v3.CircuitBreakers"
		thresholds = breakers + ".Thresholds"
		budget     = thresholds + ".RetryBudget"
	)
	return slices.Concat(
		fields.Evaluated(breakers, "TestOverflow/one request", "thresholds"),
		fields.Evaluated(breakers, "TestOverflow/connections per host", "per_host_thresholds"),
		fields.Evaluated(thresholds, "TestOverflow/each priority has its own", "priority"),
		fields.Evaluated(thresholds, "TestOverflow/one connection and one that waits", "max_connections", "max_pending_requests"),
		fields.Evaluated(thresholds, "TestOverflow/one request", "max_requests"),
		fields.Evaluated(thresholds, "TestRetries", "max_retries"),
		fields.Evaluated(thresholds, "TestRetryBudget", "retry_budget"),
		noted(thresholds, "track_remaining"),
		lacking(thresholds, "max_connection_pools"),
		fields.Evaluated(budget, "TestRetryBudget", "budget_percent", "min_retry_concurrency"),
		fields.Evaluated(budget, "TestRetryBudgetInterval", "budget_interval"),
		percents(budget+".budget_percent", "TestRetryBudget"),
	)
}

func outlierFields() []fields.Field {
	const (
		outliers = "envoy.config.cluster.v3.OutlierDetection"
		of       = "TestOutlierDetection/"
		rate     = "TestSuccessRate/the one far below the others"
		share    = "TestSuccessRate/a failure percentage"
	)
	return slices.Concat(
		fields.Evaluated(outliers, of+"as many as Istio was told", "consecutive_5xx"),
		fields.Evaluated(outliers, of+"5xx turned off", "enforcing_consecutive_5xx"),
		fields.Evaluated(outliers, of+"gateway failures", "consecutive_gateway_failure", "enforcing_consecutive_gateway_failure"),
		fields.Evaluated(outliers, of+"local failures apart", "split_external_local_origin_errors", "consecutive_local_origin_failure", "enforcing_consecutive_local_origin_failure"),
		fields.Evaluated(outliers, "TestEjectionTime", "interval", "base_ejection_time"),
		fields.Evaluated(outliers, "TestEjectionLimits/no longer than the longest", "max_ejection_time"),
		fields.Evaluated(outliers, "TestEjectionLimits/with jitter", "max_ejection_time_jitter"),
		fields.Evaluated(outliers, "TestEjectionLimits/one host in any case", "always_eject_one_host"),
		fields.Evaluated(outliers, "TestMaxEjectionPercent", "max_ejection_percent"),
		fields.Evaluated(outliers, rate, "success_rate_stdev_factor", "success_rate_minimum_hosts"),
		fields.Evaluated(outliers, "TestSuccessRate/turned off, as Istio does", "enforcing_success_rate", "enforcing_local_origin_success_rate"),
		fields.Evaluated(outliers, "TestSuccessRate/too few requests", "success_rate_request_volume"),
		fields.Evaluated(outliers, share, "failure_percentage_threshold", "enforcing_failure_percentage", "enforcing_failure_percentage_local_origin",
			"failure_percentage_minimum_hosts", "failure_percentage_request_volume"),
		fields.NotShown(outliers, "there is no active health check", "successful_active_health_check_uneject_host"),
		lacking(outliers, "monitors", "detect_degraded_hosts"),
	)
}

func endpointFields() []fields.Field {
	const (
		assignment = endpointPackage + "ClusterLoadAssignment"
		rules      = assignment + ".Policy"
		one        = endpointPackage + "Endpoint"
		lb         = endpointPackage + "LbEndpoint"
		group      = endpointPackage + "LocalityLbEndpoints"
	)
	return slices.Concat(
		noted(assignment, "cluster_name"),
		fields.Evaluated(assignment, "TestDistribution/round robin", "endpoints"),
		fields.Evaluated(assignment, "TestDistribution/half of the overprovisioning", "policy"),
		lacking(assignment, "named_endpoints"),
		fields.Evaluated(rules, "TestDistribution/half of the overprovisioning", "overprovisioning_factor"),
		lacking(rules, "drop_overloads", "endpoint_stale_after", "weighted_priority_health"),
		fields.Evaluated(group, "TestDistribution/round robin", "lb_endpoints"),
		fields.Evaluated(group, "TestDistribution/localities by weight", "load_balancing_weight"),
		fields.Evaluated(group, "TestDistribution/the first priority while it is healthy", "priority"),
		fields.Evaluated(group, "TestTransportSocketMatches", "metadata"),
		fields.NotShown(group, "without zone aware balancing a locality's name says nothing", "locality", "proximity"),
		lacking(group, "load_balancer_endpoints", "leds_cluster_locality_config"),
		fields.Evaluated(lb, "TestDistribution/an unhealthy host gets nothing", "health_status"),
		fields.Evaluated(lb, "TestUpdatesKeepConnections", "metadata"),
		fields.Evaluated(lb, "TestDistribution/round robin by weight", "endpoint", "load_balancing_weight"),
		lacking(lb, "endpoint_name"),
		fields.Evaluated(one, "TestWhereAddressesGo/another pod", "address"),
		fields.Evaluated(one, "TestHashKeys/the name", "hostname"),
		noted(one, "observability_name"),
		fields.NotShown(one, "there is no active health check", "health_check_config"),
		lacking(one, "additional_addresses"),
	)
}

// sharedFields are messages that other parts hold too.
func sharedFields() []fields.Field {
	const (
		address  = corePackage + "Address"
		socket   = corePackage + "SocketAddress"
		reached  = "TestWhereAddressesGo/another pod"
		matches  = "TestTransportSocketMatches"
		metadata = corePackage + "Metadata"
	)
	out := slices.Concat(
		fields.Within(endpointPackage+"Endpoint.address", fields.Evaluated(address, reached, "socket_address"), lacking(address, "pipe", "envoy_internal_address")),
		fields.Within(corePackage+"BindConfig.source_address", fields.Evaluated(socket, "TestWhereAddressesGo/an inbound cluster's original destination", "address"),
			noted(socket, "protocol", "port_value", "named_port", "resolver_name", "ipv4_compat", "network_namespace_filepath")),
		percents(clusterMessage+".CommonLbConfig.healthy_panic_threshold", "TestDistribution/no panic with Istio's threshold of 0"),
		percents(clusterMessage+".SlowStartConfig.min_weight_percent", "TestSlowStart"),
	)
	for _, field := range []string{clusterMessage + ".transport_socket", clusterMessage + ".TransportSocketMatch.transport_socket"} {
		out = append(out, fields.Within(field, fields.Evaluated(corePackage+"TransportSocket", matches, "name", "typed_config"))...)
	}
	for _, field := range []string{clusterMessage + ".metadata", endpointPackage + "LbEndpoint.metadata", endpointPackage + "LocalityLbEndpoints.metadata"} {
		out = append(out, fields.Within(field, fields.Evaluated(metadata, "TestUpdatesKeepConnections", "filter_metadata"), noted(metadata, "typed_filter_metadata"))...)
	}
	return out
}
