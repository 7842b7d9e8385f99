package cli

import (
	"context"
	"fmt"

	"github.com/meshstorm/meshstorm/routetest"
	"github.com/meshstorm/meshstorm/workspace"
)

// initTests writes the tests that the model implies, and leaves every file that
// is there alone.
func (a *app) initTests(ctx context.Context, f *testFlags, args []string) error {
	if len(f.tests)+len(f.files) > 0 || f.routeConfig != "" {
		return usage("--init writes the tests of a workspace; it takes no --tests, -f or --route-config")
	}
	if f.coverage || f.output != "text" {
		return usage("--init only writes tests; run them afterwards: meshstorm test --coverage")
	}
	root, err := a.root(args)
	if err != nil {
		return err
	}
	lock, err := workspace.Lock(root)
	if err != nil {
		return classify(err)
	}
	defer lock.Unlock() //nolint:errcheck // the process ends anyway
	w, err := a.open(ctx, root, nil)
	if err != nil {
		return err
	}
	in, err := w.CheckInput() // for the weights that people gave
	if err != nil {
		return classify(err)
	}
	created, kept, err := routetest.Create(root, routetest.Init(w.Intent, in.Documents...))
	for _, path := range created {
		fmt.Fprintln(a.Out, "created", path)
	}
	for _, path := range kept {
		fmt.Fprintln(a.Out, "kept   ", path+" (it is there already)")
	}
	if err != nil {
		return outside(err)
	}
	if len(created)+len(kept) == 0 {
		fmt.Fprintln(a.Out, "the model has no paths to test")
	}
	return nil
}
