package routercheck

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	"google.golang.org/protobuf/proto"

	"github.com/meshstorm/meshstorm/route"
)

// Request is the request that the tool makes of an input.
func (in *Input) Request() *route.Request {
	r := &route.Request{
		Method: in.Method, Scheme: "http", Authority: in.Authority, Path: in.Path, Random: in.Random, Internal: in.Internal,
		// The connection that the tool pretends.
		Protocol: "HTTP/1.1", Remote: "127.0.0.1:0",
		Runtime: func(key string, numerator, denominator uint32, random uint64) bool {
			return in.Runtime != "" && key == in.Runtime && random%uint64(denominator) < uint64(numerator)
		},
	}
	if r.Method == "" {
		r.Method = "GET"
	}
	if in.SSL {
		r.Scheme = "https"
	}
	r.Headers = append(r.Headers, route.Header{Name: "x-forwarded-proto", Value: r.Scheme})
	if in.Internal {
		r.Headers = append(r.Headers, route.Header{Name: "x-envoy-internal", Value: "true"})
	}
	for _, h := range in.RequestHeaders {
		if pseudo := pseudoHeader(r, h.Name); pseudo != nil {
			*pseudo = h.Value
			continue
		}
		r.Headers = append(r.Headers, h)
	}
	return r
}

func pseudoHeader(r *route.Request, name string) *string {
	switch name {
	case ":method":
		return &r.Method
	case ":scheme":
		return &r.Scheme
	case ":authority", "host":
		return &r.Authority
	case ":path":
		return &r.Path
	}
	return nil
}

// run is one test on its way.
type run struct {
	c        *route.Config
	t        *Test
	request  *route.Request
	decision route.Decision
	effect   route.Effect
	routed   bool // a route sends the request upstream
	result   Result
}

// Run asks the configuration and compares everything that the test says.
func (c *Config) Run(t *Test) Result {
	r := &run{c: c.Config, t: t, request: t.Input.Request()}
	r.decision = c.Decide(r.request)
	if r.decision.Route != nil {
		r.result.Taken = c.taken(r.decision.Route)
	}
	if text := r.decision.Unsupported; text != "" {
		r.result.Failures = []Failure{{What: "answer", Expected: t.Validate.first(), Actual: text, Unsupported: true}}
		return r.result
	}
	r.effect = c.Effect(r.decision, r.request)
	r.routed = r.decision.Route != nil && r.effect.Redirect == nil && r.effect.Direct == nil
	if r.decision.Route != nil {
		r.result.Covered = routeKey(r.decision.VirtualHost, r.decision.Route, r.decision.Weighted)
	}
	r.strings()
	r.requestHeaders()
	r.responseHeaders()
	if len(r.result.Failures) > 0 && len(r.effect.Unsupported) > 0 {
		for i := range r.result.Failures {
			f := &r.result.Failures[i]
			f.Actual += " (" + strings.Join(r.effect.Unsupported, "; ") + ")"
		}
	}
	return r.result
}

// first is what a test asserts first, for messages.
func (v *Validate) first() string {
	for _, p := range []struct {
		what  string
		value *string
	}{{"cluster_name", v.Cluster}, {"path_redirect", v.Redirect}, {"virtual_host_name", v.VirtualHost}, {"path_rewrite", v.PathRewrite}} {
		if p.value != nil {
			return fmt.Sprintf("%s %q", p.what, *p.value)
		}
	}
	return "an answer"
}

func (r *run) fail(what, expected, actual string) {
	r.result.Failures = append(r.result.Failures, Failure{What: what, Expected: expected, Actual: actual})
}

func (r *run) compare(what string, expected *string, actual string) {
	if expected != nil && *expected != actual {
		r.fail(what, strconv.Quote(*expected), strconv.Quote(actual))
	}
}

