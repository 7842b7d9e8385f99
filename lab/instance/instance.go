// Package instance is one lab put together: it starts the parts in the order in
// which they need each other, says what it waits for, keeps what others may
// know of it in files of its folder, and stops everything in reverse order.
package instance

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	"k8s.io/client-go/kubernetes"

	"github.com/meshstorm/meshstorm/lab/controlplane"
	"github.com/meshstorm/meshstorm/lab/kubelet"
	"github.com/meshstorm/meshstorm/lab/loopback"
	"github.com/meshstorm/meshstorm/lab/models"
	"github.com/meshstorm/meshstorm/lab/network"
)

// socketPrefix begins the name of the folder with the lab's sockets.
const socketPrefix = "meshstorm-lab-"

// Options are what `lab up` was asked for.
type Options struct {
	Dir       string   // the lab's folder
	Files     []string // manifests to apply when Istio is ready
	Namespace string   // of objects without one; default where ""
	Force     bool     // take over fields of the files' objects that others own
	APIPort   int      // wanted port of the API server; 6443 where 0
	LabBinary string   // this program, which is also istiod's
	PodBinary string   // the program of all other pods
	// Progress hears what is being done and waited for.
	Progress func(text string)
	Log      *slog.Logger
	Version  string
}

// Lab is a running one.
type Lab struct {
	o       Options
	net     loopback.Net
	sockets string // short paths: a socket's may have 104 bytes
	began   time.Time

	plane   *controlplane.ControlPlane
	client  kubernetes.Interface
	network *network.Network
	kubelet *kubelet.Kubelet
	models  *models.Store

	rest *errgroup.Group

	mu    sync.Mutex
	ready bool
}

// Run is the lab's whole life: it starts everything, calls ready, and ends when
// ctx does or a part fails.
func Run(ctx context.Context, o Options, ready func(*Lab)) (err error) {
	l := &Lab{o: o, began: time.Now()}
	if err := os.MkdirAll(o.Dir, 0o700); err != nil {
		return err
	}
	var claim net.Listener
	if l.net, claim, err = chooseNet(); err != nil {
		return err
	}
	defer func() { _ = claim.Close() }()
	if l.sockets, err = os.MkdirTemp("", socketPrefix); err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(l.sockets) }()
	podCtx, stopPods := context.WithCancel(context.WithoutCancel(ctx))
	restCtx, stopRest := context.WithCancel(context.WithoutCancel(ctx))
	defer stopPods()
	defer stopRest()
	// A part that ends takes the others along.
	whole, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	l.rest = &errgroup.Group{}
	pods := &errgroup.Group{}
	guard := func(g *errgroup.Group, name string, run func() error) {
		g.Go(func() error {
			err := run()
			if whole.Err() == nil {
				cancel(fmt.Errorf("the lab's %s stopped: %w", name, orEnded(err)))
			}
			return nil
		})
	}
	if err := l.start(whole, podCtx, restCtx, pods, guard); err == nil {
		ready(l)
		<-whole.Done()
	} else if whole.Err() == nil {
		cancel(err)
	}
	l.forget()
	stopPods()
	_ = pods.Wait()
	stopRest()
	_ = l.rest.Wait()
	if l.plane != nil {
		_ = l.plane.Wait()
	}
	if cause := context.Cause(whole); ctx.Err() == nil && cause != nil {
		return cause
	}
	return nil
}

func orEnded(err error) error {
	if err == nil {
		return errors.New("it ended by itself")
	}
	return err
}

// progress says what is done now.
func (l *Lab) progress(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	l.o.Log.Info(text)
	l.o.Progress(text)
}

func (l *Lab) path(parts ...string) string {
	return filepath.Join(append([]string{l.o.Dir}, parts...)...)
}

type guardFunc = func(g *errgroup.Group, name string, run func() error)

func (l *Lab) start(ctx, podCtx, restCtx context.Context, pods *errgroup.Group, guard guardFunc) error {
	var err error
	l.network, err = network.New(network.Options{
		Net: l.net, Log: l.o.Log, NodePortHost: "127.0.0.1", Avoid: []int{8080}, ConnectSocket: filepath.Join(l.sockets, "connect"),
	})
	if err != nil {
		return fmt.Errorf("start the node's network: %w", err)
	}
	guard(l.rest, "CONNECT proxy", func() error { return l.network.ServeConnect(restCtx) })
	l.progress("starting etcd and the Kubernetes API server")
	port := l.o.APIPort
	if port == 0 {
		port = 6443
	}
	l.plane, err = controlplane.Start(restCtx, controlplane.Options{
		Dir: l.path("control"), Port: port, Connect: filepath.Join(l.sockets, "connect"), Log: l.o.Log,
		Taken: func(port int) { l.progress("port %d is taken; the API server gets another one", port) },
	})
	if err != nil {
		return err
	}
	if l.client, err = kubernetes.NewForConfig(l.plane.Config); err != nil {
		return err
	}
	if err := l.writeKubeconfig(); err != nil {
		return err
	}
	guard(l.rest, "controllers", func() error { return l.plane.RunControllers(restCtx, l.o.Log) })
	if err := l.startNode(podCtx, restCtx, pods, guard); err != nil {
		return err
	}
	if err := l.serveControl(restCtx, guard); err != nil {
		return err
	}
	return l.install(ctx, restCtx, guard)
}
