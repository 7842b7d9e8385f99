package istio_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/meshstorm/meshstorm/istio"
)

func workloads(t *testing.T, m *istio.Mesh, c *istio.Config, cluster string) []string {
	t.Helper()
	all, ok := m.Workloads(c, cluster)
	if !ok {
		return []string{"unknown"}
	}
	var names []string
	for _, w := range all {
		names = append(names, fmt.Sprintf("%s %s:%d", w.Kind, w.Name, w.Port))
	}
	return names
}

func TestSubsetsSelectWorkloadsByTheirPodsLabels(t *testing.T) {
	m := newMesh(t, service("order", "shop", "v1", "v2")+object("DestinationRule", "order", "shop", `
  host: order
  subsets: [{name: stable, labels: {version: v1}}, {name: canary, labels: {version: v2}}, {name: lost, labels: {version: v3}}]`))
	c := configOf(t, m, "order")
	for subset, want := range map[string][]string{
		"":       {"Deployment order-v1:9090", "Deployment order-v2:9090"},
		"stable": {"Deployment order-v1:9090"},
		"canary": {"Deployment order-v2:9090"},
		"lost":   nil,
	} {
		equal(t, "subset "+subset, workloads(t, m, c, "outbound|8080|"+subset+"|order.shop.svc.cluster.local"), want)
	}
}

func TestADestinationRuleOutsideOfTheLookupPathMakesNoSubset(t *testing.T) {
	m := newMesh(t, service("order", "shop", "v1")+service("client", "third", "v1")+object("DestinationRule", "order", "other", `
  exportTo: [.]
  host: order.shop.svc.cluster.local
  subsets: [{name: stable, labels: {version: v1}}]`))
	c := configOf(t, m, "client")
	if c.Cluster("outbound|8080|stable|order.shop.svc.cluster.local") != nil {
		t.Error("expected no cluster for the subset")
	}
	if c.Cluster("outbound|8080||order.shop.svc.cluster.local") == nil {
		t.Error("expected a cluster for the service")
	}
}

func TestReplicasBecomeEndpoints(t *testing.T) {
	workload := func(kind, name, spec string) string {
		return fmt.Sprintf("---\napiVersion: apps/v1\nkind: %s\nmetadata: {name: %s, namespace: shop}\nspec: {%s template: {metadata: {labels: {app: order}}, spec: {containers: [{name: a}]}}}\n",
			kind, name, spec)
	}
	svc := "---\napiVersion: v1\nkind: Service\nmetadata: {name: order, namespace: shop}\nspec: {selector: {app: order}, ports: [{name: http, port: 8080}]}\n"
	tests := []struct {
		name, text string
		want       []string
	}{
		{"one without a number", workload("Deployment", "a", ""), []string{"Deployment a:8080"}},
		{"none for zero", workload("Deployment", "a", "replicas: 0,"), nil},
		{"as many as there are", workload("StatefulSet", "a", "replicas: 2,"), []string{"StatefulSet a:8080", "StatefulSet a:8080"}},
		{"three for many", workload("ReplicaSet", "a", "replicas: 50,"),
			[]string{"ReplicaSet a:8080", "ReplicaSet a:8080", "ReplicaSet a:8080"}},
		{"one of a DaemonSet", workload("DaemonSet", "a", ""), []string{"DaemonSet a:8080"}},
		{"a Pod is itself", "---\napiVersion: v1\nkind: Pod\nmetadata: {name: a, namespace: shop, labels: {app: order}}\nspec: {containers: [{name: a}]}\n",
			[]string{"Pod a:8080"}},
		{"a pod without a sidecar is an endpoint all the same",
			"---\napiVersion: v1\nkind: Pod\nmetadata: {name: a, namespace: shop, labels: {app: order, sidecar.istio.io/inject: \"false\"}}\nspec: {containers: [{name: a}]}\n",
			[]string{"Pod a:8080"}},
		{"a WorkloadEntry counts as a pod", object("WorkloadEntry", "vm", "shop", "  address: 192.0.2.1\n  labels: {app: order}"),
			[]string{"WorkloadEntry vm:8080"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			m := newMesh(t, svc+test.text)
			c := configOf(t, m, "gateway")
			equal(t, "workloads", workloads(t, m, c, "outbound|8080||order.shop.svc.cluster.local"), test.want)
		})
	}
}

func TestANamedTargetPortWithoutAContainerPortHasNoEndpoints(t *testing.T) {
	m := newMesh(t, strings.Replace(service("order", "shop", "v1"), "{name: web, ", "{name: web2, ", 1))
	equal(t, "workloads", workloads(t, m, configOf(t, m, "gateway"), "outbound|8080||order.shop.svc.cluster.local"), nil)
}

