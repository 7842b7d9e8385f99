package upstream_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/netip"
	"testing"

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
