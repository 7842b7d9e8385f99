package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/meshstorm/meshstorm/cluster"
	"github.com/meshstorm/meshstorm/cluster/installation"
	"github.com/meshstorm/meshstorm/cluster/proxies"
)

// preflight finds what would keep an apply from ending well before anything is
// written, says how to mend each, and with --yes mends what it may itself.
func (a *app) preflight(ctx context.Context, c *cluster.Client, f *applyFlags, want *wanted) error {
	version, err := c.Version(ctx)
	if err != nil {
		return err
	}
	a.log.Info("cluster", "server", c.Server(), "version", version, "namespace", c.Namespace)
	if err := a.prepareNamespace(ctx, c, f, want); err != nil {
		return err
	}
	if err := a.lacks(ctx, c, want); err != nil {
		return err
	}
	if err := a.neighbours(ctx, c, f, want); err != nil {
		return err
	}
	missing, err := c.Missing(ctx, c.Rights(want.objects, f.prune))
	if err != nil {
		return err
	}
	if len(missing) == 0 {
		return nil
	}
	lines := ""
	for _, r := range missing {
		lines += fmt.Sprintf("\n  %s", r)
	}
	return &exit{ExitNo, fmt.Errorf("these rights are missing, so nothing was applied:%s\nsomebody who may can grant them, and bind the roles to you:\n%s", lines, cluster.MendRights(missing))}
}

// lacks refuses objects that need what the cluster's Istio does not have, and
// warns of what may be missing.
func (a *app) lacks(ctx context.Context, c *cluster.Client, want *wanted) error {
	report, err := installation.Found(ctx, c)
	if err != nil {
		return err
	}
	for _, p := range report.ControlPlanes {
		a.log.Info("istio", "controlPlane", p.Namespace+"/"+p.Name, "revision", p.Revision, "version", p.Version, "profile", p.Profile)
	}
	var objects []*unstructured.Unstructured
	for i := range want.objects {
		objects = append(objects, want.objects[i].Unstructured)
	}
	var faults []error
	for _, g := range report.Missing(c.Namespace, objects) {
		switch {
		case g.Code == installation.GapInjection: // prepareNamespace has asked
		case g.Warning:
			fmt.Fprintf(a.Err, "warning: %s\n  %s\n", g.What, g.Fix)
		default:
			faults = append(faults, fmt.Errorf("%s\n  %s", g.What, g.Fix))
		}
	}
	if len(faults) > 0 {
		return &exit{ExitNo, fmt.Errorf("nothing was applied, for something is missing in the cluster:\n%w", errors.Join(faults...))}
	}
	return nil
}

// prepareNamespace wants the namespace to be there, and its pods to get
// sidecars where routes are applied.
func (a *app) prepareNamespace(ctx context.Context, c *cluster.Client, f *applyFlags, want *wanted) error {
	state, err := c.NamespaceState(ctx, c.Namespace)
	if err != nil {
		return err
	}
	if state.Terminating {
		return &exit{ExitOutside, fmt.Errorf("namespace %s is being deleted; wait until it is gone", c.Namespace)}
	}
	meshed := false
	for i := range want.objects {
		o := &want.objects[i]
		if o.GetKind() == "Namespace" && o.GetName() == c.Namespace {
			return nil // the files say how it is
		}
		meshed = meshed || o.GetKind() == "VirtualService"
	}
	switch {
	case !state.Exists:
		if err := a.confirm(f.yes, "--yes", fmt.Sprintf("There is no namespace %s. Make it, labelled istio-injection=enabled?", c.Namespace)); err != nil {
			return err
		}
	case state.Injected || !meshed || state.Why != "":
		if state.Why == "istio-injection=disabled" && meshed {
			fmt.Fprintf(a.Err, "note: namespace %s is labelled istio-injection=disabled: its pods get no sidecar, so routes of the mesh do not hold for their own calls\n", c.Namespace)
		}
		return nil
	default:
		if err := a.confirm(f.yes, "--yes", fmt.Sprintf("Namespace %s is not labelled for Istio's sidecars. Label it istio-injection=enabled?", c.Namespace)); err != nil {
			return err
		}
	}
	return c.PrepareNamespace(ctx, c.Namespace)
}

// Times of the wait for proxies.
const (
	syncLimit   = 10 * time.Second // then the routes are not applied
	syncAtLeast = 3 * time.Second  // with --no-sync-wait, then they are all the same
	// settle is how long istiod has to send what was just written before it is
	// asked. To show what a proxy is given it computes that, and while a change is
	// on its way it can keep the old state in its cache as if it were the new one
	// (istio/istio, pilot/pkg/xds/debug.go).
	settle = time.Second
)

// syncer waits for the proxies through istiod.
func (a *app) syncer(c *cluster.Client, goOn bool) func(context.Context, cluster.Need) error {
	return func(ctx context.Context, need cluster.Need) error {
		mesh, err := proxies.Open(ctx, c)
		switch {
		case proxies.Unseen(err):
			return a.waitBlindly(ctx, err)
		case errors.Is(err, proxies.ErrNoIstiod):
			fmt.Fprintf(a.Err, "warning: %v: routes have no effect until one runs; `meshstorm istio status` says what is there\n", err)
			return nil
		case err != nil:
			return err
		}
		defer mesh.Close()
		limit := syncLimit
		if goOn {
			limit = syncAtLeast
		}
		within, cancel := context.WithTimeout(ctx, limit)
		defer cancel()
		if err := pause(within, settle); err != nil {
			return err
		}
		report, err := mesh.Wait(within, expectation(need))
		if proxies.Unseen(err) {
			return a.waitBlindly(ctx, err)
		}
		if goOn && errors.Is(err, proxies.ErrTimeout) {
			fmt.Fprintf(a.Err, "warning: %v after %s; going on, as --no-sync-wait says\n", err, limit)
			return nil
		}
		if need.Changed && errors.Is(err, proxies.ErrTimeout) {
			fmt.Fprintf(a.Err, "warning: everything is applied, and %v after %s: %s\n", err, limit, strings.Join(report.Missing, "; "))
			return nil
		}
		if err != nil {
			for _, m := range report.Missing {
				fmt.Fprintln(a.Err, m)
			}
			return fmt.Errorf("%w within %s; is istiod well? `meshstorm istio status`; --no-sync-wait goes on all the same", err, limit)
		}
		a.log.Info("proxies have it", "proxies", report.Proxies, "took", report.Took)
		return nil
	}
}

// waitBlindly stands for asking istiod where it cannot be asked.
func (a *app) waitBlindly(ctx context.Context, why error) error {
	fmt.Fprintf(a.Err, "warning: %v, so meshstorm cannot see whether the proxies have the new configuration; it waits %s\n", why, syncAtLeast)
	return pause(ctx, syncAtLeast)
}

func expectation(need cluster.Need) proxies.Expectation {
	e := proxies.Expectation{Namespace: need.Namespace, Gateways: need.Gateways}
	if need.Sidecars {
		e.Sidecars = []string{"*"}
	}
	for _, d := range need.Present {
		e.Clusters = append(e.Clusters, proxies.ClusterName(d.Port, d.Subset, d.Host))
	}
	for _, d := range need.Absent {
		e.Gone = append(e.Gone, proxies.ClusterName(d.Port, d.Subset, d.Host))
	}
	return e
}

func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
