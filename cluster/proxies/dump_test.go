package proxies

import (
	"bytes"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
)

// sample is a page that istiod 1.31 gave.
func sample(t testing.TB, name string) []byte {
	t.Helper()
	body, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return body
}

func TestBothFormsOfTheDumpSayTheSame(t *testing.T) {
	for _, name := range []string{"config_dump.types.json", "config_dump.full.json"} {
		d, err := readDump(bytes.NewReader(sample(t, name)))
		if err != nil {
			t.Fatal(name, err)
		}
		if missing := d.lackedClusters("gw", []string{whole, stable, canary}, false); missing != nil {
			t.Errorf("%s: %q", name, missing)
		}
		var got []string
		for _, r := range d.routes {
			got = append(got, fmt.Sprintf("%s %s %d/%d %d", r.where, r.name, r.percent(stable), r.percent(canary), len(r.mirrors)))
		}
		want := []string{"http.8080 meshstorm-canary-header 0/100 0", "http.8080 order.one 90/10 1", "http.8080 order 90/10 1", "http.8080 health 100/0 0"}
		if !slices.Equal(got, want) {
			t.Errorf("%s:\n%s\nwas expected, got\n%s", name, strings.Join(want, "\n"), strings.Join(got, "\n"))
		}
	}
}

func TestRoutesAreHeldAgainstWeights(t *testing.T) {
	one := func(cluster string) string { return fmt.Sprintf(`"route":{"cluster":%q}`, cluster) }
	split := func(a, b int) string {
		return fmt.Sprintf(`"route":{"weightedClusters":{"clusters":[{"name":%q,"weight":%d},{"name":%q,"weight":%d}]}}`, stable, a, canary, b)
	}
	other := ClusterName(9090, "stable", host)
	ten := []Weight{{Cluster: stable, Percent: 90}, {Cluster: canary, Percent: 10}}
	tests := []struct {
		name   string
		routes []string // name and action, of one route configuration
		e      Expectation
		must   bool
		want   string // part of what is missing; "" for nothing
	}{
		{"the shares that are expected", []string{`"name":"order",` + split(90, 10)}, Expectation{Weights: ten}, true, ""},
		{"shares that are not", []string{`"name":"order",` + split(80, 20)}, Expectation{Weights: ten}, true, `gw sends 20 % to ` + canary + ` in route "order" of "http.80", not 10 %`},
		{"weights that do not add up to 100", []string{split(9, 1)}, Expectation{Weights: ten}, true, ""},
		{"a third is 33 percent", []string{split(2, 1)}, Expectation{Weights: []Weight{{Cluster: canary, Percent: 33}}}, true, ""},
		{"a single cluster is 100 percent", []string{one(stable)}, Expectation{Weights: []Weight{{Cluster: stable, Percent: 100}, {Cluster: canary, Percent: 0}}}, true, ""},
		{"one route that lags behind", []string{split(90, 10), one(stable)}, Expectation{Weights: ten}, true, "sends 100 % to " + stable},
		{"the whole service instead of subsets", []string{one(whole)}, Expectation{Weights: ten}, false, "sends 0 % to " + stable},
		{"testers have routes of their own", []string{`"name":"meshstorm-canary-header",` + one(canary), split(100, 0)}, Expectation{Weights: []Weight{{Cluster: canary, Percent: 0}}}, true, ""},
		{"routes to other ports do not count", []string{split(90, 10), one(other)}, Expectation{Weights: ten}, true, ""},
		{"no route at a gateway", nil, Expectation{Weights: ten}, true, "gw has no route to " + stable},
		{"no route at a sidecar", nil, Expectation{Weights: ten}, false, ""},
		{"no route and no weight", nil, Expectation{Weights: []Weight{{Cluster: canary, Percent: 0}}}, true, ""},
		{"redirects send nowhere", []string{`"redirect":{}`}, Expectation{Weights: []Weight{{Cluster: canary, Percent: 0}}}, true, ""},
		{"a rule that is pinned beside the one in question", []string{`"name":"health",` + one(stable), `"name":"order.one",` + split(90, 10)},
			Expectation{Weights: []Weight{{Cluster: canary, Percent: 10, Rule: "order"}}}, true, ""},
		{"the rule in question is not there", []string{`"name":"health",` + one(stable)},
			Expectation{Weights: []Weight{{Cluster: canary, Percent: 10, Rule: "order"}}}, true, `of rule "order"`},
		{"nothing names what goes", []string{one(stable)}, Expectation{Gone: []string{canary}}, true, ""},
		{"a route for testers names what goes", []string{`"name":"meshstorm-canary-header",` + one(canary)}, Expectation{Gone: []string{canary}}, true, "gw still has " + canary},
		{"a mirror names what goes", []string{`"route":{"cluster":"x","requestMirrorPolicies":[{"cluster":"` + canary + `"}]}`}, Expectation{Gone: []string{canary}}, true, "gw still has " + canary},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			page := `{"configs":[{"@type":"` + typeURLs[routes] + `","name":"http.80","virtualHosts":[{"routes":[{` + strings.Join(test.routes, "},{") + `}]}]}]}`
			d, err := readDump(strings.NewReader(page))
			if err != nil {
				t.Fatal(err)
			}
			missing := strings.Join(d.lackedRoutes("gw", &test.e, test.must), "\n")
			if test.want == "" && missing != "" || !strings.Contains(missing, test.want) {
				t.Errorf("%q was expected, got %q", test.want, missing)
			}
		})
	}
}

