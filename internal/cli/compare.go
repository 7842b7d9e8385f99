package cli

import (
	"context"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/meshstorm/meshstorm/check"
	"github.com/meshstorm/meshstorm/compare"
	"github.com/meshstorm/meshstorm/internal/revision"
	"github.com/meshstorm/meshstorm/workspace"
)

type compareFlags struct {
	profile string
	output  string
}

func newCompare(a *app) *cobra.Command {
	f := &compareFlags{}
	cmd := &cobra.Command{
		Use:   "compare A B",
		Short: "Name the requests that two sets of manifests treat differently",
		Long: `Compare finds the requests whose treatment differs between two workspaces, folders,
files or git revisions: one request of each kind, with what happened to it before and
what happens after. It does not try requests at random: the conditions of both sides
are cut into the pieces that matter, so "unchanged" is a proof; where a condition is
beyond that, the answer says "not proved".

git:REV is the folder of the other side as it was at that revision, git:REV:PATH a
folder of the repository. The exit code is 0 where it is proved that nothing changes,
else 1.`,
		Example: `  meshstorm compare git:HEAD .               # what your edits change
  meshstorm compare git:v1.0:deploy git:HEAD:deploy
  meshstorm compare old.yaml new.yaml -o json`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 2 {
				return usage("expected two sides, such as `meshstorm compare git:HEAD .`")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error { return a.compare(cmd.Context(), f, args[0], args[1]) },
	}
	cmd.Flags().StringVar(&f.profile, "profile", "", "Istio's installation profile to assume; default: istioProfile of the settings, else demo")
	cmd.Flags().StringVarP(&f.output, "output", "o", "text", "text or json")
	return cmd
}

func (a *app) compare(ctx context.Context, f *compareFlags, nameA, nameB string) error {
	if err := output(f.output, "text", "json"); err != nil {
		return err
	}
	if a.dir != "" {
		if err := os.Chdir(a.dir); err != nil {
			return usage("-C %s: %v", a.dir, err)
		}
		a.dir = ""
	}
	before, err := a.side(ctx, f, nameA, nameB)
	if err != nil {
		return err
	}
	defer before.Close()
	after, err := a.side(ctx, f, nameB, nameA)
	if err != nil {
		return err
	}
	defer after.Close()
	report, err := compare.Run(ctx, before.Mesh, after.Mesh, compare.Options{NameA: nameA, NameB: nameB})
	if err != nil {
		return classify(err)
	}
	if f.output == "json" {
		err = writeJSON(a, report)
	} else {
		err = compare.WriteText(a.Out, report)
	}
	if err != nil {
		return outside(err)
	}
	for _, m := range []*mesh{before, after} {
		if err := m.errPartly(); err != nil {
			return err
		}
	}
	if !report.Same() {
		return no()
	}
	return nil
}

// side makes the mesh of one side. A revision without a path is the other
// side's folder as it was then.
func (a *app) side(ctx context.Context, f *compareFlags, name, other string) (*mesh, error) {
	if !strings.HasPrefix(name, revision.Prefix) {
		in, err := a.sideInput(ctx, name)
		if err != nil {
			return nil, err
		}
		return a.simulate(ctx, in, f.profile)
	}
	dir := "."
	if info, err := os.Stat(other); err == nil && info.IsDir() {
		dir = other
	}
	tmp, err := revision.Checkout(ctx, name, dir)
	if err != nil {
		return nil, classify(err)
	}
	defer os.RemoveAll(tmp)
	in, err := a.sideInput(ctx, tmp)
	if err != nil {
		return nil, err
	}
	for _, d := range in.Documents { // as the reader knows them, not where they were put
		d.Path = name + ":" + strings.TrimPrefix(strings.TrimPrefix(d.Path, tmp), "/")
	}
	return a.simulate(ctx, in, f.profile)
}

func (a *app) sideInput(ctx context.Context, name string) (*check.Input, error) {
	if workspace.Is(name) {
		return a.checkInput(ctx, []string{name})
	}
	in, err := workspace.FilesInput([]string{name})
	return in, classify(err)
}
