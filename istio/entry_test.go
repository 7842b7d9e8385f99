package istio_test

import (
	"slices"
	"strings"
	"testing"

	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"

	"github.com/meshstorm/meshstorm/istio"
)

const tlsGateway = `---
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: shop, namespace: shop}
spec:
  selector: {istio: ingressgateway}
  servers:
  - {port: {number: 80, name: http, protocol: HTTP}, hosts: ["*.example"], tls: {httpsRedirect: true}}
  - {port: {number: 443, name: one, protocol: HTTPS}, hosts: [shop.example], tls: {mode: SIMPLE, credentialName: one}}
  - {port: {number: 443, name: any, protocol: HTTPS}, hosts: ["*.wild.example"], tls: {mode: SIMPLE, credentialName: any}}
  - {port: {number: 443, name: pass, protocol: TLS}, hosts: [bank.example], tls: {mode: PASSTHROUGH}}
  - {port: {number: 8081, name: odd, protocol: HTTP}, hosts: ["*"]}
  - {port: {number: 31400, name: tcp, protocol: TCP}, hosts: ["*"]}
`

// callers is a mesh with services of several protocols.
func callers() string {
	return service("order", "shop", "v1") + service("client", "shop", "v1") + `---
apiVersion: v1
kind: Service
metadata: {name: kafka, namespace: shop}
spec: {selector: {app: order}, ports: [{name: tcp-kafka, port: 9092}]}
---
apiVersion: v1
kind: Service
metadata: {name: sniffed, namespace: shop}
spec: {selector: {app: order}, ports: [{name: whatever, port: 7000}]}
`
}

func TestEntryFindsTheRouteConfiguration(t *testing.T) {
	routes := virtualService("order", "shop", `
  hosts: [shop.example, a.wild.example, other.example]
  gateways: [shop]
  http: [{route: [{destination: {host: order}}]}]`) + virtualService("bank", "shop", `
  hosts: [bank.example]
  gateways: [shop]
  tls: [{match: [{sniHosts: [bank.example]}], route: [{destination: {host: order}}]}]
  tcp: [{match: [{port: 31400}], route: [{destination: {host: order}}]}]`)
	m := newMesh(t, tlsGateway+routes+callers())
	tests := []struct {
		name, from             string
		target                 istio.Target
		routes, why, listener  string
		cluster                string
		redirectsToHTTPSInHost bool
	}{
		{"a Service's port leads to the pods' port", "gateway", istio.Target{Scheme: "http", Host: "shop.example", Port: 80},
			"http.8080", "", "0.0.0.0_8080", "", true},
		{"an exact server name", "gateway", istio.Target{Scheme: "https", Host: "shop.example", Port: 443},
			"https.443.one.shop.shop", "", "0.0.0.0_8443", "", false},
		{"a server name in capitals", "gateway", istio.Target{Scheme: "https", Host: "SHOP.example", Port: 443},
			"https.443.one.shop.shop", "", "0.0.0.0_8443", "", false},
		{"a wildcard server name", "gateway", istio.Target{Scheme: "https", Host: "a.wild.example", Port: 443},
			"https.443.any.shop.shop", "", "0.0.0.0_8443", "", false},
		{"TLS without a server for the name", "gateway", istio.Target{Scheme: "https", Host: "nobody.example", Port: 443},
			"", `no server on port 443`, "0.0.0.0_8443", "", false},
		{"TLS that is passed through", "gateway", istio.Target{Scheme: "https", Host: "bank.example", Port: 443},
			"", "passed through", "0.0.0.0_8443", "outbound|8080||order.shop.svc.cluster.local", false},
		{"plain HTTP to a TLS server", "gateway", istio.Target{Scheme: "http", Host: "shop.example", Port: 443},
			"", "expects TLS", "0.0.0.0_8443", "", false},
		{"TLS to a plain server", "gateway", istio.Target{Scheme: "https", Host: "shop.example", Port: 80},
			"", "speaks plain HTTP", "0.0.0.0_8080", "", false},
		{"TCP", "gateway", istio.Target{Scheme: "http", Host: "shop.example", Port: 31400},
			"", "is TCP", "0.0.0.0_31400", "outbound|8080||order.shop.svc.cluster.local", false},
		{"a server on a port that the Service does not expose", "gateway", istio.Target{Scheme: "http", Host: "x", Port: 8081},
			"", "does not expose port 8081", "0.0.0.0_8081", "", false},
		{"an exposed port without a server", "gateway", istio.Target{Scheme: "http", Host: "x", Port: 15443},
			"", "no Gateway with a server", "", "", false},
		{"a gateway without any server", "gateway:istio-egressgateway", istio.Target{Scheme: "http", Host: "x", Port: 80},
			"", "no Gateway with a server", "", "", false},
		{"a service by its short name", "client", istio.Target{Scheme: "http", Host: "order", Port: 8080},
			"8080", "", "0.0.0.0_8080", "", false},
		{"a host that is no service, on a port that is known", "client", istio.Target{Scheme: "http", Host: "web.example", Port: 8080},
			"8080", "", "0.0.0.0_8080", "", false},
		{"a port whose protocol is sniffed", "client", istio.Target{Scheme: "http", Host: "sniffed.shop", Port: 7000},
			"sniffed.shop.svc.cluster.local:7000", "", "10.96.0.", "", false},
		{"TLS on a port whose protocol is sniffed", "client", istio.Target{Scheme: "https", Host: "sniffed.shop", Port: 7000},
			"", "TLS", "10.96.0.", "outbound|7000||sniffed.shop.svc.cluster.local", false},
		{"a TCP service", "client", istio.Target{Scheme: "http", Host: "kafka", Port: 9092},
			"", "TCP", "10.96.0.", "outbound|9092||kafka.shop.svc.cluster.local", false},
		{"a host and port that nothing knows", "client", istio.Target{Scheme: "http", Host: "web.example", Port: 1234},
			"", "ALLOW_ANY", "virtualOutbound", "PassthroughCluster", false},
		{"a port that a service does not have", "client", istio.Target{Scheme: "http", Host: "order", Port: 1234},
			"", "has no port 1234", "virtualOutbound", "PassthroughCluster", false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			e := configOf(t, m, test.from).Entry(test.target)
			if e.Routes.GetName() != test.routes || (test.why == "") != (e.Why == "") || !strings.Contains(e.Why, test.why) {
				t.Errorf("got route configuration %q because %q, want %q because %q", e.Routes.GetName(), e.Why, test.routes, test.why)
			}
			if !strings.HasPrefix(e.Listener.GetName(), test.listener) || test.listener == "" && e.Listener != nil {
				t.Errorf("got listener %q, want %q", e.Listener.GetName(), test.listener)
			}
			if e.Cluster != test.cluster {
				t.Errorf("got cluster %q, want %q", e.Cluster, test.cluster)
			}
			redirects := slices.ContainsFunc(e.Routes.GetVirtualHosts(), func(vh *routev3.VirtualHost) bool {
				return vh.RequireTls == routev3.VirtualHost_ALL
			})
			if redirects != test.redirectsToHTTPSInHost {
				t.Errorf("redirects to https: %v", redirects)
			}
		})
	}
}

