package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/meshstorm/meshstorm/cluster"
	"github.com/meshstorm/meshstorm/cluster/installation"
)

func newIstioUninstall(a *app) *cobra.Command {
	f := &istioInstallFlags{}
	cmd := &cobra.Command{
		Use:   "uninstall",
		Short: "Remove the Istio that install made",
		Long: `Uninstall removes exactly what install made, webhooks first. CustomResourceDefinitions stay, and with them
people's routes. An installation that others made is refused; --adopt takes it over and removes what the profile
has in common with it.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.istioUninstall(cmd.Context(), f) },
	}
	f.addProfile(cmd)
	return cmd
}

func (a *app) istioUninstall(ctx context.Context, f *istioInstallFlags) error {
	q, err := f.request()
	if err != nil {
		return err
	}
	c, err := f.connect("")
	if err != nil {
		return err
	}
	report, err := installation.Found(ctx, c)
	if err != nil {
		return clusterError(err)
	}
	if f.adopt && !f.dryRun {
		if err := a.confirm(f.yes, "--yes", "Take the installation over and remove it?"); err != nil {
			return err
		}
	}
	if f.adopt && f.dryRun {
		return usage("--dry-run cannot say what --adopt would remove, since it takes over first; `meshstorm istio status` shows what is there")
	}
	plan, err := installation.PlanUninstall(ctx, c, report, q)
	if errors.Is(err, installation.ErrForeign) || errors.Is(err, installation.ErrAbsent) {
		return &exit{ExitNo, err}
	}
	if err != nil {
		return clusterError(err)
	}
	if left := report.Left(f.revision); len(left) > 0 {
		fmt.Fprintf(a.Err, "note: pods in %s keep proxies that nobody configures any more, and new pods get none; `meshstorm istio label NAMESPACE --remove --restart` takes them out of the mesh\n", someOf(left, 8))
	}
	if f.dryRun {
		writeFields(a.Out, &plan.ChangeSet)
		return nil
	}
	question := fmt.Sprintf("Remove %d objects of Istio from %s?", plan.Count(cluster.Delete), c.Server())
	if err := a.confirm(f.yes, "--yes", question); err != nil {
		return err
	}
	show := a.progress()
	err = installation.Uninstall(ctx, c, plan, cluster.ApplyOptions{Wait: true, Timeout: f.timeout, Progress: show.Event})
	show.End()
	if err != nil {
		return clusterError(err)
	}
	fmt.Fprintf(a.Out, "%d objects removed; definitions and people's routes stay\n", plan.Count(cluster.Delete))
	if len(report.ControlPlanes) <= 1 {
		fmt.Fprintf(a.Out, `to remove these too, with all routes of everybody, and the mesh's certificate authority:
  kubectl get crd -o name | grep '\.istio\.io$' | xargs kubectl delete
  kubectl delete namespace %s
`, installation.System)
	}
	return nil
}

// someOf names the first of many.
func someOf(names []string, most int) string {
	if len(names) <= most {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
}