// strings compares the names. As in the tool, what belongs to a request that is
// sent upstream is "" for all others.
func (r *run) strings() {
	v := &r.t.Validate
	cluster, virtualCluster, host, path, authority := "", "", "", "", ""
	if r.routed {
		cluster, virtualCluster, host = r.decision.Cluster, r.effect.VirtualCluster, r.decision.VirtualHost.Name
		path, authority = r.effect.Path, r.effect.Authority
	}
	r.compare("cluster_name", v.Cluster, cluster)
	r.compare("virtual_cluster_name", v.VirtualCluster, virtualCluster)
	// A redirect or a direct response belongs to its virtual host, too; tests
	// that name the host are as right as tests with "".
	answered := r.effect.Redirect != nil || r.effect.Direct != nil
	if answered && r.decision.VirtualHost != nil && v.VirtualHost != nil && *v.VirtualHost != "" {
		host = r.decision.VirtualHost.Name
	}
	r.compare("virtual_host_name", v.VirtualHost, host)
	r.compare("path_rewrite", v.PathRewrite, path)
	r.compare("host_rewrite", v.HostRewrite, authority)
	location := ""
	if r.effect.Redirect != nil {
		location = r.effect.Redirect.Location
	}
	// The tool gives a direct response the request's own URL, with which Envoy
	// would fill a Location header; a test that has it is as right as one with "".
	if own := r.request.Scheme + "://" + r.request.Authority + r.request.Path; r.effect.Direct != nil && v.Redirect != nil && *v.Redirect == own {
		location = own
	}
	r.compare("path_redirect", v.Redirect, location)
}

// requestHeaders looks at the request as it is after the route's changes.
func (r *run) requestHeaders() {
	v := &r.t.Validate
	if len(v.RequestHeaders)+len(v.RequestFields) == 0 {
		return
	}
	after := *r.request
	if r.routed {
		after.Path, after.Authority, after.Headers = r.effect.Path, r.effect.Authority, nil
		for _, h := range r.effect.RequestHeaders {
			if pseudo := pseudoHeader(&after, h.Name); pseudo != nil {
				*pseudo = h.Value
				continue
			}
			after.Headers = append(after.Headers, h)
		}
	}
	r.match("request_header_matches", v.RequestHeaders, &after)
	for _, want := range v.RequestFields {
		actual, first := lookup(&after, want.GetKey())
		if w := valueOf(want); w != actual && w != first {
			r.fail("request_header_fields "+want.GetKey(), strconv.Quote(valueOf(want)), strconv.Quote(actual))
		}
	}
}

// responseHeaders looks at what the client gets when the upstream, or the proxy
// for a redirect or a direct response, answers with the input's headers.
func (r *run) responseHeaders() {
	v := &r.t.Validate
	if len(v.ResponseHeaders)+len(v.ResponseFields) == 0 {
		return
	}
	upstream := append([]route.Header(nil), r.t.Input.ResponseHeaders...)
	upstream = append(upstream, r.localReply()...)
	after := &route.Request{Headers: upstream}
	if r.decision.Route != nil || r.decision.TLSRedirect {
		after.Headers = r.c.ResponseHeaders(r.decision, r.request, upstream)
		for _, h := range upstream { // no route can change :status
			if h.Name == ":status" {
				after.Headers = append(after.Headers, h)
			}
		}
	}
	r.match("response_header_matches", v.ResponseHeaders, after)
	for _, want := range v.ResponseFields {
		actual, first := lookup(after, want.GetKey())
		if w := valueOf(want); w != actual && w != first {
			r.fail("response_header_fields "+want.GetKey(), strconv.Quote(valueOf(want)), strconv.Quote(actual))
		}
	}
}

// localReply are the headers of a response that the proxy makes itself.
func (r *run) localReply() []route.Header {
	switch {
	case r.effect.Redirect != nil:
		return []route.Header{{Name: ":status", Value: strconv.Itoa(r.effect.Redirect.Code)}}
	case r.effect.Direct != nil:
		headers := []route.Header{{Name: ":status", Value: strconv.Itoa(r.effect.Direct.Status)}}
		if body := r.effect.Direct.Body; body != "" {
			kind := r.effect.Direct.ContentType
			if kind == "" {
				kind = "text/plain"
			}
			headers = append(headers, route.Header{Name: "content-length", Value: strconv.Itoa(len(body))}, route.Header{Name: "content-type", Value: kind})
		}
		return headers
	}
	return nil
}

