package proxies

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"
)

const (
	gatewayID = "istio-ingressgateway-1.istio-system"
	sidecarID = "order-1.shop"
	host      = "order.shop.svc.cluster.local"
)

var (
	whole      = ClusterName(8080, "", host)
	stable     = ClusterName(8080, "stable", host)
	canary     = ClusterName(8080, "canary", host)
	toGateway  = Expectation{Gateways: []map[string]string{{"istio": "ingressgateway"}}, Clusters: []string{canary}}
	toBoth     = Expectation{Gateways: toGateway.Gateways, Sidecars: []string{"shop"}, Clusters: []string{canary}}
	gatewayPod = func() *corev1.Pod { return pod(gatewayID, "istio=ingressgateway") }
	sidecarPod = func() *corev1.Pod { return pod(sidecarID) }
)

// waiting is one run of Wait against one istiod.
type waiting struct {
	name    string
	e       Expectation
	setup   func(f *fakeIstiod)
	then    func(f *fakeIstiod, kube *fake.Clientset) // begins with Wait
	limit   time.Duration                             // of the context; default 10s
	atLeast time.Duration
	atMost  time.Duration
	missing string // "" means that Wait succeeds
	proxies int
	looks   int // pages of configuration that were asked for; 0 means any number
}

var waits = []waiting{
	{
		name: "the old state that istiod calls synced right after a write does not count",
		e:    toGateway, proxies: 1, atLeast: time.Second, atMost: 1200 * time.Millisecond,
		then: func(f *fakeIstiod, _ *fake.Clientset) {
			time.Sleep(time.Second)
			f.give(gatewayID, whole, canary)
			f.send(gatewayID)
			f.ack(gatewayID)
		},
	},
	{
		name: "what istiod shows but has not sent yet does not count",
		e:    toGateway, proxies: 1, limit: 20 * time.Second, atLeast: 8 * time.Second, atMost: 8600 * time.Millisecond,
		then: func(f *fakeIstiod, _ *fake.Clientset) {
			time.Sleep(500 * time.Millisecond)
			f.give(gatewayID, whole, canary)
			time.Sleep(lookAgain + 2500*time.Millisecond)
			f.send(gatewayID)
			f.ack(gatewayID)
		},
	},
	{
		name: "while nothing is sent istiod is not made to compute the state again",
		e:    toGateway, proxies: 1, limit: 4 * time.Second, missing: "has no cluster", looks: 1,
	},
	{
		name: "what is sent but not acknowledged does not count",
		e:    toGateway, proxies: 1, atLeast: 3 * time.Second, atMost: 3600 * time.Millisecond,
		then: func(f *fakeIstiod, _ *fake.Clientset) {
			f.give(gatewayID, whole, canary)
			f.send(gatewayID)
			time.Sleep(3 * time.Second)
			f.ack(gatewayID)
		},
	},
	{
		name: "what was there all along needs one look and a moment",
		e:    toGateway, proxies: 1, atLeast: settle, atMost: 400 * time.Millisecond,
		setup: func(f *fakeIstiod) { f.give(gatewayID, whole, canary) },
	},
	{
		name: "a refused configuration is named with the proxy's words",
		e:    toGateway, proxies: 1, missing: gatewayID + " refused its clusters: no such socket",
		then: func(f *fakeIstiod, _ *fake.Clientset) {
			f.give(gatewayID, whole, canary)
			f.send(gatewayID)
			f.change(func() { f.proxies[gatewayID].refusal = "no such socket" })
		},
	},
	{
		name: "a cluster that does not come is named",
		e:    toGateway, proxies: 1, missing: gatewayID + " has no cluster " + canary,
	},
	{
		name: "a sidecar that is not given the host is not waited for",
		e:    Expectation{Sidecars: []string{"shop"}, Clusters: []string{canary}}, proxies: 1, atMost: 400 * time.Millisecond,
		setup: func(f *fakeIstiod) { f.give(sidecarID) },
	},
	{
		name: "sidecars of other namespaces and other gateways are not in question",
		e:    toBoth, proxies: 2, atMost: 400 * time.Millisecond,
		setup: func(f *fakeIstiod) {
			f.give(gatewayID, canary)
			f.give(sidecarID, canary)
			f.connect("cart-1.other", "sidecar", whole)
			f.connect("istio-egressgateway-1.istio-system", "router", whole)
		},
	},
	{
		name: "a proxy that ends is dropped",
		e:    toBoth, proxies: 1, atLeast: time.Second, atMost: 1600 * time.Millisecond,
		setup: func(f *fakeIstiod) { f.give(gatewayID, canary) },
		then: func(f *fakeIstiod, kube *fake.Clientset) {
			time.Sleep(time.Second)
			_ = kube.CoreV1().Pods("shop").Delete(context.Background(), "order-1", metav1.DeleteOptions{})
			f.change(func() { delete(f.proxies, sidecarID) })
		},
	},
	{
		name: "a proxy that connects anew is waited for",
		e:    toBoth, proxies: 2, atLeast: 2 * time.Second, atMost: 3 * time.Second,
		setup: func(f *fakeIstiod) { f.give(gatewayID, canary) },
		then: func(f *fakeIstiod, _ *fake.Clientset) {
			time.Sleep(time.Second)
			f.change(func() { delete(f.proxies, sidecarID) })
			time.Sleep(time.Second)
			f.connect(sidecarID, "sidecar", whole, canary)
		},
	},
	{
		name: "an istiod that starts again is asked again",
		e:    toBoth, proxies: 2, atLeast: 3 * time.Second, atMost: 4 * time.Second,
		setup: func(f *fakeIstiod) { f.give(gatewayID, canary); f.give(sidecarID, canary); f.send(sidecarID) },
		then: func(f *fakeIstiod, _ *fake.Clientset) {
			time.Sleep(time.Second)
			f.change(func() { f.open, f.pushes, f.proxies = 0, 0, map[string]*fakeProxy{} })
			time.Sleep(time.Second)
			f.change(func() { f.open = 15014 })
			time.Sleep(time.Second)
			f.connect(sidecarID, "sidecar", canary)
			f.connect(gatewayID, "router", canary)
		},
	},
	{
		name: "an istiod that is held ends the wait when the time is over",
		e:    toBoth, missing: "istiod istiod-1.istio-system does not answer", proxies: 1, atLeast: 10 * time.Second, atMost: 10 * time.Second,
		setup: func(f *fakeIstiod) { f.held = true },
	},
	{
		name: "an istiod that is held for a while only makes it later",
		e:    toBoth, proxies: 2, atLeast: 4 * time.Second, atMost: 7 * time.Second,
		setup: func(f *fakeIstiod) { f.held = true; f.give(gatewayID, canary); f.give(sidecarID, canary) },
		then: func(f *fakeIstiod, _ *fake.Clientset) {
			time.Sleep(4 * time.Second)
			f.change(func() { f.held = false })
		},
	},
	{
		name: "a gateway that no istiod knows is named",
		e:    toGateway, proxies: 1, missing: "gateway " + gatewayID + " is connected to no istiod that answers",
		setup: func(f *fakeIstiod) { delete(f.proxies, gatewayID) },
	},
	{
		name: "an istiod that shows its pages at the other port is found",
		e:    toGateway, proxies: 1, atMost: 400 * time.Millisecond,
		setup: func(f *fakeIstiod) { f.open = 8080; f.give(gatewayID, canary) },
	},
	{
		name: "weights count when every route has them",
		e:    Expectation{Gateways: toGateway.Gateways, Sidecars: []string{"shop"}, Weights: []Weight{{Cluster: stable, Percent: 90}, {Cluster: canary, Percent: 10}}},
		// The sidecar has no route to the host, and is not waited for.
		proxies: 2, atLeast: time.Second, atMost: 1500 * time.Millisecond,
		setup: func(f *fakeIstiod) { f.proxies[gatewayID].route = map[string]int{stable: 100} },
		then: func(f *fakeIstiod, _ *fake.Clientset) {
			time.Sleep(time.Second)
			f.change(func() { f.proxies[gatewayID].route = map[string]int{stable: 90, canary: 10} })
			f.send(gatewayID)
			f.ack(gatewayID)
		},
	},
}

