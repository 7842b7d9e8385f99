package route_test

import (
	"strings"
	"testing"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	matcherv3 "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/meshstorm/meshstorm/route"
)

// oneRoute is a configuration with one route that takes every request.
func oneRoute(rt *routev3.Route) *routev3.RouteConfiguration {
	rt.Match = &routev3.RouteMatch{PathSpecifier: &routev3.RouteMatch_Prefix{Prefix: "/"}}
	return &routev3.RouteConfiguration{VirtualHosts: []*routev3.VirtualHost{{Name: "v", Domains: []string{"*"}, Routes: []*routev3.Route{rt}}}}
}

// FuzzFormat: a value is either refused or written out, and one without a
// percent sign is written as it is.
func FuzzFormat(f *testing.F) {
	for _, seed := range []string{"plain", "%REQ(x?y):3%", "%%", "%", "%REQ_WITHOUT_QUERY(:path)%a%RESP(b)%", "%START_TIME(%Y%%m)%", "%REQ(a?b?c)%", "%A(:1%", "%CEL(request.headers['a)'])%"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, value string) {
		add := &corev3.HeaderValueOption{Header: &corev3.HeaderValue{Key: "h", RawValue: []byte(value)}, KeepEmptyValue: true}
		c, err := route.Compile(oneRoute(&routev3.Route{
			Action:              &routev3.Route_Route{Route: &routev3.RouteAction{ClusterSpecifier: &routev3.RouteAction_Cluster{Cluster: "c"}}},
			RequestHeadersToAdd: []*corev3.HeaderValueOption{add},
		}))
		if err != nil {
			return
		}
		r := &route.Request{Path: "/a?b", Headers: []route.Header{{Name: "x", Value: "value"}}}
		e := c.Effect(c.Decide(r), r)
		got := e.RequestHeaders[len(e.RequestHeaders)-1]
		if got.Name != "h" || !strings.Contains(value, "%") && got.Value != value {
			t.Errorf("%q is written as %+v", value, got)
		}
	})
}

// FuzzSubstitution: rewrites by regular expression keep the query, and a
// pattern that matches nothing keeps the path.
func FuzzSubstitution(f *testing.F) {
	f.Add("^/service/([^/]+)(/.*)$", `\2/instance/\1`, "/service/a/b")
	f.Add("", `x`, "/ab")
	f.Add("b*", `<\0>`, "/abb")
	f.Add("(a)|b", `\1\\`, "/ab")
	f.Add("a", `\9`, "/a")
	f.Fuzz(func(t *testing.T, pattern, substitution, path string) {
		rewrite := &matcherv3.RegexMatchAndSubstitute{Pattern: &matcherv3.RegexMatcher{Regex: pattern}, Substitution: substitution}
		c, err := route.Compile(oneRoute(&routev3.Route{Action: &routev3.Route_Route{Route: &routev3.RouteAction{
			ClusterSpecifier: &routev3.RouteAction_Cluster{Cluster: "c"}, RegexRewrite: rewrite,
		}}}))
		path, _, _ = strings.Cut(path, "?")
		path, _, _ = strings.Cut(path, "#")
		if err != nil || !strings.HasPrefix(path, "/") {
			return
		}
		r := &route.Request{Path: path + "?q=1"}
		e := c.Effect(c.Decide(r), r)
		if !strings.HasSuffix(e.Path, "?q=1") {
			t.Errorf("%q becomes %q: the query is gone", r.Path, e.Path)
		}
	})
}

