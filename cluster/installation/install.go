package installation

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/meshstorm/meshstorm/cluster"
)

// System is where Istio's control plane goes.
const System = "istio-system"

// ErrForeign says that an Istio is there which meshstorm did not install.
var ErrForeign = errors.New("meshstorm did not install this Istio")

// ErrUnfit says that an Istio does not fit the cluster, or what runs in it.
var ErrUnfit = errors.New("this Istio does not fit")

// ErrAbsent says that there is no Istio of the revision that was meant.
var ErrAbsent = errors.New("there is no Istio")

// Request is what to install.
type Request struct {
	Revision string // "" for the default one
	Version  string // of the images' tag
	Adopt    bool   // take over an installation that others made
	Objects  []*unstructured.Unstructured
}

// name is under which an installation is kept track of.
func name(revision string) string {
	if revision == "" {
		revision = "default"
	}
	return "istio-" + revision
}

// writer gives the client that writes as Manager into Istio's namespace.
func writer(c *cluster.Client) *cluster.Client { return c.As(Manager, System) }

// Fits refuses what would not run: a Kubernetes that this Istio is not made for,
// a control plane that others made, or one that is more than a minor version away.
// The errors wrap ErrForeign and ErrUnfit.
func Fits(r *Report, q Request) error {
	if support, rng := Supports(q.Version, r.Kubernetes); support == Unsupported {
		return fmt.Errorf("%w: Istio %s is made for Kubernetes %s, and this is %s (istio.io/latest/docs/releases/supported-releases)", ErrUnfit, q.Version, rng, r.Kubernetes)
	}
	for _, p := range r.ControlPlanes {
		if away := minors(q.Version, p.Version); away > 1 {
			return fmt.Errorf("%w: %s/%s is Istio %s, which is %d minor versions from %s; Istio upgrades by one at a time (istio.io/latest/docs/setup/upgrade)",
				ErrUnfit, p.Namespace, p.Name, p.Version, away, q.Version)
		}
	}
	if p := r.ControlPlane(q.Revision); p != nil && p.By != Meshstorm && !q.Adopt {
		return fmt.Errorf("%w: %s/%s, Istio %s, was installed by %s; change it there, or take it over with --adopt", ErrForeign, p.Namespace, p.Name, p.Version, p.By)
	}
	return nil
}

// minors is how many minor versions lie between two; 0 where one is unknown.
func minors(a, b string) int {
	x, okX := minor(a)
	y, okY := minor(b)
	if !okX || !okY {
		return 0
	}
	return max(x-y, y-x)
}

func minor(version string) (int, bool) {
	parts := strings.Split(strings.TrimPrefix(version, "v"), ".")
	if len(parts) < 2 {
		return 0, false
	}
	n, err := strconv.Atoi(parts[1])
	return n, err == nil
}

// PlanInstall compares the objects of an installation with the cluster.
func PlanInstall(ctx context.Context, c *cluster.Client, q Request) (*cluster.Plan, error) {
	objects := make([]cluster.Object, 0, len(q.Objects))
	for _, o := range q.Objects {
		o, err := tuned(ctx, c, o)
		if err != nil {
			return nil, err
		}
		objects = append(objects, cluster.Object{Unstructured: o})
	}
	return writer(c).Plan(ctx, cluster.Request{
		Workspace: name(q.Revision), Objects: objects, Prune: true, NoHistory: true, Force: q.Adopt, Adopt: q.Adopt,
	})
}

// tuned leaves a webhook's failure policy as it is live: istiod sets that of its
// own validator to Fail once it can answer
// (istio/istio, pkg/webhooks/validation/controller).
func tuned(ctx context.Context, c *cluster.Client, o *unstructured.Unstructured) (*unstructured.Unstructured, error) {
	if o.GetKind() != "ValidatingWebhookConfiguration" {
		return o, nil
	}
	live, err := c.Get(ctx, o.GroupVersionKind(), cluster.IDOf(o))
	if err != nil || live == nil {
		return o, err
	}
	policies := map[any]any{}
	hooks, _, _ := unstructured.NestedSlice(live.Object, "webhooks")
	for _, h := range hooks {
		if hook, ok := h.(map[string]any); ok {
			policies[hook["name"]] = hook["failurePolicy"]
		}
	}
	o = o.DeepCopy()
	hooks, _, _ = unstructured.NestedSlice(o.Object, "webhooks")
	for _, h := range hooks {
		if hook, ok := h.(map[string]any); ok && policies[hook["name"]] != nil {
			hook["failurePolicy"] = policies[hook["name"]]
		}
	}
	return o, unstructured.SetNestedSlice(o.Object, hooks, "webhooks")
}

