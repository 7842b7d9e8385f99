package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/meshstorm/meshstorm/cluster/capture"
	"github.com/meshstorm/meshstorm/workspace"
)

type importFlags struct {
	clusterFlags
	files     []string
	dryRun    bool
	theirs    bool
	nodePorts bool
	output    string
}

func newImport(a *app) *cobra.Command {
	f := &importFlags{}
	cmd := &cobra.Command{
		Use:   "import [DIR]",
		Short: "Take what runs in a namespace, or stands in YAML, into a workspace",
		Long: `Import reads the objects of a namespace, or YAML with -f. Where DIR is a workspace, what
runs otherwise than its files say is edited into the files, as a person would do it, and
objects that it does not have go to kubernetes/imported/. A value that a person changed is
not overwritten: it is reported as a conflict (exit code 1), and --theirs takes what runs.

Where DIR is new or empty, a workspace is made. If meshstorm applied these objects, the
model comes from the ConfigMaps that it keeps; else bounded contexts are derived from
Services with workloads, and paths, weights, images and replicas from what runs. What the
model cannot say stays in the YAML, and the report lists what it does not know.

Values of Secrets are never read or written. Nothing is changed in the cluster.`,
		Example: `  meshstorm import shop -n shop               # a workspace of what runs in namespace shop
  meshstorm import                            # what runs, into the workspace around this folder
  meshstorm import --dry-run -o json          # only say what would happen
  meshstorm import shop -f manifests/         # of YAML files instead of a cluster
  kubectl get deploy,svc,vs,dr,gw -o yaml | meshstorm import shop -f -`,
		Args:              atMostOneArg("DIR"),
		ValidArgsFunction: folders,
		RunE:              func(cmd *cobra.Command, args []string) error { return a.runImport(cmd.Context(), f, args) },
	}
	f.add(cmd)
	cmd.Flags().StringArrayVarP(&f.files, "filename", "f", nil, "YAML file, folder or - to read instead of a cluster; can be repeated")
	cmd.Flags().BoolVar(&f.dryRun, "dry-run", false, "write nothing")
	cmd.Flags().BoolVar(&f.theirs, "theirs", false, "where a person changed a value in the files, take what runs all the same")
	cmd.Flags().BoolVar(&f.nodePorts, "node-ports", false, "keep the node ports of Services, which the cluster may have chosen")
	cmd.Flags().StringVarP(&f.output, "output", "o", "text", "text or json")
	flagValues(cmd, "output", "text", "json")
	return cmd
}

func (a *app) runImport(ctx context.Context, f *importFlags, args []string) error {
	if err := output(f.output, "text", "json"); err != nil {
		return err
	}
	if err := a.enter(); err != nil {
		return err
	}
	dir, root, err := a.importTarget(args)
	if err != nil {
		return err
	}
	o := capture.Options{Theirs: f.theirs, NodePorts: f.nodePorts, Getenv: a.Getenv}
	var r *capture.Result
	if root == "" {
		r, err = a.importNew(ctx, f, o, dir)
	} else {
		r, err = a.importInto(ctx, f, o, root)
	}
	if err != nil {
		return classify(err)
	}
	if f.output == "json" {
		err = writeJSON(a, r)
	} else {
		err = a.reportImport(r, dir, f.dryRun)
	}
	if err != nil {
		return outside(err)
	}
	if n := r.Conflicts(); n > 0 {
		fmt.Fprintf(a.Err, "%s: a person changed these values, so the files' stand. --theirs takes what runs.\n", plural(n, "conflict"))
		return no()
	}
	return nil
}

