package cli

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/meshstorm/meshstorm/cluster/metrics"
	"github.com/meshstorm/meshstorm/cluster/rollout"
	"github.com/meshstorm/meshstorm/internal/printed"
	"github.com/meshstorm/meshstorm/shift"
)

type canaryStartFlags struct {
	canaryFlags
	image, container, strategy  string
	steps                       []int
	every, drain, p95           time.Duration
	errorRate                   string
	minRequests                 int
	header, sticky              string
	mirror                      int
	mirrorUnsafe                bool
	env, canaryEnv, annotations []string
	acceptEvents, pausedGitOps  bool
	forceConflicts, dryRun      bool
}

func newCanaryStart(a *app) *cobra.Command {
	f := &canaryStartFlags{}
	cmd := &cobra.Command{
		Use:   "start SERVICE --image IMAGE",
		Short: "Run a new version beside the present one and give it traffic by steps",
		Long: `Start makes the Deployment SERVICE-canary of SERVICE's with the new image, waits until its
pods are ready and the proxies know them, and then moves the traffic by steps. Each step
is watched and judged: healthy goes on, outside of the bounds goes back by itself (exit
code 1), too few requests prolong the step three times and then pause, and what could not
be measured pauses. After the step of 100 the new version becomes stable.

With --strategy blue-green all traffic goes over at once, after a preview with --header or
--mirror that ends with "canary resume". With --every 0 each step ends so.`,
		Example: `  meshstorm canary start order --image shop/order:v2
  meshstorm canary start order --image shop/order:v2 --steps 10,50,100 --every 5m --max-p95 500ms
  meshstorm canary start order --image shop/order:v2 --header 'x-canary: true' --sticky side
  meshstorm canary start order --image shop/order:v2 --strategy blue-green --mirror 10
  meshstorm canary start order --image shop/order:v2 --dry-run   # say what would be done`,
		Args:              oneArg("SERVICE"),
		ValidArgsFunction: a.completeServices,
		RunE:              func(cmd *cobra.Command, args []string) error { return a.canaryStart(cmd.Context(), f, args[0]) },
	}
	f.addRun(cmd)
	f.addPlan(cmd)
	flags := cmd.Flags()
	flags.BoolVar(&f.acceptEvents, "accept-events", false, "start though the canary will consume events whatever its weight")
	flags.BoolVar(&f.pausedGitOps, "i-paused-gitops", false, "start though a GitOps tool applies the rules: it is paused")
	flags.BoolVar(&f.forceConflicts, "force-conflicts", false, "take routes and pod templates over from other field managers")
	flags.BoolVar(&f.dryRun, "dry-run", false, "check everything and say what would be done; change nothing")
	flags.BoolVarP(&f.yes, "yes", "y", false, "say yes to all questions")
	return cmd
}

// addPlan are the flags that make up a plan.
func (f *canaryStartFlags) addPlan(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&f.image, "image", "", "the new version's image")
	flags.StringVar(&f.container, "container", "", "container whose image it is; default: the one called SERVICE, or the only one")
	flags.StringVar(&f.strategy, "strategy", string(rollout.Canary), "canary or blue-green")
	flags.IntSliceVar(&f.steps, "steps", nil, "shares of the traffic in percent; default: 5,20,50,100")
	flags.DurationVar(&f.every, "every", rollout.DefaultEvery, "how long each step is watched; 0 waits for `canary resume` after each")
	flags.DurationVar(&f.drain, "drain", rollout.DefaultDrain, "how long requests that are under way have before pods go")
	flags.StringVar(&f.errorRate, "max-error-rate", "1%", "largest share of errors, as 1% or 0.01")
	flags.DurationVar(&f.p95, "max-p95", 0, "longest time within which 95 of 100 requests are answered; default: not judged")
	flags.IntVar(&f.minRequests, "min-requests", rollout.DefaultMinRequests, "requests that a step must see to be judged")
	flags.StringVar(&f.header, "header", "", "'NAME: VALUE' of the requests that always go to the canary")
	flags.StringVar(&f.sticky, "sticky", "", "name of a cookie that keeps each client on its side")
	flags.IntVar(&f.mirror, "mirror", 0, "percent of GET and HEAD requests to copy to the canary")
	flags.BoolVar(&f.mirrorUnsafe, "mirror-unsafe", false, "copy commands too, which are then executed and published twice")
	flags.StringArrayVar(&f.annotations, "annotation", nil, "NAME=VALUE for the new version's pods; may be repeated")
	flags.StringArrayVar(&f.env, "env", nil, "NAME=VALUE for the new version's container; may be repeated")
	flags.StringArrayVar(&f.canaryEnv, "canary-env", nil, "NAME=VALUE for the canary only, such as the variable that keeps it from consuming events; may be repeated")
	flagValues(cmd, "strategy", string(rollout.Canary), string(rollout.BlueGreen))
}

