package upstream_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/netip"
	"syscall"
	"testing"
	"time"

	"github.com/meshstorm/meshstorm/lab/loopback"
	"github.com/meshstorm/meshstorm/lab/pod"
	"github.com/meshstorm/meshstorm/lab/proxy/upstream"
)

// place listens on one loopback address and says its name to who connects.
func place(t testing.TB, ip, name string) uint16 {
	l, err := net.Listen("tcp", ip+":0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go speak(l, func(net.Conn) string { return name })
	return netip.MustParseAddrPort(l.Addr().String()).Port()
}

func speak(l net.Listener, what func(net.Conn) string) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		_, _ = io.WriteString(c, what(c))
		c.Close()
	}
}

func TestWhereAddressesGo(t *testing.T) {
	node, err := loopback.Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { node.Close() })
	go speak(node, func(c net.Conn) string { return "node asked for " + c.LocalAddr().String() })
	spec := &pod.Spec{
		IP: netip.MustParseAddr("10.244.7.9"), Net: loopback.Net{Pod: 214, Twin: 215}, Listen: netip.MustParseAddr("127.215.7.9"),
		Node: node.Addr().String(), Intercepted: &pod.Interception{},
	}
	other := place(t, "127.214.7.10", "the other pod's proxy")
	application := place(t, "127.215.7.9", "the application")
	own := place(t, "127.214.7.9", "the pod's own proxy")
	host := place(t, "127.0.0.1", "localhost")
	const inbound = `{"name":"inbound|8080||","type":"ORIGINAL_DST","lbPolicy":"CLUSTER_PROVIDED","upstreamBindConfig":{"sourceAddress":{"address":"127.0.0.6","portValue":0}}}`
	for _, c := range []struct {
		name, cluster, at string
		port              uint16
		want              string
	}{
		{"another pod", `{}`, "10.244.7.10", other, "the other pod's proxy"},
		{"the pod itself, from an outbound cluster", `{}`, "10.244.7.9", own, "the pod's own proxy"},
		{"a ClusterIP", `{}`, "10.96.0.10", 80, "node asked for 10.96.0.10:80"},
		{"the outside", `{}`, "192.0.2.1", 443, "node asked for 192.0.2.1:443"},
		{"localhost, from an outbound cluster", `{}`, "127.0.0.1", host, "localhost"},
		{"an inbound cluster's original destination", inbound, "10.244.7.9", application, "the application"},
		{"a Sidecar's ingress to 127.0.0.1", `{"name":"inbound|9000||","type":"STATIC","loadAssignment":{"endpoints":[{"lbEndpoints":[{"endpoint":{"address":{"socketAddress":{"address":"127.0.0.1","portValue":PORT}}}}]}]}}`, "127.0.0.1", application, "the application"},
		{"a passthrough cluster to a ClusterIP", `{"name":"PassthroughCluster","type":"ORIGINAL_DST","lbPolicy":"CLUSTER_PROVIDED"}`, "10.96.0.11", 81, "node asked for 10.96.0.11:81"},
		{"a passthrough cluster with another port", `{"name":"o","type":"ORIGINAL_DST","lbPolicy":"CLUSTER_PROVIDED","originalDstLbConfig":{"upstreamPortOverride":82}}`, "10.96.0.11", 81, "node asked for 10.96.0.11:82"},
	} {
		t.Run(c.name, func(t *testing.T) {
			at := netip.AddrPortFrom(netip.MustParseAddr(c.at), c.port)
			text := replace(c.cluster, "PORT", fmt.Sprint(c.port))
			k, _ := cluster(t, upstream.Options{Spec: spec}, text, endpoints(at))
			h, err := k.Pick(upstream.Choice{OriginalDestination: at})
			if err != nil {
				t.Fatal(err)
			}
			conn, err := k.Connect(context.Background(), h)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			if got, _ := io.ReadAll(conn); string(got) != c.want {
				t.Errorf("reached %q, want %q", got, c.want)
			}
		})
	}
}

func TestOriginalDestinationWithoutOne(t *testing.T) {
	k, _ := cluster(t, upstream.Options{}, `{"type":"ORIGINAL_DST","lbPolicy":"CLUSTER_PROVIDED"}`, nil)
	if h, err := k.Pick(upstream.Choice{}); err == nil {
		t.Errorf("picked %v", h.Address())
	}
	at := addresses(1)[0]
	a, _ := k.Pick(upstream.Choice{OriginalDestination: at})
	b, _ := k.Pick(upstream.Choice{OriginalDestination: at})
	if a != b || a.Address() != at {
		t.Errorf("two hosts for one destination: %v and %v", a.Address(), b.Address())
	}
}

func TestKeepAliveOfTCP(t *testing.T) {
	at := raw(t, func(c net.Conn) { _, _ = io.Copy(c, c) })
	for text, want := range map[string]int{`{}`: 0, `{"upstreamConnectionOptions":{"tcpKeepalive":{"keepaliveTime":77,"keepaliveInterval":7,"keepaliveProbes":3}}}`: 1} {
		k, _ := cluster(t, upstream.Options{}, text, endpoints(at))
		conn, err := k.Connect(context.Background(), pick(t, k))
		if err != nil {
			t.Fatal(err)
		}
		sys, err := conn.(interface{ NetConn() net.Conn }).NetConn().(syscall.Conn).SyscallConn()
		if err != nil {
			t.Fatal(err)
		}
		on := -1
		_ = sys.Control(func(fd uintptr) { on, _ = syscall.GetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_KEEPALIVE) })
		if on != want {
			t.Errorf("%s: SO_KEEPALIVE is %d, want %d", text, on, want)
		}
		conn.Close()
	}
}

// The metadata exchange that istiod puts into clusters speaks over mTLS only:
// without it the application's bytes are all that flows.
func TestClusterFilters(t *testing.T) {
	at := raw(t, func(c net.Conn) { _, _ = io.Copy(c, c) })
	k, _ := cluster(t, upstream.Options{}, `{"filters":[{"name":"istio.metadata_exchange","typedConfig":{"@type":"type.googleapis.com/udpa.type.v1.TypedStruct","typeUrl":"type.googleapis.com/envoy.tcp.metadataexchange.config.MetadataExchange","value":{"protocol":"istio-peer-exchange"}}}]}`, endpoints(at))
	conn, err := k.Connect(context.Background(), pick(t, k))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_, _ = io.WriteString(conn, "hello")
	_ = conn.(interface{ CloseWrite() error }).CloseWrite()
	if got, _ := io.ReadAll(conn); string(got) != "hello" {
		t.Errorf("got %q", got)
	}
}

func TestOriginalDestinationIsForgotten(t *testing.T) {
	now := time.Unix(1_000_000, 0)
	k, _ := cluster(t, upstream.Options{Now: func() time.Time { return now }}, `{"type":"ORIGINAL_DST","lbPolicy":"CLUSTER_PROVIDED","cleanupInterval":"60s"}`, nil)
	all := addresses(2)
	first, _ := k.Pick(upstream.Choice{OriginalDestination: all[0]})
	now = now.Add(50 * time.Second)
	if again, _ := k.Pick(upstream.Choice{OriginalDestination: all[0]}); again != first {
		t.Error("a host was forgotten within the interval")
	}
	now = now.Add(61 * time.Second)
	_, _ = k.Pick(upstream.Choice{OriginalDestination: all[1]})
	if again, _ := k.Pick(upstream.Choice{OriginalDestination: all[0]}); again == first {
		t.Error("a host that nobody wanted for more than the interval was kept")
	}
}
