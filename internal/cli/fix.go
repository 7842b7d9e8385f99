package cli

import (
	"context"
	"fmt"

	"github.com/meshstorm/meshstorm/check"
	"github.com/meshstorm/meshstorm/workspace"
)

// checkRoot is the folder that the paths of findings are relative to: the
// workspace, or "" where they are relative to where check runs.
func (a *app) checkRoot(args []string) (string, error) {
	if len(args) == 0 || len(args) == 1 && workspace.Is(args[0]) {
		return a.root(args)
	}
	return "", nil
}

// lockForFix keeps other runs from writing to the workspace meanwhile.
func (a *app) lockForFix(args []string) (unlock func(), err error) {
	root, err := a.checkRoot(args)
	if root == "" || err != nil {
		return func() {}, err
	}
	lock, err := workspace.Lock(root)
	if err != nil {
		return nil, classify(err)
	}
	return func() { _ = lock.Unlock() }, nil // the process ends anyway
}

// fix mends what is safe to mend, writes the files, says on stderr what it did,
// and gives what is left.
func (a *app) fix(ctx context.Context, in *check.Input, rules []check.Rule, args []string) (check.Report, error) {
	root, err := a.checkRoot(args)
	if err != nil {
		return check.Report{}, err
	}
	files, err := workspace.CheckedFiles(in, root)
	if err != nil {
		return check.Report{}, classify(err)
	}
	fixed, err := check.Fix(ctx, in, files, func(ctx context.Context, in *check.Input) check.Report { return check.Run(ctx, in, rules) })
	if err != nil {
		return check.Report{}, classify(err)
	}
	if root != "" {
		err = workspace.WriteFixed(ctx, root, fixed.Files)
	} else {
		err = workspace.ReplaceFixed(ctx, fixed.Files)
	}
	if err != nil {
		return check.Report{}, classify(err)
	}
	for _, f := range fixed.Applied {
		fmt.Fprintf(a.Err, "mended %s:%d: %s: %s\n", f.File, f.Line, f.Code, mended(f))
	}
	if len(fixed.Applied) == 0 {
		fmt.Fprintln(a.Err, "there is nothing that a machine can mend safely")
	}
	return fixed.Report, nil
}

// mended says what was done; a finding's own advice also names the ways that
// only a person can choose.
func mended(f check.Finding) string {
	switch f.Code {
	case check.CodeSibling:
		return "the prefix became the exact path and the prefix of what is below it"
	case check.CodeWeightAlone:
		return "the weight of the only destination is gone"
	case check.CodeWeightTwice:
		return "the destination stands once, with the sum of its weights"
	case check.CodeRetriesOff:
		return "what has no effect beside attempts: 0 is gone"
	}
	return f.Fix
}
