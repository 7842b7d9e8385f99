package canvas_test

import (
	"testing"

	"github.com/meshstorm/meshstorm/deploy"
)

func TestWeights(t *testing.T) {
	split := func(a, b string) string {
		return `{"name":"","route":[{"destination":{"host":"order","subset":"` + a + `"},"weight":80},{"destination":{"host":"order","subset":"` + b + `"},"weight":20}],"match":[{"uri":{"prefix":"/"}}],"rewrite":{"uri":"/"}}`
	}
	taken := map[string]string{
		"VirtualService/vsvc-order spec.http[primary].route[0]":             `{"destination":{"host":"order","subset":"stable"},"weight":80}`,
		"VirtualService/vsvc-order spec.http[primary].route[1]":             `{"destination":{"host":"order","subset":"canary"},"weight":20}`,
		"VirtualService/vsvc-order-mesh spec.http[writes].route":            `[{"destination":{"host":"order.default.svc.cluster.local","subset":"stable"},"weight":80},{"destination":{"host":"order.default.svc.cluster.local","subset":"canary"},"weight":20}]`,
		"VirtualService/vsvc-order spec.http[1].name":                       "primary",
		"VirtualService/vsvc-order spec.http[writes].route[1].weight":       "20",
		"VirtualService/vsvc-order-mesh spec.http[primary].route[1].weight": "20",
		"VirtualService/vsvc-order spec.http[primary].rewrite":              "",
		"DestinationRule/destrule-order spec.subsets[1].labels":             `{"app":"order","track":"canary"}`,
	}
	run(t, []example{
		{name: "subsets called stable and canary map by name, at the gateway and in the mesh",
			canvas: []element{routesTo("vsvc-order", split("stable-v1", "canary-v1"))}, want: taken, mute: []string{"does not say"}},
		{name: "v1 is stable and the other one is the canary",
			canvas: []element{routesTo("vs-order", split("v1", "v2"))}, want: taken, mute: []string{"does not say"}},
		{name: "other names map by order, with a warning",
			canvas: []element{routesTo("vs-order", split("v3", "v4"))}, want: taken, warn: []string{`subset "v3" does not say`, `subset "v4" does not say`}},
		{name: "the order of the routes does not matter where names tell",
			canvas: []element{routesTo("vs-order", changed(split("canary", "stable"), `:80`, `:20`, `:20`, `:80`))}, want: taken},
		{name: "an empty host is filled from the name", want: taken, warn: []string{"empty host is filled: order"},
			canvas: []element{routesTo("vsvc-order", changed(split("stable", "canary"), `"host":"order"`, `"host":""`))}},
		{name: "an empty host is filled from the arrow to the subset", want: taken, arrows: []string{"v s", "v c"},
			canvas: []element{{id: "v", typ: "VirtualService", object: routesTo("canary", changed(split("stable", "canary"), `"host":"order"`, `"host":""`)).object},
				{id: "d", typ: "DestinationRule", object: istioObject("DestinationRule", "drule-order", `{"host":"","subsets":[{"name":"stable"},{"name":"canary"}]}`)},
				{id: "s", typ: "DestinationRuleSubset", more: `"name":"stable","parentId":"d",`}, {id: "c", typ: "DestinationRuleSubset", more: `"name":"canary","parentId":"d",`}}},
		{name: "weights that do not add up to 100 are scaled", want: taken, warn: []string{"add up to 10; they are scaled"},
			canvas: []element{routesTo("vsvc-order", changed(split("stable", "canary"), `:80`, `:"8"`, `:20`, `:"2"`))}},
		{name: "of two VirtualServices that disagree the first stands", want: taken, warn: []string{"vs-order: its weights stable 50, canary 50 are not taken over"},
			canvas: []element{routesTo("vsvc-order", split("stable", "canary")), routesTo("vs-order", changed(split("stable", "canary"), `:80`, `:50`, `:20`, `:50`))}},
		{name: "routes repeated without weights are the default",
			canvas: []element{routesTo("vsvc-order", `{"route":[{"destination":{"host":"order"}},{"destination":{"host":"order"}},{"destination":{"host":"order"}}]}`)},
			want:   map[string]string{"VirtualService/vsvc-order spec.http[primary].route[0].weight": "100"}, warn: []string{"1 of 3 are left"}},
		{name: "three subsets become two tracks",
			canvas: []element{routesTo("vsvc-order", `{"route":[{"destination":{"host":"order","subset":"v1"},"weight":60},{"destination":{"host":"order","subset":"v2"},"weight":30},{"destination":{"host":"order","subset":"v3"},"weight":10}]}`)},
			want:   map[string]string{"VirtualService/vsvc-order spec.http[primary].route[1].weight": "40"}},
	})
}

