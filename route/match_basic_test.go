package route_test

import (
	"testing"

	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	"google.golang.org/protobuf/encoding/protojson"
	"sigs.k8s.io/yaml"

	"github.com/meshstorm/meshstorm/route"
)

func compile(t testing.TB, text string) *route.Config {
	t.Helper()
	c, err := route.Compile(parse(t, text))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func parse(t testing.TB, text string) *routev3.RouteConfiguration {
	t.Helper()
	data, err := yaml.YAMLToJSON([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	rc := &routev3.RouteConfiguration{}
	if err := protojson.Unmarshal(data, rc); err != nil {
		t.Fatal(err)
	}
	return rc
}

func TestSmoke(t *testing.T) {
	c := compile(t, `
virtual_hosts:
- name: shop
  domains: [shop.example]
  routes:
  - match: {path: /orders}
    route: {cluster: exact}
  - match: {prefix: /orders}
    route: {cluster: prefix}
`)
	for path, want := range map[string]string{"/orders": "exact", "/orders/1?x=1": "prefix", "/": ""} {
		if got := c.Decide(&route.Request{Authority: "Shop.example", Path: path}).Cluster; got != want {
			t.Errorf("%s goes to %q, not %q", path, got, want)
		}
	}
}
