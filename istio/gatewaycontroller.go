package istio

import (
	"context"
	"fmt"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"istio.io/istio/pilot/pkg/config/kube/gateway"
	"istio.io/istio/pilot/pkg/model"
	"istio.io/istio/pilot/pkg/serviceregistry/kube/controller"
	"istio.io/istio/pkg/config"
	"istio.io/istio/pkg/config/schema/gvk"
)

// translateGatewayAPI runs istiod's controller for the Gateway API, and gives
// what it makes: Gateways, VirtualServices and DestinationRules of Istio's.
// The controller watches an API server, so it gets one that is only a store.
func translateGatewayAPI(ctx context.Context, w *world, env *model.Environment, stop chan struct{}) (model.GatewayController, []config.Config, error) {
	objects, err := w.gatewayAPIObjects()
	if err != nil {
		return nil, nil, err
	}
	client, err := fakeClient(w, objects)
	if err != nil {
		return nil, nil, err
	}
	updater := model.NewEndpointIndexUpdater(env.EndpointIndex)
	c := gateway.NewController(client, func(schema.GroupVersionResource, <-chan struct{}) bool { return true },
		controller.Options{DomainSuffix: w.opts.ClusterDomain, ClusterID: clusterID, SystemNamespace: w.opts.IstioNamespace}, updater)
	// It wants to know the services before it sees a Gateway.
	services, err := settle(ctx, env, newStore(stop, nil), stop)
	if err != nil {
		return nil, nil, err
	}
	c.Reconcile(services)
	go c.Run(stop)
	if !client.RunAndWait(stop) {
		return nil, nil, fmt.Errorf("translate Gateway API objects: %w", context.Cause(ctx))
	}
	if err := synced(ctx, c.HasSynced); err != nil {
		return nil, nil, fmt.Errorf("translate Gateway API objects: %w", err)
	}
	var all []config.Config
	for _, kind := range []config.GroupVersionKind{gvk.Gateway, gvk.VirtualService, gvk.DestinationRule} {
		all = append(all, c.List(kind, model.NamespaceAll)...)
	}
	w.checkAttached(all)
	return c, all, nil
}
