package route_test

import "testing"

func TestHeaders(t *testing.T) {
	with := func(header string) string { return `{prefix: /, headers: [` + header + `]}` }
	runMatchCases(t, []matchCase{
		{
			name: "exact_match compares the whole value", doc: "HeaderMatcher.exact_match", match: with(`{name: X-User, exact_match: a}`),
			takes:  []string{"GET / | x-user: a", "GET / | X-USER: a"},
			leaves: map[string]string{"GET / | x-user: A": `header x-user is "A", not "a"`, "GET /": `header x-user is missing`},
		},
		{
			name: "an empty exact_match only asks for the header", doc: "HeaderMatcher.exact_match; the field cannot tell empty from unset", match: with(`{name: x-user, exact_match: ""}`),
			takes: []string{"GET / | x-user: a", "GET / | x-user: "}, leaves: map[string]string{"GET /": `header x-user is missing`},
		},
		{
			name: "several headers of one name are joined with a comma", doc: "docs: configuration/http/http_conn_man/headers; RFC 9110, 5.3", match: with(`{name: x-user, string_match: {exact: "a,b"}}`),
			takes: []string{"GET / | x-user: a | x-user: b"}, leaves: map[string]string{"GET / | x-user: a": `header x-user is "a", not "a,b"`},
		},
		{
			name: "safe_regex_match takes the whole value", doc: "HeaderMatcher.safe_regex_match", match: with(`{name: x-user, safe_regex_match: {regex: "\\d{3}"}}`),
			takes: []string{"GET / | x-user: 123"}, leaves: map[string]string{"GET / | x-user: 1234": `header x-user is "1234", which does not match "\\d{3}"`},
		},
		{
			name: "a regex is inverted", doc: "HeaderMatcher.invert_match", match: with(`{name: x-user, safe_regex_match: {regex: "\\d{3}"}, invert_match: true}`),
			takes:  []string{"GET / | x-user: 1234"},
			leaves: map[string]string{"GET / | x-user: 123": `header x-user is "123", which matches "\\d{3}" (excluded)`, "GET /": `header x-user is missing`},
		},
		{
			name: "range_match takes whole numbers from start up to but without end", doc: "HeaderMatcher.range_match", match: with(`{name: x-n, range_match: {start: -10, end: 0}}`),
			takes: []string{"GET / | x-n: -1", "GET / | x-n: -10"},
			leaves: map[string]string{
				"GET / | x-n: 0":            `header x-n is "0", not a number in [-10,0)`,
				"GET / | x-n: somestring":   `header x-n is "somestring", not a number in [-10,0)`,
				"GET / | x-n: 10.9":         `header x-n is "10.9", not a number in [-10,0)`,
				"GET / | x-n: -1somestring": `header x-n is "-1somestring", not a number in [-10,0)`,
				"GET / | x-n: ":             `header x-n is "", not a number in [-10,0)`,
			},
		},
		{
			name: "range_match takes a plus sign", doc: "HeaderMatcher.range_match", match: with(`{name: x-n, range_match: {start: 0, end: 10}}`),
			takes: []string{"GET / | x-n: +5"},
		},
		{
			name: "a range is inverted", doc: "HeaderMatcher.invert_match", match: with(`{name: x-n, range_match: {start: -10, end: 0}, invert_match: true}`),
			takes: []string{"GET / | x-n: 3", "GET / | x-n: x"}, leaves: map[string]string{"GET / | x-n: -1": `header x-n is "-1", in [-10,0) (excluded)`, "GET /": `header x-n is missing`},
		},
	})
}

func TestHeaderPresence(t *testing.T) {
	with := func(header string) string { return `{prefix: /, headers: [` + header + `]}` }
	runMatchCases(t, []matchCase{
		{
			name: "present_match asks for the header", doc: "HeaderMatcher.present_match", match: with(`{name: x-user, present_match: true}`),
			takes: []string{"GET / | x-user: a", "GET / | x-user: "}, leaves: map[string]string{"GET /": `header x-user is missing`},
		},
		{
			name: "present_match false asks that the header is absent", doc: "HeaderMatcher.present_match", match: with(`{name: x-user, present_match: false}`),
			takes: []string{"GET /"}, leaves: map[string]string{"GET / | x-user: a": `header x-user is present ("a")`},
		},
		{
			name: "present_match is inverted", doc: "HeaderMatcher.invert_match", match: with(`{name: x-user, present_match: true, invert_match: true}`),
			takes: []string{"GET /"}, leaves: map[string]string{"GET / | x-user: a": `header x-user is present ("a")`},
		},
		{
			name: "present_match false is inverted", doc: "HeaderMatcher.invert_match", match: with(`{name: x-user, present_match: false, invert_match: true}`),
			takes: []string{"GET / | x-user: a"}, leaves: map[string]string{"GET /": `header x-user is missing`},
		},
		{
			name: "a matcher that says nothing more asks for the header", doc: "RouteMatch.headers: based on presence if the value field is not in the config", match: with(`{name: x-user}`),
			takes: []string{"GET / | x-user: a"}, leaves: map[string]string{"GET /": `header x-user is missing`},
		},
	})
}

