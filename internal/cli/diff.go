package cli

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/meshstorm/meshstorm/cluster"
)

type diffFlags struct {
	applyFlags
	format string
}

func newDiff(a *app) *cobra.Command {
	f := &diffFlags{}
	cmd := &cobra.Command{
		Use:   "diff [DIR]",
		Short: "Show what apply would change in the cluster",
		Long: `Diff asks the API server, by dry runs, what applying the workspace would change, and shows only that: no
defaults, no status, Secrets masked. It names the field managers whose fields apply would take over.
Exit code 1 says that there are differences.`,
		Example: `  meshstorm diff                # as a patch
  meshstorm diff -o fields      # field by field, with their owners
  meshstorm diff -o json`,
		Args: atMostOneArg("workspace"),
		RunE: func(cmd *cobra.Command, args []string) error { return a.diff(cmd.Context(), f, args) },
	}
	f.clusterFlags.add(cmd)
	f.addRequest(cmd)
	cmd.Flags().StringVarP(&f.format, "output", "o", "unified", "unified, fields or json")
	flagValues(cmd, "output", "unified", "fields", "json")
	return cmd
}

func (a *app) diff(ctx context.Context, f *diffFlags, args []string) error {
	if err := output(f.format, "unified", "fields", "json"); err != nil {
		return err
	}
	want, err := a.wanted(ctx, args, f.files)
	if err != nil {
		return err
	}
	c, err := a.connectFor(&f.clusterFlags, want)
	if err != nil {
		return err
	}
	request := f.request(want)
	request.Full = true
	plan, err := c.Plan(ctx, request)
	if err != nil {
		return clusterError(err)
	}
	return a.showDiff(&plan.ChangeSet, f.format)
}

func (a *app) showDiff(set *cluster.ChangeSet, format string) error {
	var err error
	switch format {
	case "json":
		err = writeJSON(a, set)
	case "fields":
		writeFields(a.Out, set)
	default:
		err = writeUnified(a.Out, set, a.color())
	}
	if err != nil {
		return outside(err)
	}
	if format != "json" {
		fmt.Fprintln(a.Err, counts(set))
	}
	if set.Differs() {
		return no()
	}
	return nil
}
