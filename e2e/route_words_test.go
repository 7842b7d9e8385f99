package e2e

import (
	"path/filepath"
	"strings"
	"testing"
)

const wordsMesh = `
apiVersion: v1
kind: Service
metadata: {name: order, namespace: shop}
spec:
  selector: {app: order}
  ports: [{name: http, port: 80}]
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: order, namespace: shop}
spec:
  selector: {matchLabels: {app: order}}
  template:
    metadata: {labels: {app: order}}
    spec: {containers: [{name: c, image: registry.example/order:1}]}
---
apiVersion: v1
kind: Service
metadata: {name: by-hand, namespace: shop}
spec: {ports: [{name: http, port: 80}]}
---
apiVersion: v1
kind: Endpoints
metadata: {name: by-hand, namespace: shop}
subsets: [{addresses: [{ip: 192.0.2.7}], ports: [{name: http, port: 80}]}]
---
apiVersion: networking.istio.io/v1
kind: Sidecar
metadata: {name: default, namespace: shop}
spec:
  outboundTrafficPolicy: {mode: REGISTRY_ONLY}
  egress: [{hosts: ["./*"]}]
---
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: public, namespace: shop}
spec:
  selector: {istio: ingressgateway}
  servers:
  - port: {number: 80, name: http, protocol: HTTP}
    hosts: [shop.example]
  - port: {number: 443, name: http-empty, protocol: HTTP}
    hosts: [empty.example]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: shop, namespace: shop}
spec:
  hosts: [shop.example]
  gateways: [public]
  http:
  - match: [{uri: {prefix: /dev}, headers: {"@request.auth.claims.group": {exact: dev}}}]
    route: [{destination: {host: order}}]
  - mirror: {host: order, subset: ghost}
    route: [{destination: {host: order}}]
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: own, namespace: shop}
spec:
  gatewayClassName: istio
  listeners: [{name: http, port: 80, protocol: HTTP}]
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: refused, namespace: shop}
spec:
  hostnames: [own.example]
  parentRefs: [{name: own}]
  rules: [{backendRefs: [{name: order, namespace: elsewhere, port: 80}]}]
`

// What Envoy and istiod call things means nothing to people who wrote
// VirtualServices; the answer says it in their words.
func TestRouteSaysWhyInThePeoplesWords(t *testing.T) {
	file := filepath.Join(t.TempDir(), "mesh.yaml")
	write(t, wordsMesh, file)
	for _, c := range []struct {
		name string
		args []string
		want string
	}{
		{"a port of a Gateway without rules", []string{"http://empty.example:443/"}, "no VirtualService or HTTPRoute is bound to it"},
		{"a claim of a JWT", []string{"http://shop.example/dev"}, "@request.auth.claims"},
		{"a mirror that is not there", []string{"http://shop.example/"}, "the copies get lost: the proxy has no cluster for order.shop.svc.cluster.local@ghost:80"},
		{"a backend of another namespace", []string{"http://own.example/"}, "ReferenceGrant"},
		{"the status of such a share", []string{"http://own.example/"}, "0 (500 NC)"},
		{"a host that nothing lets out", []string{"http://other.example/", "--from", "order"}, "REGISTRY_ONLY"},
		{"endpoints without pods", []string{"http://by-hand/", "--from", "order"}, "192.0.2.7"},
	} {
		t.Run(c.name, func(t *testing.T) {
			text := meshstorm(t, filepath.Dir(file), 0, append([]string{"route", "-f", file, "GET"}, c.args...)...).stdout
			if !strings.Contains(text, c.want) {
				t.Errorf("the answer lacks %q:\n%s", c.want, text)
			}
		})
	}
}
