package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/user"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/meshstorm/meshstorm/cluster"
	"github.com/meshstorm/meshstorm/cluster/proxies"
	"github.com/meshstorm/meshstorm/cluster/rollout"
	"github.com/meshstorm/meshstorm/internal/printed"
	"github.com/meshstorm/meshstorm/internal/terminal"
	"github.com/meshstorm/meshstorm/workspace"
)

// canaryFlags are those of every verb that moves traffic.
type canaryFlags struct {
	clusterFlags
	prometheus string
	output     string
	noWrite    bool
	yes        bool
	timeout    time.Duration
}

func (f *canaryFlags) addBasics(cmd *cobra.Command) {
	f.add(cmd)
	cmd.Flags().StringVarP(&f.output, "output", "o", "text", "text or json")
	flagValues(cmd, "output", "text", "json")
}

// addRun are the flags of what carries a canary on.
func (f *canaryFlags) addRun(cmd *cobra.Command) {
	f.addBasics(cmd)
	flags := cmd.Flags()
	flags.StringVar(&f.prometheus, "prometheus", "", "address of Prometheus; default: the proxies' own counters are asked")
	flags.BoolVar(&f.noWrite, "no-write", false, "print the promoted version as a patch instead of writing it into the workspace's files")
	flags.DurationVar(&f.timeout, "timeout", 5*time.Minute, "longest wait for pods to become ready")
}

func newCanary(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "canary",
		Short: "Bring a new version to a share of the traffic, and on or back by what is measured",
		Long: `Canary runs a new version of a service beside the present one and sends it a growing
share of the traffic, at the gateway and inside the mesh alike. Each step is judged by
what the new pods answer: beyond the bounds all traffic goes back by itself. What is not
measured, or by too few requests, never counts as healthy.

The state lies in the cluster. Ctrl-C, or a machine that dies, leaves the canary where it
is; "canary resume" goes on from any machine, and first judges the time in between.

Exit codes: 0 done, or paused as planned; 1 taken back, paused, or refused; 2 usage;
3 the cluster failed; 130 interrupted.`,
		Example: `  meshstorm canary start order --image shop/order:v2        # 5, 20, 50, 100 %, 2 minutes each
  meshstorm canary start order --image shop/order:v2 --dry-run
  meshstorm canary status order
  meshstorm canary promote order                            # now
  meshstorm canary abort order                              # back, now`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usage("there is no command %q; expected %s", "canary "+args[0], "start, status, promote, abort, resume or export")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newCanaryStart(a), newCanaryStatus(a), newCanaryResume(a), newCanaryPromote(a), newCanaryAbort(a), newCanaryExport(a))
	return cmd
}

func newCanaryResume(a *app) *cobra.Command {
	f := &canaryFlags{}
	o := rollout.ResumeOptions{}
	cmd := &cobra.Command{
		Use:   "resume SERVICE",
		Short: "Go on with a canary that was left or has paused",
		Long: `Resume carries on what another process left, and what has paused. What was measured in
between is judged first: a version that went wrong meanwhile is taken back.`,
		Example: `  meshstorm canary resume order
  meshstorm canary resume order --next   # the next step, though this one had too few requests`,
		Args:              oneArg("SERVICE"),
		ValidArgsFunction: a.completeServices,
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.onCanary(cmd.Context(), f, args[0], func(ctx context.Context, e *rollout.Engine) (*rollout.State, error) {
				return e.Resume(ctx, args[0], o)
			})
		},
	}
	f.addRun(cmd)
	cmd.Flags().BoolVar(&o.Next, "next", false, "go to the next step even if this one had too few requests or could not be measured")
	return cmd
}

