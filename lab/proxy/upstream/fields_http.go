package upstream

import (
	"slices"

	"github.com/meshstorm/meshstorm/lab/proxy/fields"
)

func httpFields() []fields.Field {
	const (
		o         = httpOptions
		explicit  = o + ".ExplicitHttpConfig"
		client    = o + ".UseDownstreamHttpConfig"
		asClients = "TestProtocol/as the client's: HTTP/2"
		sni       = corePackage + "UpstreamHttpProtocolOptions"
	)
	return slices.Concat(
		fields.Evaluated(o, "TestKeepAlive/two requests per connection", "common_http_protocol_options"),
		fields.Evaluated(o, "TestProtocol/HTTP/2 by prior knowledge", "explicit_http_config"),
		fields.Evaluated(o, asClients, "use_downstream_protocol_config"),
		fields.Evaluated(o, "TestTLS/and the certificate must be for it", "upstream_http_protocol_options"),
		lacking(o, "auto_config", "http_filters", "header_validation_config", "outlier_detection", "request_mirror_policies", "hash_policy", "retry_policy"),
		fields.Evaluated(explicit, "TestRequests/proper case where it is asked for", "http_protocol_options"),
		fields.Evaluated(explicit, "TestProtocol/HTTP/2 by prior knowledge", "http2_protocol_options"),
		lacking(explicit, "http3_protocol_options"),
		fields.Evaluated(client, asClients, "http_protocol_options", "http2_protocol_options"),
		lacking(client, "http3_protocol_options"),
		fields.Evaluated(sni, "TestTLS/the SNI is the authority", "auto_sni"),
		fields.Evaluated(sni, "TestTLS/the SNI is a header", "override_auto_sni_header"),
		fields.Evaluated(sni, "TestTLS/and the certificate must be for it", "auto_san_validation"),
	)
}

// protocolFields are the protocols' options as clusters hold them; connection
// managers hold the same messages.
func protocolFields() []fields.Field {
	var out []fields.Field
	for _, holder := range []string{clusterMessage, httpOptions} {
		out = append(out, fields.Within(holder+".common_http_protocol_options", sharedHTTPFields())...)
	}
	for _, holder := range []string{clusterMessage, httpOptions + ".ExplicitHttpConfig", httpOptions + ".UseDownstreamHttpConfig"} {
		out = append(out, fields.Within(holder+".http_protocol_options", http1Fields())...)
		out = append(out, fields.Within(holder+".http2_protocol_options", http2Fields())...)
	}
	const format = corePackage + "Http1ProtocolOptions.HeaderKeyFormat"
	return append(out, slices.Concat(
		fields.Evaluated(format, "TestRequests/proper case where it is asked for", "proper_case_words", "stateful_formatter"),
		fields.Within(format+".stateful_formatter", fields.NotShown(corePackage+"TypedExtensionConfig", "any formatter gives proper case: Go keeps no other", "name", "typed_config")),
	)...)
}

func sharedHTTPFields() []fields.Field {
	const m = corePackage + "HttpProtocolOptions"
	return slices.Concat(
		fields.Evaluated(m, "TestIdleConnectionsAreClosed", "idle_timeout"),
		fields.Evaluated(m, "TestKeepAlive/a connection that is too old", "max_connection_duration"),
		fields.Evaluated(m, "TestKeepAlive/two requests per connection", "max_requests_per_connection"),
		fields.Evaluated(m, "TestHeaderLimits", "max_headers_count", "max_response_headers_kb"),
		fields.NotShown(m, "for downstream connections only", "headers_with_underscores_action", "max_connection_duration_jitter"),
		lacking(m, "max_stream_duration"),
	)
}

