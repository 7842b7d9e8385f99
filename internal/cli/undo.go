package cli

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/meshstorm/meshstorm/cluster"
	"github.com/meshstorm/meshstorm/internal/printed"
)

type historyFlags struct {
	clusterFlags
	output string
	name   string
}

func newHistory(a *app) *cobra.Command {
	f := &historyFlags{}
	cmd := &cobra.Command{
		Use:   "history [DIR]",
		Short: "List the states of a workspace that were applied",
		Long: fmt.Sprintf(`History lists the last %d states of a workspace that were applied, the newest first. They are kept in the cluster,
as Secrets of type %s in the workspace's namespace.`, cluster.KeptRevisions, cluster.HistoryType),
		Args: atMostOneArg("workspace"),
		RunE: func(cmd *cobra.Command, args []string) error { return a.history(cmd.Context(), f, args) },
	}
	f.add(cmd)
	cmd.Flags().StringVarP(&f.output, "output", "o", "text", "text or json")
	cmd.Flags().StringVar(&f.name, "name", "", "instead of a workspace: the name that `apply -f --name` was given")
	flagValues(cmd, "output", "text", "json")
	return cmd
}

func (a *app) history(ctx context.Context, f *historyFlags, args []string) error {
	if err := output(f.output, "text", "json"); err != nil {
		return err
	}
	c, name, err := a.workspaceClient(ctx, &f.clusterFlags, f.name, args)
	if err != nil {
		return err
	}
	all, err := c.History(ctx, name)
	if err != nil {
		return clusterError(err)
	}
	if f.output == "json" {
		return outsideOrNil(writeJSON(a, printed.History{APIVersion: printed.APIVersion, Workspace: name, Namespace: c.Namespace, Revisions: all}))
	}
	if len(all) == 0 {
		fmt.Fprintf(a.Err, "workspace %s was never applied to namespace %s\n", name, c.Namespace)
		return nil
	}
	w := tabwriter.NewWriter(a.Out, 0, 0, 3, ' ', 0)
	fmt.Fprintln(w, "REVISION\tAPPLIED\tOBJECTS\tBY\tNOTE")
	for _, r := range all {
		current := ""
		if r.Current {
			current = " (current)"
		}
		fmt.Fprintf(w, "%d%s\t%s\t%d\t%s\t%s\n", r.Number, current, r.Applied.Local().Format(time.DateTime), r.Objects, r.By, r.Note)
	}
	return outsideOrNil(w.Flush())
}

func newUndo(a *app) *cobra.Command {
	f := &applyFlags{}
	dryRun := false
	cmd := &cobra.Command{
		Use:   "undo [REVISION]",
		Short: "Apply an earlier state again",
		Long: `Undo brings back a state that was applied before: by default the one before the current. It shows what would
change and asks, then applies as apply does, and that is a revision of its own. A running canary or shift ends.
The workspace's files stay as they are. Values of Secrets come back only where they were applied with
--history-secrets; others stay as they are in the cluster.`,
		Example: `  meshstorm history
  meshstorm undo          # the state before
  meshstorm undo 3 --dry-run`,
		Args: atMostOneArg("revision"),
		RunE: func(cmd *cobra.Command, args []string) error { return a.undo(cmd.Context(), f, args, dryRun) },
	}
	f.add(cmd)
	cmd.Flags().StringVar(&f.name, "name", "", "instead of a workspace: the name that `apply -f --name` was given")
	cmd.Flags().BoolVar(&f.force, "force-conflicts", false, "take over fields that other managers applied")
	cmd.Flags().StringSliceVar(&f.replace, "replace", nil, "Deployments to make anew where the live one selects other pods")
	cmd.Flags().BoolVar(&dryRun, "dry-run", false, "only show what would change; exit code 1 says that something would")
	return cmd
}

func (a *app) undo(ctx context.Context, f *applyFlags, args []string, dryRun bool) error {
	number := 0
	if len(args) > 0 {
		n, err := strconv.Atoi(args[0])
		if err != nil || n < 1 {
			return usage("revision %q: expected a number of `meshstorm history`", args[0])
		}
		number = n
	}
	if err := output(f.output, "text", "json"); err != nil {
		return err
	}
	c, name, err := a.workspaceClient(ctx, &f.clusterFlags, f.name, nil)
	if err != nil {
		return err
	}
	within, hold, err := a.take(ctx, c, name, f.lockWait)
	if err != nil {
		return err
	}
	defer hold.Release()
	plan, rev, err := a.planUndo(within, c, name, number, f)
	if err != nil {
		return err
	}
	if !plan.Differs() {
		fmt.Fprintf(a.Err, "the cluster is as revision %d was\n", rev.Number)
		return a.nothing(f.output, plan)
	}
	if f.output != "json" || dryRun {
		format := "unified"
		if f.output == "json" {
			format = "json"
		}
		if err := a.showDiff(&plan.ChangeSet, format); dryRun || err != nil && err.Error() != "" {
			return err
		}
	}
	if problems := plan.Problems(); len(problems) > 0 {
		writeFields(a.Err, &cluster.ChangeSet{Changes: problems})
		hint := "nothing was changed"
		if contested(problems) {
			hint += "; --force-conflicts takes over fields of other managers"
		}
		return &exit{ExitNo, errors.New(hint)}
	}
	end, err := a.ending(within, c, plan)
	if err != nil {
		return err
	}
	if err := a.confirm(f.yes, "--yes", fmt.Sprintf("Go back to revision %d of %s?", rev.Number, rev.Applied.Local().Format(time.DateTime))); err != nil {
		return err
	}
	if err := end(within, "`meshstorm undo` went back to an earlier state"); err != nil {
		return err
	}
	f.note = fmt.Sprintf("undo to %d", rev.Number)
	return a.carryOut(within, c, plan, f)
}

func (a *app) planUndo(ctx context.Context, c *cluster.Client, name string, number int, f *applyFlags) (*cluster.Plan, cluster.Revision, error) {
	objects, rev, alone, err := c.Restore(ctx, name, number)
	if err != nil {
		return nil, rev, clusterError(err)
	}
	for _, id := range alone {
		fmt.Fprintf(a.Err, "%s stays as it is: the history has no values of Secrets (apply --history-secrets keeps them)\n", id)
	}
	plan, err := c.Plan(ctx, cluster.Request{
		Workspace: name, Objects: objects, Force: f.force, Adopt: true, Replace: f.replace, Prune: true, PruneKept: true, Spare: alone, TakeWeights: true,
	})
	return plan, rev, clusterError(err)
}
