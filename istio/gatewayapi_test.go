package istio_test

import (
	"runtime"
	"strings"
	"testing"

	"github.com/meshstorm/meshstorm/istio"
)

const kubernetesGateway = `---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: edge, namespace: shop}
spec:
  gatewayClassName: istio
  listeners:
  - {name: http, port: 80, protocol: HTTP}
  - {name: https, port: 443, protocol: HTTPS, hostname: secure.example, tls: {certificateRefs: [{name: not-in-the-files}]}}
`

func gatewayAPI(kind, name, spec string) string {
	return strings.Replace(object(kind, name, "shop", spec), "networking.istio.io/v1", "gateway.networking.k8s.io/v1", 1)
}

func TestGatewayAPIRoutes(t *testing.T) {
	base := kubernetesGateway + service("order", "shop", "v1") + service("stock", "shop", "v1")
	tests := []struct {
		name, text, from string
		target           istio.Target
		want             []string
	}{
		{"an HTTPRoute at a Gateway, its matches sorted as the Gateway API has it",
			gatewayAPI("HTTPRoute", "r", `
  parentRefs: [{name: edge}]
  hostnames: [shop.example]
  rules:
  - backendRefs: [{name: stock, port: 8080}]
  - name: orders
    matches: [{path: {value: /a}}, {path: {value: /longer}}, {path: {type: Exact, value: /x}}]
    backendRefs: [{name: order, port: 8080}]`),
			"gateway:edge-istio", istio.Target{Scheme: "http", Host: "shop.example", Port: 80},
			[]string{
				`"orders" from HTTPRoute r spec.rules[1].matches[2] (orders): =/x -> outbound|8080||order.shop`,
				`"orders" from HTTPRoute r spec.rules[1].matches[1] (orders): /longer/... -> outbound|8080||order.shop`,
				`"orders" from HTTPRoute r spec.rules[1].matches[0] (orders): /a/... -> outbound|8080||order.shop`,
				`"shop.r.0" from HTTPRoute r spec.rules[0]: / -> outbound|8080||stock.shop`}},
		{"two HTTPRoutes of one host",
			gatewayAPI("HTTPRoute", "a", "  parentRefs: [{name: edge}]\n  hostnames: [shop.example]\n  rules: [{matches: [{path: {value: /a}}], backendRefs: [{name: order, port: 8080}]}]") +
				gatewayAPI("HTTPRoute", "b", "  parentRefs: [{name: edge}]\n  hostnames: [shop.example]\n  rules: [{matches: [{path: {value: /bb}}], backendRefs: [{name: stock, port: 8080}]}]"),
			"gateway:edge-istio", istio.Target{Scheme: "http", Host: "shop.example", Port: 80},
			[]string{
				`"shop.b.0" from HTTPRoute b spec.rules[0].matches[0]: /bb/... -> outbound|8080||stock.shop`,
				`"shop.a.0" from HTTPRoute a spec.rules[0].matches[0]: /a/... -> outbound|8080||order.shop`}},
		{"a listener whose certificate is not among the files",
			gatewayAPI("HTTPRoute", "r", "  parentRefs: [{name: edge, sectionName: https}]\n  rules: [{backendRefs: [{name: order, port: 8080}]}]"),
			"gateway:edge-istio", istio.Target{Scheme: "https", Host: "secure.example", Port: 443},
			[]string{`"shop.r.0" from HTTPRoute r spec.rules[0]: / -> outbound|8080||order.shop`}},
		{"an HTTPRoute at a Service",
			gatewayAPI("HTTPRoute", "r", `
  parentRefs: [{group: "", kind: Service, name: order, port: 8080}]
  rules: [{matches: [{path: {value: /a}}], backendRefs: [{name: stock, port: 8080}]}]`),
			"stock", istio.Target{Scheme: "http", Host: "order.shop.svc.cluster.local", Port: 8080},
			[]string{`"shop.r.0" from HTTPRoute r spec.rules[0].matches[0]: /a/... -> outbound|8080||stock.shop`}},
		{"a GRPCRoute",
			gatewayAPI("GRPCRoute", "g", `
  parentRefs: [{name: edge}]
  hostnames: [grpc.example]
  rules: [{matches: [{method: {service: shop.Order, method: Get}}], backendRefs: [{name: order, port: 8080}]}]`),
			"gateway:edge-istio", istio.Target{Scheme: "http", Host: "grpc.example", Port: 80},
			[]string{`"shop.g.0" from GRPCRoute g spec.rules[0].matches[0]: =/shop.Order/Get -> outbound|8080||order.shop`}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			m := newMesh(t, base+test.text)
			for _, p := range problems(m) {
				t.Error(p)
			}
			c := configOf(t, m, test.from)
			e := c.Entry(test.target)
			host := test.target.Host
			got := lines(c, e.Routes, host)
			if len(got) == 0 {
				got = lines(c, e.Routes, "*")
			}
			equal(t, "routes ("+e.Why+")", got, test.want)
		})
	}
}

func TestARouteThatAttachesToNothingIsAProblem(t *testing.T) {
	m := newMesh(t, kubernetesGateway+service("order", "shop", "v1")+
		gatewayAPI("HTTPRoute", "r", "  parentRefs: [{name: nobody}]\n  rules: [{backendRefs: [{name: order, port: 8080}]}]"))
	if got := problems(m); len(got) != 1 || !strings.Contains(got[0], "attaches to no listener") {
		t.Errorf("got %q", got)
	}
}

func TestNothingOfTheGatewayAPIRunsAfterClose(t *testing.T) {
	one := func() { newMesh(t, kubernetesGateway+service("order", "shop", "v1")).Close() }
	one()
	before := runtime.NumGoroutine()
	for range 3 {
		one()
	}
	for runtime.NumGoroutine() > before {
		runtime.Gosched()
	}
}
