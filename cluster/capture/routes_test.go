package capture_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/meshstorm/meshstorm/cluster/capture"
)

// withRoutes is a namespace with the Services order and pay and a
// VirtualService with these rules.
func withRoutes(gateways, rules string) string {
	var b strings.Builder
	for _, name := range []string{"order", "pay"} {
		b.WriteString(strings.ReplaceAll(`
apiVersion: v1
kind: Service
metadata: {name: NAME, namespace: shop}
spec: {selector: {app: NAME}, ports: [{name: http, port: 8080}]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: NAME, namespace: shop}
spec: {selector: {matchLabels: {app: NAME}}, template: {metadata: {labels: {app: NAME}}, spec: {containers: [{name: NAME, image: "ghcr.io/acme/NAME:v1"}]}}}
---`, "NAME", name))
	}
	return b.String() + `
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: routes, namespace: shop}
spec:
  hosts: ["shop.example"]
  gateways: ` + gateways + `
  http:
` + rules
}

const toOrder = "    route: [{destination: {host: order}}]\n"

func TestPathsAndWeightsComeFromRoutes(t *testing.T) {
	split := func(host string, stable, canary string) string {
		return "    route:\n    - {destination: {host: " + host + ", subset: stable}, weight: " + stable + "}\n    - {destination: {host: " + host + ", subset: canary}, weight: " + canary + "}\n"
	}
	for _, c := range []struct {
		name, gateways, rules string
		want                  capture.Service
		gap                   string // part of a text that must be in the report
	}{
		{"an exact path and the prefix below it are one path", "[gw]", "  - match: [{uri: {exact: /orders}}, {uri: {prefix: /orders/}}]\n" + toOrder,
			capture.Service{Paths: []string{"/orders"}, Exposed: true}, ""},
		{"the full name of the host is the same Service", "[gw]", "  - match: [{uri: {prefix: /orders}}]\n    route: [{destination: {host: order.shop.svc.cluster.local}}]\n",
			capture.Service{Paths: []string{"/orders"}, Exposed: true}, ""},
		{"a Service of another namespace is not ours", "[gw]", "  - match: [{uri: {prefix: /orders}}]\n    route: [{destination: {host: order.other.svc.cluster.local}}]\n",
			capture.Service{}, "order.other.svc.cluster.local, which is no bounded context"},
		{"an encoded path is read in its letters", "[gw]", "  - match: [{uri: {prefix: /%EC%A3%BC%EB%AC%B8}}]\n" + toOrder,
			capture.Service{Paths: []string{"/주문"}, Exposed: true}, ""},
		{"a path of several segments is added in the settings", "[gw]", "  - match: [{uri: {prefix: /api/v1/orders/}}, {uri: {exact: /order}}]\n" + toOrder,
			capture.Service{Paths: []string{"/api/v1/orders", "/order"}, Exposed: true}, ""},
		{"a path below another one is covered by it", "[gw]", "  - match: [{uri: {prefix: /orders/special}}, {uri: {prefix: /orders}}]\n" + toOrder,
			capture.Service{Paths: []string{"/orders"}, Exposed: true}, ""},
		{"meshstorm's expression for a variable is read back", "[gw]", "  - match: [{uri: {regex: '/shops/[^/]+/orders(/.*)?'}}]\n" + toOrder,
			capture.Service{Paths: []string{"/shops/{id}/orders"}, Exposed: true}, ""},
		{"any other expression is not known", "[gw]", "  - match: [{uri: {regex: '/o.*'}}]\n" + toOrder,
			capture.Service{Exposed: false}, "is no path of the model"},
		{"a rule for everything gives no path", "[gw]", "  - name: all\n" + toOrder,
			capture.Service{}, "takes all paths"},
		{"a prefix that a rewrite takes away is the gateway's", "[gw]", "  - match: [{uri: {prefix: /shop/orders}}]\n    rewrite: {uri: /orders}\n" + toOrder,
			capture.Service{Paths: []string{"/orders"}, PathPrefix: "/shop", Exposed: true}, ""},
		{"meshstorm's own rewrite of a prefix is read back", "[gw]", "  - match: [{uri: {prefix: /shop/orders}}]\n    rewrite: {uriRegexRewrite: {match: '^/shop(/.*)$', rewrite: '\\1'}}\n" + toOrder,
			capture.Service{Paths: []string{"/orders"}, PathPrefix: "/shop", Exposed: true}, ""},
		{"two prefixes cannot be said, so the paths are as clients send them", "[gw]",
			"  - match: [{uri: {prefix: /a/orders}}]\n    rewrite: {uri: /orders}\n" + toOrder + "  - match: [{uri: {prefix: /b/orders}}]\n    rewrite: {uri: /orders}\n" + toOrder,
			capture.Service{Paths: []string{"/a/orders", "/b/orders"}, Exposed: true}, ""},
		{"routes inside the mesh tell paths, but expose nothing", "[mesh]", "  - match: [{uri: {prefix: /orders}}]\n" + toOrder,
			capture.Service{Paths: []string{"/orders"}}, ""},
		{"a split of the tracks is a weight", "[gw]", "  - match: [{uri: {prefix: /orders}}]\n" + split("order", "80", "20"),
			capture.Service{Paths: []string{"/orders"}, Exposed: true, Weights: map[string]int32{"stable": 80, "canary": 20}}, ""},
		{"rules with different splits have no one weight", "[gw]",
			"  - match: [{uri: {prefix: /orders}}]\n" + split("order", "80", "20") + "  - match: [{uri: {prefix: /orders}}]\n" + split("order", "50", "50"),
			capture.Service{Paths: []string{"/orders"}, Exposed: true}, "different weights"},
		{"weights that do not add up are no weight", "[gw]", "  - match: [{uri: {prefix: /orders}}]\n" + split("order", "80", "10"),
			capture.Service{Paths: []string{"/orders"}, Exposed: true}, ""},
		{"a split between Services belongs to the larger share", "[gw]",
			"  - match: [{uri: {prefix: /orders}}]\n    route: [{destination: {host: order}, weight: 60}, {destination: {host: pay}, weight: 40}]\n",
			capture.Service{Paths: []string{"/orders"}, Exposed: true}, "splits requests between several Services"},
		{"a path that two Services serve is the first one's", "[gw]",
			"  - match: [{uri: {prefix: /orders}, headers: {x: {exact: y}}}]\n    route: [{destination: {host: pay}}]\n  - match: [{uri: {prefix: /orders}}]\n" + toOrder,
			capture.Service{Paths: []string{"/orders"}, Exposed: true}, "shares a path"},
		{"a rule that delegates is named", "[gw]", "  - match: [{uri: {prefix: /x}}]\n    delegate: {name: other}\n", capture.Service{}, "delegates to the VirtualService other"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r, dir := makeNew(t, snapshot(t, "", withRoutes(c.gateways, c.rules)))
			i := slices.IndexFunc(r.Services, func(s capture.Service) bool { return s.Name == "order" })
			if i < 0 {
				t.Fatalf("order is no service: %s", dump(r))
			}
			c.want.Name, c.want.Replicas, c.want.Image = "order", 1, "ghcr.io/acme/order:v1"
			if diff := cmp.Diff(c.want, r.Services[i]); diff != "" {
				t.Error(diff)
			}
			if c.gap != "" && !slices.ContainsFunc(r.Gaps, func(g capture.Gap) bool { return strings.Contains(g.Text, c.gap) }) {
				t.Errorf("the report does not say %q: %s", c.gap, dump(r.Gaps))
			}
			generated(t, dir)
		})
	}
}

