package routes_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/meshstorm/meshstorm/compare/routes"
	"github.com/meshstorm/meshstorm/route"
	"github.com/meshstorm/meshstorm/space"
)

func config(t testing.TB, text string) *routev3.RouteConfiguration {
	t.Helper()
	rc := &routev3.RouteConfiguration{}
	if err := protojson.Unmarshal([]byte(text), rc); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	return rc
}

// one is a configuration with one virtual host for all hosts.
func one(t testing.TB, rs ...string) *routev3.RouteConfiguration {
	t.Helper()
	return config(t, `{"virtual_hosts": [{"name": "v", "domains": ["*"], "routes": [`+strings.Join(rs, ",")+`]}]}`)
}

func said(r *routes.Result) []string {
	var all []string
	for _, d := range r.Differences {
		line := d.Request.Method + " " + d.Request.Scheme + "://" + d.Request.Authority + d.Request.Path
		for _, h := range d.Request.Headers {
			line += " " + h.Name + "=" + h.Value
		}
		for _, c := range d.Changes {
			line += fmt.Sprintf(" | %s: %s -> %s", c.What, strings.Join(c.Before, ", "), strings.Join(c.After, ", "))
		}
		all = append(all, line)
	}
	for _, u := range r.Unproved {
		all = append(all, "not proved: "+u.Reason)
	}
	return append(all, r.Disagreements...)
}

