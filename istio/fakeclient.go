package istio

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	metadatafake "k8s.io/client-go/metadata/fake"

	"istio.io/istio/pilot/pkg/model"
	"istio.io/istio/pilot/pkg/serviceregistry/serviceentry"
	"istio.io/istio/pkg/config/schema/gvk"
	"istio.io/istio/pkg/config/schema/gvr"
	"istio.io/istio/pkg/kube"
	"istio.io/istio/pkg/kube/multicluster"
)

// addEntries runs istiod's controller for ServiceEntries, where there are any.
func addEntries(ctx context.Context, w *world, env *model.Environment, r *registry, stop chan struct{}) error {
	found := false
	for _, c := range w.configs {
		found = found || c.GroupVersionKind == gvk.ServiceEntry
	}
	if !found {
		return nil
	}
	client, err := fakeClient(w, nil)
	if err != nil {
		return err
	}
	clusters := multicluster.NewController(multicluster.ControllerOptions{Client: client, ClusterID: clusterID,
		SystemNamespace: w.opts.IstioNamespace, MeshConfig: env.Watcher})
	updater := model.NewEndpointIndexUpdater(env.EndpointIndex)
	entries := serviceentry.NewController(newStore(stop, w.configs), updater, clusters, env.Watcher, serviceentry.WithClusterID(clusterID))
	if err := clusters.Run(stop); err != nil {
		return fmt.Errorf("read ServiceEntries: %w", err)
	}
	go entries.Run(stop)
	if !client.RunAndWait(stop) {
		return fmt.Errorf("read ServiceEntries: %w", context.Cause(ctx))
	}
	if err := synced(ctx, entries.HasSynced); err != nil {
		return fmt.Errorf("read ServiceEntries: %w", err)
	}
	entries.ResyncEDS()
	r.entries = entries
	return nil
}

// synced waits for a controller that can only be asked.
func synced(ctx context.Context, done func() bool) error {
	tick := time.NewTicker(200 * time.Microsecond)
	defer tick.Stop()
	for !done() {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-tick.C:
		}
	}
	return nil
}

// fakeClient is a store that looks like an API server.
func fakeClient(w *world, objects []runtime.Object) (kube.Client, error) {
	for name := range w.everyNamespace() {
		ns := w.namespaces[name]
		if ns == nil {
			ns = &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}
		}
		ns = ns.DeepCopy()
		if ns.Labels == nil {
			ns.Labels = map[string]string{}
		}
		ns.Labels["kubernetes.io/metadata.name"] = name
		objects = append(objects, ns)
	}
	client := kube.NewFakeClient(objects...)
	definitions, ok := client.Metadata().(*metadatafake.FakeMetadataClient)
	if !ok {
		return nil, fmt.Errorf("prepare a store for istiod: expected a fake metadata client, got %T", client.Metadata())
	}
	crds, ok := definitions.Resource(gvr.CustomResourceDefinition).(metadatafake.MetadataClient)
	if !ok {
		return nil, fmt.Errorf("prepare a store for istiod: expected a fake metadata client for definitions")
	}
	for _, g := range []schema.GroupVersionResource{gvr.GatewayClass, gvr.KubernetesGateway, gvr.HTTPRoute, gvr.GRPCRoute,
		gvr.TCPRoute, gvr.TLSRoute, gvr.ReferenceGrant, gvr.ServiceEntry, gvr.BackendTLSPolicy, gvr.ListenerSet} {
		_, err := crds.CreateFake(&metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{
			Name:        g.Resource + "." + g.Group,
			Annotations: map[string]string{"gateway.networking.k8s.io/bundle-version": "v1.6.0"},
		}}, metav1.CreateOptions{})
		if err != nil {
			return nil, fmt.Errorf("prepare a store for istiod: %w", err)
		}
	}
	return client, nil
}

// everyNamespace are the namespaces that objects live in.
func (w *world) everyNamespace() map[string]bool {
	all := map[string]bool{w.opts.IstioNamespace: true, "default": true}
	for _, o := range w.order {
		if o.namespace != "" {
			all[o.namespace] = true
		}
	}
	for name := range w.namespaces {
		all[name] = true
	}
	return all
}
