package e2e

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// kill ends a container's process as the kernel would, and waits for another.
func kill(t *testing.T, part string) {
	t.Helper()
	before := component(t, part)
	if err := syscall.Kill(before.PID, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	eventually(t, "another process of "+part, func() string {
		for _, c := range refresh(t).Components {
			if strings.Contains(c.Name, part) && c.PID != before.PID && c.Ready {
				return ""
			}
		}
		return "not there"
	})
}

func serves(t *testing.T, path string) {
	t.Helper()
	eventually(t, "a 200 from "+path, func() string {
		a, err := try("GET", path, "")
		if err != nil {
			return err.Error()
		}
		return want(200, a.StatusCode)
	})
}

func TestKilledProcessesComeBack(t *testing.T) {
	before := total(t, "/orders")
	if a := send(t, "POST", "/orders", `{"userId":"u2","qty":1}`); a.StatusCode != 201 {
		t.Fatal(a)
	}
	for _, part := range []string{"/istiod-", "/istio-ingressgateway-", "default/order-"} {
		t.Run(part, func(t *testing.T) {
			name := part
			if part == "default/order-" {
				name = strings.TrimPrefix(component(t, part).Name, "default/")
				name = name[:strings.IndexByte(name, '/')] + "/order" // the application, not its sidecar
			}
			kill(t, name)
			serves(t, "/orders")
		})
	}
	if n := total(t, "/orders"); n != before+1 {
		t.Errorf("%d orders, want %d", n, before+1)
	}
}

// Configuration goes on working without istiod, and traffic does not notice.
func TestTrafficFlowsWithoutIstiod(t *testing.T) {
	c := component(t, "/istiod-")
	if err := syscall.Kill(c.PID, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = syscall.Kill(c.PID, syscall.SIGCONT) }()
	for range 50 {
		if a := send(t, "GET", "/orders", ""); a.StatusCode != 200 {
			t.Fatal(a)
		}
	}
}

func TestWithoutItsSidecarAPodIsCutOff(t *testing.T) {
	create(t, caller)
	var from *corev1.Pod
	eventually(t, "the caller", func() string {
		if from = podOrNil(t, "caller"); from == nil || counter(t, from, "source") == 0 {
			return "no call yet"
		}
		return ""
	})
	sidecar := component(t, pod(t, "order").Name+"/istio-proxy")
	if err := syscall.Kill(sidecar.PID, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	quick := &http.Client{Timeout: 2 * time.Second}
	res, err := quick.Get(w.status.Gateway.URL + "/orders")
	if err == nil {
		_ = res.Body.Close()
		if res.StatusCode == 200 {
			t.Error("a stopped sidecar let a request in")
		}
	}
	if err := syscall.Kill(sidecar.PID, syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	serves(t, "/orders")
	// The other direction: the caller's own sidecar stands still.
	own := component(t, from.Name+"/istio-proxy")
	if err := syscall.Kill(own.PID, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	at := counter(t, pod(t, "order"), "destination")
	time.Sleep(time.Second) // what would arrive in a second, at 20 calls a second
	if now := counter(t, pod(t, "order"), "destination"); now > at+2 {
		t.Errorf("%v calls got past a stopped sidecar", now-at)
	}
	_ = syscall.Kill(own.PID, syscall.SIGCONT)
}

func TestAnImageThatIsMissing(t *testing.T) {
	create(t, strings.NewReplacer("order-canary", "order-broken", "order:v2", "order:v3-missing", "track: canary", "track: broken").Replace(canary))
	eventually(t, "ErrImagePull", func() string {
		list, err := w.client.CoreV1().Pods("default").List(t.Context(), metav1.ListOptions{LabelSelector: "track=broken"})
		if err != nil || len(list.Items) == 0 {
			return "no pod"
		}
		for _, c := range list.Items[0].Status.ContainerStatuses {
			if wait := c.State.Waiting; c.Name == "order" && wait != nil && strings.Contains(wait.Reason, "Image") && strings.Contains(wait.Message, "-missing") {
				return ""
			}
		}
		return fmt.Sprint(list.Items[0].Status.ContainerStatuses)
	})
}

// A rollout whose new pods never get ready leaves the old ones serving.
func TestAPodThatNeverGetsReady(t *testing.T) {
	patch := `{"spec":{"template":{"metadata":{"annotations":{"lab.meshstorm.io/startup":"1h"}}}}}`
	_, err := w.client.AppsV1().Deployments("default").Patch(t.Context(), "delivery", "application/strategic-merge-patch+json", []byte(patch), metav1.PatchOptions{})
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "a new pod that runs", func() string {
		d, err := w.client.AppsV1().Deployments("default").Get(t.Context(), "delivery", metav1.GetOptions{})
		if err != nil {
			return err.Error()
		}
		if d.Status.UpdatedReplicas != 1 || d.Status.Replicas != 2 {
			return fmt.Sprintf("%d updated of %d", d.Status.UpdatedReplicas, d.Status.Replicas)
		}
		return ""
	})
	for range 100 {
		if a := send(t, "GET", "/deliveries", ""); a.StatusCode != 200 {
			t.Fatal(a)
		}
	}
	undo := `{"spec":{"template":{"metadata":{"annotations":{"lab.meshstorm.io/startup":null}}}}}`
	if _, err := w.client.AppsV1().Deployments("default").Patch(t.Context(), "delivery", "application/strategic-merge-patch+json", []byte(undo), metav1.PatchOptions{}); err != nil {
		t.Fatal(err)
	}
}

func TestChangesUnderLoadFailNoRequest(t *testing.T) {
	stop := make(chan struct{})
	var sent, failed atomic.Int64
	var first atomic.Value
	done := make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(2 * time.Millisecond) // 500 requests per second
		defer tick.Stop()
		running := make(chan struct{}, 64)
		for {
			select {
			case <-stop:
				for range cap(running) {
					running <- struct{}{}
				}
				return
			case <-tick.C:
			}
			running <- struct{}{}
			go func() {
				defer func() { <-running }()
				sent.Add(1)
				a, err := try("GET", "/orders", "")
				if err != nil || a.StatusCode != 200 {
					failed.Add(1)
					first.CompareAndSwap(nil, fmt.Sprint(a, err))
				}
			}()
		}
	}()
	for i := range 10 {
		update(t, split(100, i%2))
		time.Sleep(200 * time.Millisecond) // the changes are spread over the load
	}
	close(stop)
	<-done
	if failed.Load() > 0 && !strings.Contains(fmt.Sprint(first.Load()), "no healthy upstream") { // weight 1 without a canary is a 503 that the config explains
		t.Errorf("%d of %d failed: %v", failed.Load(), sent.Load(), first.Load())
	}
	t.Logf("%d requests", sent.Load())
	restore(t)
}

func TestWhatAsksForMTLSFailsClosed(t *testing.T) {
	t.Cleanup(func() { restore(t) }) // after what this test made is gone
	create(t, `
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: mtls, namespace: istio-system}
spec:
  host: product.default.svc.cluster.local
  trafficPolicy: {tls: {mode: ISTIO_MUTUAL}}
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: destrule-product, namespace: default}
spec:
  host: product
  trafficPolicy: {tls: {mode: ISTIO_MUTUAL}}
  subsets:
  - {name: stable, labels: {app: product, track: stable}}
  - {name: canary, labels: {app: product, track: canary}}
`)
	eventually(t, "a 503", func() string { return want(503, send(t, "GET", "/inventories", "").StatusCode) })
	gateway := component(t, "/istio-ingressgateway-").Name
	parts := strings.Split(gateway, "/")
	log, err := w.client.CoreV1().Pods(parts[0]).GetLogs(parts[1], &corev1.PodLogOptions{}).Stream(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = log.Close() }()
	text, err := io.ReadAll(log)
	if err != nil || !strings.Contains(string(text), "mTLS") {
		t.Errorf("the access log does not say why: %v\n%s", err, tail(text))
	}
}

func TestWhatIsNotSupportedIsListed(t *testing.T) {
	t.Cleanup(func() { serves(t, "/orders") }) // after the filter is gone
	create(t, `
apiVersion: networking.istio.io/v1alpha3
kind: EnvoyFilter
metadata: {name: lua, namespace: istio-system}
spec:
  workloadSelector: {labels: {istio: ingressgateway}}
  configPatches:
  - applyTo: HTTP_FILTER
    match: {context: GATEWAY, listener: {filterChain: {filter: {name: envoy.filters.network.http_connection_manager, subFilter: {name: envoy.filters.http.router}}}}}
    patch:
      operation: INSERT_BEFORE
      value: {name: envoy.filters.http.lua, typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.http.lua.v3.Lua, inlineCode: "function envoy_on_request(h) end"}}
---
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: agent, namespace: default}
spec:
  selector: {matchLabels: {app: agent}}
  template: {metadata: {labels: {app: agent}}, spec: {containers: [{name: a, image: agent:1}]}}
`)
	eventually(t, "both in the list", func() string {
		all := strings.Join(refresh(t).Unsupported, "\n")
		for _, part := range []string{"envoy.filters.http.lua", "DaemonSet default/agent: no controller in the lab"} {
			if !strings.Contains(all, part) {
				return "no " + part + " in:\n" + all
			}
		}
		return ""
	})
	eventually(t, "the gateway to refuse what the filter could have refused", func() string {
		return want(503, send(t, "GET", "/orders", "").StatusCode)
	})
}

func TestPodMetricsAreServed(t *testing.T) {
	eventually(t, "metrics of the order pod", func() string {
		raw, err := w.client.CoreV1().RESTClient().Get().AbsPath("/apis/metrics.k8s.io/v1beta1/namespaces/default/pods").
			Param("labelSelector", "app=order").DoRaw(t.Context())
		if err != nil {
			return err.Error()
		}
		if !strings.Contains(string(raw), `"name":"istio-proxy"`) {
			return string(raw)
		}
		return ""
	})
}
