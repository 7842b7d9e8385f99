package controlplane

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/discovery/cached/memory"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/metadata/metadatainformer"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/restmapper"
	"k8s.io/client-go/scale"
	"k8s.io/controller-manager/pkg/informerfactory"
	"k8s.io/klog/v2"
	"k8s.io/kubernetes/pkg/controller/certificates/rootcacertpublisher"
	"k8s.io/kubernetes/pkg/controller/clusterroleaggregation"
	"k8s.io/kubernetes/pkg/controller/deployment"
	"k8s.io/kubernetes/pkg/controller/disruption"
	"k8s.io/kubernetes/pkg/controller/endpointslice"
	"k8s.io/kubernetes/pkg/controller/garbagecollector"
	"k8s.io/kubernetes/pkg/controller/job"
	"k8s.io/kubernetes/pkg/controller/namespace"
	"k8s.io/kubernetes/pkg/controller/podautoscaler"
	hpametrics "k8s.io/kubernetes/pkg/controller/podautoscaler/metrics"
	"k8s.io/kubernetes/pkg/controller/podgc"
	"k8s.io/kubernetes/pkg/controller/replicaset"
	"k8s.io/kubernetes/pkg/controller/serviceaccount"
	"k8s.io/kubernetes/pkg/controller/statefulset"
	resourceclient "k8s.io/metrics/pkg/client/clientset/versioned/typed/metrics/v1beta1"
)

// Controlled are the kinds whose controllers run in the lab; the other workload
// kinds are stored and do nothing.
var Controlled = []string{
	"Deployment", "ReplicaSet", "StatefulSet", "Job", "EndpointSlice", "Namespace", "ServiceAccount",
	"ClusterRole", "PodDisruptionBudget", "HorizontalPodAutoscaler",
}

// Uncontrolled are the built-in kinds that wait for a controller which the lab
// does not have, as group and resource.
var Uncontrolled = []schema.GroupVersionResource{
	{Group: "apps", Version: "v1", Resource: "daemonsets"},
	{Group: "batch", Version: "v1", Resource: "cronjobs"},
	{Version: "v1", Resource: "replicationcontrollers"},
	{Version: "v1", Resource: "resourcequotas"},
	{Version: "v1", Resource: "persistentvolumes"},
	{Group: "networking.k8s.io", Version: "v1", Resource: "ingresses"},
	{Group: "networking.k8s.io", Version: "v1", Resource: "networkpolicies"},
	{Group: "certificates.k8s.io", Version: "v1", Resource: "certificatesigningrequests"},
}

type manager struct {
	config   *rest.Config
	client   kubernetes.Interface
	mapper   *restmapper.DeferredDiscoveryRESTMapper
	shared   informers.SharedInformerFactory
	metadata metadata.Interface
	// garbage watches every kind; the informers of the others are its own too.
	garbage informerfactory.InformerFactory
	ca      []byte
	started chan struct{}
	run     []func(ctx context.Context)
	log     *slog.Logger
}

// RunControllers runs Kubernetes' controllers until ctx ends, and returns when
// all have stopped.
func (c *ControlPlane) RunControllers(ctx context.Context, log *slog.Logger) error {
	ca, err := c.Keys.CA()
	if err != nil {
		return err
	}
	// The API server speaks protobuf for its own kinds: less to encode.
	config := rest.CopyConfig(c.Config)
	config.ContentType = "application/vnd.kubernetes.protobuf"
	config.AcceptContentTypes = "application/vnd.kubernetes.protobuf,application/json"
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return err
	}
	meta, err := metadata.NewForConfig(c.Config)
	if err != nil {
		return err
	}
	m := &manager{
		config: config, client: client, metadata: meta, ca: ca, log: log, started: make(chan struct{}),
		mapper: restmapper.NewDeferredDiscoveryRESTMapper(memory.NewMemCacheClient(client.Discovery())),
		shared: informers.NewSharedInformerFactory(client, 12*time.Hour),
	}
	m.garbage = informerfactory.NewInformerFactory(m.shared, metadatainformer.NewSharedInformerFactory(meta, 12*time.Hour))
	ctx = klog.NewContext(ctx, klog.Background())
	for _, add := range []func(context.Context) error{
		m.addWorkloads, m.addNetwork, m.addHousekeeping, m.addGarbageCollector, m.addAutoscaler,
	} {
		if err := add(ctx); err != nil {
			return fmt.Errorf("start the controllers: %w", err)
		}
	}
	m.garbage.Start(ctx.Done())
	close(m.started)
	var wait sync.WaitGroup
	for _, run := range m.run {
		wait.Go(func() { run(ctx) })
	}
	wait.Wait()
	m.shared.Shutdown()
	return nil
}

func (m *manager) add(run func(ctx context.Context)) { m.run = append(m.run, run) }

// workers is how many objects of a kind are worked on at once.
const workers = 3