func TestRoutes(t *testing.T) {
	toOrder := `"route":[{"destination":{"host":"order"}}]`
	primary := `[{"uri":{"exact":"/orders"}},{"uri":{"prefix":"/orders/"}}]`
	run(t, []example{
		{name: "a path that the context serves is dropped",
			canvas: []element{routesTo("vs-order", `{"match":[{"uri":{"prefix":"/orders/"}},{"uri":{"exact":"/orders/1"}}],`+toOrder+`}`)},
			want:   map[string]string{"VirtualService/vsvc-order spec.http[primary].match": primary, "VirtualService/vsvc-order spec.http[2]": "", "VirtualService/vs-order": "gone"},
			warn:   []string{"path /orders is dropped", "path /orders/1 is dropped"}},
		{name: "a path beside a null uri is repaired",
			canvas: []element{routesTo("vs-order", `{"match":[{"uri":null,"prefix":"/api/orders"}],`+toOrder+`}`)},
			want:   map[string]string{"VirtualService/vsvc-order spec.http[primary].match[2].uri.exact": "/api/orders"}, warn: []string{"it becomes uri.prefix"}},
		{name: "a path of one's own is a further, segment-safe match",
			canvas: []element{routesTo("vs-order", `{"match":[{"uri":{"prefix":"/api/x"}}],`+toOrder+`}`)},
			want: map[string]string{"VirtualService/vsvc-order spec.http[primary].match[2].uri.exact": "/api/x", "VirtualService/vsvc-order spec.http[primary].match[3].uri.prefix": "/api/x/",
				"VirtualService/vsvc-order spec.http[primary].match[0].uri.exact": "/orders"},
			mute: []string{"ambiguous"}},
		{name: "a path that another context serves is ambiguous",
			canvas: []element{routesTo("vs-order", `{"match":[{"uri":{"prefix":"/items"}}],`+toOrder+`}`)}, warn: []string{"path /items is ambiguous: catalog serves /items"}},
		{name: "a path with a rewrite of its own is a rule of its own",
			canvas: []element{routesTo("vs-order", `{"name":"legacy","match":[{"uri":{"prefix":"/old/"}}],"rewrite":{"uri":"/orders/"},`+toOrder+`}`)},
			want: map[string]string{"VirtualService/vsvc-order spec.http[0].name": "legacy", "VirtualService/vsvc-order spec.http[0].rewrite.uri": "/orders/",
				"VirtualService/vsvc-order spec.http[1].name": "writes", "VirtualService/vsvc-order spec.http[2].match": primary}},
	})
}

