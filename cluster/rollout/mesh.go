package rollout

import (
	"context"
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/meshstorm/meshstorm/cluster"
	"github.com/meshstorm/meshstorm/shift"
)

// movedBy reports whether a VirtualService carries a rollout's shift.
func movedBy(vs *unstructured.Unstructured, plan string) bool {
	state, err := shift.Read(vs)
	return err == nil && state != nil && state.Plan == plan
}

// makeMeshRoute makes the rules for callers inside the mesh, with everything to
// stable. Without them such a caller reaches the canary by its number of pods,
// so they are there before its pods are.
func (l *live) makeMeshRoute(ctx context.Context, s *State, id cluster.ID) error {
	there, err := l.get(ctx, virtualServices, id.Namespace, id.Name)
	if err != nil || there != nil {
		return err
	}
	mapping, err := l.Client.Mapping(virtualServices)
	if err != nil {
		return err
	}
	full := host(s.Plan.Service, s.Plan.Namespace)
	route := func() []any {
		var all []any
		for _, to := range []struct {
			subset string
			weight int64
		}{{s.Stable, 100}, {s.Canary, 0}} {
			all = append(all, map[string]any{"destination": map[string]any{"host": full, "subset": to.subset}, "weight": to.weight})
		}
		return all
	}
	var writes []any
	for _, method := range []string{"POST", "PATCH"} {
		writes = append(writes, map[string]any{"method": map[string]any{"exact": method}})
	}
	vs := &unstructured.Unstructured{Object: map[string]any{"spec": map[string]any{
		"hosts": []any{full},
		"http": []any{
			// Istio retries by default, and a command must not be done twice.
			map[string]any{"name": "writes", "match": writes, "route": route(), "retries": map[string]any{"attempts": int64(0)}},
			map[string]any{"name": "primary", "route": route()},
		},
	}}}
	vs.SetGroupVersionKind(mapping.GroupVersionKind)
	vs.SetNamespace(id.Namespace)
	vs.SetName(id.Name)
	vs.SetLabels(map[string]string{"app": s.Plan.Service})
	_, err = l.Client.ApplyObject(ctx, vs, cluster.ApplyObjectOptions{})
	return err
}

// addSubset adds the canary's subset to the DestinationRule where it lacks one.
func (l *live) addSubset(ctx context.Context, s *State) error {
	return l.changeSubsets(ctx, s, func(subsets []any) []any {
		if slices.ContainsFunc(subsets, func(item any) bool { return named(item, s.Canary) }) {
			return subsets
		}
		labels := map[string]any{trackLabel: canaryTrack}
		for _, item := range subsets {
			if named(item, s.Stable) {
				of, _, _ := unstructured.NestedStringMap(item.(map[string]any), "labels")
				for key, value := range of {
					if key != trackLabel {
						labels[key] = value
					}
				}
			}
		}
		return append(subsets, map[string]any{"name": s.Canary, "labels": labels})
	})
}

func (l *live) dropSubset(ctx context.Context, s *State) error {
	return l.changeSubsets(ctx, s, func(subsets []any) []any {
		return slices.DeleteFunc(subsets, func(item any) bool { return named(item, s.Canary) })
	})
}

func (l *live) changeSubsets(ctx context.Context, s *State, change func([]any) []any) error {
	if s.MadeSubset == "" {
		return nil
	}
	id := cluster.ID{Group: destinationRules.Group, Kind: destinationRules.Kind, Namespace: s.Plan.Namespace, Name: s.MadeSubset}
	return again(ctx, id, func() error {
		rule, err := l.Client.Get(ctx, destinationRules, id)
		if err != nil || rule == nil {
			return err
		}
		subsets, _, _ := unstructured.NestedSlice(rule.Object, "spec", "subsets")
		before := len(subsets)
		if subsets = change(subsets); len(subsets) == before {
			return nil
		}
		part, err := cluster.Owned(rule, cluster.Manager)
		if err != nil {
			return err
		}
		if part == nil {
			part = bare(rule)
		}
		if err := unstructured.SetNestedSlice(part.Object, subsets, "spec", "subsets"); err != nil {
			return err
		}
		part.SetResourceVersion(rule.GetResourceVersion())
		_, err = l.Client.ApplyObject(ctx, part, cluster.ApplyObjectOptions{Force: s.Plan.ForceConflicts})
		if err != nil {
			return fmt.Errorf("subsets of %s: %w", id, err)
		}
		return nil
	})
}