func TestServicesThatCannotBeContextsAreKeptAsFiles(t *testing.T) {
	workload := func(name string) string {
		return strings.ReplaceAll("\n---\napiVersion: v1\nkind: Service\nmetadata: {name: NAME}\nspec: {selector: {app: NAME}}\n---\napiVersion: apps/v1\nkind: Deployment\nmetadata: {name: NAME}\nspec: {template: {metadata: {labels: {app: NAME}}}}\n", "NAME", name)
	}
	for _, c := range []struct{ name, services, want string }{
		{"a name that is too long", strings.Repeat("a", 49), "more than 48"},
		{"a name that begins with a digit", "1order", "does not begin with a letter"},
		{"the name of another one's canary", "order order-canary", "meshstorm makes for order"},
		{"the API server's name", "kubernetes", "no bounded context can be made of it"},
	} {
		t.Run(c.name, func(t *testing.T) {
			text := ""
			for name := range strings.FieldsSeq(c.services) {
				text += workload(name)
			}
			docs, err := docsOf(text)
			if err != nil {
				t.Fatal(err)
			}
			roundTrip(t, docs)
			r, _ := makeNew(t, snapshot(t, "", text))
			if !slices.ContainsFunc(r.Gaps, func(g capture.Gap) bool { return strings.Contains(g.Text, c.want) }) {
				t.Errorf("the report does not say %q: %s", c.want, dump(r.Gaps))
			}
		})
	}
}
