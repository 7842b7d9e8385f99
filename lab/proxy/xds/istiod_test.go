package xds_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"testing"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/meshstorm/meshstorm/lab/proxy/xds"
)

// patience is how long a test waits for what must come.
const patience = 20 * time.Second

// istiod is an ADS server that does what the test says.
type istiod struct {
	discoveryv3.UnimplementedAggregatedDiscoveryServiceServer
	t       *testing.T
	address string
	server  *grpc.Server
	streams chan *stream
}

// stream is one stream of either protocol, from the server's end.
type stream struct {
	t        *testing.T
	delta    bool
	header   metadata.MD
	requests chan *request
	out      chan proto.Message
	gone     context.Context
	kill     context.CancelCauseFunc
	sent     int
}

// request is one of either protocol.
type request struct {
	url            string
	node           *corev3.Node
	names          []string // state of the world: all; delta: added
	dropped        []string
	versions       map[string]string
	nonce, version string
	refusal        string
}

func startIstiod(t *testing.T, options ...grpc.ServerOption) *istiod {
	t.Helper()
	return startIstiodAt(t, "127.0.0.1:0", options...)
}

func startIstiodAt(t *testing.T, address string, options ...grpc.ServerOption) *istiod {
	t.Helper()
	listener, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	s := &istiod{t: t, address: listener.Addr().String(), server: grpc.NewServer(options...), streams: make(chan *stream, 10)}
	discoveryv3.RegisterAggregatedDiscoveryServiceServer(s.server, s)
	go func() { _ = s.server.Serve(listener) }()
	t.Cleanup(s.server.Stop)
	return s
}

func (s *istiod) DeltaAggregatedResources(g discoveryv3.AggregatedDiscoveryService_DeltaAggregatedResourcesServer) error {
	return s.work(g.Context(), true, func() (*request, error) {
		m, err := g.Recv()
		return &request{url: m.GetTypeUrl(), node: m.GetNode(), names: m.GetResourceNamesSubscribe(), dropped: m.GetResourceNamesUnsubscribe(),
			versions: m.GetInitialResourceVersions(), nonce: m.GetResponseNonce(), refusal: m.GetErrorDetail().GetMessage()}, err
	}, func(m proto.Message) error { return g.Send(m.(*discoveryv3.DeltaDiscoveryResponse)) })
}

func (s *istiod) StreamAggregatedResources(g discoveryv3.AggregatedDiscoveryService_StreamAggregatedResourcesServer) error {
	return s.work(g.Context(), false, func() (*request, error) {
		m, err := g.Recv()
		return &request{url: m.GetTypeUrl(), node: m.GetNode(), names: m.GetResourceNames(), version: m.GetVersionInfo(),
			nonce: m.GetResponseNonce(), refusal: m.GetErrorDetail().GetMessage()}, err
	}, func(m proto.Message) error { return g.Send(m.(*discoveryv3.DiscoveryResponse)) })
}

func (s *istiod) work(ctx context.Context, delta bool, receive func() (*request, error), send func(proto.Message) error) error {
	header, _ := metadata.FromIncomingContext(ctx)
	gone, kill := context.WithCancelCause(ctx)
	defer kill(nil)
	st := &stream{t: s.t, delta: delta, header: header, requests: make(chan *request, 100), out: make(chan proto.Message, 100), gone: gone, kill: kill}
	s.streams <- st
	go func() {
		for {
			r, err := receive()
			if err != nil {
				kill(err)
				return
			}
			select {
			case st.requests <- r:
			case <-gone.Done():
				return
			}
		}
	}()
	for {
		select {
		case <-gone.Done():
			return context.Cause(gone)
		case m := <-st.out:
			if err := send(m); err != nil {
				return err
			}
		}
	}
}

// stream waits for the client's next one.
func (s *istiod) stream() *stream {
	s.t.Helper()
	select {
	case st := <-s.streams:
		return st
	case <-time.After(patience):
		s.t.Fatal("the client opens no stream")
		return nil
	}
}

// next is the next request.
func (s *stream) next() *request {
	s.t.Helper()
	select {
	case r := <-s.requests:
		return r
	case <-time.After(patience):
		s.t.Fatal("the client sends no request")
		return nil
	}
}