// importTarget finds the workspace that is meant, or the folder for a new one;
// then root is "".
func (a *app) importTarget(args []string) (dir, root string, err error) {
	dir = "."
	if len(args) > 0 {
		dir = args[0]
		if a.entered != "" && !workspace.Is(dir) && workspace.Is(".") {
			return "", "", usage("name the workspace once: as an argument or with -C")
		}
	}
	entries, err := os.ReadDir(dir)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return dir, "", nil
	case err != nil:
		return "", "", outside(err)
	}
	empty := !slices.ContainsFunc(entries, func(e os.DirEntry) bool { return e.Name() != ".git" })
	if empty && (len(args) > 0 || a.entered != "") {
		return dir, "", nil
	}
	root, err = workspace.Find(dir)
	if err != nil {
		return "", "", usage("%s holds files but no %s, so it is no workspace; name a workspace, or a new folder to make one of what runs: `meshstorm import shop -n shop`", dir, workspace.ModelFile)
	}
	return dir, root, nil
}

func (a *app) importNew(ctx context.Context, f *importFlags, o capture.Options, dir string) (*capture.Result, error) {
	s, out, err := a.snapshot(ctx, f, "")
	if err != nil {
		return nil, err
	}
	r, err := capture.New(ctx, dir, s, o)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	r.Add(out)
	if f.dryRun {
		return r, nil
	}
	return r, r.Write(ctx)
}

func (a *app) importInto(ctx context.Context, f *importFlags, o capture.Options, root string) (*capture.Result, error) {
	if !f.dryRun {
		lock, err := workspace.Lock(root)
		if err != nil {
			return nil, err
		}
		defer lock.Unlock() //nolint:errcheck // the process ends anyway
	}
	w, err := a.open(ctx, root, nil)
	if err != nil {
		return nil, err
	}
	s, out, err := a.snapshot(ctx, f, w.Settings.Namespace)
	if err != nil {
		return nil, err
	}
	r, err := capture.Into(ctx, w, s, o)
	if err != nil {
		return nil, err
	}
	r.Add(out)
	if f.dryRun {
		return r, nil
	}
	return r, r.Write(ctx)
}

// snapshot reads YAML, or the cluster; namespace is the workspace's.
func (a *app) snapshot(ctx context.Context, f *importFlags, namespace string) (*capture.Snapshot, []capture.Outcome, error) {
	if len(f.files) == 0 {
		c, err := f.connect(namespace)
		if err != nil {
			return nil, nil, err
		}
		fmt.Fprintf(a.Err, "reading namespace %s of %s\n", c.Namespace, c.Server())
		s, err := capture.Read(ctx, c)
		if err != nil && !errors.Is(err, context.Canceled) {
			err = outside(err)
		}
		return s, nil, err
	}
	in, err := a.filesInput(f.files)
	if err != nil {
		return nil, nil, err
	}
	if len(in.Errors) > 0 {
		return nil, nil, &exit{ExitUsage, errors.Join(in.Errors...)}
	}
	if f.namespace != "" {
		namespace = f.namespace
	}
	return capture.FromDocuments(in.Documents, namespace)
}

// Headings of the report, in its order.
var importFates = []struct {
	fate    capture.Fate
	heading string
}{
	{capture.AsModel, "said by the model and the settings"},
	{capture.Same, "the files say the same"},
	{capture.Stands, "otherwise in the files, by a person's edit that stands"},
	{capture.AsEdit, "edited in the files"},
	{capture.AsFile, "not of the model, in files of their own"},
	{capture.NotRunning, "generated, but not running: taken out of the files"},
	{capture.OnlyInFiles, "in the files only"},
	{capture.LeftOut, "left out"},
}