func TestWhatDiffers(t *testing.T) {
	all := `{"match": {"prefix": "/"}, "route": {"cluster": "a"}}`
	with := func(field string) string {
		return `{"match": {"prefix": "/"}, "route": {"cluster": "a", ` + field + `}}`
	}
	split := func(field string) string { return `{"match": {"prefix": "/"}, "route": {` + field + `}}` }
	beside := func(field string) string {
		return `{"match": {"prefix": "/"}, "route": {"cluster": "a"}, ` + field + `}`
	}
	get := "GET http://shop.example/"
	tests := []struct {
		name          string
		before, after []string
		want          []string
	}{
		{"the same route twice is dead the second time", []string{all}, []string{all, `{"match": {"path": "/x"}, "route": {"cluster": "b"}}`}, nil},
		{"names, metadata and decorators are no treatment", []string{all}, []string{beside(`"name": "n", "metadata": {"filter_metadata": {"x": {}}}, "decorator": {"operation": "o"}`)}, nil},
		{"rules that do not overlap may change places",
			[]string{`{"match": {"prefix": "/a"}, "route": {"cluster": "a"}}`, `{"match": {"prefix": "/b"}, "route": {"cluster": "b"}}`},
			[]string{`{"match": {"prefix": "/b"}, "route": {"cluster": "b"}}`, `{"match": {"prefix": "/a"}, "route": {"cluster": "a"}}`}, nil},
		{"one rule may become two", []string{all}, []string{`{"match": {"prefix": "/", "headers": [{"name": ":method", "string_match": {"exact": "GET"}}]}, "route": {"cluster": "a"}}`, all}, nil},
		{"a regular expression that says the same",
			[]string{`{"match": {"path_separated_prefix": "/api"}, "route": {"cluster": "a"}}`},
			[]string{`{"match": {"safe_regex": {"regex": "/api(/.*)?"}}, "route": {"cluster": "a"}}`}, nil},
		{"weights out of another total", []string{split(`"weighted_clusters": {"clusters": [{"name": "a", "weight": 1}, {"name": "b", "weight": 3}]}`)},
			[]string{split(`"weighted_clusters": {"clusters": [{"name": "b", "weight": 75}, {"name": "a", "weight": 25}, {"name": "c", "weight": 0}]}`)}, nil},
		{"a prefix that takes more", []string{`{"match": {"path": "/test"}, "route": {"cluster": "a"}}`, all}, []string{`{"match": {"prefix": "/test"}, "route": {"cluster": "b"}}`, all},
			[]string{"GET http://shop.example/test | destination: a -> b", "GET http://shop.example/testa | destination: a -> b"}},
		{"another destination", []string{all}, []string{`{"match": {"prefix": "/"}, "route": {"cluster": "b"}}`}, []string{get + " | destination: a -> b"}},
		{"a split", []string{all}, []string{split(`"weighted_clusters": {"clusters": [{"name": "a", "weight": 90}, {"name": "b", "weight": 10}]}`)},
			[]string{get + " | destination:  -> b | shares: a 100 % -> a 90 %, b 10 %"}},
		{"a rule for a header", []string{all}, []string{`{"match": {"prefix": "/", "headers": [{"name": "x-user", "string_match": {"exact": "tester"}}]}, "direct_response": {"status": 403}}`, all},
			[]string{get + " x-user=tester | destination: a ->  | direct response:  -> 403"}},
		{"a route that goes away", []string{all}, nil, []string{get + " | destination: a -> goes nowhere: 404, no rule takes it (NR)"}},
		{"a timeout", []string{all}, []string{with(`"timeout": "3s"`)}, []string{get + " | timeout: 15s -> 3s"}},
		{"Envoy's own timeout is no difference", []string{all}, []string{with(`"timeout": "15s"`)}, nil},
		{"retries", []string{all}, []string{with(`"retry_policy": {"retry_on": "5xx", "num_retries": 3, "per_try_timeout": "1s"}`)}, []string{get + " | retries:  -> 3 on 5xx, each try within 1s"}},
		{"retries that never happen", []string{all}, []string{with(`"retry_policy": {"retry_on": "5xx", "num_retries": 0}`)}, nil},
		{"a rewrite", []string{all}, []string{with(`"prefix_rewrite": "/x"`)}, []string{get + ` | rewrite:  -> {prefix: "/"} becomes "/x"`}},
		{"a rewrite of the host", []string{all}, []string{with(`"host_rewrite_literal": "h"`)}, []string{get + " | rewrite:  -> host h"}},
		{"headers", []string{all}, []string{beside(`"request_headers_to_add": [{"header": {"key": "X-A", "value": "b"}}], "response_headers_to_remove": ["server"]`)},
			[]string{get + " | headers:  -> request: add x-a: b, response: remove server"}},
		{"a redirect", []string{all}, []string{`{"match": {"prefix": "/"}, "redirect": {"https_redirect": true}}`}, []string{get + " | destination: a ->  | redirect:  -> {https_redirect: true}"}},
		{"a mirror", []string{all}, []string{with(`"request_mirror_policies": [{"cluster": "m", "runtime_fraction": {"default_value": {"numerator": 5}}}]`)}, []string{get + " | mirrors:  -> m 5 %"}},
		{"a hash policy", []string{all}, []string{with(`"hash_policy": [{"header": {"header_name": "h"}}]`)}, []string{get + ` | hash:  -> {header: {header_name: "h"}}`}},
		{"a fault", []string{all}, []string{beside(`"typed_per_filter_config": {"envoy.filters.http.fault": {"@type": "type.googleapis.com/envoy.extensions.filters.http.fault.v3.HTTPFault", "abort": {"http_status": 500, "percentage": {"numerator": 1}}}}`)},
			[]string{get + " | fault:  -> abort with 500 for 1 %"}},
		{"a field that nobody thought of", []string{all}, []string{with(`"priority": "HIGH"`)}, []string{get + " | other settings:  -> priority: HIGH"}},
		{"a fraction", []string{all}, []string{`{"match": {"prefix": "/", "runtime_fraction": {"default_value": {"numerator": 10}}}, "route": {"cluster": "b"}}`, all}, []string{get + " | destination: a -> b"}},
		{"a client certificate", []string{all}, []string{`{"match": {"prefix": "/", "tls_context": {"presented": true}}, "route": {"cluster": "b"}}`, all}, []string{get + " | destination: a -> b"}},
		{"metadata that nobody knows", []string{all}, []string{`{"match": {"prefix": "/", "dynamic_metadata": [{"filter": "f", "path": [{"key": "k"}], "value": {"present_match": true}}]}, "route": {"cluster": "b"}}`, all},
			[]string{"not proved: unsupported: RouteMatch.dynamic_metadata (f)"}},
		{"the same metadata on both sides",
			[]string{`{"name": "x", "match": {"prefix": "/a", "dynamic_metadata": [{"filter": "f", "path": [{"key": "k"}], "value": {"present_match": true}}]}, "route": {"cluster": "b"}}`, all},
			[]string{`{"name": "y", "match": {"prefix": "/a", "dynamic_metadata": [{"filter": "f", "path": [{"key": "k"}], "value": {"present_match": true}}]}, "route": {"cluster": "b"}}`, all}, nil},
		{"an expression beyond the limits", []string{all}, []string{`{"match": {"safe_regex": {"regex": "/(a|b)*a(a|b){20}"}}, "route": {"cluster": "b"}}`, all},
			[]string{`not proved: it depends on conditions that are no sets of requests: the path matches "/(a|b)*a(a|b){20}", which is too large to compute with`}},
		{"rewrites that come out the same",
			[]string{`{"match": {"path": "/x"}, "route": {"cluster": "a", "prefix_rewrite": "/y"}}`},
			[]string{`{"match": {"safe_regex": {"regex": "/x"}}, "route": {"cluster": "a", "prefix_rewrite": "/y"}}`},
			[]string{"not proved: rewrites are written differently; the requests that were tried come out the same"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, err := routes.Configs(t.Context(), one(t, test.before...), one(t, test.after...), routes.Options{})
			if err != nil {
				t.Fatal(err)
			}
			if s := said(got); !slices.Equal(s, test.want) {
				t.Errorf("got\n%s\nwant\n%s", strings.Join(s, "\n"), strings.Join(test.want, "\n"))
			}
			if got.Same() != (len(test.want) == 0) {
				t.Errorf("Same is %v", got.Same())
			}
		})
	}
}