func TestWait(t *testing.T) {
	for _, test := range waits {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { test.run(t) })
		})
	}
}

func (test waiting) run(t *testing.T) {
	istiod := newIstiod()
	istiod.connect(gatewayID, "router", whole)
	istiod.connect(sidecarID, "sidecar", whole)
	m, kube := meshOf(t, map[string]*fakeIstiod{"istiod-1": istiod}, gatewayPod(), sidecarPod())
	if test.setup != nil {
		test.setup(istiod)
	}
	if test.limit == 0 {
		test.limit = 10 * time.Second
	}
	ctx, cancel := context.WithTimeout(t.Context(), test.limit)
	defer cancel()
	if test.then != nil {
		go test.then(istiod, kube)
	}
	report, err := m.Wait(ctx, test.e)
	switch {
	case test.missing == "" && err != nil:
		t.Fatalf("got %v: %q", err, report.Missing)
	case test.missing != "" && (!errors.Is(err, ErrTimeout) || !errors.Is(err, context.DeadlineExceeded)):
		t.Fatalf("ErrTimeout was expected, got %v", err)
	case !strings.Contains(strings.Join(report.Missing, "\n"), test.missing):
		t.Errorf("%q was expected to be missing, got %q", test.missing, report.Missing)
	}
	if report.Proxies != test.proxies {
		t.Errorf("%d proxies were expected, got %d", test.proxies, report.Proxies)
	}
	if test.looks > 0 && istiod.dumps != test.looks {
		t.Errorf("%d looks were expected, got %d", test.looks, istiod.dumps)
	}
	if report.Took < test.atLeast || test.atMost > 0 && report.Took > test.atMost {
		t.Errorf("between %v and %v were expected, it took %v", test.atLeast, test.atMost, report.Took)
	}
}

