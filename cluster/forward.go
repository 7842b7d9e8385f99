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

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/util/httpstream" //nolint:staticcheck // client-go's dialers are of this package still
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/portforward"
	"k8s.io/client-go/transport/spdy"
	"k8s.io/klog/v2"
)

// Forward opens a way to a port of a pod through the API server, as kubectl
// port-forward does: WebSockets first, SPDY where the server knows no better.
// Close it after use. Without the right to pods/portforward the error is
// apierrors.IsForbidden, without the pod apierrors.IsNotFound.
func (c *Client) Forward(ctx context.Context, namespace, pod string, port int) (*Forwarding, error) {
	request := c.Kube.CoreV1().RESTClient().Post().Resource("pods").Namespace(namespace).Name(pod).SubResource("portforward")
	dialer, err := c.forwardDialer(request)
	if err != nil {
		return nil, err
	}
	// Whoever closes the forwarding ends it, not who opened it; and a connection
	// that the pod refuses is for the caller's request to report, not for a log.
	quiet, stop := context.WithCancel(klog.NewContext(context.WithoutCancel(ctx), klog.Logger{}))
	f := &Forwarding{stop: stop}
	ready, failed := make(chan struct{}), make(chan error, 1)
	forwarder, err := portforward.NewOnAddressesWithContext(quiet, dialer, []string{"127.0.0.1"}, []string{"0:" + strconv.Itoa(port)}, ready, io.Discard, io.Discard)
	if err != nil {
		f.Close()
		return nil, err
	}
	go func() { failed <- forwarder.ForwardPorts() }()
	select {
	case <-ctx.Done():
		f.Close()
		return nil, ctx.Err()
	case err := <-failed:
		f.Close()
		if err == nil {
			err = errors.New("the connection was closed")
		}
		return nil, fmt.Errorf("forward port %d of pod %s/%s: %w", port, namespace, pod, whyNoForward(ctx, request, err))
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

// forwardDialer tries WebSockets and then SPDY.
func (c *Client) forwardDialer(request *rest.Request) (httpstream.Dialer, error) {
	target := request.URL()
	transport, upgrader, err := spdy.RoundTripperFor(c.Config)
	if err != nil {
		return nil, err
	}
	old := spdy.NewDialer(upgrader, &http.Client{Transport: transport}, http.MethodPost, target)
	tunnel, err := portforward.NewSPDYOverWebsocketDialer(target, c.Config)
	if err != nil {
		return nil, err
	}
	return portforward.NewFallbackDialer(tunnel, old, func(err error) bool {
		return httpstream.IsUpgradeFailure(err) || httpstream.IsHTTPSProxyError(err)
	}), nil
}

// whyNoForward asks once more without an upgrade: client-go gives the server's
// refusal as text alone, and the plain answer has the status.
func whyNoForward(ctx context.Context, request *rest.Request, err error) error {
	plain := request.Do(ctx).Error()
	if apierrors.IsForbidden(plain) || apierrors.IsUnauthorized(plain) || apierrors.IsNotFound(plain) || errors.Is(Explain(plain), ErrUnreachable) {
		return Explain(plain)
	}
	return Explain(err)
}

// Forwarding is a local port that leads to a pod's.
type Forwarding struct {
	Address string // host:port on loopback

	once sync.Once
	stop context.CancelFunc
}

// Close ends it.
func (f *Forwarding) Close() { f.once.Do(f.stop) }
