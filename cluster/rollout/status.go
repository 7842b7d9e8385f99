package rollout

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/meshstorm/meshstorm/cluster"
)

// Status is a rollout as people ask about it.
type Status struct {
	Service   string   `json:"service"`
	Namespace string   `json:"namespace"`
	Strategy  Strategy `json:"strategy"`
	Image     string   `json:"image"`
	Phase     Phase    `json:"phase"`
	Stage     Stage    `json:"stage,omitempty"`
	Steps     []int    `json:"steps"` // percent
	Step      int      `json:"step"`  // index in Steps
	Weight    int      `json:"of100"` // the canary's share
	Bounds    Bounds   `json:"bounds"`
	// Reason says why it paused, was aborted or promoted.
	Reason  string    `json:"reason,omitempty"`
	Failed  bool      `json:"failed,omitempty"`
	Started time.Time `json:"started"`
	Since   time.Time `json:"since"`          // of the phase or stage
	Until   time.Time `json:"until,omitzero"` // when the step is judged
	// Holder carries it on; "" for nobody, and then Unattended says since when.
	Holder     string    `json:"holder,omitempty"`
	Unattended time.Time `json:"unattendedSince,omitzero"`
	Verdicts   []Verdict `json:"verdicts,omitempty"`
	// Now is what would be said of the time since the step began.
	Now *Verdict `json:"now,omitempty"`
}

// Status tells of one rollout, of the last one where none goes on. Without any
// the error wraps ErrNone.
func (e *Engine) Status(ctx context.Context, service string) (*Status, error) {
	w, st := e.parts(e.namespace(), service)
	s, _, err := st.load(ctx)
	if err != nil {
		return nil, err
	}
	if s == nil {
		return nil, fmt.Errorf("%w of %s in namespace %s; `meshstorm canary start %s --image …` starts one", ErrNone, service, e.namespace(), service)
	}
	status := statusOf(s)
	if err := e.attended(ctx, s, status); err != nil {
		return nil, err
	}
	if s.Mark != "" && (s.Phase == Watching || s.Phase == Paused) && e.Metrics != nil {
		v := (&run{Engine: e, world: w, store: st, state: s}).measure(ctx)
		status.Now = &v
	}
	return status, nil
}

// All tells of every rollout of the namespace, by service.
func (e *Engine) All(ctx context.Context) ([]*Status, error) {
	resource, err := e.Client.Resource(configMapKind, e.namespace())
	if err != nil {
		return nil, err
	}
	list, err := resource.List(ctx, metav1.ListOptions{LabelSelector: Label})
	if err != nil {
		return nil, cluster.Explain(err)
	}
	all := []*Status{}
	for i := range list.Items {
		s, _, err := parse(&list.Items[i])
		if err != nil {
			return nil, err
		}
		if s == nil {
			continue
		}
		status := statusOf(s)
		if err := e.attended(ctx, s, status); err != nil {
			return nil, err
		}
		all = append(all, status)
	}
	slices.SortFunc(all, func(a, b *Status) int { return strings.Compare(a.Service, b.Service) })
	return all, nil
}

func statusOf(s *State) *Status {
	status := &Status{
		Service: s.Plan.Service, Namespace: s.Plan.Namespace, Strategy: s.Plan.Strategy, Image: s.Plan.Image,
		Phase: s.Phase, Stage: s.Stage, Steps: s.Plan.Steps, Step: s.Step, Weight: s.Weight, Bounds: s.Plan.Bounds,
		Reason: s.Reason, Failed: s.Failed, Started: s.Started, Since: s.Since, Verdicts: s.Verdicts,
	}
	if s.Phase == Watching {
		status.Until = s.Until
	}
	return status
}

// attended says who carries a rollout on.
func (e *Engine) attended(ctx context.Context, s *State, status *Status) error {
	if s.Phase.Ended() || e.Client == nil {
		return nil
	}
	held, renewed, err := e.Client.Holder(ctx, s.Plan.Namespace, Name(s.Plan.Service))
	switch {
	case err != nil:
		return err
	case held != nil:
		status.Holder = held.Holder
	case renewed.IsZero():
		status.Unattended = s.Since
	default:
		status.Unattended = renewed
	}
	return nil
}