func newCanaryPromote(a *app) *cobra.Command {
	f := &canaryFlags{}
	force := false
	cmd := &cobra.Command{
		Use:   "promote SERVICE",
		Short: "Make a canary's version the stable one, now",
		Long: `Promote makes the canary as large as stable and gives it all traffic, copies its pod
template to stable, gives stable the traffic back, and removes the canary when requests
that are under way have ended. The new version is written into the workspace's files as a
person would, so that diff and apply show nothing to change.`,
		Example: `  meshstorm canary promote order
  meshstorm canary promote order --no-write   # print the change for the files instead`,
		Args:              oneArg("SERVICE"),
		ValidArgsFunction: a.completeServices,
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.onCanary(cmd.Context(), f, args[0], func(ctx context.Context, e *rollout.Engine) (*rollout.State, error) {
				return e.Promote(ctx, args[0], rollout.EndOptions{By: a.person(), Force: force})
			})
		},
	}
	f.addRun(cmd)
	cmd.Flags().BoolVar(&force, "force", false, "promote in spite of what was measured")
	return cmd
}

func newCanaryAbort(a *app) *cobra.Command {
	f := &canaryFlags{}
	cmd := &cobra.Command{
		Use:               "abort SERVICE",
		Short:             "Send all traffic back to stable, now, and remove the canary",
		Example:           `  meshstorm canary abort order`,
		Args:              oneArg("SERVICE"),
		ValidArgsFunction: a.completeServices,
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.onCanary(cmd.Context(), f, args[0], func(ctx context.Context, e *rollout.Engine) (*rollout.State, error) {
				return e.Abort(ctx, args[0], rollout.EndOptions{By: a.person()})
			})
		},
	}
	f.addRun(cmd)
	return cmd
}

// onCanary carries a canary on and reports how it ended.
func (a *app) onCanary(ctx context.Context, f *canaryFlags, service string, act func(context.Context, *rollout.Engine) (*rollout.State, error)) error {
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
	s, err := act(ctx, e)
	return a.ended(ctx, f, e, service, s, err)
}

// maybeWorkspace opens the workspace around, if there is one: a cluster's
// services can be moved without.
func (a *app) maybeWorkspace(ctx context.Context) (*workspace.Workspace, error) {
	if a.dir == "" {
		if _, err := workspace.Find("."); errors.Is(err, workspace.ErrNone) {
			return nil, nil
		}
	}
	root, err := a.root(nil)
	if err != nil {
		return nil, err
	}
	return a.open(ctx, root, nil)
}

// rollouts is the engine as the flags say.
func (a *app) rollouts(ctx context.Context, f *canaryFlags, w *workspace.Workspace) (*rollout.Engine, error) {
	namespace := ""
	if w != nil {
		namespace = w.Settings.Namespace
	}
	c, err := f.connect(namespace)
	if err != nil {
		return nil, err
	}
	source, err := a.metricsSource(ctx, c, f.prometheus)
	if err != nil {
		return nil, err
	}
	e := &rollout.Engine{Client: c, Metrics: source, Events: onceEach(a.rolloutEvent), Timeout: f.timeout}
	e.Files = func(ctx context.Context, p rollout.Promotion) error {
		p.NoWrite = p.NoWrite || f.noWrite
		return a.writePromotion(ctx, w, p)
	}
	return e, nil
}

// rolloutEvent prints a line with the time on stderr.
func (a *app) rolloutEvent(e rollout.Event) {
	at := e.Time.Local().Format(time.TimeOnly)
	switch {
	case e.Warning:
		fmt.Fprintf(a.Err, "%s  warning: %s\n", at, e.Message)
		return
	case e.Verdict != nil:
		fmt.Fprintf(a.Err, "%s  %3d %%  %s: %s\n", at, e.Verdict.Weight, e.Verdict.Judgement, e.Verdict.Reason)
		return
	case e.Message != "":
		fmt.Fprintf(a.Err, "%s         %s\n", at, terminal.OneLine(e.Message))
		return
	}
	fmt.Fprintf(a.Err, "%s  %3d %%  %s\n", at, e.Weight, phaseText(e.Phase, e.Stage))
}

