package server

import (
	"context"
	"crypto/tls"
	"net"
	"testing"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	upstreamhttpv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/upstreams/http/v3"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/anypb"
)

func plainDial(ctx context.Context, network, address string, _ *tls.Config) (net.Conn, error) {
	return (&net.Dialer{}).DialContext(ctx, network, address)
}

// speakHTTP2 makes a cluster's hosts HTTP/2 servers.
func speakHTTP2(t testing.TB, c *clusterv3.Cluster) {
	t.Helper()
	o := &upstreamhttpv3.HttpProtocolOptions{}
	parse(t, `{"explicitHttpConfig":{"http2ProtocolOptions":{}}}`, o)
	packed, err := anypb.New(o)
	if err != nil {
		t.Fatal(err)
	}
	c.TypedExtensionProtocolOptions = map[string]*anypb.Any{"envoy.extensions.upstreams.http.v3.HttpProtocolOptions": packed}
}

func grpcCode(err error) string { return status.Code(err).String() }
