package cluster

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/meshstorm/meshstorm/shift"
)

// neverPruned are kinds whose removal takes along what others made in them.
var neverPruned = []string{"Namespace", "CustomResourceDefinition", "PersistentVolumeClaim", "PersistentVolume"}

// planPrune adds the objects of the inventory that the files have no more.
func (c *Client) planPrune(ctx context.Context, p *Plan) error {
	wanted := map[ID]bool{}
	for i := range p.Changes {
		wanted[p.Changes[i].Object] = true
	}
	for _, id := range p.Request.Spare {
		wanted[id] = true
	}
	var gone []Change
	for _, e := range p.inventory.Entries {
		if !wanted[e.ID] && (!e.record() || p.Request.PruneKept) {
			gone = append(gone, Change{Object: e.ID, Action: Delete, stage: stageOf(e.ID), orphan: e.Orphan})
		}
	}
	others, err := c.inventories(ctx, p.Namespace)
	if err != nil {
		return err
	}
	p.shared(others)
	group, each := errgroup.WithContext(ctx)
	group.SetLimit(parallel)
	for i := range gone {
		ch := &gone[i]
		group.Go(func() (err error) {
			ch.live, err = c.Get(each, schema.GroupVersionKind{Group: ch.Object.Group, Kind: ch.Object.Kind}, ch.Object)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	for i := range gone {
		ch := &gone[i]
		e := p.inventory.Find(ch.Object)
		if e.record() && ch.live != nil && len(ch.live.GetOwnerReferences()) > 0 {
			continue // Kubernetes takes it along with its owner
		}
		if why := spared(p, ch, e, others, c.manager()); why != "" {
			ch.Action, ch.Message = Keep, why
		}
		p.Changes = append(p.Changes, *ch)
	}
	return nil
}

// shared notes objects that another workspace has applied too: whichever is
// applied last decides what they are.
func (p *Plan) shared(others []*Inventory) {
	for _, other := range others {
		if other.Workspace == p.Workspace {
			continue
		}
		n := 0
		for i := range p.Changes {
			if other.Find(p.Changes[i].Object) != nil {
				n++
			}
		}
		if n > 0 {
			p.Notes = append(p.Notes, fmt.Sprintf("workspace %q applied %d of these objects too, and the last one to apply decides; a namespace of its own (namespace: in meshstorm.yaml) keeps a workspace apart", other.Workspace, n))
		}
	}
}

// record reports whether an entry is a canary's own record, which goes with what
// the canary is of and is nobody's business before.
func (e *Entry) record() bool { return e.Kept != "" && strings.HasPrefix(e.Name, "meshstorm-") }

// spared says why an object stays though the files do not have it; "" if it goes.
func spared(p *Plan, ch *Change, e *Entry, others []*Inventory, manager string) string {
	switch {
	case e.Kept != "" && !p.Request.PruneKept:
		return "it belongs to the " + e.Kept
	case slices.Contains(neverPruned, ch.Object.Kind):
		return fmt.Sprintf("a %s is never pruned, since it would take along what others have in it; delete it with kubectl", ch.Object.Kind)
	case ch.live == nil || e.Orphan:
		return ""
	}
	for _, other := range others {
		if other.Workspace != p.Workspace && other.Find(ch.Object) != nil {
			return fmt.Sprintf("workspace %q has it too", other.Workspace)
		}
	}
	if owner := otherOwner(ch.live, manager); owner != "" {
		return "it belongs to " + owner
	}
	return ""
}

// trackers are labels and annotations by which other tools say that an object is
// theirs.
var trackers = []struct{ key, tool string }{
	{"argocd.argoproj.io/tracking-id", "Argo CD"},
	{"argocd.argoproj.io/instance", "Argo CD"},
	{"kustomize.toolkit.fluxcd.io/name", "Flux"},
	{"helm.toolkit.fluxcd.io/name", "Flux"},
	{"meta.helm.sh/release-name", "a Helm release"},
	{"kapp.k14s.io/app", "kapp"},
}

// otherOwner names who else has a live object, "" for nobody.
func otherOwner(live *unstructured.Unstructured, manager string) string {
	for _, ref := range live.GetOwnerReferences() {
		return fmt.Sprintf("%s/%s, its owner", strings.ToLower(ref.Kind), ref.Name)
	}
	for _, t := range trackers {
		_, labelled := live.GetLabels()[t.key]
		_, annotated := live.GetAnnotations()[t.key]
		if labelled || annotated {
			return t.tool
		}
	}
	if !Owns(live, manager) {
		for _, entry := range live.GetManagedFields() {
			if entry.Subresource == "" && entry.Manager != shift.Manager {
				return fmt.Sprintf("field manager %q, who made it anew", entry.Manager)
			}
		}
	}
	return ""
}

// setAside deletes a Deployment and leaves its pods running, so that it can be
// made anew with another selector. Its ReplicaSets go into the inventory first:
// the removal at the end of this run, or of the next, finds them there.
func (r *run) setAside(ctx context.Context, ch *Change) error {
	sets, err := r.Kube.AppsV1().ReplicaSets(ch.Object.Namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return Explain(err)
	}
	var left []Change
	for i := range sets.Items {
		owner := metav1.GetControllerOf(&sets.Items[i])
		if owner != nil && owner.UID == ch.live.GetUID() {
			id := ID{Group: "apps", Kind: "ReplicaSet", Namespace: ch.Object.Namespace, Name: sets.Items[i].Name}
			left = append(left, Change{Object: id, Action: Delete, stage: workloads, orphan: true, Message: "its Deployment was replaced",
				live: &unstructured.Unstructured{Object: map[string]any{"apiVersion": "apps/v1", "kind": "ReplicaSet",
					"metadata": map[string]any{"name": id.Name, "namespace": id.Namespace}}}})
		}
	}
	err = r.changeInventory(ctx, r.Namespace, r.plan.Workspace, func(i *Inventory) {
		for _, l := range left {
			i.Put(Entry{ID: l.Object, APIVersion: "apps/v1", Orphan: true})
		}
	})
	if err != nil {
		return err
	}
	resource, err := r.Resource(ch.desired.GroupVersionKind(), ch.Object.Namespace)
	if err != nil {
		return err
	}
	if err := r.deleteOne(ctx, resource, ch.live, metav1.DeletePropagationOrphan); err != nil {
		return err
	}
	if err := r.gone(ctx, []ID{ch.Object}, r.o.Timeout); err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.orphans = append(r.orphans, left...)
	return nil
}

// taken: a Deployment has this ReplicaSet, or will take it over as soon as it
// sees it, because the files select its pods again.
func (r *run) taken(ctx context.Context, id ID) (bool, error) {
	set, err := r.Kube.AppsV1().ReplicaSets(id.Namespace).Get(ctx, id.Name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return false, nil
	}
	if err != nil {
		return false, Explain(err)
	}
	if metav1.GetControllerOf(set) != nil {
		return true, nil
	}
	all, err := r.Kube.AppsV1().Deployments(id.Namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return false, Explain(err)
	}
	for i := range all.Items {
		selector, err := metav1.LabelSelectorAsSelector(all.Items[i].Spec.Selector)
		if err == nil && selector.Matches(labels.Set(set.Labels)) {
			return true, nil
		}
	}
	return false, nil
}

// released ends a shift whose weights the files have taken over: only when they
// are applied does the annotation go, and with it its manager's entry.
func (r *run) released(ctx context.Context, ch *Change) error {
	if !r.plan.Request.TakeWeights || !isVirtualService(ch.Object) {
		return nil
	}
	return r.EndShift(ctx, ch.after)
}

// EndShift takes the annotation of a shift off a VirtualService, and its
// manager out of managedFields. The rules stay as they are.
func (c *Client) EndShift(ctx context.Context, vs *unstructured.Unstructured) error {
	if !Owns(vs, shift.Manager) {
		return nil
	}
	empty := &unstructured.Unstructured{Object: map[string]any{}}
	empty.SetAPIVersion(vs.GetAPIVersion())
	empty.SetKind(vs.GetKind())
	empty.SetName(vs.GetName())
	empty.SetNamespace(vs.GetNamespace())
	_, err := c.ApplyObject(ctx, empty, ApplyObjectOptions{Manager: shift.Manager, Force: true})
	return err
}