func TestConditions(t *testing.T) {
	toOrder := `"route":[{"destination":{"host":"order"}}]`
	run(t, []example{
		{name: "a header condition without a path gets the context's paths and goes first",
			canvas: []element{routesTo("vs-order", `{"match":[{"headers":{"user-agent":{"regex":".*Firefox.*"}}}],"route":[{"destination":{"host":"order","subset":"v2"}}]},{`+toOrder+`}`),
				on("DestinationRule", istioObject("DestinationRule", "destrule-order", `{"host":"order","subsets":[{"name":"v1","labels":{"version":"v1"}},{"name":"v2","labels":{"version":"v2"}}]}`))},
			want: map[string]string{"VirtualService/vsvc-order spec.http[0]": `{"match":[{"headers":{"user-agent":{"regex":".*Firefox.*"}},"uri":{"exact":"/orders"}},{"headers":{"user-agent":{"regex":".*Firefox.*"}},"uri":{"prefix":"/orders/"}}],"name":"canvas-1","route":[{"destination":{"host":"order","subset":"canary"}}]}`,
				"VirtualService/vsvc-order spec.http[2].name": "primary", "VirtualService/vsvc-order-mesh spec.http[1].name": "primary"},
			warn: []string{"a rule with headers is taken over into vsvc-order as canvas-1"}},
		{name: "a condition with a path of the context keeps both, segment-safe",
			canvas: []element{routesTo("vs-order", `{"name":"writes","match":[{"uri":{"prefix":"/orders"},"method":{"exact":"POST"}}],"timeout":"3s",`+toOrder+`}`)},
			want: map[string]string{"VirtualService/vsvc-order spec.http[0].match": `[{"method":{"exact":"POST"},"uri":{"exact":"/orders"}},{"method":{"exact":"POST"},"uri":{"prefix":"/orders/"}}]`,
				"VirtualService/vsvc-order spec.http[0].timeout": "3s", "VirtualService/vsvc-order spec.http[0].name": "canvas-1",
				"VirtualService/vsvc-order spec.http[0].route[1].weight": "0"}},
		{name: "a timeout for all paths goes into the generated rule, which stays reachable",
			canvas: []element{routesTo("vs-order", `{"match":[{"uri":{"prefix":"/"}}],"rewrite":{"uri":"/"},"timeout":"3","retries":{"attempts":3,"perTryTimeout":"2s"},`+toOrder+`}`)},
			want: map[string]string{"VirtualService/vsvc-order spec.http[primary].timeout": "3s", "VirtualService/vsvc-order spec.http[primary].retries.attempts": "3",
				"VirtualService/vsvc-order spec.http[writes].timeout": "3s", "VirtualService/vsvc-order spec.http[writes].retries.attempts": "0", "VirtualService/vsvc-order spec.http[2]": ""},
			warn: []string{"retries are not taken over for POST and PATCH of order"}},
		{name: "a timeout for one of the context's paths is a rule before the generated one",
			canvas: []element{routesTo("vs-catalog", `{"match":[{"uri":{"prefix":"/items"}}],"timeout":"3s","route":[{"destination":{"host":"catalog"}}]}`)},
			want:   map[string]string{"VirtualService/vsvc-catalog spec.http[0].match": `[{"uri":{"exact":"/items"}},{"uri":{"prefix":"/items/"}}]`, "VirtualService/vsvc-catalog spec.http[2].name": "primary"}},
		{name: "what the original's topping wrote for a path loses its rewrite and gets the context's own paths",
			canvas: []element{routesTo("vs-catalog", `{"match":[{"uri":{"exact":"/catalogs"},"method":{"exact":"GET"}}],"rewrite":{"uri":"/"},"route":[{"destination":{"host":"catalog"}}]}`)},
			want: map[string]string{"VirtualService/vsvc-catalog spec.http[0].match": `[{"method":{"exact":"GET"},"uri":{"exact":"/items"}},{"method":{"exact":"GET"},"uri":{"prefix":"/items/"}},{"method":{"exact":"GET"},"uri":{"exact":"/tags"}},{"method":{"exact":"GET"},"uri":{"prefix":"/tags/"}}]`,
				"VirtualService/vsvc-catalog spec.http[0].rewrite": ""}},
		{name: "a condition on a path of one's own keeps its rewrite",
			canvas: []element{routesTo("vs-order", `{"match":[{"uri":{"prefix":"/api/"},"port":80}],"rewrite":{"uri":"/"},`+toOrder+`}`)},
			want:   map[string]string{"VirtualService/vsvc-order spec.http[0].match": `[{"port":80,"uri":{"prefix":"/api/"}}]`, "VirtualService/vsvc-order spec.http[0].rewrite.uri": "/"}},
		{name: "a gateway prefix is kept by the rules that get the context's paths",
			settings: func(s *deploy.Settings) {
				s.Services = map[string]deploy.ServiceSettings{"order": {PathPrefix: "/shop"}}
			},
			canvas: []element{routesTo("vs-order", `{"match":[{"headers":{"a":{"exact":"b"}}}],`+toOrder+`}`)},
			want: map[string]string{"VirtualService/vsvc-order spec.http[0].match[1].uri.prefix": "/shop/orders/", "VirtualService/vsvc-order spec.http[0].rewrite.uriRegexRewrite.match": "^/shop(/.*)$",
				"VirtualService/vsvc-order spec.http[0].match[1].headers.a.exact": "b"}},
		{name: "for a context behind no gateway the default rule is left out and others survive",
			settings: func(s *deploy.Settings) {
				no := false
				s.Services = map[string]deploy.ServiceSettings{"catalog": {Exposed: &no}}
			},
			canvas: []element{routesTo("vs-catalog", `{"match":[{"uri":{"prefix":"/"}}],"rewrite":{"uri":"/"},"route":[{"destination":{"host":"catalog"}}]},{"match":[{"uri":{"prefix":"/items"}}],"route":[{"destination":{"host":"catalog","subset":"v1"}}]}`)},
			want: map[string]string{"VirtualService/vs-catalog spec.http[1]": "", "VirtualService/vs-catalog spec.http[0].route[0].destination": `{"host":"catalog","subset":"stable"}`,
				"VirtualService/vs-catalog spec.gateways": `["main-gw"]`},
			warn: []string{"the default rule (prefix / with rewrite /) for catalog is left out"}},
		{name: "a redirect is a rule before the generated one",
			canvas: []element{routesTo("vs-order", `{"match":[{"uri":{"exact":"/buy"}}],"redirect":{"uri":"/orders"}}`)},
			want:   map[string]string{"VirtualService/vsvc-order spec.http[0].redirect.uri": "/orders", "VirtualService/vsvc-order spec.http[0].route": ""}},
		{name: "a mirror without a host goes to the canary",
			canvas: []element{routesTo("vsvc-order", `{`+toOrder+`,"mirror":{"host":"","subset":"canary-v1"},"mirrorPercent":10}`)},
			want:   map[string]string{"VirtualService/vsvc-order spec.http[writes].mirror": `{"host":"order","subset":"canary"}`, "VirtualService/vsvc-order spec.http[primary].mirrorPercentage.value": "10"}},
	})
}

