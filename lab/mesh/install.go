// Package mesh is Istio in the lab: the demo profile rendered by Istio's own
// library, and istiod's program. Nothing of Istio's manifests is changed but
// what the charts have settings for, and the gateway's node ports.
package mesh

import (
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"istio.io/istio/operator/pkg/manifest"
	"istio.io/istio/operator/pkg/render"
)

// Namespace is where Istio lives.
const Namespace = "istio-system"

// The images that the manifests name. The lab runs what is linked into it:
// Istio's release-1.31 branch of 2026-08-27.
const (
	Hub     = "docker.io/istio"
	Tag     = "1.31.1"
	Version = "1.31 (release branch of 2026-08-27, eed52ebb66ad)"
)

// The node ports of the ingress gateway, so that its URL is the same in every
// lab; the network chooses others where they are taken.
const (
	HTTPNodePort  = 30080
	HTTPSNodePort = 30443
)

// Install gives the objects of the demo profile.
func Install() ([]*unstructured.Unstructured, error) {
	sets, _, err := render.GenerateManifest(nil, []string{
		"profile=demo",
		"hub=" + Hub,
		"tag=" + Tag,
		// The lab's sidecars have no mTLS (docs/lab.md).
		"meshConfig.enableAutoMtls=false",
	}, false, nil, nil)
	if err != nil {
		return nil, fmt.Errorf("render Istio's demo profile: %w", err)
	}
	// Rendering gives the components in any order.
	slices.SortFunc(sets, func(a, b manifest.ManifestSet) int { return strings.Compare(string(a.Component), string(b.Component)) })
	objects := []*unstructured.Unstructured{{Object: map[string]any{
		"apiVersion": "v1", "kind": "Namespace", "metadata": map[string]any{"name": Namespace},
	}}}
	for _, set := range sets {
		for _, m := range set.Manifests {
			if err := setNodePorts(m.Unstructured); err != nil {
				return nil, err
			}
			objects = append(objects, m.Unstructured)
		}
	}
	return objects, nil
}

func setNodePorts(o *unstructured.Unstructured) error {
	if o.GetKind() != "Service" || o.GetName() != "istio-ingressgateway" {
		return nil
	}
	ports, found, err := unstructured.NestedSlice(o.Object, "spec", "ports")
	if err != nil || !found {
		return fmt.Errorf("the ingress gateway's Service has no ports: %w", err)
	}
	for _, p := range ports {
		switch port := p.(map[string]any); port["name"] {
		case "http2":
			port["nodePort"] = int64(HTTPNodePort)
		case "https":
			port["nodePort"] = int64(HTTPSNodePort)
		}
	}
	return unstructured.SetNestedSlice(o.Object, ports, "spec", "ports")
}
