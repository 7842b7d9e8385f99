package route_test

import (
	"testing"

	"github.com/meshstorm/meshstorm/route"
)

func TestRoutesAreTriedInOrder(t *testing.T) {
	c := compile(t, `
virtual_hosts:
- name: shop
  domains: ['*']
  routes:
  - {name: a, match: {prefix: /a}, route: {cluster: a}}
  - {name: ab, match: {prefix: /ab}, route: {cluster: ab}}
  - {name: gone, match: {path: /gone}, redirect: {path_redirect: /a}}
  - {name: told, match: {path: /told}, direct_response: {status: 200}}`)
	for path, want := range map[string]string{"/ab": "a", "/gone": "gone", "/told": "told", "/b": ""} {
		d, verdicts := c.Explain(&route.Request{Path: path})
		got := ""
		if d.Route != nil {
			got = d.Route.Name
		}
		if got != want || d.Weighted != -1 || d.Unsupported != "" {
			t.Errorf("%s goes to route %q, not %q (%+v)", path, got, want, d)
		}
		if len(verdicts) != 4 {
			t.Errorf("%s has %d verdicts", path, len(verdicts))
		}
		if path == "/ab" && (!verdicts[1].Matched || d.Cluster != "a") {
			t.Errorf("a later route that also takes %s is not shown as matching", path)
		}
	}
	if h := c.VirtualHosts()[0]; h.Routes[1].Index != 1 || h.Routes[1].Host != h || h.Routes[1].Name != "ab" || c.Proto() == nil {
		t.Error("a route does not know its place")
	}
}

