package rollout

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/meshstorm/meshstorm/cluster"
)

// Ending lists the rollouts of the namespace that would end if these objects
// were removed: those that are not over and whose canary's Deployment is among
// them.
func (e *Engine) Ending(ctx context.Context, removed []cluster.ID) ([]*Status, error) {
	all, err := e.All(ctx)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(all, func(s *Status) bool {
		canary := deploymentID(s.Namespace, (&Plan{Service: s.Service}).Deployment())
		return s.Phase.Ended() || !slices.Contains(removed, canary)
	}), nil
}

// Overrule notes that rollouts have ended because somebody takes their objects
// away, whoever holds them: that process stops at its next look, within a
// second, and changes nothing any more. The objects are the caller's to remove.
func (e *Engine) Overrule(ctx context.Context, rollouts []*Status, reason string) error {
	for _, status := range rollouts {
		_, st := e.parts(status.Namespace, status.Service)
		s, q, err := st.load(ctx)
		if err != nil {
			return err
		}
		if s == nil || s.Phase.Ended() {
			continue
		}
		s.Epoch++
		s.Answered, s.Reason, s.Planned, s.Weight = q.ID, reason, false, 0
		s.enter(time.Now(), Aborted, "")
		if err := st.take(ctx, s); err != nil {
			return fmt.Errorf("end the canary of %s: %w", status.Service, err)
		}
	}
	return nil
}
