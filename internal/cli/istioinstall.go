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
)

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
	if leaving := installation.Leaving(plan); len(leaving) > 0 {
		fmt.Fprintf(a.Err, "note: profile %s has no %s: what an earlier profile brought is removed, and Gateways that select a removed gateway serve nothing\n",
			f.profile, strings.Join(leaving, ", "))
	}
	if f.dryRun {
		writeFields(a.Out, &plan.ChangeSet)
		fmt.Fprintln(a.Err, counts(&plan.ChangeSet))
		return nil
	}
	return a.istioApply(ctx, c, f, plan)
}

// istioApply carries out what was planned, after it was agreed to.
func (a *app) istioApply(ctx context.Context, c *cluster.Client, f *istioInstallFlags, plan *cluster.Plan) error {
	differs := plan.Differs()
	if differs {
		if err := a.confirm(f.yes, "--yes", fmt.Sprintf("Install Istio %s, profile %s, into %s (%s)?", f.tag, f.profile, c.Server(), counts(&plan.ChangeSet))); err != nil {
			return err
		}
	}
	show := a.progress()
	_, err := installation.Install(ctx, c, plan, cluster.ApplyOptions{Wait: true, Timeout: f.timeout, Progress: show.Event})
	show.End()
	if err != nil {
		return clusterError(err)
	}
	if !differs {
		fmt.Fprintf(a.Out, "Istio %s, profile %s, is installed already: nothing to change\n", f.tag, f.profile)
		return nil
	}
	fmt.Fprintf(a.Out, "Istio %s, profile %s, is installed; `meshstorm istio label NAMESPACE%s` puts a namespace into the mesh\n", f.tag, f.profile, labelFlags(f))
	return nil
}

// labelFlags are those with which `istio label` chooses this installation.
func labelFlags(f *istioInstallFlags) string {
	switch {
	case f.profile == "ambient":
		return " --ambient"
	case f.revision != "" && f.revision != "default":
		return " --revision " + f.revision
	}
	return ""
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
