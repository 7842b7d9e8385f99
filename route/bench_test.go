package route_test

import (
	"fmt"
	"testing"

	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	matcherv3 "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"

	"github.com/meshstorm/meshstorm/route"
)

// benchKinds are the virtual hosts that decisions are measured on.
var benchKinds = []struct {
	name  string
	match func(i int) *routev3.RouteMatch
}{
	{"exact", func(i int) *routev3.RouteMatch {
		return &routev3.RouteMatch{PathSpecifier: &routev3.RouteMatch_Path{Path: fmt.Sprintf("/service-%d/orders", i)}}
	}},
	{"prefix", func(i int) *routev3.RouteMatch {
		return &routev3.RouteMatch{PathSpecifier: &routev3.RouteMatch_Prefix{Prefix: fmt.Sprintf("/service-%d/", i)}}
	}},
	{"mixed", func(i int) *routev3.RouteMatch {
		m := &routev3.RouteMatch{PathSpecifier: &routev3.RouteMatch_Prefix{Prefix: fmt.Sprintf("/service-%d/", i/2)}}
		if i%3 == 0 {
			m.PathSpecifier = &routev3.RouteMatch_Path{Path: fmt.Sprintf("/service-%d/orders", i/2)}
		}
		if i%2 == 0 {
			m.Headers = []*routev3.HeaderMatcher{exactHeader(":method", "POST"), exactHeader("x-user", "tester")}
		}
		return m
	}},
	{"headers", func(i int) *routev3.RouteMatch {
		m := &routev3.RouteMatch{PathSpecifier: &routev3.RouteMatch_Prefix{Prefix: "/"}}
		m.Headers = []*routev3.HeaderMatcher{exactHeader(":method", "GET"), exactHeader("x-tenant", fmt.Sprintf("t%d", i))}
		return m
	}},
	{"regex", func(i int) *routev3.RouteMatch {
		return &routev3.RouteMatch{PathSpecifier: &routev3.RouteMatch_SafeRegex{
			SafeRegex: &matcherv3.RegexMatcher{Regex: fmt.Sprintf("/service-%d/[a-z]+", i)},
		}}
	}},
}

func exactHeader(name, value string) *routev3.HeaderMatcher {
	return &routev3.HeaderMatcher{Name: name, HeaderMatchSpecifier: &routev3.HeaderMatcher_StringMatch{
		StringMatch: &matcherv3.StringMatcher{MatchPattern: &matcherv3.StringMatcher_Exact{Exact: value}},
	}}
}

func manyRoutes(n int, match func(int) *routev3.RouteMatch) *routev3.RouteConfiguration {
	host := &routev3.VirtualHost{Name: "shop", Domains: []string{"shop.example"}}
	for i := range n {
		host.Routes = append(host.Routes, &routev3.Route{
			Match: match(i),
			Action: &routev3.Route_Route{Route: &routev3.RouteAction{
				ClusterSpecifier: &routev3.RouteAction_Cluster{Cluster: fmt.Sprintf("cluster-%d", i)},
			}},
		})
	}
	return &routev3.RouteConfiguration{VirtualHosts: []*routev3.VirtualHost{host}}
}

// benchRequests go to routes spread over the whole virtual host.
func benchRequests(n int) []route.Request {
	out := make([]route.Request, 64)
	for i := range out {
		out[i] = route.Request{
			Method: "GET", Scheme: "https", Authority: "shop.example",
			Path: fmt.Sprintf("/service-%d/orders", (i*n/len(out)+i)%n/2),
			Headers: []route.Header{
				{Name: "user-agent", Value: "curl/8.5.0"}, {Name: "accept", Value: "*/*"},
				{Name: "x-request-id", Value: "1"}, {Name: "x-user", Value: "tester"},
				{Name: "x-tenant", Value: fmt.Sprintf("t%d", (i*n/len(out)+i)%n/2)},
			},
		}
	}
	return out
}

func BenchmarkDecide(b *testing.B) {
	for _, kind := range benchKinds {
		for _, n := range []int{10, 100, 1_000, 10_000} {
			b.Run(fmt.Sprintf("%s/routes=%d", kind.name, n), func(b *testing.B) {
				c, err := route.Compile(manyRoutes(n, kind.match))
				if err != nil {
					b.Fatal(err)
				}
				requests := benchRequests(n)
				b.ReportAllocs()
				i := 0
				for b.Loop() {
					if d := c.Decide(&requests[i%len(requests)]); d.Route == nil {
						b.Fatalf("%s goes nowhere", requests[i%len(requests)].Path)
					}
					i++
				}
				b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "decisions/s")
			})
		}
	}
}

func BenchmarkVirtualHosts(b *testing.B) {
	for _, n := range []int{10, 10_000} {
		b.Run(fmt.Sprintf("hosts=%d", n), func(b *testing.B) {
			rc := &routev3.RouteConfiguration{}
			for i := range n {
				one := manyRoutes(1, benchKinds[1].match).VirtualHosts[0]
				one.Domains = []string{fmt.Sprintf("service-%d.example", i), fmt.Sprintf("*.service-%d.example", i)}
				rc.VirtualHosts = append(rc.VirtualHosts, one)
			}
			c, err := route.Compile(rc)
			if err != nil {
				b.Fatal(err)
			}
			r := route.Request{Authority: fmt.Sprintf("www.service-%d.example", n-1), Path: "/service-0/"}
			b.ReportAllocs()
			for b.Loop() {
				if d := c.Decide(&r); d.Route == nil {
					b.Fatal("goes nowhere")
				}
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "decisions/s")
		})
	}
}

func BenchmarkCompile(b *testing.B) {
	for _, kind := range benchKinds {
		b.Run(kind.name+"/routes=10000", func(b *testing.B) {
			rc := manyRoutes(10_000, kind.match)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := route.Compile(rc); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func TestDecisionsWithoutRegularExpressionsDoNotAllocate(t *testing.T) {
	for _, kind := range benchKinds[:4] {
		c, err := route.Compile(manyRoutes(1_000, kind.match))
		if err != nil {
			t.Fatal(err)
		}
		requests := benchRequests(1_000)
		i := 0
		allocations := testing.AllocsPerRun(1_000, func() {
			c.Decide(&requests[i%len(requests)])
			i++
		})
		if allocations != 0 {
			t.Errorf("%s: %.1f allocations for a decision", kind.name, allocations)
		}
	}
}
