// Package kubelet is the lab's node agent: it binds pods to the only node and
// turns them into processes. It takes pods, ConfigMaps, Secrets and Services
// from the API server and gives processes, each told by a pod.Spec, with
// addresses on loopback; it gives the API pods' status, conditions and events
// as a real kubelet writes them, and serves logs and port-forwards on 10250.
//
// There are no containers: no images, no mount or network namespaces, no limits
// on CPU and memory, no users and capabilities (securityContext), no hostAliases
// and dnsConfig. What an image stands for is in Programs; a container's
// paths are mapped to folders by the Spec.
package kubelet

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/scheme"
	typedcorev1 "k8s.io/client-go/kubernetes/typed/core/v1"
	corelisters "k8s.io/client-go/listers/core/v1"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/record"

	"github.com/meshstorm/meshstorm/lab/loopback"
)

// Options are a kubelet's. Client, Dir, Models and Programs are required.
type Options struct {
	Client kubernetes.Interface
	Net    loopback.Net // loopback.Default unless set
	// Dir holds the state: pods/UID, volumes, and the logs as
	// pods/NAMESPACE_NAME_UID/CONTAINER/RESTART.log.
	Dir      string
	NodeName string // "lab" unless set
	Version  string // shown in the node's containerRuntimeVersion; "dev" unless set
	// KubernetesVersion is the node's kubeletVersion; that of the API server
	// unless set.
	KubernetesVersion string

	DNS, Node, Store string // for pod.Spec
	APIServer        string // URL, for istiod's kubeconfig
	CA               []byte // PEM, of the API server
	Models           Models
	Programs         Programs

	// TLS and Authorize are for the server on the node's address, port 10250.
	// Without TLS there is no server. Authorize nil refuses every request.
	TLS       *tls.Config
	Authorize func(*http.Request) error
	Listen    string // HOST:PORT instead of the node's address

	BackOff  BackOff       // of containers that end and images that fail
	Shutdown time.Duration // what processes get to end when the lab does; 5 s unless set
	Now      func() time.Time
	Log      *slog.Logger
}

// Kubelet is the node agent.
type Kubelet struct {
	o       Options
	log     *slog.Logger
	backOff BackOff
	nodeIP  string
	ips     *addresses

	factory       informers.SharedInformerFactory
	podInformer   cache.SharedIndexInformer
	podLister     corelisters.PodLister
	nodeLister    corelisters.NodeLister
	configMaps    corelisters.ConfigMapLister
	secrets       corelisters.SecretLister
	serviceLister corelisters.ServiceLister
	recorder      record.EventRecorder
	scheduler     record.EventRecorder
	broadcaster   record.EventBroadcaster
	pending       chan struct{} // a pod may be there to be bound

	mu      sync.Mutex
	ctx     context.Context // of the workers; nil before Run
	workers map[types.UID]*worker
	running sync.WaitGroup

	limits func() corev1.ResourceList
}

// New checks the options; nothing runs before Run.
func New(o Options) (*Kubelet, error) {
	var missing []error
	for name, there := range map[string]bool{"Client": o.Client != nil, "Dir": o.Dir != "", "Models": o.Models != nil, "Programs": o.Programs != nil} {
		if !there {
			missing = append(missing, fmt.Errorf("kubelet: Options.%s is required", name))
		}
	}
	if err := errors.Join(missing...); err != nil {
		return nil, err
	}
	defaults(&o)
	dir, err := filepath.Abs(o.Dir)
	if err != nil {
		return nil, fmt.Errorf("kubelet: %w", err)
	}
	o.Dir = dir
	if err := os.MkdirAll(filepath.Join(dir, "pods"), 0o700); err != nil {
		return nil, fmt.Errorf("kubelet: %w", err)
	}
	k := &Kubelet{
		o: o, log: o.Log, backOff: o.BackOff.orDefault(), nodeIP: loopback.NodeIP.String(),
		ips:     newAddresses(filepath.Join(dir, "next-pod-ip")),
		workers: map[types.UID]*worker{}, pending: make(chan struct{}, 1),
		limits: sync.OnceValue(nodeCapacity),
	}
	k.factory = informers.NewSharedInformerFactoryWithOptions(o.Client, 0, informers.WithTransform(lean))
	core := k.factory.Core().V1()
	k.podInformer, k.podLister = core.Pods().Informer(), core.Pods().Lister()
	k.nodeLister, k.configMaps = core.Nodes().Lister(), core.ConfigMaps().Lister()
	k.secrets, k.serviceLister = core.Secrets().Lister(), core.Services().Lister()
	if err := k.handlers(core.ConfigMaps().Informer(), core.Secrets().Informer(), core.Nodes().Informer()); err != nil {
		return nil, fmt.Errorf("kubelet: %w", err)
	}
	core.Services().Informer()
	return k, nil
}

