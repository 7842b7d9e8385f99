// Package topping is the registry of renderers: each topping turns the intent
// into Kubernetes objects of one concern (workloads, mesh). It takes a
// deploy.Model and gives manifest.Objects in a stable order, each with the file
// it belongs to; it also tells why each field is there, from the same rules
// that wrote it.
package topping

import (
	"fmt"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/meshstorm/meshstorm/deploy"
	"github.com/meshstorm/meshstorm/manifest"
)

// Keys that meshstorm's objects carry.
const (
	// SourceAnnotation names the model element an object came from.
	SourceAnnotation = "meshstorm.io/source"
	// ModelLabel marks the ConfigMaps that carry the model of a workspace.
	ModelLabel = "meshstorm.io/model"
	// PartOf groups all objects of a workspace, as kubectl's users filter them.
	PartOf = "app.kubernetes.io/part-of"
	// The keys that select pods and tell them apart.
	AppLabel, VersionLabel, TrackLabel = "app", "version", "track"
)

// The generated files, as users of the original know them.
const (
	TemplateFile = "kubernetes/template/template.yml"
	IstioFile    = "kubernetes/template/istio.yml"
	ModelFile    = "kubernetes/template/model.yml"
)

// Reason says why a field of a generated object is there.
type Reason struct {
	Text    string // the rule, in a sentence
	Setting string // the setting that decides it, "services.order.replicas"; "" for none
	Source  string // the model element it comes from, "Aggregate/Order"; "" for none
}

// Topping renders one concern.
type Topping interface {
	// Name is what settings and --topping call it.
	Name() string
	// Title and Group are what people see: "Istio", "Service Mesh".
	Title() string
	Group() string
	// Files are the files it writes, in order, even when there is nothing in
	// them.
	Files() []string
	// Render makes the objects.
	Render(m *deploy.Model) ([]manifest.Object, error)
	// Why explains a field of one of its objects; ok is false where it is no
	// field that this topping writes.
	Why(m *deploy.Model, id manifest.ID, field string) (Reason, bool)
}

// Registry holds the toppings that a program has.
type Registry []Topping

// Names lists the toppings' names.
func (r Registry) Names() []string {
	var names []string
	for _, t := range r {
		names = append(names, t.Name())
	}
	return names
}

// Get finds a topping.
func (r Registry) Get(name string) (Topping, error) {
	for _, t := range r {
		if t.Name() == name {
			return t, nil
		}
	}
	return nil, fmt.Errorf("unknown topping %q; expected one of %s", name, strings.Join(r.Names(), ", "))
}

// Selected gives the toppings that the settings switch on, in the registry's
// order.
func (r Registry) Selected(s *deploy.Settings) ([]Topping, error) {
	for _, name := range s.Toppings {
		if _, err := r.Get(name); err != nil {
			return nil, err
		}
	}
	return slices.DeleteFunc(slices.Clone(r), func(t Topping) bool { return !s.Runs(t.Name()) }), nil
}

// Meta is the metadata that all objects of a service share.
func Meta(m *deploy.Model, name string, source deploy.Source) metav1.ObjectMeta {
	meta := metav1.ObjectMeta{
		Name:      name,
		Namespace: m.Settings.Namespace,
		Labels:    map[string]string{PartOf: m.Workspace},
	}
	if source != (deploy.Source{}) {
		meta.Annotations = map[string]string{SourceAnnotation: source.String()}
	}
	return meta
}

// ServiceMeta is Meta with the label that names the service.
func ServiceMeta(m *deploy.Model, name string, s *deploy.Service) metav1.ObjectMeta {
	meta := Meta(m, name, s.Source)
	meta.Labels[AppLabel] = s.Name
	return meta
}
