package rollout

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/meshstorm/meshstorm/cluster"
	"github.com/meshstorm/meshstorm/cluster/metrics"
	"github.com/meshstorm/meshstorm/shift"
)

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
