package cluster

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// parallel is how many requests are under way at once.
const parallel = 16

// Request is what a person wants to be in the cluster.
type Request struct {
	Workspace string   // its name; names the inventory and the history
	Objects   []Object // all that belongs to the workspace

	Force       bool     // take over fields that other managers applied
	Adopt       bool     // take over objects that `kubectl apply` made
	Replace     []string // Deployments to make anew where the selector differs, by name
	Prune       bool     // delete what left the files
	PruneKept   bool     // and what a canary put into the inventory
	Spare       []ID     // never prune these: Secrets whose values the history does not have
	TakeWeights bool     // the files' weights count; running shifts end
	NoHistory   bool     // keep no revision for undo
	// Full asks the server about every object that is not surely unchanged, new
	// ones too, so that refusals show before anything is written.
	Full bool
}

// Plan is a change set with what is needed to carry it out.
type Plan struct {
	ChangeSet
	Request   Request
	inventory *Inventory
}

// ErrInput says that the objects cannot be applied as they are written.
var ErrInput = errors.New("cannot be applied")

// Plan compares the wanted objects with the live ones and asks the server, by
// dry runs, what applying them would do. Nothing is written. Errors about the
// objects themselves wrap ErrInput.
func (c *Client) Plan(ctx context.Context, r Request) (*Plan, error) {
	p := &Plan{Request: r, ChangeSet: ChangeSet{
		APIVersion: "meshstorm.io/v1", Server: c.Server(), Workspace: r.Workspace, Namespace: c.Namespace,
	}}
	inventory, err := c.ReadInventory(ctx, c.Namespace, r.Workspace)
	if err != nil {
		return nil, err
	}
	p.inventory = inventory
	if p.Changes, err = c.wanted(r.Objects); err != nil {
		return nil, err
	}
	if err := c.readLive(ctx, p); err != nil {
		return nil, err
	}
	if err := c.compareAll(ctx, p); err != nil {
		return nil, err
	}
	if r.Prune {
		if err := c.planPrune(ctx, p); err != nil {
			return nil, err
		}
	}
	slices.SortStableFunc(p.Changes, byStage)
	return p, nil
}

// byStage orders changes as they happen: stage by stage, and what is deleted
// last, the other way round.
func byStage(a, b Change) int {
	gone := func(c *Change) bool { return c.Action == Delete || c.Action == Keep }
	switch {
	case gone(&a) != gone(&b):
		if gone(&a) {
			return 1
		}
		return -1
	case gone(&a):
		return int(b.stage) - int(a.stage)
	}
	return int(a.stage) - int(b.stage)
}

// wanted checks the objects and gives each its change.
func (c *Client) wanted(objects []Object) ([]Change, error) {
	var faults []error
	seen := map[ID]*Object{}
	defined := definedKinds(objects)
	changes := make([]Change, 0, len(objects))
	for i := range objects {
		o := &objects[i]
		desired := o.DeepCopy()
		id, err := c.place(desired, defined)
		if err != nil {
			faults = append(faults, fmt.Errorf("%s%w", at(o), err))
			continue
		}
		if other := seen[id]; other != nil {
			faults = append(faults, fmt.Errorf("%s%s is in the files twice; the other is at %s", at(o), id, strings.TrimSuffix(at(other), ": ")))
			continue
		}
		seen[id] = o
		changes = append(changes, Change{Object: id, File: o.File, Line: o.Line, desired: desired, object: o, stage: stageOf(id)})
	}
	if len(faults) > 0 {
		return nil, fmt.Errorf("%w:\n%w", ErrInput, errors.Join(faults...))
	}
	return changes, nil
}

func at(o *Object) string {
	if o.File == "" {
		return ""
	}
	return fmt.Sprintf("%s:%d: ", o.File, o.Line)
}

