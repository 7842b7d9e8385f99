package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/meshstorm/meshstorm/cluster"
	"github.com/meshstorm/meshstorm/cluster/installation"
	"github.com/meshstorm/meshstorm/cluster/installation/charts"
	"github.com/meshstorm/meshstorm/internal/printed"
	"github.com/meshstorm/meshstorm/internal/terminal"
	"github.com/meshstorm/meshstorm/workspace"
)

func newIstio(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "istio",
		Short: "Say which Istio a cluster has, and install or remove one",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usage("there is no command %q; expected status, install, uninstall or label", "istio "+args[0])
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newIstioStatus(a), newIstioInstall(a), newIstioUninstall(a), newIstioLabel(a))
	return cmd
}

type istioStatusFlags struct {
	clusterFlags
	output string
}

func newIstioStatus(a *app) *cobra.Command {
	f := &istioStatusFlags{}
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Show the control planes, gateways and namespaces, and what a workspace lacks",
		Long:  "Status shows which Istio the cluster has. In a workspace it also says what its objects lack; exit code 1 says that they lack something.",
		Args:  noArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return a.istioStatus(cmd.Context(), f) },
	}
	f.add(cmd)
	cmd.Flags().StringVarP(&f.output, "output", "o", "text", "text or json")
	flagValues(cmd, "output", "text", "json")
	return cmd
}

func (a *app) istioStatus(ctx context.Context, f *istioStatusFlags) error {
	if err := output(f.output, "text", "json"); err != nil {
		return err
	}
	objects, namespace := a.objectsHere(ctx)
	c, err := f.connect(namespace)
	if err != nil {
		return err
	}
	report, err := installation.Found(ctx, c)
	if err != nil {
		return clusterError(err)
	}
	gaps := report.Missing(c.Namespace, objects)
	if f.output == "json" {
		if err := writeJSON(a, printed.Istio{APIVersion: printed.APIVersion, Report: report, Missing: gaps}); err != nil {
			return outside(err)
		}
	} else {
		a.showIstio(report)
		for _, g := range gaps {
			fmt.Fprintf(a.Out, "missing: %s\n         %s\n", g.What, g.Fix)
		}
	}
	for _, g := range gaps {
		if !g.Warning {
			return no()
		}
	}
	return nil
}

// objectsHere are those of the workspace around this folder; none without one.
func (a *app) objectsHere(ctx context.Context) ([]*unstructured.Unstructured, string) {
	dir := a.dir
	if dir == "" {
		dir = "."
	}
	if _, err := workspace.Find(dir); err != nil {
		return nil, ""
	}
	want, err := a.wanted(ctx, nil, nil)
	if err != nil {
		return nil, ""
	}
	var all []*unstructured.Unstructured
	for i := range want.objects {
		all = append(all, want.objects[i].Unstructured)
	}
	return all, want.workspace.Settings.Namespace
}

func (a *app) showIstio(r *installation.Report) {
	fmt.Fprintf(a.Out, "Kubernetes %s\n", r.Kubernetes)
	if len(r.ControlPlanes) == 0 {
		fmt.Fprintln(a.Out, "no Istio")
	}
	t := &table{head: []string{"CONTROL-PLANE", "REVISION", "VERSION", "PROFILE", "MODE", "READY", "INSTALLED-BY"}}
	for _, p := range r.ControlPlanes {
		t.rows = append(t.rows, []string{p.Namespace + "/" + p.Name, p.Revision, orNone(p.Version), p.Profile, p.Mode, fmt.Sprintf("%d/%d", p.Ready, p.Wanted), p.By})
		if p.Support == installation.Unsupported {
			fmt.Fprintf(a.Err, "warning: Istio %s is made for Kubernetes %s\n", p.Version, p.Range)
		}
	}
	a.printTable(t)
	t = &table{head: []string{"GATEWAY", "LABELS", "READY", "SERVICE", "REACHED"}}
	for _, g := range r.Gateways {
		for _, s := range g.Services {
			t.rows = append(t.rows, []string{g.Namespace + "/" + g.Name, labelList(g.Labels), fmt.Sprintf("%d/%d", g.Ready, g.Wanted), s.Name + " (" + s.Type + ")", orNone(s.Reached())})
		}
	}
	a.printTable(t)
	t = &table{head: []string{"NAMESPACE", "MODE", "REVISION"}}
	for _, n := range r.Namespaces {
		t.rows = append(t.rows, []string{n.Name, n.Mode, orNone(n.Revision)})
	}
	a.printTable(t)
	for _, u := range r.Unseen {
		fmt.Fprintf(a.Err, "note: %s may not be read with these credentials\n", u)
	}
}

func labelList(labels map[string]string) string {
	for _, key := range []string{"istio", "app"} {
		if v := labels[key]; v != "" {
			return key + "=" + v
		}
	}
	return none
}

