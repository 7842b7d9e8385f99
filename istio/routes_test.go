package istio_test

import (
	"testing"

	"github.com/meshstorm/meshstorm/istio"
)

func TestRoutesAreThoseThatIstiodWouldSend(t *testing.T) {
	base := shopGateway + service("order", "shop", "v1") + service("stock", "shop", "v1") + service("order", "other", "v1")
	rule := func(path, host string) string {
		return "  - match: [{uri: {prefix: " + path + "}}]\n    route: [{destination: {host: " + host + "}}]\n"
	}
	tests := []struct {
		name, text, from, host string
		port                   int
		want                   []string
	}{
		{"a gateway takes the rules of a VirtualService, with its short hosts in its namespace",
			base + virtualService("order", "shop", "  hosts: [shop.example]\n  gateways: [shop]\n  http:\n"+rule("/orders", "order")),
			"gateway", "shop.example", 80,
			[]string{`"" from VirtualService order spec.http[0].match[0]: /orders -> outbound|8080||order.shop`}},
		{"rules and matches keep the names that were written",
			base + virtualService("order", "shop", `
  hosts: [shop.example]
  gateways: [shop]
  http:
  - name: primary
    match: [{name: one, uri: {exact: /one}}, {uri: {exact: /two}}]
    rewrite: {uri: /}
    route: [{destination: {host: order}}]
  - match: [{name: three, uri: {exact: /three}}]
    route: [{destination: {host: order}}]`),
			"gateway", "shop.example", 80,
			[]string{
				`"primary.one" from VirtualService order spec.http[0].match[0] (primary): =/one -> outbound|8080||order.shop`,
				`"primary" from VirtualService order spec.http[0].match[1] (primary): =/two -> outbound|8080||order.shop`,
				`".three" from VirtualService order spec.http[1].match[0]: =/three -> outbound|8080||order.shop`}},
		{"two VirtualServices of one host at a gateway are merged, catch-alls last",
			base + virtualService("a", "shop", "  hosts: [shop.example]\n  gateways: [shop]\n  http:\n  - route: [{destination: {host: stock}}]\n") +
				virtualService("b", "shop", "  hosts: [shop.example]\n  gateways: [shop]\n  http:\n"+rule("/orders", "order")),
			"gateway", "shop.example", 80,
			[]string{
				`"" from VirtualService b spec.http[0].match[0]: /orders -> outbound|8080||order.shop`,
				`"" from VirtualService a spec.http[0]: / -> outbound|8080||stock.shop`}},
		{"what follows a catch-all is not sent",
			base + virtualService("a", "shop", "  hosts: [shop.example]\n  gateways: [shop]\n  http:\n"+rule("/", "order")+rule("/orders", "stock")),
			"gateway", "shop.example", 80,
			[]string{`"" from VirtualService a spec.http[0].match[0]: / -> outbound|8080||order.shop`}},
		{"a sidecar takes the mesh's VirtualService of another namespace",
			base + virtualService("order", "other", "  hosts: [order]\n  http:\n"+rule("/orders", "order")),
			"stock.shop", "order.other.svc.cluster.local", 8080,
			[]string{`"" from VirtualService order spec.http[0].match[0]: /orders -> outbound|8080||order.other`}},
		{"exportTo keeps a VirtualService in its namespace",
			base + virtualService("order", "other", "  exportTo: [.]\n  hosts: [order]\n  http:\n"+rule("/orders", "order")),
			"stock.shop", "order.other.svc.cluster.local", 8080,
			[]string{`"default" from istio: / -> outbound|8080||order.other`}},
		{"a delegate's rules are the root's, where their matches agree",
			base + virtualService("root", "shop", `
  hosts: [shop.example]
  gateways: [shop]
  http:
  - name: all
    match: [{uri: {prefix: /orders}}]
    delegate: {name: part, namespace: other}`) + virtualService("part", "other", `
  http:
  - name: one
    match: [{uri: {prefix: /orders/1}}]
    route: [{destination: {host: order}}]
  - match: [{uri: {prefix: /stock}}]
    route: [{destination: {host: order}}]
  - route: [{destination: {host: order}}]`),
			"gateway", "shop.example", 80,
			[]string{
				`"all-one" from VirtualService part spec.http[0].match[0] of root (one): /orders/1 -> outbound|8080||order.other`,
				`"all" from VirtualService part spec.http[2] of root: /orders -> outbound|8080||order.other`}},
		{"sourceLabels and sourceNamespace choose rules by the caller",
			base + virtualService("order", "shop", `
  hosts: [order]
  http:
  - match: [{sourceLabels: {app: stock}, uri: {prefix: /a}}]
    route: [{destination: {host: order}}]
  - match: [{sourceLabels: {app: other}, uri: {prefix: /b}}]
    route: [{destination: {host: order}}]`),
			"stock.shop", "order.shop.svc.cluster.local", 8080,
			[]string{`"" from VirtualService order spec.http[0].match[0]: /a -> outbound|8080||order.shop`}},
		{"weights are kept",
			base + virtualService("order", "shop", `
  hosts: [shop.example]
  gateways: [shop]
  http:
  - route: [{destination: {host: order}, weight: 80}, {destination: {host: stock}, weight: 20}]`),
			"gateway", "shop.example", 80,
			[]string{`"" from VirtualService order spec.http[0]: / -> outbound|8080||order.shop 80 + outbound|8080||stock.shop 20`}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			m := newMesh(t, test.text)
			c := configOf(t, m, test.from)
			e := c.Entry(istio.Target{Scheme: "http", Host: test.host, Port: test.port})
			if e.Routes == nil {
				t.Fatalf("no routes: %s", e.Why)
			}
			equal(t, "routes", lines(c, e.Routes, test.host), test.want)
		})
	}
}

func TestAnEnvoyFilterSeesRouteNamesAsWritten(t *testing.T) {
	m := newMesh(t, shopGateway+service("order", "shop", "v1")+virtualService("order", "shop", `
  hosts: [shop.example]
  gateways: [shop]
  http:
  - name: first
    match: [{uri: {prefix: /a}}]
    route: [{destination: {host: order}}]
  - name: second
    route: [{destination: {host: order}}]`)+`---
apiVersion: networking.istio.io/v1alpha3
kind: EnvoyFilter
metadata: {name: slow, namespace: istio-system}
spec:
  configPatches:
  - applyTo: HTTP_ROUTE
    match: {context: GATEWAY, routeConfiguration: {vhost: {route: {name: second}}}}
    patch: {operation: MERGE, value: {stat_prefix: patched}}
`)
	c := configOf(t, m, "gateway")
	rc := c.Entry(istio.Target{Scheme: "http", Host: "shop.example", Port: 80}).Routes
	routes := rc.VirtualHosts[0].Routes
	if len(routes) != 2 || routes[0].StatPrefix != "" || routes[1].StatPrefix != "patched" {
		t.Errorf("expected only the second route to be patched, got %v", routes)
	}
	equal(t, "routes", lines(c, rc, "shop.example"), []string{
		`"first" from VirtualService order spec.http[0].match[0] (first): /a -> outbound|8080||order.shop`,
		`"second" from VirtualService order spec.http[1] (second): / -> outbound|8080||order.shop`})
	if len(c.Origins) != 2 {
		t.Errorf("expected the origins of 2 routes, got %d", len(c.Origins))
	}
}
