package rollout_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
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
	"k8s.io/apimachinery/pkg/types"

	"k8s.io/client-go/rest"

	"github.com/meshstorm/meshstorm/cluster"
	"github.com/meshstorm/meshstorm/cluster/metrics"
	"github.com/meshstorm/meshstorm/cluster/rollout"
	"github.com/meshstorm/meshstorm/internal/labtest"
	"github.com/meshstorm/meshstorm/manifest"
	"github.com/meshstorm/meshstorm/shift"
)

func TestMain(m *testing.M) { os.Exit(labtest.Main(m)) }

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

func TestACanaryIsPromotedWithoutOneError(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	s.apply()
	s.routed()
	e := s.engine(&good{})
	var promoted rollout.Promotion
	e.Files = func(_ context.Context, p rollout.Promotion) error { promoted = p; return nil }
	l := s.load(200)
	p := s.plan()
	p.Testers, p.Sticky = &shift.Testers{Header: "x-canary", Value: "true"}, "side"
	p.Env, p.CanaryEnv = map[string]string{"FEATURE": "on"}, map[string]string{"EVENTS_PAUSED": "true"}
	_, err := e.Start(t.Context(), s.propose(e, p))
	l.stop()
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d requests: %v, versions %v", l.sent.Load(), l.status, l.versions)
	if l.status[200] != int(l.sent.Load()) {
		t.Errorf("answers %v; the first bad one: %s", l.status, l.first)
	}
	if l.versions["v1"] == 0 || l.versions["v2"] == 0 {
		t.Errorf("versions %v", l.versions)
	}
	s.clean()
	if got := image(s.deployment("order")); got != "registry.example.com/order:v2" {
		t.Errorf("stable runs %s", got)
	}
	if text, _ := json.Marshal(s.deployment("order").Object["spec"]); !bytes.Contains(text, []byte("FEATURE")) || bytes.Contains(text, []byte("EVENTS_PAUSED")) {
		t.Errorf("the environment is not the new version's: %s", text)
	}
	// What the files get makes apply find nothing to change.
	for _, o := range s.objects {
		if o.GetKind() == "Deployment" && o.GetName() == "order" {
			_ = unstructured.SetNestedMap(o.Object, promoted.New, "spec", "template")
		}
	}
	if d := s.differences(); len(d) > 0 {
		t.Errorf("apply would change %s", strings.Join(d, "\n"))
	}
}