// definedKinds are those that the objects' own CustomResourceDefinitions bring;
// true for namespaced ones.
func definedKinds(objects []Object) map[schema.GroupKind]bool {
	kinds := map[schema.GroupKind]bool{}
	for i := range objects {
		if objects[i].GetKind() != "CustomResourceDefinition" {
			continue
		}
		group, _, _ := unstructured.NestedString(objects[i].Object, "spec", "group")
		kind, _, _ := unstructured.NestedString(objects[i].Object, "spec", "names", "kind")
		scope, _, _ := unstructured.NestedString(objects[i].Object, "spec", "scope")
		kinds[schema.GroupKind{Group: group, Kind: kind}] = scope == "Namespaced"
	}
	return kinds
}

// place gives an object its namespace and its ID.
func (c *Client) place(o *unstructured.Unstructured, defined map[schema.GroupKind]bool) (ID, error) {
	gvk := o.GroupVersionKind()
	if gvk.Kind == "" || gvk.Version == "" || o.GetName() == "" {
		return ID{}, errors.New("apiVersion, kind and metadata.name are needed")
	}
	mapping, err := c.Mapping(gvk)
	namespaced := false
	switch own, ours := defined[gvk.GroupKind()]; {
	case meta.IsNoMatchError(err) && ours:
		namespaced = own
	case meta.IsNoMatchError(err):
		return ID{}, fmt.Errorf("the cluster does not know kind %s of %s; %s", gvk.Kind, o.GetAPIVersion(), missingKind(gvk))
	case err != nil:
		return ID{}, err
	default:
		namespaced = mapping.Scope.Name() == meta.RESTScopeNameNamespace
	}
	if !namespaced {
		o.SetNamespace("")
	} else if o.GetNamespace() == "" {
		o.SetNamespace(c.Namespace)
	}
	return IDOf(o), nil
}

func missingKind(gvk schema.GroupVersionKind) string {
	if slices.Contains(meshGroups, gvk.Group) && strings.HasSuffix(gvk.Group, "istio.io") {
		return "`meshstorm istio status` says which Istio is there, `meshstorm istio install` brings one, and `istioVersion` in meshstorm.yaml selects the versions that an older one has"
	}
	return "its CustomResourceDefinition must be installed first, or stand among the files"
}

// readLive reads the live object of each change: one LIST for many of a kind
// and namespace, a GET each for few.
func (c *Client) readLive(ctx context.Context, p *Plan) error {
	type place struct {
		gvk       schema.GroupVersionKind
		namespace string
	}
	groups := map[place][]*Change{}
	for i := range p.Changes {
		ch := &p.Changes[i]
		key := place{ch.desired.GroupVersionKind(), ch.Object.Namespace}
		groups[key] = append(groups[key], ch)
	}
	group, each := errgroup.WithContext(ctx)
	group.SetLimit(parallel)
	for key, changes := range groups {
		if len(changes) > 4 {
			group.Go(func() error { return c.list(each, key.gvk, key.namespace, changes) })
			continue
		}
		for _, ch := range changes {
			group.Go(func() (err error) {
				ch.live, err = c.Get(each, key.gvk, ch.Object)
				return err
			})
		}
	}
	return group.Wait()
}

// Get reads a live object; nil where it does not exist, or where the cluster
// does not know its kind yet. gvk may lack the version.
func (c *Client) Get(ctx context.Context, gvk schema.GroupVersionKind, id ID) (*unstructured.Unstructured, error) {
	resource, err := c.Resource(gvk, id.Namespace)
	if meta.IsNoMatchError(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var live *unstructured.Unstructured
	err = retry(ctx, func() (err error) {
		live, err = resource.Get(ctx, id.Name, metav1.GetOptions{})
		return err
	})
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", id, Explain(err))
	}
	return live, nil
}

func (c *Client) list(ctx context.Context, gvk schema.GroupVersionKind, namespace string, changes []*Change) error {
	resource, err := c.Resource(gvk, namespace)
	if meta.IsNoMatchError(err) {
		return nil
	}
	if err != nil {
		return err
	}
	var list *unstructured.UnstructuredList
	err = retry(ctx, func() (err error) {
		list, err = resource.List(ctx, metav1.ListOptions{})
		return err
	})
	if err != nil {
		return fmt.Errorf("list %s in namespace %s: %w", gvk.Kind, namespace, Explain(err))
	}
	wanted := make(map[string]*Change, len(changes))
	for _, ch := range changes {
		wanted[ch.Object.Name] = ch
	}
	for i := range list.Items {
		if ch := wanted[list.Items[i].GetName()]; ch != nil {
			ch.live = &list.Items[i]
		}
	}
	return nil
}