// Install carries out a plan of PlanInstall: definitions, accounts and settings,
// workloads until they are ready, and the webhooks last.
func Install(ctx context.Context, c *cluster.Client, p *cluster.Plan, o cluster.ApplyOptions) (*cluster.ChangeSet, error) {
	i := writer(c)
	if err := i.EnsureNamespace(ctx, System); err != nil {
		return nil, err
	}
	within, hold, err := i.Take(ctx, System, cluster.ApplyLease(p.Workspace), 0, nil)
	if err != nil {
		return nil, err
	}
	defer hold.Release()
	o.Sync = nil
	set, err := i.Apply(within, p, o)
	if errors.Is(err, cluster.ErrNotReady) {
		err = unready(ctx, i, p, err)
	}
	return set, err
}

// PlanUninstall says what uninstalling a revision would remove: what Install
// made, and with adopt what these objects name too. Definitions stay, and with
// them people's objects. The error wraps ErrForeign where others installed it, and
// ErrAbsent where nobody did.
func PlanUninstall(ctx context.Context, c *cluster.Client, r *Report, q Request) (*cluster.Plan, error) {
	i := writer(c)
	inventory, err := i.ReadInventory(ctx, System, name(q.Revision))
	if err != nil {
		return nil, err
	}
	if len(inventory.Entries) == 0 {
		p := r.ControlPlane(q.Revision)
		if p == nil {
			return nil, absent(r, q.Revision)
		}
		if !q.Adopt {
			return nil, fmt.Errorf("%w: %s/%s was installed by %s; remove it there, or take it over with --adopt", ErrForeign, p.Namespace, p.Name, p.By)
		}
		if err := take(ctx, i, q); err != nil {
			return nil, err
		}
	}
	return i.PlanDelete(ctx, name(q.Revision))
}

// take applies the objects that are there already, so that the inventory knows
// them.
func take(ctx context.Context, i *cluster.Client, q Request) error {
	plan, err := PlanInstall(ctx, i, q)
	if err != nil {
		return err
	}
	plan.Changes = slices.DeleteFunc(plan.Changes, func(ch cluster.Change) bool { return ch.Action == cluster.Create })
	if problems := plan.Problems(); len(problems) > 0 {
		return fmt.Errorf("%w: %s cannot be taken over: %s", ErrForeign, problems[0].Object, problems[0].Message)
	}
	_, err = i.Apply(ctx, plan, cluster.ApplyOptions{})
	return err
}

// Uninstall carries out a plan of PlanUninstall.
func Uninstall(ctx context.Context, c *cluster.Client, p *cluster.Plan, o cluster.ApplyOptions) error {
	o.Sync = nil
	return writer(c).Delete(ctx, p, o)
}

func absent(r *Report, revision string) error {
	var have []string
	for _, p := range r.ControlPlanes {
		have = append(have, p.Revision)
	}
	if len(have) == 0 {
		return fmt.Errorf("%w in this cluster", ErrAbsent)
	}
	return fmt.Errorf("%w of revision %s in this cluster; revisions that are here: %s", ErrAbsent, revisionName(revision), strings.Join(have, ", "))
}

// Left names what uninstalling a revision leaves without Istio: namespaces whose
// pods have sidecars, or are ambient, and that nobody configures any more.
func (r *Report) Left(revision string) []string {
	plane := r.ControlPlane(revision)
	var all []string
	for _, n := range r.Namespaces {
		ambient := n.Mode == "ambient" && plane != nil && plane.Mode == "ambient"
		if n.Name != System && (ambient || n.Mode == "sidecar" && n.Revision == revisionName(revision)) {
			all = append(all, n.Name)
		}
	}
	return all
}