func (a *app) printTable(t *table) {
	if len(t.rows) == 0 {
		return
	}
	fmt.Fprintln(a.Out)
	_ = t.write(a.Out) // a failed write shows at the end, by the latch
}

type istioInstallFlags struct {
	clusterFlags
	profile, revision, hub, tag string
	sets                        []string
	output                      string
	dryRun, adopt, yes          bool
	timeout                     time.Duration
}

func (f *istioInstallFlags) addProfile(cmd *cobra.Command) {
	f.add(cmd)
	flags := cmd.Flags()
	flags.StringVar(&f.profile, "profile", "demo", strings.Join(charts.Profiles, ", "))
	flags.StringVar(&f.revision, "revision", "", "revision of the control plane; default: the default one")
	flags.StringVar(&f.hub, "hub", installation.Hub, "registry and path of the images")
	flags.StringVar(&f.tag, "tag", installation.Tag, "tag of the images")
	flags.StringArrayVar(&f.sets, "set", nil, "KEY=VALUE as istioctl's --set; may be repeated")
	flags.BoolVar(&f.adopt, "adopt", false, "take over an installation that others made")
	flags.BoolVarP(&f.yes, "yes", "y", false, "say yes to all questions")
	flags.BoolVar(&f.dryRun, "dry-run", false, "only say what would be done; with -o yaml print the manifests")
	flags.StringVarP(&f.output, "output", "o", "text", "text or yaml")
	flags.DurationVar(&f.timeout, "timeout", 5*time.Minute, "longest wait for workloads, or for objects to go")
	flagValues(cmd, "profile", charts.Profiles...)
	flagValues(cmd, "output", "text", "yaml")
}

func (f *istioInstallFlags) request() (installation.Request, error) {
	objects, err := charts.Render(charts.Options{Profile: f.profile, Sets: f.sets, Hub: f.hub, Tag: f.tag, Revision: f.revision})
	if err != nil {
		return installation.Request{}, &exit{ExitUsage, err}
	}
	return installation.Request{Revision: f.revision, Version: f.tag, Adopt: f.adopt, Objects: objects}, nil
}

func newIstioInstall(a *app) *cobra.Command {
	f := &istioInstallFlags{}
	cmd := &cobra.Command{
		Use:   "install",
		Short: "Install a profile of Istio from the charts in this program",
		Long: `Install applies Istio's own charts, which are embedded in this program, by server-side apply as field manager
"meshstorm-istio", waits until everything is ready, and sets the webhooks last. Again it changes nothing. It
refuses a Kubernetes that this Istio is not made for, a jump of more than one minor version, and an installation
that others made (--adopt takes it over).`,
		Example: `  meshstorm istio install                     # the demo profile
  meshstorm istio install --profile minimal --set meshConfig.accessLogFile=/dev/stdout
  meshstorm istio install --dry-run -o yaml   # the manifests`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.istioInstall(cmd.Context(), f) },
	}
	f.addProfile(cmd)
	return cmd
}

func (a *app) istioInstall(ctx context.Context, f *istioInstallFlags) error {
	if err := output(f.output, "text", "yaml"); err != nil {
		return err
	}
	q, err := f.request()
	if err != nil {
		return err
	}
	if f.dryRun && f.output == "yaml" {
		return a.printYAML(q.Objects)
	}
	c, err := f.connect("")
	if err != nil {
		return err
	}
	report, err := installation.Found(ctx, c)
	if err != nil {
		return clusterError(err)
	}
	if err := installation.Fits(report, q); err != nil {
		return &exit{ExitNo, err}
	}
	plan, err := installation.PlanInstall(ctx, c, q)
	if err != nil {
		return clusterError(err)
	}
	if problems := plan.Problems(); len(problems) > 0 {
		writeFields(a.Err, &cluster.ChangeSet{Changes: problems})
		return &exit{ExitNo, errors.New("nothing was installed; --adopt takes over what others made")}
	}
	if f.dryRun {
		writeFields(a.Out, &plan.ChangeSet)
		fmt.Fprintln(a.Err, counts(&plan.ChangeSet))
		return nil
	}
	if plan.Differs() {
		if err := a.confirm(f.yes, "--yes", fmt.Sprintf("Install Istio %s, profile %s, into %s (%s)?", f.tag, f.profile, c.Server(), counts(&plan.ChangeSet))); err != nil {
			return err
		}
	}
	show := terminal.NewProgress(a.Err, a.Getenv)
	set, err := installation.Install(ctx, c, plan, cluster.ApplyOptions{Wait: true, Timeout: f.timeout, Progress: show.Event})
	show.End()
	if err != nil {
		return clusterError(err)
	}
	if set.Count(cluster.Unchanged) == len(set.Changes) {
		fmt.Fprintf(a.Out, "Istio %s, profile %s, is installed already: nothing to change\n", f.tag, f.profile)
		return nil
	}
	fmt.Fprintf(a.Out, "Istio %s, profile %s, is installed; `meshstorm istio label NAMESPACE` puts a namespace into the mesh\n", f.tag, f.profile)
	return nil
}

