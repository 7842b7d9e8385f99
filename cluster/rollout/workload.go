package rollout

import (
	"context"
	"fmt"
	"slices"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/meshstorm/meshstorm/cluster"
	"github.com/meshstorm/meshstorm/shift"
)

// defaultTimeout is how long pods have to become ready.
const defaultTimeout = 5 * time.Minute

// versionLabel is for people and telemetry; nothing selects by it.
const versionLabel = "version"

func (l *live) stable(ctx context.Context, s *State) (int32, error) {
	d, err := l.deployment(ctx, s.Plan.Namespace, s.Plan.Service)
	if err != nil {
		return 0, err
	}
	return replicas(d), nil
}

// kept are the objects that the inventory is told of while the rollout lasts: no
// file has them, delete and undo remove them.
func (s *State) kept() []cluster.ID {
	ns := s.Plan.Namespace
	return append([]cluster.ID{
		deploymentID(ns, s.Plan.Deployment()),
		{Kind: "ConfigMap", Namespace: ns, Name: Name(s.Plan.Service)},
		{Group: "coordination.k8s.io", Kind: "Lease", Namespace: ns, Name: Name(s.Plan.Service)},
	}, s.Made...)
}

func (l *live) keep(ctx context.Context, s *State, id cluster.ID) error {
	if s.Workspace == "" {
		return nil
	}
	return l.Client.Keep(ctx, s.Plan.Namespace, s.Workspace, id, Owner(s.Plan.Service))
}

func (l *live) release(ctx context.Context, s *State, id cluster.ID) error {
	if s.Workspace == "" {
		return nil
	}
	return l.Client.Release(ctx, s.Plan.Namespace, s.Workspace, id)
}

func (l *live) prepare(ctx context.Context, s *State, pods int32) error {
	for _, id := range s.kept() {
		if err := l.keep(ctx, s, id); err != nil {
			return err
		}
	}
	if err := l.bind(ctx, s); err != nil {
		return err
	}
	if err := l.addSubset(ctx, s); err != nil {
		return err
	}
	for _, id := range s.Made {
		if err := l.makeMeshRoute(ctx, s, id); err != nil {
			return err
		}
	}
	if s.bare() {
		if err := l.move(ctx, s, s.all(s.Stable)); err != nil {
			return err
		}
	}
	stable, err := l.deployment(ctx, s.Plan.Namespace, s.Plan.Service)
	if err != nil {
		return err
	}
	canary, err := canaryOf(stable, s, pods)
	if err != nil {
		return err
	}
	_, err = l.Client.ApplyObject(ctx, canary, cluster.ApplyObjectOptions{Force: s.Plan.ForceConflicts})
	return err
}

// bind makes what is remembered of the rollout go with stable's Deployment: after
// the end no inventory has it any more.
func (l *live) bind(ctx context.Context, s *State) error {
	stable, err := l.deployment(ctx, s.Plan.Namespace, s.Plan.Service)
	if err != nil {
		return err
	}
	owner := metav1.OwnerReference{APIVersion: "apps/v1", Kind: "Deployment", Name: stable.GetName(), UID: stable.GetUID()}
	for _, gvk := range []schema.GroupVersionKind{configMapKind, {Group: "coordination.k8s.io", Version: "v1", Kind: "Lease"}} {
		o := &unstructured.Unstructured{Object: map[string]any{}}
		o.SetGroupVersionKind(gvk)
		o.SetNamespace(s.Plan.Namespace)
		o.SetName(Name(s.Plan.Service))
		o.SetOwnerReferences([]metav1.OwnerReference{owner})
		// A manager of its own: the state is applied without the owner.
		if _, err := l.Client.ApplyObject(ctx, o, cluster.ApplyObjectOptions{Manager: ownerManager, Force: true}); err != nil {
			return err
		}
	}
	return nil
}

// ownerManager owns the reference to stable's Deployment.
const ownerManager = "meshstorm-owner"

// bare reports whether a rule sends to the service without a subset: as soon as
// the canary has pods it would reach them by their number, so it must not be so
// any more before.
func (s *State) bare() bool {
	for _, all := range s.Before {
		if slices.ContainsFunc(all, func(w shift.Weight) bool { return w.Subset == "" }) {
			return true
		}
	}
	return false
}

func (l *live) size(ctx context.Context, s *State, pods int32) error {
	id := deploymentID(s.Plan.Namespace, s.Plan.Deployment())
	err := again(ctx, id, func() error {
		d, err := l.get(ctx, deployments, id.Namespace, id.Name)
		if err != nil {
			return err
		}
		if d == nil {
			return fmt.Errorf("%w: Deployment %s is gone; `meshstorm canary abort %s` ends the canary", ErrRefused, id.Name, s.Plan.Service)
		}
		if replicas(d) >= pods {
			return nil
		}
		return l.set(ctx, s, d, int64(pods), "replicas")
	})
	if err != nil {
		return err
	}
	return l.ready(ctx, s, id)
}