// expect is the next request, which must be of a type; an ACK has a nonce.
func (s *stream) expect(url string) *request {
	s.t.Helper()
	r := s.next()
	if r.url != url {
		s.t.Fatalf("the client asks for %+v, not %s", r, url)
	}
	return r
}

// quiet tells that no request has come. What the client does in answer to an
// earlier message must have been seen before.
func (s *stream) quiet() {
	s.t.Helper()
	select {
	case r := <-s.requests:
		s.t.Fatalf("the client sends %+v", r)
	default:
	}
}

// push sends resources, and names of those that are gone (delta).
func (s *stream) push(url string, resources []proto.Message, removed ...string) string {
	s.t.Helper()
	s.sent++
	version, nonce := fmt.Sprintf("v%d", s.sent), fmt.Sprintf("n%d", s.sent)
	if !s.delta {
		m := &discoveryv3.DiscoveryResponse{TypeUrl: url, VersionInfo: version, Nonce: nonce}
		for _, r := range resources {
			m.Resources = append(m.Resources, packed(s.t, r))
		}
		s.out <- m
		return nonce
	}
	m := &discoveryv3.DeltaDiscoveryResponse{TypeUrl: url, SystemVersionInfo: version, Nonce: nonce, RemovedResources: removed}
	for _, r := range resources {
		m.Resources = append(m.Resources, &discoveryv3.Resource{Name: nameOf(r), Version: version, Resource: packed(s.t, r)})
	}
	s.out <- m
	return nonce
}

// answer pushes and waits for the ACK.
func (s *stream) answer(url string, resources []proto.Message, removed ...string) {
	s.t.Helper()
	nonce := s.push(url, resources, removed...)
	if r := s.expect(url); r.nonce != nonce || r.refusal != "" {
		s.t.Fatalf("the client answers %s with %+v", nonce, r)
	}
}

func packed(t *testing.T, m proto.Message) *anypb.Any {
	t.Helper()
	a, err := anypb.New(m)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func nameOf(m proto.Message) string {
	switch m := m.(type) {
	case interface{ GetName() string }:
		return m.GetName()
	case interface{ GetClusterName() string }:
		return m.GetClusterName()
	}
	return ""
}

// run starts a client of s; it ends with the test.
func (s *istiod) run(change ...func(*xds.Options)) *client {
	s.t.Helper()
	o := xds.Options{
		Address: s.address, Delta: true, Node: &corev3.Node{Id: "sidecar~10.244.0.1~a.default~default.svc.cluster.local"},
		Log: slog.New(slog.NewTextHandler(s.t.Output(), nil)), Backoff: time.Millisecond, Ceiling: 10 * time.Millisecond,
	}
	for _, f := range change {
		f(&o)
	}
	c := &client{Client: xds.New(o), t: s.t}
	ctx, cancel := context.WithCancel(s.t.Context())
	ended := make(chan error, 1)
	go func() { ended <- c.Run(ctx) }()
	s.t.Cleanup(func() {
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			s.t.Errorf("Run ends with %v", err)
		}
	})
	return c
}

// client is the client under test.
type client struct {
	*xds.Client
	t *testing.T
}

// snapshot waits for one that is right.
func (c *client) snapshot(right func(*xds.Snapshot) bool) *xds.Snapshot {
	c.t.Helper()
	deadline := time.After(patience)
	for {
		select {
		case s := <-c.Snapshots():
			if right(s) {
				return s
			}
		case <-deadline:
			c.t.Fatalf("no such snapshot; status %+v", c.Status())
		}
	}
}

// any waits for the next snapshot.
func (c *client) any() *xds.Snapshot {
	c.t.Helper()
	return c.snapshot(func(*xds.Snapshot) bool { return true })
}

// none tells that no snapshot was made. What would have made one must have been
// answered before.
func (c *client) none() {
	c.t.Helper()
	select {
	case s := <-c.Snapshots():
		c.t.Fatalf("there is a snapshot: %+v", s)
	default:
	}
}

// eventually waits for a status.
func (c *client) eventually(what string, right func(xds.Status) bool) {
	c.t.Helper()
	for deadline := time.Now().Add(patience); !right(c.Status()); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			c.t.Fatalf("not %s: %+v", what, c.Status())
		}
	}
}

var errGone = status.Error(codes.Unavailable, "istiod goes away")
