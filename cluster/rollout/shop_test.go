package rollout_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/meshstorm/meshstorm/cluster"
	"github.com/meshstorm/meshstorm/cluster/metrics"
	"github.com/meshstorm/meshstorm/cluster/rollout"
	"github.com/meshstorm/meshstorm/internal/labtest"
	"github.com/meshstorm/meshstorm/manifest"
	"github.com/meshstorm/meshstorm/shift"
)

var virtualServices = schema.GroupVersionKind{Group: "networking.istio.io", Kind: "VirtualService"}

// shop is the service order of examples/12st-mall in a namespace of its own.
type shop struct {
	*cluster.Client
	t       *testing.T
	objects []cluster.Object
	host    string
	gateway string
}

func newShop(t *testing.T) *shop {
	s := &shop{Client: labtest.Client(t), t: t}
	s.host, s.gateway = s.Namespace+".example", s.entrance()
	for _, file := range []string{"model.yml", "template.yml", "istio.yml"} {
		path := filepath.Join("..", "..", "examples", "12st-mall", "kubernetes", "template", file)
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		data = bytes.ReplaceAll(data, []byte("namespace: default"), []byte("namespace: "+s.Namespace))
		docs, err := manifest.Parse(file, data)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range docs {
			if d.Node == nil {
				continue
			}
			text, err := d.JSON()
			if err != nil {
				t.Fatal(err)
			}
			o := &unstructured.Unstructured{}
			if err := o.UnmarshalJSON(text); err != nil {
				t.Fatal(err)
			}
			if app := o.GetLabels()["app"]; app != "" && app != "order" {
				continue
			}
			s.only(o)
			s.objects = append(s.objects, cluster.Object{Unstructured: o, File: file, Line: d.Line})
		}
	}
	return s
}

// only keeps an object away from the traffic of others.
func (s *shop) only(o *unstructured.Unstructured) {
	switch o.GetKind() {
	case "VirtualService":
		_ = unstructured.SetNestedStringSlice(o.Object, []string{s.host}, "spec", "hosts")
	case "Gateway":
		servers, _, _ := unstructured.NestedSlice(o.Object, "spec", "servers")
		servers[0].(map[string]any)["hosts"] = []any{s.host}
		_ = unstructured.SetNestedSlice(o.Object, servers, "spec", "servers")
	case "Deployment":
		containers, _, _ := unstructured.NestedSlice(o.Object, "spec", "template", "spec", "containers")
		delete(containers[0].(map[string]any), "resources")
		_ = unstructured.SetNestedSlice(o.Object, containers, "spec", "template", "spec", "containers")
	}
}

func (s *shop) apply() {
	s.t.Helper()
	plan, err := s.Plan(s.t.Context(), s.request())
	if err != nil {
		s.t.Fatal(err)
	}
	if set, err := s.Apply(s.t.Context(), plan, cluster.ApplyOptions{Wait: true, Timeout: time.Minute}); err != nil {
		text, _ := json.Marshal(set)
		s.t.Fatalf("%v\n%s", err, text)
	}
}

func (s *shop) request() cluster.Request {
	return cluster.Request{Workspace: "shop", Objects: s.objects, Prune: true}
}

// differences says what an apply would change now.
func (s *shop) differences() []string {
	s.t.Helper()
	plan, err := s.Plan(s.t.Context(), s.request())
	if err != nil {
		s.t.Fatal(err)
	}
	var all []string
	for i := range plan.Changes {
		if ch := &plan.Changes[i]; ch.Action != cluster.Unchanged && ch.Action != cluster.Keep {
			text, _ := json.Marshal(ch)
			all = append(all, string(text))
		}
	}
	return all
}

func (s *shop) vs(name string) *unstructured.Unstructured {
	s.t.Helper()
	vs, err := s.Get(s.t.Context(), virtualServices, s.id("VirtualService", name))
	if err != nil {
		s.t.Fatal(err)
	}
	return vs
}

func (s *shop) id(kind, name string) cluster.ID {
	groups := map[string]string{"VirtualService": "networking.istio.io", "Deployment": "apps"}
	return cluster.ID{Group: groups[kind], Kind: kind, Namespace: s.Namespace, Name: name}
}

func (s *shop) deployment(name string) *unstructured.Unstructured {
	s.t.Helper()
	d, err := s.Get(s.t.Context(), schema.GroupVersionKind{Group: "apps", Kind: "Deployment"}, s.id("Deployment", name))
	if err != nil {
		s.t.Fatal(err)
	}
	return d
}

// image is what stable's files and pods say.
func image(d *unstructured.Unstructured) string {
	containers, _, _ := unstructured.NestedSlice(d.Object, "spec", "template", "spec", "containers")
	text, _ := containers[0].(map[string]any)["image"].(string)
	return text
}