// lookup is the value of a header: all of them joined, and the first alone, with
// which the tool's older releases compared.
func lookup(r *route.Request, name string) (joined, first string) {
	name = strings.ToLower(name)
	if pseudo := pseudoHeader(r, name); pseudo != nil {
		return *pseudo, *pseudo
	}
	var values []string
	for _, h := range r.Headers {
		if strings.EqualFold(h.Name, name) {
			values = append(values, h.Value)
		}
	}
	if len(values) == 0 {
		return "", ""
	}
	return strings.Join(values, ","), values[0]
}

// match asks the evaluator itself: a route with the one condition takes the
// request, or does not.
func (r *run) match(what string, matchers []*routev3.HeaderMatcher, of *route.Request) {
	for _, m := range matchers {
		m, actual := explicit(m, of)
		config, err := route.Compile(&routev3.RouteConfiguration{VirtualHosts: []*routev3.VirtualHost{{
			Name: "headers", Domains: []string{"*"},
			Routes: []*routev3.Route{{
				Match:  &routev3.RouteMatch{PathSpecifier: &routev3.RouteMatch_Prefix{}, Headers: []*routev3.HeaderMatcher{m}},
				Action: &routev3.Route_NonForwardingAction{NonForwardingAction: &routev3.NonForwardingAction{}},
			}},
		}}})
		if err != nil {
			r.fail(what+" "+actual(m.GetName()), "a condition that Envoy takes", err.Error())
			continue
		}
		_, verdicts := config.Explain(of)
		if len(verdicts) == 1 && !verdicts[0].Matched {
			f := Failure{What: what + " " + actual(m.GetName()), Expected: condition(m), Actual: actual(verdicts[0].Failed)}
			if text := verdicts[0].Unsupported; text != "" {
				f.Actual, f.Unsupported = text, true
			}
			r.result.Failures = append(r.result.Failures, f)
		}
	}
}

// explicit asks for a header that nobody has instead of one that the evaluator
// would take for granted, where the message does not have it: a route removed it.
// The function gives texts their name back.
func explicit(m *routev3.HeaderMatcher, of *route.Request) (*routev3.HeaderMatcher, func(string) string) {
	name := strings.ToLower(m.GetName())
	there := func(h route.Header) bool { return strings.EqualFold(h.Name, name) }
	if name != "x-forwarded-proto" && name != "x-envoy-internal" || slices.ContainsFunc(of.Headers, there) {
		return m, func(s string) string { return s }
	}
	absent := "x-absent-" + strconv.Itoa(len(of.Headers))
	m = proto.CloneOf(m)
	m.Name = absent
	return m, func(s string) string { return strings.ReplaceAll(s, absent, name) }
}

// condition is a matcher in words.
//
//nolint:staticcheck // Envoy still takes the deprecated kinds
func condition(m *routev3.HeaderMatcher) string {
	not := ""
	if m.GetInvertMatch() {
		not = "not "
	}
	switch s := m.GetHeaderMatchSpecifier().(type) {
	case *routev3.HeaderMatcher_PresentMatch:
		if s.PresentMatch {
			return not + "present"
		}
		return not + "absent"
	case *routev3.HeaderMatcher_RangeMatch:
		return fmt.Sprintf("%sin [%d,%d)", not, s.RangeMatch.GetStart(), s.RangeMatch.GetEnd())
	case nil:
		return not + "present"
	}
	text := m.GetStringMatch()
	for _, kind := range []struct{ name, value string }{
		{"exact", text.GetExact() + m.GetExactMatch()}, {"prefix", text.GetPrefix() + m.GetPrefixMatch()},
		{"suffix", text.GetSuffix() + m.GetSuffixMatch()}, {"contains", text.GetContains() + m.GetContainsMatch()},
		{"regex", text.GetSafeRegex().GetRegex() + m.GetSafeRegexMatch().GetRegex()},
	} {
		if kind.value != "" {
			return fmt.Sprintf("%s%s %q", not, kind.name, kind.value)
		}
	}
	return not + `exact ""`
}