// compareAll decides what happens to each object.
func (c *Client) compareAll(ctx context.Context, p *Plan) error {
	group, each := errgroup.WithContext(ctx)
	group.SetLimit(parallel)
	for i := range p.Changes {
		ch := &p.Changes[i]
		if err := p.hold(ch); err != nil {
			return err
		}
		if c.surelyUnchanged(p, ch) {
			ch.Action = Unchanged
			continue
		}
		group.Go(func() error { return c.try(each, p, ch) })
	}
	return group.Wait()
}

// surelyUnchanged: the same was applied last, and the live values of all fields
// that meshstorm owns are what they were then.
func (c *Client) surelyUnchanged(p *Plan, ch *Change) bool {
	e := p.inventory.Find(ch.Object)
	if e == nil || ch.live == nil || ch.live.GetDeletionTimestamp() != nil || e.Applied == "" || e.Applied != digest(versionless(ch.desired).Object) {
		return false
	}
	owned, err := Owned(ch.live, c.manager())
	return err == nil && owned != nil && digest(owned.Object) == e.Owned
}

// digest is short enough to keep one for each of thousands of objects.
func digest(content map[string]any) string {
	text, err := json.Marshal(content) // with sorted keys
	if err != nil {
		return ""
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:12])
}

// try asks the server what applying an object would do.
func (c *Client) try(ctx context.Context, p *Plan, ch *Change) error {
	if ch.live == nil {
		ch.Action = Create
		if !p.Request.Full {
			return nil
		}
	}
	if ch.live != nil {
		ch.Adopts = clientSide(ch.live) != ""
	}
	after, err := c.ApplyObject(ctx, versionless(ch.desired), ApplyObjectOptions{DryRun: true})
	conflict := (*ConflictError)(nil)
	if errors.As(err, &conflict) {
		ch.Conflicts = conflict.Conflicts
		if after, err = c.ApplyObject(ctx, versionless(ch.desired), ApplyObjectOptions{DryRun: true, Force: true}); err == nil && !p.Request.Force && !ch.onlyAdopted(p) {
			ch.Action, ch.after, ch.Fields = Conflict, after, differences(ch.live, after)
			return nil
		}
	}
	if err != nil {
		return ch.refuse(p, err)
	}
	ch.after = after
	if ch.live == nil {
		return nil
	}
	ch.Fields = differences(ch.live, after)
	if ch.Adopts {
		ch.Fields = append(ch.Fields, c.leftBehind(ch)...)
	}
	ch.Action = Configure
	if len(ch.Fields) == 0 {
		ch.Action = Unchanged
		ch.claim = true
	}
	return nil
}

// onlyAdopted: all conflicts are with `kubectl apply`, whose fields are taken
// over first.
func (ch *Change) onlyAdopted(p *Plan) bool {
	if !p.Request.Adopt || !ch.Adopts {
		return false
	}
	return !slices.ContainsFunc(ch.Conflicts, func(f FieldConflict) bool { return f.Manager != clientSideManager })
}

// versionless is a copy for dry runs, which need no guard against other writers.
func versionless(o *unstructured.Unstructured) *unstructured.Unstructured {
	if o.GetResourceVersion() == "" {
		return o
	}
	o = o.DeepCopy()
	o.SetResourceVersion("")
	return o
}

// Problems are the changes that keep a plan from being carried out.
func (p *Plan) Problems() []Change {
	var all []Change
	for i := range p.Changes {
		ch := &p.Changes[i]
		if ch.Action == Conflict || ch.Action == Refused || ch.Adopts && !p.Request.Adopt {
			all = append(all, *ch)
		}
	}
	return all
}
