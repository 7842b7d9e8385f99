package rollout

import (
	"context"
	"fmt"
	"time"
)

// promote makes stable the new version.
func (r *run) promote(ctx context.Context) error {
	s, w := r.state, r.world
	switch s.Stage {
	case Scale:
		stable, err := w.stable(ctx, s)
		if err != nil {
			return err
		}
		if err := w.size(ctx, s, s.Plan.size(100, stable)); err != nil {
			return err
		}
		if err := w.known(ctx, s); err != nil {
			return err
		}
		s.Weight = 100
		return r.to(ctx, Promoting, Cover)
	case Cover:
		return r.cover(ctx)
	case Copy:
		if s.Old == nil {
			old, promoted, err := w.templates(ctx, s)
			if err != nil {
				return err
			}
			s.Old, s.New = old, promoted
			if err := r.save(ctx); err != nil {
				return err
			}
		}
		if err := w.adopt(ctx, s, s.New); err != nil {
			return err
		}
		if err := w.known(ctx, s); err != nil {
			return err
		}
		s.Weight = 0
		return r.to(ctx, Promoting, Return)
	case Return:
		if err := w.move(ctx, s, s.all(s.Stable)); err != nil {
			return err
		}
		if err := w.left(ctx, s, s.Canary); err != nil {
			return err
		}
		return r.to(ctx, Promoting, Drain)
	case Drain:
		return r.drained(ctx)
	case Remove:
		if err := w.finish(ctx, s); err != nil {
			return err
		}
		return r.to(ctx, Promoting, Files)
	case Files:
		if err := w.files(ctx, s); err != nil {
			return err
		}
		return r.to(ctx, Promoted, "")
	}
	return fmt.Errorf("%w: stage %q of promoting", ErrState, s.Stage)
}

// cover gives the canary all traffic. Blue-green keeps the old pods until
// requests that are under way have ended, for it is them that an abort goes
// back to.
func (r *run) cover(ctx context.Context) error {
	s := r.state
	if err := r.world.move(ctx, s, s.all(s.Canary)); err != nil {
		return err
	}
	if err := r.world.left(ctx, s, s.Stable); err != nil {
		return err
	}
	if s.Plan.Strategy == BlueGreen {
		if err := sleep(ctx, s.Plan.Drain.Duration); err != nil {
			return err
		}
	}
	return r.to(ctx, Promoting, Copy)
}

func (r *run) drained(ctx context.Context) error {
	s := r.state
	if err := sleep(ctx, time.Until(s.Since.Add(s.Plan.Drain.Duration))); err != nil {
		return err
	}
	return r.to(ctx, s.Phase, Remove)
}

// back undoes the rollout.
func (r *run) back(ctx context.Context) error {
	s, w := r.state, r.world
	switch s.Stage {
	case Revert:
		if err := w.adopt(ctx, s, s.Old); err != nil {
			return err
		}
		if err := w.known(ctx, s); err != nil {
			return err
		}
		return r.to(ctx, Aborting, Withdraw)
	case Withdraw:
		s.Weight = 0
		if err := w.withdraw(ctx, s); err != nil {
			return err
		}
		// What matters is done. A proxy that does not answer must not keep a bad
		// version alive, and the drain time gives it time.
		if err := w.left(ctx, s, s.Canary); err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			r.warn("%v; going on after the drain time", err)
		}
		return r.to(ctx, Aborting, Drain)
	case Drain:
		return r.drained(ctx)
	case Remove:
		if err := w.finish(ctx, s); err != nil {
			return err
		}
		return r.to(ctx, Aborted, "")
	}
	return fmt.Errorf("%w: stage %q of aborting", ErrState, s.Stage)
}
