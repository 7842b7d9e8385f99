package router

import (
	"slices"

	"github.com/meshstorm/meshstorm/lab/proxy/fields"
)

// Names of messages.
const (
	managerMessage = "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
	managerPackage = "envoy.extensions.filters.network.http_connection_manager.v3."
	coreMessages   = "envoy.config.core.v3."
	routeMessages  = "envoy.config.route.v3."
)

// Fields is how this package, and the listener's HTTP codec below it, deal with
// the messages of the HTTP connection manager and its filters. What a route can
// hold is listed by package route; here stand only its parts that package route
// can explain and the router cannot do.
func Fields() []fields.Field {
	return slices.Concat(managerFields(), headerFields(), codecFields(), replyFields(), tracingFields(), filterFields(), routeFields())
}

func lacking(message string, names ...string) []fields.Field {
	return fields.Unsupported(message, "", names...)
}

func managerFields() []fields.Field {
	const m = managerMessage
	one := func(test string, names ...string) []fields.Field { return fields.Evaluated(m, test, names...) }
	return slices.Concat(
		one("TestListenerOptions/HTTP/2 only", "codec_type", "http2_protocol_options"),
		fields.Unsupported(m, "HTTP/3", "codec_type=HTTP3"),
		one("TestListenerOptions/routes by RDS", "rds"),
		one("TestRoutesWithinTheManager", "route_config"),
		one("TestFilters/it is off", "http_filters"),
		one("TestAnswers/the upstream's answer", "access_log"),
		one("TestManager/too many headers", "common_http_protocol_options"),
		one("TestHTTP1Trailers/they are passed on", "http_protocol_options"),
		one("TestManager/headers too large", "max_request_headers_kb"),
		one("TestTimeouts/the manager's idle timeout", "stream_idle_timeout"),
		one("TestRequestTimeout", "request_timeout"),
		one("TestListenerOptions/half a head takes too long", "request_headers_timeout"),
		one("TestListenerOptions/a connection grows too old", "drain_timeout"),
		one("TestContinue/the upstream asks for the body", "proxy_100_continue"),
		one("TestUpgrade/the manager allows it", "upgrade_configs"),
		one("TestLocalReplies/a format for all", "local_reply_config"),
		one("TestManager/a trace's operation goes upstream", "tracing"),
		one("TestPaths/dots are resolved", "normalize_path"),
		one("TestPaths/slashes are merged", "merge_slashes"),
		one("TestPaths/escaped slashes are refused", "path_with_escaped_slashes_action"),
		one("TestManager/ports are no part of the host", "strip_any_host_port"),
		one("TestManager/the listener's port is no part of the host", "strip_matching_host_port"),
		one("TestManager/a dot behind the host", "strip_trailing_host_dot"),
		fields.NotShown(m, "", "stat_prefix", "access_log_options", "access_log_flush_interval", "flush_access_log_on_new_request",
			"delayed_close_timeout", "drain_timeout_jitter", "stream_flush_timeout", "add_proxy_protocol_connection_state", "append_local_overload"),
		lacking(m, "scoped_routes", "http3_protocol_options", "http1_safe_max_connection_duration", "original_ip_detection_extensions",
			"early_header_mutation_extensions", "forward_client_cert_matcher", "represent_ipv4_remote_address_as_ipv4_mapped_ipv6",
			"stream_error_on_invalid_http_message", "path_normalization_options", "proxy_status_config", "typed_header_validation_config",
			"forward_proto_config"),
		fields.Evaluated(m+".UpgradeConfig", "TestUpgrade/the manager allows it", "upgrade_type"),
		fields.Evaluated(m+".UpgradeConfig", "TestUpgrade/the route allows it", "enabled"),
		fields.Unsupported(m+".UpgradeConfig", "an upgraded connection has the filters of all requests", "filters"),
	)
}

func headerFields() []fields.Field {
	const m = managerMessage
	one := func(test string, names ...string) []fields.Field {
		return fields.Evaluated(m, "TestManager/"+test, names...)
	}
	within := func(field, test string, message string, names ...string) []fields.Field {
		return fields.Within(m+"."+field, fields.Evaluated(coreMessages+message, "TestManager/"+test, names...))
	}
	return slices.Concat(
		one("the server's name", "server_name"),
		one("the upstream's server header passes", "server_header_transformation"),
		one("a scheme is set", "scheme_header_transformation"),
		within("scheme_header_transformation", "a scheme is set", "SchemeHeaderTransformation", "scheme_to_overwrite"),
		fields.Within(m+".scheme_header_transformation", lacking(coreMessages+"SchemeHeaderTransformation", "match_upstream")),
		one("an edge proxy tells where a request comes from", "use_remote_address"),
		one("a trusted hop in front", "xff_num_trusted_hops"),
		one("an internal client may ask for retries", "internal_address_config"),
		fields.Evaluated(m+".InternalAddressConfig", "TestManager/an internal client may ask for retries", "cidr_ranges"),
		fields.NotShown(m+".InternalAddressConfig", "no listener is a unix socket", "unix_sockets"),
		fields.Within(m+".InternalAddressConfig.cidr_ranges",
			fields.Evaluated(coreMessages+"CidrRange", "TestManager/an internal client may ask for retries", "address_prefix", "prefix_len")),
		one("x-forwarded-for is left alone", "skip_xff_append"),
		one("the port is told", "append_x_forwarded_port"),
		one("via", "via"),
		one("a user agent", "add_user_agent"),
		one("no request id", "generate_request_id"),
		one("a request id from outside is kept", "preserve_external_request_id"),
		one("the request id in the response", "always_set_request_id_in_response"),
		one("an edge proxy tells where a request comes from", "request_id_extension"),
		fields.Evaluated(managerPackage+"RequestIDExtension", "TestManager/an edge proxy tells where a request comes from", "typed_config"),
		fields.NotShown("envoy.extensions.request_id.uuid.v3.UuidRequestIdConfig", "the lab sends no traces", "pack_trace_reason", "use_request_id_for_trace_sampling"),
		one("a forged client certificate", "forward_client_cert_details"),
		fields.Evaluated(m, "TestClientCertificate/all details", "set_current_client_cert_details"),
		fields.Evaluated(m+".SetCurrentClientCertDetails", "TestClientCertificate/all details", "subject", "cert", "chain", "dns", "uri"),
		lacking(m+".SetCurrentClientCertDetails", "format"),
	)
}

