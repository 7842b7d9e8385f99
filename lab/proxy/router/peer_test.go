package router_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"io"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/meshstorm/meshstorm/lab/proxy/fields/fieldstest"
	"github.com/meshstorm/meshstorm/lab/proxy/flow"
	"github.com/meshstorm/meshstorm/lab/proxy/router"
	"github.com/meshstorm/meshstorm/lab/proxy/telemetry"
	"github.com/meshstorm/meshstorm/lab/proxy/upstream"
)

const routerOnly = `{"name":"envoy.filters.http.router","typedConfig":{"@type":"type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"}}`

// manage makes a router of its own from a connection manager in JSON.
func manage(t *testing.T, manager string, clusters *upstream.Clusters, workload string) *router.Router {
	t.Helper()
	hcm := &hcmv3.HttpConnectionManager{}
	unmarshal(t, manager, hcm)
	metadata, err := structpb.NewStruct(map[string]any{"NAME": workload + "-1", "NAMESPACE": "default", "WORKLOAD_NAME": workload})
	if err != nil {
		t.Fatal(err)
	}
	tel := telemetry.New(telemetry.Options{Out: io.Discard, Node: &corev3.Node{Id: "sidecar~10.244.0.4~" + workload + "-1.default~default.svc.cluster.local", Metadata: metadata}})
	r, err := router.New(hcm, router.Options{Clusters: clusters, Telemetry: tel})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func inline(route string) string {
	return `"routeConfig":{"name":"r","virtualHosts":[{"name":"v","domains":["*"],"routes":[` + route + `]}]}`
}

func TestRoutesWithinTheManager(t *testing.T) {
	t.Parallel()
	r := manage(t, `{`+inline(`{"match":{"prefix":"/"},"directResponse":{"status":202}}`)+`,"httpFilters":[`+routerOnly+`]}`, upstream.New(upstream.Options{}), "a")
	w := httptest.NewRecorder()
	r.ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
	if w.Code != 202 {
		t.Errorf("status %d, want 202", w.Code)
	}
	r.SetRoutes(nil)
	w = httptest.NewRecorder()
	r.ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
	if w.Code != 404 {
		t.Errorf("status %d without routes, want 404", w.Code)
	}
}

func peers(what string) string {
	return `{"name":"istio.metadata_exchange","typedConfig":{"@type":"type.googleapis.com/udpa.type.v1.TypedStruct","typeUrl":"type.googleapis.com/io.istio.http.peer_metadata.Config","value":{` + what + `}}}`
}

func TestPeers(t *testing.T) {
	t.Parallel()
	const (
		sidecar = `"upstream_discovery":[{"istio_headers":{}},{"workload_discovery":{}}],"upstream_propagation":[{"istio_headers":{}}]`
		inbound = `"downstream_discovery":[{"istio_headers":{}},{"workload_discovery":{}}],"downstream_propagation":[{"istio_headers":{}}]`
		outside = `"upstream_propagation":[{"istio_headers":{"skip_external_clusters":true}}]`
	)
	// The application sees no metadata; its proxy answers with its own.
	app := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("X-Envoy-Peer-Metadata-Id") != "" {
			w.WriteHeader(500)
		}
	})
	clusters := upstream.New(upstream.Options{})
	clusters.Update(snapshot(t, &setup{handlers: handlers(app)}))
	server := manage(t, `{`+inline(toA)+`,"httpFilters":[`+peers(inbound)+`,`+routerOnly+`]}`, clusters, "order")
	var told http.Header
	watch := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		told = r.Header.Clone()
		server.ServeHTTP(w, r)
	})
	t.Run("the server's proxy", func(t *testing.T) {
		w := httptest.NewRecorder()
		req := httptest.NewRequest("GET", "/", nil)
		req.Header.Set("X-Envoy-Peer-Metadata-Id", "sidecar~10.244.0.9~x-1.default~d")
		server.ServeHTTP(w, req)
		if w.Code != 200 || !strings.Contains(w.Header().Get("X-Envoy-Peer-Metadata-Id"), "order-1") {
			t.Errorf("%d, %v", w.Code, w.Header())
		}
		w = httptest.NewRecorder()
		server.ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
		if w.Header().Get("X-Envoy-Peer-Metadata-Id") != "" {
			t.Error("a client that told nothing is told of the workload")
		}
	})
	t.Run("the client's proxy", func(t *testing.T) {
		between := upstream.New(upstream.Options{})
		between.Update(snapshot(t, &setup{handlers: handlers(watch), clusters: map[string]string{"b": `"metadata":{"filterMetadata":{"istio":{"external":true}}}`}}))
		client := manage(t, `{`+inline(toA)+`,"httpFilters":[`+peers(sidecar)+`,`+routerOnly+`]}`, between, "delivery")
		w := httptest.NewRecorder()
		client.ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
		if w.Code != 200 || !strings.Contains(told.Get("X-Envoy-Peer-Metadata-Id"), "delivery-1") {
			t.Errorf("%d; the server's proxy was told %v", w.Code, told)
		}
		if w.Header().Get("X-Envoy-Peer-Metadata") != "" {
			t.Error("the application learns what is meant for its proxy")
		}
	})
	t.Run("hosts outside of the mesh are told nothing", func(t *testing.T) {
		var told http.Header
		away := upstream.New(upstream.Options{})
		away.Update(snapshot(t, &setup{clusters: map[string]string{"a": `"metadata":{"filterMetadata":{"istio":{"external":true}}}`},
			handlers: handlers(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { told = r.Header.Clone() }))}))
		client := manage(t, `{`+inline(toA)+`,"httpFilters":[`+peers(outside)+`,`+routerOnly+`]}`, away, "delivery")
		client.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil))
		if told == nil || told.Get("X-Envoy-Peer-Metadata-Id") != "" {
			t.Errorf("told %v", told)
		}
	})
}