func (a *app) reportImport(r *capture.Result, dir string, dryRun bool) error {
	if r.Created {
		fmt.Fprintf(a.Out, "%s: a workspace of namespace %s with %s, %s\n", dir, r.Namespace, plural(len(r.Services), "bounded context"), r.Model)
		a.reportServices(r)
	} else {
		fmt.Fprintf(a.Out, "namespace %s into %s: %s\n", r.Namespace, cmp.Or(a.entered, fromHere(r.Root)), plural(len(r.Files), "changed file"))
	}
	for _, section := range importFates {
		a.reportFate(r, section.fate, section.heading)
	}
	for _, o := range r.Objects {
		for _, c := range o.Conflicts {
			fmt.Fprintf(a.Err, "%s: conflict in %s/%s %s: yours stands: %s; running: %s\n", o.File, o.Kind, o.Name, c.Field, shortValue(c.Files), shortValue(c.Live))
		}
	}
	if len(r.Gaps) > 0 {
		fmt.Fprintln(a.Out, "\nwhat the model does not know:")
		for _, g := range r.Gaps {
			fmt.Fprintf(a.Out, "  %s: %s\n", g.About, g.Text)
		}
	}
	for _, k := range r.Skipped {
		fmt.Fprintf(a.Err, "skipped %s: %s\n", k.Kind, k.Reason)
	}
	if dryRun {
		_, err := fmt.Fprintln(a.Out, "\ndry run: nothing was written")
		return err
	}
	next := "meshstorm check"
	if r.Created {
		next += " " + shellQuote(dir)
	} else if a.entered != "" {
		next += " " + shellQuote(a.entered)
	}
	_, err := fmt.Fprintf(a.Out, "\nnext: %s\n", next)
	return err
}

func (a *app) reportServices(r *capture.Result) {
	width := 0
	for _, s := range r.Services {
		width = max(width, len(s.Name))
	}
	for _, s := range r.Services {
		parts := []string{"no path is known"}
		if len(s.Paths) > 0 {
			parts[0] = s.PathPrefix + strings.Join(s.Paths, " "+s.PathPrefix)
		}
		if len(s.Paths) > 0 && !s.Exposed {
			parts = append(parts, "inside the mesh only")
		}
		if s.Weights != nil {
			parts = append(parts, fmt.Sprintf("stable %d canary %d", s.Weights["stable"], s.Weights["canary"]))
		}
		if s.Replicas != 1 {
			parts = append(parts, plural(int(s.Replicas), "replica"))
		}
		fmt.Fprintf(a.Out, "  %-*s  %s\n", width, s.Name, strings.Join(append(parts, s.Image), ", "))
	}
}

func (a *app) reportFate(r *capture.Result, fate capture.Fate, heading string) {
	var list []capture.Outcome
	for _, o := range r.Objects {
		if o.Fate == fate {
			list = append(list, o)
		}
	}
	if len(list) == 0 {
		return
	}
	fmt.Fprintf(a.Out, "\n%s (%d):\n", heading, len(list))
	if fate == capture.AsModel || fate == capture.Same { // nothing to say of each
		fmt.Fprintf(a.Out, "  %s\n", kindCounts(list))
		return
	}
	for _, o := range list {
		line := "  " + o.Kind + "/" + o.Name
		if o.Namespace != "" && o.Namespace != r.Namespace {
			line += " of namespace " + o.Namespace
		}
		if fate == capture.AsFile {
			line += " → " + o.File
		}
		if o.Why != "" {
			line += ": " + o.Why
		}
		fmt.Fprintln(a.Out, line)
		for i, c := range o.Fields {
			const most = 5 // of a new workspace nobody knows the generated values yet
			if r.Created && i == most && len(o.Fields) > most+1 {
				fmt.Fprintf(a.Out, "    … and %s, which -o json lists\n", plural(len(o.Fields)-most, "field"))
				break
			}
			fmt.Fprintf(a.Out, "    %s: %s → %s\n", c.Field, shortValue(c.Files), shortValue(c.Live))
		}
	}
}

// kindCounts is "3 Deployments, 1 Gateway".
func kindCounts(list []capture.Outcome) string {
	var parts []string
	for i := 0; i < len(list); {
		n := i
		for n < len(list) && list[n].Kind == list[i].Kind {
			n++
		}
		parts = append(parts, plural(n-i, list[i].Kind))
		i = n
	}
	return strings.Join(parts, ", ")
}

// shortValue is a value on a line: long ones are cut.
func shortValue(v string) string {
	const most = 80
	if v == "" {
		return "(nothing)"
	}
	if runes := []rune(v); len(runes) > most {
		return string(runes[:most-1]) + "…"
	}
	return v
}
