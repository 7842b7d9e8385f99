package capture_test

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/meshstorm/meshstorm/cluster/capture"
)

// BenchmarkNew makes a workspace of 200 Services with Deployments and routes.
func BenchmarkNew(b *testing.B) {
	var text strings.Builder
	for i := range 200 {
		text.WriteString(strings.ReplaceAll(`
---
apiVersion: v1
kind: Service
metadata: {name: NAME}
spec: {selector: {app: NAME}, ports: [{name: http, port: 8080}]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: NAME}
spec: {replicas: 3, selector: {matchLabels: {app: NAME}}, template: {metadata: {labels: {app: NAME}}, spec: {containers: [{name: NAME, image: "ghcr.io/acme/NAME:v7"}]}}}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: vsvc-NAME}
spec: {hosts: ["*"], gateways: [main-gw], http: [{match: [{uri: {prefix: /NAMEs}}], route: [{destination: {host: NAME}}]}]}
`, "NAME", fmt.Sprintf("svc-%03d", i)))
	}
	b.ReportAllocs()
	for b.Loop() {
		r, err := capture.New(context.Background(), filepath.Join(b.TempDir(), "shop"), snapshot(b, "", text.String()), capture.Options{})
		if err != nil {
			b.Fatal(err)
		}
		r.Close()
	}
}
