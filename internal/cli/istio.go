package cli

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/meshstorm/meshstorm/cluster/installation"
	"github.com/meshstorm/meshstorm/internal/printed"
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
