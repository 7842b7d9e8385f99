package network

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"path/filepath"
	"testing"
	"time"

	"github.com/miekg/dns"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"

	"github.com/meshstorm/meshstorm/lab/loopback"
)

// A /16 of its own, so that the tests run beside a lab.
var testNet = loopback.Net{Pod: 190, Twin: 191}

func start(t *testing.T, services ...*corev1.Service) (*Network, *fake.Clientset) {
	t.Helper()
	client := fake.NewClientset()
	for _, s := range services {
		if _, err := client.CoreV1().Services(s.Namespace).Create(t.Context(), s, metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	n, err := New(Options{Net: testNet, Log: slog.New(slog.DiscardHandler), ConnectSocket: filepath.Join(t.TempDir(), "c")})
	if err != nil {
		t.Fatal(err)
	}
	n.SetClient(client, "")
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 2)
	go func() { done <- n.Run(ctx) }()
	go func() { done <- n.ServeConnect(ctx) }()
	t.Cleanup(func() {
		cancel()
		for range 2 {
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
	})
	return n, client
}

func clusterIP(name, ip string, port int32) *corev1.Service {
	return &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name},
		Spec:       corev1.ServiceSpec{ClusterIP: ip, Ports: []corev1.ServicePort{{Name: "http", Port: port, Protocol: corev1.ProtocolTCP}}},
	}
}

// pods makes the Service's endpoints, each echoing its own name and what it gets.
func pods(t *testing.T, client *fake.Clientset, service string, ips ...string) {
	t.Helper()
	name, port, ready := "http", int32(0), true
	slice := &discoveryv1.EndpointSlice{ObjectMeta: metav1.ObjectMeta{
		Namespace: "shop", Name: service, Labels: map[string]string{discoveryv1.LabelServiceName: service},
	}, AddressType: discoveryv1.AddressTypeIPv4}
	for _, ip := range ips {
		at := netip.AddrPortFrom(testNet.Bind(netip.MustParseAddr(ip)), uint16(port)).String()
		l, err := net.Listen("tcp", at)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = l.Close() })
		port = int32(l.Addr().(*net.TCPAddr).Port)
		go func() {
			for {
				c, err := l.Accept()
				if err != nil {
					return
				}
				go func() {
					fmt.Fprintf(c, "%s from %s\n", ip, addrOf(c.RemoteAddr()))
					_, _ = io.Copy(c, c)
					_ = c.Close()
				}()
			}
		}()
		slice.Endpoints = append(slice.Endpoints, discoveryv1.Endpoint{Addresses: []string{ip}, Conditions: discoveryv1.EndpointConditions{Ready: &ready}})
	}
	slice.Ports = []discoveryv1.EndpointPort{{Name: &name, Port: &port}}
	_ = client.DiscoveryV1().EndpointSlices("shop").Delete(t.Context(), service, metav1.DeleteOptions{})
	if _, err := client.DiscoveryV1().EndpointSlices("shop").Create(t.Context(), slice, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !ok(); {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain for %s", what)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func TestAPodReachesAServiceByItsClusterIP(t *testing.T) {
	n, client := start(t, clusterIP("order", "10.96.3.4", 8080))
	pods(t, client, "order", "10.244.7.1", "10.244.7.2")
	d := &loopback.Dialer{Net: testNet, Self: netip.MustParseAddr("10.244.9.9"), Via: n.Node(), DNS: n.DNS(), Namespace: "shop"}
	eventually(t, "the Service's endpoints", func() bool {
		return n.table.Load().byAddress[netip.MustParseAddrPort("10.96.3.4:8080")].pick(netip.Addr{}).IsValid()
	})
	seen := map[string]int{}
	for range 10 {
		conn, err := d.DialContext(t.Context(), "tcp", "order:8080")
		if err != nil {
			t.Fatal(err)
		}
		r := bufio.NewReader(conn)
		line, err := r.ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		seen[line]++
		fmt.Fprint(conn, "hello")
		_ = conn.(*net.TCPConn).CloseWrite()
		rest, err := io.ReadAll(r) // ends because the half-close went through
		if err != nil || string(rest) != "hello" {
			t.Errorf("got %q, %v", rest, err)
		}
		_ = conn.Close()
	}
	want := map[string]int{"10.244.7.1 from 127.190.9.9\n": 5, "10.244.7.2 from 127.190.9.9\n": 5}
	for line, count := range want {
		if seen[line] != count {
			t.Errorf("got %v, want %v", seen, want)
		}
	}
}

func TestAServiceWithoutEndpointsRefusesConnections(t *testing.T) {
	n, _ := start(t, clusterIP("order", "10.96.3.4", 8080))
	eventually(t, "the Service", func() bool { return n.table.Load().byName["shop/order"] != nil })
	d := &loopback.Dialer{Net: testNet, Self: netip.MustParseAddr("10.244.9.9"), Via: n.Node(), DNS: n.DNS(), Namespace: "shop"}
	for _, address := range []string{"10.96.3.4:8080", "10.96.9.9:80"} {
		conn, err := d.DialContext(t.Context(), "tcp", address)
		if err != nil {
			continue
		}
		if _, err := conn.Read(make([]byte, 1)); err == nil {
			t.Errorf("%s gave data", address)
		}
	}
}

func TestNames(t *testing.T) {
	headless := clusterIP("db", "None", 5432)
	external := &corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "pay"},
		Spec: corev1.ServiceSpec{Type: corev1.ServiceTypeExternalName, ExternalName: "order.shop.svc.cluster.local"}}
	n, client := start(t, clusterIP("order", "10.96.3.4", 8080), headless, external)
	pods(t, client, "db", "10.244.7.3", "10.244.7.4")
	eventually(t, "the endpoints", func() bool { s := n.table.Load().byName["shop/db"]; return s != nil && len(s.endpoints) == 2 })
	for _, test := range []struct {
		name  string
		kind  uint16
		rcode int
		want  []string
	}{
		{"order.shop.svc.cluster.local.", dns.TypeA, dns.RcodeSuccess, []string{"10.96.3.4"}},
		{"ORDER.shop.svc.cluster.local.", dns.TypeA, dns.RcodeSuccess, []string{"10.96.3.4"}},
		{"order.shop.svc.cluster.local.", dns.TypeAAAA, dns.RcodeSuccess, nil},
		{"order.other.svc.cluster.local.", dns.TypeA, dns.RcodeNameError, nil},
		{"order.svc.cluster.local.", dns.TypeA, dns.RcodeNameError, nil},
		{"db.shop.svc.cluster.local.", dns.TypeA, dns.RcodeSuccess, []string{"10.244.7.3", "10.244.7.4"}},
		{"10-244-7-4.db.shop.svc.cluster.local.", dns.TypeA, dns.RcodeSuccess, []string{"10.244.7.4"}},
		{"pay.shop.svc.cluster.local.", dns.TypeA, dns.RcodeSuccess, []string{"order.shop.svc.cluster.local.", "10.96.3.4"}},
		{"_http._tcp.order.shop.svc.cluster.local.", dns.TypeSRV, dns.RcodeSuccess, []string{"order.shop.svc.cluster.local.:8080"}},
		{"10-244-1-2.shop.pod.cluster.local.", dns.TypeA, dns.RcodeSuccess, []string{"10.244.1.2"}},
		{"4.3.96.10.in-addr.arpa.", dns.TypePTR, dns.RcodeSuccess, []string{"order.shop.svc.cluster.local."}},
		{"3.7.244.10.in-addr.arpa.", dns.TypePTR, dns.RcodeSuccess, []string{"10-244-7-3.shop.pod.cluster.local."}},
	} {
		for _, network := range []string{"udp", "tcp"} {
			t.Run(fmt.Sprintf("%s %s %s", dns.TypeToString[test.kind], test.name, network), func(t *testing.T) {
				m := new(dns.Msg).SetQuestion(test.name, test.kind)
				r, _, err := (&dns.Client{Net: network}).Exchange(m, n.DNS())
				if err != nil {
					t.Fatal(err)
				}
				var got []string
				for _, rr := range r.Answer {
					switch rr := rr.(type) {
					case *dns.A:
						got = append(got, rr.A.String())
					case *dns.CNAME:
						got = append(got, rr.Target)
					case *dns.PTR:
						got = append(got, rr.Ptr)
					case *dns.SRV:
						got = append(got, fmt.Sprintf("%s:%d", rr.Target, rr.Port))
					}
				}
				if r.Rcode != test.rcode || fmt.Sprint(got) != fmt.Sprint(test.want) {
					t.Errorf("got %s %v, want %s %v", dns.RcodeToString[r.Rcode], got, dns.RcodeToString[test.rcode], test.want)
				}
			})
		}
	}
}

