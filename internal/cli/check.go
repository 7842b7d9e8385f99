package cli

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/meshstorm/meshstorm/check"
	"github.com/meshstorm/meshstorm/check/analyze"
	"github.com/meshstorm/meshstorm/workspace"
)

type checkFlags struct {
	output  string
	failOn  string
	profile string
	fix     bool
	files   []string
}

func newCheck(a *app) *cobra.Command {
	f := &checkFlags{}
	cmd := &cobra.Command{
		Use:   "check [DIR|FILE]...",
		Short: "Say what is wrong with a model and its manifests, and how to mend it",
		Long: `Check looks at a workspace, or at any YAML files and folders, in every namespace
and without a cluster: Kubernetes' own decoding, the schemas and CEL rules of Istio
and the Gateway API, Istio's validation and analyzers, and what the model says.`,
		Example: `  meshstorm check                         # the workspace around the current folder
  meshstorm check manifests/ extra.yaml   # any YAML
  helm template . | meshstorm check -     # YAML that another program prints
  meshstorm check -o sarif > check.sarif  # for code review tools
  meshstorm check --fail-on warning       # for CI
  meshstorm check --fix                   # mend what is safe to mend, and show the rest`,
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.check(cmd.Context(), f, append(args, f.files...))
		},
	}
	cmd.Flags().StringArrayVarP(&f.files, "filename", "f", nil, "the same as an argument: a YAML file, a folder, or - for standard input; may be repeated")
	cmd.Flags().StringVarP(&f.output, "output", "o", "text", "text, json or sarif")
	cmd.Flags().StringVar(&f.failOn, "fail-on", "error", "lowest severity that makes the exit code 1: error, warning or info")
	profileFlag(cmd, &f.profile)
	cmd.Flags().BoolVar(&f.fix, "fix", false, "mend what a machine can mend safely, and report what is left")
	flagValues(cmd, "output", "text", "json", "sarif")
	flagValues(cmd, "fail-on", "error", "warning", "info")
	return cmd
}

func (a *app) check(ctx context.Context, f *checkFlags, args []string) error {
	if err := errors.Join(output(f.output, "text", "json", "sarif"), checkSeverity(f.failOn)); err != nil {
		return err
	}
	if f.fix && slices.Contains(args, stdin) {
		return usage("--fix writes files, and - is none; save it to a file first")
	}
	if f.fix {
		unlock, err := a.lockForFix(args)
		if err != nil {
			return err
		}
		defer unlock()
	}
	in, err := a.checkInput(ctx, args)
	if err != nil {
		return err
	}
	profile, err := assumedProfile(f.profile, in)
	if err != nil {
		return err
	}
	rules := slices.Concat(check.Rules(), analyze.Rules(analyze.Options{Profile: profile}))
	var report check.Report
	if f.fix {
		report, err = a.fix(ctx, in, rules, args)
	} else {
		report, err = check.Run(ctx, in, rules), ctx.Err()
	}
	if err != nil {
		return err
	}
	switch f.output {
	case "json":
		err = check.WriteJSON(a.Out, report)
	case "sarif":
		err = check.WriteSARIF(a.Out, report)
	default:
		err = check.WriteText(a.Out, report, check.TextOptions{Color: a.color()})
	}
	if err != nil {
		return outside(err)
	}
	s := report.Summary
	if s.Error > 0 || f.failOn != "error" && s.Warning > 0 || f.failOn == "info" && s.Info > 0 {
		return no()
	}
	return nil
}

// assumedProfile is the flag's profile, else the settings', else demo, which
// the lab and the tutorials install.
func assumedProfile(flag string, in *check.Input) (string, error) {
	profile, from := flag, "--profile"
	if profile == "" {
		profile, from = "demo", "the default"
		if in.Intent != nil {
			profile, from = in.Intent.Settings.IstioProfile, in.Intent.Settings.Origin("istioProfile")+": istioProfile"
		}
	}
	if !slices.Contains(analyze.Profiles(), profile) {
		return "", usage("%s: %q is no profile of Istio; expected one of %s", from, profile, strings.Join(analyze.Profiles(), ", "))
	}
	return profile, nil
}

func checkSeverity(s string) error {
	if !slices.Contains([]string{"error", "warning", "info"}, s) {
		return usage("--fail-on %q: expected error, warning or info", s)
	}
	return nil
}

// checkInput gathers what to look at: a workspace when the one argument (or
// the current folder) is one, else every YAML file that the arguments name.
func (a *app) checkInput(ctx context.Context, args []string) (*check.Input, error) {
	if len(args) == 0 || len(args) == 1 && workspace.Is(args[0]) {
		root, err := a.root(args)
		if err != nil {
			return nil, err
		}
		w, err := a.open(ctx, root, nil)
		if err != nil {
			return nil, err
		}
		in, err := w.CheckInput()
		return in, classify(err)
	}
	if err := a.enter(); err != nil {
		return nil, err
	}
	return a.filesInput(args)
}