func TestSidecarsGoByTheirService(t *testing.T) {
	m := newMesh(t, service("order", "shop", "v1", "v2")+service("order", "other", "v1")+service("stock", "shop", "v1")+
		"---\napiVersion: v1\nkind: Namespace\nmetadata: {name: out, labels: {istio-injection: disabled}}\n"+service("plain", "out", "v1"))
	tests := []struct{ ask, want, err string }{
		{"stock", "sidecar stock.shop", ""},
		{"order.shop", "sidecar order.shop", ""},
		{"order.other.svc", "sidecar order.other", ""},
		{"order.other.svc.cluster.local", "sidecar order.other", ""},
		{"stock-v1", "sidecar stock-v1.shop", ""},
		{"order", "", "order.other, order.shop"},
		{"nobody", "", "stock.shop"},
		{"plain", "", "istio-injection: disabled"},
	}
	for _, test := range tests {
		p, err := m.Sidecar(test.ask)
		if test.err != "" {
			if err == nil || !strings.Contains(err.Error(), test.err) {
				t.Errorf("%s: got error %v, want one with %q", test.ask, err, test.err)
			}
		} else if err != nil || p.String() != test.want {
			t.Errorf("%s: got %s, %v, want %s", test.ask, p, err, test.want)
		}
	}
	if p, _ := m.Sidecar("order.shop"); p.Labels["version"] != "v1" {
		t.Errorf("expected the sidecar of the first workload by name, got %v", p.Labels)
	}
}

func TestProxiesHaveOneSidecarForEachGroup(t *testing.T) {
	text := service("a", "shop", "v1", "v2") + service("b", "shop", "v1") + service("c", "other", "v1")
	names := func(m *istio.Mesh) []string {
		var all []string
		for _, p := range m.Proxies() {
			all = append(all, fmt.Sprint(p))
		}
		return all
	}
	gateways := []string{"gateway istio-egressgateway.istio-system", "gateway istio-ingressgateway.istio-system"}
	equal(t, "by namespace", names(newMesh(t, text)), append(gateways[:2:2], "sidecar c.other", "sidecar a.shop"))
	equal(t, "by a label that a rule asks for", names(newMesh(t, text+virtualService("b", "shop", `
  hosts: [b]
  http: [{match: [{sourceLabels: {app: a}}], route: [{destination: {host: b}}]}]`))),
		append(gateways[:2:2], "sidecar c.other", "sidecar a.shop", "sidecar b.shop"))
}

func TestGatewaysAreThoseOfTheProfileAndOfSelectors(t *testing.T) {
	own := `---
apiVersion: apps/v1
kind: Deployment
metadata: {name: edge, namespace: shop}
spec: {template: {metadata: {labels: {gate: edge}}, spec: {containers: [{name: istio-proxy}]}}}
---
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: g, namespace: shop}
spec: {selector: {gate: edge}, servers: [{port: {number: 80, name: http, protocol: HTTP}, hosts: ["*"]}]}
`
	for profile, want := range map[string][]string{
		"":        {"istio-egressgateway.istio-system", "istio-ingressgateway.istio-system", "edge.shop"},
		"default": {"istio-ingressgateway.istio-system", "edge.shop"},
		"minimal": {"edge.shop"},
	} {
		m, err := istio.New(t.Context(), documents(t, own), istio.Options{Profile: profile})
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, p := range m.Gateways() {
			got = append(got, p.Name+"."+p.Namespace)
		}
		equal(t, "profile "+profile, got, want)
	}
	if _, err := istio.New(t.Context(), nil, istio.Options{Profile: "nonsense"}); err == nil || !strings.Contains(err.Error(), "demo") {
		t.Errorf("expected an error that lists the profiles, got %v", err)
	}
}

func TestParseCluster(t *testing.T) {
	got, ok := istio.ParseCluster("outbound|8080|stable|order.shop.svc.cluster.local")
	if want := (istio.ClusterParts{Direction: "outbound", Subset: "stable", Host: "order.shop.svc.cluster.local", Port: 8080}); !ok || got != want {
		t.Errorf("got %v %v, want %v", got, ok, want)
	}
	for _, name := range []string{"", "PassthroughCluster", "outbound|x||h", "a|1|b"} {
		if _, ok := istio.ParseCluster(name); ok {
			t.Errorf("%q: expected it not to be one of Istio's names", name)
		}
	}
}
