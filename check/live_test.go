package check_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/meshstorm/meshstorm/check"
	"github.com/meshstorm/meshstorm/manifest"
)

const (
	liveShop = `apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: theirs, namespace: others}
spec:
  selector: {istio: ingressgateway}
  servers:
  - port: {number: 80, name: http, protocol: HTTP}
    hosts: ["*"]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: shop, namespace: others, creationTimestamp: "2026-01-02T03:04:05Z"}
spec:
  hosts: ["*"]
  gateways: [theirs]
  http:
  - match: [{uri: {prefix: /orders/}, method: {exact: GET}}]
    route: [{destination: {host: order}}]
`
	ownOrders = `apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: main, namespace: shop}
spec:
  selector: {istio: ingressgateway}
  servers:
  - port: {number: 80, name: http, protocol: HTTP}
    hosts: ["*"]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: order, namespace: shop}
spec:
  hosts: ["*"]
  gateways: [main]
  http:
  - match: [{uri: {prefix: PATH}}]
    route: [{destination: {host: order}}]
`
)

func parsed(t testing.TB, text string) []*manifest.Document {
	t.Helper()
	docs, err := manifest.Parse("istio.yml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return docs
}

func TestLiveRoutesThatTakeTheSameRequests(t *testing.T) {
	for path, contested := range map[string]bool{
		"/orders/": true, "/orders/1": true, "/o": true, // the same host name is another Service there
		"/deliveries/": false, "/ordersX": false,
		"/": false, // what takes everything goes to the end, whatever its age
	} {
		in := &check.Input{Documents: parsed(t, strings.Replace(ownOrders, "PATH", path, 1)), Namespace: "shop"}
		all := check.AgainstLive(context.Background(), in, parsed(t, liveShop))
		if (len(all) == 1) != contested || len(all) > 1 {
			t.Errorf("%s: %d contests, want one: %v: %+v", path, len(all), contested, all)
			continue
		}
		if contested && (all[0].Live.Namespace != "others" || all[0].Created != "2026-01-02T03:04:05Z" || all[0].Line == 0 || all[0].Object.Namespace != "shop" || all[0].Witness == "") {
			t.Errorf("%s: %+v", path, all[0])
		}
	}
}

// BenchmarkAgainstLive is what the look for contested routes costs an apply of
// ten routes beside so many live ones, their reading included.
func BenchmarkAgainstLive(b *testing.B) {
	for _, n := range []int{100, 1000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			own := strings.ReplaceAll(manyVirtualServices(10), "/s", "/own")
			text := manyVirtualServices(n)
			b.ReportAllocs()
			for b.Loop() {
				in := &check.Input{Documents: parsed(b, own), Namespace: "mine"}
				if all := check.AgainstLive(b.Context(), in, parsed(b, text)); len(all) > 0 {
					b.Fatal(all[0].Message)
				}
			}
		})
	}
}