func TestWhatIsLeftOfVirtualServices(t *testing.T) {
	toOrder := `"route":[{"destination":{"host":"order"}}]`
	run(t, []example{
		{name: "one VirtualService for all contexts folds rule by rule",
			canvas: []element{routesTo("shop", `{"match":[{"uri":{"prefix":"/orders"}}],`+toOrder+`},{"match":[{"uri":{"prefix":"/books"}}],"timeout":"1s","route":[{"destination":{"host":"bookmanagement"}}]}`)},
			want:   map[string]string{"VirtualService/shop": "gone", "VirtualService/vsvc-book-management spec.http[0].timeout": "1s"}},
		{name: "the default rule to several contexts is left out",
			canvas: []element{routesTo("canary", `{"route":[{"destination":{"host":"order"}},{"destination":{"host":"catalog"}}],"match":[{"uri":{"prefix":"/"}}],"rewrite":{"uri":"/"}}`)},
			want:   map[string]string{"VirtualService/canary": "gone"}, warn: []string{"routes to several services is left out"}},
		{name: "a split over several services survives",
			canvas: []element{routesTo("halves", `{"match":[{"uri":{"prefix":"/both"}}],"route":[{"destination":{"host":"order"},"weight":50},{"destination":{"host":"bookmanagement"},"weight":50}]}`)},
			want:   map[string]string{"VirtualService/halves spec.http[0].route[1].destination.host": "book-management", "VirtualService/halves apiVersion": "networking.istio.io/v1"}},
		{name: "rules for callers in the mesh go into the mesh's VirtualService",
			canvas: []element{on("VirtualService", istioObject("VirtualService", "vs-order-network-rule", `{"hosts":["order"],"http":[{`+toOrder+`,"timeout":"3s"}]}`))},
			want:   map[string]string{"VirtualService/vsvc-order-mesh spec.http[0].timeout": "3s", "VirtualService/vsvc-order spec.http[0].timeout": ""}},
		{name: "rules in the mesh for a context that nobody calls survive with the full host",
			canvas: []element{on("VirtualService", istioObject("VirtualService", "vs-catalog", `{"hosts":["catalog"],"http":[{"route":[{"destination":{"host":"catalog","subset":"v1"}}],"timeout":"3s"}]}`))},
			want:   map[string]string{"VirtualService/vs-catalog spec.hosts[0]": "catalog.default.svc.cluster.local", "VirtualService/vs-catalog spec.http[0].route[0].destination": `{"host":"catalog","subset":"stable"}`}},
		{name: "hosts other than all are taken over",
			canvas: []element{on("VirtualService", istioObject("VirtualService", "vs-order", `{"hosts":["shop.example.com"],"gateways":["main-gw"],"http":[{`+toOrder+`}]}`))},
			want:   map[string]string{"VirtualService/vsvc-order spec.hosts": `["shop.example.com"]`}},
		{name: "routes to another system survive",
			canvas: []element{routesTo("pay", `{"match":[{"uri":{"prefix":"/pay"}}],"route":[{"destination":{"host":"pay.example.com"}}]}`)},
			want:   map[string]string{"VirtualService/pay spec.http[0].route[0].destination.host": "pay.example.com"}},
		{name: "a rule that routes nowhere is left out",
			canvas: []element{routesTo("empty", `{"name":"","route":[]}`)},
			want:   map[string]string{"VirtualService/empty": "gone"}, warn: []string{"it routes nowhere"}},
		{name: "what survives of a VirtualService with a generated name gets another one",
			canvas: []element{routesTo("vsvc-order", `{`+toOrder+`},{"match":[{"uri":{"prefix":"/pay"}}],"route":[{"destination":{"host":"pay.example.com"}}]}`)},
			want:   map[string]string{"VirtualService/vsvc-order-canvas-1 spec.http[1]": "", "VirtualService/vsvc-order spec.http[1].name": "primary"}},
		{name: "without the Istio topping everything survives",
			settings: func(s *deploy.Settings) { s.Toppings = []string{"kubernetes"} },
			canvas:   []element{routesTo("vs-order", `{`+toOrder+`,"timeout":"1s"}`)},
			want:     map[string]string{"VirtualService/vs-order spec.http[0].timeout": "1s", "VirtualService/vs-order metadata.namespace": "default"}},
		{name: "an older Istio gets the versions it has",
			settings: func(s *deploy.Settings) { s.IstioVersion = "1.18" },
			canvas:   []element{routesTo("pay", `{"route":[{"destination":{"host":"pay.example.com"}}]}`)},
			want:     map[string]string{"VirtualService/pay apiVersion": "networking.istio.io/v1beta1"}},
	})
}

