package upstream_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"runtime"
	"strings"
	"testing"
	"time"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/meshstorm/meshstorm/lab/proxy/upstream"
	"github.com/meshstorm/meshstorm/lab/proxy/xds"
)

// server is an upstream on 127.0.0.1.
func server(t testing.TB, handler http.HandlerFunc) netip.AddrPort {
	s := httptest.NewUnstartedServer(handler)
	s.Config.Protocols = &http.Protocols{}
	s.Config.Protocols.SetHTTP1(true)
	s.Config.Protocols.SetUnencryptedHTTP2(true)
	s.Start()
	t.Cleanup(func() {
		s.CloseClientConnections()
		s.Close()
	})
	return netip.MustParseAddrPort(s.Listener.Addr().String())
}

// raw is an upstream that says what it is told on each connection.
func raw(t testing.TB, serve func(net.Conn)) netip.AddrPort {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				serve(c)
			}()
		}
	}()
	return netip.MustParseAddrPort(l.Addr().String())
}

// config is a cluster from protojson, an EDS one named "c" unless it says
// otherwise.
func config(t testing.TB, text string) *clusterv3.Cluster {
	c := &clusterv3.Cluster{}
	if err := protojson.Unmarshal([]byte(text), c); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	if c.Name == "" {
		c.Name = "c"
	}
	if c.ClusterDiscoveryType == nil {
		c.ClusterDiscoveryType = &clusterv3.Cluster_Type{Type: clusterv3.Cluster_EDS}
	}
	return c
}

func lbEndpoint(at netip.AddrPort, weight uint32) *endpointv3.LbEndpoint {
	e := &endpointv3.LbEndpoint{HostIdentifier: &endpointv3.LbEndpoint_Endpoint{Endpoint: &endpointv3.Endpoint{Address: &corev3.Address{
		Address: &corev3.Address_SocketAddress{SocketAddress: &corev3.SocketAddress{Address: at.Addr().String(),
			PortSpecifier: &corev3.SocketAddress_PortValue{PortValue: uint32(at.Port())}}}}}}}
	if weight > 0 {
		e.LoadBalancingWeight = wrapperspb.UInt32(weight)
	}
	return e
}

func endpoints(all ...netip.AddrPort) *endpointv3.ClusterLoadAssignment {
	group := &endpointv3.LocalityLbEndpoints{}
	for _, at := range all {
		group.LbEndpoints = append(group.LbEndpoints, lbEndpoint(at, 0))
	}
	return &endpointv3.ClusterLoadAssignment{ClusterName: "c", Endpoints: []*endpointv3.LocalityLbEndpoints{group}}
}

func snapshot(c *clusterv3.Cluster, load *endpointv3.ClusterLoadAssignment) *xds.Snapshot {
	return &xds.Snapshot{Clusters: map[string]*clusterv3.Cluster{c.GetName(): c}, Endpoints: map[string]*endpointv3.ClusterLoadAssignment{c.GetName(): load}}
}

// cluster is the one cluster of its own manager.
func cluster(t testing.TB, o upstream.Options, text string, load *endpointv3.ClusterLoadAssignment) (*upstream.Cluster, *upstream.Clusters) {
	all := upstream.New(o)
	t.Cleanup(all.Close)
	c := config(t, text)
	all.Update(snapshot(c, load))
	got, ok := all.Get(c.GetName())
	if !ok {
		t.Fatalf("cluster %s is not there", c.GetName())
	}
	return got, all
}

func pick(t testing.TB, c *upstream.Cluster) *upstream.Host {
	t.Helper()
	h, err := c.Pick(upstream.Choice{})
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func request(t testing.TB, method, target string, body io.Reader) *http.Request {
	r, err := http.NewRequest(method, "http://order.default"+target, body)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// do makes an exchange and reads all of the answer.
func do(t testing.TB, c *upstream.Cluster, r *http.Request) (*http.Response, string) {
	t.Helper()
	resp, err := c.Do(context.Background(), pick(t, c), r)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	return resp, string(body)
}

// eventually polls until ok holds.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !ok(); {
		if time.Now().After(end) {
			t.Fatalf("%s: not within 20 s", what)
		}
		time.Sleep(time.Millisecond)
	}
}

// goroutinesOf counts the goroutines that are in this package's code.
func goroutinesOf(t testing.TB) (int, string) {
	buffer := make([]byte, 1<<20)
	all := string(buffer[:runtime.Stack(buffer, true)])
	n := 0
	var found []string
	for _, g := range strings.Split(all, "\n\n") {
		if strings.Contains(g, "lab/proxy/upstream.(") || strings.Contains(g, "net/http2.") {
			n++
			found = append(found, g)
		}
	}
	return n, strings.Join(found, "\n\n")
}
