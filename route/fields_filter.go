package route

// filterFields says of each field whether it is evaluated, and which test shows it, or
// what the answer says instead.
func filterFields() []messageFields {
	return []messageFields{
		{message: "envoy.config.route.v3.FilterConfig", fields: []fieldSupport{
			{name: "config", evaluated: "TestCORS/a policy in a wrapper"},
			{name: "is_optional", text: "not shown: FilterConfig.is_optional (it matters only to proxies that do not know the filter)"},
			{name: "disabled", evaluated: "TestCORS/the filter is off for the route"},
		}},
		{message: "envoy.config.route.v3.CorsPolicy", fields: []fieldSupport{
			{name: "allow_origin_string_match", evaluated: "TestCORS/the deprecated policy of the route"},
			{name: "allow_methods", evaluated: "TestCORS/the deprecated policy of the route"},
			{name: "allow_headers", evaluated: "TestCORS/the deprecated policy of the route"},
			{name: "expose_headers", evaluated: "TestCORS/the deprecated policy of the route"},
			{name: "max_age", evaluated: "TestCORS/the deprecated policy of the route"},
			{name: "allow_credentials", evaluated: "TestCORS/the deprecated policy of the route"},
			{name: "filter_enabled", evaluated: "TestCORS/the deprecated policy for a part of the requests"},
			{name: "shadow_enabled", text: "not shown: CorsPolicy.shadow_enabled (it only counts what would have been done)"},
			{name: "allow_private_network_access", evaluated: "TestCORS/the deprecated policy of the route"},
			{name: "forward_not_matching_preflights", evaluated: "TestCORS/the deprecated policy of the route"},
		}},
		{message: "envoy.extensions.filters.http.cors.v3.CorsPolicy", fields: []fieldSupport{
			{name: "allow_origin_string_match", evaluated: "TestCORS/a policy of the route"},
			{name: "allow_methods", evaluated: "TestCORS/a policy of the route"},
			{name: "allow_headers", evaluated: "TestCORS/a policy of the route"},
			{name: "expose_headers", evaluated: "TestCORS/a policy of the route"},
			{name: "max_age", evaluated: "TestCORS/a policy of the route"},
			{name: "allow_credentials", evaluated: "TestCORS/a policy of the route"},
			{name: "filter_enabled", evaluated: "TestCORS/a part of the requests has CORS"},
			{name: "shadow_enabled", text: "not shown: CorsPolicy.shadow_enabled (it only counts what would have been done)"},
			{name: "allow_private_network_access", evaluated: "TestCORS/a policy of the route"},
			{name: "forward_not_matching_preflights", evaluated: "TestCORS/a policy of the route"},
		}},
		{message: "envoy.extensions.filters.http.fault.v3.HTTPFault", fields: []fieldSupport{
			{name: "delay", evaluated: "TestFaults/a delay"},
			{name: "abort", evaluated: "TestFaults/an abort"},
			{name: "upstream_cluster", evaluated: "TestFaults/the fault is for another cluster"},
			{name: "headers", evaluated: "TestFaults/the request lacks the fault's headers"},
			{name: "downstream_nodes", evaluated: "TestFaults/the fault is for another node"},
			{name: "max_active_faults", text: "unsupported: HTTPFault.max_active_faults"},
			{name: "response_rate_limit", evaluated: "TestFaults/a slow response"},
			{name: "delay_percent_runtime", text: "unsupported: HTTPFault.delay_percent_runtime"},
			{name: "abort_percent_runtime", text: "unsupported: HTTPFault.abort_percent_runtime"},
			{name: "delay_duration_runtime", text: "unsupported: HTTPFault.delay_duration_runtime"},
			{name: "abort_http_status_runtime", text: "unsupported: HTTPFault.abort_http_status_runtime"},
			{name: "max_active_faults_runtime", text: "unsupported: HTTPFault.max_active_faults_runtime"},
			{name: "response_rate_limit_percent_runtime", text: "unsupported: HTTPFault.response_rate_limit_percent_runtime"},
			{name: "abort_grpc_status_runtime", text: "unsupported: HTTPFault.abort_grpc_status_runtime"},
			{name: "disable_downstream_cluster_stats", text: "not shown: HTTPFault.disable_downstream_cluster_stats (for statistics)"},
			{name: "filter_metadata", text: "not shown: HTTPFault.filter_metadata (for logs)"},
		}},
		{message: "envoy.extensions.filters.common.fault.v3.FaultDelay", fields: []fieldSupport{
			{name: "fixed_delay", evaluated: "TestFaults/a delay"},
			{name: "header_delay", evaluated: "TestFaults/headers that ask for faults"},
			{name: "percentage", evaluated: "TestFaults/a delay"},
		}},
		{message: "envoy.extensions.filters.http.fault.v3.FaultAbort", fields: []fieldSupport{
			{name: "http_status", evaluated: "TestFaults/an abort"},
			{name: "grpc_status", evaluated: "TestFaults/an abort with a gRPC status"},
			{name: "header_abort", evaluated: "TestFaults/headers that ask for faults"},
			{name: "percentage", evaluated: "TestFaults/an abort"},
		}},
		{message: "envoy.extensions.filters.common.fault.v3.FaultRateLimit", fields: []fieldSupport{
			{name: "fixed_limit", evaluated: "TestFaults/a slow response"},
			{name: "header_limit", evaluated: "TestFaults/headers that ask for faults"},
			{name: "percentage", evaluated: "TestFaults/a slow response"},
		}},
		{message: "envoy.extensions.filters.common.fault.v3.FaultRateLimit.FixedLimit", fields: []fieldSupport{
			{name: "limit_kbps", evaluated: "TestFaults/a slow response"},
		}},
		{message: "google.protobuf.Any", fields: []fieldSupport{
			{name: "type_url", evaluated: "TestOtherFilters/a filter that is not evaluated is named once"},
			{name: "value", evaluated: "TestPathTemplates/* takes one segment"},
		}},
		{message: "google.protobuf.BoolValue", fields: []fieldSupport{
			{name: "value", evaluated: "TestPathsInAnyCase/case_sensitive false is for path"},
		}},
		{message: "google.protobuf.UInt32Value", fields: []fieldSupport{
			{name: "value", evaluated: "TestClusters/weights that do not add up to 100"},
		}},
		{message: "google.protobuf.Duration", fields: []fieldSupport{
			{name: "seconds", evaluated: "TestTimeouts/a timeout"},
			{name: "nanos", evaluated: "TestTimeouts/a timeout"},
		}},
		{message: "google.protobuf.Struct", fields: []fieldSupport{
			{name: "fields", evaluated: "TestWhatElseIsAskedOfForwarding/endpoints with labels"},
		}},
		{message: "google.protobuf.Value", fields: []fieldSupport{
			{name: "null_value", evaluated: "TestWhatElseIsAskedOfForwarding/endpoints with labels of any kind"},
			{name: "number_value", evaluated: "TestWhatElseIsAskedOfForwarding/endpoints with labels of any kind"},
			{name: "string_value", evaluated: "TestWhatElseIsAskedOfForwarding/endpoints with labels"},
			{name: "bool_value", evaluated: "TestWhatElseIsAskedOfForwarding/endpoints with labels"},
			{name: "struct_value", evaluated: "TestWhatElseIsAskedOfForwarding/endpoints with labels of any kind"},
			{name: "list_value", evaluated: "TestWhatElseIsAskedOfForwarding/endpoints with labels of any kind"},
		}},
		{message: "google.protobuf.ListValue", fields: []fieldSupport{
			{name: "values", evaluated: "TestWhatElseIsAskedOfForwarding/endpoints with labels of any kind"},
		}},
	}
}