func TestGateways(t *testing.T) {
	gw := func(name, servers string) element {
		return on("Gateway", istioObject("Gateway", name, `{"selector":{"istio":"ingressgateway"},"servers":[`+servers+`]}`))
	}
	standard := `{"port":{"number":80,"name":"","protocol":"HTTP"},"hosts":["*"]}`
	https := `{"port":{"number":443,"name":"https","protocol":"HTTPS"},"hosts":["*"],"tls":{"mode":"SIMPLE","credentialName":"cert"}}`
	run(t, []example{
		{name: "a default Gateway folds whatever its name",
			canvas: []element{gw("mall-gateway", standard)},
			want:   map[string]string{"Gateway/mall-gateway": "gone"}, warn: []string{"folded into Gateway/main-gw"}},
		{name: "hosts, ports and TLS are edits",
			canvas: []element{gw("shop-gw", changed(standard, `"*"`, `"shop.example.com"`)+","+https)},
			want: map[string]string{"Gateway/main-gw spec.servers[0].hosts": `["shop.example.com"]`, "Gateway/main-gw spec.servers[1].tls.credentialName": "cert",
				"Gateway/main-gw spec.servers[1].port": `{"name":"https","number":443,"protocol":"HTTPS"}`}},
		{name: "a second Gateway with ports of its own survives, and routes through it too",
			canvas: []element{gw("main-gw", standard), gw("admin-gw", changed(https, "443", "8443")),
				on("VirtualService", istioObject("VirtualService", "admin", `{"hosts":["*"],"gateways":["admin-gw"],"http":[{"route":[{"destination":{"host":"order"}}]}]}`))},
			want: map[string]string{"Gateway/admin-gw spec.servers[0].port.number": "8443", "VirtualService/admin spec.gateways": `["admin-gw"]`, "Gateway/main-gw spec.servers[1]": ""}},
		{name: "a Gateway with another selector survives",
			canvas: []element{on("Gateway", istioObject("Gateway", "egress", `{"selector":{"istio":"egressgateway"},"servers":[`+standard+`]}`))},
			want:   map[string]string{"Gateway/egress spec.selector.istio": "egressgateway", "Gateway/main-gw spec.selector.istio": "ingressgateway"}},
	})
}