func http1Fields() []fields.Field {
	const m = corePackage + "Http1ProtocolOptions"
	return slices.Concat(
		fields.Evaluated(m, "TestRequests/proper case where it is asked for", "header_key_format"),
		fields.Evaluated(m, "TestRequests/a trailer where HTTP/1.1 may have them", "enable_trailers"),
		fields.Evaluated(m, "TestRequests/a whole URL as the target", "send_fully_qualified_url"),
		fields.NotShown(m, "for downstream connections only", "allow_absolute_url", "accept_http_10", "default_host_for_http_10", "ignore_http_11_upgrade"),
		noted(m, "use_balsa_parser", "allow_custom_methods"),
		lacking(m, "allow_chunked_length", "override_stream_error_on_invalid_http_message"),
	)
}

func http2Fields() []fields.Field {
	const m = corePackage + "Http2ProtocolOptions"
	return slices.Concat(
		fields.Evaluated(m, "TestStreamsPerConnection", "max_concurrent_streams"),
		fields.Evaluated(m, "TestKeepAliveOfHTTP2", "connection_keepalive"),
		fields.NotShown(m, "x/net's HTTP/2 has its own windows, tables and limits against floods", "hpack_table_size", "initial_stream_window_size",
			"initial_connection_window_size", "max_outbound_frames", "max_outbound_control_frames",
			"max_consecutive_inbound_frames_with_empty_payload", "max_inbound_priority_frames_per_stream",
			"max_inbound_window_update_frames_per_data_frame_sent", "use_oghttp2_codec", "enable_huffman_encoding", "stream_reset_burst",
			"stream_reset_rate", "max_metadata_size", "max_header_field_size_kb", "disallow_obs_text"),
		lacking(m, "allow_connect", "allow_metadata", "stream_error_on_invalid_http_messaging", "override_stream_error_on_invalid_http_message",
			"custom_settings_parameters"),
	)
}

func tlsFields() []fields.Field {
	const (
		tlsPackage = "envoy.extensions.transport_sockets.tls.v3."
		up         = tlsPackage + "UpstreamTlsContext"
		common     = tlsPackage + "CommonTlsContext"
		of         = "TestTLS/"
	)
	keepalives := fields.Within(corePackage+"Http2ProtocolOptions.connection_keepalive",
		fields.Evaluated(corePackage+"KeepaliveSettings", "TestKeepAliveOfHTTP2", "interval", "timeout"),
		noted(corePackage+"KeepaliveSettings", "interval_jitter", "connection_idle_interval"))
	return slices.Concat(keepalives,
		fields.Evaluated("envoy.extensions.transport_sockets.raw_buffer.v3.RawBuffer", "TestTransportSocketMatches", fields.Rest),
		fields.Evaluated(up, of+"a CA inline", "common_tls_context", "sni"),
		fields.Evaluated(up, of+"and the certificate must be for it", "auto_sni_san_validation"),
		fields.NotShown(up, "Go neither renegotiates nor resumes here", "allow_renegotiation", "max_session_keys", "enforce_rsa_key_usage"),
		lacking(up, "auto_host_sni"),
		fields.Within(up+".common_tls_context",
			fields.Evaluated(common, of+"a cipher suite that Go has", "tls_params"),
			fields.Evaluated(common, of+"a client's certificate in the cluster", "tls_certificates"),
			fields.Evaluated(common, of+"a client's certificate from SDS", "tls_certificate_sds_secret_configs"),
			fields.Evaluated(common, of+"a CA inline", "validation_context"),
			fields.Evaluated(common, of+"a CA from SDS", "combined_validation_context"),
			fields.Evaluated(common, of+"a CA that SDS does not have", "validation_context_sds_secret_config"),
			fields.Evaluated(common, of+"HTTP/2 by ALPN", "alpn_protocols"),
			noted(common, "key_log"),
			lacking(common, "tls_certificate_provider_instance", "custom_tls_certificate_selector", "tls_certificate_certificate_provider",
				"tls_certificate_certificate_provider_instance", "validation_context_certificate_provider",
				"validation_context_certificate_provider_instance", "custom_handshaker"),
		),
	)
}