// onceEach leaves out a line that only repeats the one before: the state is
// written more often than it says something new.
func onceEach(to func(rollout.Event)) func(rollout.Event) {
	last := ""
	return func(e rollout.Event) {
		line := fmt.Sprint(e.Phase, e.Stage, e.Weight)
		if e.Message == "" && e.Verdict == nil {
			if line == last {
				return
			}
			last = line
		}
		to(e)
	}
}

// phaseText says in words where a rollout is.
func phaseText(phase rollout.Phase, stage rollout.Stage) string {
	words := map[rollout.Stage]string{
		rollout.Scale: "the canary becomes as large as stable", rollout.Cover: "the canary takes all traffic",
		rollout.Copy: "stable becomes the new version", rollout.Return: "stable takes all traffic",
		rollout.Revert: "stable becomes the old version again", rollout.Withdraw: "stable takes all traffic",
		rollout.Drain: "requests that are under way end", rollout.Remove: "the canary is removed",
		rollout.Files: "the new version goes to the files",
	}
	phases := map[rollout.Phase]string{
		rollout.Preparing: "the canary is made", rollout.Shifting: "traffic is moved", rollout.Watching: "the step is measured",
		rollout.Paused: "somebody must say how to go on",
	}
	text := phases[phase]
	if words[stage] != "" {
		text = words[stage]
	}
	if text == "" {
		return string(phase)
	}
	return string(phase) + ": " + text
}

// ended prints the last state and gives an error its exit code.
func (a *app) ended(ctx context.Context, f *canaryFlags, e *rollout.Engine, service string, s *rollout.State, err error) error {
	if ctx.Err() != nil {
		if s != nil && !s.Phase.Ended() {
			fmt.Fprintf(a.Err, "the canary of %s stays where it is, with %d %% of the traffic; `meshstorm canary resume %s` goes on, `meshstorm canary abort %s` takes it back\n", service, s.Weight, service, service)
		}
		return ctx.Err()
	}
	if s != nil && (err == nil || errors.Is(err, rollout.ErrAborted) || errors.Is(err, rollout.ErrPaused)) {
		status, statusErr := e.Status(ctx, service)
		if statusErr != nil {
			return rolloutError(errors.Join(err, statusErr))
		}
		if f.output == "json" {
			statusErr = writeJSON(a, printed.Canary{APIVersion: printed.APIVersion, Status: status})
		} else {
			statusErr = a.outcome(status)
		}
		if statusErr != nil {
			return outside(statusErr)
		}
		if status.Phase == rollout.Promoted {
			a.recordPromotion(ctx, e.Client, status)
		}
	}
	return rolloutError(err)
}

// recordPromotion puts a promoted version into the history, so that undo goes
// back to the one before. What keeps it from that is worth a warning: the version
// is promoted all the same.
func (a *app) recordPromotion(ctx context.Context, c *cluster.Client, s *rollout.Status) {
	err := func() error {
		w, err := a.maybeWorkspace(ctx)
		if err != nil || w == nil || w.Settings.Namespace != s.Namespace {
			return err
		}
		want, err := a.wanted(ctx, nil, nil)
		if err != nil {
			return err
		}
		request := (&applyFlags{prune: true}).request(want)
		within, hold, err := a.take(ctx, c, request.Workspace, 10*time.Second)
		if err != nil {
			return err
		}
		defer hold.Release()
		revision, err := c.Record(within, request, fmt.Sprintf("canary of %s: %s", s.Service, s.Image))
		if err == nil && revision > 0 {
			fmt.Fprintf(a.Err, "revision %d; `meshstorm undo` goes back\n", revision)
		}
		return err
	}()
	if err != nil {
		fmt.Fprintf(a.Err, "warning: the promoted version is not in the history, so undo does not know it: %v\n", err)
	}
}

