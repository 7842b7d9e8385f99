//go:build !gatewayapi

package istio

import (
	"context"

	"istio.io/istio/pilot/pkg/model"
	"istio.io/istio/pkg/config"
)

// translateGatewayAPI says that this build leaves istiod's Gateway API
// controller out: it needs modules that go.mod does not list (see the build tag
// gatewayapi).
func translateGatewayAPI(_ context.Context, w *world, _ *model.Environment, _ chan struct{}) (model.GatewayController, []config.Config, error) {
	for _, o := range w.gatewayed {
		if o.group != "" {
			w.problem(o, "this build does not translate objects of the Gateway API (it was made without the build tag gatewayapi)")
			break
		}
	}
	return nil, nil, nil
}
