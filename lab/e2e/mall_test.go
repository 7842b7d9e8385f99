package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

func TestTheGatewayAnswersWithHAL(t *testing.T) {
	a := send(t, "GET", "/orders", "")
	if a.StatusCode != 200 || !strings.HasPrefix(a.Header.Get("Content-Type"), "application/hal+json") {
		t.Fatalf("got %v", a)
	}
	for _, name := range []string{"X-Meshstorm-Workload", "X-Meshstorm-Version", "X-Envoy-Upstream-Service-Time"} {
		if a.Header.Get(name) == "" {
			t.Errorf("no %s in %v", name, a.Header)
		}
	}
	if got := a.Header.Get("Server"); got != "istio-envoy" {
		t.Errorf("server: %s", got)
	}
	if a := send(t, "GET", "/nowhere", ""); a.StatusCode != 404 || a.body != "" {
		t.Errorf("a path without a route: %v", a)
	}
}

func TestEveryPodHasItsSidecar(t *testing.T) {
	for _, app := range []string{"order", "delivery", "product"} {
		p := pod(t, app)
		ready, all := 0, 0
		for _, c := range append(p.Status.ContainerStatuses, p.Status.InitContainerStatuses...) {
			if c.State.Terminated != nil {
				continue // istio-init
			}
			all++
			if c.Ready {
				ready++
			}
		}
		if ready != 2 || all != 2 {
			t.Errorf("%s: %d/%d", p.Name, ready, all)
		}
	}
	for resource, want := range map[string]string{"virtualservices": "vsvc-order", "destinationrules": "destrule-order", "gateways": "main-gw"} {
		gvr := schema.GroupVersionResource{Group: "networking.istio.io", Version: "v1", Resource: resource}
		if _, err := w.dyn.Resource(gvr).Namespace("default").Get(t.Context(), want, metav1.GetOptions{}); err != nil {
			t.Error(err)
		}
	}
}

func TestAnOrderLeadsToADelivery(t *testing.T) {
	stock := send(t, "POST", "/inventories", `{"productName":"TV","stock":10}`)
	if stock.StatusCode != 201 {
		t.Fatalf("got %v", stock)
	}
	before := total(t, "/deliveries")
	order := send(t, "POST", "/orders", `{"userId":"u1","productName":"TV","productId":1,"qty":3}`)
	if order.StatusCode != 201 || order.Header.Get("Location") == "" {
		t.Fatalf("got %v", order)
	}
	eventually(t, "a delivery", func() string {
		if n := total(t, "/deliveries"); n != before+1 {
			return fmt.Sprintf("%d deliveries, %d before", n, before)
		}
		return ""
	})
}

// total is the number of items of a collection.
func total(t *testing.T, path string) int {
	t.Helper()
	a := send(t, "GET", path, "")
	var page struct {
		Page struct {
			TotalElements int `json:"totalElements"`
		} `json:"page"`
	}
	if err := json.Unmarshal([]byte(a.body), &page); err != nil {
		t.Fatalf("%v: %v", a, err)
	}
	return page.Page.TotalElements
}

const canary = `
apiVersion: apps/v1
kind: Deployment
metadata: {name: order-canary, namespace: default, labels: {app: order}}
spec:
  replicas: 1
  selector: {matchLabels: {app: order, track: canary}}
  template:
    metadata:
      labels: {app: order, track: canary, version: v2}
    spec:
      containers:
      - name: order
        image: registry.example.com/order:v2
        ports: [{name: http, containerPort: 8080}]
        readinessProbe: {httpGet: {path: /actuator/health, port: http}, periodSeconds: 1}
`

// split is the weights of vsvc-order's rules.
func split(stable, canary int) string {
	return fmt.Sprintf(`
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: vsvc-order, namespace: default}
spec:
  hosts: ["*"]
  gateways: [main-gw]
  http:
  - name: primary
    match: [{uri: {exact: /orders}}, {uri: {prefix: /orders/}}]
    route:
    - {destination: {host: order, subset: stable}, weight: %d}
    - {destination: {host: order, subset: canary}, weight: %d}
`, stable, canary)
}

