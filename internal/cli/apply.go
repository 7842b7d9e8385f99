package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/meshstorm/meshstorm/check"
	"github.com/meshstorm/meshstorm/check/analyze"
	"github.com/meshstorm/meshstorm/cluster"
)

// writeFlags are those of the verbs that write to a cluster.
type writeFlags struct {
	clusterFlags
	output     string
	yes        bool
	wait       bool
	timeout    time.Duration
	noSyncWait bool
	lockWait   time.Duration
}

func (f *writeFlags) add(cmd *cobra.Command) {
	f.clusterFlags.add(cmd)
	flags := cmd.Flags()
	flags.StringVarP(&f.output, "output", "o", "text", "text or json")
	flags.BoolVarP(&f.yes, "yes", "y", false, "say yes to all questions")
	flags.BoolVar(&f.wait, "wait", true, "wait until workloads are ready, and proxies have what routes need")
	flags.DurationVar(&f.timeout, "timeout", 5*time.Minute, "longest wait for workloads, or for objects to go")
	flags.BoolVar(&f.noSyncWait, "no-sync-wait", false, "change the routes 3s after their subsets, whether or not the proxies have these")
	flags.DurationVar(&f.lockWait, "lock-wait", time.Minute, "longest wait for another run on the same workspace")
	flagValues(cmd, "output", "text", "json")
}

type applyFlags struct {
	writeFlags
	files          []string
	name           string
	force          bool
	adopt          bool
	prune          bool
	replace        []string
	takeWeights    bool
	historySecrets bool
	note           string
}

func (f *applyFlags) addRequest(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringArrayVarP(&f.files, "filename", "f", nil, "YAML file, folder, or - for standard input, instead of a workspace; may be repeated")
	flags.StringVar(&f.name, "name", "", "with -f: name under which these objects are kept track of; without it nothing is pruned")
	flags.BoolVar(&f.force, "force-conflicts", false, "take over fields that other managers applied")
	flags.BoolVar(&f.adopt, "adopt", false, "take over objects that `kubectl apply` made")
	flags.BoolVar(&f.prune, "prune", true, "delete what this workspace applied and does not have any more")
	flags.StringSliceVar(&f.replace, "replace", nil, "Deployments to make anew where the live one selects other pods")
	flags.BoolVar(&f.takeWeights, "take-weights", false, "give routes the weights of the files, and end running shifts")
}

func (f *applyFlags) request(w *wanted) cluster.Request {
	r := cluster.Request{
		Workspace: w.name, Objects: w.objects, Force: f.force, Adopt: f.adopt, Replace: f.replace,
		Prune: f.prune, TakeWeights: f.takeWeights,
	}
	if w.workspace == nil {
		if f.name != "" {
			r.Workspace = f.name
		} else {
			r.Prune = false
		}
	}
	return r
}

func newApply(a *app) *cobra.Command {
	f := &applyFlags{}
	cmd := &cobra.Command{
		Use:   "apply [DIR]",
		Short: "Bring a workspace into the cluster without an error for those who use it",
		Long: `Apply sends the objects of a workspace to the cluster by server-side apply, as field manager "meshstorm":
configuration, then workloads until they are ready, then gateways and destination rules, and when the proxies
have these, the routes. What left the workspace is deleted, the other way round. Fields that others applied are
never taken without --force-conflicts, and the weights of a running shift stay (--take-weights ends it).

Exit codes: 0 done; 1 refused: findings of check, conflicts, objects the API server does not take; 2 usage;
3 the cluster failed, workloads did not become ready, or proxies lagged (then no route was changed).`,
		Example: `  meshstorm apply                       # the workspace around the current folder
  meshstorm diff && meshstorm apply     # look first
  meshstorm apply -f manifests/ -n shop # any YAML
  meshstorm undo                        # go back`,
		Args: atMostOneArg("workspace"),
		RunE: func(cmd *cobra.Command, args []string) error { return a.apply(cmd.Context(), f, args) },
	}
	f.add(cmd)
	f.addRequest(cmd)
	cmd.Flags().BoolVar(&f.historySecrets, "history-secrets", false, "keep the values of Secrets in the history, so that undo brings them back")
	cmd.Flags().StringVar(&f.note, "note", "", "a note for the history")
	return cmd
}

