package rollout

import (
	"context"
	"errors"
	"math"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/meshstorm/meshstorm/cluster"
	"github.com/meshstorm/meshstorm/cluster/metrics"
	"github.com/meshstorm/meshstorm/shift"
)

var errKilled = errors.New("killed")

// town is a cluster as far as a rollout sees one. It outlives the processes that
// work on it, and complains about what would have been a 503.
type town struct {
	t *testing.T

	mu      sync.Mutex // guards stored and request, which a running rollout listens to
	stored  string     // the state
	request Request
	holder  atomic.Bool

	canary    int32 // ready pods
	aware     bool  // the proxies know the canary's pods
	weights   map[string]int
	shifted   bool
	sticky    *shift.Sticky
	image     string // of stable's pods
	written   string // image in the files
	moves     []int  // the canary's weights, each once
	killAfter int    // writes until the process dies; 0 for never
	killLate  bool
	writes    int

	traffic func(canary bool) metrics.Traffic // since a mark
	deaf    error                             // of the metrics
	unready bool
}

func newTown(t *testing.T) *town {
	return &town{t: t, weights: map[string]int{"stable": 100, "canary": 0}, image: "order:v1", written: "order:v1",
		traffic: func(bool) metrics.Traffic { return metrics.Traffic{Requests: 1000, P95: 20, Duration: 60} }}
}

// write counts a write and ends the process at the chosen one: before it took
// effect, or after it and before its answer.
func (w *town) write(ctx context.Context, effect func()) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	w.writes++
	if w.killAfter > 0 && w.writes > w.killAfter {
		return errKilled
	}
	if w.killAfter > 0 && w.writes == w.killAfter {
		if w.killLate {
			effect()
		}
		return errKilled
	}
	effect()
	return nil
}

func (w *town) check() {
	if w.weights["canary"] > 0 && (w.canary == 0 || !w.aware) {
		w.t.Errorf("%d %% go to a canary with %d pods, known to the proxies: %v", w.weights["canary"], w.canary, w.aware)
	}
}

func (w *town) load(context.Context) (*State, Request, error) {
	w.mu.Lock()
	stored, request := w.stored, w.request
	w.mu.Unlock()
	if stored == "" {
		return nil, request, nil
	}
	s, err := Decode(stored)
	return s, request, err
}

func (w *town) save(ctx context.Context, s *State) error {
	if old, _, _ := w.load(ctx); old != nil && old.Epoch > s.Epoch {
		return ErrTaken
	}
	text, err := s.Encode()
	if err != nil {
		return err
	}
	return w.write(ctx, func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.stored = text
	})
}

func (w *town) take(ctx context.Context, s *State) error { return w.save(ctx, s) }

func (w *town) ask(_ context.Context, q Request) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.request = q
	return nil
}

// remembered is what the state in the cluster says, which must be ahead of what
// happens.
func (w *town) remembered() *State {
	s, _, err := w.load(context.Background())
	if err != nil || s == nil {
		w.t.Fatalf("something happens that the cluster does not remember: %v", err)
	}
	return s
}

func (w *town) prepare(ctx context.Context, _ *State, pods int32) error {
	return w.write(ctx, func() { w.canary = max(w.canary, pods) })
}

func (w *town) size(ctx context.Context, _ *State, pods int32) error {
	if w.unready {
		return cluster.ErrNotReady
	}
	if w.canary >= pods {
		return nil
	}
	return w.write(ctx, func() { w.canary = pods })
}

type townWorld struct{ *town }

func (w townWorld) known(ctx context.Context, _ *State) error {
	w.aware = true
	return ctx.Err()
}

func (w townWorld) move(ctx context.Context, s *State, t Traffic) error {
	held := w.remembered()
	if held.Phase != s.Phase || held.Stage != s.Stage || held.Weight != s.Weight {
		w.t.Errorf("traffic is moved in %s %s at %d %%, but the cluster remembers %s %s at %d %%", s.Phase, s.Stage, s.Weight, held.Phase, held.Stage, held.Weight)
	}
	if n := t.Weights["stable"] + t.Weights["canary"]; n != 100 {
		w.t.Errorf("the weights add up to %d", n)
	}
	return w.write(ctx, func() {
		w.weights, w.shifted, w.sticky = t.Weights, true, t.Sticky
		if c := t.Weights["canary"]; len(w.moves) == 0 || w.moves[len(w.moves)-1] != c {
			w.moves = append(w.moves, c)
		}
		w.check()
	})
}

