package istio_test

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"testing"

	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/meshstorm/meshstorm/istio"
)

const entry = "---\napiVersion: networking.istio.io/v1\nkind: ServiceEntry\nmetadata: {name: e, namespace: shop}\n" +
	"spec: {hosts: [e.example], ports: [{number: 80, name: http, protocol: HTTP}], resolution: DNS}\n"

func TestNothingRunsAfterClose(t *testing.T) {
	text := services(3) + entry
	one := func() {
		m, err := istio.New(t.Context(), documents(t, text), istio.Options{})
		if err != nil {
			t.Fatal(err)
		}
		configOf(t, m, "gateway")
		m.Close()
		m.Close()
	}
	one() // starts what lives as long as the process
	before := runtime.NumGoroutine()
	for range 5 {
		one()
	}
	// Goroutines that were told to end need a moment.
	for runtime.NumGoroutine() > before {
		runtime.Gosched()
	}
}

func TestManyMayAskAtOnce(t *testing.T) {
	m := newMesh(t, services(20))
	var all sync.WaitGroup
	for range 8 {
		for _, p := range m.Proxies() {
			all.Go(func() {
				c, err := m.Config(t.Context(), p)
				if err != nil {
					t.Error(err)
					return
				}
				c.Entry(istio.Target{Scheme: "http", Host: "s1.shop.example", Port: 80})
				m.Workloads(c, "outbound|8080||s1.shop.svc.cluster.local")
			})
		}
	}
	all.Wait()
}

func TestACanceledContextIsAnErrorAndNotKept(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := istio.New(ctx, documents(t, services(3)), istio.Options{}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	m := newMesh(t, services(3))
	if _, err := m.Config(ctx, m.Gateways()[0]); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if _, err := m.Config(t.Context(), m.Gateways()[0]); err != nil {
		t.Errorf("got %v", err)
	}
}

func TestTheCacheKnowsDocumentsByTheirContent(t *testing.T) {
	var c istio.Cache
	get := func(text string, o istio.Options) *istio.Mesh {
		m, err := c.Get(t.Context(), documents(t, text), o)
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	first := get(services(1), istio.Options{})
	if get(services(1), istio.Options{Profile: "demo"}) != first {
		t.Error("expected the same mesh for the same content, with defaults written out or not")
	}
	if get(services(2), istio.Options{}) == first || get(services(1), istio.Options{Profile: "default"}) == first {
		t.Error("expected another mesh for other content or options")
	}
	for i := 3; i < 8; i++ {
		get(services(i), istio.Options{})
	}
	if get(services(1), istio.Options{}) == first {
		t.Error("expected the mesh to be gone after many others")
	}
	if _, err := c.Get(t.Context(), nil, istio.Options{Profile: "nonsense"}); err == nil {
		t.Error("expected an error")
	}
}

func TestRoutesCarryTimeoutsRetriesAndFaults(t *testing.T) {
	m := newMesh(t, shopGateway+service("order", "shop", "v1")+virtualService("order", "shop", `
  hosts: [shop.example]
  gateways: [shop]
  http:
  - route: [{destination: {host: order}}]
    timeout: 7s
    retries: {attempts: 4, perTryTimeout: 2s}
    fault: {abort: {httpStatus: 418, percentage: {value: 10}}}`))
	c := configOf(t, m, "gateway")
	r := c.Entry(istio.Target{Scheme: "http", Host: "shop.example", Port: 80}).Routes.VirtualHosts[0].Routes[0]
	if d := r.GetRoute().GetTimeout(); d.GetSeconds() != 7 {
		t.Errorf("timeout: got %v", d)
	}
	if p := r.GetRoute().GetRetryPolicy(); p.GetNumRetries().GetValue() != 4 || p.GetPerTryTimeout().AsDuration() != durationpb.New(2e9).AsDuration() {
		t.Errorf("retries: got %v", p)
	}
	if r.TypedPerFilterConfig["envoy.filters.http.fault"] == nil {
		t.Errorf("fault: got %v", r.TypedPerFilterConfig)
	}
}
