package rollout_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"

	"k8s.io/client-go/rest"

	"github.com/meshstorm/meshstorm/cluster"
	"github.com/meshstorm/meshstorm/cluster/rollout"
	"github.com/meshstorm/meshstorm/internal/labtest"
	"github.com/meshstorm/meshstorm/shift"
)

func TestMain(m *testing.M) { os.Exit(labtest.Main(m)) }

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
