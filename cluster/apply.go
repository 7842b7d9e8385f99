package cluster

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/fluxcd/cli-utils/pkg/kstatus/status"
	"golang.org/x/sync/errgroup"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// ErrRefused says that objects were not taken, by the API server or by an
// admission webhook.
var ErrRefused = errors.New("objects were refused")

// ErrNotSynced says that the proxies did not have the new subsets in time, so
// that no route was changed.
var ErrNotSynced = errors.New("the proxies do not have the new configuration, so no route was changed")

// ApplyOptions say how a plan is carried out.
type ApplyOptions struct {
	// Wait waits until workloads are ready before anything refers to them, at
	// most Timeout (default 5 minutes).
	Wait    bool
	Timeout time.Duration
	// Sync waits until proxies have what the routes need; nil does not wait. Its
	// error keeps the routes from being applied.
	Sync func(context.Context, Need) error
	// Progress hears what happens, from several goroutines but one at a time;
	// may be nil.
	Progress func(Event)
	// SecretsInHistory keeps the values of Secrets for undo too.
	SecretsInHistory bool
	// Note is kept with the revision: what was done.
	Note string
}

// Event is one step of an apply or delete.
type Event struct {
	Stage   string // the stage's name; "" where a removal has none
	Object  ID     // zero where the event is about the stage as a whole
	State   string // "applied", "unchanged", "waiting", "ready", "refused", "deleted", "gone"
	Message string
}

// run carries out a plan.
type run struct {
	*Client
	plan  *Plan
	o     ApplyOptions
	mu    sync.Mutex // guards Progress
	later []*Change  // DestinationRules that lose subsets once no route names them
	// ReplicaSets of replaced Deployments, which go when the new pods are ready.
	orphans []Change
}

// Apply carries out a plan: stage by stage, each only when the one before is
// done, and removal last. Applying again goes on where a run was cut off. The
// change set says what was done even with an error, which wraps ErrRefused,
// ErrNotReady, ErrNotSynced or is one of the way to the cluster. The caller
// holds the workspace's lease (ApplyLease).
func (c *Client) Apply(ctx context.Context, p *Plan, o ApplyOptions) (*ChangeSet, error) {
	if o.Timeout == 0 {
		o.Timeout = 5 * time.Minute
	}
	r := &run{Client: c, plan: p, o: o}
	err := r.all(ctx)
	if err != nil {
		for i := range p.Changes {
			if ch := &p.Changes[i]; !ch.done && ch.Action != Unchanged && ch.Action != Keep && ch.Action != Refused && ch.Action != Conflict {
				ch.Action = Skipped
			}
		}
	}
	// What was done must be known to the next run, even when this one was
	// interrupted.
	after, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	if saved := r.record(after, err == nil); saved != nil && err == nil {
		err = saved
	}
	return &p.ChangeSet, err
}

// ApplyLease names the Lease that keeps two applies of a workspace apart.
func ApplyLease(workspace string) string { return "meshstorm-apply-" + workspace }

func (r *run) all(ctx context.Context) error {
	need := r.plan.needs()
	for s := foundation; s < stages; s++ {
		if s == config {
			if err := r.announce(ctx); err != nil {
				return err
			}
		}
		if s == routes {
			if err := r.sync(ctx, need); err != nil {
				return err
			}
		}
		if err := r.stage(ctx, s); err != nil {
			return err
		}
	}
	if need.Changed = true; !need.empty() { // so that what is said to be done works
		if err := r.sync(ctx, need); err != nil {
			return err
		}
	}
	return r.remove(ctx)
}

