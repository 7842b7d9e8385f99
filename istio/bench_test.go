package istio_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/meshstorm/meshstorm/istio"
	"github.com/meshstorm/meshstorm/manifest"
)

// services writes n services, each with a Deployment, a VirtualService and a
// DestinationRule, behind one Gateway.
func services(n int) string {
	var b strings.Builder
	b.WriteString(`
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: shop, namespace: shop}
spec: {selector: {istio: ingressgateway}, servers: [{port: {number: 80, name: http, protocol: HTTP}, hosts: ["*.shop.example"]}]}
`)
	for i := range n {
		fmt.Fprintf(&b, `---
apiVersion: v1
kind: Service
metadata: {name: s%[1]d, namespace: shop}
spec: {selector: {app: s%[1]d}, ports: [{name: http, port: 8080}]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: s%[1]d, namespace: shop, labels: {app: s%[1]d}}
spec:
  replicas: 2
  selector: {matchLabels: {app: s%[1]d, version: v1}}
  template:
    metadata: {labels: {app: s%[1]d, version: v1}}
    spec: {containers: [{name: app, image: "shop/s%[1]d:1", ports: [{containerPort: 8080}]}]}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: s%[1]d, namespace: shop}
spec:
  hosts: [s%[1]d.shop.example, s%[1]d]
  gateways: [shop, mesh]
  http:
  - name: primary
    match: [{uri: {prefix: /items}, method: {exact: GET}}]
    route: [{destination: {host: s%[1]d, subset: stable}, weight: 90}, {destination: {host: s%[1]d, subset: canary}, weight: 10}]
    retries: {attempts: 3, perTryTimeout: 2s}
  - route: [{destination: {host: s%[1]d, subset: stable}}]
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: s%[1]d, namespace: shop}
spec: {host: s%[1]d, subsets: [{name: stable, labels: {version: v1}}, {name: canary, labels: {version: v2}}]}
`, i)
	}
	return b.String()
}

func documents(tb testing.TB, text string) []*manifest.Document {
	tb.Helper()
	docs, err := manifest.Parse("mesh.yaml", []byte(text))
	if err != nil {
		tb.Fatal(err)
	}
	return docs
}

func BenchmarkNew(b *testing.B) {
	for _, n := range []int{3, 100, 1000} {
		docs := documents(b, services(n))
		b.Run(fmt.Sprintf("services=%d", n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				m, err := istio.New(b.Context(), docs, istio.Options{})
				if err != nil {
					b.Fatal(err)
				}
				m.Close()
			}
		})
	}
}

func BenchmarkConfig(b *testing.B) {
	for _, n := range []int{3, 100, 1000} {
		m, err := istio.New(b.Context(), documents(b, services(n)), istio.Options{})
		if err != nil {
			b.Fatal(err)
		}
		for _, name := range []string{"gateway", "sidecar"} {
			p := m.Gateways()[1]
			if name == "sidecar" {
				if p, err = m.Sidecar("s0.shop"); err != nil {
					b.Fatal(err)
				}
			}
			b.Run(fmt.Sprintf("%s/services=%d", name, n), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					m.Close() // forgets what it has translated
					if _, err := m.Config(b.Context(), p); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
		m.Close()
	}
}
