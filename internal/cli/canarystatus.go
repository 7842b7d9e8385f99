package cli

import (
	"context"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/meshstorm/meshstorm/cluster/rollout"
	"github.com/meshstorm/meshstorm/internal/printed"
)

func newCanaryStatus(a *app) *cobra.Command {
	f := &canaryFlags{}
	cmd := &cobra.Command{
		Use:   "status [SERVICE]",
		Short: "Tell where a canary is, who carries it on, and what was measured",
		Example: `  meshstorm canary status           # all of the namespace
  meshstorm canary status order
  meshstorm canary status order -o json`,
		Args:              atMostOneArg("SERVICE"),
		ValidArgsFunction: a.completeServices,
		RunE:              func(cmd *cobra.Command, args []string) error { return a.canaryStatus(cmd.Context(), f, args) },
	}
	f.addBasics(cmd)
	cmd.Flags().StringVar(&f.prometheus, "prometheus", "", "address of Prometheus; default: the proxies' own counters are asked")
	return cmd
}

func (a *app) canaryStatus(ctx context.Context, f *canaryFlags, args []string) error {
	if err := output(f.output, "text", "json"); err != nil {
		return err
	}
	w, err := a.maybeWorkspace(ctx)
	if err != nil {
		return err
	}
	e, err := a.rollouts(ctx, f, w)
	if err != nil {
		return err
	}
	if len(args) == 0 {
		return a.allCanaries(ctx, f, e)
	}
	s, err := e.Status(ctx, args[0])
	if err != nil {
		return rolloutError(err)
	}
	if f.output == "json" {
		err = writeJSON(a, printed.Canary{APIVersion: printed.APIVersion, Status: s})
	} else {
		err = writeStatus(a.Out, s, time.Now())
	}
	if err != nil {
		return outside(err)
	}
	return nil
}

func (a *app) allCanaries(ctx context.Context, f *canaryFlags, e *rollout.Engine) error {
	all, err := e.All(ctx)
	if err != nil {
		return rolloutError(err)
	}
	if f.output == "json" {
		err = writeJSON(a, printed.Canaries{APIVersion: printed.APIVersion, Canaries: all})
	} else {
		err = writeCanaries(a.Out, all, e.Client.Namespace, time.Now())
	}
	if err != nil {
		return outside(err)
	}
	return nil
}

func writeCanaries(out io.Writer, all []*rollout.Status, namespace string, now time.Time) error {
	if len(all) == 0 {
		_, err := fmt.Fprintf(out, "no canaries in namespace %s\n", namespace)
		return err
	}
	t := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "SERVICE\tIMAGE\tPHASE\tWEIGHT\tSINCE\tHELD BY")
	for _, s := range all {
		fmt.Fprintf(t, "%s\t%s\t%s\t%d %%\t%s\t%s\n", s.Service, s.Image, phaseText(s.Phase, s.Stage), s.Weight, ago(now, s.Since), holder(s, now))
	}
	return t.Flush()
}

// writeStatus prints one canary: where it is, then what was measured.
func writeStatus(out io.Writer, s *rollout.Status, now time.Time) error {
	t := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	row := func(name, format string, args ...any) { fmt.Fprintf(t, "%s\t%s\n", name, fmt.Sprintf(format, args...)) }
	row("service", "%s in namespace %s", s.Service, s.Namespace)
	row("image", "%s", s.Image)
	row("phase", "%s, since %s", phaseText(s.Phase, s.Stage), ago(now, s.Since))
	row("weight", "%d %%, step %d of %d (%s %%)", s.Weight, s.Step+1, len(s.Steps), steps(s.Steps))
	if !s.Until.IsZero() {
		row("judged", "at %s", s.Until.Local().Format(time.TimeOnly))
	}
	bounds := fmt.Sprintf("errors %.4g %%", s.Bounds.MaxErrorRate*100)
	if d := s.Bounds.MaxP95.Duration; d > 0 {
		bounds += fmt.Sprintf(", p95 %s", d)
	}
	row("bounds", "%s, by at least %d requests", bounds, s.Bounds.MinRequests)
	if s.Reason != "" {
		row("reason", "%s", s.Reason)
	}
	if h := holder(s, now); h != "" {
		row("held by", "%s", h)
	}
	if s.Now != nil {
		row("now", "%s: %s", s.Now.Judgement, s.Now.Reason)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	if len(s.Verdicts) == 0 {
		return nil
	}
	fmt.Fprintln(out)
	t = tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "TIME\tWEIGHT\tVERDICT\tMEASURED")
	for _, v := range s.Verdicts {
		fmt.Fprintf(t, "%s\t%d %%\t%s\t%s\n", v.Time.Local().Format(time.TimeOnly), v.Weight, v.Judgement, v.Reason)
	}
	return t.Flush()
}

func steps(all []int) string {
	var words []string
	for _, s := range all {
		words = append(words, fmt.Sprint(s))
	}
	return strings.Join(words, ", ")
}

func holder(s *rollout.Status, now time.Time) string {
	switch {
	case s.Holder != "":
		return s.Holder
	case !s.Unattended.IsZero():
		return "nobody: unattended since " + ago(now, s.Unattended) + fmt.Sprintf("; `meshstorm canary resume %s`", s.Service)
	}
	return ""
}

// ago is a time of day with how long that is past.
func ago(now, t time.Time) string {
	return fmt.Sprintf("%s (%s)", t.Local().Format(time.TimeOnly), now.Sub(t).Round(time.Second))
}
