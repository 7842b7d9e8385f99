package cluster

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
)

// ErrStuck says that objects are marked for deletion and something keeps them.
var ErrStuck = errors.New("some objects do not go")

// remove takes away what left the files, the reverse of applying: routes first,
// then, when no proxy names them any more, what the routes named, the workloads
// behind and their configuration.
func (r *run) remove(ctx context.Context) error {
	r.plan.Changes = append(r.plan.Changes, r.orphans...)
	if err := r.removeStage(ctx, routes); err != nil {
		return err
	}
	if err := r.sync(ctx, r.plan.leaves(r.later)); err != nil {
		return fmt.Errorf("%w; what left the files was not removed: apply again", err)
	}
	for _, ch := range r.later {
		after, err := r.ApplyObject(ctx, ch.desired, ApplyObjectOptions{Force: r.plan.Request.Force})
		if err != nil {
			return fmt.Errorf("take subsets out of %s: %w", ch.Object, err)
		}
		ch.after = after
	}
	for s := backends; s >= foundation; s-- {
		if err := r.removeStage(ctx, s); err != nil {
			return err
		}
	}
	return nil
}

// leaves are the clusters that no route may name before their subsets, Services
// and workloads go.
func (p *Plan) leaves(later []*Change) Need {
	need := Need{Namespace: p.Namespace, Sidecars: true}
	for _, ch := range later {
		need.Absent = append(need.Absent, p.removedSubsets(ch)...)
	}
	for i := range p.Changes {
		ch := &p.Changes[i]
		if ch.Action != Delete || ch.live == nil {
			continue
		}
		switch {
		case isVirtualService(ch.Object):
			p.addGateways(&need, ch.live)
		case ch.Object.Kind == "DestinationRule":
			need.Absent = append(need.Absent, p.removedSubsets(ch)...)
		}
	}
	for i := range p.Changes {
		if ch := &p.Changes[i]; ch.desired != nil && isVirtualService(ch.Object) {
			p.addGateways(&need, ch.desired)
		}
	}
	return need
}

func (r *run) removeStage(ctx context.Context, s stage) error {
	group, each := errgroup.WithContext(ctx)
	group.SetLimit(parallel)
	for i := range r.plan.Changes {
		ch := &r.plan.Changes[i]
		if ch.stage != s || ch.Action != Delete || ch.done {
			continue
		}
		group.Go(func() error {
			if ch.orphan && len(r.plan.Request.Objects) > 0 {
				taken, err := r.taken(each, ch.Object)
				if err != nil {
					return err
				}
				if taken {
					ch.Action, ch.Message, ch.done = Keep, "a Deployment has its pods again", true
					return nil
				}
			}
			if ch.live != nil {
				resource, err := r.Resource(schema.GroupVersionKind{Group: ch.Object.Group, Kind: ch.Object.Kind}, ch.Object.Namespace)
				if err != nil {
					return err
				}
				if err := r.deleteOne(each, resource, ch.live, metav1.DeletePropagationBackground); err != nil {
					return fmt.Errorf("delete %s: %w", ch.Object, err)
				}
			}
			ch.done = true
			r.tell(Event{Stage: "removal", Object: ch.Object, State: "deleted"})
			return nil
		})
	}
	return group.Wait()
}

// deleteOne deletes the object that was looked at, not another of its name.
func (c *Client) deleteOne(ctx context.Context, resource dynamic.ResourceInterface, live *unstructured.Unstructured, policy metav1.DeletionPropagation) error {
	options := metav1.DeleteOptions{PropagationPolicy: &policy}
	if uid := live.GetUID(); uid != "" {
		options.Preconditions = &metav1.Preconditions{UID: &uid}
	}
	err := retry(ctx, func() error { return resource.Delete(ctx, live.GetName(), options) })
	if apierrors.IsNotFound(err) || apierrors.IsConflict(err) {
		return nil // gone, or another one by now
	}
	return Explain(err)
}

// PlanDelete says what deleting a workspace's objects would remove: all that the
// inventory holds, and nothing else.
func (c *Client) PlanDelete(ctx context.Context, workspace string) (*Plan, error) {
	p := &Plan{
		Request:   Request{Workspace: workspace, Prune: true, PruneKept: true},
		ChangeSet: ChangeSet{APIVersion: "meshstorm.io/v1", Server: c.Server(), Workspace: workspace, Namespace: c.Namespace, Changes: []Change{}},
	}
	inventory, err := c.ReadInventory(ctx, c.Namespace, workspace)
	if err != nil {
		return nil, err
	}
	p.inventory = inventory
	if err := c.planPrune(ctx, p); err != nil {
		return nil, err
	}
	slices.SortStableFunc(p.Changes, byStage)
	return p, nil
}

// Delete carries out a plan of PlanDelete, waits until the objects are really
// gone, and removes the inventory and the history with them. Objects that stay
// behind make the error wrap ErrStuck and say what keeps them.
func (c *Client) Delete(ctx context.Context, p *Plan, o ApplyOptions) error {
	if o.Timeout == 0 {
		o.Timeout = 5 * time.Minute
	}
	r := &run{Client: c, plan: p, o: o}
	err := r.remove(ctx)
	var ids []ID
	for i := range p.Changes {
		if ch := &p.Changes[i]; ch.done && ch.live != nil {
			ids = append(ids, ch.Object)
		}
	}
	if err == nil && o.Wait {
		err = r.gone(ctx, ids, o.Timeout)
	}
	after, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	if err != nil {
		return errors.Join(err, c.changeInventory(after, c.Namespace, p.Workspace, func(i *Inventory) {
			for n := range p.Changes {
				p.Changes[n].enter(i, c.manager())
			}
		}))
	}
	return c.forgetWorkspace(after, p.Workspace)
}

// gone waits until objects do not exist any more.
func (r *run) gone(ctx context.Context, ids []ID, timeout time.Duration) error {
	deadline, pause := time.Now().Add(timeout), 50*time.Millisecond
	for {
		var left []string
		var still []ID
		for _, id := range ids {
			live, err := r.Get(ctx, schema.GroupVersionKind{Group: id.Group, Kind: id.Kind}, id)
			if err != nil {
				return err
			}
			if live == nil || live.GetDeletionTimestamp() == nil {
				r.tell(Event{Stage: "removal", Object: id, State: "gone"})
				continue
			}
			still = append(still, id)
			left = append(left, fmt.Sprintf("%s %s", id, blocked(live)))
		}
		if ids = still; len(ids) == 0 {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("%w after %s:\n%s", ErrStuck, timeout, strings.Join(left, "\n"))
		}
		timer := time.NewTimer(pause)
		select {
		case <-ctx.Done():
			timer.Stop()
			return fmt.Errorf("%w:\n%s", ctx.Err(), strings.Join(left, "\n"))
		case <-timer.C:
		}
		pause = min(2*pause, time.Second)
	}
}

// blocked says what keeps an object that is marked for deletion.
func blocked(live *unstructured.Unstructured) string {
	finalizers := live.GetFinalizers()
	since := ""
	if t := live.GetDeletionTimestamp(); t != nil {
		since = " since " + t.Local().Format(time.TimeOnly)
	}
	if len(finalizers) == 0 {
		return "is being deleted" + since
	}
	return fmt.Sprintf("waits%s for finalizer %s: the controller that set it must do its work and take it off (is it running?)", since, strings.Join(finalizers, ", "))
}
