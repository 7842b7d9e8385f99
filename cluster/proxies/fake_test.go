package proxies

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes/fake"
)

// anyPort serves at both.
const anyPort = -1

// fakeIstiod answers the debug pages as istiod 1.31 does.
type fakeIstiod struct {
	mu       sync.Mutex
	open     int // the port that serves; 0 for none, or anyPort
	refuses  int // status of every answer; 0 for none
	held     bool
	takes    time.Duration // to make a page
	pushes   int
	proxies  map[string]*fakeProxy
	dumps    int // config_dump pages asked for
	atOnce   int
	mostOnce int
}

type fakeProxy struct {
	kind     string
	clusters []string
	route    map[string]int // weights
	sent     map[kind]string
	acked    map[kind]string
	refusal  string
}

func newIstiod() *fakeIstiod {
	return &fakeIstiod{open: 15014, proxies: map[string]*fakeProxy{}}
}

func (f *fakeIstiod) change(do func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	do()
}

// connect brings a proxy that has acknowledged these clusters.
func (f *fakeIstiod) connect(name, proxyType string, clusters ...string) {
	f.change(func() {
		f.proxies[name] = &fakeProxy{kind: proxyType, clusters: clusters, sent: map[kind]string{}, acked: map[kind]string{}}
	})
	f.send(name)
	f.ack(name)
}

// give changes what istiod gives, before it sends it.
func (f *fakeIstiod) give(name string, clusters ...string) {
	f.change(func() { f.proxies[name].clusters = clusters })
}

func (f *fakeIstiod) send(name string) {
	f.change(func() {
		f.pushes++
		for _, k := range []kind{clusters, endpoints, listeners, routes} {
			f.proxies[name].sent[k] = fmt.Sprintf("%s/%d%08d-0000-0000-0000-%012d", time.Now().Format(time.RFC3339), f.pushes, f.pushes, len(k))
		}
	})
}

func (f *fakeIstiod) ack(name string) {
	f.change(func() { f.proxies[name].acked = maps.Clone(f.proxies[name].sent) })
}

// dial is a dialer to several istiods by pod.
func dial(all map[string]*fakeIstiod) dialer {
	return func(_ context.Context, _, pod string, port int) (page, func(), error) {
		f := all[pod]
		ask := func(ctx context.Context, path string) (*http.Response, error) { return f.answer(ctx, port, path) }
		return ask, func() {}, nil
	}
}

func (f *fakeIstiod) answer(ctx context.Context, port int, path string) (*http.Response, error) {
	f.mu.Lock()
	held, takes := f.held, f.takes
	f.atOnce++
	f.mostOnce = max(f.mostOnce, f.atOnce)
	f.mu.Unlock()
	defer f.change(func() { f.atOnce-- })
	if held {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	time.Sleep(takes)
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.open != anyPort && port != f.open {
		return nil, io.EOF
	}
	if f.refuses != 0 {
		return respond(f.refuses, ""), nil
	}
	if strings.HasPrefix(path, "/debug/syncz") {
		return respond(http.StatusOK, f.syncz()), nil
	}
	f.dumps++
	request, err := http.NewRequest(http.MethodGet, path, nil)
	if err != nil {
		return nil, err
	}
	for _, name := range slices.Sorted(maps.Keys(f.proxies)) {
		if strings.Contains(name+"-17", request.URL.Query().Get("proxyID")) {
			return respond(http.StatusOK, f.proxies[name].dump(request.URL.Query().Get("types"))), nil
		}
	}
	return respond(http.StatusNotFound, "Proxy not connected to this Pilot instance."), nil
}

func respond(code int, body string) *http.Response {
	return &http.Response{StatusCode: code, Body: io.NopCloser(strings.NewReader(body))}
}

func (f *fakeIstiod) syncz() string {
	all := []map[string]any{}
	for name, p := range f.proxies {
		all = append(all, map[string]any{
			"proxy": name, "proxy_type": p.kind, "istio_version": "1.31.1",
			"cluster_sent": p.sent[clusters], "cluster_acked": p.acked[clusters],
			"listener_sent": p.sent[listeners], "listener_acked": p.acked[listeners],
			"endpoint_sent": p.sent[endpoints], "endpoint_acked": p.acked[endpoints],
			"route_sent": p.sent[routes], "route_acked": p.acked[routes],
			"resources": map[string]any{typeURLs[clusters]: map[string]any{"lastError": p.refusal}},
		})
	}
	body, err := json.Marshal(all)
	if err != nil {
		panic(err)
	}
	return string(body)
}

func (p *fakeProxy) dump(types string) string {
	configs := []any{}
	if strings.Contains(types, "CDS") {
		for _, name := range p.clusters {
			configs = append(configs, map[string]any{"@type": typeURLs[clusters], "name": name})
		}
	}
	if strings.Contains(types, "RDS") && p.route != nil {
		var weights []any
		for name, weight := range p.route {
			weights = append(weights, map[string]any{"name": name, "weight": weight})
		}
		to := map[string]any{"name": "order", "route": map[string]any{"weightedClusters": map[string]any{"clusters": weights}}}
		configs = append(configs, map[string]any{
			"@type": typeURLs[routes], "name": "http.8080",
			"virtualHosts": []any{map[string]any{"routes": []any{to}}},
		})
	}
	body, err := json.Marshal(map[string]any{"configs": configs})
	if err != nil {
		panic(err)
	}
	return string(body)
}

// pod is a ready one; NAME.NAMESPACE.
func pod(id string, labels ...string) *corev1.Pod {
	name, namespace := split(id)
	p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: namespace, UID: types.UID(id), Labels: map[string]string{}}}
	for _, l := range labels {
		key, value, _ := strings.Cut(l, "=")
		p.Labels[key] = value
	}
	p.Status.Phase = corev1.PodRunning
	p.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}}
	p.Status.ContainerStatuses = []corev1.ContainerStatus{{State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}}}
	return p
}

// meshOf connects to the istiods, with these pods beside theirs.
func meshOf(t *testing.T, istiods map[string]*fakeIstiod, pods ...*corev1.Pod) (*Mesh, *fake.Clientset) {
	t.Helper()
	kube := fake.NewClientset()
	for name := range istiods {
		pods = append(pods, pod(name+".istio-system", "app=istiod"))
	}
	for _, p := range pods {
		if err := kube.Tracker().Add(p); err != nil {
			t.Fatal(err)
		}
	}
	m, err := open(t.Context(), kube, dial(istiods))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.Close)
	return m, kube
}
