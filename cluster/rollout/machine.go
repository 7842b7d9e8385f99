package rollout

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// world is what a rollout does to a cluster. Every method can be called again
// after it was cut off anywhere, and again after it succeeded.
type world interface {
	// prepare makes what the canary needs: its subset, the rules for callers
	// inside the mesh, its Deployment.
	prepare(ctx context.Context, s *State, pods int32) error
	// size gives the canary at least so many pods and waits until all are ready.
	size(ctx context.Context, s *State, pods int32) error
	// known waits until the proxies know both subsets and their pods.
	known(ctx context.Context, s *State) error
	// move writes weights and rules into every VirtualService of the service.
	move(ctx context.Context, s *State, t Traffic) error
	// left waits until no proxy sends to a subset any more.
	left(ctx context.Context, s *State, subset string) error
	// templates reads stable's pod template, and what it is to become.
	templates(ctx context.Context, s *State) (old, promoted map[string]any, err error)
	// adopt gives stable a pod template and waits until its pods are ready.
	adopt(ctx context.Context, s *State, template map[string]any) error
	// withdraw sends everything to stable wherever this rollout has moved it.
	withdraw(ctx context.Context, s *State) error
	// finish ends the shift and removes what the canary made.
	finish(ctx context.Context, s *State) error
	// files hands the new version to the workspace and lets go of stable.
	files(ctx context.Context, s *State) error
	// stable counts the pods that stable is meant to have now.
	stable(ctx context.Context, s *State) (int32, error)
}

// Times of the machine.
const (
	pollEvery    = time.Second      // for requests of other processes
	measureEvery = 10 * time.Second // at most, while a step is watched
)

// run carries one rollout on.
type run struct {
	*Engine
	world world
	store store
	state *State
}

// asked ends what is being done because somebody else asks for an end.
type asked struct{ request Request }

func (a *asked) Error() string { return "asked to " + string(a.request.Verb) }

// overruled ends what is being done because somebody else has ended the rollout.
type overruled struct{ state *State }

func (o *overruled) Error() string { return "ended by somebody else" }

// carry goes on until the rollout has ended or paused. Its error wraps
// ErrAborted after a bad verdict and ErrPaused after a pause that nobody
// planned.
func (r *run) carry(ctx context.Context) error {
	for {
		s := r.state
		switch {
		case s.Phase == Aborted && s.Failed:
			return fmt.Errorf("%w: %s", ErrAborted, s.Reason)
		case s.Phase.Ended():
			return nil
		case s.Phase == Paused && s.Planned:
			return nil
		case s.Phase == Paused:
			return fmt.Errorf("%w: %s", ErrPaused, s.Reason)
		}
		err := r.once(ctx)
		var a *asked
		if errors.As(err, &a) {
			err = r.answer(ctx, a.request)
		}
		if err != nil {
			return err
		}
	}
}

// once does one transition, and stops it when another process asks for an end.
func (r *run) once(ctx context.Context) error {
	acting, stop := context.WithCancelCause(ctx)
	done := make(chan struct{})
	now := *r.state // which the transition changes at its end
	go func() {
		defer close(done)
		r.listen(acting, &now, stop)
	}()
	err := r.next(acting)
	cause := context.Cause(acting)
	stop(nil)
	<-done
	var a *asked
	if errors.As(cause, &a) && ctx.Err() == nil {
		return a
	}
	var o *overruled
	if errors.As(cause, &o) && ctx.Err() == nil {
		r.state = o.state
		r.tell(o.state.Reason)
		return nil
	}
	return err
}

// listen looks for requests, and for the end that another process has set, while
// something is being done in the state now.
func (r *run) listen(ctx context.Context, now *State, stop context.CancelCauseFunc) {
	for sleep(ctx, pollEvery) == nil {
		stored, request, err := r.store.load(ctx)
		switch {
		case err != nil:
		case stored != nil && stored.Epoch > now.Epoch && stored.Plan.ID == now.Plan.ID && stored.Phase.Ended():
			stop(&overruled{stored})
			return
		case now.heeds(request):
			stop(&asked{request})
			return
		}
	}
}

// heeds reports whether a request changes anything now.
func (s *State) heeds(q Request) bool {
	if q.ID == "" || q.ID == s.Answered {
		return false
	}
	switch q.Verb {
	case AskAbort:
		return s.Phase != Aborting && !s.Phase.Ended() && !s.late()
	case AskPromote:
		return s.Phase == Shifting || s.Phase == Watching || s.Phase == Paused
	}
	return false
}

// late reports whether a promotion is beyond the point of return: stable serves
// the new version already.
func (s *State) late() bool {
	return s.Phase == Promoting && (s.Stage == Drain || s.Stage == Remove || s.Stage == Files)
}

func (r *run) answer(ctx context.Context, q Request) error {
	s := r.state
	s.Answered = q.ID
	switch q.Verb {
	case AskAbort:
		s.abort(time.Now(), false, "asked for by "+q.By)
	case AskPromote:
		s.Reason = "asked for by " + q.By
		s.enter(time.Now(), Promoting, Scale)
	}
	return r.save(ctx)
}

