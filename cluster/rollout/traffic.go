package rollout

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/meshstorm/meshstorm/cluster"
	"github.com/meshstorm/meshstorm/shift"
)

// Patience with writers that change an object all the time.
const (
	conflictPause    = 20 * time.Millisecond
	conflictLongest  = 500 * time.Millisecond
	conflictPatience = time.Minute
)

// again reads and writes until nobody was in between.
func again(ctx context.Context, what cluster.ID, attempt func() error) error {
	pause, until := conflictPause, time.Now().Add(conflictPatience)
	for {
		err := attempt()
		var fields *cluster.ConflictError
		switch {
		case err == nil:
			return nil
		case errors.As(err, &fields):
			return fmt.Errorf("%w; --force-conflicts takes them over", err)
		case !apierrors.IsConflict(err) || ctx.Err() != nil:
			return err
		case time.Now().After(until):
			return fmt.Errorf("%s is changed by somebody else all the time: %w", what, err)
		}
		if err := sleep(ctx, pause); err != nil {
			return err
		}
		pause = min(2*pause, conflictLongest)
	}
}

// wanted is what meshstorm has to apply to own the rules of a live
// VirtualService: all that it applied before, or where somebody else made the
// object its rules alone.
func wanted(vs *unstructured.Unstructured) (*unstructured.Unstructured, error) {
	part, err := cluster.Owned(vs, cluster.Manager)
	if err != nil {
		return nil, err
	}
	if part == nil {
		part = bare(vs)
	}
	if _, ok, _ := unstructured.NestedSlice(part.Object, "spec", "http"); !ok {
		rules, _, _ := unstructured.NestedSlice(vs.Object, "spec", "http")
		if err := unstructured.SetNestedSlice(part.Object, rules, "spec", "http"); err != nil {
			return nil, err
		}
	}
	return part, nil
}

// bare names an object and says nothing else of it.
func bare(o *unstructured.Unstructured) *unstructured.Unstructured {
	b := &unstructured.Unstructured{Object: map[string]any{}}
	b.SetAPIVersion(o.GetAPIVersion())
	b.SetKind(o.GetKind())
	b.SetName(o.GetName())
	b.SetNamespace(o.GetNamespace())
	return b
}

// writing is one change of a service's traffic.
type writing struct {
	plan               string // the rollout's id; "" for a shift by hand
	service, namespace string
	force              bool // take spec.http over from others
	// laid are the cookie and the mirror that may have been laid into rules: an
	// annotation that was written without the rules does not tell of them.
	laid Traffic
}

// clean is base without what any overlay added.
func (w writing) clean(vs, base *unstructured.Unstructured) *unstructured.Unstructured {
	base = base.DeepCopy()
	keep := base.GetAnnotations()
	for _, state := range []*shift.State{w.state(base), mustRead(vs)} {
		if state == nil {
			continue
		}
		base.SetAnnotations(map[string]string{shift.Annotation: state.Encode()})
		base = shift.Strip(base)
	}
	base.SetAnnotations(keep)
	return shift.Strip(base)
}

// state is one that names all that this writing may have laid; nil for nothing.
func (w writing) state(vs *unstructured.Unstructured) *shift.State {
	current := shift.Current(vs, w.service, w.namespace)
	if w.laid.Sticky == nil && w.laid.Mirror == nil || len(current) == 0 {
		return nil
	}
	return &shift.State{Plan: w.plan, Since: time.Unix(0, 0).UTC(), Weights: current, Sticky: w.laid.Sticky, Mirror: w.laid.Mirror}
}

func mustRead(vs *unstructured.Unstructured) *shift.State {
	state, err := shift.Read(vs)
	if err != nil {
		return nil // what cannot be read cannot be looked for
	}
	return state
}

// write lays traffic over one VirtualService: the annotation first, so that an
// apply in between does not set the weights back, then the rules under the
// resourceVersion that was read.
func (e *Engine) write(ctx context.Context, id cluster.ID, w writing, t Traffic) error {
	return again(ctx, id, func() error {
		vs, err := e.Client.Get(ctx, virtualServices, id)
		if err != nil || vs == nil {
			return err // one that is gone routes nothing
		}
		base, err := wanted(vs)
		if err != nil {
			return err
		}
		base = w.clean(vs, base)
		weights, err := shift.Move(base, w.service, w.namespace, t.Weights)
		if err != nil {
			return fmt.Errorf("VirtualService %s: %w", id.Name, err)
		}
		state := &shift.State{Plan: w.plan, Since: time.Now().UTC().Truncate(time.Second), Weights: weights, Testers: t.Testers, Sticky: t.Sticky, Mirror: t.Mirror}
		if old, err := shift.Read(vs); err == nil && old != nil && old.Plan == w.plan {
			state.Since = old.Since
		}
		if vs.GetAnnotations()[shift.Annotation] != state.Encode() {
			note := bare(vs)
			note.SetAnnotations(map[string]string{shift.Annotation: state.Encode()})
			if vs, err = e.Client.ApplyObject(ctx, note, cluster.ApplyObjectOptions{Manager: shift.Manager, Force: true}); err != nil {
				return err
			}
		}
		result, _, err := shift.Overlay(base, state)
		if err != nil {
			return fmt.Errorf("VirtualService %s: %w", id.Name, err)
		}
		return e.applyRules(ctx, vs, result, w.force)
	})
}

// applyRules applies rules unless they are live already.
func (e *Engine) applyRules(ctx context.Context, vs, result *unstructured.Unstructured, force bool) error {
	if cluster.Owns(vs, cluster.Manager) && sameRules(vs, result) {
		return nil
	}
	result = result.DeepCopy()
	result.SetResourceVersion(vs.GetResourceVersion())
	_, err := e.Client.ApplyObject(ctx, result, cluster.ApplyObjectOptions{Force: force})
	return err
}

