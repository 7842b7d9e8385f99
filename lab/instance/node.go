package instance

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"golang.org/x/sync/errgroup"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/meshstorm/meshstorm/lab/controlplane"
	"github.com/meshstorm/meshstorm/lab/kubelet"
	"github.com/meshstorm/meshstorm/lab/loopback"
	"github.com/meshstorm/meshstorm/lab/metricsapi"
	"github.com/meshstorm/meshstorm/lab/models"
	"github.com/meshstorm/meshstorm/lab/store"
)

// nodeName is the only node's.
const nodeName = "lab"

// metricsPort is where metrics.k8s.io is served on the node's address.
const metricsPort = 4443

// startNode starts what a node has: network, kubelet, and the lab's additions
// for its pods.
func (l *Lab) startNode(podCtx, restCtx context.Context, pods *errgroup.Group, guard guardFunc) error {
	l.network.SetClient(l.client, l.apiServer())
	guard(l.rest, "network", func() error { return l.network.Run(restCtx) })
	l.models = models.New(l.client, l.path("models"), l.o.Log)
	guard(l.rest, "model watcher", func() error { return l.models.Run(restCtx) })
	if err := l.startStore(restCtx, guard); err != nil {
		return err
	}
	tls, err := l.plane.Keys.KubeletTLS()
	if err != nil {
		return err
	}
	ca, err := l.plane.Keys.CA()
	if err != nil {
		return err
	}
	// A client of its own: many pods at once are no burst to be slowed down.
	client, err := kubernetes.NewForConfig(l.plane.Config)
	if err != nil {
		return err
	}
	l.kubelet, err = kubelet.New(kubelet.Options{
		Client: client, Net: l.net, Dir: l.path("node"), NodeName: nodeName,
		DNS: l.network.DNS(), Node: l.network.Node(), Store: filepath.Join(l.sockets, "store"),
		Models: l.models, Programs: kubelet.DefaultPrograms(l.o.PodBinary, l.o.LabBinary, l.models),
		TLS: tls, Authorize: authorize, APIServer: l.plane.URL, CA: ca, Now: time.Now, Log: l.o.Log,
	})
	if err != nil {
		return fmt.Errorf("start the kubelet: %w", err)
	}
	guard(pods, "kubelet", func() error { return l.kubelet.Run(podCtx) })
	return l.startMetrics(restCtx, guard)
}

// authorize leaves the kubelet's server to the API server, which has asked RBAC
// already: nobody else has a certificate for it.
func authorize(r *http.Request) error {
	if r.TLS == nil || len(r.TLS.PeerCertificates) == 0 || r.TLS.PeerCertificates[0].Subject.CommonName != "kube-apiserver" {
		return fmt.Errorf("only the API server may ask the kubelet")
	}
	return nil
}

func (l *Lab) startStore(ctx context.Context, guard guardFunc) error {
	socket := filepath.Join(l.sockets, "store")
	listener, err := net.Listen("unix", socket)
	if err != nil {
		return err
	}
	if err := os.Chmod(socket, 0o600); err != nil {
		return err
	}
	guard(l.rest, "store", func() error { return store.Serve(ctx, l.path("store"), listener, l.o.Log) })
	return nil
}

func (l *Lab) startMetrics(ctx context.Context, guard guardFunc) error {
	at := netip.AddrPortFrom(l.net.Bind(loopback.NodeIP), metricsPort).String()
	listener, err := net.Listen("tcp", at)
	if err != nil {
		return err
	}
	tls, err := l.plane.Keys.ServerTLS(controlplane.MetricsName)
	if err != nil {
		return err
	}
	guard(l.rest, "metrics server", func() error {
		return metricsapi.Serve(ctx, metricsapi.Options{Read: l.samples, Node: nodeName, Listen: listener, TLS: tls, Now: time.Now})
	})
	return nil
}

// samples joins what the kubelet measures with the pods' labels, by which the
// autoscaler asks.
func (l *Lab) samples() []metricsapi.Sample {
	pods, err := l.client.CoreV1().Pods("").List(context.Background(), metav1.ListOptions{ResourceVersion: "0"})
	if err != nil {
		l.o.Log.Warn("no metrics", "error", err)
		return nil
	}
	labels := map[string]map[string]string{}
	for i := range pods.Items {
		labels[pods.Items[i].Namespace+"/"+pods.Items[i].Name] = pods.Items[i].Labels
	}
	stats := l.kubelet.Stats()
	samples := make([]metricsapi.Sample, 0, len(stats))
	for _, s := range stats {
		samples = append(samples, metricsapi.Sample{
			Namespace: s.Namespace, Pod: s.Pod, Container: s.Container, Labels: labels[s.Namespace+"/"+s.Pod],
			CPU: time.Duration(s.CPUSeconds * float64(time.Second)), Memory: int64(s.MemoryBytes),
		})
	}
	return samples
}

// apiServer is where the API server listens.
func (l *Lab) apiServer() string {
	return "127.0.0.1:" + strconv.Itoa(l.apiPort())
}
