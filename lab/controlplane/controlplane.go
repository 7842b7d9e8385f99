// Package controlplane is Kubernetes' own control plane in one process: etcd,
// kube-apiserver and the controllers that a mesh of services needs. It takes a
// data folder and gives a running API server on loopback with a kubeconfig for
// its administrator; everything it makes is kept in the folder, which a second
// start finds again.
package controlplane

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	logsapi "k8s.io/component-base/logs/api/v1"

	"k8s.io/client-go/rest"
)

// Options say where the control plane lives.
type Options struct {
	Dir string // for etcd's data and the keys; made with mode 0700
	// Port of the API server on 127.0.0.1; another one is chosen where it is
	// taken, or 0.
	Port int
	// Connect is the unix socket of an HTTP CONNECT proxy that reaches pods and
	// ClusterIPs; webhooks, aggregated APIs and the kubelet are asked through it.
	Connect string
	// Taken hears of a port that was asked for and is taken.
	Taken func(port int)
	Log   *slog.Logger
}

// ControlPlane is a running one.
type ControlPlane struct {
	Keys *Keys
	// Config is the administrator's, without rate limits.
	Config *rest.Config
	URL    string

	done chan error
}

// Start brings up etcd and the API server and returns when the API server is
// ready. It stops when ctx ends; Wait tells when everything has stopped.
func Start(ctx context.Context, o Options) (*ControlPlane, error) {
	logsapi.ReapplyHandling = logsapi.ReapplyHandlingIgnoreUnchanged
	if err := os.MkdirAll(o.Dir, 0o700); err != nil {
		return nil, err
	}
	keys, err := loadKeys(filepath.Join(o.Dir, "pki"))
	if err != nil {
		return nil, err
	}
	// etcd must outlive the API server, which writes until it has drained.
	etcdCtx, stopEtcd := context.WithCancel(context.WithoutCancel(ctx))
	store, err := startEtcd(etcdCtx, o.Dir, keys, o.Log)
	if err != nil {
		stopEtcd()
		return nil, fmt.Errorf("start etcd: %w", err)
	}
	server, err := newServer(o, keys, store.address)
	if err != nil {
		stopEtcd()
		store.wait()
		return nil, fmt.Errorf("start the API server: %w", err)
	}
	c := &ControlPlane{Keys: keys, Config: server.config, URL: server.config.Host, done: make(chan error, 1)}
	go func() {
		err := server.run(ctx)
		stopEtcd()
		store.wait()
		c.done <- err
	}()
	if err := c.ready(ctx); err != nil {
		return nil, errors.Join(err, server.exit())
	}
	return c, nil
}

// Wait returns when the API server and etcd have stopped.
func (c *ControlPlane) Wait() error {
	err := <-c.done
	c.done <- err
	return err
}

// ready waits for /readyz.
func (c *ControlPlane) ready(ctx context.Context) error {
	client, err := rest.HTTPClientFor(c.Config)
	if err != nil {
		return err
	}
	client.Timeout = 5 * time.Second
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case err := <-c.done:
			c.done <- err
			return fmt.Errorf("the API server stopped before it was ready: %w", err)
		case <-tick.C:
		}
		res, err := client.Get(c.URL + "/readyz")
		if err != nil {
			continue
		}
		_ = res.Body.Close()
		if res.StatusCode == 200 {
			return nil
		}
	}
}