func TestClustersAreLooked(t *testing.T) {
	d := &dump{clusters: map[string]bool{whole: true, "inbound|8080||": true, "BlackHoleCluster": true}}
	hidden := ClusterName(8080, "canary", "cart.shop.svc.cluster.local")
	if got := d.lackedClusters("gw", []string{whole, canary, hidden}, false); len(got) != 2 {
		t.Errorf("two clusters are missing at a gateway, got %q", got)
	}
	if got := d.lackedClusters("order-1.shop", []string{whole, canary, hidden}, true); len(got) != 1 {
		t.Errorf("a sidecar that does not know cart lacks one, got %q", got)
	}
}

func TestSynczOfIstiodIsRead(t *testing.T) {
	all, err := readSyncz(bytes.NewReader(sample(t, "syncz.json")))
	if err != nil || len(all) != 2 {
		t.Fatal(all, err)
	}
	gateway := all[1]
	p := gateway.proxy("istiod-1.istio-system")
	if p.Namespace != "istio-system" || !strings.HasPrefix(p.Pod, "istio-ingressgateway-") || !p.Gateway || p.Version == "" {
		t.Errorf("got %+v", p)
	}
	if !slices.Equal(p.Synced, []string{"CDS", "LDS", "EDS", "RDS"}) || p.Stale != nil {
		t.Errorf("got %+v", p)
	}
	if gateway.push() != 17 || gateway.sentTime().IsZero() {
		t.Errorf("push %d sent at %v", gateway.push(), gateway.sentTime())
	}
}

func TestOfTwoConnectionsTheNewerCounts(t *testing.T) {
	page := `[
		{"proxy":"a.b","cluster_sent":"new","resources":{"type.googleapis.com/envoy.config.cluster.v3.Cluster":{"sentTime":"2026-01-02T00:00:00Z"}}},
		{"proxy":"a.b","cluster_sent":"old","resources":{"type.googleapis.com/envoy.config.cluster.v3.Cluster":{"sentTime":"2026-01-01T00:00:00Z"}}},
		{"proxy":""}]`
	all, err := readSyncz(strings.NewReader(page))
	if err != nil || len(all) != 1 || all[0].ClusterSent != "new" {
		t.Errorf("got %+v, %v", all, err)
	}
}

func FuzzReadDump(f *testing.F) {
	f.Add(sample(f, "config_dump.types.json"))
	f.Add(sample(f, "config_dump.full.json"))
	f.Add([]byte(`{"configs":[{"virtualHosts":[{"routes":[{"route":null}]}]}]}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		d, err := readDump(bytes.NewReader(body))
		if err != nil {
			return
		}
		for name := range d.clusters {
			if missing := d.lackedClusters("p", []string{name}, false); missing != nil {
				t.Errorf("%q", missing)
			}
		}
		for i := range d.routes {
			for name := range d.routes[i].shares {
				if p := d.routes[i].percent(name); p < 0 || p > 100 {
					t.Errorf("%s has %d %%", name, p)
				}
			}
		}
		d.lackedRoutes("p", &Expectation{Weights: []Weight{{Cluster: canary, Percent: 10}}, Gone: []string{""}}, true)
	})
}

func FuzzReadSyncz(f *testing.F) {
	f.Add(sample(f, "syncz.json"))
	f.Add([]byte(`[{"proxy":"a.b","cluster_sent":"x/"}]`))
	f.Fuzz(func(t *testing.T, body []byte) {
		all, err := readSyncz(bytes.NewReader(body))
		if err != nil {
			return
		}
		seen := map[string]bool{}
		for i := range all {
			if all[i].ID == "" || seen[all[i].ID] {
				t.Errorf("%q is listed without a name, or twice", all[i].ID)
			}
			seen[all[i].ID] = true
			all[i].push()
			st := newState(&toGateway)
			if st.step(&all[i], all[i].sentTime()) != "CDS" {
				t.Error("a proxy that nobody looked into is looked into")
			}
		}
	})
}
