package route

// matchFields says of each field whether it is evaluated, and which test shows it, or
// what the answer says instead.
func matchFields() []messageFields {
	return []messageFields{
		{message: "envoy.config.route.v3.RouteMatch", fields: []fieldSupport{
			{name: "prefix", evaluated: "TestPaths/a prefix takes every path that begins with it"},
			{name: "path", evaluated: "TestPaths/a path is the whole path without query and fragment"},
			{name: "safe_regex", evaluated: "TestPathsByRegularExpression/a regular expression takes the whole path without the query"},
			{name: "connect_matcher", evaluated: "TestPathParametersAndConnect/a connect_matcher takes CONNECT only"},
			{name: "path_separated_prefix", evaluated: "TestPathsInAnyCase/a path-separated prefix ends at a slash"},
			{name: "path_match_policy", evaluated: "TestPathTemplates/* takes one segment"},
			{name: "case_sensitive", evaluated: "TestPathsInAnyCase/case_sensitive false is for path"},
			{name: "runtime_fraction", evaluated: "TestOtherConditions/a fraction takes random values below the numerator"},
			{name: "headers", evaluated: "TestMissingHeaders/all headers have to match"},
			{name: "query_parameters", evaluated: "TestQueryParameters/all parameters have to match"},
			{name: "cookies", evaluated: "TestCookies/all cookies have to match"},
			{name: "grpc", evaluated: "TestOtherConditions/grpc takes requests with gRPC's content type"},
			{name: "tls_context", evaluated: "TestOtherConditions/a client certificate has to be presented"},
			{name: "dynamic_metadata", text: "unsupported: RouteMatch.dynamic_metadata"},
			{name: "filter_state", text: "unsupported: RouteMatch.filter_state"},
		}},
		{message: "envoy.config.route.v3.RouteMatch.TlsContextMatchOptions", fields: []fieldSupport{
			{name: "presented", evaluated: "TestOtherConditions/a client certificate has to be presented"},
			{name: "validated", evaluated: "TestOtherConditions/the client certificate has to be validated"},
		}},
		{message: "envoy.config.route.v3.HeaderMatcher", fields: []fieldSupport{
			{name: "name", evaluated: "TestHeaders/exact_match compares the whole value"},
			{name: "exact_match", evaluated: "TestHeaders/exact_match compares the whole value"},
			{name: "safe_regex_match", evaluated: "TestHeaders/safe_regex_match takes the whole value"},
			{name: "range_match", evaluated: "TestHeaders/range_match takes whole numbers from start up to but without end"},
			{name: "present_match", evaluated: "TestHeaderPresence/present_match asks for the header"},
			{name: "prefix_match", evaluated: "TestPartsOfHeaders/prefix_match looks at the beginning"},
			{name: "suffix_match", evaluated: "TestPartsOfHeaders/suffix_match looks at the end"},
			{name: "contains_match", evaluated: "TestPartsOfHeaders/contains_match looks everywhere"},
			{name: "string_match", evaluated: "TestStringMatchers/exact"},
			{name: "invert_match", evaluated: "TestHeaders/a regex is inverted"},
			{name: "treat_missing_header_as_empty", evaluated: "TestMissingHeaders/a missing header that counts as empty matches an empty regex"},
		}},
		{message: "envoy.config.route.v3.QueryParameterMatcher", fields: []fieldSupport{
			{name: "name", evaluated: "TestQueryParameters/string_match compares the value"},
			{name: "string_match", evaluated: "TestQueryParameters/string_match compares the value"},
			{name: "present_match", evaluated: "TestQueryParameters/present_match asks for the parameter"},
		}},
		{message: "envoy.config.route.v3.CookieMatcher", fields: []fieldSupport{
			{name: "name", evaluated: "TestCookies/the value of the named cookie is compared"},
			{name: "string_match", evaluated: "TestCookies/the value of the named cookie is compared"},
			{name: "invert_match", evaluated: "TestCookies/an inverted cookie holds where there is none"},
		}},
		{message: "envoy.type.v3.Int64Range", fields: []fieldSupport{
			{name: "start", evaluated: "TestHeaders/range_match takes whole numbers from start up to but without end"},
			{name: "end", evaluated: "TestHeaders/range_match takes whole numbers from start up to but without end"},
		}},
		{message: "envoy.type.matcher.v3.StringMatcher", fields: []fieldSupport{
			{name: "exact", evaluated: "TestStringMatchers/exact"},
			{name: "prefix", evaluated: "TestStringMatchers/prefix"},
			{name: "suffix", evaluated: "TestStringMatchers/suffix"},
			{name: "safe_regex", evaluated: "TestStringMatchers/safe_regex"},
			{name: "contains", evaluated: "TestStringMatchers/contains"},
			{name: "custom", text: "unsupported: StringMatcher.custom"},
			{name: "ignore_case", evaluated: "TestStringMatchers/exact in any case"},
		}},
		{message: "envoy.type.matcher.v3.RegexMatcher", fields: []fieldSupport{
			{name: "google_re2", evaluated: "TestPathRewrites/regex_rewrite moves groups"},
			{name: "regex", evaluated: "TestPathsByRegularExpression/a regular expression takes the whole path without the query"},
		}},
		{message: "envoy.type.matcher.v3.RegexMatcher.GoogleRE2", fields: []fieldSupport{
			{name: "max_program_size", text: "not shown: RegexMatcher.GoogleRE2.max_program_size (deprecated; the proxy's runtime sets the limit)"},
		}},
		{message: "envoy.config.core.v3.RuntimeFractionalPercent", fields: []fieldSupport{
			{name: "default_value", evaluated: "TestOtherConditions/a fraction takes random values below the numerator"},
			{name: "runtime_key", evaluated: "TestTheRuntimeLayerDecidesAFractionWithAKey"},
		}},
		{message: "envoy.type.v3.FractionalPercent", fields: []fieldSupport{
			{name: "numerator", evaluated: "TestOtherConditions/a fraction takes random values below the numerator"},
			{name: "denominator", evaluated: "TestOtherConditions/a fraction of ten thousand"},
		}},
		{message: "envoy.config.core.v3.TypedExtensionConfig", fields: []fieldSupport{
			{name: "name", evaluated: "TestPathRewrites/a rewrite by another extension"},
			{name: "typed_config", evaluated: "TestPathTemplates/* takes one segment"},
		}},
		{message: "envoy.extensions.path.match.uri_template.v3.UriTemplateMatchConfig", fields: []fieldSupport{
			{name: "path_template", evaluated: "TestPathTemplates/* takes one segment"},
		}},
		{message: "xds.type.matcher.v3.Matcher", fields: []fieldSupport{
			{name: "matcher_list", evaluated: "TestMatchTrees/the first entry whose predicate holds"},
			{name: "matcher_tree", evaluated: "TestMatchTrees/an exact key"},
			{name: "on_no_match", evaluated: "TestMatchTrees/a header that is missing"},
		}},
		{message: "xds.type.matcher.v3.Matcher.MatcherList", fields: []fieldSupport{
			{name: "matchers", evaluated: "TestMatchTrees/the first entry whose predicate holds"},
		}},
		{message: "xds.type.matcher.v3.Matcher.MatcherList.FieldMatcher", fields: []fieldSupport{
			{name: "predicate", evaluated: "TestMatchTrees/the first entry whose predicate holds"},
			{name: "on_match", evaluated: "TestMatchTrees/the first entry whose predicate holds"},
		}},
		{message: "xds.type.matcher.v3.Matcher.MatcherList.Predicate", fields: []fieldSupport{
			{name: "single_predicate", evaluated: "TestMatchTrees/the first entry whose predicate holds"},
			{name: "or_matcher", evaluated: "TestMatchTrees/or by header"},
			{name: "and_matcher", evaluated: "TestMatchTrees/and with not"},
			{name: "not_matcher", evaluated: "TestMatchTrees/and with not that fails"},
		}},
		{message: "xds.type.matcher.v3.Matcher.MatcherList.Predicate.PredicateList", fields: []fieldSupport{
			{name: "predicate", evaluated: "TestMatchTrees/or by header"},
		}},
		{message: "xds.type.matcher.v3.Matcher.MatcherList.Predicate.SinglePredicate", fields: []fieldSupport{
			{name: "input", evaluated: "TestMatchTrees/or by decoded query parameter"},
			{name: "value_match", evaluated: "TestMatchTrees/the first entry whose predicate holds"},
			{name: "custom_match", text: "unsupported: Matcher.SinglePredicate.custom_match"},
		}},
		{message: "xds.type.matcher.v3.Matcher.MatcherTree", fields: []fieldSupport{
			{name: "input", evaluated: "TestMatchTrees/an exact key"},
			{name: "exact_match_map", evaluated: "TestMatchTrees/an exact key"},
			{name: "prefix_match_map", evaluated: "TestMatchTrees/the longest prefix"},
			{name: "custom_match", text: "unsupported: Matcher.MatcherTree.custom_match"},
		}},
		{message: "xds.type.matcher.v3.Matcher.MatcherTree.MatchMap", fields: []fieldSupport{
			{name: "map", evaluated: "TestMatchTrees/an exact key"},
		}},
		{message: "xds.type.matcher.v3.Matcher.OnMatch", fields: []fieldSupport{
			{name: "matcher", evaluated: "TestMatchTrees/a nested matcher"},
			{name: "action", evaluated: "TestMatchTrees/the first entry whose predicate holds"},
			{name: "keep_matching", evaluated: "TestMatchTrees/keep_matching goes on"},
		}},
		{message: "xds.type.matcher.v3.StringMatcher", fields: []fieldSupport{
			{name: "exact", evaluated: "TestMatchTrees/and with not"},
			{name: "prefix", evaluated: "TestMatchTrees/the first entry whose predicate holds"},
			{name: "suffix", evaluated: "TestMatchTrees/or by header"},
			{name: "safe_regex", evaluated: "TestMatchTreesByRegularExpression/a regular expression in a predicate"},
			{name: "contains", evaluated: "TestMatchTrees/a nested matcher"},
			{name: "custom", text: "unsupported: StringMatcher.custom"},
			{name: "ignore_case", evaluated: "TestMatchTrees/or by header"},
		}},
		{message: "xds.type.matcher.v3.RegexMatcher", fields: []fieldSupport{
			{name: "google_re2", evaluated: "TestMatchTreesByRegularExpression/a regular expression in a predicate"},
			{name: "regex", evaluated: "TestMatchTreesByRegularExpression/a regular expression in a predicate"},
		}},
		{message: "xds.core.v3.TypedExtensionConfig", fields: []fieldSupport{
			{name: "name", evaluated: "TestMatchTreesSayWhatTheyCannotEvaluate"},
			{name: "typed_config", evaluated: "TestMatchTrees/the first entry whose predicate holds"},
		}},
		{message: "envoy.type.matcher.v3.HttpRequestHeaderMatchInput", fields: []fieldSupport{
			{name: "header_name", evaluated: "TestMatchTrees/the first entry whose predicate holds"},
		}},
		{message: "envoy.type.matcher.v3.HttpRequestQueryParamMatchInput", fields: []fieldSupport{
			{name: "query_param", evaluated: "TestMatchTrees/or by decoded query parameter"},
		}},
		{message: "envoy.type.matcher.v3.MetadataMatcher", within: "envoy.config.route.v3.RouteMatch.dynamic_metadata"},
		{message: "envoy.type.matcher.v3.MetadataMatcher.PathSegment", within: "envoy.config.route.v3.RouteMatch.dynamic_metadata"},
		{message: "envoy.type.matcher.v3.ValueMatcher", within: "envoy.config.route.v3.RouteMatch.dynamic_metadata"},
		{message: "envoy.type.matcher.v3.ValueMatcher.NullMatch", within: "envoy.config.route.v3.RouteMatch.dynamic_metadata"},
		{message: "envoy.type.matcher.v3.DoubleMatcher", within: "envoy.config.route.v3.RouteMatch.dynamic_metadata"},
		{message: "envoy.type.v3.DoubleRange", within: "envoy.config.route.v3.RouteMatch.dynamic_metadata"},
		{message: "envoy.type.matcher.v3.ListMatcher", within: "envoy.config.route.v3.RouteMatch.dynamic_metadata"},
		{message: "envoy.type.matcher.v3.OrMatcher", within: "envoy.config.route.v3.RouteMatch.dynamic_metadata"},
		{message: "envoy.type.matcher.v3.FilterStateMatcher", within: "envoy.config.route.v3.RouteMatch.filter_state"},
		{message: "envoy.type.matcher.v3.AddressMatcher", within: "envoy.config.route.v3.RouteMatch.filter_state"},
		{message: "xds.core.v3.CidrRange", within: "envoy.config.route.v3.RouteMatch.filter_state"},
	}
}