// stage applies the objects of one stage, side by side, and waits for those that
// have to become ready. All are tried, so that a person sees every refusal.
func (r *run) stage(ctx context.Context, s stage) error {
	var mu sync.Mutex
	var refused []error
	group, each := errgroup.WithContext(ctx)
	group.SetLimit(parallel)
	for i := range r.plan.Changes {
		ch := &r.plan.Changes[i]
		if ch.stage != s || ch.desired == nil {
			continue
		}
		if ch.Action == Unchanged && !ch.claim {
			r.tell(Event{Stage: s.String(), Object: ch.Object, State: "unchanged"})
			continue
		}
		group.Go(func() error {
			began := time.Now()
			err := r.one(each, ch)
			ch.took = time.Since(began)
			if err == nil {
				r.applied(ch)
				return nil
			}
			if !refusal(err) {
				return fmt.Errorf("apply %s: %w", ch.Object, err)
			}
			ch.Action, ch.Message, ch.Field = Refused, err.Error(), fieldOf(err)
			ch.locate()
			r.tell(Event{Stage: s.String(), Object: ch.Object, State: "refused", Message: ch.Message})
			mu.Lock()
			defer mu.Unlock()
			refused = append(refused, fmt.Errorf("%s: %w", place(ch), err))
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	if len(refused) > 0 {
		return fmt.Errorf("%w in stage %q, and nothing after it was applied:\n%w", ErrRefused, s, errors.Join(refused...))
	}
	return r.ready(ctx, s)
}

func place(ch *Change) string {
	where := ch.Object.String()
	if ch.File != "" {
		where = fmt.Sprintf("%s:%d: %s", ch.File, ch.Line, where)
	}
	if ch.Field != "" {
		where += ", field " + ch.Field
	}
	return where
}

// refusal: the object is at fault, not the cluster or the way to it.
func refusal(err error) bool {
	return apierrors.IsInvalid(err) || apierrors.IsForbidden(err) || apierrors.IsBadRequest(err) || apierrors.IsRequestEntityTooLargeError(err) ||
		apierrors.IsMethodNotSupported(err) || errors.As(err, new(*ConflictError)) || apierrors.ReasonForError(err) == "" && errors.As(err, new(apierrors.APIStatus))
}

func (r *run) applied(ch *Change) {
	ch.done = true
	state := "applied"
	switch ch.Action {
	case Create:
		state = "created"
	case Configure:
		state = "configured"
	case Replace:
		state = "replaced"
	case Unchanged:
		state = "unchanged"
	}
	r.tell(Event{Stage: ch.stage.String(), Object: ch.Object, State: state})
}

func (r *run) tell(e Event) {
	if r.o.Progress == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.o.Progress(e)
}

// one writes one object.
func (r *run) one(ctx context.Context, ch *Change) error {
	options := ApplyObjectOptions{Force: r.plan.Request.Force}
	if ch.Adopts && r.plan.Request.Adopt {
		if err := r.adopt(ctx, ch); err != nil {
			return err
		}
		options.Force = options.Force || ch.onlyAdopted(r.plan)
	}
	if ch.Action == Replace {
		if err := r.setAside(ctx, ch); err != nil {
			return err
		}
	}
	sent := ch.desired
	if union := keepSubsets(ch); union != nil {
		r.mu.Lock()
		r.later = append(r.later, ch)
		r.mu.Unlock()
		sent = union
	}
	for {
		after, err := r.ApplyObject(ctx, sent, options)
		if err == nil {
			ch.after = after
			return r.released(ctx, ch)
		}
		if sent.GetResourceVersion() == "" || !apierrors.IsConflict(err) || errors.As(err, new(*ConflictError)) || ctx.Err() != nil {
			return err
		}
		// Somebody moved traffic meanwhile: its weights count, so read them.
		if sent, err = r.again(ctx, ch); err != nil {
			return err
		}
	}
}

// again reads the live object anew and lays a shift's weights over the files'.
func (r *run) again(ctx context.Context, ch *Change) (*unstructured.Unstructured, error) {
	live, err := r.Get(ctx, ch.desired.GroupVersionKind(), ch.Object)
	if err != nil {
		return nil, err
	}
	fresh := ch.object.DeepCopy()
	fresh.SetNamespace(ch.Object.Namespace)
	ch.live, ch.desired, ch.Held, ch.Gone = live, fresh, nil, nil
	if err := r.plan.hold(ch); err != nil {
		return nil, err
	}
	return ch.desired, nil
}

// ready waits for the objects of a stage, those too that an earlier run applied.
func (r *run) ready(ctx context.Context, s stage) error {
	var ids []ID
	for i := range r.plan.Changes {
		ch := &r.plan.Changes[i]
		switch {
		case ch.stage != s || ch.desired == nil:
		case s == foundation && ch.Object.Kind == "CustomResourceDefinition" && ch.done:
			ids = append(ids, ch.Object)
		case s == workloads && r.o.Wait && slices.Contains(waitedKinds, ch.Object.Kind) && !current(ch):
			ids = append(ids, ch.Object)
		}
	}
	if len(ids) == 0 {
		return nil
	}
	r.tell(Event{Stage: s.String(), State: "waiting", Message: fmt.Sprintf("for %d to be ready", len(ids))})
	states, err := r.WaitReady(ctx, ids, r.o.Timeout, func(now Readiness) {
		state := "waiting"
		if now.Ready {
			state = "ready"
		}
		r.tell(Event{Stage: s.String(), Object: now.Object, State: state, Message: now.Message})
	})
	if s == foundation {
		r.Forget()
	}
	if err != nil {
		for _, st := range states {
			if !st.Ready {
				err = fmt.Errorf("%w\n%s: %s", err, st.Object, st.Message)
			}
		}
		return fmt.Errorf("%w\ntraffic was not moved; mend it and apply again, or go back with `meshstorm undo`", err)
	}
	return nil
}

// current: nothing was written, and the live object is as it is meant to be.
func current(ch *Change) bool {
	if ch.done || ch.live == nil {
		return false
	}
	result, err := status.Compute(ch.live)
	return err == nil && result.Status == status.CurrentStatus
}

// sync waits for the proxies, if there is anything that they need.
func (r *run) sync(ctx context.Context, need Need) error {
	if r.o.Sync == nil || need.empty() {
		return nil
	}
	what := "for the proxies to have what the routes need"
	if need.Changed {
		what = "for the proxies to have the routes"
	}
	r.tell(Event{Stage: routes.String(), State: "waiting", Message: what})
	if err := r.o.Sync(ctx, need); err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return fmt.Errorf("%w: %w", ErrNotSynced, err)
	}
	return nil
}

// announce writes into the inventory what is about to be made, so that nothing
// is lost track of when this process dies.
func (r *run) announce(ctx context.Context) error {
	if !r.plan.changesAnything() {
		return nil
	}
	return r.changeInventory(ctx, r.Namespace, r.plan.Workspace, func(i *Inventory) {
		for n := range r.plan.Changes {
			ch := &r.plan.Changes[n]
			if ch.desired == nil || i.Find(ch.Object) != nil {
				continue
			}
			i.Put(Entry{ID: ch.Object, APIVersion: ch.desired.GetAPIVersion()})
		}
	})
}

func (p *Plan) changesAnything() bool {
	return slices.ContainsFunc(p.Changes, func(ch Change) bool {
		return ch.claim || ch.orphan || ch.Action != Unchanged && ch.Action != Keep
	}) || slices.ContainsFunc(p.Changes, func(ch Change) bool { return ch.desired != nil && p.inventory.Find(ch.Object) == nil })
}

// record writes what was done into the inventory, and when all was, a revision
// into the history.
func (r *run) record(ctx context.Context, complete bool) error {
	p := r.plan
	if !p.changesAnything() {
		p.Revision = p.inventory.Revision
		return nil
	}
	if complete && p.Revision == 0 && !p.Request.NoHistory {
		revision, err := r.remember(ctx, p, r.o)
		if err != nil {
			return fmt.Errorf("everything is applied, but the history could not be kept: %w", err)
		}
		p.Revision = revision
	}
	if live, err := r.Get(ctx, schema.GroupVersionKind{Version: "v1", Kind: "Namespace"}, ID{Kind: "Namespace", Name: r.Namespace}); err == nil && live == nil {
		return nil // nothing has been applied into it either
	}
	return r.changeInventory(ctx, r.Namespace, p.Workspace, func(i *Inventory) {
		if complete {
			i.Revision = p.Revision
		}
		for n := range p.Changes {
			p.Changes[n].enter(i, r.manager())
		}
	})
}

// enter notes one change in the inventory.
func (ch *Change) enter(i *Inventory, manager string) {
	switch {
	case ch.done && (ch.Action == Delete || ch.orphan):
		i.Remove(ch.Object)
	case ch.desired == nil || !ch.done:
	default:
		e := Entry{ID: ch.Object, APIVersion: ch.desired.GetAPIVersion()}
		if old := i.Find(ch.Object); old != nil {
			e.Kept = old.Kept
		}
		if owned, err := Owned(ch.after, manager); err == nil && owned != nil {
			e.Applied, e.Owned = digest(versionless(ch.desired).Object), digest(owned.Object)
		}
		i.Put(e)
	}
}
