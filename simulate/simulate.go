// Package simulate follows one request through a mesh that does not run: it
// takes a mesh (package istio) and a request, and gives the answer in the words
// of the people who wrote the manifests: which rule of which file took it and
// why the others did not, where it goes and in what shares, what is changed on
// the way, and what a client gets where it fails.
package simulate

import (
	"sync"

	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"

	"github.com/meshstorm/meshstorm/istio"
	"github.com/meshstorm/meshstorm/route"
)

// Mesh answers requests for one set of manifests. It is safe for concurrent
// use.
type Mesh struct {
	*istio.Mesh

	mu       sync.Mutex
	compiled map[*routev3.RouteConfiguration]*route.Config
	filters  map[*listenerv3.Listener][]string // see otherFilters
}

// New makes the answers of a mesh.
func New(m *istio.Mesh) *Mesh {
	return &Mesh{Mesh: m, compiled: map[*routev3.RouteConfiguration]*route.Config{}, filters: map[*listenerv3.Listener][]string{}}
}