func TestUnknownHostsAreClosedWhereOnlyTheRegistryCounts(t *testing.T) {
	m := newMesh(t, callers()+`---
apiVersion: v1
kind: ConfigMap
metadata: {name: istio, namespace: istio-system}
data: {mesh: "outboundTrafficPolicy: {mode: REGISTRY_ONLY}"}
`)
	e := configOf(t, m, "client").Entry(istio.Target{Scheme: "http", Host: "web.example", Port: 1234})
	if e.Cluster != "BlackHoleCluster" || !strings.Contains(e.Why, "REGISTRY_ONLY") {
		t.Errorf("got %q because %q", e.Cluster, e.Why)
	}
}

func TestASidecarResourceHidesServices(t *testing.T) {
	m := newMesh(t, service("client", "shop", "v1")+service("order", "shop", "v1")+service("far", "other", "v1")+
		object("Sidecar", "default", "shop", `  egress: [{hosts: ["./*", "istio-system/*"]}]`))
	c := configOf(t, m, "client")
	if c.Cluster("outbound|8080||order.shop.svc.cluster.local") == nil {
		t.Error("expected a cluster for the service of the own namespace")
	}
	if c.Cluster("outbound|8080||far.other.svc.cluster.local") != nil {
		t.Error("expected no cluster for the service that the Sidecar leaves out")
	}
}

func TestAServiceEntryMakesAHostKnown(t *testing.T) {
	m := newMesh(t, service("client", "shop", "v1")+
		object("ServiceEntry", "pay", "shop", `
  hosts: [pay.example]
  ports: [{number: 80, name: http, protocol: HTTP}]
  resolution: DNS
  location: MESH_EXTERNAL`)+
		object("ServiceEntry", "vm", "shop", `
  hosts: [vm.example]
  ports: [{number: 80, name: http, protocol: HTTP}]
  resolution: STATIC
  workloadSelector: {labels: {app: vm}}`)+
		object("WorkloadEntry", "vm-1", "shop", "  address: 192.0.2.7\n  labels: {app: vm}"))
	c := configOf(t, m, "client")
	e := c.Entry(istio.Target{Scheme: "http", Host: "pay.example", Port: 80})
	equal(t, "routes", lines(c, e.Routes, "pay.example"), []string{`"default" from istio: / -> outbound|80||pay.example`})
	if _, ok := m.Workloads(c, "outbound|80||pay.example"); ok {
		t.Error("expected the endpoints of a DNS cluster to be unknown")
	}
	w, ok := m.Workloads(c, "outbound|80||vm.example")
	if !ok || len(w) != 1 || w[0].Name != "vm-1" || w[0].Kind != "WorkloadEntry" || w[0].Address != "192.0.2.7" || w[0].Document == nil {
		t.Errorf("got %v %v, want the WorkloadEntry vm-1", w, ok)
	}
}