func (w townWorld) left(ctx context.Context, _ *State, subset string) error {
	if w.weights[subset] != 0 {
		w.t.Errorf("waiting until nobody sends to %s, which has %d %%", subset, w.weights[subset])
	}
	return ctx.Err()
}

func (w townWorld) templates(context.Context, *State) (old, promoted map[string]any, err error) {
	return map[string]any{"image": "order:v1"}, map[string]any{"image": "order:v2"}, nil
}

func (w townWorld) adopt(ctx context.Context, s *State, template map[string]any) error {
	if w.weights["stable"] != 0 && s.Phase == Promoting {
		w.t.Errorf("stable changes while it has %d %%", w.weights["stable"])
	}
	return w.write(ctx, func() { w.image = template["image"].(string) })
}

func (w townWorld) withdraw(ctx context.Context, s *State) error {
	if !w.shifted {
		return nil
	}
	return w.write(ctx, func() { w.weights, w.sticky = map[string]int{"stable": 100, "canary": 0}, nil })
}

func (w townWorld) finish(ctx context.Context, s *State) error {
	if w.weights["canary"] != 0 {
		w.t.Errorf("the canary is removed at %d %%", w.weights["canary"])
	}
	if err := w.write(ctx, func() { w.shifted = false }); err != nil {
		return err
	}
	return w.write(ctx, func() { w.canary, w.aware = 0, false })
}

func (w townWorld) files(ctx context.Context, s *State) error {
	return w.write(ctx, func() { w.written = s.New["image"].(string) })
}

func (w townWorld) stable(context.Context, *State) (int32, error) { return 4, nil }

// The town measures itself.
func (w *town) Name() string { return "the town" }

func (w *town) Mark(context.Context, metrics.Target) (metrics.Mark, error) {
	if w.deaf != nil {
		return "", w.deaf
	}
	return "m", nil
}

func (w *town) Since(_ context.Context, t metrics.Target, _ metrics.Mark) (map[string]metrics.Traffic, error) {
	if w.deaf != nil {
		return nil, w.deaf
	}
	all := map[string]metrics.Traffic{}
	for i, name := range t.Workloads {
		if got := w.traffic(i == 1); !math.IsNaN(got.Requests) {
			all[name] = got
		}
	}
	return all, nil
}

func (w *town) Recent(ctx context.Context, t metrics.Target, _ time.Duration) (map[string]metrics.Traffic, error) {
	return w.Since(ctx, t, "")
}

func (w *town) engine() *Engine {
	return &Engine{Metrics: w,
		open: func(string) (world, store) { return townWorld{w}, w },
		hold: func(ctx context.Context, service string) (context.Context, func(), error) {
			if !w.holder.CompareAndSwap(false, true) {
				return nil, nil, &cluster.HeldError{Lease: service, Holder: "somebody"}
			}
			return ctx, func() { w.holder.Store(false) }, nil
		}}
}

func order() Plan {
	return Plan{Service: "order", Namespace: "default", Image: "order:v2", Steps: []int{5, 50, 100},
		Every: metav1.Duration{Duration: time.Minute}, Drain: metav1.Duration{Duration: 10 * time.Second},
		Bounds: Bounds{MaxErrorRate: 0.01, MinRequests: 50}}
}

func proposal(t *testing.T, p Plan) *Proposal {
	t.Helper()
	if err := p.Complete(); err != nil {
		t.Fatal(err)
	}
	return &Proposal{State: &State{Plan: p, Phase: Preparing, Stable: "stable", Canary: "canary", Replicas: 4}}
}

func (w *town) promoted(t *testing.T) {
	t.Helper()
	s := w.remembered()
	if s.Phase != Promoted || w.image != "order:v2" || w.written != "order:v2" || w.canary != 0 || w.shifted || w.weights["stable"] != 100 {
		t.Errorf("phase %s, stable runs %s, the files say %s, %d canary pods, shifted %v, weights %v", s.Phase, w.image, w.written, w.canary, w.shifted, w.weights)
	}
}

func (w *town) aborted(t *testing.T) {
	t.Helper()
	s := w.remembered()
	if s.Phase != Aborted || w.image != "order:v1" || w.written != "order:v1" || w.canary != 0 || w.shifted || w.weights["stable"] != 100 {
		t.Errorf("phase %s, stable runs %s, the files say %s, %d canary pods, shifted %v, weights %v", s.Phase, w.image, w.written, w.canary, w.shifted, w.weights)
	}
}
