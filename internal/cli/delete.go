package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"github.com/meshstorm/meshstorm/cluster"
)

type deleteFlags struct {
	writeFlags
	name   string
	dryRun bool
}

func newDelete(a *app) *cobra.Command {
	f := &deleteFlags{}
	cmd := &cobra.Command{
		Use:   "delete [DIR]",
		Short: "Take a workspace out of the cluster",
		Long: `Delete removes what this workspace applied, and nothing else: routes first, then what they named, then
workloads and their configuration. It waits until the objects are really gone, and says what keeps them if not.
Namespaces and CustomResourceDefinitions stay.`,
		Example: `  meshstorm delete --dry-run
  meshstorm delete`,
		Args: atMostOneArg("workspace"),
		RunE: func(cmd *cobra.Command, args []string) error { return a.delete(cmd.Context(), f, args) },
	}
	f.add(cmd)
	cmd.Flags().StringVar(&f.name, "name", "", "instead of a workspace: the name that `apply -f --name` was given")
	cmd.Flags().BoolVar(&f.dryRun, "dry-run", false, "only say what would be deleted")
	return cmd
}

func (a *app) delete(ctx context.Context, f *deleteFlags, args []string) error {
	if err := output(f.output, "text", "json"); err != nil {
		return err
	}
	c, name, err := a.workspaceClient(ctx, &f.clusterFlags, f.name, args)
	if err != nil {
		return err
	}
	plan, err := c.PlanDelete(ctx, name)
	if err != nil {
		return clusterError(err)
	}
	if len(plan.Changes) == 0 {
		fmt.Fprintf(a.Err, "workspace %s has nothing in namespace %s\n", name, c.Namespace)
		return a.nothing(f.output, plan)
	}
	if f.dryRun {
		if f.output == "json" {
			return outsideOrNil(writeJSON(a, plan.ChangeSet))
		}
		writeFields(a.Out, &plan.ChangeSet)
		return nil
	}
	writeFields(a.Err, &plan.ChangeSet)
	end, err := a.ending(ctx, c, plan)
	if err != nil {
		return err
	}
	question := fmt.Sprintf("Delete %d objects of workspace %s from namespace %s of %s?", plan.Count(cluster.Delete), name, c.Namespace, c.Server())
	if err := a.confirm(f.yes, "--yes", question); err != nil {
		return err
	}
	ctx, hold, err := a.take(ctx, c, name, f.lockWait)
	if err != nil {
		return err
	}
	release := hold.Release
	defer func() { release() }()
	shown := plan
	if plan, err = c.PlanDelete(ctx, name); err != nil {
		return clusterError(err)
	}
	if !f.yes && !slices.EqualFunc(shown.Changes, plan.Changes, sameChange) {
		return &exit{ExitNo, errors.New("somebody changed the workspace meanwhile, so nothing was deleted; look at what is there now, and delete again")}
	}
	if err := end(ctx, "`meshstorm delete` removed it"); err != nil {
		return err
	}
	show := a.progress()
	options := cluster.ApplyOptions{Wait: f.wait, Timeout: f.timeout, Progress: show.Event}
	if f.wait {
		options.Sync = a.syncer(c, f.noSyncWait)
	}
	err = c.Delete(ctx, plan, options)
	show.End()
	if err == nil {
		release = hold.Remove
	}
	if f.output == "json" {
		if err := writeJSON(a, plan.ChangeSet); err != nil {
			return outside(err)
		}
		return clusterError(err)
	}
	if err == nil {
		fmt.Fprintf(a.Out, "%d objects deleted\n", plan.Count(cluster.Delete))
	}
	return clusterError(err)
}

// nothing prints a plan in which nothing happens, for those who read JSON.
func (a *app) nothing(format string, plan *cluster.Plan) error {
	if format != "json" {
		return nil
	}
	return outsideOrNil(writeJSON(a, plan.ChangeSet))
}

// sameChange: the same would happen to the same object.
func sameChange(a, b cluster.Change) bool { return a.Object == b.Object && a.Action == b.Action }

func outsideOrNil(err error) error {
	if err != nil {
		return outside(err)
	}
	return nil
}

// workspaceClient connects for a verb that needs a workspace's name and
// namespace, and none of its manifests.
func (a *app) workspaceClient(ctx context.Context, f *clusterFlags, name string, args []string) (*cluster.Client, string, error) {
	if name != "" {
		c, err := f.connect("")
		return c, name, err
	}
	root, err := a.root(args)
	if err != nil {
		return nil, "", err
	}
	w, err := a.open(ctx, root, nil)
	if err != nil {
		return nil, "", err
	}
	c, err := a.connectFor(f, &wanted{workspace: w})
	return c, w.Settings.Workspace, err
}