func TestWaitEndsWhenInterrupted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		istiod := newIstiod()
		istiod.connect(gatewayID, "router", whole)
		m, _ := meshOf(t, map[string]*fakeIstiod{"istiod-1": istiod}, gatewayPod())
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		if report, err := m.Wait(ctx, toGateway); !errors.Is(err, context.Canceled) || errors.Is(err, ErrTimeout) || report.Took > 1100*time.Millisecond {
			t.Errorf("got %v after %v", err, report.Took)
		}
	})
}

func TestAProxyThatMovesToAnotherIstiodIsJudgedByIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		first, second := newIstiod(), newIstiod()
		first.connect(gatewayID, "router", whole)
		m, kube := meshOf(t, map[string]*fakeIstiod{"istiod-1": first, "istiod-2": second}, gatewayPod())
		go func() {
			time.Sleep(time.Second)
			first.change(func() { first.held = true })
			_ = kube.CoreV1().Pods("istio-system").Delete(context.Background(), "istiod-1", metav1.DeleteOptions{})
			second.connect(gatewayID, "router", whole)
			time.Sleep(3 * time.Second)
			second.give(gatewayID, whole, canary)
			second.send(gatewayID)
			second.ack(gatewayID)
		}()
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		report, err := m.Wait(ctx, toGateway)
		if err != nil || report.Took < 4*time.Second || report.Took > 5*time.Second {
			t.Errorf("got %v after %v: %q", err, report.Took, report.Missing)
		}
	})
}

func TestTwoHundredProxiesAreAskedAsSeldomAsPossible(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		istiod := newIstiod()
		var names []string
		for i := range 200 {
			names = append(names, fmt.Sprintf("order-%d.shop", i))
			istiod.connect(names[i], "sidecar", whole)
		}
		istiod.takes = 5 * time.Millisecond
		m, _ := meshOf(t, map[string]*fakeIstiod{"istiod-1": istiod})
		go func() {
			time.Sleep(500 * time.Millisecond)
			for _, name := range names {
				istiod.give(name, whole, canary)
				istiod.send(name)
				istiod.ack(name)
			}
		}()
		report, err := m.Wait(t.Context(), Expectation{Sidecars: []string{"shop"}, Clusters: []string{canary}})
		if err != nil || report.Proxies != 200 || report.Took > time.Second {
			t.Errorf("got %v, %+v", err, report)
		}
		if istiod.dumps != 400 || istiod.mostOnce > dumpsAtOnce {
			t.Errorf("%d pages, %d at once; two a proxy were expected, and %d at once", istiod.dumps, istiod.mostOnce, dumpsAtOnce)
		}
	})
}

func TestOpenAndItsErrors(t *testing.T) {
	if _, err := open(t.Context(), fake.NewClientset(), nil); !errors.Is(err, ErrNoIstiod) {
		t.Errorf("without istiod: %v", err)
	}
	starting := pod("istiod-1.istio-system", "app=istiod")
	starting.Status.Conditions = nil
	if _, err := open(t.Context(), fake.NewClientset(starting), nil); !errors.Is(err, ErrNoIstiod) {
		t.Errorf("with an istiod that is not ready: %v", err)
	}
	down := func(context.Context, string, string, int) (page, func(), error) {
		return nil, nil, context.DeadlineExceeded
	}
	if _, err := open(t.Context(), fake.NewClientset(pod("istiod-1.istio-system", "app=istiod")), down); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("with a way that fails: %v", err)
	}
}

func TestAnIstiodThatHidesItsPagesIsAnErrorAtOnce(t *testing.T) {
	for _, code := range []int{http.StatusNotFound, http.StatusUnauthorized} {
		istiod := newIstiod()
		m, _ := meshOf(t, map[string]*fakeIstiod{"istiod-1": istiod})
		istiod.open, istiod.refuses = anyPort, code
		if _, err := m.Wait(t.Context(), toGateway); !errors.Is(err, ErrNoDebug) {
			t.Errorf("%d: got %v", code, err)
		}
		if _, err := m.Proxies(t.Context()); !errors.Is(err, ErrNoDebug) {
			t.Errorf("%d: got %v", code, err)
		}
	}
}

func TestProxiesListsWhoIsConnected(t *testing.T) {
	first, second := newIstiod(), newIstiod()
	first.connect(sidecarID, "sidecar", whole)
	second.connect(gatewayID, "router", whole)
	second.send(gatewayID)
	m, _ := meshOf(t, map[string]*fakeIstiod{"istiod-1": first, "istiod-2": second})
	all, err := m.Proxies(t.Context())
	if err != nil || len(all) != 2 {
		t.Fatalf("got %v, %v", all, err)
	}
	want := Proxy{Name: sidecarID, Pod: "order-1", Namespace: "shop", Istiod: "istiod-1.istio-system", Version: "1.31.1"}
	if got := all[1]; got.Name != want.Name || got.Pod != want.Pod || got.Namespace != want.Namespace || got.Istiod != want.Istiod || got.Version != want.Version || got.Gateway || len(got.Synced) != 4 {
		t.Errorf("got %+v", got)
	}
	if got := all[0]; !got.Gateway || len(got.Stale) != 4 || len(got.Synced) != 0 {
		t.Errorf("got %+v", got)
	}
}
