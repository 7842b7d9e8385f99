package cli

import (
	"context"
	"errors"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/meshstorm/meshstorm/manifest"
	"github.com/meshstorm/meshstorm/routetest"
	"github.com/meshstorm/meshstorm/routetest/routercheck"
	"github.com/meshstorm/meshstorm/workspace"
)

type testFlags struct {
	tests       []string
	files       []string
	routeConfig string
	profile     string
	output      string
	init        bool
	coverage    bool
	failUnder   float64
}

func newTest(a *app) *cobra.Command {
	f := &testFlags{}
	cmd := &cobra.Command{
		Use:   "test [DIR]",
		Short: "Run route tests from files",
		Long: `Test asks what becomes of requests, as route does, and compares the answers with what
files say should become of them: a workspace's routes/*.yaml, or those named with
--tests. Besides meshstorm's own format it reads istio-config-validator's testCases and
the tests of Envoy's router_check. All failures are reported. See docs/route-tests.md.`,
		Example: `  meshstorm test                                # the workspace around the current folder
  meshstorm test --init                         # write the tests that the model implies
  meshstorm test --coverage --fail-under 100    # which rules does no test reach
  meshstorm test --tests t.yaml -f manifests/   # any YAML
  meshstorm test --route-config envoy.yaml --tests router_check.yaml`,
		Args:              atMostOneArg("DIR"),
		ValidArgsFunction: folders,
		RunE: func(cmd *cobra.Command, args []string) error {
			if cmd.Flags().Changed("fail-under") {
				f.coverage = true
			}
			return a.test(cmd.Context(), f, args)
		},
	}
	cmd.Flags().StringArrayVar(&f.tests, "tests", nil, "a file or folder of tests; default: routes/ of the workspace; may be repeated")
	cmd.Flags().StringArrayVarP(&f.files, "filename", "f", nil, "manifests instead of the workspace: YAML files, folders, or - for standard input; may be repeated")
	cmd.Flags().StringVar(&f.routeConfig, "route-config", "", "an Envoy RouteConfiguration (v3) as YAML or JSON, for tests of Envoy's router_check")
	profileFlag(cmd, &f.profile)
	cmd.Flags().StringVarP(&f.output, "output", "o", "text", "text, json or junit")
	flagValues(cmd, "output", "text", "json", "junit")
	cmd.Flags().BoolVar(&f.init, "init", false, "write the tests that the model implies into routes/; files that are there stay as they are")
	cmd.Flags().BoolVar(&f.coverage, "coverage", false, "list the routes that no test reaches")
	cmd.Flags().Float64Var(&f.failUnder, "fail-under", 0, "the percentage of routes below which the exit code is 1; implies --coverage")
	return cmd
}

func (a *app) test(ctx context.Context, f *testFlags, args []string) error {
	if err := output(f.output, "text", "json", "junit"); err != nil {
		return err
	}
	if f.failUnder < 0 || f.failUnder > 100 {
		return usage("--fail-under %v: expected a percentage from 0 to 100", f.failUnder)
	}
	if f.init {
		return a.initTests(ctx, f, args)
	}
	root, err := a.testRoot(f, args)
	if err != nil {
		return err
	}
	files, err := testFiles(root, f)
	if err != nil {
		return err
	}
	subject, m, err := a.subject(ctx, f, root)
	if err != nil {
		return err
	}
	if m != nil {
		defer m.Close()
	}
	report, err := routetest.Run(ctx, *subject, files)
	if err != nil {
		return classify(err)
	}
	if err := a.writeTests(f, report); err != nil {
		return outside(err)
	}
	switch {
	case report.Broken():
		return &exit{code: ExitUsage}
	case m != nil && m.faulty:
		return m.errPartly()
	case report.Failed(), f.coverage && report.ShowCoverage().Under(f.failUnder):
		return no()
	}
	return nil
}

func (a *app) writeTests(f *testFlags, report *routetest.Report) error {
	if f.coverage {
		report.ShowCoverage()
	}
	switch f.output {
	case "json":
		return report.WriteJSON(a.Out)
	case "junit":
		return report.WriteJUnit(a.Out)
	}
	return report.WriteText(a.Out)
}

// testRoot is the workspace, "" where only files are named.
func (a *app) testRoot(f *testFlags, args []string) (string, error) {
	if len(args) > 0 && len(f.files) > 0 {
		return "", usage("name a workspace or manifests with -f, not both")
	}
	if len(args) == 0 {
		if err := a.enter(); err != nil {
			return "", err
		}
	}
	if len(f.files) > 0 || f.routeConfig != "" && len(args) == 0 {
		return "", nil
	}
	root, err := a.root(args)
	if errors.Is(err, workspace.ErrNone) {
		return "", usage("%w; --tests FILE -f FILE tests manifests without a workspace", err)
	}
	return root, err
}

// subject is what the tests ask.
func (a *app) subject(ctx context.Context, f *testFlags, root string) (*routetest.Subject, *mesh, error) {
	s := &routetest.Subject{}
	if f.routeConfig != "" {
		data, err := manifest.ReadFile(f.routeConfig)
		if err != nil {
			return nil, nil, missing(f.routeConfig, err)
		}
		if s.Envoy, err = routercheck.LoadConfig(filepath.ToSlash(f.routeConfig), data); err != nil {
			return nil, nil, classify(err)
		}
	}
	var dir []string
	switch {
	case root != "":
		dir = []string{root}
	case len(f.files) == 0:
		return s, nil, nil
	}
	s.Arguments = a.arguments(root, f.files, f.profile)
	m, err := a.mesh(ctx, dir, f.files, f.profile)
	if err != nil {
		return nil, nil, err
	}
	s.Mesh = m
	if s.Routes, err = m.Routes(ctx); err != nil {
		return nil, nil, classify(err)
	}
	return s, m, nil
}

// testFiles reads the files that --tests names, else those of the workspace.
func testFiles(root string, f *testFlags) ([]*routetest.File, error) {
	type named struct{ name, path string }
	var all []named
	for _, t := range f.tests {
		info, err := os.Stat(t)
		if err != nil {
			return nil, missing(t, err)
		}
		if !info.IsDir() {
			all = append(all, named{filepath.ToSlash(t), t})
			continue
		}
		inside, err := workspace.YAMLFiles(t, ".")
		if err != nil {
			return nil, classify(err)
		}
		for _, file := range inside {
			path := filepath.Join(t, filepath.FromSlash(file))
			all = append(all, named{filepath.ToSlash(path), path})
		}
	}
	if len(f.tests) == 0 && root != "" {
		inside, err := workspace.YAMLFiles(root, workspace.RoutesDir)
		if err != nil {
			return nil, classify(err)
		}
		for _, file := range inside {
			all = append(all, named{file, filepath.Join(root, filepath.FromSlash(file))})
		}
	}
	if len(all) == 0 {
		return nil, usage("there are no tests: name a file with --tests, or let `meshstorm test --init` write what the model implies into the workspace's %s/", workspace.RoutesDir)
	}
	var files []*routetest.File
	for _, n := range all {
		data, err := manifest.ReadFile(n.path)
		if err != nil {
			return nil, missing(n.path, err)
		}
		file, err := routetest.Load(n.name, data)
		if file == nil {
			return nil, classify(err)
		}
		files = append(files, file) // its errors are part of the report
	}
	return files, nil
}

func missing(path string, err error) error {
	if errors.Is(err, os.ErrNotExist) {
		return usage("%s: no such file or folder", path)
	}
	return classify(err)
}