func defaults(o *Options) {
	if o.Net == (loopback.Net{}) {
		o.Net = loopback.Default
	}
	if o.NodeName == "" {
		o.NodeName = "lab"
	}
	if o.Version == "" {
		o.Version = "dev"
	}
	if o.Shutdown <= 0 {
		o.Shutdown = 5 * time.Second
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
}

// lean drops what nobody here reads, from a copy: the object may be somebody
// else's too.
func lean(obj any) (any, error) {
	switch o := obj.(type) {
	case *corev1.Pod:
		c := *o
		c.ManagedFields = nil
		return &c, nil
	case *corev1.ConfigMap:
		c := *o
		c.ManagedFields = nil
		return &c, nil
	case *corev1.Secret:
		c := *o
		c.ManagedFields = nil
		return &c, nil
	case *corev1.Service:
		c := *o
		c.ManagedFields = nil
		return &c, nil
	case *corev1.Node:
		c := *o
		c.ManagedFields, c.Status.Images = nil, nil
		return &c, nil
	}
	return obj, nil
}

// Run runs the node until ctx ends. All processes have ended before it returns.
func (k *Kubelet) Run(ctx context.Context) error {
	server, err := k.listen()
	if err != nil {
		return err
	}
	k.broadcaster = record.NewBroadcaster(record.WithContext(context.WithoutCancel(ctx)))
	defer k.broadcaster.Shutdown()
	k.broadcaster.StartRecordingToSink(&typedcorev1.EventSinkImpl{Interface: k.o.Client.CoreV1().Events("")})
	k.recorder = k.broadcaster.NewRecorder(scheme.Scheme, corev1.EventSource{Component: "kubelet", Host: k.o.NodeName})
	k.scheduler = k.broadcaster.NewRecorder(scheme.Scheme, corev1.EventSource{Component: "default-scheduler"})
	if err := k.register(ctx); err != nil {
		return err
	}
	k.factory.Start(ctx.Done())
	defer k.factory.Shutdown()
	if err := k.synced(ctx); err != nil {
		return err
	}
	k.removeOrphans()
	workers, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	k.begin(workers)
	var all sync.WaitGroup
	all.Go(func() { k.heartbeat(ctx) })
	all.Go(func() { k.bindPods(ctx) })
	all.Go(func() { k.watchModels(ctx) })
	if server != nil {
		all.Go(func() { server.serve(ctx) })
	}
	<-ctx.Done()
	all.Wait()
	stop()
	k.shutdown()
	return nil
}

func (k *Kubelet) synced(ctx context.Context) error {
	for kind, ok := range k.factory.WaitForCacheSync(ctx.Done()) {
		if !ok && ctx.Err() == nil {
			return fmt.Errorf("kubelet: no list of %s from the API server", kind)
		}
	}
	return nil
}

// shutdown ends every process, side by side.
func (k *Kubelet) shutdown() {
	k.mu.Lock()
	k.ctx = nil
	workers := make([]*worker, 0, len(k.workers))
	for _, w := range k.workers {
		workers = append(workers, w)
	}
	k.mu.Unlock()
	k.running.Wait()
	var all sync.WaitGroup
	for _, w := range workers {
		all.Go(func() { w.shutdown(k.o.Shutdown) })
	}
	all.Wait()
}

func (k *Kubelet) watchModels(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-k.o.Models.Changed():
		}
		for _, w := range k.allWorkers() {
			w.modelsChanged()
		}
	}
}

func (k *Kubelet) allWorkers() []*worker {
	k.mu.Lock()
	defer k.mu.Unlock()
	all := make([]*worker, 0, len(k.workers))
	for _, w := range k.workers {
		all = append(all, w)
	}
	return all
}

func object[T runtime.Object](obj any) (T, bool) {
	if d, ok := obj.(cache.DeletedFinalStateUnknown); ok {
		obj = d.Obj
	}
	t, ok := obj.(T)
	return t, ok
}
