package proxy

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/meshstorm/meshstorm/lab/loopback"
	"github.com/meshstorm/meshstorm/lab/pod"
	"github.com/meshstorm/meshstorm/lab/proxy/fields"
	"github.com/meshstorm/meshstorm/lab/proxy/router"
	"github.com/meshstorm/meshstorm/lab/proxy/server"
	"github.com/meshstorm/meshstorm/lab/proxy/telemetry"
	"github.com/meshstorm/meshstorm/lab/proxy/upstream"
	"github.com/meshstorm/meshstorm/lab/proxy/xds"
	"github.com/meshstorm/meshstorm/route"
)

// Where the injector mounts what a proxy shows and trusts.
const (
	rootFile  = "/var/run/secrets/istio/root-cert.pem"
	tokenFile = "/var/run/secrets/tokens/istio-token"
)

// Run is a pod's proxy until ctx ends; then it drains. Args are the container's
// ("proxy sidecar …", "proxy router …"), env its environment; out takes the
// access log. It fails where the pod cannot say who it is, where istiod's root
// certificate is missing or no certificate, and where one of the proxy's own
// ports is taken; all else is retried.
func Run(ctx context.Context, spec *pod.Spec, args []string, env func(string) string, out io.Writer, log *slog.Logger) error {
	gateway, err := kind(args)
	if err != nil {
		return err
	}
	p, err := compose(spec, gateway, env, out, log)
	if err != nil {
		return err
	}
	return p.run(ctx)
}

// kind reads the proxy's type from the container's arguments.
func kind(args []string) (gateway bool, err error) {
	for _, a := range args {
		switch a {
		case "sidecar":
			return false, nil
		case "router":
			return true, nil
		}
	}
	return false, fmt.Errorf("a proxy is told to be a sidecar or a router, not %q", strings.Join(args, " "))
}

// Fields is the table of all fields that istiod could send, put together of what
// each part says of its own.
func Fields() (*fields.Table, error) {
	return fields.NewTable(route.Fields(), xds.Fields(), upstream.Fields(), telemetry.Fields(), router.Fields(), server.Fields())
}

// proxy is the parts put together.
type proxy struct {
	log       *slog.Logger
	clusters  *upstream.Clusters
	telemetry *telemetry.Telemetry
	server    *server.Server
	xds       *xds.Client
	lacks     *lacks
	latest    *latest
}

func compose(spec *pod.Spec, gateway bool, env func(string) string, out io.Writer, log *slog.Logger) (*proxy, error) {
	node, config, err := xds.NodeFrom(env, spec, gateway)
	if err != nil {
		return nil, err
	}
	table, err := Fields()
	if err != nil {
		return nil, err
	}
	p := &proxy{log: log, lacks: newLacks(table, log), latest: &latest{}}
	p.clusters = upstream.New(upstream.Options{Spec: spec, Log: log})
	p.telemetry = telemetry.New(telemetry.Options{Node: node, Spec: spec, Out: out, Log: log, Env: env})
	p.server = server.New(server.Options{Spec: spec, Gateway: gateway, Clusters: p.clusters, Telemetry: p.telemetry, Log: log,
		Node: node, Ports: podPorts(env("ISTIO_META_POD_PORTS"), log), Drain: config.Drain,
		TerminationDrain: config.TerminationDrain})
	trust, err := trust(spec, config)
	if err != nil {
		return nil, err
	}
	dialer := *spec.Dialer()
	dialer.Via, dialer.Direct = spec.Node, nil // istiod is reached without passing the own sidecar
	p.xds = xds.New(xds.Options{Address: config.DiscoveryAddress, TLS: trust, Node: node, Delta: true, Log: log,
		Dial:  func(ctx context.Context, address string) (net.Conn, error) { return dial(ctx, &dialer, address) },
		Token: func() (string, error) { return token(spec) },
		Check: server.Check, Ceiling: 5 * time.Second, // istiod is on this machine, and back in seconds
	})
	return p, nil
}

func dial(ctx context.Context, d *loopback.Dialer, address string) (net.Conn, error) {
	return d.DialContext(ctx, "tcp", address)
}

// trust is how istiod's certificate is checked; nil for the plain-text port.
func trust(spec *pod.Spec, config *xds.ProxyConfig) (*tls.Config, error) {
	host, port, err := net.SplitHostPort(config.DiscoveryAddress)
	if err != nil {
		return nil, fmt.Errorf("discoveryAddress: %w", err)
	}
	if port == "15010" || !config.MutualTLS {
		return nil, nil
	}
	name, ok := spec.HostPath(rootFile)
	if !ok {
		return nil, fmt.Errorf("no volume holds %s, istiod's root certificate", rootFile)
	}
	pem, err := os.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("istiod's root certificate: %w", err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("%s holds no certificate", name)
	}
	return &tls.Config{RootCAs: roots, ServerName: host, MinVersion: tls.VersionTLS12}, nil
}

// token reads the service account's token; the kubelet renews the file.
func token(spec *pod.Spec) (string, error) {
	name, ok := spec.HostPath(tokenFile)
	if !ok {
		return "", fmt.Errorf("no volume holds %s", tokenFile)
	}
	data, err := os.ReadFile(name)
	if err != nil {
		return "", fmt.Errorf("the token for istiod: %w", err)
	}
	return strings.TrimSpace(string(data)), nil
}

// run keeps configuration and the proxy's own ports going until the server has
// drained.
func (p *proxy) run(ctx context.Context) error {
	ctx, quit := context.WithCancel(ctx)
	defer quit()
	inner, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	failed := make(chan error, 2)
	part := func(name string, f func(context.Context) error) {
		if err := f(inner); err != nil && !errors.Is(err, context.Canceled) {
			failed <- fmt.Errorf("%s: %w", name, err)
			quit()
		}
	}
	ended := make(chan struct{}, 2)
	go func() {
		part("telemetry", func(ctx context.Context) error { return p.serveAdmin(ctx, quit) })
		ended <- struct{}{}
	}()
	go func() { part("xds", p.xds.Run); ended <- struct{}{} }()
	go p.follow(inner)
	err := p.server.Run(ctx)
	stop()
	<-ended
	<-ended
	select {
	case e := <-failed:
		return e
	default:
		return err
	}
}

func (p *proxy) serveAdmin(ctx context.Context, quit func()) error {
	return p.telemetry.Serve(ctx, telemetry.AdminOptions{Ready: p.server.Ready, Quit: quit, Dump: p.latest.dump,
		Listeners: p.latest.listeners, Clusters: p.latest.clusters,
		Unsupported: func() []string {
			all := slices.Concat(p.lacks.all(), p.server.Unsupported())
			slices.Sort(all)
			return slices.Compact(all)
		}})
}

// follow applies each snapshot: first the clusters, which the new listeners and
// routes may name.
func (p *proxy) follow(ctx context.Context) {
	tidy := time.NewTimer(time.Hour)
	defer tidy.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case snap, ok := <-p.xds.Snapshots():
			if !ok {
				return
			}
			p.clusters.Update(snap)
			if err := p.server.Update(snap); err != nil {
				p.log.Error("a part of the configuration was not applied", "error", err)
			}
			p.latest.set(snap)
			p.lacks.look(snap)
			for _, text := range p.server.Unsupported() {
				p.lacks.logOnce(text)
			}
			tidy.Reset(5 * time.Second)
		case <-tidy.C:
			// Reading a configuration takes several times the memory that it
			// keeps; dozens of idle sidecars share this machine.
			debug.FreeOSMemory()
		}
	}
}
