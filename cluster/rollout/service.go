package rollout

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/meshstorm/meshstorm/cluster"
	"github.com/meshstorm/meshstorm/shift"
)

// Kinds that are read; the cluster says in which version.
var (
	virtualServices  = schema.GroupVersionKind{Group: "networking.istio.io", Kind: "VirtualService"}
	destinationRules = schema.GroupVersionKind{Group: "networking.istio.io", Kind: "DestinationRule"}
	deployments      = schema.GroupVersionKind{Group: "apps", Version: "v1", Kind: "Deployment"}
	services         = schema.GroupVersionKind{Version: "v1", Kind: "Service"}
)

// trackLabel tells the pods of stable and canary apart.
const trackLabel = "track"

const (
	stableTrack = "stable"
	canaryTrack = "canary"
)

// live does to a cluster what a rollout asks for.
type live struct{ *Engine }

// host is the full name of a service.
func host(service, namespace string) string { return service + "." + namespace + ".svc.cluster.local" }

// names reports whether a host as written in namespace means the service.
func names(written, service, namespace string) bool {
	return slices.Contains([]string{service, service + "." + namespace, service + "." + namespace + ".svc", host(service, namespace)}, written)
}

// list gives all objects of a kind, none where the cluster does not know it.
func (e *Engine) list(ctx context.Context, kind schema.GroupVersionKind, namespace string) ([]*unstructured.Unstructured, error) {
	resource, err := e.Client.Resource(kind, namespace)
	if meta.IsNoMatchError(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	found, err := resource.List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, fmt.Errorf("list %ss: %w", strings.ToLower(kind.Kind), cluster.Explain(err))
	}
	var all []*unstructured.Unstructured
	for i := range found.Items {
		all = append(all, &found.Items[i])
	}
	return all, nil
}

func (e *Engine) get(ctx context.Context, kind schema.GroupVersionKind, namespace, name string) (*unstructured.Unstructured, error) {
	return e.Client.Get(ctx, kind, cluster.ID{Group: kind.Group, Kind: kind.Kind, Namespace: namespace, Name: name})
}

// routes are the VirtualServices that send to a service: those for
// callers inside the mesh first, so that no request goes ahead of them.
func (e *Engine) routes(ctx context.Context, namespace, service string) ([]*unstructured.Unstructured, error) {
	all, err := e.list(ctx, virtualServices, namespace)
	if err != nil {
		return nil, err
	}
	all = slices.DeleteFunc(all, func(vs *unstructured.Unstructured) bool {
		return len(shift.Current(vs, service, namespace)) == 0
	})
	slices.SortStableFunc(all, func(a, b *unstructured.Unstructured) int {
		if m, n := forMesh(a), forMesh(b); m != n {
			if m {
				return -1
			}
			return 1
		}
		return strings.Compare(a.GetName(), b.GetName())
	})
	return all, nil
}

// forMesh reports whether a VirtualService is for callers inside the mesh.
func forMesh(vs *unstructured.Unstructured) bool {
	gateways, _, _ := unstructured.NestedStringSlice(vs.Object, "spec", "gateways")
	return len(gateways) == 0 || slices.Contains(gateways, "mesh")
}

// meshRoute reports whether callers inside the mesh have rules for the service
// already.
func meshRoute(all []*unstructured.Unstructured, service, namespace string) bool {
	return slices.ContainsFunc(all, func(vs *unstructured.Unstructured) bool {
		hosts, _, _ := unstructured.NestedStringSlice(vs.Object, "spec", "hosts")
		return forMesh(vs) && slices.ContainsFunc(hosts, func(h string) bool { return names(h, service, namespace) })
	})
}

// backends is a service's DestinationRule with the subsets of the two tracks.
type backends struct {
	rule           *unstructured.Unstructured
	stable, canary string // subset names; canary is "" where it is missing
}

// backends finds the subsets by what they select, since people name them as
// they like.
func (e *Engine) backends(ctx context.Context, namespace, service string, pods map[string]string) (*backends, error) {
	all, err := e.list(ctx, destinationRules, namespace)
	if err != nil {
		return nil, err
	}
	for _, rule := range all {
		written, _, _ := unstructured.NestedString(rule.Object, "spec", "host")
		if !names(written, service, namespace) {
			continue
		}
		b := &backends{rule: rule}
		subsets, _, _ := unstructured.NestedSlice(rule.Object, "spec", "subsets")
		for _, item := range subsets {
			subset, _ := item.(map[string]any)
			name, _ := subset["name"].(string)
			labels, _, _ := unstructured.NestedStringMap(subset, "labels")
			switch {
			case labels[trackLabel] == stableTrack && selects(labels, pods, stableTrack):
				b.stable = name
			case labels[trackLabel] == canaryTrack && selects(labels, pods, canaryTrack):
				b.canary = name
			}
		}
		if b.stable != "" {
			return b, nil
		}
	}
	return nil, fmt.Errorf("%w: no DestinationRule of %s has a subset for the label track=stable; `meshstorm generate` writes one and `meshstorm apply` applies it", ErrRefused, service)
}

// selects reports whether labels fit pods of a track, whatever version these
// are: promoting must not have to change a subset.
func selects(labels, pods map[string]string, track string) bool {
	for key, value := range labels {
		switch {
		case key == trackLabel:
			if value != track {
				return false
			}
		case key == "version" || pods[key] != value:
			return false
		}
	}
	return true
}

// ports are the Service's.
func ports(service *unstructured.Unstructured) []int {
	var all []int
	list, _, _ := unstructured.NestedSlice(service.Object, "spec", "ports")
	for _, item := range list {
		port, _ := item.(map[string]any)
		if n, ok := port["port"].(int64); ok {
			all = append(all, int(n))
		}
	}
	return all
}

// podLabels are those of a Deployment's template.
func podLabels(deployment *unstructured.Unstructured) map[string]string {
	labels, _, _ := unstructured.NestedStringMap(deployment.Object, "spec", "template", "metadata", "labels")
	return labels
}

// replicas are the pods that a Deployment is meant to have.
func replicas(deployment *unstructured.Unstructured) int32 {
	n, ok, _ := unstructured.NestedInt64(deployment.Object, "spec", "replicas")
	if !ok {
		return 1
	}
	return int32(n)
}

// deployment reads the stable Deployment.
func (e *Engine) deployment(ctx context.Context, namespace, name string) (*unstructured.Unstructured, error) {
	d, err := e.get(ctx, deployments, namespace, name)
	if err == nil && d == nil {
		err = fmt.Errorf("%w: there is no Deployment %s in namespace %s; `meshstorm get` shows what runs", ErrRefused, name, namespace)
	}
	return d, err
}

func deploymentID(namespace, name string) cluster.ID {
	return cluster.ID{Group: "apps", Kind: "Deployment", Namespace: namespace, Name: name}
}