func hosts(t testing.TB, ignorePort bool, byDomains map[string]string) *routev3.RouteConfiguration {
	t.Helper()
	var all []string
	for domains, cluster := range byDomains {
		all = append(all, fmt.Sprintf(`{"name": %q, "domains": ["%s"], "routes": [{"match": {"prefix": "/"}, "route": {"cluster": %q}}]}`,
			domains, strings.ReplaceAll(domains, ",", `","`), cluster))
	}
	slices.Sort(all)
	return config(t, fmt.Sprintf(`{"virtual_hosts": [%s], "ignore_port_in_host_matching": %v}`, strings.Join(all, ","), ignorePort))
}

func TestHosts(t *testing.T) {
	tests := []struct {
		name          string
		before, after map[string]string
		ignorePort    bool
		options       routes.Options
		want          []string
	}{
		{"a new host takes requests from a wildcard", map[string]string{"*.x": "a"}, map[string]string{"*.x": "a", "b.x": "b"}, true, routes.Options{},
			[]string{"GET http://b.x/ | destination: a -> b"}},
		{"a host with the same routes as the wildcard", map[string]string{"*.x": "a"}, map[string]string{"*.x": "a", "b.x": "a"}, true, routes.Options{}, nil},
		{"hosts are split over virtual hosts in another way", map[string]string{"a,b,c": "1"}, map[string]string{"a": "1", "c,b": "1"}, false, routes.Options{}, nil},
		{"a longer wildcard", map[string]string{"*": "1"}, map[string]string{"*": "1", "*.a.x": "2", "*.x": "1"}, false, routes.Options{},
			[]string{"GET http://a.a.x/ | destination: 1 -> 2"}},
		{"a prefix wildcard comes after suffix wildcards", map[string]string{"*.x": "1", "a.*": "2"}, map[string]string{"*.x": "1", "a.*": "3"}, false, routes.Options{},
			[]string{"GET http://a.a/ | destination: 2 -> 3"}},
		{"clients send ports that are not the scheme's own", map[string]string{"shop,shop:8080": "1"}, map[string]string{"shop,shop:8080": "2"}, false, routes.Options{Scheme: "http", Port: 8080},
			[]string{"GET http://shop:8080/ | destination: 1 -> 2"}},
		{"hosts that cannot arrive", map[string]string{"a": "1", "b": "1"}, map[string]string{"a": "1", "b": "2"}, false, routes.Options{Hosts: space.OneOf("a")}, nil},
		{"addresses that were made up", map[string]string{"a,10.0.0.1": "1", "b,10.0.0.2": "2"}, map[string]string{"a,10.0.0.2": "1", "b,10.0.0.1": "2"}, false, routes.Options{ByName: true}, nil},
		{"addresses without a name", map[string]string{"10.0.0.1": "1"}, map[string]string{"10.0.0.1": "2"}, false, routes.Options{ByName: true},
			[]string{"GET http://10.0.0.1/ | destination: 1 -> 2"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, err := routes.Configs(t.Context(), hosts(t, test.ignorePort, test.before), hosts(t, test.ignorePort, test.after), test.options)
			if err != nil {
				t.Fatal(err)
			}
			if s := said(got); !slices.Equal(s, test.want) {
				t.Errorf("got\n%s\nwant\n%s", strings.Join(s, "\n"), strings.Join(test.want, "\n"))
			}
		})
	}
}

func TestWhatStandsBehindClusters(t *testing.T) {
	c, err := route.Compile(one(t, `{"match": {"prefix": "/"}, "route": {"cluster": "a"}}`))
	if err != nil {
		t.Fatal(err)
	}
	side := func(known routes.Cluster) routes.Side {
		return routes.Side{Config: c, Cluster: func(string) routes.Cluster { return known }}
	}
	plain := routes.Cluster{Name: "order", Known: true, Workloads: []string{"v1"}}
	tests := []struct {
		name  string
		after routes.Cluster
		want  []string
	}{
		{"the same", plain, nil},
		{"other workloads", routes.Cluster{Name: "order", Known: true, Workloads: []string{"v2"}}, []string{"workloads: order: v1 -> order: v2"}},
		{"no workloads", routes.Cluster{Name: "order", Known: true}, []string{"workloads: order: v1 -> order: none (503 UH)"}},
		{"no cluster", routes.Cluster{Name: "order", Missing: true}, []string{"workloads: order: v1 -> order: the proxy has no such cluster (503 NC)"}},
		{"another policy", routes.Cluster{Name: "order", Known: true, Workloads: []string{"v1"}, Policy: []string{"lb_policy: RANDOM"}}, []string{"traffic policy:  -> order: lb_policy: RANDOM"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, err := routes.Compare(t.Context(), side(plain), side(test.after), routes.Options{})
			if err != nil {
				t.Fatal(err)
			}
			var all []string
			for _, d := range got.Differences {
				for _, c := range d.Changes {
					all = append(all, fmt.Sprintf("%s: %s -> %s", c.What, strings.Join(c.Before, ", "), strings.Join(c.After, ", ")))
				}
			}
			if !slices.Equal(all, test.want) {
				t.Errorf("got %q", all)
			}
		})
	}
}

