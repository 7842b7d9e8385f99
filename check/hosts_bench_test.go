package check_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/meshstorm/meshstorm/check"
)

// manyVirtualServices are n VirtualServices for the host of one gateway, each
// with three rules for paths of its own.
func manyVirtualServices(n int) string {
	var b strings.Builder
	b.WriteString(`apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: edge, namespace: shop}
spec:
  selector: {istio: ingressgateway}
  servers:
  - port: {number: 80, name: http, protocol: HTTP}
    hosts: ["*"]
`)
	for i := range n {
		fmt.Fprintf(&b, `---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: s%[1]d, namespace: shop}
spec:
  hosts: ["*"]
  gateways: [edge]
  http:
  - match:
    - {uri: {exact: /s%[1]d}, method: {exact: POST}}
    - {uri: {prefix: /s%[1]d/}, method: {exact: POST}}
    route: [{destination: {host: s%[1]d}}]
  - match:
    - {uri: {regex: "/s%[1]d/[0-9]+/items"}}
    route: [{destination: {host: s%[1]d, subset: items}}]
  - match:
    - {uri: {exact: /s%[1]d}}
    - {uri: {prefix: /s%[1]d/}}
    route: [{destination: {host: s%[1]d, subset: stable}}]
`, i)
	}
	return b.String()
}

func BenchmarkRulesAboutRoutes(b *testing.B) {
	for _, n := range []int{10, 100, 1000} {
		text := manyVirtualServices(n)
		for name, rules := range map[string][]check.Rule{
			"all":     {check.Shadows(), check.Hosts(), check.Escapes(), check.Expressions()},
			"decode":  {check.Escapes()},
			"shadows": {check.Shadows()},
			"hosts":   {check.Hosts()},
		} {
			b.Run(fmt.Sprintf("%s/%d", name, n), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					b.StopTimer()
					in := input(b, "a.yml", text)
					in.Resources()
					b.StartTimer()
					if r := check.Run(b.Context(), in, rules); len(r.Findings) > 0 {
						b.Fatalf("%+v", r.Findings[0])
					}
				}
			})
		}
	}
}
