package cli

import (
	"context"
	"os"
	"path"
	"path/filepath"
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

git:REV is the folder or file of the other side as it was at that revision,
git:REV:PATH a folder or file of the repository. The exit code is 0 where it is proved that nothing changes,
else 1.`,
		Example: `  meshstorm compare git:HEAD .               # what your edits change
  meshstorm compare git:v1.0:deploy git:HEAD:deploy
  meshstorm compare old.yaml new.yaml -o json
  helm template . | meshstorm compare live.yaml -`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 2 {
				return usage("expected two sides, such as `meshstorm compare git:HEAD .`")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error { return a.compare(cmd.Context(), f, args[0], args[1]) },
	}
	profileFlag(cmd, &f.profile)
	cmd.Flags().StringVarP(&f.output, "output", "o", "text", "text or json")
	flagValues(cmd, "output", "text", "json")
	return cmd
}

func (a *app) compare(ctx context.Context, f *compareFlags, nameA, nameB string) error {
	if err := output(f.output, "text", "json"); err != nil {
		return err
	}
	if err := a.enter(); err != nil {
		return err
	}
	if nameA == stdin && nameB == stdin {
		return usage("standard input can be one side only")
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
	if arguments := a.sideArguments(f, nameA, nameB); arguments != "" {
		for i := range report.Differences {
			if d := &report.Differences[i]; d.Command != "" {
				d.Command += " " + arguments
			}
		}
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
	place := "."
	if _, err := os.Stat(other); err == nil {
		place = other
	}
	tmp, err := revision.Checkout(ctx, name, place)
	if _, _, named := strings.Cut(strings.TrimPrefix(name, revision.Prefix), ":"); err != nil && named && place != "." {
		if here, errHere := revision.Checkout(ctx, name, "."); errHere == nil { // of the repository that we are in
			tmp, err = here, nil
		}
	}
	if err != nil {
		return nil, classify(err)
	}
	defer os.RemoveAll(tmp)
	in, err := a.sideInput(ctx, tmp)
	if err != nil {
		return nil, err
	}
	for _, d := range in.Documents { // as the reader knows them, not where they were put
		d.Path = pathThen(name, place, strings.TrimPrefix(strings.TrimPrefix(d.Path, filepath.ToSlash(tmp)), "/"))
	}
	return a.simulate(ctx, in, f.profile)
}

// pathThen is the path of a file of a revision, where rel is its path below
// what was checked out and place the other side.
func pathThen(name, place, rel string) string {
	_, sub, hasPath := strings.Cut(strings.TrimPrefix(name, revision.Prefix), ":")
	info, err := os.Stat(place)
	switch {
	case hasPath && path.Base(sub) == rel:
		return name
	case hasPath:
		return strings.TrimSuffix(name, "/") + "/" + rel
	case workspace.Is(place):
		return name + ":" + rel
	case err == nil && !info.IsDir():
		return name + ":" + filepath.ToSlash(place)
	}
	return name + ":" + path.Join(filepath.ToSlash(place), rel)
}

// sideArguments make a witness's `meshstorm route` ask the later side, or the
// earlier one where the later is no file.
func (a *app) sideArguments(f *compareFlags, nameA, nameB string) string {
	for _, name := range []string{nameB, nameA} {
		switch {
		case strings.HasPrefix(name, revision.Prefix) || name == stdin:
			continue
		case workspace.Is(name) && a.entered == "":
			return a.arguments(name, nil, f.profile)
		}
		return a.arguments("", []string{name}, f.profile)
	}
	return ""
}

func (a *app) sideInput(ctx context.Context, name string) (*check.Input, error) {
	if workspace.Is(name) {
		return a.checkInput(ctx, []string{name})
	}
	return a.filesInput([]string{name})
}