// save writes the state and tells of it.
func (r *run) save(ctx context.Context) error {
	if err := r.store.save(ctx, r.state); err != nil {
		return err
	}
	r.tell("")
	return nil
}

// to goes to the next phase: first in the cluster, then here.
func (r *run) to(ctx context.Context, phase Phase, stage Stage) error {
	r.state.enter(time.Now(), phase, stage)
	return r.save(ctx)
}

// next does what the phase asks for and goes to the one that follows.
func (r *run) next(ctx context.Context) error {
	s := r.state
	switch s.Phase {
	case Preparing:
		return r.prepared(ctx)
	case Shifting:
		return r.shifted(ctx)
	case Watching:
		return r.watched(ctx)
	case Promoting:
		return r.promote(ctx)
	case Aborting:
		return r.back(ctx)
	}
	return fmt.Errorf("%w: phase %q", ErrState, s.Phase)
}

func (r *run) prepared(ctx context.Context) error {
	s := r.state
	pods := s.Plan.size(s.Plan.Steps[0], s.Replicas)
	if err := r.world.prepare(ctx, s, pods); err != nil {
		return err
	}
	if err := r.world.size(ctx, s, pods); err != nil {
		return err
	}
	if err := r.world.known(ctx, s); err != nil {
		return err
	}
	s.Step = 0
	return r.to(ctx, Shifting, "")
}

func (r *run) shifted(ctx context.Context) error {
	s := r.state
	stable, err := r.world.stable(ctx, s)
	if err != nil {
		return err
	}
	if err := r.world.size(ctx, s, s.Plan.size(s.percent(), stable)); err != nil {
		return err
	}
	if err := r.world.known(ctx, s); err != nil {
		return err
	}
	if s.Weight != s.percent() {
		s.Weight = s.percent()
		if err := r.save(ctx); err != nil {
			return err
		}
	}
	if err := r.world.move(ctx, s, s.split(s.percent())); err != nil {
		return err
	}
	s.Prolonged, s.Reason = 0, ""
	r.mark(ctx)
	if s.Plan.Every.Duration == 0 {
		s.pause(time.Now(), true, "the plan waits after each step")
		return r.save(ctx)
	}
	s.Until = time.Now().Add(s.Plan.Every.Duration)
	return r.to(ctx, Watching, "")
}

// mark begins a measurement. Without one the step cannot be healthy, so a
// failure need not stop anything here.
func (r *run) mark(ctx context.Context) {
	s := r.state
	s.Mark, s.Marked = "", time.Now()
	if r.Metrics == nil {
		return
	}
	mark, err := r.Metrics.Mark(ctx, s.target())
	if err != nil {
		r.warn("the measurement cannot begin: %v", err)
		return
	}
	s.Mark = mark
}

// watched looks at a step until its time is over or it has gone wrong. It
// judges first, since nobody may have looked for a while.
func (r *run) watched(ctx context.Context) error {
	s := r.state
	every, end := s.Plan.Every.Duration, s.Until
	for {
		if s.Mark == "" {
			r.mark(ctx)
		}
		var v Verdict
		if now := time.Now(); now.Sub(s.Marked) >= min(time.Second, every) || !now.Before(end) {
			v = r.measure(ctx)
			if err := ctx.Err(); err != nil {
				return err
			}
			r.tellVerdict(v)
			if v.Judgement == Bad || !time.Now().Before(end) {
				return r.judged(ctx, v)
			}
		}
		if err := sleep(ctx, min(time.Until(end), measureEvery, max(every/6, time.Second))); err != nil {
			return err
		}
	}
}

// judged goes where a verdict leads.
func (r *run) judged(ctx context.Context, v Verdict) error {
	s, now := r.state, time.Now()
	s.judged(v)
	switch v.Judgement {
	case Bad:
		s.abort(now, true, v.Reason)
	case Healthy:
		r.advance(now)
	case TooFew:
		if s.Plan.Strategy == BlueGreen && s.percent() == 0 {
			s.pause(now, true, "the preview is over: look at the new version, then say how to go on")
			break
		}
		s.Until = now.Add(s.Plan.Every.Duration)
		if s.Prolonged++; s.Prolonged > Prolongations {
			s.pause(now, false, "not enough traffic, though the step was prolonged %d times: %s", Prolongations, v.Reason)
		}
	default:
		if s.Plan.Strategy == BlueGreen && s.percent() == 0 && s.Plan.Mirror == nil {
			s.pause(now, true, "the preview is over: look at the new version, then say how to go on")
			break
		}
		s.pause(now, false, "the step could not be measured, so it does not count as healthy: %s", v.Reason)
	}
	return r.save(ctx)
}

// advance goes to the next step, and after the last one to what follows.
func (r *run) advance(now time.Time) {
	s := r.state
	switch {
	case !s.Plan.last(s.Step):
		s.Step++
		s.Prolonged = 0
		s.enter(now, Shifting, "")
	case s.Plan.promotes():
		s.enter(now, Promoting, Scale)
	default:
		s.pause(now, true, "all steps were healthy")
	}
}

// sleep waits; a time that is over already does not wait at all.
func sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
