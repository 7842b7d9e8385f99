package rollout

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
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

func TestAHealthyCanaryIsPromotedStepByStep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTown(t)
		began := time.Now()
		if _, err := w.engine().Start(t.Context(), proposal(t, order())); err != nil {
			t.Fatal(err)
		}
		w.promoted(t)
		if got := fmt.Sprint(w.moves); got != "[5 50 100 0]" {
			t.Errorf("the canary's weights were %s", got)
		}
		if took := time.Since(began); took < 3*time.Minute || took > 4*time.Minute {
			t.Errorf("it took %s", took)
		}
		if n := len(w.remembered().Verdicts); n != 3 {
			t.Errorf("%d verdicts", n)
		}
	})
}

// Whatever write a process dies at, resuming leads to the same end.
func TestARolloutGoesOnAfterAKillAtAnyWrite(t *testing.T) {
	for _, bad := range []bool{false, true} {
		for _, late := range []bool{false, true} {
			for n := 1; n < 80; n++ {
				done := false
				t.Run(fmt.Sprintf("bad %v, killed at write %d, after it %v", bad, n, late), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) { done = killAt(t, n, late, bad) })
				})
				if done {
					break
				}
			}
		}
	}
}

// killAt reports whether the rollout ended before the kill.
func killAt(t *testing.T, n int, late, bad bool) bool {
	w := newTown(t)
	w.killAfter, w.killLate = n, late
	if bad {
		w.traffic = func(canary bool) metrics.Traffic {
			if canary && w.weights["canary"] == 50 {
				return metrics.Traffic{Requests: 100, Errors: 30}
			}
			return metrics.Traffic{Requests: 100}
		}
	}
	_, err := w.engine().Start(t.Context(), proposal(t, order()))
	killed := errors.Is(err, errKilled)
	if !killed && !bad && err != nil || bad && !killed && !errors.Is(err, ErrAborted) {
		t.Fatal(err)
	}
	w.holder.Store(false)
	w.killAfter = 0
	if killed {
		time.Sleep(time.Hour) // nobody looks
		if w.stored == "" {
			_, err = w.engine().Start(t.Context(), proposal(t, order()))
		} else if s, _, _ := w.load(t.Context()); !s.Phase.Ended() {
			_, err = w.engine().Resume(t.Context(), "order", ResumeOptions{})
		} else {
			err = nil
		}
		if bad && errors.Is(err, ErrAborted) {
			err = nil
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if bad {
		w.aborted(t)
	} else {
		w.promoted(t)
	}
	return !killed
}

func TestABadCanaryGoesBackByItselfAndSaysWhy(t *testing.T) {
	cases := []struct {
		name    string
		traffic metrics.Traffic
		bounds  Bounds
		want    string
	}{
		{"too many errors", metrics.Traffic{Requests: 200, Errors: 60}, Bounds{MaxErrorRate: 0.01, MinRequests: 50}, "30 % errors in 200 requests, the bound is 1 %"},
		{"errors in few requests that no more could make good", metrics.Traffic{Requests: 10, Errors: 10}, Bounds{MaxErrorRate: 0.01, MinRequests: 50}, "100 % errors in 10 requests, the bound is 1 %"},
		{"too slow", metrics.Traffic{Requests: 200, P95: 700}, Bounds{MaxErrorRate: 0.01, MinRequests: 50, MaxP95: metav1.Duration{Duration: 500 * time.Millisecond}}, "p95 700 ms in 200 requests, the bound is 500 ms"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newTown(t)
				w.traffic = func(bool) metrics.Traffic { return c.traffic }
				p := order()
				p.Bounds, p.Sticky = c.bounds, "side"
				began := time.Now()
				_, err := w.engine().Start(t.Context(), proposal(t, p))
				if !errors.Is(err, ErrAborted) || !strings.Contains(err.Error(), c.want) {
					t.Errorf("the error is %v, expected %q in it", err, c.want)
				}
				w.aborted(t)
				if took := time.Since(began); took > 30*time.Second {
					t.Errorf("it took %s, though the step lasts a minute: it must not wait for its end", took)
				}
			})
		})
	}
}