// sameRules compares as JSON, for numbers come in several types.
func sameRules(a, b *unstructured.Unstructured) bool {
	text := func(o *unstructured.Unstructured) string {
		rules, _, _ := unstructured.NestedFieldNoCopy(o.Object, "spec", "http")
		data, _ := json.Marshal(rules)
		return string(data)
	}
	return text(a) == text(b)
}

func (s *State) writing() writing {
	w := writing{plan: s.Plan.ID, service: s.Plan.Service, namespace: s.Plan.Namespace, force: s.Plan.ForceConflicts}
	w.laid.Mirror = s.Plan.Mirror
	if s.Plan.Sticky != "" {
		w.laid.Sticky = &shift.Sticky{Cookie: s.Plan.Sticky, Stable: s.Stable, Canary: s.Canary}
	}
	w.laid = s.forSubsets(w.laid)
	return w
}

// forSubsets gives testers and mirror the subsets of this service.
func (s *State) forSubsets(t Traffic) Traffic {
	if t.Testers != nil {
		testers := *t.Testers
		testers.Subset = s.Canary
		t.Testers = &testers
	}
	if t.Mirror != nil {
		mirror := *t.Mirror
		mirror.Subset = s.Canary
		t.Mirror = &mirror
	}
	return t
}

func (l *live) move(ctx context.Context, s *State, t Traffic) error {
	routes, err := l.routes(ctx, s.Plan.Namespace, s.Plan.Service)
	if err != nil {
		return err
	}
	for _, vs := range routes {
		if err := l.write(ctx, cluster.IDOf(vs), s.writing(), s.forSubsets(t)); err != nil {
			return err
		}
	}
	return nil
}

func (l *live) withdraw(ctx context.Context, s *State) error {
	routes, err := l.routes(ctx, s.Plan.Namespace, s.Plan.Service)
	if err != nil {
		return err
	}
	var failed []error
	for _, vs := range routes {
		state, err := shift.Read(vs)
		if err == nil && (state == nil || state.Plan != s.Plan.ID) {
			continue // this rollout never moved it
		}
		// One that cannot be written must not keep the others on a bad version.
		if err := l.write(ctx, cluster.IDOf(vs), s.writing(), s.all(s.Stable)); err != nil {
			failed = append(failed, err)
		}
	}
	return errors.Join(failed...)
}

// end gives the weights back that were there before and takes the annotation
// away, in this order.
func (e *Engine) endShift(ctx context.Context, id cluster.ID, w writing, before []shift.Weight) error {
	return again(ctx, id, func() error {
		vs, err := e.Client.Get(ctx, virtualServices, id)
		if err != nil || vs == nil {
			return err
		}
		if !cluster.Owns(vs, shift.Manager) {
			return nil
		}
		base, err := wanted(vs)
		if err != nil {
			return err
		}
		if err := e.applyRules(ctx, vs, restored(w.clean(vs, base), w.service, w.namespace, before), w.force); err != nil {
			return err
		}
		return e.Client.EndShift(ctx, vs)
	})
}

// restored gives the rules the destinations that they had before: a subset that
// a rule did not have goes, and a destination without a subset comes back. A
// rule that came since keeps what it has.
func restored(vs *unstructured.Unstructured, service, namespace string, before []shift.Weight) *unstructured.Unstructured {
	vs = vs.DeepCopy()
	rules, _, _ := unstructured.NestedSlice(vs.Object, "spec", "http")
	for _, item := range rules {
		rule, _ := item.(map[string]any)
		name, _ := rule["name"].(string)
		had := slices.DeleteFunc(slices.Clone(before), func(w shift.Weight) bool { return w.Rule != name })
		if targets, _ := rule["route"].([]any); len(had) > 0 && len(targets) > 0 {
			rule["route"] = destinations(targets, service, namespace, had)
		}
	}
	_ = unstructured.SetNestedSlice(vs.Object, rules, "spec", "http")
	return vs
}

func destinations(targets []any, service, namespace string, had []shift.Weight) []any {
	var ours, all []any
	for _, t := range targets {
		if names(hostAndSubset(t).Host, service, namespace) {
			ours = append(ours, t)
		}
	}
	alone := len(had) == 1 && len(ours) == len(targets)
	for _, t := range targets {
		to := hostAndSubset(t)
		if !names(to.Host, service, namespace) {
			all = append(all, t)
			continue
		}
		if len(ours) == 0 || hostAndSubset(ours[0]) != to {
			continue
		}
		// Where the first of the service's stands, all of those before come.
		for _, w := range had {
			at := slices.IndexFunc(ours, func(t any) bool { return hostAndSubset(t).Subset == w.Subset })
			same := at >= 0
			target := runtime.DeepCopyJSONValue(ours[max(at, 0)]).(map[string]any)
			destination, _ := target["destination"].(map[string]any)
			if destination["subset"] = w.Subset; w.Subset == "" {
				delete(destination, "subset")
			}
			switch {
			case !alone:
				target["weight"] = int64(w.Weight)
			case len(targets) > 1 || !same:
				delete(target, "weight") // the shift brought it
			}
			all = append(all, target)
		}
	}
	return all
}

func hostAndSubset(target any) shift.Weight {
	t, _ := target.(map[string]any)
	to, _ := t["destination"].(map[string]any)
	written, _ := to["host"].(string)
	subset, _ := to["subset"].(string)
	return shift.Weight{Host: written, Subset: subset}
}