func TestDestinationRules(t *testing.T) {
	rule := func(name, spec string) element {
		return on("DestinationRule", istioObject("DestinationRule", name, spec))
	}
	run(t, []example{
		{name: "the traffic policy is kept, and consecutiveErrors is called as it is today",
			canvas: []element{rule("dr-order", `{"host":"order.default.svc.cluster.local","trafficPolicy":{"loadBalancer":{"simple":"ROUND_ROBIN"},"outlierDetection":{"consecutiveErrors":1,"interval":"10","baseEjectionTime":"3m","maxEjectionPercent":100}}}`)},
			want: map[string]string{"DestinationRule/destrule-order spec.trafficPolicy.outlierDetection": `{"baseEjectionTime":"3m","consecutive5xxErrors":1,"interval":"10s","maxEjectionPercent":100}`,
				"DestinationRule/destrule-order spec.trafficPolicy.loadBalancer.simple": "ROUND_ROBIN", "DestinationRule/dr-order": "gone"},
			warn: []string{"it becomes consecutive5xxErrors"}},
		{name: "subsets are not kept, their policies go to the track",
			canvas: []element{rule("drule-order", `{"host":"","subsets":[{"name":"v3","labels":{"version":"v3"}},{"name":"v4","labels":{"version":"v4"},"trafficPolicy":{"connectionPool":{"tcp":{"maxConnections":"5"}}}}]}`)},
			want:   map[string]string{"DestinationRule/destrule-order spec.subsets": `[{"labels":{"app":"order","track":"stable"},"name":"stable"},{"labels":{"app":"order","track":"canary"},"name":"canary","trafficPolicy":{"connectionPool":{"tcp":{"maxConnections":5}}}}]`},
			warn:   []string{"v3 is stable, v4 is canary"}},
		{name: "an empty host is told by who routes to the subsets",
			canvas: []element{rule("drule", `{"host":"","subsets":[{"name":"blue"}],"trafficPolicy":{"tls":{"mode":"ISTIO_MUTUAL"}}}`),
				routesTo("vsvc-catalog", `{"route":[{"destination":{"host":"","subset":"blue"}}]}`)},
			want: map[string]string{"DestinationRule/destrule-catalog spec.trafficPolicy.tls.mode": "ISTIO_MUTUAL"}},
		{name: "an empty host that nothing tells is left out",
			canvas: []element{rule("drule", `{"host":"","subsets":[]}`)}, want: map[string]string{"DestinationRule/drule": "gone"}, warn: []string{"its host is empty"}},
		{name: "a rule for another system survives",
			canvas: []element{rule("google", `{"host":"*.googleapis.com","subsets":[],"trafficPolicy":{"tls":{"mode":"SIMPLE"}}}`)},
			want:   map[string]string{"DestinationRule/google spec.host": "*.googleapis.com", "DestinationRule/google spec.subsets": ""}},
		{name: "two rules for one context: the first part stands",
			canvas: []element{rule("a-order", `{"host":"order","trafficPolicy":{"tls":{"mode":"DISABLE"}}}`), rule("b-order", `{"host":"order","trafficPolicy":{"tls":{"mode":"SIMPLE"},"loadBalancer":{"simple":"RANDOM"}}}`)},
			want:   map[string]string{"DestinationRule/destrule-order spec.trafficPolicy": `{"loadBalancer":{"simple":"RANDOM"},"tls":{"mode":"DISABLE"}}`},
			warn:   []string{"b-order: trafficPolicy.tls is not taken over"}},
		{name: "fields that Istio does not have are removed, wrong types leave the object out",
			canvas: []element{rule("drule-order", `{"host":"order","trafficPolicy":{"loadBalancer":{"simple":"RANDOM","fast":true}}}`), rule("drule-catalog", `{"host":"catalog","trafficPolicy":{"loadBalancer":{"simple":"QUICK"}}}`)},
			want:   map[string]string{"DestinationRule/destrule-order spec.trafficPolicy": `{"loadBalancer":{"simple":"RANDOM"}}`, "DestinationRule/destrule-catalog spec.trafficPolicy": ""},
			warn:   []string{"spec.trafficPolicy.loadBalancer.fast", "drule-catalog: left out: spec.trafficPolicy.loadBalancer.simple"}},
	})
}