// outcome is one line for what a rollout has come to.
func (a *app) outcome(s *rollout.Status) error {
	line := ""
	switch s.Phase {
	case rollout.Promoted:
		line = fmt.Sprintf("%s: %s is stable", s.Service, s.Image)
	case rollout.Aborted:
		line = fmt.Sprintf("%s: %s was taken back", s.Service, s.Image)
	default:
		line = fmt.Sprintf("%s: %s at %d %%: %s\n  meshstorm canary resume %s    goes on\n  meshstorm canary promote %s   makes it stable now\n  meshstorm canary abort %s     takes it back",
			s.Service, s.Phase, s.Weight, s.Reason, s.Service, s.Service, s.Service)
	}
	_, err := fmt.Fprintln(a.Out, line)
	return err
}

// rolloutError gives an error of the engine its exit code.
func rolloutError(err error) error {
	held := (*cluster.HeldError)(nil)
	switch {
	case err == nil, errors.Is(err, context.Canceled):
		return err
	case errors.Is(err, rollout.ErrPlan):
		return &exit{ExitUsage, err}
	case errors.As(err, &held):
		return &exit{ExitNo, fmt.Errorf("%w; `meshstorm canary abort` and `promote` ask it to", err)}
	case errors.Is(err, proxies.ErrTimeout), errors.Is(err, cluster.ErrNotReady):
		return outside(err)
	}
	for _, answer := range []error{rollout.ErrAborted, rollout.ErrPaused, rollout.ErrNone, rollout.ErrRunning, rollout.ErrRefused, rollout.ErrTaken} {
		if errors.Is(err, answer) {
			return &exit{ExitNo, err}
		}
	}
	conflict := (*cluster.ConflictError)(nil)
	if errors.As(err, &conflict) {
		return &exit{ExitNo, err}
	}
	return clusterError(err)
}

// person is who asks for something, for others to read.
func (a *app) person() string {
	who := "somebody"
	if u, err := user.Current(); err == nil {
		who = u.Username
	}
	if host, err := os.Hostname(); err == nil {
		who += "@" + host
	}
	return who
}

func (a *app) completeServices(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	w, err := a.maybeWorkspace(cmd.Context())
	if len(args) > 0 || err != nil || w == nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	var names []string
	for _, s := range w.Intent.Services {
		names = append(names, s.Name)
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}

// pairs reads NAME=VALUE of repeated flags.
func pairs(flag string, values []string) (map[string]string, error) {
	all := map[string]string{}
	for _, v := range values {
		name, value, ok := strings.Cut(v, "=")
		if !ok || strings.TrimSpace(name) == "" {
			return nil, usage("--%s %q: expected NAME=VALUE", flag, v)
		}
		all[name] = value
	}
	return all, nil
}

// ending finds the canaries that a plan takes away, says so, and gives what ends
// them: the processes that hold them stop, and status tells why.
func (a *app) ending(ctx context.Context, c *cluster.Client, plan *cluster.Plan) (func(context.Context, string) error, error) {
	var removed []cluster.ID
	for i := range plan.Changes {
		if ch := &plan.Changes[i]; ch.Action == cluster.Delete && ch.Object.Kind == "Deployment" {
			removed = append(removed, ch.Object)
		}
	}
	if len(removed) == 0 {
		return func(context.Context, string) error { return nil }, nil
	}
	engine := &rollout.Engine{Client: c}
	all, err := engine.Ending(ctx, removed)
	if err != nil {
		return nil, clusterError(err)
	}
	for _, s := range all {
		holder := ""
		if s.Holder != "" {
			holder = ", which " + s.Holder + " carries on"
		}
		fmt.Fprintf(a.Err, "this ends the canary of %s (%s, at %d %%)%s\n", s.Service, s.Image, s.Weight, holder)
	}
	return func(ctx context.Context, reason string) error {
		return clusterError(engine.Overrule(ctx, all, reason))
	}, nil
}