// FuzzEffect: whatever compiles has an effect, for whatever request.
func FuzzEffect(f *testing.F) {
	for _, seed := range []string{
		`{"virtualHosts":[{"name":"a","domains":["*"],"routes":[{"match":{"prefix":"/"},"redirect":{"httpsRedirect":true,"portRedirect":1,"prefixRewrite":"/b","stripQuery":true}}]}]}`,
		`{"virtualHosts":[{"name":"a","domains":["*"],"routes":[{"match":{"safeRegex":{"regex":".*"}},"route":{"clusterHeader":"x","hostRewriteHeader":"x","prefixRewrite":"/b","maxGrpcTimeout":"1s","hashPolicy":[{"cookie":{"name":"c","ttl":"1s"}}],"requestMirrorPolicies":[{"clusterHeader":"x"}],"retryPolicy":{"retryOn":"5xx,reset"}}}]}]}`,
		`{"virtualHosts":[{"name":"a","domains":["*"],"virtualClusters":[{"name":"v","headers":[{"name":":path"}]}],"cors":{"allowOriginStringMatch":[{"exact":"x"}]},"routes":[{"match":{"prefix":"/"},"directResponse":{"status":200,"body":{"inlineString":"a"},"bodyFormat":{"textFormat":"%REQ(x)%"}}}]}]}`,
		`{"virtualHosts":[{"name":"a","domains":["*"],"typedPerFilterConfig":{"f":{"@type":"type.googleapis.com/envoy.extensions.filters.http.fault.v3.HTTPFault","abort":{"headerAbort":{},"percentage":{"numerator":5}}}},"routes":[{"match":{"connectMatcher":{}},"route":{"weightedClusters":{"clusters":[{"name":"c","weight":3,"hostRewriteLiteral":"h"}]}}}]}]}`,
	} {
		f.Add([]byte(seed), "/a/b?q=1", "shop.example:80")
	}
	f.Fuzz(func(t *testing.T, data []byte, path, authority string) {
		rc := &routev3.RouteConfiguration{}
		if protojson.Unmarshal(data, rc) != nil {
			return
		}
		c, err := route.Compile(rc)
		if err != nil {
			return
		}
		for _, method := range []string{"GET", "CONNECT"} {
			r := &route.Request{Method: method, Authority: authority, Path: path, Headers: []route.Header{
				{Name: "x", Value: path}, {Name: "content-type", Value: "application/grpc"}, {Name: "grpc-timeout", Value: "1S"}, {Name: "x-envoy-fault-abort-request", Value: "500"},
			}}
			d := c.Decide(r)
			e := c.Effect(d, r)
			c.ResponseHeaders(d, r, []route.Header{{Name: "x", Value: path}})
			if e.Redirect != nil && e.Redirect.Code/100 != 3 {
				t.Errorf("redirect %+v", e.Redirect)
			}
		}
	})
}

// What istiod writes for ordinary VirtualServices is told without remarks.
func TestOrdinaryRoutesOfIstioHaveNothingUnsupported(t *testing.T) {
	c := compile(t, `
name: http.80
validate_clusters: false
max_direct_response_body_size_bytes: 1048576
ignore_port_in_host_matching: true
virtual_hosts:
- name: shop.example:80
  domains: [shop.example]
  include_request_attempt_count: true
  routes:
  - name: primary
    match: {path_separated_prefix: /orders, case_sensitive: true}
    metadata: {filter_metadata: {istio: {config: /apis/networking.istio.io/v1/namespaces/shop/virtual-service/vsvc-order}}}
    decorator: {operation: "order.shop.svc.cluster.local:8080/orders*"}
    route:
      cluster: outbound|8080|stable|order.shop.svc.cluster.local
      timeout: 0s
      max_grpc_timeout: 0s
      retry_policy:
        retry_on: connect-failure,refused-stream,unavailable,cancelled,retriable-status-codes
        num_retries: 2
        retry_host_predicate:
        - name: envoy.retry_host_predicates.previous_hosts
          typed_config: {"@type": type.googleapis.com/google.protobuf.Empty}
        host_selection_retry_max_attempts: 5
        retriable_status_codes: [503]
`)
	r := &route.Request{Authority: "shop.example:80", Path: "/orders/1"}
	e := c.Effect(c.Decide(r), r)
	if len(e.Unsupported) != 0 || len(e.HeaderChanges) != 0 {
		t.Errorf("unsupported %q, changes %q", e.Unsupported, e.HeaderChanges)
	}
	if len(e.NotShown) == 0 || e.Operation == "" || e.Timeout != 0 || !e.TimeoutSet || e.Retry.Attempts != 2 {
		t.Errorf("%+v", e)
	}
}

func BenchmarkEffect(b *testing.B) {
	c := compile(b, `{virtual_hosts: [{name: shop, domains: ['*'], request_headers_to_add: [{header: {key: x, value: "%REQ(:path)%"}}], routes: [{match: {prefix: /a}, decorator: {operation: o}, route: {cluster: a, timeout: 1s, prefix_rewrite: /b, retry_policy: {retry_on: 5xx, num_retries: 2}}}]}]}`)
	r := &route.Request{Path: "/a/1", Headers: []route.Header{{Name: "user-agent", Value: "x"}}}
	d := c.Decide(r)
	b.ReportAllocs()
	for b.Loop() {
		if e := c.Effect(d, r); e.Path != "/b/1" {
			b.Fatal(e.Path)
		}
	}
}