func (a *app) printYAML(objects []*unstructured.Unstructured) error {
	for _, o := range objects {
		text, err := yaml.Marshal(o.Object)
		if err != nil {
			return err
		}
		if _, err := fmt.Fprintf(a.Out, "---\n%s", text); err != nil {
			return outside(err)
		}
	}
	return nil
}

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
	if left := report.Left(); len(left) > 0 {
		fmt.Fprintf(a.Err, "note: in the mesh are %s: their pods keep proxies that nobody configures any more, and new pods cannot be made while the namespace is labelled (`meshstorm istio label NAMESPACE --remove`)\n", someOf(left, 8))
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
	if errors.Is(err, installation.ErrForeign) {
		return &exit{ExitNo, err}
	}
	if err != nil {
		return clusterError(err)
	}
	if f.dryRun {
		writeFields(a.Out, &plan.ChangeSet)
		return nil
	}
	question := fmt.Sprintf("Remove %d objects of Istio from %s?", plan.Count(cluster.Delete), c.Server())
	if err := a.confirm(f.yes, "--yes", question); err != nil {
		return err
	}
	show := terminal.NewProgress(a.Err, a.Getenv)
	err = installation.Uninstall(ctx, c, plan, cluster.ApplyOptions{Wait: true, Timeout: f.timeout, Progress: show.Event})
	show.End()
	if err != nil {
		return clusterError(err)
	}
	fmt.Fprintf(a.Out, "%d objects removed; definitions and people's routes stay\n", plan.Count(cluster.Delete))
	return nil
}

type istioLabelFlags struct {
	clusterFlags
	o       installation.LabelOptions
	restart bool
	timeout time.Duration
}

func newIstioLabel(a *app) *cobra.Command {
	f := &istioLabelFlags{}
	cmd := &cobra.Command{
		Use:     "label NAMESPACE",
		Short:   "Put a namespace into the mesh, or take it out",
		Example: "  meshstorm istio label shop\n  meshstorm istio label shop --ambient\n  meshstorm istio label shop --remove --restart",
		Args:    oneArg("NAMESPACE"),
		RunE:    func(cmd *cobra.Command, args []string) error { return a.istioLabel(cmd.Context(), f, args[0]) },
	}
	f.add(cmd)
	flags := cmd.Flags()
	flags.StringVar(&f.o.Revision, "revision", "", "sidecars of this revision or tag")
	flags.BoolVar(&f.o.Ambient, "ambient", false, "the ambient mode, without sidecars")
	flags.BoolVar(&f.o.Remove, "remove", false, "no part of the mesh any more")
	flags.BoolVar(&f.o.DryRun, "dry-run", false, "only say what would be changed")
	flags.BoolVar(&f.restart, "restart", false, "restart the workloads whose pods are not as the labels say")
	flags.DurationVar(&f.timeout, "timeout", 5*time.Minute, "longest wait for restarted workloads")
	return cmd
}

func (a *app) istioLabel(ctx context.Context, f *istioLabelFlags, namespace string) error {
	c, err := f.connect("")
	if err != nil {
		return err
	}
	report, err := installation.Found(ctx, c)
	if err != nil {
		return clusterError(err)
	}
	done, err := installation.Label(ctx, c, report, namespace, f.o)
	if errors.Is(err, installation.ErrNoNamespace) {
		return &exit{ExitNo, err}
	}
	if err != nil {
		return clusterError(err)
	}
	for _, w := range done.Warnings {
		fmt.Fprintln(a.Err, "warning: "+w)
	}
	if !done.Changed {
		fmt.Fprintf(a.Out, "namespace %s has these labels already\n", namespace)
	}
	for key, value := range done.Set {
		if done.Changed {
			fmt.Fprintf(a.Out, "namespace %s: %s=%s\n", namespace, key, value)
		}
	}
	for _, key := range done.Removed {
		fmt.Fprintf(a.Out, "namespace %s: %s removed\n", namespace, key)
	}
	if len(done.Restart) == 0 || f.o.DryRun {
		return nil
	}
	if !f.restart {
		fmt.Fprintf(a.Err, "pods that were made before are not as the labels say; restart them (--restart does it):\n")
		for _, w := range done.Restart {
			fmt.Fprintf(a.Err, "  kubectl -n %s rollout restart %s/%s\n", namespace, strings.ToLower(w.Kind), w.Name)
		}
		return nil
	}
	show := terminal.NewProgress(a.Err, a.Getenv)
	err = installation.Restart(ctx, c, done.Restart, time.Now(), f.timeout, func(r cluster.Readiness) {
		show.Event(cluster.Event{Stage: "restart", Object: r.Object, State: map[bool]string{true: "ready", false: "waiting"}[r.Ready], Message: r.Message})
	})
	show.End()
	return clusterError(err)
}

// someOf names the first of many.
func someOf(names []string, most int) string {
	if len(names) <= most {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
}