func TestWhatIsNotKnownNeverCountsAsHealthy(t *testing.T) {
	unknown := metrics.Traffic{Requests: math.NaN()}
	cases := []struct {
		name  string
		town  func(*town)
		want  string
		steps int // verdicts until the pause
	}{
		{"the source cannot be asked", func(w *town) { w.deaf = metrics.ErrUnavailable }, "could not be measured", 1},
		{"the canary is missing though it must have had requests", func(w *town) {
			w.traffic = func(canary bool) metrics.Traffic {
				if canary {
					return unknown
				}
				return metrics.Traffic{Requests: 5000}
			}
		}, "nothing is known of order-canary", 1},
		{"nobody is known", func(w *town) { w.traffic = func(bool) metrics.Traffic { return unknown } }, "nothing is known of order-canary", 1},
		{"too few requests", func(w *town) { w.traffic = func(bool) metrics.Traffic { return metrics.Traffic{Requests: 3} } }, "not enough traffic", 4},
		{"so few that the canary got none", func(w *town) {
			w.traffic = func(canary bool) metrics.Traffic {
				if canary {
					return unknown
				}
				return metrics.Traffic{Requests: 20}
			}
		}, "not enough traffic", 4},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newTown(t)
				c.town(w)
				_, err := w.engine().Start(t.Context(), proposal(t, order()))
				if !errors.Is(err, ErrPaused) || !strings.Contains(err.Error(), c.want) {
					t.Errorf("the error is %v, expected a pause with %q", err, c.want)
				}
				s := w.remembered()
				if s.Phase != Paused || w.weights["canary"] != 5 || len(s.Verdicts) != c.steps {
					t.Errorf("phase %s, weights %v, verdicts %v", s.Phase, w.weights, s.Verdicts)
				}
				// When it can be measured again, resuming goes on to the end.
				w.deaf, w.traffic = nil, newTown(t).traffic
				if _, err := w.engine().Resume(t.Context(), "order", ResumeOptions{}); err != nil {
					t.Fatal(err)
				}
				w.promoted(t)
			})
		})
	}
}

func TestATimeWithoutAnybodyIsJudgedFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTown(t)
		ctx, kill := context.WithTimeout(t.Context(), 90*time.Second)
		defer kill()
		if _, err := w.engine().Start(ctx, proposal(t, order())); !errors.Is(err, context.DeadlineExceeded) {
			t.Fatal(err)
		}
		w.traffic = func(bool) metrics.Traffic { return metrics.Traffic{Requests: 5000, Errors: 2500} }
		time.Sleep(time.Hour)
		began := time.Now()
		if _, err := w.engine().Resume(t.Context(), "order", ResumeOptions{}); !errors.Is(err, ErrAborted) {
			t.Errorf("the error is %v", err)
		}
		if took := time.Since(began); took > 11*time.Second {
			t.Errorf("it took %s, more than the drain time", took)
		}
		w.aborted(t)
	})
}

func TestAnotherProcessCanAskForTheEnd(t *testing.T) {
	cases := []struct {
		name string
		ask  func(context.Context, *Engine) (*State, error)
		end  error // of the process that is asked
		done func(*town, *testing.T)
	}{
		{"abort", func(ctx context.Context, e *Engine) (*State, error) {
			return e.Abort(ctx, "order", EndOptions{By: "me"})
		}, ErrAborted, (*town).aborted},
		{"promote", func(ctx context.Context, e *Engine) (*State, error) {
			return e.Promote(ctx, "order", EndOptions{By: "me"})
		}, nil, (*town).promoted},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newTown(t)
				started := make(chan error)
				go func() {
					_, err := w.engine().Start(t.Context(), proposal(t, order()))
					started <- err
				}()
				time.Sleep(20 * time.Second)
				asked := make(chan error)
				go func() {
					_, err := c.ask(t.Context(), w.engine())
					asked <- err
				}()
				if err := <-started; !errors.Is(err, c.end) {
					t.Errorf("the one that was asked ends with %v, want %v", err, c.end)
				}
				if err := <-asked; err != nil {
					t.Error(err)
				}
				c.done(w, t)
			})
		})
	}
}