func TestWeightsAreKept(t *testing.T) {
	create(t, canary)
	eventually(t, "the canary", func() string {
		d, err := w.client.AppsV1().Deployments("default").Get(t.Context(), "order-canary", metav1.GetOptions{})
		if err != nil {
			return err.Error()
		}
		return want(1, int(d.Status.ReadyReplicas))
	})
	update(t, split(0, 100))
	began := time.Now()
	eventually(t, "the new weights at the gateway", func() string {
		return want("v2", send(t, "GET", "/orders", "").Header.Get("X-Meshstorm-Version"))
	})
	t.Logf("a weight change was seen after %v", time.Since(began).Round(time.Millisecond))
	update(t, split(90, 10))
	eventually(t, "both tracks", func() string {
		return want("v1", send(t, "GET", "/orders", "").Header.Get("X-Meshstorm-Version"))
	})
	const n = 10_000
	var toCanary, failed atomic.Int64
	flood(n, 16, func() {
		a, err := try("GET", "/orders", "")
		switch {
		case err != nil || a.StatusCode != 200:
			failed.Add(1)
		case a.Header.Get("X-Meshstorm-Version") == "v2":
			toCanary.Add(1)
		}
	})
	sigma := math.Sqrt(n * 0.1 * 0.9)
	if off := math.Abs(float64(toCanary.Load()) - n*0.1); off > 3*sigma || failed.Load() > 0 {
		t.Errorf("%d of %d went to the canary (3 sigma is %.0f), %d failed", toCanary.Load(), n, 3*sigma, failed.Load())
	}
	t.Logf("%d of %d went to the canary", toCanary.Load(), n)
	restore(t)
}

// restore applies the example's files again.
func restore(t *testing.T) {
	t.Helper()
	if out, err := w.lab("up", "--detach", "-f", mall, "--force-conflicts"); err != nil {
		t.Errorf("%v: %s", err, out)
	}
}

func want[T comparable](want, got T) string {
	if want == got {
		return ""
	}
	return fmt.Sprintf("got %v, want %v", got, want)
}

// flood makes n calls, some at a time.
func flood(n, at int, call func()) {
	var wait sync.WaitGroup
	var done atomic.Int64
	for range at {
		wait.Go(func() {
			for done.Add(1) <= int64(n) {
				call()
			}
		})
	}
	wait.Wait()
}

const caller = `
apiVersion: apps/v1
kind: Deployment
metadata: {name: caller, namespace: default}
spec:
  selector: {matchLabels: {app: caller}}
  template:
    metadata: {labels: {app: caller}}
    spec:
      terminationGracePeriodSeconds: 1
      containers:
      - name: fortio
        image: fortio/fortio:1
        args: [load, -qps, "20", -t, "0", "http://order:8080/orders"]
`

func TestACallIsCountedAtBothEnds(t *testing.T) {
	create(t, caller)
	eventually(t, "both ends' counters", func() string {
		client, server := counter(t, podOrNil(t, "caller"), "source"), counter(t, pod(t, "order"), "destination")
		if client == 0 || server == 0 {
			return fmt.Sprintf("caller's proxy counted %v, order's %v", client, server)
		}
		return ""
	})
}

func podOrNil(t *testing.T, app string) *corev1.Pod {
	list, err := w.client.CoreV1().Pods("default").List(t.Context(), metav1.ListOptions{LabelSelector: "app=" + app})
	if err != nil || len(list.Items) == 0 {
		return nil
	}
	return &list.Items[0]
}

// counter sums istio_requests_total from caller to order, as one side has it.
func counter(t *testing.T, p *corev1.Pod, reporter string) (sum float64) {
	t.Helper()
	if p == nil || p.Status.PodIP == "" {
		return 0
	}
	res, err := http.Get("http://" + bound(p) + ":15090/stats/prometheus")
	if err != nil {
		return 0
	}
	defer func() { _ = res.Body.Close() }()
	data, _ := io.ReadAll(res.Body)
	for _, line := range strings.Split(string(data), "\n") {
		if strings.HasPrefix(line, "istio_requests_total{") && strings.Contains(line, `reporter="`+reporter+`"`) &&
			strings.Contains(line, `source_workload="caller"`) && strings.Contains(line, `destination_service_name="order"`) {
			var v float64
			_, _ = fmt.Sscan(line[strings.LastIndexByte(line, ' ')+1:], &v)
			sum += v
		}
	}
	return sum
}

// bound is the loopback address that stands for the pod's.
func bound(p *corev1.Pod) string {
	ip, pods := netip.MustParseAddr(p.Status.PodIP).As4(), netip.MustParsePrefix(w.status.PodNet).Addr().As4()
	return netip.AddrFrom4([4]byte{127, pods[1], ip[2], ip[3]}).String()
}
