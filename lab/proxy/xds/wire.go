package xds

import (
	"context"
	"fmt"
	"math"
	"net"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	rpcstatus "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/metadata"
)

// request is one of either protocol; which of the fields are sent depends on it.
type request struct {
	url     string
	node    *corev3.Node // on the first request of a stream
	nonce   string       // of the response that is answered; "" for a change of names
	version string       // last accepted
	refusal error        // NACK
	// names are all names asked for (state of the world), added and dropped what
	// changed, versions what is known at the beginning (delta).
	names, added, dropped []string
	versions              map[string]string
}

// wire is one ADS stream.
type wire interface {
	send(request) error
	receive() (response, error)
	// delta tells which protocol it is.
	delta() bool
}

// open dials istiod and begins a stream; close ends both. The stream's context
// is ctx.
func open(ctx context.Context, o Options) (w wire, shut func(), err error) {
	transport := insecure.NewCredentials()
	if o.TLS != nil {
		config := o.TLS.Clone()
		if config.ServerName == "" {
			config.ServerName = "istiod.istio-system.svc"
		}
		transport = credentials.NewTLS(config)
	}
	// The header is sent over TLS only: a token in plain text would be a gift.
	if o.Token != nil && o.TLS != nil {
		token, err := o.Token()
		if err != nil {
			return nil, nil, fmt.Errorf("read the token for istiod: %w", err)
		}
		ctx = metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+token)
	}
	options := []grpc.DialOption{
		grpc.WithTransportCredentials(transport),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(math.MaxInt32)), // as Istio's agent: a big mesh's clusters are one message
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: 30 * time.Second, Timeout: 10 * time.Second}),
		grpc.WithDisableServiceConfig(), grpc.WithNoProxy(),
	}
	if o.Dial != nil {
		options = append(options, grpc.WithContextDialer(func(ctx context.Context, address string) (net.Conn, error) {
			return o.Dial(ctx, address)
		}))
	}
	conn, err := grpc.NewClient("passthrough:///"+o.Address, options...)
	if err != nil {
		return nil, nil, fmt.Errorf("istiod %s: %w", o.Address, err)
	}
	client := discoveryv3.NewAggregatedDiscoveryServiceClient(conn)
	shut = func() { _ = conn.Close() }
	if o.Delta {
		stream, err := client.DeltaAggregatedResources(ctx)
		if err != nil {
			shut()
			return nil, nil, err
		}
		return deltaWire{stream}, shut, nil
	}
	stream, err := client.StreamAggregatedResources(ctx)
	if err != nil {
		shut()
		return nil, nil, err
	}
	return stateWire{stream}, shut, nil
}

type deltaWire struct {
	stream discoveryv3.AggregatedDiscoveryService_DeltaAggregatedResourcesClient
}

func (deltaWire) delta() bool { return true }

func (w deltaWire) send(r request) error {
	return w.stream.Send(&discoveryv3.DeltaDiscoveryRequest{
		Node: r.node, TypeUrl: r.url, ResourceNamesSubscribe: r.added, ResourceNamesUnsubscribe: r.dropped,
		InitialResourceVersions: r.versions, ResponseNonce: r.nonce, ErrorDetail: detail(r.refusal),
	})
}

func (w deltaWire) receive() (response, error) {
	m, err := w.stream.Recv()
	if err != nil {
		return response{}, err
	}
	out := response{url: m.GetTypeUrl(), version: m.GetSystemVersionInfo(), nonce: m.GetNonce(), removed: m.GetRemovedResources()}
	for _, r := range m.GetResources() {
		if r.GetResource() == nil {
			// A heartbeat of a resource with a time to live, or an alias that has gone.
			continue
		}
		out.resources = append(out.resources, sent{name: r.GetName(), version: r.GetVersion(), body: r.GetResource()})
	}
	return out, nil
}

type stateWire struct {
	stream discoveryv3.AggregatedDiscoveryService_StreamAggregatedResourcesClient
}

func (stateWire) delta() bool { return false }

func (w stateWire) send(r request) error {
	return w.stream.Send(&discoveryv3.DiscoveryRequest{
		Node: r.node, TypeUrl: r.url, ResourceNames: r.names, VersionInfo: r.version,
		ResponseNonce: r.nonce, ErrorDetail: detail(r.refusal),
	})
}

func (w stateWire) receive() (response, error) {
	m, err := w.stream.Recv()
	if err != nil {
		return response{}, err
	}
	out := response{url: m.GetTypeUrl(), version: m.GetVersionInfo(), nonce: m.GetNonce(), complete: true}
	for _, body := range m.GetResources() {
		out.resources = append(out.resources, sent{body: body})
	}
	return out, nil
}

// detail is a NACK's error as Envoy sends it.
func detail(err error) *rpcstatus.Status {
	if err == nil {
		return nil
	}
	return &rpcstatus.Status{Code: int32(codes.Internal), Message: err.Error()}
}
