package check_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/meshstorm/meshstorm/check"
)

func TestHostsAreCompletedAsIstiodDoes(t *testing.T) {
	for host, want := range map[string]string{
		"order":                  "order.shop.svc.cluster.local",
		"Order":                  "order.shop.svc.cluster.local",
		"order.other":            "order.other", // a dot, so it is taken for a full name
		"order.other.svc":        "order.other.svc",
		"*":                      "*",
		"*.example":              "*.example",
		"":                       "",
		"::1":                    "::1",
		"Shop.Example":           "shop.example",
		"order.a.svc.cluster.lo": "order.a.svc.cluster.lo",
	} {
		if got := check.ResolveHost(host, "shop"); got != want {
			t.Errorf("ResolveHost(%q) = %q, want %q", host, got, want)
		}
	}
}

func TestTheMeshKnowsObjectsByTheirFullNames(t *testing.T) {
	in := input(t, "a.yml", `
apiVersion: networking.istio.io/v1alpha3
kind: VirtualService
metadata: {name: a, namespace: shop}
spec:
  hosts: [order, Shop.Example]
  gateways: [edge, ./near, far/away, old.place.svc.cluster.local, mesh]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: inside, namespace: shop}
spec: {hosts: [order]}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: delegate, namespace: shop}
spec: {http: [{route: [{destination: {host: order}}]}]}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: broken, namespace: shop}
spec: {hosts: 1}
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: order}
spec: {host: order}
---
apiVersion: v1
kind: Service
metadata: {name: order, namespace: shop}
spec: {selector: {app: order}, ports: [{port: 80}]}
---
apiVersion: argoproj.io/v1alpha1
kind: Rollout
metadata: {name: order, namespace: shop}
spec:
  replicas: 3
  template: {metadata: {labels: {app: order, version: v1}}, spec: {containers: []}}
---
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: other, namespace: shop}
spec:
  template: {metadata: {labels: {app: other}}, spec: {containers: []}}
`)
	in.Namespace = "elsewhere"
	m := in.Mesh()
	if len(m.VirtualServices) != 3 {
		t.Fatalf("%d VirtualServices, want 3: one does not decode", len(m.VirtualServices))
	}
	a, inside, delegate := m.VirtualServices[0], m.VirtualServices[1], m.VirtualServices[2]
	if d := cmp.Diff([]string{"order.shop.svc.cluster.local", "shop.example"}, a.Hosts); d != "" {
		t.Errorf("hosts (-want +got):\n%s", d)
	}
	if d := cmp.Diff([]string{"shop/edge", "shop/near", "far/away", "place/old", "mesh"}, a.Gateways); d != "" {
		t.Errorf("gateways (-want +got):\n%s", d)
	}
	if !inside.InMesh() || !slices.Equal(inside.Gateways, []string{"mesh"}) || inside.Delegate() {
		t.Errorf("without gateways it is for the mesh, got %v", inside.Gateways)
	}
	if delegate.InMesh() || !delegate.Delegate() {
		t.Errorf("a delegate is nowhere by itself, got %v", delegate.Gateways)
	}
	if got := m.DestinationRules[0].Host; got != "order.elsewhere.svc.cluster.local" {
		t.Errorf("the DestinationRule is for %q", got)
	}
	pods := m.Pods("shop", map[string]string{"app": "order"})
	if len(pods) != 1 || pods[0].Kind() != "Rollout" || pods[0].Replicas != 3 {
		t.Errorf("pods of order: %+v", pods)
	}
	if m.Service("order.shop.svc.cluster.local") == nil || m.Service("order") != nil {
		t.Error("Services are found by their full names")
	}
	if len(m.Pods("shop", nil)) != 0 {
		t.Error("no selector, no pods")
	}
}

func TestAFindingYieldsToOneAsSevereAtTheSamePlace(t *testing.T) {
	at := func(code string, s check.Severity, line int) check.Finding {
		return check.Finding{Code: code, Severity: s, File: "a.yml", Line: line}
	}
	own := find(at("T1", check.Warning, 1), at("T1", check.Warning, 2), at("T1", check.Info, 3), at("T1", check.Warning, 4))
	own.Yields = map[string][]string{"T1": {"T2"}}
	r := check.Run(t.Context(), &check.Input{}, []check.Rule{own,
		find(at("T2", check.Warning, 1), at("T2", check.Info, 2), at("T2", check.Error, 3), at("T3", check.Error, 4))})
	var got []string
	for _, f := range r.Findings {
		got = append(got, f.Code+string(f.Severity))
	}
	want := []string{"T2warning", "T1warning", "T2info", "T2error", "T1warning", "T3error"}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("findings (-want +got):\n%s", d)
	}
}