func TestPartsOfHeaders(t *testing.T) {
	with := func(header string) string { return `{prefix: /, headers: [` + header + `]}` }
	runMatchCases(t, []matchCase{
		{
			name: "prefix_match looks at the beginning", doc: "HeaderMatcher.prefix_match", match: with(`{name: x-user, prefix_match: abcd}`),
			takes: []string{"GET / | x-user: abcdxyz"}, leaves: map[string]string{"GET / | x-user: abcxyz": `header x-user is "abcxyz", which does not start with "abcd"`},
		},
		{
			name: "suffix_match looks at the end", doc: "HeaderMatcher.suffix_match", match: with(`{name: x-user, suffix_match: abcd}`),
			takes: []string{"GET / | x-user: xyzabcd"}, leaves: map[string]string{"GET / | x-user: xyzbcd": `header x-user is "xyzbcd", which does not end with "abcd"`},
		},
		{
			name: "contains_match looks everywhere", doc: "HeaderMatcher.contains_match", match: with(`{name: x-user, contains_match: abcd}`),
			takes: []string{"GET / | x-user: xyzabcdpqr"}, leaves: map[string]string{"GET / | x-user: xyzbcdpqr": `header x-user is "xyzbcdpqr", which does not contain "abcd"`},
		},
		{
			name: "inverted text says what is excluded", doc: "HeaderMatcher.invert_match", match: with(`{name: x-user, string_match: {prefix: a}, invert_match: true}`),
			takes: []string{"GET / | x-user: b"}, leaves: map[string]string{"GET / | x-user: ab": `header x-user is "ab", which starts with "a" (excluded)`},
		},
	})
}

func TestMissingHeaders(t *testing.T) {
	with := func(header string) string { return `{prefix: /, headers: [` + header + `]}` }
	runMatchCases(t, []matchCase{
		{
			name: "a missing header that counts as empty is outside of a range", doc: "HeaderMatcher.treat_missing_header_as_empty, first example", match: with(`{name: header1, range_match: {start: 0, end: 10}, invert_match: true, treat_missing_header_as_empty: true}`),
			takes: []string{"GET /"},
		},
		{
			name: "a missing header does not match, inverted or not", doc: "HeaderMatcher.treat_missing_header_as_empty, second example", match: with(`{name: header2, range_match: {start: 0, end: 10}, invert_match: true}`),
			leaves: map[string]string{"GET /": `header header2 is missing`},
		},
		{
			name: "a missing header that counts as empty matches an empty regex", doc: "HeaderMatcher.treat_missing_header_as_empty, third example", match: with(`{name: header3, string_match: {safe_regex: {regex: "^$"}}, treat_missing_header_as_empty: true}`),
			takes: []string{"GET /", "GET / | header3: "}, leaves: map[string]string{"GET / | header3: x": `header header3 is "x", which does not match "^$"`},
		},
		{
			name: "a missing header does not match an empty regex by itself", doc: "HeaderMatcher.treat_missing_header_as_empty, fourth example", match: with(`{name: header4, string_match: {safe_regex: {regex: "^$"}}}`),
			takes: []string{"GET / | header4: "}, leaves: map[string]string{"GET /": `header header4 is missing`},
		},
		{
			name: "an exclusion with missing as empty holds without the header", doc: "HeaderMatcher.treat_missing_header_as_empty", match: with(`{name: x-user, string_match: {exact: a}, invert_match: true, treat_missing_header_as_empty: true}`),
			takes: []string{"GET /", "GET / | x-user: b"}, leaves: map[string]string{"GET / | x-user: a": `header x-user is "a" (excluded)`},
		},
		{
			name: "all headers have to match", doc: "RouteMatch.headers", match: with(`{name: a, exact_match: "1"}, {name: b, exact_match: "2"}`),
			takes: []string{"GET / | b: 2 | a: 1"}, leaves: map[string]string{"GET / | a: 1": `header b is missing`},
		},
	})
}