// plan makes the plan of the flags.
func (f *canaryStartFlags) plan(service, namespace string) (rollout.Plan, error) {
	p := rollout.Plan{
		Service: service, Namespace: namespace, Strategy: rollout.Strategy(f.strategy), Image: f.image, Container: f.container,
		Steps: f.steps, Every: metav1.Duration{Duration: f.every}, Drain: metav1.Duration{Duration: f.drain},
		Sticky: f.sticky, ForceConflicts: f.forceConflicts, NoWrite: f.noWrite,
	}
	if f.image == "" {
		return p, usage("name the new version with --image")
	}
	if p.Strategy == rollout.BlueGreen && len(f.steps) > 0 {
		return p, usage("blue-green has no --steps: all traffic goes over at once")
	}
	rate, err := share(f.errorRate)
	if err != nil {
		return p, err
	}
	p.Bounds = rollout.Bounds{MaxErrorRate: rate, MaxP95: metav1.Duration{Duration: f.p95}, MinRequests: f.minRequests}
	if f.header != "" {
		h, err := headers([]string{f.header})
		if err != nil {
			return p, usage("--header %q: expected 'NAME: VALUE'", f.header)
		}
		p.Testers = &shift.Testers{Header: strings.ToLower(h[0].Name), Value: h[0].Value}
	}
	if f.mirror != 0 {
		p.Mirror = &shift.Mirror{Percent: f.mirror, Unsafe: f.mirrorUnsafe}
	} else if f.mirrorUnsafe {
		return p, usage("--mirror-unsafe says what to mirror; --mirror says how much")
	}
	if p.Annotations, err = pairs("annotation", f.annotations); err != nil {
		return p, err
	}
	if p.Env, err = pairs("env", f.env); err != nil {
		return p, err
	}
	if p.CanaryEnv, err = pairs("canary-env", f.canaryEnv); err != nil {
		return p, err
	}
	return p, nil
}

// share reads "1%" or "0.01".
func share(text string) (float64, error) {
	number, percent := strings.CutSuffix(strings.TrimSpace(text), "%")
	v, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
	if err != nil || v != v {
		return 0, usage("--max-error-rate %q: expected a share such as 1%% or 0.01", text)
	}
	if percent {
		v /= 100
	}
	if v < 0 || v > 1 {
		return 0, usage("--max-error-rate %q: expected 0%% to 100%%", text)
	}
	return v, nil
}

func (a *app) canaryStart(ctx context.Context, f *canaryStartFlags, service string) error {
	if err := output(f.output, "text", "json"); err != nil {
		return err
	}
	w, err := a.maybeWorkspace(ctx)
	if err != nil {
		return err
	}
	if _, err := f.plan(service, ""); err != nil {
		return err // before a cluster is asked
	}
	e, err := a.rollouts(ctx, &f.canaryFlags, w)
	if err != nil {
		return err
	}
	plan, err := f.plan(service, e.Client.Namespace)
	if err != nil {
		return err
	}
	consent := rollout.Consent{AcceptEvents: f.acceptEvents, GitOps: f.pausedGitOps, Events: a.eventsOf(ctx, e.Client, w, &plan)}
	proposal, err := e.Propose(ctx, plan, consent)
	if err != nil {
		return rolloutError(err)
	}
	if err := metrics.Probe(ctx, e.Metrics); err != nil {
		return outside(fmt.Errorf("nothing was started, for the canary could not be judged: %w", err))
	}
	if f.dryRun && f.output == "json" {
		if err := writeJSON(a, printed.Proposal{APIVersion: printed.APIVersion, Proposal: proposal}); err != nil {
			return outside(err)
		}
		return nil
	}
	if err := a.showProposal(proposal, f.dryRun); err != nil || f.dryRun {
		return err
	}
	if err := a.confirm(f.yes, "--yes", "Start?"); err != nil {
		return err
	}
	s, err := e.Start(ctx, proposal)
	return a.ended(ctx, &f.canaryFlags, e, service, s, err)
}

// showProposal prints what will be done, with a dry run as the answer itself.
func (a *app) showProposal(p *rollout.Proposal, dryRun bool) error {
	to := a.Err
	if dryRun {
		to = a.Out
	}
	var failed error
	line := func(format string, args ...any) {
		_, err := fmt.Fprintf(to, format+"\n", args...)
		failed = errors.Join(failed, err)
	}
	line("canary of %s in namespace %s:", p.State.Plan.Service, p.State.Plan.Namespace)
	for i, does := range p.Does {
		line("%3d. %s", i+1, does)
	}
	for _, warning := range p.Warnings {
		line("warning: %s", warning)
	}
	if dryRun {
		line("dry run: nothing was changed")
	}
	if failed != nil {
		return outside(failed)
	}
	return nil
}
