package server

import (
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"sync"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	"google.golang.org/protobuf/proto"

	"github.com/meshstorm/meshstorm/lab/loopback"
	"github.com/meshstorm/meshstorm/lab/pod"
	"github.com/meshstorm/meshstorm/lab/proxy/telemetry"
	"github.com/meshstorm/meshstorm/route"
)

// checker of resources: a server that binds nothing.
var checking = sync.OnceValue(func() *Server {
	spec := &pod.Spec{IP: netip.AddrFrom4([4]byte{10, 244, 0, 2}), Net: loopback.Default}
	return New(Options{Spec: spec, Telemetry: telemetry.New(telemetry.Options{
		Node: &corev3.Node{}, Spec: spec, Out: io.Discard, Err: io.Discard, Log: slog.New(slog.DiscardHandler),
		Env: func(string) string { return "" }})})
})

// Check compiles a resource as Update would and gives its faults; the error is
// the reason of a NACK. Types that the server does not evaluate pass.
func Check(_, name string, m proto.Message) error {
	switch m := m.(type) {
	case *listenerv3.Listener:
		if _, err := checking().compileListener(nil, m, nil); err != nil {
			return fmt.Errorf("listener %s: %w", name, err)
		}
	case *routev3.RouteConfiguration:
		if _, err := route.Compile(m); err != nil {
			return fmt.Errorf("route configuration %s: %w", name, err)
		}
	case *tlsv3.Secret:
		if err := checkSecret(m); err != nil {
			return fmt.Errorf("secret %s: %w", name, err)
		}
	case *clusterv3.Cluster:
		if m.GetName() == "" {
			return fmt.Errorf("cluster %s has no name", name)
		}
	}
	return nil
}

func checkSecret(m *tlsv3.Secret) error {
	s := checking().secrets
	if cert := m.GetTlsCertificate(); cert != nil {
		_, err := s.parse(cert)
		return err
	}
	if context := m.GetValidationContext(); context != nil {
		k, err := newChecker(context)
		if err != nil {
			return err
		}
		return k.addTrust(context, s)
	}
	return nil
}
