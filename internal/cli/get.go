package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"sigs.k8s.io/yaml"

	"github.com/meshstorm/meshstorm/cluster"
	"github.com/meshstorm/meshstorm/cluster/overview"
	"github.com/meshstorm/meshstorm/workspace"
)

type getFlags struct {
	clusterFlags
	output     string
	all        bool
	watch      bool
	prometheus string
	span       time.Duration
	noMetrics  bool
}

// getKinds are what get lists, by all names that kubectl's users know.
var getKinds = map[string][]string{
	"services": {"services", "service", "svc"},
	"pods":     {"pods", "pod", "po"},
	"vs":       {"vs", "virtualservices", "virtualservice"},
	"dr":       {"dr", "destinationrules", "destinationrule"},
}

func newGet(a *app) *cobra.Command {
	f := &getFlags{}
	cmd := &cobra.Command{
		Use:   "get [services|pods|vs|dr] [NAME]...",
		Short: "Show what runs, and how its traffic is split",
		Long: `Get shows what runs in a namespace. Without a kind it lists the services: their pods, the routes that lead to
them, their subsets with the pods that each selects, the weights that are wished, and the split, errors and p95
really seen, by Prometheus or by the proxies' own counters since they started.`,
		Example: `  meshstorm get                 # services of the workspace's namespace
  meshstorm get -w              # and watch them
  meshstorm get vs -o wide
  meshstorm get dr order -o yaml`,
		RunE: func(cmd *cobra.Command, args []string) error { return a.get(cmd.Context(), f, args) },
	}
	f.add(cmd)
	flags := cmd.Flags()
	flags.StringVarP(&f.output, "output", "o", "text", "text, wide, json or yaml")
	flags.BoolVarP(&f.all, "all-namespaces", "A", false, "of all namespaces")
	flags.BoolVarP(&f.watch, "watch", "w", false, "go on showing what changes")
	flags.StringVar(&f.prometheus, "prometheus", "", "address of Prometheus; default: the proxies' own counters are asked")
	flags.DurationVar(&f.span, "span", time.Minute, "with --prometheus: how far back to measure")
	flags.BoolVar(&f.noMetrics, "no-metrics", false, "leave the traffic seen out")
	flagValues(cmd, "output", "text", "wide", "json", "yaml")
	return cmd
}

// getKind takes the kind off the arguments.
func getKind(args []string) (kind string, names []string, err error) {
	if len(args) == 0 {
		return "services", nil, nil
	}
	word := strings.ToLower(args[0])
	for kind, words := range getKinds {
		if slices.Contains(words, word) {
			return kind, args[1:], nil
		}
	}
	return "", nil, usage("get %q: expected services, pods, vs or dr", args[0])
}

func (a *app) get(ctx context.Context, f *getFlags, args []string) error {
	if err := output(f.output, "text", "wide", "json", "yaml"); err != nil {
		return err
	}
	kind, names, err := getKind(args)
	if err != nil {
		return err
	}
	if f.watch && f.output != "text" && f.output != "wide" {
		return usage("-w shows a table; leave out -o %s", f.output)
	}
	c, err := f.connect(a.namespaceHere(ctx))
	if err != nil {
		return err
	}
	o := overview.Options{AllNamespaces: f.all, Span: f.span}
	if kind == "services" && !f.noMetrics {
		if o.Metrics, err = a.metricsSource(ctx, c, f.prometheus); err != nil {
			return err
		}
	}
	show := func(v *overview.Overview) error { return a.showOverview(v, kind, names, f) }
	if f.watch {
		return a.watchOverview(ctx, c, o, kind, names, f)
	}
	v, err := overview.Read(ctx, c, o)
	if err != nil {
		return clusterError(err)
	}
	return show(v)
}