// clusterCases are actions, the clusters that requests go to, and which entry
// of the weighted clusters that is.
var clusterCases = []struct {
	name, doc, action string
	want              map[string]string // request to cluster
	weighted          map[string]int
	unsupported       string
}{
	{
		name: "a cluster", doc: "RouteAction.cluster", action: `{cluster: a}`,
		want: map[string]string{"GET /": "a"}, weighted: map[string]int{"GET /": -1},
	},
	{
		name: "a cluster by header", doc: "RouteAction.cluster_header", action: `{cluster_header: X-Cluster}`,
		want: map[string]string{"GET / | x-cluster: b": "b", "GET / | x-cluster: b | x-cluster: c": "b", "GET /": ""},
	},
	{
		name: "a cluster by authority", doc: "RouteAction.cluster_header, attention", action: `{cluster_header: ":authority"}`,
		want: map[string]string{"GET / | :authority: b.example": "b.example"},
	},
	{
		name: "weighted clusters by random value", doc: "WeightedCluster; docs: configuration/http/http_conn_man/traffic_splitting",
		action:   `{weighted_clusters: {clusters: [{name: a, weight: 30}, {name: none, weight: 0}, {name: b, weight: 70}]}}`,
		want:     map[string]string{"GET /": "a", "GET / | !random: 29": "a", "GET / | !random: 30": "b", "GET / | !random: 99": "b", "GET / | !random: 100": "a"},
		weighted: map[string]int{"GET / | !random: 29": 0, "GET / | !random: 30": 2},
	},
	{
		name: "weights that do not add up to 100", doc: "WeightedCluster.ClusterWeight.weight: relative to the other clusters' weights",
		action: `{weighted_clusters: {clusters: [{name: a, weight: 1}, {name: b, weight: 2}]}}`,
		want:   map[string]string{"GET / | !random: 3": "a", "GET / | !random: 4": "b", "GET / | !random: 5": "b"},
	},
	{
		name: "total_weight is not used", doc: "WeightedCluster.total_weight: deprecated, the sum is used",
		action: `{weighted_clusters: {total_weight: 10, clusters: [{name: a, weight: 1}, {name: b, weight: 2}]}}`,
		want:   map[string]string{"GET / | !random: 3": "a", "GET / | !random: 9": "a"},
	},
	{
		name: "runtime_key_prefix falls back to the weights", doc: "WeightedCluster.runtime_key_prefix",
		action: `{weighted_clusters: {runtime_key_prefix: k, clusters: [{name: a, weight: 1}, {name: b, weight: 1}]}}`,
		want:   map[string]string{"GET /": "a", "GET / | !random: 1": "b"},
	},
	{
		name: "a header may replace the random value", doc: "WeightedCluster.header_name",
		action: `{weighted_clusters: {header_name: x-random, clusters: [{name: a, weight: 1}, {name: b, weight: 1}]}}`,
		want: map[string]string{
			"GET / | x-random: 3": "b", "GET / | x-random: 2 | !random: 1": "a", "GET / | x-random: 18446744073709551615": "b",
			"GET / | x-random: abc | !random: 1": "b", "GET / | x-random: -1": "a", "GET / | !random: 1": "b",
			"GET / | x-random: 1 | x-random: 1": "a",
		},
	},
	{
		name: "a weighted cluster by header", doc: "WeightedCluster.ClusterWeight.cluster_header",
		action: `{weighted_clusters: {clusters: [{cluster_header: x-cluster, weight: 1}, {name: b, weight: 1}]}}`,
		want:   map[string]string{"GET / | x-cluster: c": "c", "GET /": "", "GET / | !random: 1": "b"}, weighted: map[string]int{"GET /": 0},
	},
	{
		name: "weights by hash", doc: "WeightedCluster.use_hash_policy",
		action:      `{hash_policy: [{header: {header_name: x}}], weighted_clusters: {use_hash_policy: true, clusters: [{name: a, weight: 1}]}}`,
		want:        map[string]string{"GET /": ""},
		unsupported: "unsupported: WeightedCluster.use_hash_policy",
	},
	{
		name: "weights by hash where there is no hash policy", doc: "WeightedCluster.use_hash_policy",
		action: `{weighted_clusters: {use_hash_policy: true, clusters: [{name: a, weight: 1}, {name: b, weight: 1}]}}`,
		want:   map[string]string{"GET / | !random: 1": "b"},
	},
	{
		name: "a cluster specifier plugin", doc: "RouteAction.cluster_specifier_plugin", action: `{cluster_specifier_plugin: own}`,
		want: map[string]string{"GET /": ""}, unsupported: "unsupported: RouteAction.cluster_specifier_plugin (own)",
	},
	{
		name: "an inline cluster specifier plugin", doc: "RouteAction.inline_cluster_specifier_plugin", action: `{inline_cluster_specifier_plugin: {extension: {name: mine, typed_config: {"@type": type.googleapis.com/google.protobuf.Empty}}}}`,
		want: map[string]string{"GET /": ""}, unsupported: "unsupported: RouteAction.inline_cluster_specifier_plugin (mine)",
	},
}

func TestClusters(t *testing.T) {
	for _, tc := range clusterCases {
		t.Run(tc.name, func(t *testing.T) {
			c := compile(t, `
cluster_specifier_plugins: [{extension: {name: own, typed_config: {"@type": type.googleapis.com/google.protobuf.Empty}}}]
virtual_hosts: [{name: shop, domains: ['*'], routes: [{match: {prefix: /}, route: `+tc.action+`}]}]`)
			for text, want := range tc.want {
				d := c.Decide(request(t, text))
				if d.Route == nil || d.Cluster != want || d.Unsupported != tc.unsupported {
					t.Errorf("%s goes to %q, not %q (%+v, %s)", text, d.Cluster, want, d, tc.doc)
				}
			}
			for text, want := range tc.weighted {
				if d := c.Decide(request(t, text)); d.Weighted != want {
					t.Errorf("%s takes the weighted entry %d, not %d", text, d.Weighted, want)
				}
			}
		})
	}
}

func TestActionsThatEnvoyItselfDoesNotForward(t *testing.T) {
	for action, want := range map[string]string{
		"filter_action: {}":         "unsupported: Route.filter_action",
		"non_forwarding_action: {}": "unsupported: Route.non_forwarding_action",
	} {
		c := compile(t, `{virtual_hosts: [{name: shop, domains: ['*'], routes: [{match: {prefix: /}, `+action+`}]}]}`)
		if d := c.Decide(&route.Request{}); d.Unsupported != want || d.Route == nil {
			t.Errorf("%s: %+v", action, d)
		}
	}
}
