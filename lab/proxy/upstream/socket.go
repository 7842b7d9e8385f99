package upstream

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	rawv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/raw_buffer/v3"
	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"
)

// socket is a transport socket: plain, TLS, or one that the lab's proxy cannot
// make, through which nothing passes.
type socket struct {
	name    string
	cluster string
	tls     *tlsSocket
	refusal string // why nothing passes
}

// sockets are a cluster's transport sockets.
type sockets struct {
	matches  []socketMatch
	standard *socket
}

type socketMatch struct {
	criteria map[string]*structpb.Value
	socket   *socket
}

func newSockets(owner *Clusters, c *clusterv3.Cluster) *sockets {
	s := &sockets{standard: newSocket(owner, c, c.GetTransportSocket())}
	for _, m := range c.GetTransportSocketMatches() {
		s.matches = append(s.matches, socketMatch{m.GetMatch().GetFields(), newSocket(owner, c, m.GetTransportSocket())})
	}
	return s
}

// match is the socket for an endpoint with that envoy.transport_socket_match
// metadata: the first whose criteria it all meets, else the cluster's own.
func (s *sockets) match(metadata *structpb.Struct) *socket {
	for _, m := range s.matches {
		if meets(metadata.GetFields(), m.criteria) {
			return m.socket
		}
	}
	return s.standard
}

func meets(have, want map[string]*structpb.Value) bool {
	for key, v := range want {
		if got, ok := have[key]; !ok || !proto.Equal(got, v) {
			return false
		}
	}
	return true
}

func newSocket(owner *Clusters, c *clusterv3.Cluster, t *corev3.TransportSocket) *socket {
	s := &socket{name: t.GetName(), cluster: c.GetName()}
	if t.GetTypedConfig() == nil {
		if t != nil && t.GetName() != "envoy.transport_sockets.raw_buffer" {
			s.refusal = "without a configuration"
		}
		return s
	}
	m, err := t.GetTypedConfig().UnmarshalNew()
	if err != nil {
		s.refusal = t.GetTypedConfig().GetTypeUrl() + " is unknown"
		return s
	}
	switch m := m.(type) {
	case *rawv3.RawBuffer:
	case *tlsv3.UpstreamTlsContext:
		s.tls, s.refusal = newTLSSocket(owner, c, m)
	default:
		s.refusal = string(m.ProtoReflect().Descriptor().FullName()) + " is unsupported"
	}
	return s
}

func (s *socket) isTLS() bool { return s.tls != nil }

// refused is the error of a socket that cannot be made.
func (s *socket) refused() error {
	if s.refusal == "" {
		return nil
	}
	return &Error{Kind: ErrTLS, Text: fmt.Sprintf("%s: transport socket %s of cluster %s: %s", ErrTLS, s.name, s.cluster, s.refusal)}
}

// secure makes the handshake, if the socket has one.
func (s *socket) secure(ctx context.Context, conn net.Conn, sni string, alpn []string) (net.Conn, error) {
	if s.tls == nil {
		return conn, nil
	}
	config, err := s.tls.config(sni, alpn)
	if err != nil {
		return nil, &Error{Kind: ErrTLS, Text: fmt.Sprintf("%s: cluster %s: %s", ErrTLS, s.cluster, err), Err: err}
	}
	secured := tls.Client(conn, config)
	if err := secured.HandshakeContext(ctx); err != nil {
		if ctx.Err() != nil {
			return nil, &Error{Kind: ErrConnectTimeout, Err: err}
		}
		return nil, &Error{Kind: ErrConnect, Text: "TLS_error: " + err.Error(), Err: err}
	}
	return secured, nil
}