func (m *manager) addWorkloads(ctx context.Context) error {
	apps, core := m.shared.Apps().V1(), m.shared.Core().V1()
	d, err := deployment.NewDeploymentController(ctx, apps.Deployments(), apps.ReplicaSets(), core.Pods(), m.client)
	if err != nil {
		return err
	}
	m.add(func(ctx context.Context) { d.Run(ctx, workers) })
	rs := replicaset.NewReplicaSetController(ctx, apps.ReplicaSets(), core.Pods(), m.client, replicaset.BurstReplicas)
	m.add(func(ctx context.Context) { rs.Run(ctx, workers) })
	ss := statefulset.NewStatefulSetController(ctx, core.Pods(), apps.StatefulSets(), core.PersistentVolumeClaims(),
		apps.ControllerRevisions(), m.client)
	m.add(func(ctx context.Context) { ss.Run(ctx, workers) })
	jobs, err := job.NewController(ctx, m.client, core.Pods(), m.shared.Batch().V1().Jobs(), nil, nil)
	if err != nil {
		return err
	}
	m.add(func(ctx context.Context) { jobs.Run(ctx, workers) })
	return nil
}

func (m *manager) addNetwork(ctx context.Context) error {
	core := m.shared.Core().V1()
	slices := endpointslice.NewController(ctx, core.Pods(), core.Services(), core.Nodes(),
		m.shared.Discovery().V1().EndpointSlices(), 100, m.client, 0)
	m.add(func(ctx context.Context) { slices.Run(ctx, workers) })
	return nil
}

func (m *manager) addHousekeeping(ctx context.Context) error {
	core, apps := m.shared.Core().V1(), m.shared.Apps().V1()
	ns := namespace.NewNamespaceController(ctx, m.client, m.metadata, m.client.Discovery().ServerPreferredNamespacedResources,
		core.Namespaces(), 5*time.Minute, corev1.FinalizerKubernetes)
	m.add(func(ctx context.Context) { ns.Run(ctx, workers) })
	accounts, err := serviceaccount.NewServiceAccountsController(klog.FromContext(ctx), core.ServiceAccounts(), core.Namespaces(),
		m.client, serviceaccount.DefaultServiceAccountsControllerOptions())
	if err != nil {
		return err
	}
	m.add(func(ctx context.Context) { accounts.Run(ctx, 1) })
	roots, err := rootcacertpublisher.NewPublisher(core.ConfigMaps(), core.Namespaces(), m.client, m.ca)
	if err != nil {
		return err
	}
	m.add(func(ctx context.Context) { roots.Run(ctx, 1) })
	roles := clusterroleaggregation.NewClusterRoleAggregation(m.shared.Rbac().V1().ClusterRoles(), m.client.RbacV1())
	m.add(func(ctx context.Context) { roles.Run(ctx, 1) })
	pods := podgc.NewPodGC(ctx, m.client, core.Pods(), core.Nodes(), 100)
	m.add(pods.Run)
	scales, err := m.scales()
	if err != nil {
		return err
	}
	budgets := disruption.NewDisruptionController(ctx, core.Pods(), m.shared.Policy().V1().PodDisruptionBudgets(),
		core.ReplicationControllers(), apps.ReplicaSets(), apps.Deployments(), apps.StatefulSets(), m.client, m.mapper,
		scales, m.client.Discovery())
	m.add(func(ctx context.Context) { budgets.Run(ctx, 1) })
	return nil
}

func (m *manager) scales() (scale.ScalesGetter, error) {
	return scale.NewForConfig(m.config, m.mapper, dynamicPaths, scale.NewDiscoveryScaleKindResolver(m.client.Discovery()))
}

func (m *manager) addGarbageCollector(ctx context.Context) error {
	gc, err := garbagecollector.NewGarbageCollector(ctx, m.client, m.metadata, m.mapper, garbagecollector.DefaultIgnoredResources(),
		m.garbage, m.started)
	if err != nil {
		return err
	}
	m.add(func(ctx context.Context) { gc.Run(ctx, workers, 30*time.Second) })
	disco, err := discovery.NewDiscoveryClientForConfig(m.config)
	if err != nil {
		return err
	}
	// New kinds (CRDs) are owners and owned too.
	m.add(func(ctx context.Context) { gc.Sync(ctx, disco, 30*time.Second) })
	return nil
}

func (m *manager) addAutoscaler(ctx context.Context) error {
	resources, err := resourceclient.NewForConfig(m.config)
	if err != nil {
		return err
	}
	scales, err := m.scales()
	if err != nil {
		return err
	}
	// Custom and external metrics have no server here: an HPA that asks for them
	// says so in its conditions.
	client := hpametrics.NewRESTMetricsClient(resources, noCustomMetrics{}, noExternalMetrics{})
	hpa := podautoscaler.NewHorizontalController(ctx, m.client.CoreV1(), scales, m.client.AutoscalingV2(), m.mapper, client,
		m.shared.Autoscaling().V2().HorizontalPodAutoscalers(), m.shared.Core().V1().Pods(),
		15*time.Second, 5*time.Minute, 0.1, 5*time.Minute, 30*time.Second)
	m.add(func(ctx context.Context) { hpa.Run(ctx, 1) })
	return nil
}