func (a *app) apply(ctx context.Context, f *applyFlags, args []string) error {
	if err := output(f.output, "text", "json"); err != nil {
		return err
	}
	want, err := a.wanted(ctx, args, f.files)
	if err != nil {
		return err
	}
	if err := a.checked(ctx, want); err != nil {
		return err
	}
	c, err := a.connectFor(&f.clusterFlags, want)
	if err != nil {
		return err
	}
	if err := a.preflight(ctx, c, f, want); err != nil {
		return clusterError(err)
	}
	ctx, hold, err := a.take(ctx, c, f.request(want).Workspace, f.lockWait)
	if err != nil {
		return err
	}
	defer hold.Release()
	plan, err := a.plan(ctx, c, f, want)
	if err != nil {
		return err
	}
	return a.carryOut(ctx, c, plan, f)
}

// connectFor makes the client in the namespace of what is wanted.
func (a *app) connectFor(f *clusterFlags, want *wanted) (*cluster.Client, error) {
	if want.workspace == nil {
		return f.connect("")
	}
	own := want.workspace.Settings.Namespace
	if f.namespace != "" && f.namespace != own {
		return nil, usage("-n %s: the workspace's objects are of namespace %s; set `namespace: %s` in meshstorm.yaml and run `meshstorm generate`", f.namespace, own, f.namespace)
	}
	return f.connect(own)
}

// checked refuses manifests in which check finds errors.
func (a *app) checked(ctx context.Context, want *wanted) error {
	profile, err := assumedProfile("", want.input)
	if err != nil {
		return err
	}
	rules := slices.Concat(check.Rules(), analyze.Rules(analyze.Options{Profile: profile}))
	report := check.Run(ctx, want.input, rules)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if report.Summary.Error == 0 {
		return nil
	}
	report.Findings = slices.DeleteFunc(report.Findings, func(f check.Finding) bool { return f.Severity != check.Error })
	if err := check.WriteText(a.Err, report, check.TextOptions{}); err != nil {
		return outside(err)
	}
	return &exit{ExitNo, errors.New("check found errors, so nothing was applied; `meshstorm check --fix` mends what can be mended by itself")}
}

// take waits for the workspace's lease.
func (a *app) take(ctx context.Context, c *cluster.Client, name string, wait time.Duration) (context.Context, *cluster.Hold, error) {
	within, hold, err := c.Take(ctx, c.Namespace, cluster.ApplyLease(name), wait, func(h *cluster.HeldError) {
		fmt.Fprintf(a.Err, "waiting: %v\n", h)
	})
	held := (*cluster.HeldError)(nil)
	if errors.As(err, &held) {
		return nil, nil, outside(fmt.Errorf("%w; wait for it, or give it longer with --lock-wait", err))
	}
	return within, hold, clusterError(err)
}

// plan compares, shows what stands in the way, and asks about objects of
// `kubectl apply`.
func (a *app) plan(ctx context.Context, c *cluster.Client, f *applyFlags, want *wanted) (*cluster.Plan, error) {
	request := f.request(want)
	plan, err := c.Plan(ctx, request)
	if err != nil {
		return nil, clusterError(err)
	}
	if n := adoptions(plan); n > 0 && !request.Adopt {
		question := fmt.Sprintf("%d objects were made by `kubectl apply`. Take them over, so that what leaves the files later really goes?", n)
		if err := a.confirm(f.yes, "--adopt", question); err != nil {
			return nil, err
		}
		request.Adopt = true
		if plan, err = c.Plan(ctx, request); err != nil {
			return nil, clusterError(err)
		}
	}
	problems := plan.Problems()
	if len(problems) == 0 {
		return plan, nil
	}
	writeFields(a.Err, &cluster.ChangeSet{Changes: problems})
	hint := "nothing was applied"
	if contested(problems) {
		hint += "; --force-conflicts takes the fields over, and leaving them out of the files leaves them to their owners"
	}
	return nil, &exit{ExitNo, errors.New(hint)}
}