// set writes one field of the Deployment's spec, and leaves what else meshstorm
// has applied of it.
func (l *live) set(ctx context.Context, s *State, d *unstructured.Unstructured, value any, field string) error {
	part, err := cluster.Owned(d, cluster.Manager)
	if err != nil {
		return err
	}
	if part == nil {
		part = bare(d)
	}
	if err := unstructured.SetNestedField(part.Object, runtime.DeepCopyJSONValue(value), "spec", field); err != nil {
		return err
	}
	part.SetResourceVersion(d.GetResourceVersion())
	_, err = l.Client.ApplyObject(ctx, part, cluster.ApplyObjectOptions{Force: s.Plan.ForceConflicts})
	return err
}

// ready waits for a Deployment's pods.
func (l *live) ready(ctx context.Context, s *State, id cluster.ID) error {
	timeout := l.Timeout
	if timeout == 0 {
		timeout = defaultTimeout
	}
	last := ""
	all, err := l.Client.WaitReady(ctx, []cluster.ID{id}, timeout, func(r cluster.Readiness) {
		if !r.Ready && r.Message != last {
			last = r.Message
			l.emit(Event{Time: time.Now(), Phase: s.Phase, Stage: s.Stage, Step: s.Step, Weight: s.Weight, Message: id.Name + ": " + r.Message})
		}
	})
	if err != nil && len(all) == 1 && ctx.Err() == nil {
		return fmt.Errorf("%w: %s; no traffic was moved to it: `meshstorm canary resume %s` tries again, `meshstorm canary abort %s` removes it", err, all[0].Message, s.Plan.Service, s.Plan.Service)
	}
	return err
}

func (l *live) adopt(ctx context.Context, s *State, template map[string]any) error {
	id := deploymentID(s.Plan.Namespace, s.Plan.Service)
	// An apply meanwhile must not put the files' image back.
	if err := l.keep(ctx, s, id); err != nil {
		return err
	}
	err := again(ctx, id, func() error {
		d, err := l.deployment(ctx, id.Namespace, id.Name)
		if err != nil {
			return err
		}
		return l.set(ctx, s, d, template, "template")
	})
	if err != nil {
		return err
	}
	return l.ready(ctx, s, id)
}

func (l *live) files(ctx context.Context, s *State) error {
	if l.Files != nil {
		p := Promotion{Service: s.Plan.Service, Namespace: s.Plan.Namespace, Old: s.Old, New: s.New, NoWrite: s.Plan.NoWrite}
		if err := l.Files(ctx, p); err != nil {
			return err
		}
	}
	return l.release(ctx, s, deploymentID(s.Plan.Namespace, s.Plan.Service))
}

func (l *live) finish(ctx context.Context, s *State) error {
	all, err := l.list(ctx, virtualServices, s.Plan.Namespace)
	if err != nil {
		return err
	}
	for _, vs := range all {
		if !movedBy(vs, s.Plan.ID) {
			continue
		}
		if err := l.endShift(ctx, cluster.IDOf(vs), s.writing(), s.Before[vs.GetName()]); err != nil {
			return err
		}
	}
	canary := deploymentID(s.Plan.Namespace, s.Plan.Deployment())
	if err := l.remove(ctx, deployments, canary); err != nil {
		return err
	}
	if err := l.podsGone(ctx, s); err != nil {
		return err
	}
	for _, id := range s.Made {
		if err := l.remove(ctx, virtualServices, id); err != nil {
			return err
		}
	}
	if err := l.dropSubset(ctx, s); err != nil {
		return err
	}
	gone := s.kept()
	if s.Phase == Aborting {
		gone = append(gone, deploymentID(s.Plan.Namespace, s.Plan.Service)) // its template is not held any more
	}
	for _, id := range gone {
		if err := l.release(ctx, s, id); err != nil {
			return err
		}
	}
	return nil
}

// remove deletes an object unless it is gone.
func (l *live) remove(ctx context.Context, kind schema.GroupVersionKind, id cluster.ID) error {
	resource, err := l.Client.Resource(kind, id.Namespace)
	if err != nil {
		return err
	}
	background := metav1.DeletePropagationBackground
	err = resource.Delete(ctx, id.Name, metav1.DeleteOptions{PropagationPolicy: &background})
	if err == nil || apierrors.IsNotFound(err) {
		return nil
	}
	return fmt.Errorf("remove %s: %w", id, cluster.Explain(err))
}

// podsGone waits for the canary's pods: callers inside the mesh without rules of
// their own could still be sent to them.
func (l *live) podsGone(ctx context.Context, s *State) error {
	stable, err := l.deployment(ctx, s.Plan.Namespace, s.Plan.Service)
	if err != nil {
		return err
	}
	selector, _, _ := unstructured.NestedStringMap(stable.Object, "spec", "selector", "matchLabels")
	selector[trackLabel] = canaryTrack
	for {
		pods, err := l.Client.Kube.CoreV1().Pods(s.Plan.Namespace).List(ctx, metav1.ListOptions{LabelSelector: metav1.FormatLabelSelector(metav1.SetAsLabelSelector(selector))})
		if err != nil {
			return cluster.Explain(err)
		}
		if len(pods.Items) == 0 {
			return nil
		}
		if err := sleep(ctx, pollEvery/2); err != nil {
			return err
		}
	}
}