// namespaceHere is that of the workspace around this folder, "" without one: get
// works without a workspace too.
func (a *app) namespaceHere(ctx context.Context) string {
	dir := a.dir
	if dir == "" {
		dir = "."
	}
	root, err := workspace.Find(dir)
	if err != nil {
		return ""
	}
	w, err := a.open(ctx, root, nil)
	if err != nil {
		return ""
	}
	return w.Settings.Namespace
}

func (a *app) showOverview(v *overview.Overview, kind string, names []string, f *getFlags) error {
	missing := narrow(v, kind, names)
	for _, n := range v.Notes {
		fmt.Fprintln(a.Err, "note: "+n)
	}
	switch f.output {
	case "json":
		if err := writeJSON(a, v); err != nil {
			return outside(err)
		}
	case "yaml":
		text, err := yaml.Marshal(v)
		if err != nil {
			return err
		}
		if _, err := a.Out.Write(text); err != nil {
			return outside(err)
		}
	default:
		t := tableOf(v, kind, f)
		if len(t.rows) == 0 {
			if len(missing) == 0 {
				fmt.Fprintf(a.Err, "No %s found%s.\n", longKind[kind], where(v.Namespace))
			}
			break
		}
		if err := t.write(a.Out); err != nil {
			return outside(err)
		}
	}
	if len(missing) > 0 {
		var faults []error
		for _, m := range missing {
			faults = append(faults, fmt.Errorf("%s %q not found%s", longKind[kind], m, where(v.Namespace)))
		}
		return &exit{ExitNo, errors.Join(faults...)}
	}
	return nil
}

var longKind = map[string]string{"services": "services", "pods": "pods", "vs": "virtual services", "dr": "destination rules"}

func where(namespace string) string {
	if namespace == "" {
		return ""
	}
	return " in namespace " + namespace
}

// narrow keeps what is asked for, and names what is not there.
func narrow(v *overview.Overview, kind string, names []string) (missing []string) {
	if kind != "services" {
		v.Services = []overview.Service{} // nil would be printed as null
	}
	if kind != "pods" && kind != "services" {
		v.Pods = []overview.Pod{} // nil would be printed as null
	}
	if kind != "vs" && kind != "services" {
		v.VirtualServices = []overview.VirtualService{} // nil would be printed as null
	}
	if kind != "dr" && kind != "services" {
		v.DestinationRules = []overview.DestinationRule{} // nil would be printed as null
	}
	if len(names) == 0 {
		return nil
	}
	found := map[string]bool{}
	keep := func(name string) bool {
		if slices.Contains(names, name) {
			found[name] = true
			return true
		}
		return false
	}
	switch kind {
	case "services":
		v.Services = slices.DeleteFunc(v.Services, func(s overview.Service) bool { return !keep(s.Name) })
	case "pods":
		v.Pods = slices.DeleteFunc(v.Pods, func(p overview.Pod) bool { return !keep(p.Name) })
	case "vs":
		v.VirtualServices = slices.DeleteFunc(v.VirtualServices, func(s overview.VirtualService) bool { return !keep(s.Name) })
	case "dr":
		v.DestinationRules = slices.DeleteFunc(v.DestinationRules, func(d overview.DestinationRule) bool { return !keep(d.Name) })
	}
	for _, n := range names {
		if !found[n] {
			missing = append(missing, n)
		}
	}
	return missing
}

// watchOverview shows the table, and again what changes in it, until it is
// interrupted.
func (a *app) watchOverview(ctx context.Context, c *cluster.Client, o overview.Options, kind string, names []string, f *getFlags) error {
	var last *table
	drawn := 0
	return clusterError(overview.Watch(ctx, c, o, func(v *overview.Overview) error {
		narrow(v, kind, names)
		t := tableOf(v, kind, f)
		defer func() { last = t }()
		if a.Terminal {
			if drawn > 0 {
				fmt.Fprintf(a.Out, "\x1b[%dA\x1b[J", drawn)
			}
			drawn = len(t.rows) + 1
			return t.write(a.Out)
		}
		return t.writeChanged(a.Out, last)
	}))
}