// contested: fields of other managers stand in the way.
func contested(problems []cluster.Change) bool {
	return slices.ContainsFunc(problems, func(ch cluster.Change) bool { return ch.Action == cluster.Conflict })
}

func adoptions(plan *cluster.Plan) int {
	n := 0
	for i := range plan.Changes {
		if plan.Changes[i].Adopts {
			n++
		}
	}
	return n
}

// carryOut applies a plan and prints what was done.
func (a *app) carryOut(ctx context.Context, c *cluster.Client, plan *cluster.Plan, f *applyFlags) error {
	show := a.progress()
	options := cluster.ApplyOptions{
		Wait: f.wait, Timeout: f.timeout, Progress: show.Event,
		SecretsInHistory: f.historySecrets, Note: f.note,
	}
	if f.wait {
		options.Sync = a.syncer(c, f.noSyncWait)
	}
	set, err := c.Apply(ctx, plan, options)
	show.End()
	if cause := context.Cause(ctx); err != nil && errors.Is(cause, cluster.ErrLost) {
		err = errors.Join(err, cause)
	}
	if f.output == "json" {
		if err := writeJSON(a, set); err != nil {
			return outside(err)
		}
		return clusterError(err)
	}
	a.summary(set, show.Terminal && a.Terminal)
	return clusterError(err)
}

// summary prints what was done; shown says that the same terminal has the lines
// of all objects already, so that only what needs more words is printed again.
func (a *app) summary(set *cluster.ChangeSet, shown bool) {
	for i := range set.Changes {
		ch := &set.Changes[i]
		switch {
		case len(ch.Held) == 0 && ch.Message == "" && (ch.Action == cluster.Unchanged || shown && ch.Action != cluster.Skipped):
			continue
		case ch.Action == cluster.Unchanged:
			fmt.Fprintf(a.Out, "unchanged %s\n", ch.Object)
		default:
			fmt.Fprintf(a.Out, "%-9s %s\n", done(ch.Action), ch.Object)
		}
		if ch.Message != "" && ch.Action != cluster.Refused {
			fmt.Fprintf(a.Out, "          %s\n", ch.Message)
		}
		var b strings.Builder
		writeOwners(&b, &cluster.Change{Held: ch.Held, Gone: ch.Gone})
		fmt.Fprint(a.Out, b.String())
	}
	for _, n := range set.Notes {
		fmt.Fprintln(a.Err, n)
	}
	unchanged := set.Count(cluster.Unchanged)
	if unchanged == len(set.Changes) {
		fmt.Fprintf(a.Out, "nothing to change: %d objects are as in the files\n", unchanged)
	} else if counts := doneCounts(set, shown); counts != "" {
		fmt.Fprintln(a.Out, counts)
	}
	if set.Revision > 0 {
		fmt.Fprintf(a.Err, "revision %d; `meshstorm undo` goes back\n", set.Revision)
	}
}

// doneCounts is one line: how much became what, or only what did not change.
func doneCounts(set *cluster.ChangeSet, all bool) string {
	var parts []string
	for _, action := range []cluster.Action{cluster.Create, cluster.Configure, cluster.Replace, cluster.Delete, cluster.Keep, cluster.Refused, cluster.Skipped, cluster.Unchanged} {
		if n := set.Count(action); n > 0 && (all || action == cluster.Unchanged) {
			parts = append(parts, fmt.Sprintf("%d %s", n, done(action)))
		}
	}
	return strings.Join(parts, ", ")
}

// done is an action in the past tense.
func done(action cluster.Action) string {
	words := map[cluster.Action]string{
		cluster.Create: "created", cluster.Configure: "changed", cluster.Replace: "replaced", cluster.Delete: "deleted",
		cluster.Keep: "kept", cluster.Refused: "refused", cluster.Skipped: "skipped", cluster.Conflict: "conflict",
		cluster.Unchanged: "unchanged",
	}
	return words[action]
}