func TestWhoTakesTheObjectsAwayEndsTheRollout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTown(t)
		started := make(chan error)
		go func() {
			_, err := w.engine().Start(t.Context(), proposal(t, order()))
			started <- err
		}()
		time.Sleep(20 * time.Second)
		if err := w.engine().Overrule(t.Context(), []*Status{{Namespace: "default", Service: "order"}}, "undone"); err != nil {
			t.Fatal(err)
		}
		moved := w.writes
		if err := <-started; !errors.Is(err, ErrAborted) || !strings.Contains(err.Error(), "undone") {
			t.Errorf("the one that held it ends with %v", err)
		}
		if w.writes != moved {
			t.Errorf("it wrote %d times after the end", w.writes-moved)
		}
		if status, err := w.engine().Status(t.Context(), "order"); err != nil || status.Phase != Aborted || status.Reason != "undone" {
			t.Errorf("status tells of %+v, %v", status, err)
		}
	})
}

func TestARequestOfTheRolloutBeforeMeansNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTown(t)
		w.request = Request{ID: "old", Verb: AskAbort}
		if _, err := w.engine().Start(t.Context(), proposal(t, order())); err != nil {
			t.Fatal(err)
		}
		w.promoted(t)
	})
}

func TestAnAbortAfterStableWasChangedBringsTheOldVersionBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTown(t)
		w.killLate = true
		e := w.engine()
		e.Events = func(event Event) {
			if event.Phase == Promoting && event.Stage == Return {
				w.killAfter = w.writes + 1
			}
		}
		if _, err := e.Start(t.Context(), proposal(t, order())); !errors.Is(err, errKilled) {
			t.Fatal(err)
		}
		if w.image != "order:v2" {
			t.Fatal("stable was not changed yet")
		}
		w.killAfter = 0
		s, err := w.engine().Abort(t.Context(), "order", EndOptions{By: "me"})
		if err != nil {
			t.Fatal(err)
		}
		if s.Failed {
			t.Error("an abort that was asked for is no failure")
		}
		w.aborted(t)
	})
}

func TestAPlanWithoutTimesWaitsAfterEachStep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTown(t)
		p := order()
		p.Steps, p.Every = []int{10, 40}, metav1.Duration{}
		if _, err := w.engine().Start(t.Context(), proposal(t, p)); err != nil {
			t.Fatal(err)
		}
		if s := w.remembered(); s.Phase != Paused || !s.Planned || w.weights["canary"] != 10 {
			t.Fatalf("phase %s, weights %v", s.Phase, w.weights)
		}
		if _, err := w.engine().Resume(t.Context(), "order", ResumeOptions{}); err != nil {
			t.Fatal(err)
		}
		if w.weights["canary"] != 40 {
			t.Fatalf("weights %v", w.weights)
		}
		if _, err := w.engine().Resume(t.Context(), "order", ResumeOptions{}); !errors.Is(err, ErrRefused) {
			t.Errorf("after the last step the error is %v", err)
		}
		if _, err := w.engine().Promote(t.Context(), "order", EndOptions{By: "me"}); err != nil {
			t.Fatal(err)
		}
		w.promoted(t)
	})
}

func TestBlueGreenShowsThenSwitches(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTown(t)
		w.traffic = func(bool) metrics.Traffic {
			if w.weights["canary"] == 0 {
				return metrics.Traffic{Requests: math.NaN()}
			}
			return metrics.Traffic{Requests: 1000}
		}
		p := order()
		p.Strategy, p.Steps, p.Testers = BlueGreen, nil, &shift.Testers{Header: "x-canary", Value: "true"}
		if _, err := w.engine().Start(t.Context(), proposal(t, p)); err != nil {
			t.Fatal(err)
		}
		if s := w.remembered(); s.Phase != Paused || !s.Planned || w.canary != 4 {
			t.Fatalf("phase %s, planned %v, %d pods", s.Phase, s.Planned, w.canary)
		}
		if _, err := w.engine().Resume(t.Context(), "order", ResumeOptions{}); err != nil {
			t.Fatal(err)
		}
		if got := fmt.Sprint(w.moves); got != "[0 100 0]" {
			t.Errorf("the canary's weights were %s", got)
		}
		w.promoted(t)
	})
}

