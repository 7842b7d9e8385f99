// Package charts renders Istio's own installation charts, which are embedded in
// the linked module, and the Gateway API's definitions that the ambient profile
// needs. It takes a profile and settings and gives objects; it speaks with no
// cluster. It is apart from package installation because it links Istio.
package charts

import (
	"bytes"
	"compress/gzip"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/yaml"

	"istio.io/istio/operator/pkg/manifest"
	"istio.io/istio/operator/pkg/render"
)

//go:generate go run ./gen

// Namespace is where Istio's control plane goes.
const Namespace = "istio-system"

// Options say what to render.
type Options struct {
	Profile  string   // one of Profiles
	Sets     []string // "meshConfig.accessLogFile=/dev/stdout", as istioctl's --set; they win over all else
	Hub      string   // registry and path of the images, "docker.io/istio"
	Tag      string   // of the images, "1.31.1"
	Revision string   // of the control plane; "" is the default one
}

// Profiles are the names that Render knows.
var Profiles = []string{"demo", "default", "minimal", "ambient"}

// ErrSettings says that a profile or a setting is not one that Istio has.
var ErrSettings = errors.New("these settings cannot be rendered")

// gatewayAPI holds the standard channel of sigs.k8s.io/gateway-api (Copyright
// The Kubernetes Authors, Apache License 2.0), as its module has it.
//
//go:embed data/gateway-api.yaml.gz
var gatewayAPI []byte

// Render gives the objects of a profile, the namespace first, in the same order
// each time. The error wraps ErrSettings.
func Render(o Options) ([]*unstructured.Unstructured, error) {
	if !slices.Contains(Profiles, o.Profile) {
		return nil, fmt.Errorf("%w: there is no profile %q; expected %s", ErrSettings, o.Profile, strings.Join(Profiles, ", "))
	}
	for _, set := range o.Sets {
		key, _, ok := strings.Cut(set, "=")
		switch {
		case !ok || key == "":
			return nil, fmt.Errorf("%w: %q: expected KEY=VALUE, such as meshConfig.accessLogFile=/dev/stdout", ErrSettings, set)
		case key == "hub" || key == "tag" || key == "profile" || key == "revision":
			return nil, fmt.Errorf("%w: %q: use --%s for it", ErrSettings, set, key)
		case key == "installPackagePath":
			return nil, fmt.Errorf("%w: %q: only the charts in this program are known to fit it", ErrSettings, set)
		}
	}
	sets := []string{"profile=" + o.Profile, "hub=" + o.Hub, "tag=" + o.Tag}
	if o.Revision != "" {
		sets = append(sets, "revision="+o.Revision)
	}
	rendered, _, err := render.GenerateManifest(nil, append(sets, o.Sets...), false, nil, nil)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrSettings, err)
	}
	// Rendering gives the components in any order.
	slices.SortFunc(rendered, func(a, b manifest.ManifestSet) int { return strings.Compare(string(a.Component), string(b.Component)) })
	objects := []*unstructured.Unstructured{{Object: map[string]any{
		"apiVersion": "v1", "kind": "Namespace", "metadata": map[string]any{"name": Namespace},
	}}}
	if o.Profile == "ambient" {
		definitions, err := GatewayAPI()
		if err != nil {
			return nil, err
		}
		objects = append(objects, definitions...)
	}
	for _, set := range rendered {
		for _, m := range set.Manifests {
			objects = append(objects, m.Unstructured)
		}
	}
	return objects, nil
}

// GatewayAPI gives the Gateway API's CustomResourceDefinitions and the policy
// that guards them from being replaced by older ones.
func GatewayAPI() ([]*unstructured.Unstructured, error) {
	packed, err := gzip.NewReader(bytes.NewReader(gatewayAPI))
	if err != nil {
		return nil, fmt.Errorf("the Gateway API's definitions: %w", err)
	}
	var all []*unstructured.Unstructured
	decoder := yaml.NewYAMLOrJSONDecoder(packed, 4096)
	for {
		o := &unstructured.Unstructured{}
		if err := decoder.Decode(&o.Object); errors.Is(err, io.EOF) {
			return all, nil
		} else if err != nil {
			return nil, fmt.Errorf("the Gateway API's definitions: %w", err)
		}
		if len(o.Object) == 0 {
			continue
		}
		// What only the server writes cannot be applied.
		unstructured.RemoveNestedField(o.Object, "status")
		unstructured.RemoveNestedField(o.Object, "metadata", "creationTimestamp")
		all = append(all, o)
	}
}