func TestNothingAnswersOnOneSide(t *testing.T) {
	c, err := route.Compile(hosts(t, false, map[string]string{"a": "1", "*": "PassthroughCluster"}))
	if err != nil {
		t.Fatal(err)
	}
	got, err := routes.Compare(t.Context(), routes.Side{Nothing: "reaches nothing", Through: "PassthroughCluster"}, routes.Side{Config: c}, routes.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if s := said(got); !slices.Equal(s, []string{"GET http://a/ | destination: reaches nothing -> 1"}) {
		t.Errorf("got %q", s)
	}
}

func TestMemoryTellsWhatWasFoundBefore(t *testing.T) {
	o := routes.Options{Memory: &routes.Memory{}}
	a, b := hosts(t, false, map[string]string{"a": "1", "b": "2"}), hosts(t, false, map[string]string{"a": "3", "b": "2"})
	first, err := routes.Configs(t.Context(), a, b, o)
	if err != nil {
		t.Fatal(err)
	}
	second, err := routes.Configs(t.Context(), a, b, o)
	if err != nil {
		t.Fatal(err)
	}
	if len(first.Differences) != 1 || !slices.Equal(second.Again, []int{first.Differences[0].Number}) || second.Same() || len(second.Differences) != 0 {
		t.Errorf("got %+v, then %+v", first, second)
	}
}

func TestFaultyConfigurationsAreNamed(t *testing.T) {
	good, bad := one(t), one(t, `{"match": {"safe_regex": {"regex": "("}}, "route": {"cluster": "a"}}`)
	if _, err := routes.Configs(t.Context(), good, bad, routes.Options{}); err == nil || !strings.HasPrefix(err.Error(), "after: ") {
		t.Errorf("got %v", err)
	}
}

func BenchmarkConfigs(b *testing.B) {
	rules := func(n int, edit bool) []string {
		var all []string
		for i := range n {
			cluster := "c"
			if edit && i%(n/5) == 1 {
				cluster = "edited"
			}
			all = append(all, fmt.Sprintf(`{"match": {"prefix": "/service-%d/"}, "route": {"cluster": %q}}`, i, cluster))
		}
		return append(all, `{"match": {"prefix": "/"}, "route": {"cluster": "rest"}}`)
	}
	for _, n := range []int{100, 1000, 10000} {
		before, after := one(b, rules(n, false)...), one(b, rules(n, true)...)
		b.Run(fmt.Sprint("routes/", n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				got, err := routes.Configs(b.Context(), before, after, routes.Options{})
				if err != nil || len(got.Differences) < 5 {
					b.Fatal(err, len(got.Differences))
				}
			}
		})
	}
	domains := func(n int, edit bool) map[string]string {
		all := map[string]string{}
		for i := range n {
			cluster := fmt.Sprint("c", i)
			if edit && i%(n/5) == 1 {
				cluster = "edited"
			}
			all[fmt.Sprintf("s%d,s%d.ns.svc,s%d.ns.svc.cluster.local", i, i, i)] = cluster
		}
		return all
	}
	for _, n := range []int{100, 1000} {
		before, after := hosts(b, true, domains(n, false)), hosts(b, true, domains(n, true))
		b.Run(fmt.Sprint("hosts/", n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				got, err := routes.Configs(b.Context(), before, after, routes.Options{})
				if err != nil || len(got.Differences) != 5 {
					b.Fatal(err, len(got.Differences))
				}
			}
		})
	}
}

func TestTooManyExpressionsAreNotProved(t *testing.T) {
	side := func(cluster string) *routev3.RouteConfiguration {
		var all []string
		for i := range 450 {
			all = append(all, fmt.Sprintf(`{"match": {"safe_regex": {"regex": "/[^/]+/service-%d/[0-9]+"}}, "route": {"cluster": %q}}`, i, cluster))
		}
		return one(t, all...)
	}
	got, err := routes.Configs(t.Context(), side("a"), side("b"), routes.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if len(got.Differences) == 0 || len(got.Unproved) != 1 || len(got.Disagreements) > 0 {
		t.Errorf("%d differences, %v not proved, %v", len(got.Differences), got.Unproved, got.Disagreements)
	}
}
