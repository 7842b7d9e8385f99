package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/meshstorm/meshstorm/cluster"
	"github.com/meshstorm/meshstorm/cluster/installation"
)

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
	if f.o.Remove && (f.o.Ambient || f.o.Revision != "") || f.o.Ambient && f.o.Revision != "" {
		return usage("--revision, --ambient and --remove exclude each other")
	}
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
	show := a.progress()
	err = installation.Restart(ctx, c, done.Restart, time.Now(), f.timeout, func(r cluster.Readiness) {
		show.Event(cluster.Event{Stage: "restart", Object: r.Object, State: map[bool]string{true: "ready", false: "waiting"}[r.Ready], Message: r.Message})
	})
	show.End()
	return clusterError(err)
}