// dying is a client whose process is killed at its n-th write: that one may have
// arrived, and nothing after it is sent.
func (s *shop) dying(n int64, late bool) (context.Context, *cluster.Client) {
	ctx, die := context.WithCancel(s.t.Context())
	s.t.Cleanup(die)
	var writes atomic.Int64
	config := rest.CopyConfig(s.Config)
	config.Wrap(func(next http.RoundTripper) http.RoundTripper {
		return roundTripper(func(q *http.Request) (*http.Response, error) {
			seen := writes.Load()
			if q.Method != http.MethodGet {
				seen = writes.Add(1)
			}
			switch {
			case seen < n:
				return next.RoundTrip(q)
			case seen == n && late && q.Method != http.MethodGet:
				if answer, err := next.RoundTrip(q); err == nil {
					_ = answer.Body.Close()
				}
			}
			die()
			return nil, ctx.Err()
		})
	})
	c, err := cluster.New(config, s.Namespace, true, "")
	if err != nil {
		s.t.Fatal(err)
	}
	return ctx, c
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(q *http.Request) (*http.Response, error) { return f(q) }

// Every process gets some writes further than the one before it, so that together
// they die everywhere.
func TestACanaryWhoseProcessesAllDieIsPromotedWithoutOneError(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	s.apply()
	s.routed()
	l := s.load(50)
	plan := s.plan()
	plan.Every, plan.Sticky, plan.Mirror = metav1.Duration{Duration: time.Millisecond}, "side", &shift.Mirror{Percent: 10, Unsafe: true}
	processes, ended := 0, false
	for n := int64(4); n < 200 && !ended; n += 3 {
		processes++
		e := s.engine(&good{})
		ctx, client := s.dying(n, n%2 == 0)
		e.Client = client
		_, err := e.Resume(ctx, "order", rollout.ResumeOptions{})
		if errors.Is(err, rollout.ErrNone) && !strings.Contains(err.Error(), "promoted") {
			var proposal *rollout.Proposal
			if proposal, err = e.Propose(ctx, plan, rollout.Consent{}); err == nil {
				_, err = e.Start(ctx, proposal)
			}
		}
		ended = err == nil || strings.Contains(err.Error(), "promoted")
		if !ended && ctx.Err() == nil {
			t.Fatal(err)
		}
		// Its lease would be over after a while.
		_ = s.Kube.CoordinationV1().Leases(s.Namespace).Delete(t.Context(), rollout.Name("order"), metav1.DeleteOptions{})
	}
	l.stop()
	t.Logf("%d processes; %d requests: %v, versions %v", processes, l.sent.Load(), l.status, l.versions)
	if l.status[200] != int(l.sent.Load()) {
		t.Errorf("answers %v; the first bad one: %s", l.status, l.first)
	}
	s.clean()
	if got := image(s.deployment("order")); got != plan.Image {
		t.Errorf("stable runs %s", got)
	}
	if text, _ := json.Marshal(s.vs("vsvc-order").Object["spec"]); bytes.Contains(text, []byte("mirror")) || bytes.Contains(text, []byte("cookie")) {
		t.Errorf("the mirror or the cookie is left: %s", text)
	}
}

func TestABadCanaryOnTheClusterGoesBack(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	s.apply()
	s.routed()
	g := &good{}
	e := s.engine(g)
	seen := false
	report := e.Events
	e.Events = func(event rollout.Event) {
		report(event)
		if event.Phase == rollout.Watching && !seen {
			seen = true
			s.whileShifted()
			g.bad.Store(true)
		}
	}
	l := s.load(200)
	_, err := e.Start(t.Context(), s.propose(e, s.plan()))
	l.stop()
	if !errors.Is(err, rollout.ErrAborted) {
		t.Fatal(err)
	}
	if l.status[200] != int(l.sent.Load()) {
		t.Errorf("answers %v; the first bad one: %s", l.status, l.first)
	}
	s.clean()
	if d := s.differences(); len(d) > 0 {
		t.Errorf("apply would change %s", strings.Join(d, "\n"))
	}
}

// whileShifted checks what others see during a canary.
func (s *shop) whileShifted() {
	for _, name := range []string{"vsvc-order-mesh", "vsvc-order"} {
		vs := s.vs(name)
		for _, w := range shift.Current(vs, "order", s.Namespace) {
			if want := map[string]int{"stable": 80, "canary": 20}[w.Subset]; w.Weight != want {
				s.t.Errorf("%s, rule %s: %s has %d, expected %d", name, w.Rule, w.Subset, w.Weight, want)
			}
		}
	}
	if d := s.differences(); len(d) > 0 {
		s.t.Errorf("apply would disturb the canary: %s", strings.Join(d, "\n"))
	}
	inventory, err := s.ReadInventory(s.t.Context(), s.Namespace, "shop")
	if err != nil {
		s.t.Fatal(err)
	}
	if e := inventory.Find(s.id("Deployment", "order-canary")); e == nil || e.Kept != "canary of order" {
		s.t.Errorf("the inventory has the canary as %v", e)
	}
}

// A writer that changes the VirtualServices all the time costs time only.
func TestAShiftByHandGetsThroughAWriterThatNeverStops(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	s.apply()
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan int)
	go func() {
		n := 0
		for ; ctx.Err() == nil; n++ {
			resource, _ := s.Resource(virtualServices, s.Namespace)
			patch := fmt.Sprintf(`{"metadata":{"annotations":{"someone.example/count":"%d"}}}`, n)
			_, _ = resource.Patch(ctx, "vsvc-order", types.MergePatchType, []byte(patch), metav1.PatchOptions{})
		}
		done <- n
	}()
	e := s.engine(&good{})
	weights := map[string]int{"stable": 70, "canary": 30}
	if _, err := e.Shift(t.Context(), rollout.ShiftRequest{Service: "order", Weights: weights}); !errors.Is(err, rollout.ErrRefused) || !strings.Contains(err.Error(), "no ready pod") {
		t.Errorf("a subset without pods was not refused: %v", err)
	}
	if _, err := e.Shift(t.Context(), rollout.ShiftRequest{Service: "order", Weights: weights, Force: true}); err != nil {
		t.Fatal(err)
	}
	files := map[string][]shift.Weight{}
	for _, o := range s.objects {
		if o.GetKind() == "VirtualService" {
			files[o.GetName()] = shift.Current(o.Unstructured, "order", s.Namespace)
		}
	}
	for _, w := range shift.Current(s.vs("vsvc-order"), "order", s.Namespace) {
		if w.Weight != weights[w.Subset] {
			t.Errorf("rule %s sends %d %% to %s", w.Rule, w.Weight, w.Subset)
		}
	}
	if _, err := e.EndShift(t.Context(), "order", files, rollout.ShiftRequest{}); err != nil {
		t.Fatal(err)
	}
	stop()
	t.Logf("%d other writes", <-done)
	s.clean()
	if d := s.differences(); len(d) > 0 {
		t.Errorf("apply would change %s", strings.Join(d, "\n"))
	}
}

func TestWeightsThatMakeNoSenseAreRefused(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	s.apply()
	e := s.engine(&good{})
	for _, c := range []struct {
		name    string
		weights map[string]int
		want    string
	}{
		{"too much", map[string]int{"stable": 90, "canary": 20}, "add up to 110"},
		{"too little", map[string]int{"stable": 90}, "add up to 90"},
		{"an unknown subset", map[string]int{"stable": 90, "blue": 10}, `no subset "blue"; the DestinationRule has canary, stable`},
		{"below zero", map[string]int{"stable": 110, "canary": -10}, "expected 0 to 100"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := e.Shift(t.Context(), rollout.ShiftRequest{Service: "order", Weights: c.weights, Force: true})
			if !errors.Is(err, rollout.ErrPlan) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("the error is %v, expected %q in it", err, c.want)
			}
		})
	}
}
