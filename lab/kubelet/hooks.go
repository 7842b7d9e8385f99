package kubelet

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/meshstorm/meshstorm/lab/kubelet/probe"
)

const (
	agentReadyPort = 15021 // of istio-proxy: /healthz/ready
	agentAdminPort = 15000
	hookTimeout    = 30 * time.Second
)

// hook runs a postStart or preStop handler. It ends early, without an error,
// when the container's process does.
func (w *worker) hook(ctx context.Context, c *corev1.Container, h *corev1.LifecycleHandler, gone <-chan struct{}) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		select {
		case <-gone:
			cancel()
		case <-ctx.Done():
		}
	}()
	switch {
	case h.Sleep != nil:
		select {
		case <-time.After(time.Duration(h.Sleep.Seconds) * time.Second):
		case <-ctx.Done():
		}
		return nil
	case h.HTTPGet != nil:
		return w.hookGet(ctx, c, h.HTTPGet)
	case h.Exec != nil:
		return w.hookExec(ctx, h.Exec.Command)
	case h.TCPSocket != nil:
		return errors.New("tcpSocket is not supported in a lifecycle handler") // Kubernetes deprecated it, too
	}
	return nil
}

func (w *worker) hookGet(ctx context.Context, c *corev1.Container, get *corev1.HTTPGetAction) error {
	u, headers, err := w.httpTarget(c, get)
	if err != nil {
		return err
	}
	return w.podIPs(probe.HTTP(ctx, w.dial, u, headers, hookTimeout))
}

// hookExec knows what Istio's injection sets.
func (w *worker) hookExec(ctx context.Context, command []string) error {
	if len(command) < 2 || command[0] != "pilot-agent" && !strings.HasSuffix(command[0], "/pilot-agent") {
		return unknownCommand(command)
	}
	switch command[1] {
	case "wait":
		return w.agentWait(ctx, command[2:])
	case "request":
		return w.agentRequest(ctx, command)
	}
	return unknownCommand(command)
}

// agentWait polls the sidecar's readiness, as `pilot-agent wait` does: every
// 500 ms for 60 s unless its flags say otherwise.
func (w *worker) agentWait(ctx context.Context, args []string) error {
	timeout, period := 60*time.Second, 500*time.Millisecond
	for i, a := range args {
		name, value, has := strings.Cut(a, "=")
		if !has && i+1 < len(args) {
			value = args[i+1]
		}
		switch name {
		case "--timeoutSeconds":
			if n, err := strconv.Atoi(value); err == nil {
				timeout = time.Duration(n) * time.Second
			}
		case "--periodMillis":
			if n, err := strconv.Atoi(value); err == nil && n > 0 {
				period = time.Duration(n) * time.Millisecond
			}
		}
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	u := &url.URL{Scheme: "http", Host: netip.AddrPortFrom(w.addr(), agentReadyPort).String(), Path: "/healthz/ready"}
	for {
		err := probe.HTTP(ctx, w.dial, u, nil, time.Second)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			if errors.Is(ctx.Err(), context.DeadlineExceeded) {
				return fmt.Errorf("timeout waiting for Envoy to become ready: %w", w.podIPs(err))
			}
			return ctx.Err()
		case <-time.After(min(period, 100*time.Millisecond)):
		}
	}
}

// agentRequest is `pilot-agent request [--debug-port=N] METHOD PATH`.
func (w *worker) agentRequest(ctx context.Context, command []string) error {
	port, words := agentAdminPort, []string(nil)
	for i := 2; i < len(command); i++ {
		name, value, has := strings.Cut(command[i], "=")
		if name != "--debug-port" {
			words = append(words, command[i])
			continue
		}
		if !has && i+1 < len(command) {
			i++
			value = command[i]
		}
		n, err := strconv.ParseUint(value, 10, 16)
		if err != nil {
			return fmt.Errorf("pilot-agent request: %q is not a port", value)
		}
		port = int(n)
	}
	if len(words) != 2 {
		return unknownCommand(command)
	}
	u := "http://" + netip.AddrPortFrom(w.addr(), uint16(port)).String() + "/" + strings.TrimPrefix(words[1], "/")
	req, err := http.NewRequestWithContext(ctx, words[0], u, nil)
	if err != nil {
		return err
	}
	transport := &http.Transport{DialContext: w.dial, DisableKeepAlives: true}
	resp, err := (&http.Client{Transport: transport, Timeout: hookTimeout}).Do(req)
	if err != nil {
		return w.podIPs(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode >= 300 {
		return fmt.Errorf("pilot-agent request %s %s: %s", words[0], words[1], resp.Status)
	}
	return nil
}

// dial connects the node to a pod: what stands for a pod IP on loopback.
func (w *worker) dial(ctx context.Context, network, address string) (net.Conn, error) {
	if bound, err := w.k.o.Net.BindPort(address); err == nil {
		address = bound
	}
	return (&net.Dialer{}).DialContext(ctx, network, address)
}

// podIPs puts the pod IP into an error's text where the loopback address is: the
// reader knows only that.
func (w *worker) podIPs(err error) error {
	if err == nil {
		return nil
	}
	ip := w.addr()
	text := strings.ReplaceAll(err.Error(), w.k.o.Net.Bind(ip).String(), ip.String())
	return errors.New(text)
}

func (w *worker) httpTarget(c *corev1.Container, get *corev1.HTTPGetAction) (*url.URL, http.Header, error) {
	port, err := portOf(c, get.Port)
	if err != nil {
		return nil, nil, err
	}
	host := get.Host
	if host == "" {
		host = w.addr().String()
	}
	scheme := strings.ToLower(string(get.Scheme))
	if scheme == "" {
		scheme = "http"
	}
	u, err := url.Parse(get.Path)
	if err != nil { // a kubelet takes such a path as it is
		u = &url.URL{Path: get.Path}
	}
	u.Scheme, u.Host = scheme, net.JoinHostPort(host, strconv.Itoa(port))
	headers := http.Header{}
	for _, h := range get.HTTPHeaders {
		headers.Add(h.Name, h.Value)
	}
	return u, headers, nil
}

func portOf(c *corev1.Container, port intstr.IntOrString) (int, error) {
	if port.Type == intstr.Int {
		if port.IntVal < 1 || port.IntVal > 65535 {
			return 0, fmt.Errorf("invalid port number: %v", port.IntVal)
		}
		return int(port.IntVal), nil
	}
	for _, p := range c.Ports {
		if p.Name == port.StrVal {
			return int(p.ContainerPort), nil
		}
	}
	if n, err := strconv.ParseUint(port.StrVal, 10, 16); err == nil {
		return int(n), nil
	}
	return 0, fmt.Errorf("couldn't find port: %s in container %s", port.StrVal, c.Name)
}
