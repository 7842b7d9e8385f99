package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/meshstorm/meshstorm/deploy"
	"github.com/meshstorm/meshstorm/manifest"
	"github.com/meshstorm/meshstorm/workspace"
)

type generateFlags struct {
	toppings []string
	dryRun   bool
	output   string
}

func newGenerate(a *app) *cobra.Command {
	f := &generateFlags{}
	cmd := &cobra.Command{
		Use:   "generate [DIR]",
		Short: "Write the Kubernetes and Istio manifests of a model",
		Long: `Generate writes kubernetes/template/*.yml from the model and the settings. What
people changed in these files since the last run is kept: the new objects are
merged into the edited files. Where a person and the model changed the same value,
the person's stands and the conflict is reported (exit code 1).`,
		Example: `  meshstorm generate                       # the workspace around the current folder
  meshstorm generate shop --dry-run        # say what would change
  meshstorm generate --dry-run -o yaml     # show the files as they would be
  meshstorm generate --topping kubernetes  # without the mesh, this once`,
		Args:              atMostOneArg("DIR"),
		ValidArgsFunction: folders,
		RunE:              func(cmd *cobra.Command, args []string) error { return a.generate(cmd.Context(), f, args) },
	}
	cmd.Flags().StringArrayVar(&f.toppings, "topping", nil, "topping to run, may be repeated; overrides the settings for this run")
	cmd.Flags().BoolVar(&f.dryRun, "dry-run", false, "write nothing")
	cmd.Flags().StringVarP(&f.output, "output", "o", "text", "with --dry-run: text, yaml or json")
	flagValues(cmd, "topping", workspace.Toppings().Names()...)
	flagValues(cmd, "output", "text", "yaml", "json")
	return cmd
}

func (a *app) generate(ctx context.Context, f *generateFlags, args []string) error {
	if err := output(f.output, "text", "yaml", "json"); err != nil {
		return err
	}
	if f.output != "text" && !f.dryRun {
		return usage("-o %s shows what would be written, so it needs --dry-run", f.output)
	}
	root, err := a.root(args)
	if err != nil {
		return err
	}
	if !f.dryRun { // one lock around reading, merging and writing: no run works on another's half
		lock, err := workspace.Lock(root)
		if err != nil {
			return classify(err)
		}
		defer lock.Unlock() //nolint:errcheck // the process ends anyway
	}
	w, err := a.open(ctx, root, f.toppings)
	if err != nil {
		return err
	}
	g, err := w.Generate(ctx)
	if err != nil {
		return classify(err)
	}
	if !f.dryRun {
		if err := w.Write(ctx, g); err != nil {
			return classify(err)
		}
	}
	switch f.output {
	case "yaml":
		err = writeYAML(a, g)
	case "json":
		err = writeObjects(a, g)
	default:
		a.reportProblems(w.Intent)
		a.reportGeneration(g, f.dryRun)
	}
	if err != nil {
		return outside(err)
	}
	return a.reportConflicts(g)
}

func writeYAML(a *app, g *workspace.Generation) error {
	for _, file := range g.Files {
		if file.Data == nil {
			continue
		}
		if _, err := fmt.Fprintf(a.Out, "---\n# %s\n%s", file.Path, bytes.TrimPrefix(file.Data, []byte("---\n"))); err != nil {
			return err
		}
	}
	return nil
}

// objectList is generate's JSON: a Kubernetes List, so that kubectl takes it.
type objectList struct {
	APIVersion string            `json:"apiVersion"`
	Kind       string            `json:"kind"`
	Items      []json.RawMessage `json:"items"`
}

func writeObjects(a *app, g *workspace.Generation) error {
	list := objectList{APIVersion: "v1", Kind: "List", Items: []json.RawMessage{}}
	for _, file := range g.Files {
		docs, err := manifest.Parse(file.Path, file.Data)
		if err != nil {
			return err
		}
		for _, d := range docs {
			if d.Node == nil {
				continue
			}
			data, err := d.JSON()
			if err != nil {
				return err
			}
			list.Items = append(list.Items, data)
		}
	}
	enc := json.NewEncoder(a.Out)
	enc.SetIndent("", "  ")
	return enc.Encode(list)
}

// reportProblems tells on stderr what generate worked around; check says the
// same with places and fixes.
func (a *app) reportProblems(m *deploy.Model) {
	const most = 10
	shown := 0
	for _, p := range m.Problems {
		if p.Severity == deploy.SeverityInfo || p.Code == deploy.CodeRegistry {
			continue // nothing that generate must work around
		}
		if shown++; shown <= most {
			fmt.Fprintf(a.Err, "%s %s: %s\n", p.Severity, p.Code, p.Message)
		}
	}
	if shown > most {
		fmt.Fprintf(a.Err, "… and %d more; `meshstorm check` lists them all with fixes\n", shown-most)
	}
}

func (a *app) reportGeneration(g *workspace.Generation, dryRun bool) {
	for _, warning := range g.Warnings {
		fmt.Fprintln(a.Err, "canvas: "+warning)
	}
	width := 0
	for _, f := range g.Files {
		width = max(width, len(f.Path))
	}
	for _, f := range g.Files {
		fmt.Fprintf(a.Out, "%-*s  %s\n", width, f.Path, fileSummary(f))
	}
	if dryRun {
		fmt.Fprintln(a.Out, "dry run: nothing was written")
	}
}

func fileSummary(f workspace.GeneratedFile) string {
	if f.Removed {
		return "removed"
	}
	state := "unchanged"
	if f.Changed {
		var parts []string
		for _, c := range []struct {
			ids  []manifest.ID
			word string
		}{{f.Added, "new"}, {f.Updated, "updated"}, {f.Dropped, "removed"}} {
			if len(c.ids) > 0 {
				parts = append(parts, fmt.Sprintf("%d %s", len(c.ids), c.word))
			}
		}
		state = "written"
		if len(parts) > 0 {
			state = strings.Join(parts, ", ")
		}
	}
	kept := ""
	if len(f.Kept) > 0 {
		kept = fmt.Sprintf(", %d edited or added by you", len(f.Kept))
	}
	return fmt.Sprintf("%s: %s%s", plural(f.Objects, "object"), state, kept)
}

func plural(n int, word string) string {
	if n == 1 {
		return "1 " + word
	}
	return fmt.Sprintf("%d %ss", n, word)
}

func (a *app) reportConflicts(g *workspace.Generation) error {
	conflicts := g.Conflicts()
	for _, c := range conflicts {
		fmt.Fprintf(a.Err, "%s:%d:%d: conflict in %s/%s %s: yours stands: %s; generated: %s\n",
			c.Path, c.Line, c.Column, c.Object.Kind, c.Object.Name, c.Field, orNothing(c.Yours), orNothing(c.Generated))
	}
	if len(conflicts) == 0 {
		return nil
	}
	fmt.Fprintf(a.Err, "%s: you and the model changed the same values; yours are in the files. Edit a value to take the generated one.\n", plural(len(conflicts), "conflict"))
	return no()
}

func orNothing(yaml string) string {
	if yaml = strings.TrimSpace(yaml); yaml == "" {
		return "(nothing)"
	}
	return strings.ReplaceAll(yaml, "\n", "⏎ ")
}
