package cluster

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"sync"

	"k8s.io/apimachinery/pkg/util/httpstream"
	"k8s.io/client-go/tools/portforward"
	"k8s.io/client-go/transport/spdy"
)

// Forward opens a way to a port of a pod through the API server, as kubectl
// port-forward does: WebSockets first, SPDY where the server knows no better.
// Close it after use. Without the right to pods/portforward the error is
// apierrors.IsForbidden.
func (c *Client) Forward(ctx context.Context, namespace, pod string, port int) (*Forwarding, error) {
	target := c.Kube.CoreV1().RESTClient().Post().Resource("pods").Namespace(namespace).Name(pod).SubResource("portforward").URL()
	transport, upgrader, err := spdy.RoundTripperFor(c.Config)
	if err != nil {
		return nil, err
	}
	old := spdy.NewDialer(upgrader, &http.Client{Transport: transport}, http.MethodPost, target)
	tunnel, err := portforward.NewSPDYOverWebsocketDialer(target, c.Config)
	if err != nil {
		return nil, err
	}
	dialer := portforward.NewFallbackDialer(tunnel, old, func(err error) bool {
		return httpstream.IsUpgradeFailure(err) || httpstream.IsHTTPSProxyError(err)
	})
	f := &Forwarding{stop: make(chan struct{})}
	ready, failed := make(chan struct{}), make(chan error, 1)
	forwarder, err := portforward.NewOnAddresses(dialer, []string{"127.0.0.1"}, []string{"0:" + strconv.Itoa(port)}, f.stop, ready, io.Discard, io.Discard)
	if err != nil {
		return nil, err
	}
	go func() { failed <- forwarder.ForwardPorts() }()
	select {
	case <-ctx.Done():
		f.Close()
		return nil, ctx.Err()
	case err := <-failed:
		if err == nil {
			err = errors.New("the connection was closed")
		}
		return nil, fmt.Errorf("forward port %d of pod %s/%s: %w", port, namespace, pod, Explain(err))
	case <-ready:
	}
	ports, err := forwarder.GetPorts()
	if err != nil {
		f.Close()
		return nil, err
	}
	f.Address = net.JoinHostPort("127.0.0.1", strconv.Itoa(int(ports[0].Local)))
	return f, nil
}

// Forwarding is a local port that leads to a pod's.
type Forwarding struct {
	Address string // host:port on loopback

	once sync.Once
	stop chan struct{}
}

// Close ends it.
func (f *Forwarding) Close() { f.once.Do(func() { close(f.stop) }) }
