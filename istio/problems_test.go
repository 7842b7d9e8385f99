package istio_test

import (
	"fmt"
	"strings"
	"testing"
)

func TestWhatHasNoEffectIsAProblem(t *testing.T) {
	good := shopGateway + service("order", "shop", "v1")
	tests := []struct {
		name, text string
		want       []string // a part of each problem, in order
	}{
		{"nothing", good, nil},
		{"a VirtualService that istiod's webhook refuses",
			good + virtualService("bad", "shop", "  hosts: [order]\n  http: [{route: [{destination: {host: order}, weight: -1}]}]"),
			[]string{"bad (mesh.yaml:20): istiod refuses"}},
		{"a regular expression that RE2 refuses",
			good + virtualService("bad", "shop", "  hosts: [order]\n  http: [{match: [{uri: {regex: \"a(?=b)\"}}], route: [{destination: {host: order}}]}]"),
			[]string{"istiod refuses"}},
		{"a type that does not fit", good + virtualService("bad", "shop", "  hosts: order"), []string{"cannot be decoded"}},
		{"a field that Istio does not know",
			good + virtualService("typo", "shop", "  hosts: [order]\n  http: [{timeOut: 1s, route: [{destination: {host: order}}]}]"),
			[]string{"timeOut"}},
		{"a list item without a value", good + virtualService("bad", "shop", "  hosts: [order]\n  http: [null]"), []string{"without a value"}},
		{"an unknown kind, once",
			good + "---\napiVersion: acme.example/v1\nkind: Widget\nmetadata: {name: a}\n---\napiVersion: acme.example/v1\nkind: Widget\nmetadata: {name: b}\n",
			[]string{"kind Widget of acme.example/v1 has no effect on routes that is known here (2 objects of it)"}},
		{"a kind that the manifests define themselves",
			good + "---\napiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: widgets.acme.example}\n" +
				"---\napiVersion: acme.example/v1\nkind: Widget\nmetadata: {name: a}\n",
			[]string{"CustomResourceDefinition widgets.acme.example"}},
		{"a delegate that is not there",
			good + virtualService("root", "shop", "  hosts: [a.example]\n  gateways: [shop]\n  http: [{delegate: {name: lost}}]"),
			[]string{"spec.http[0].delegate: there is no VirtualService shop/lost"}},
		{"a delegate with hosts",
			good + virtualService("root", "shop", "  hosts: [a.example]\n  gateways: [shop]\n  http: [{delegate: {name: part}}]") +
				virtualService("part", "shop", "  hosts: [b.example]\n  http: [{route: [{destination: {host: order}}]}]"),
			[]string{"has hosts of its own"}},
		{"a delegate that is not exported",
			good + virtualService("root", "shop", "  hosts: [a.example]\n  gateways: [shop]\n  http: [{delegate: {name: part, namespace: other}}]") +
				virtualService("part", "other", "  exportTo: [.]\n  http: [{route: [{destination: {host: order}}]}]"),
			[]string{"is not exported to namespace shop"}},
		{"delegates in a circle",
			good + virtualService("root", "shop", "  hosts: [a.example]\n  gateways: [shop]\n  http: [{delegate: {name: a}}]") +
				virtualService("a", "shop", "  http: [{delegate: {name: b}}]") + virtualService("b", "shop", "  http: [{delegate: {name: a}}]"),
			[]string{"there is no VirtualService shop/a", "VirtualService shop/a", "VirtualService shop/b"}},
		{"a delegate's rule that contradicts the root's",
			good + virtualService("root", "shop", "  hosts: [a.example]\n  gateways: [shop]\n  http: [{match: [{uri: {prefix: /a}}], delegate: {name: part}}]") +
				virtualService("part", "shop", "  http: [{match: [{uri: {prefix: /b}}], route: [{destination: {host: order}}]}]"),
			[]string{"spec.http[0] of VirtualService shop/part matches nothing"}},
		{"a filter of an HTTPRoute that lacks its part",
			good + gatewayAPIRoute("  - filters: [{type: RequestMirror}]\n    backendRefs: [{name: order, port: 8080}]"),
			[]string{"the API server refuses this object, so it is not used: spec.rules[0].filters[0]"}},
		{"a match of an HTTPRoute without a path, which means any",
			good + gatewayAPIRoute("  - matches: [{headers: [{name: x, value: v}]}]\n    backendRefs: [{name: order, port: 8080}]"), nil},
		{"an HTTPRoute without rules, which gets one for all", good + gatewayAPIRoute("  - {}"), nil},
		{"a Gateway for no workload", good + strings.NewReplacer("istio: ingressgateway", "istio: nobody", "name: shop,", "name: lost,").Replace(shopGateway),
			[]string{"spec.selector finds no workload"}},
		{"an object twice", good + service("order", "shop"), []string{"replaces the object of the same name at mesh.yaml:"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got := problems(newMesh(t, test.text))
			ok := len(got) == len(test.want)
			for i := range got {
				ok = ok && strings.Contains(got[i], test.want[i])
			}
			if !ok {
				t.Errorf("got\n  %s\nwant\n  %s", strings.Join(got, "\n  "), strings.Join(test.want, "\n  "))
			}
		})
	}
}

func TestARefusedVirtualServiceHasNoRoutes(t *testing.T) {
	m := newMesh(t, shopGateway+service("order", "shop", "v1")+
		virtualService("bad", "shop", "  hosts: [shop.example]\n  gateways: [shop]\n  http: [{match: [{uri: {regex: \"(\"}}], route: [{destination: {host: order}}]}]"))
	c := configOf(t, m, "gateway")
	for r, o := range c.Origins {
		if o.Document != nil {
			t.Errorf("route %s comes from the refused object", r.Name)
		}
	}
}

func TestAnEndOfAVeryLongVirtualServiceIsValidatedToo(t *testing.T) {
	long := func(last string) string {
		var b strings.Builder
		b.WriteString("  hosts: [shop.example]\n  gateways: [shop]\n  http:\n")
		for i := range 50_000 {
			fmt.Fprintf(&b, "  - match: [{uri: {prefix: /p%d}}]\n    route: [{destination: {host: order}}]\n", i)
		}
		return b.String() + last
	}
	base := shopGateway + service("order", "shop", "v1")
	m := newMesh(t, base+virtualService("long", "shop", long("")))
	if got := len(configOf(t, m, "gateway").Origins); got != 50_000 {
		t.Errorf("got %d routes, problems %q", got, problems(m))
	}
	m = newMesh(t, base+virtualService("long", "shop", long("  - match: [{uri: {regex: \"(\"}}]\n    route: [{destination: {host: order}}]")))
	if got := problems(m); len(got) != 1 || !strings.Contains(got[0], "istiod refuses") {
		t.Errorf("got %q", got)
	}
	var matches strings.Builder
	for i := range 5000 {
		fmt.Fprintf(&matches, "{uri: {exact: /p%d}}, ", i)
	}
	m = newMesh(t, base+virtualService("wide", "shop", "  hosts: [shop.example]\n  gateways: [shop]\n  http: [{match: ["+matches.String()+"{uri: {regex: \"(\"}}], route: [{destination: {host: order}}]}]"))
	if got := problems(m); len(got) != 1 || !strings.Contains(got[0], "istiod refuses") {
		t.Errorf("got %q", got)
	}
}

func gatewayAPIRoute(rules string) string {
	return `---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: own, namespace: shop}
spec:
  gatewayClassName: istio
  listeners: [{name: http, port: 80, protocol: HTTP}]
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: own, namespace: shop}
spec:
  parentRefs: [{name: own}]
  rules:
` + rules + "\n"
}