func TestClientCertificate(t *testing.T) {
	t.Parallel()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	id, _ := url.Parse("spiffe://cluster.local/ns/default/sa/order")
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "order"}, DNSNames: []string{"order.example"}, URIs: []*url.URL{id}, NotAfter: time.Now().Add(time.Hour)}
	raw, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(raw)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, manager string
		want          []string
	}{
		{"all details", `"forwardClientCertDetails":"SANITIZE_SET","setCurrentClientCertDetails":{"subject":true,"cert":true,"chain":true,"dns":true,"uri":true}`,
			[]string{"Hash=", `;Cert="-----BEGIN%20CERTIFICATE-----`, `;Chain="`, `;Subject="CN=order"`, ";URI=spiffe://cluster.local/ns/default/sa/order", ";DNS=order.example"}},
		{"behind what another proxy told", `"forwardClientCertDetails":"APPEND_FORWARD","setCurrentClientCertDetails":{"uri":true}`, []string{"By=other,Hash=", ";URI=spiffe://"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			clusters := upstream.New(upstream.Options{})
			clusters.Update(snapshot(t, &setup{handlers: handlers(echo())}))
			r := manage(t, `{`+inline(toA)+`,`+c.manager+`,"httpFilters":[`+routerOnly+`]}`, clusters, "a")
			d := &flow.Downstream{Remote: netip.MustParseAddrPort("10.244.0.9:1"), TLS: &tls.ConnectionState{PeerCertificates: []*x509.Certificate{leaf}}}
			req := httptest.NewRequest("GET", "/", nil)
			req.Header.Set("X-Forwarded-Client-Cert", "By=other")
			w := httptest.NewRecorder()
			r.ServeHTTP(w, req.WithContext(flow.WithDownstream(req.Context(), d)))
			got := w.Header().Get("Saw-X-Forwarded-Client-Cert")
			for _, want := range c.want {
				if !strings.Contains(got, want) {
					t.Errorf("%q lacks %q", got, want)
				}
			}
			if c.name == "all details" && strings.Contains(got, "By=other") {
				t.Errorf("%q keeps what the client claims", got)
			}
		})
	}
}

func TestTheListNamesItsTests(t *testing.T) { fieldstest.Check(t, ".", router.Fields()) }
