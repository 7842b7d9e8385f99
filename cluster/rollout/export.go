package rollout

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/meshstorm/meshstorm/shift"
	"github.com/meshstorm/meshstorm/shift/export"
)

// Export is a plan with what runs, for engines of other makers. Where a canary of
// the service goes on, its plan stands instead of p. prometheus may be "".
// Errors wrap ErrPlan or ErrRefused.
func (e *Engine) Export(ctx context.Context, p Plan, prometheus string) (export.Plan, error) {
	_, st := e.parts(p.Namespace, p.Service)
	s, _, err := st.load(ctx)
	switch {
	case err != nil:
		return export.Plan{}, err
	case s != nil && !s.Phase.Ended():
		p = s.Plan
	default:
		if p.Image == "" {
			p.Image = "the engine takes the Deployment's" // it is no part of what is written
		}
		if err := p.Complete(); err != nil {
			return export.Plan{}, err
		}
	}
	stable, err := e.deployment(ctx, p.Namespace, p.Service)
	if err != nil {
		return export.Plan{}, err
	}
	backends, err := e.backends(ctx, p.Namespace, p.Service, podLabels(stable))
	if err != nil {
		return export.Plan{}, err
	}
	service, err := e.get(ctx, services, p.Namespace, p.Service)
	if err != nil {
		return export.Plan{}, err
	}
	if service == nil || len(ports(service)) == 0 {
		return export.Plan{}, fmt.Errorf("%w: there is no Service %s with a port in namespace %s", ErrRefused, p.Service, p.Namespace)
	}
	routes, err := e.routes(ctx, p.Namespace, p.Service)
	if err != nil {
		return export.Plan{}, err
	}
	x := export.Plan{
		Service: p.Service, Namespace: p.Namespace, Deployment: p.Service, Replicas: replicas(stable), Port: ports(service)[0],
		DestinationRule: backends.rule.GetName(), StableSubset: backends.stable, CanarySubset: backends.canary,
		Every: p.Every.Duration, MaxErrorRate: p.Bounds.MaxErrorRate, MaxP95: p.Bounds.MaxP95.Duration, Prometheus: prometheus,
		StickyCookie: p.Sticky, BlueGreen: p.Strategy == BlueGreen,
	}
	if x.CanarySubset == "" {
		x.CanarySubset = canaryTrack
	}
	if !x.BlueGreen {
		x.Steps = p.Steps
	}
	if p.Testers != nil {
		x.TestersHeader, x.TestersValue = p.Testers.Header, p.Testers.Value
	}
	if p.Mirror != nil {
		x.MirrorPercent = p.Mirror.Percent
	}
	exportRoutes(&x, routes, p)
	return x, nil
}

// exportRoutes adds what the VirtualServices say.
func exportRoutes(x *export.Plan, routes []*unstructured.Unstructured, p Plan) {
	gateways, hosts, paths := map[string]bool{}, map[string]bool{}, map[string]bool{}
	for _, vs := range routes {
		ref := export.VirtualServiceRef{Name: vs.GetName()}
		for _, w := range shift.Current(vs, p.Service, p.Namespace) {
			if w.Rule != "" && !slices.Contains(ref.Routes, w.Rule) {
				ref.Routes = append(ref.Routes, w.Rule)
			}
		}
		x.VirtualServices = append(x.VirtualServices, ref)
		add(gateways, vs, "spec", "gateways")
		add(hosts, vs, "spec", "hosts")
		rules, _, _ := unstructured.NestedSlice(vs.Object, "spec", "http")
		for _, item := range rules {
			rule, _ := item.(map[string]any)
			matches, _ := rule["match"].([]any)
			for _, m := range matches {
				match, _ := m.(map[string]any)
				for _, kind := range []string{"exact", "prefix"} {
					if path, ok, _ := unstructured.NestedString(match, "uri", kind); ok && strings.Trim(path, "/") != "" {
						paths[strings.TrimSuffix(path, "/")] = true
					}
				}
			}
		}
	}
	x.Gateways, x.Hosts, x.Paths = slices.Sorted(maps.Keys(gateways)), slices.Sorted(maps.Keys(hosts)), slices.Sorted(maps.Keys(paths))
}

func add(to map[string]bool, vs *unstructured.Unstructured, path ...string) {
	list, _, _ := unstructured.NestedStringSlice(vs.Object, path...)
	for _, v := range list {
		to[v] = true
	}
}