// codecFields are what the HTTP codecs of the listener take.
func codecFields() []fields.Field {
	const m = managerMessage
	common := func(test string, names ...string) []fields.Field {
		return fields.Evaluated(coreMessages+"HttpProtocolOptions", test, names...)
	}
	http1 := func(test string, names ...string) []fields.Field {
		return fields.Evaluated(coreMessages+"Http1ProtocolOptions", test, names...)
	}
	http2 := coreMessages + "Http2ProtocolOptions"
	return slices.Concat(
		fields.Within(m+".common_http_protocol_options",
			common("TestListenerOptions/an idle connection is closed", "idle_timeout"),
			common("TestListenerOptions/a connection grows too old", "max_connection_duration"),
			common("TestListenerOptions/a connection has had its requests", "max_requests_per_connection"),
			common("TestManager/too many headers", "max_headers_count"),
			common("TestTimeouts/the manager's longest duration", "max_stream_duration"),
			common("TestManager/headers with underscores are refused", "headers_with_underscores_action"),
			fields.NotShown(coreMessages+"HttpProtocolOptions", "for clusters", "max_response_headers_kb"),
			lacking(coreMessages+"HttpProtocolOptions", "max_connection_duration_jitter")),
		fields.Within(m+".http_protocol_options",
			http1("TestHTTP1Trailers/they are passed on", "enable_trailers"),
			http1("TestListenerOptions/HTTP/1.0 is taken", "accept_http_10"),
			http1("TestListenerOptions/a length beside chunks is taken", "allow_chunked_length"),
			fields.NotShown(coreMessages+"Http1ProtocolOptions", "", "use_balsa_parser"),
			lacking(coreMessages+"Http1ProtocolOptions", "allow_absolute_url", "default_host_for_http_10", "header_key_format",
				"override_stream_error_on_invalid_http_message", "send_fully_qualified_url", "allow_custom_methods", "ignore_http_11_upgrade")),
		fields.Within(m+".http2_protocol_options",
			fields.Evaluated(http2, "TestListenerOptions/HTTP/2 only", "max_concurrent_streams", "initial_stream_window_size",
				"initial_connection_window_size", "connection_keepalive"),
			fields.NotShown(http2, "", "hpack_table_size", "use_oghttp2_codec", "enable_huffman_encoding", "max_outbound_frames",
				"max_outbound_control_frames", "max_consecutive_inbound_frames_with_empty_payload", "max_inbound_priority_frames_per_stream",
				"max_inbound_window_update_frames_per_data_frame_sent", "disallow_obs_text"),
			lacking(http2, "allow_connect", "allow_metadata", "custom_settings_parameters", "max_header_field_size_kb", "max_metadata_size",
				"override_stream_error_on_invalid_http_message", "stream_error_on_invalid_http_messaging", "stream_reset_burst", "stream_reset_rate")),
	)
}

func replyFields() []fields.Field {
	const (
		config = managerPackage + "LocalReplyConfig"
		mapper = managerPackage + "ResponseMapper"
		format = coreMessages + "SubstitutionFormatString"
		status = "TestLocalReplies/a mapper for a status"
		flag   = "TestLocalReplies/a mapper for a flag, with a format"
		all    = "TestLocalReplies/a format for all"
	)
	out := slices.Concat(
		fields.Evaluated(config, status, "mappers"), fields.Evaluated(config, all, "body_format"),
		fields.Evaluated(mapper, status, "filter", "status_code", "body", "headers_to_add"),
		fields.Evaluated(mapper, flag, "body_format_override"),
		fields.Within(mapper+".body", fields.Evaluated(coreMessages+"DataSource", status, "inline_string", "inline_bytes"),
			lacking(coreMessages+"DataSource", "filename", "environment_variable", "watched_directory")),
		fields.Within(mapper+".headers_to_add", fields.Evaluated(coreMessages+"HeaderValueOption", status, "header", "append_action"),
			lacking(coreMessages+"HeaderValueOption", "append", "keep_empty_value")),
	)
	for _, field := range []string{config + ".body_format", mapper + ".body_format_override"} {
		out = append(out, fields.Within(field,
			fields.Evaluated(format, flag, "text_format", "text_format_source"),
			fields.Evaluated(format, all, "json_format", "content_type", "omit_empty_values", "formatters"),
			fields.NotShown(format, "", "json_format_options"))...)
	}
	return out
}

func tracingFields() []fields.Field {
	const (
		tracing = managerMessage + ".Tracing"
		text    = "the lab sends no traces"
	)
	return slices.Concat(
		fields.NotShown(tracing, text, "client_sampling", "random_sampling", "overall_sampling", "verbose", "max_path_tag_length",
			"custom_tags", "spawn_upstream_span", "operation", "upstream_operation", "no_context_propagation"),
		fields.Unsupported(tracing, text, "provider"),
	)
}
