package telemetry

import "github.com/meshstorm/meshstorm/lab/proxy/fields"

// Fields is how this package deals with the messages of access loggers and of
// the istio.stats filter.
func Fields() []fields.Field {
	list := append(loggerFields(), filterFields()...)
	return append(list, statsFields()...)
}

// of makes the entries of a message: name, then a test case or, beginning with
// "unsupported: " or "not shown: ", a text.
func of(message, within string, pairs ...[2]string) []fields.Field {
	list := make([]fields.Field, len(pairs))
	for i, p := range pairs {
		list[i] = fields.Field{Message: message, Within: within, Name: p[0], Case: p[1]}
		if p[1] == unsupportedText || p[1] == notShownText {
			list[i].Case, list[i].Text = "", p[1]+message[lastDot(message)+1:]+"."+p[0]
		}
	}
	return list
}

func lastDot(s string) int {
	for i := len(s) - 1; i >= 0; i-- {
		if s[i] == '.' {
			return i
		}
	}
	return -1
}

const (
	unsupportedText = "unsupported: "
	notShownText    = "not shown: "
)

func loggerFields() []fields.Field {
	const (
		file   = "envoy.extensions.access_loggers.file.v3.FileAccessLog"
		stream = "envoy.extensions.access_loggers.stream.v3."
		format = "envoy.config.core.v3.SubstitutionFormatString"
	)
	list := of("envoy.config.accesslog.v3.AccessLog", "",
		[2]string{"name", "TestLoggers/a logger of another kind"},
		[2]string{"filter", "TestFilters/a status code"},
		[2]string{"typed_config", "TestLoggers/stdout"})
	list = append(list, of(file, "",
		[2]string{"path", "TestLoggers/a file in a volume"},
		[2]string{"format", "TestLoggers/the deprecated text format"},
		[2]string{"json_format", "TestLoggers/the deprecated JSON format, all strings"},
		[2]string{"typed_json_format", "TestLoggers/the deprecated typed JSON format"},
		[2]string{"log_format", "TestLoggers/stdout"})...)
	for _, holder := range []string{file, stream + "StdoutAccessLog", stream + "StderrAccessLog"} {
		list = append(list, of(format, holder+".log_format",
			[2]string{"text_format", "TestText/a text format"},
			[2]string{"json_format", "TestJSON/types"},
			[2]string{"text_format_source", "TestLoggers/stdout"},
			[2]string{"omit_empty_values", "TestJSON/what is missing is left out"},
			[2]string{"content_type", notShownText},
			[2]string{"formatters", "TestLoggers/a formatter"},
			[2]string{"json_format_options", notShownText})...)
	}
	list = append(list, of(stream+"StdoutAccessLog", "", [2]string{"log_format", "TestLoggers/the stdout logger"})...)
	return append(list, of(stream+"StderrAccessLog", "", [2]string{"log_format", "TestLoggers/the stderr logger"})...)
}

func filterFields() []fields.Field {
	const p = "envoy.config.accesslog.v3."
	one := func(message, field, test string) []fields.Field { return of(p+message, "", [2]string{field, test}) }
	list := of(p+"AccessLogFilter", "",
		[2]string{"status_code_filter", "TestFilters/a status code"},
		[2]string{"duration_filter", "TestFilters/a duration"},
		[2]string{"not_health_check_filter", "TestFilters/no health checks"},
		[2]string{"traceable_filter", unsupportedText},
		[2]string{"runtime_filter", "TestFilters/a share of the requests, taken"},
		[2]string{"and_filter", "TestFilters/both"},
		[2]string{"or_filter", "TestFilters/either"},
		[2]string{"header_filter", "TestFilters/a header"},
		[2]string{"response_flag_filter", "TestFilters/a response flag"},
		[2]string{"grpc_status_filter", "TestFilters/a gRPC status"},
		[2]string{"extension_filter", unsupportedText},
		[2]string{"metadata_filter", unsupportedText},
		[2]string{"log_type_filter", "TestFilters/a type"})
	list = append(list, of(p+"ComparisonFilter", "",
		[2]string{"op", "TestFilters/a status code that differs"}, [2]string{"value", "TestFilters/a status code"})...)
	list = append(list, of("envoy.config.core.v3.RuntimeUInt32", p+"ComparisonFilter.value",
		[2]string{"default_value", "TestFilters/a status code"},
		// There is no runtime layer, so the default always holds.
		[2]string{"runtime_key", notShownText})...)
	list = append(list, one("StatusCodeFilter", "comparison", "TestFilters/a status code")...)
	list = append(list, one("DurationFilter", "comparison", "TestFilters/a duration")...)
	list = append(list, one("AndFilter", "filters", "TestFilters/both")...)
	list = append(list, one("OrFilter", "filters", "TestFilters/either")...)
	list = append(list, one("HeaderFilter", "header", "TestFilters/a header")...)
	list = append(list, one("ResponseFlagFilter", "flags", "TestFilters/a response flag")...)
	list = append(list, of(p+"RuntimeFilter", "",
		[2]string{"runtime_key", notShownText},
		[2]string{"percent_sampled", "TestFilters/a share of the requests, taken"},
		[2]string{"use_independent_randomness", "TestFilters/a share by chance, not taken"})...)
	list = append(list, of(p+"GrpcStatusFilter", "",
		[2]string{"statuses", "TestFilters/a gRPC status"}, [2]string{"exclude", "TestFilters/any gRPC status but one"})...)
	list = append(list, of(p+"LogTypeFilter", "",
		[2]string{"types", "TestFilters/a type"}, [2]string{"exclude", "TestFilters/any type but one"})...)
	list = append(list, of(p+"ExtensionFilter", "",
		[2]string{"name", unsupportedText}, [2]string{"typed_config", unsupportedText})...)
	return append(list, of(p+"MetadataFilter", "",
		[2]string{"matcher", unsupportedText}, [2]string{"match_if_key_not_found", unsupportedText})...)
}

func statsFields() []fields.Field {
	list := of("stats.PluginConfig", "",
		[2]string{"debug", notShownText},
		[2]string{"max_peer_cache_size", notShownText},
		[2]string{"stat_prefix", unsupportedText},
		[2]string{"field_separator", notShownText},
		[2]string{"value_separator", notShownText},
		[2]string{"disable_host_header_fallback", "TestLabels/no fallback to the Host header"},
		[2]string{"tcp_reporting_duration", "TestConnectionsAreReportedWhileTheyLast"},
		[2]string{"metrics", "TestOverrides/a label less"},
		[2]string{"definitions", unsupportedText},
		[2]string{"reporter", unsupportedText},
		[2]string{"rotation_interval", unsupportedText},
		[2]string{"graceful_deletion_interval", unsupportedText})
	list = append(list, of("stats.MetricConfig", "",
		[2]string{"dimensions", unsupportedText},
		[2]string{"name", "TestOverrides/a label less of one metric"},
		[2]string{"tags_to_remove", "TestOverrides/a label less"},
		// Istio's filter does not implement it either.
		[2]string{"match", notShownText},
		[2]string{"drop", "TestOverrides/a metric less"})...)
	return append(list, of("stats.MetricDefinition", "",
		[2]string{"name", unsupportedText}, [2]string{"value", unsupportedText}, [2]string{"type", unsupportedText})...)
}
