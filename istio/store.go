package istio

import (
	"errors"

	"istio.io/istio/pilot/pkg/model"
	"istio.io/istio/pkg/config"
	"istio.io/istio/pkg/config/schema/collection"
	"istio.io/istio/pkg/config/schema/collections"
	"istio.io/istio/pkg/kube/krt"
)

// store holds Istio's objects for istiod's code. It never changes, so that
// nothing has to be watched.
type store struct {
	byKind map[config.GroupVersionKind][]config.Config
	stop   <-chan struct{}
}

var (
	_ model.ConfigStoreController = &store{}

	errReadOnly = errors.New("this store cannot be changed")
)

func newStore(stop <-chan struct{}, all []config.Config) *store {
	s := &store{byKind: map[config.GroupVersionKind][]config.Config{}, stop: stop}
	for _, c := range all {
		s.byKind[c.GroupVersionKind] = append(s.byKind[c.GroupVersionKind], c)
	}
	return s
}

// Schemas implements model.ConfigStore.
func (s *store) Schemas() collection.Schemas { return collections.PilotGatewayAPI() }

// Get implements model.ConfigStore.
func (s *store) Get(kind config.GroupVersionKind, name, namespace string) *config.Config {
	for i, c := range s.byKind[kind] {
		if c.Name == name && c.Namespace == namespace {
			return &s.byKind[kind][i]
		}
	}
	return nil
}

// List implements model.ConfigStore.
func (s *store) List(kind config.GroupVersionKind, namespace string) []config.Config {
	all := s.byKind[kind]
	if namespace != model.NamespaceAll {
		var some []config.Config
		for _, c := range all {
			if c.Namespace == namespace {
				some = append(some, c)
			}
		}
		return some
	}
	// Callers sort what they get.
	return append([]config.Config(nil), all...)
}

// KrtCollection implements model.ConfigStoreController.
func (s *store) KrtCollection(kind config.GroupVersionKind) krt.Collection[config.Config] {
	return krt.NewStaticCollection(nil, s.byKind[kind], krt.WithName(kind.Kind), krt.WithStop(s.stop))
}

// Create implements model.ConfigStore.
func (s *store) Create(config.Config) (string, error) { return "", errReadOnly }

// Update implements model.ConfigStore.
func (s *store) Update(config.Config) (string, error) { return "", errReadOnly }

// UpdateStatus implements model.ConfigStore.
func (s *store) UpdateStatus(config.Config) (string, error) { return "", errReadOnly }

// Delete implements model.ConfigStore.
func (s *store) Delete(config.GroupVersionKind, string, string, *string) error { return errReadOnly }

// RegisterEventHandler implements model.ConfigStoreController; there are no
// events.
func (s *store) RegisterEventHandler(config.GroupVersionKind, model.EventHandler) {}

// Run implements model.ConfigStoreController.
func (s *store) Run(stop <-chan struct{}) { <-stop }

// HasSynced implements model.ConfigStoreController.
func (s *store) HasSynced() bool { return true }