func TestPseudoHeaders(t *testing.T) {
	with := func(header string) string { return `{prefix: /, headers: [` + header + `]}` }
	runMatchCases(t, []matchCase{
		{
			name: "the method is a header", doc: "VirtualCluster.headers; docs: api-v3/config/route/v3/route_components.proto#routematch", match: with(`{name: ":method", string_match: {exact: POST}}`),
			takes: []string{"POST /"}, leaves: map[string]string{"GET /": `method is GET, not POST`, " /": `method is GET, not POST`},
		},
		{
			name: "the method may match a regex", doc: "HeaderMatcher.string_match", match: with(`{name: ":method", string_match: {safe_regex: {regex: "GET|HEAD"}}}`),
			takes: []string{"HEAD /", "GET /"}, leaves: map[string]string{"PUT /": `method is "PUT", which does not match "GET|HEAD"`},
		},
		{
			name: "the path header has the query", doc: "HeaderMatcher.name", match: with(`{name: ":path", string_match: {suffix: "x=1"}}`),
			takes: []string{"GET /a?x=1"}, leaves: map[string]string{"GET /a": `path with query is "/a", which does not end with "x=1"`},
		},
		{
			name: "host is the authority", doc: "RouteAction.cluster_header, attention: Envoy represents Host as :authority", match: with(`{name: Host, string_match: {exact: a.example}}`),
			takes: []string{"GET / | :authority: a.example"}, leaves: map[string]string{"GET /": `authority is "shop.example", not "a.example"`},
		},
		{
			name: "the authority keeps its port", doc: "HeaderMatcher.name", match: with(`{name: ":authority", string_match: {prefix: "a.example:"}}`),
			takes: []string{"GET / | :authority: a.example:80"},
		},
		{
			name: "the scheme is a header", doc: "HeaderMatcher.name", match: with(`{name: ":scheme", string_match: {exact: https}}`),
			takes: []string{"GET / | :scheme: https"}, leaves: map[string]string{"GET /": `scheme is "http", not "https"`},
		},
		{
			name: "x-forwarded-proto is what the proxy sets", doc: "docs: configuration/http/http_conn_man/headers#x-forwarded-proto", match: with(`{name: x-forwarded-proto, string_match: {exact: https}}`),
			takes: []string{"GET / | !tls", "GET / | :scheme: https", "GET / | x-forwarded-proto: https"}, leaves: map[string]string{"GET /": `header x-forwarded-proto is "http", not "https"`},
		},
		{
			name: "x-envoy-internal is what the proxy sets", doc: "docs: configuration/http/http_conn_man/headers#x-envoy-internal", match: with(`{name: x-envoy-internal, string_match: {exact: "true"}}`),
			takes: []string{"GET / | !internal"}, leaves: map[string]string{"GET /": `header x-envoy-internal is missing`},
		},
	})
}

func TestStringMatchers(t *testing.T) {
	with := func(m string) string { return `{prefix: /, headers: [{name: x, string_match: ` + m + `}]}` }
	runMatchCases(t, []matchCase{
		{
			name: "exact", doc: "StringMatcher.exact", match: with(`{exact: abc}`),
			takes: []string{"GET / | x: abc"}, leaves: map[string]string{"GET / | x: ABC": `header x is "ABC", not "abc"`},
		},
		{
			name: "an empty exact is an empty value", doc: "StringMatcher.exact", match: with(`{exact: ""}`),
			takes: []string{"GET / | x: "}, leaves: map[string]string{"GET / | x: a": `header x is "a", not ""`},
		},
		{
			name: "prefix", doc: "StringMatcher.prefix", match: with(`{prefix: abc}`),
			takes: []string{"GET / | x: abc.xyz"}, leaves: map[string]string{"GET / | x: ab": `header x is "ab", which does not start with "abc"`},
		},
		{
			name: "suffix", doc: "StringMatcher.suffix", match: with(`{suffix: abc}`),
			takes: []string{"GET / | x: xyz.abc"}, leaves: map[string]string{"GET / | x: abcd": `header x is "abcd", which does not end with "abc"`},
		},
		{
			name: "contains", doc: "StringMatcher.contains", match: with(`{contains: abc}`),
			takes: []string{"GET / | x: xyz.abc.def"}, leaves: map[string]string{"GET / | x: acb": `header x is "acb", which does not contain "abc"`},
		},
		{
			name: "safe_regex", doc: "StringMatcher.safe_regex", match: with(`{safe_regex: {regex: "a.c"}}`),
			takes: []string{"GET / | x: abc"}, leaves: map[string]string{"GET / | x: xabc": `header x is "xabc", which does not match "a.c"`},
		},
		{
			name: "exact in any case", doc: "StringMatcher.ignore_case", match: with(`{exact: Data, ignore_case: true}`),
			takes: []string{"GET / | x: dATA", "GET / | x: data"}, leaves: map[string]string{"GET / | x: dat": `header x is "dat", not "data" in any case`},
		},
		{
			name: "prefix in any case", doc: "StringMatcher.ignore_case", match: with(`{prefix: Data, ignore_case: true}`),
			takes: []string{"GET / | x: dATA.1"}, leaves: map[string]string{"GET / | x: dat": `header x is "dat", which does not start with "data" in any case`},
		},
		{
			name: "suffix in any case", doc: "StringMatcher.ignore_case", match: with(`{suffix: Data, ignore_case: true}`),
			takes: []string{"GET / | x: 1.dATA"}, leaves: map[string]string{"GET / | x: 1.dATAs": `header x is "1.dATAs", which does not end with "data" in any case`},
		},
		{
			name: "contains in any case", doc: "StringMatcher.ignore_case", match: with(`{contains: Data, ignore_case: true}`),
			takes: []string{"GET / | x: 1.dATA.2"}, leaves: map[string]string{"GET / | x: dta": `header x is "dta", which does not contain "data" in any case`},
		},
		{
			name: "ignore_case does nothing to a regular expression", doc: "StringMatcher.ignore_case", match: with(`{safe_regex: {regex: "a.c"}, ignore_case: true}`),
			takes: []string{"GET / | x: abc"}, leaves: map[string]string{"GET / | x: ABC": `header x is "ABC", which does not match "a.c"`},
		},
	})
}
