package rollout

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/meshstorm/meshstorm/cluster"
)

// applied is what meshstorm applied of an object; of one that it never applied
// it is the live one, without what only the server writes.
func applied(live *unstructured.Unstructured) (*unstructured.Unstructured, error) {
	part, err := cluster.Owned(live, cluster.Manager)
	if err != nil {
		return nil, err
	}
	if part != nil {
		if _, ok, _ := unstructured.NestedMap(part.Object, "spec", "template"); ok {
			return part, nil
		}
	}
	part = bare(live)
	part.SetLabels(live.GetLabels())
	spec, _, _ := unstructured.NestedMap(live.Object, "spec")
	part.Object["spec"] = spec
	unstructured.RemoveNestedField(part.Object, "spec", "template", "metadata", "creationTimestamp")
	return part, nil
}

// canaryOf makes the canary's Deployment of stable's.
func canaryOf(stable *unstructured.Unstructured, s *State, pods int32) (*unstructured.Unstructured, error) {
	d, err := applied(stable)
	if err != nil {
		return nil, err
	}
	p := &s.Plan
	d.SetName(p.Deployment())
	labels := d.GetLabels()
	if labels == nil {
		labels = map[string]string{}
	}
	labels[trackLabel] = canaryTrack
	d.SetLabels(labels)
	annotations := map[string]string{}
	if source := d.GetAnnotations()["meshstorm.io/source"]; source != "" {
		annotations["meshstorm.io/source"] = source
	}
	annotations["meshstorm.io/canary"] = p.ID
	d.SetAnnotations(annotations)
	selector, _, _ := unstructured.NestedStringMap(stable.Object, "spec", "selector", "matchLabels")
	selector[trackLabel] = canaryTrack
	podLabels, _, _ := unstructured.NestedStringMap(stable.Object, "spec", "template", "metadata", "labels")
	podLabels[trackLabel] = canaryTrack
	podLabels[versionLabel] = versionOf(p.Image)
	for _, set := range []func() error{
		func() error { return unstructured.SetNestedField(d.Object, int64(pods), "spec", "replicas") },
		func() error {
			return unstructured.SetNestedStringMap(d.Object, selector, "spec", "selector", "matchLabels")
		},
		func() error {
			return unstructured.SetNestedStringMap(d.Object, podLabels, "spec", "template", "metadata", "labels")
		},
		func() error { return annotate(d, p.Annotations) },
		func() error { return change(d, p) },
	} {
		if err := set(); err != nil {
			return nil, err
		}
	}
	return d, nil
}

func annotate(d *unstructured.Unstructured, more map[string]string) error {
	if len(more) == 0 {
		return nil
	}
	annotations, _, _ := unstructured.NestedStringMap(d.Object, "spec", "template", "metadata", "annotations")
	if annotations == nil {
		annotations = map[string]string{}
	}
	maps.Copy(annotations, more)
	return unstructured.SetNestedStringMap(d.Object, annotations, "spec", "template", "metadata", "annotations")
}

// change sets the container's image and environment.
func change(d *unstructured.Unstructured, p *Plan) error {
	containers, _, _ := unstructured.NestedSlice(d.Object, "spec", "template", "spec", "containers")
	found := false
	for _, item := range containers {
		container, _ := item.(map[string]any)
		if container["name"] != p.Container {
			continue
		}
		found = true
		container["image"] = p.Image
		env, _ := container["env"].([]any)
		for _, more := range []map[string]string{p.Env, p.CanaryEnv} {
			env = withEnv(env, more)
		}
		if len(env) > 0 {
			container["env"] = env
		}
	}
	if !found {
		return fmt.Errorf("%w: Deployment %s has no container %q any more", ErrRefused, p.Service, p.Container)
	}
	return unstructured.SetNestedSlice(d.Object, containers, "spec", "template", "spec", "containers")
}

// withEnv sets variables where they stand, new ones at the end: another order
// would be another template, and new pods.
func withEnv(env []any, more map[string]string) []any {
	for _, name := range slices.Sorted(maps.Keys(more)) {
		value := map[string]any{"name": name, "value": more[name]}
		if at := slices.IndexFunc(env, func(item any) bool { return named(item, name) }); at >= 0 {
			env[at] = value
		} else {
			env = append(env, value)
		}
	}
	return env
}

func named(item any, name string) bool {
	m, _ := item.(map[string]any)
	return m["name"] == name
}

// versionOf is an image's tag as a label's value, of an image without one the
// start of its digest.
func versionOf(image string) string {
	name, digest, _ := strings.Cut(image, "@")
	version := ""
	if i := strings.LastIndex(name, ":"); i > strings.LastIndex(name, "/") {
		version = name[i+1:]
	} else if _, hex, ok := strings.Cut(digest, ":"); ok {
		version = hex[:min(len(hex), 12)]
	}
	if len(version) > 63 {
		version = version[:63]
	}
	if version = strings.Trim(version, "._-"); version == "" {
		return "v1"
	}
	return version
}

// templates reads what stable runs, and what the canary makes of it: all of the
// canary's template but its track and what was for the canary alone.
func (l *live) templates(ctx context.Context, s *State) (old, promoted map[string]any, err error) {
	stable, err := l.deployment(ctx, s.Plan.Namespace, s.Plan.Service)
	if err != nil {
		return nil, nil, err
	}
	canary, err := l.deployment(ctx, s.Plan.Namespace, s.Plan.Deployment())
	if err != nil {
		return nil, nil, err
	}
	before, err := applied(stable)
	if err != nil {
		return nil, nil, err
	}
	after, err := applied(canary)
	if err != nil {
		return nil, nil, err
	}
	old, _, _ = unstructured.NestedMap(before.Object, "spec", "template")
	promoted, _, _ = unstructured.NestedMap(after.Object, "spec", "template")
	if err := unstructured.SetNestedField(promoted, stableTrack, "metadata", "labels", trackLabel); err != nil {
		return nil, nil, err
	}
	dropCanaryEnv(promoted, old, &s.Plan)
	return old, promoted, nil
}

// dropCanaryEnv gives the variables that were for the canary alone the values
// that stable has, or takes them out.
func dropCanaryEnv(template, old map[string]any, p *Plan) {
	before := envOf(old, p.Container)
	containers, _, _ := unstructured.NestedSlice(template, "spec", "containers")
	for _, item := range containers {
		container, _ := item.(map[string]any)
		if container["name"] != p.Container {
			continue
		}
		env, _ := container["env"].([]any)
		var kept []any
		for _, v := range env {
			name := nameOf(v)
			if _, ours := p.CanaryEnv[name]; !ours {
				kept = append(kept, v)
			} else if at := slices.IndexFunc(before, func(item any) bool { return named(item, name) }); at >= 0 {
				kept = append(kept, before[at])
			}
		}
		if container["env"] = kept; len(kept) == 0 {
			delete(container, "env")
		}
	}
	_ = unstructured.SetNestedSlice(template, containers, "spec", "containers")
}

func envOf(template map[string]any, container string) []any {
	containers, _, _ := unstructured.NestedSlice(template, "spec", "containers")
	for _, item := range containers {
		if named(item, container) {
			env, _ := item.(map[string]any)["env"].([]any)
			return env
		}
	}
	return nil
}
