package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/meshstorm/meshstorm/cluster/rollout"
	"github.com/meshstorm/meshstorm/shift/export"
)

func newCanaryExport(a *app) *cobra.Command {
	f := &canaryStartFlags{}
	to := ""
	cmd := &cobra.Command{
		Use:   "export SERVICE --to argo|flagger",
		Short: "Write a canary's plan for Argo Rollouts or Flagger",
		Long: `Export prints the plan that the flags say, or that of the canary that goes on, as a
Rollout of Argo Rollouts or a Canary of Flagger, with the analysis that belongs to it.
What such an engine does otherwise than meshstorm is said on stderr.`,
		Example: `  meshstorm canary export order --to argo --steps 10,50,100 --prometheus http://prometheus:9090
  meshstorm canary export order --to flagger --max-p95 500ms > canary.yaml`,
		Args:              oneArg("SERVICE"),
		ValidArgsFunction: a.completeServices,
		RunE:              func(cmd *cobra.Command, args []string) error { return a.canaryExport(cmd.Context(), f, args[0], to) },
	}
	f.add(cmd)
	f.addPlan(cmd)
	flags := cmd.Flags()
	flags.StringVar(&f.prometheus, "prometheus", "", "address of the Prometheus that the engine asks")
	flags.StringVarP(&f.output, "output", "o", "yaml", "yaml or json")
	flags.StringVar(&to, "to", "", "argo or flagger")
	flagValues(cmd, "to", "argo", "flagger")
	flagValues(cmd, "output", "yaml", "json")
	return cmd
}

func (a *app) canaryExport(ctx context.Context, f *canaryStartFlags, service, to string) error {
	if err := output(f.output, "yaml", "json"); err != nil {
		return err
	}
	write := map[string]func(export.Plan) ([]*unstructured.Unstructured, []string, error){"argo": export.Argo, "flagger": export.Flagger}[to]
	if write == nil {
		return usage("--to %q: expected argo or flagger", to)
	}
	if f.image == "" {
		f.image = "unused" // the engines take it from the Deployment
	}
	w, err := a.maybeWorkspace(ctx)
	if err != nil {
		return err
	}
	fallback := ""
	if w != nil {
		fallback = w.Settings.Namespace
	}
	c, err := f.connect(fallback)
	if err != nil {
		return err
	}
	plan, err := f.plan(service, c.Namespace)
	if err != nil {
		return err
	}
	described, err := (&rollout.Engine{Client: c}).Export(ctx, plan, f.prometheus)
	if err != nil {
		return rolloutError(err)
	}
	objects, notes, err := write(described)
	if errors.Is(err, export.ErrPlan) {
		return &exit{ExitUsage, err}
	}
	if err != nil {
		return err
	}
	for _, note := range notes {
		fmt.Fprintln(a.Err, "note: "+note)
	}
	if f.output == "json" {
		list := &unstructured.UnstructuredList{Object: map[string]any{"apiVersion": "v1", "kind": "List"}}
		for _, o := range objects {
			list.Items = append(list.Items, *o)
		}
		err = writeJSON(a, list.UnstructuredContent())
	} else {
		err = writeDocuments(a, objects)
	}
	if err != nil {
		return outside(err)
	}
	return nil
}

func writeDocuments(a *app, objects []*unstructured.Unstructured) error {
	for _, o := range objects {
		text, err := yaml.Marshal(o.Object)
		if err != nil {
			return err
		}
		if _, err := fmt.Fprintf(a.Out, "---\n%s", text); err != nil {
			return err
		}
	}
	return nil
}