func TestPodsThatNeverBecomeReadyGetNoTraffic(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTown(t)
		w.unready = true
		if _, err := w.engine().Start(t.Context(), proposal(t, order())); !errors.Is(err, cluster.ErrNotReady) {
			t.Fatal(err)
		}
		if w.shifted {
			t.Error("traffic was moved")
		}
		if _, err := w.engine().Promote(t.Context(), "order", EndOptions{}); !errors.Is(err, ErrRefused) {
			t.Errorf("promoting it gave %v", err)
		}
		if _, err := w.engine().Abort(t.Context(), "order", EndOptions{}); err != nil {
			t.Fatal(err)
		}
		w.aborted(t)
	})
}

func TestPromotingByHandMindsABadVerdict(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTown(t)
		p := order()
		p.Every = metav1.Duration{}
		if _, err := w.engine().Start(t.Context(), proposal(t, p)); err != nil {
			t.Fatal(err)
		}
		w.traffic = func(bool) metrics.Traffic { return metrics.Traffic{Requests: 1000, Errors: 100} }
		if _, err := w.engine().Promote(t.Context(), "order", EndOptions{}); !errors.Is(err, ErrRefused) {
			t.Errorf("the error is %v", err)
		}
		if _, err := w.engine().Promote(t.Context(), "order", EndOptions{Force: true}); err != nil {
			t.Fatal(err)
		}
		w.promoted(t)
	})
}

func TestAPlanThatMakesNoSenseSaysAllThatIsWrong(t *testing.T) {
	cases := []struct {
		name   string
		change func(*Plan)
		want   string
	}{
		{"no image", func(p *Plan) { p.Image = " " }, "--image"},
		{"steps that fall", func(p *Plan) { p.Steps = []int{20, 10} }, "larger than the one before"},
		{"a step above 100", func(p *Plan) { p.Steps = []int{120} }, "from 1 to 100"},
		{"a step of nothing", func(p *Plan) { p.Steps = []int{0, 100} }, "from 1 to 100"},
		{"an unknown strategy", func(p *Plan) { p.Strategy = "red" }, "canary or blue-green"},
		{"an error rate above 1", func(p *Plan) { p.Bounds.MaxErrorRate = 2 }, "0 to 100 %"},
		{"no requests", func(p *Plan) { p.Bounds.MinRequests = 0 }, "at least 1 request"},
		{"a cookie with a space", func(p *Plan) { p.Sticky = "a b" }, "no cookie's name"},
		{"a mirror of nothing", func(p *Plan) { p.Mirror = &shift.Mirror{} }, "1 to 100 percent"},
		{"a negative time", func(p *Plan) { p.Every.Duration = -1 }, "below zero"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			p := order()
			c.change(&p)
			if err := p.Complete(); !errors.Is(err, ErrPlan) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("the error is %v, expected %q in it", err, c.want)
			}
		})
	}
}

func TestTheCanaryIsSizedForItsShare(t *testing.T) {
	p := order()
	for _, c := range []struct {
		percent int
		stable  int32
		want    int32
	}{{5, 4, 2}, {50, 4, 2}, {100, 4, 4}, {5, 1, 1}, {5, 10, 5}, {50, 3, 2}} {
		if got := p.size(c.percent, c.stable); got != c.want {
			t.Errorf("%d %% of %d pods need %d, got %d", c.percent, c.stable, c.want, got)
		}
	}
}

func FuzzDecode(f *testing.F) {
	s := proposal(&testing.T{}, order()).State
	text, _ := s.Encode()
	f.Add(text)
	f.Add(`{"plan":{"service":"a","namespace":"b","steps":[1]},"phase":"watching","step":3}`)
	f.Fuzz(func(t *testing.T, text string) {
		s, err := Decode(text)
		if err != nil {
			if !errors.Is(err, ErrState) {
				t.Errorf("the error wraps no ErrState: %v", err)
			}
			return
		}
		_ = s.percent()
		if _, err := json.Marshal(s); err != nil {
			t.Errorf("what was read cannot be written: %v", err)
		}
	})
}