func TestANodePortThatIsTakenGetsAnother(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = taken.Close() }()
	s := clusterIP("gate", "10.96.5.5", 80)
	s.Spec.Type = corev1.ServiceTypeLoadBalancer
	s.Spec.Ports[0].NodePort = int32(taken.Addr().(*net.TCPAddr).Port)
	n, client := start(t, s)
	pods(t, client, "gate", "10.244.7.8")
	eventually(t, "the listener", func() bool { return len(n.Ports()) == 1 })
	p := n.Ports()[0]
	if p.Address == taken.Addr().String() || p.NodePort != int(s.Spec.Ports[0].NodePort) {
		t.Errorf("got %+v", p)
	}
	conn, err := net.Dial("tcp", p.Address)
	if err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(conn).ReadString('\n')
	if err != nil || line[:10] != "10.244.7.8" {
		t.Errorf("got %q, %v", line, err)
	}
	_ = conn.Close()
	eventually(t, "the status", func() bool {
		live, err := client.CoreV1().Services("shop").Get(t.Context(), "gate", metav1.GetOptions{})
		return err == nil && len(live.Status.LoadBalancer.Ingress) == 1 && live.Status.LoadBalancer.Ingress[0].IP == "127.0.0.1"
	})
	if err := client.CoreV1().Services("shop").Delete(t.Context(), "gate", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the listener to close", func() bool {
		c, err := net.Dial("tcp", p.Address)
		if err == nil {
			_ = c.Close()
		}
		return err != nil
	})
}

func TestConnectReachesServicesByNameAndAddress(t *testing.T) {
	n, client := start(t, clusterIP("hook", "10.96.6.6", 443))
	pods(t, client, "hook", "10.244.7.9")
	eventually(t, "the endpoints", func() bool {
		s := n.table.Load().byAddress[netip.MustParseAddrPort("10.96.6.6:443")]
		return s != nil && len(s.ready) == 1
	})
	for _, target := range []string{"hook.shop.svc:443", "10.96.6.6:443"} {
		conn, err := net.Dial("unix", n.o.ConnectSocket)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(conn, "CONNECT %s HTTP/1.1\r\nHost: %s\r\n\r\n", target, target)
		r := bufio.NewReader(conn)
		status, err := r.ReadString('\n')
		if err != nil || status != "HTTP/1.1 200 Connection established\r\n" {
			t.Fatalf("%s: got %q, %v", target, status, err)
		}
		_, _ = r.ReadString('\n')
		if line, err := r.ReadString('\n'); err != nil || line[:10] != "10.244.7.9" {
			t.Errorf("%s: got %q, %v", target, line, err)
		}
		_ = conn.Close()
	}
}
