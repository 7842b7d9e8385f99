package rollout

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

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
