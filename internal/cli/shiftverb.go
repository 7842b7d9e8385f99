package cli

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/meshstorm/meshstorm/cluster/rollout"
	"github.com/meshstorm/meshstorm/deploy"
	"github.com/meshstorm/meshstorm/internal/printed"
	"github.com/meshstorm/meshstorm/shift"
	"github.com/meshstorm/meshstorm/workspace"
)

type shiftFlags struct {
	canaryFlags
	end            bool
	force          bool
	pausedGitOps   bool
	forceConflicts bool
	dryRun         bool
}

func newShift(a *app) *cobra.Command {
	f := &shiftFlags{}
	cmd := &cobra.Command{
		Use:   "shift SERVICE SUBSET=PERCENT…",
		Short: "Set by hand which share of a service's traffic each subset gets",
		Long: `Shift gives the subsets of a service the shares that you say, in every VirtualService of
the namespace that routes to them, those for callers inside the mesh first. Later applies
keep these weights, and diff shows them as held, until --end gives the weights of the
files back, or "apply --take-weights" does.`,
		Example: `  meshstorm shift order stable=90 canary=10
  meshstorm shift order --end                 # the files' weights again
  meshstorm shift order stable=100 canary=0 --end   # without a workspace`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 || len(args) == 1 && !f.end {
				return usage("%s takes a service and its weights, such as `meshstorm shift order stable=90 canary=10`, or --end", cmd.CommandPath())
			}
			return nil
		},
		ValidArgsFunction: a.completeShift,
		RunE:              func(cmd *cobra.Command, args []string) error { return a.shift(cmd.Context(), f, args[0], args[1:]) },
	}
	f.addBasics(cmd)
	flags := cmd.Flags()
	flags.BoolVar(&f.end, "end", false, "give the weights of the files back, or those said, and hold nothing any more")
	flags.BoolVar(&f.force, "force", false, "move traffic to subsets without ready pods too, which is then answered with 503")
	flags.BoolVar(&f.pausedGitOps, "i-paused-gitops", false, "shift though a GitOps tool applies the rules: it is paused")
	flags.BoolVar(&f.forceConflicts, "force-conflicts", false, "take routes over from other field managers")
	flags.BoolVar(&f.dryRun, "dry-run", false, "check everything and say what would be done; change nothing")
	return cmd
}

func (a *app) completeShift(cmd *cobra.Command, args []string, to string) ([]string, cobra.ShellCompDirective) {
	if len(args) == 0 {
		return a.completeServices(cmd, args, to)
	}
	directive := cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveNoSpace
	w, err := a.maybeWorkspace(cmd.Context())
	if err != nil || w == nil || w.Intent.Service(args[0]) == nil {
		return []string{deploy.TrackStable + "=", deploy.TrackCanary + "="}, directive
	}
	var subsets []string
	for _, t := range w.Intent.Service(args[0]).Tracks {
		if !slices.ContainsFunc(args[1:], func(arg string) bool { return strings.HasPrefix(arg, t.Name+"=") }) {
			subsets = append(subsets, t.Name+"=")
		}
	}
	return subsets, directive
}

// subsetWeights reads SUBSET=PERCENT.
func subsetWeights(words []string) (map[string]int, error) {
	weights := map[string]int{}
	total := 0
	for _, word := range words {
		name, text, ok := strings.Cut(word, "=")
		percent, err := strconv.Atoi(strings.TrimSuffix(text, "%"))
		switch {
		case !ok || name == "" || err != nil || percent < 0 || percent > 100:
			return nil, usage("%q: expected SUBSET=PERCENT, such as canary=10, with 0 to 100", word)
		case hasKey(weights, name):
			return nil, usage("the subset %s is named twice", name)
		}
		weights[name] = percent
		total += percent
	}
	if len(words) > 0 && total != 100 {
		return nil, usage("the weights add up to %d, not to 100", total)
	}
	return weights, nil
}

func hasKey(m map[string]int, key string) bool { _, ok := m[key]; return ok }

func (a *app) shift(ctx context.Context, f *shiftFlags, service string, words []string) error {
	if err := output(f.output, "text", "json"); err != nil {
		return err
	}
	weights, err := subsetWeights(words)
	if err != nil {
		return err
	}
	if f.end && f.dryRun {
		return usage("--end has no dry run: `meshstorm diff --take-weights` shows what the files say")
	}
	w, err := a.maybeWorkspace(ctx)
	if err != nil {
		return err
	}
	e, err := a.rollouts(ctx, &f.canaryFlags, w)
	if err != nil {
		return err
	}
	q := rollout.ShiftRequest{Service: service, Weights: weights, Force: f.force, ForceConflicts: f.forceConflicts, GitOps: f.pausedGitOps, DryRun: f.dryRun}
	done, err := a.doShift(ctx, e, w, f, q)
	if f.output == "json" && len(done) > 0 {
		if err := writeJSON(a, printed.Shift{APIVersion: printed.APIVersion, Service: service, Shifted: done}); err != nil {
			return outside(err)
		}
	} else if err := a.showShift(done, f); err != nil {
		return outside(err)
	}
	return rolloutError(err)
}

// doShift moves, or ends what was moved.
func (a *app) doShift(ctx context.Context, e *rollout.Engine, w *workspace.Workspace, f *shiftFlags, q rollout.ShiftRequest) ([]rollout.Shifted, error) {
	if !f.end {
		return e.Shift(ctx, q)
	}
	if len(q.Weights) > 0 {
		// They are applied first, and only then nothing holds them any more.
		done, err := e.Shift(ctx, q)
		if err != nil {
			return done, err
		}
		files := map[string][]shift.Weight{}
		for _, s := range done {
			files[s.Object.Name] = s.After
		}
		_, err = e.EndShift(ctx, q.Service, files, q)
		return done, err
	}
	if w == nil {
		return nil, usage("there is no workspace here whose weights to give back; say them: `meshstorm shift %s stable=100 canary=0 --end`", q.Service)
	}
	in, err := w.CheckInput()
	if err != nil {
		return nil, classify(err)
	}
	objects, err := objectsOf(in)
	if err != nil {
		return nil, err
	}
	files := map[string][]shift.Weight{}
	for _, o := range objects {
		if o.GetKind() == "VirtualService" {
			files[o.GetName()] = shift.Current(o.Unstructured, q.Service, e.Client.Namespace)
		}
	}
	return e.EndShift(ctx, q.Service, files, q)
}

func (a *app) showShift(done []rollout.Shifted, f *shiftFlags) error {
	for _, s := range done {
		for _, after := range s.After {
			before := "none"
			for _, b := range s.Before {
				if b.Rule == after.Rule && b.Host == after.Host && b.Subset == after.Subset {
					before = fmt.Sprintf("%d %%", b.Weight)
				}
			}
			rule := after.Rule
			if rule == "" {
				rule = "(without a name)"
			}
			if _, err := fmt.Fprintf(a.Out, "%s  rule %s: %s %s -> %d %%\n", s.Object, rule, after.Subset, before, after.Weight); err != nil {
				return err
			}
		}
	}
	switch {
	case len(done) == 0:
	case f.dryRun:
		fmt.Fprintln(a.Err, "dry run: nothing was changed")
	case f.end:
		fmt.Fprintln(a.Err, "nothing holds these weights any more")
	default:
		fmt.Fprintln(a.Err, "apply keeps these weights until `meshstorm shift --end` or `meshstorm apply --take-weights`")
	}
	return nil
}