// load sends requests to the gateway until it is stopped and counts what came
// back, by status, and by version.
type load struct {
	mu       sync.Mutex
	status   map[int]int
	versions map[string]int
	first    string // body of the first answer that was none of the service's
	sent     atomic.Int64
	stop     func()
}

func (s *shop) load(perSecond int) *load {
	l := &load{status: map[int]int{}, versions: map[string]int{}}
	ctx, cancel := context.WithCancel(context.Background())
	var all sync.WaitGroup
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}, Timeout: 10 * time.Second}
	tick := time.NewTicker(time.Second / time.Duration(perSecond))
	all.Add(1)
	go func() {
		defer all.Done()
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			all.Add(1)
			go func() {
				defer all.Done()
				l.one(client, s)
			}()
		}
	}()
	l.stop = func() { cancel(); all.Wait() }
	return l
}

func (l *load) one(client *http.Client, s *shop) {
	l.sent.Add(1)
	request, _ := http.NewRequest(http.MethodGet, "http://"+s.gateway+"/orders", nil)
	request.Host = s.host
	response, err := client.Do(request)
	l.mu.Lock()
	defer l.mu.Unlock()
	if err != nil {
		l.status[0]++
		l.first = err.Error()
		return
	}
	defer response.Body.Close()
	body, _ := io.ReadAll(response.Body)
	l.status[response.StatusCode]++
	l.versions[response.Header.Get("x-meshstorm-version")]++
	if response.StatusCode >= 500 && l.first == "" {
		l.first = fmt.Sprintf("%s %v %s", time.Now().Format("15:04:05.000"), response.Header, body)
	}
}

// entrance is where the lab's gateway listens on this machine.
func (s *shop) entrance() string {
	s.t.Helper()
	return strings.TrimPrefix(labtest.Gateway(s.t, labtest.Kubeconfig(s.t)), "http://")
}

// routed waits until the gateway routes to the service.
func (s *shop) routed() {
	s.t.Helper()
	for l := (&load{status: map[int]int{}, versions: map[string]int{}}); ; {
		l.one(http.DefaultClient, s)
		if l.status[200] > 0 {
			return
		}
		select {
		case <-s.t.Context().Done():
			s.t.Fatalf("the gateway never answered with 200: %v", l.status)
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// good measures nothing and finds everything well; the state machine has its own
// tests.
type good struct{ bad atomic.Bool }

func (g *good) Name() string { return "the test" }
func (g *good) Mark(context.Context, metrics.Target) (metrics.Mark, error) {
	return "mark", nil
}
func (g *good) Since(_ context.Context, t metrics.Target, _ metrics.Mark) (map[string]metrics.Traffic, error) {
	all := map[string]metrics.Traffic{}
	for _, w := range t.Workloads {
		all[w] = metrics.Traffic{Requests: 1000, P95: 5, Duration: 1}
		if g.bad.Load() {
			all[w] = metrics.Traffic{Requests: 1000, Errors: 300, Duration: 1}
		}
	}
	return all, nil
}
func (g *good) Recent(ctx context.Context, t metrics.Target, _ time.Duration) (map[string]metrics.Traffic, error) {
	return g.Since(ctx, t, "")
}

func (s *shop) engine(g *good) *rollout.Engine {
	return &rollout.Engine{Client: s.Client, Metrics: g, Timeout: time.Minute, Events: func(e rollout.Event) {
		s.t.Logf("%s %s %s %d %% %s", e.Time.Format("15:04:05.000"), e.Phase, e.Stage, e.Weight, e.Message)
	}}
}

func (s *shop) plan() rollout.Plan {
	return rollout.Plan{Service: "order", Namespace: s.Namespace, Image: "registry.example.com/order:v2", Steps: []int{20, 100},
		Every: metav1.Duration{Duration: time.Second}, Drain: metav1.Duration{Duration: time.Second},
		Bounds: rollout.Bounds{MaxErrorRate: 0.01, MinRequests: 50}}
}

func (s *shop) propose(e *rollout.Engine, p rollout.Plan) *rollout.Proposal {
	s.t.Helper()
	proposal, err := e.Propose(s.t.Context(), p, rollout.Consent{})
	if err != nil {
		s.t.Fatal(err)
	}
	return proposal
}

// clean checks that nothing of a canary is left.
func (s *shop) clean() {
	s.t.Helper()
	if s.deployment("order-canary") != nil {
		s.t.Error("the canary's Deployment is still there")
	}
	if s.vs("vsvc-order-mesh") != nil {
		s.t.Error("the rules for the mesh, which only the canary needed, are still there")
	}
	vs := s.vs("vsvc-order")
	if _, ok := vs.GetAnnotations()[shift.Annotation]; ok || cluster.Owns(vs, shift.Manager) {
		s.t.Errorf("the shift is still there: %v", vs.GetManagedFields())
	}
	if rules, _, _ := unstructured.NestedSlice(vs.Object, "spec", "http"); len(rules) == 0 {
		s.t.Error("spec.http is empty")
	}
}
