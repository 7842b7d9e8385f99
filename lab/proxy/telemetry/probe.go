package telemetry

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health/grpc_health_v1"
)

// maxProbeBody is how much of an application's answer a probe hands on, in
// bytes.
const maxProbeBody = 10 << 10

// prober is an application's original probe; the injector replaced it by one
// that asks the agent. It is made as the kubelet would make it.
type prober struct {
	HTTPGet *struct {
		Path        string `json:"path"`
		Port        int    `json:"port"`
		Scheme      string `json:"scheme"`
		HTTPHeaders []struct {
			Name  string `json:"name"`
			Value string `json:"value"`
		} `json:"httpHeaders"`
	} `json:"httpGet"`
	TCPSocket *struct {
		Port int `json:"port"`
	} `json:"tcpSocket"`
	GRPC *struct {
		Port    int     `json:"port"`
		Service *string `json:"service"`
	} `json:"grpc"`
	TimeoutSeconds int `json:"timeoutSeconds"`

	timeout time.Duration
	address string
	client  *http.Client
}

func (p *prober) prepare(t *Telemetry) error {
	if p == nil {
		return fmt.Errorf("there is no probe")
	}
	kinds, port := 0, 0
	if p.HTTPGet != nil {
		kinds, port = kinds+1, p.HTTPGet.Port
	}
	if p.TCPSocket != nil {
		kinds, port = kinds+1, p.TCPSocket.Port
	}
	if p.GRPC != nil {
		kinds, port = kinds+1, p.GRPC.Port
	}
	if kinds != 1 {
		return fmt.Errorf("a probe is one of httpGet, tcpSocket and grpc")
	}
	if port < 1 || port > 65535 {
		return fmt.Errorf("%d is not a port", port)
	}
	p.timeout = time.Duration(max(p.TimeoutSeconds, 1)) * time.Second // Kubernetes' default is 1 s
	p.address = t.o.Spec.ListenOn(port)
	if p.HTTPGet != nil {
		p.client = &http.Client{
			Timeout: p.timeout,
			Transport: &http.Transport{
				DisableKeepAlives: true, // an idle connection that breaks is no failed probe
				ForceAttemptHTTP2: true,
				TLSClientConfig:   &tls.Config{InsecureSkipVerify: true}, //nolint:gosec // as the kubelet: a probe trusts any certificate
			},
			CheckRedirect: sameHost,
		}
	}
	return nil
}

func (p *prober) close() {
	if p != nil && p.client != nil {
		p.client.CloseIdleConnections()
	}
}

// sameHost follows redirects within the application. One that leads elsewhere
// is success, as for the kubelet.
func sameHost(r *http.Request, via []*http.Request) error {
	if r.URL.Hostname() != via[0].URL.Hostname() {
		return http.ErrUseLastResponse
	}
	if len(via) >= 10 {
		return errors.New("stopped after 10 redirects")
	}
	return nil
}

func (p *prober) serve(w http.ResponseWriter, r *http.Request) {
	switch {
	case p.HTTPGet != nil:
		p.get(w, r)
	case p.TCPSocket != nil:
		c, err := (&net.Dialer{Timeout: p.timeout}).DialContext(r.Context(), "tcp", p.address)
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		_ = c.Close()
	default:
		if err := p.check(r.Context(), r.UserAgent()); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
		}
	}
}

func (p *prober) get(w http.ResponseWriter, r *http.Request) {
	path, query, _ := strings.Cut(p.HTTPGet.Path, "?")
	u := url.URL{Scheme: strings.ToLower(or(p.HTTPGet.Scheme, "http")), Host: p.address, Path: "/" + strings.TrimPrefix(path, "/"), RawQuery: query}
	request, err := http.NewRequestWithContext(r.Context(), http.MethodGet, u.String(), nil)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	// The kubelet sends the probe's headers to the agent already; the ones of
	// the original probe are set where they are known.
	for name, values := range r.Header {
		request.Header[name] = slices.Clone(values)
	}
	request.Host = r.Host
	if host, port, err := net.SplitHostPort(r.Host); err == nil && port == strconv.Itoa(agentPort) {
		request.Host = net.JoinHostPort(host, strconv.Itoa(p.HTTPGet.Port))
	}
	for _, h := range p.HTTPGet.HTTPHeaders {
		if strings.EqualFold(h.Name, "host") {
			request.Host = h.Value
			continue
		}
		request.Header.Set(h.Name, h.Value)
	}
	response, err := p.client.Do(request)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode >= 300 && response.StatusCode < 400 {
		w.WriteHeader(http.StatusOK)
		return
	}
	w.WriteHeader(response.StatusCode)
	_, _ = io.Copy(w, io.LimitReader(response.Body, maxProbeBody))
}

// check asks the application's gRPC health service.
func (p *prober) check(ctx context.Context, agent string) error {
	ctx, cancel := context.WithTimeout(ctx, p.timeout)
	defer cancel()
	conn, err := grpc.NewClient("passthrough:///"+p.address, grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithUserAgent(agent))
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	request := &grpc_health_v1.HealthCheckRequest{}
	if p.GRPC.Service != nil {
		request.Service = *p.GRPC.Service
	}
	answer, err := grpc_health_v1.NewHealthClient(conn).Check(ctx, request)
	if err != nil {
		return err
	}
	if answer.GetStatus() != grpc_health_v1.HealthCheckResponse_SERVING {
		return fmt.Errorf("the application's health is %s", answer.GetStatus())
	}
	return nil
}
