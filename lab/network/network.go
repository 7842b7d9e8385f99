// Package network is what the node's kernel, kube-proxy and the cluster's DNS
// do elsewhere. It takes the Services and EndpointSlices of the API and gives
// ways to reach them: a DNS server, a listener that takes connections to
// ClusterIPs and pod IPs (PROXY v2 says which), a listener on the host for each
// node port, and an HTTP CONNECT proxy for the API server.
package network

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"

	"golang.org/x/sync/errgroup"
	"k8s.io/client-go/kubernetes"

	"github.com/meshstorm/meshstorm/lab/loopback"
)

// Options say where the network listens.
type Options struct {
	Net           loopback.Net
	NodePortHost  string // 127.0.0.1 where ""
	Avoid         []int  // host ports that are never chosen
	ConnectSocket string // unix socket of the CONNECT proxy
	Log           *slog.Logger
}

// Network is the node's network. Its addresses are known before Run.
type Network struct {
	o       Options
	node    net.Listener
	dns     *dnsServer
	connect net.Listener
	table   atomic.Pointer[table]
	changed chan struct{} // closed and replaced with each new table

	mu        sync.Mutex
	client    kubernetes.Interface
	apiServer string
	ports     map[portKey]*nodePort
	flows     flows
}

// New binds the listeners.
func New(o Options) (*Network, error) {
	if o.NodePortHost == "" {
		o.NodePortHost = "127.0.0.1"
	}
	n := &Network{o: o, ports: map[portKey]*nodePort{}, changed: make(chan struct{})}
	n.table.Store(newTable(nil, nil))
	var err error
	if n.node, err = loopback.Listen("127.0.0.1:0"); err != nil {
		return nil, err
	}
	if n.dns, err = newDNS(n); err != nil {
		return nil, err
	}
	if o.ConnectSocket != "" {
		if n.connect, err = net.Listen("unix", o.ConnectSocket); err != nil {
			return nil, err
		}
		if err := os.Chmod(o.ConnectSocket, 0o600); err != nil {
			return nil, err
		}
	}
	return n, nil
}

// DNS is the cluster's name server, for UDP and TCP.
func (n *Network) DNS() string { return n.dns.address }

// Node takes connections to any address of the cluster, or outside of it, with
// PROXY v2.
func (n *Network) Node() string { return n.node.Addr().String() }

// SetClient gives the API to watch, and where the API server listens, which
// Service kubernetes stands for. The CONNECT proxy works before.
func (n *Network) SetClient(client kubernetes.Interface, apiServer string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.client, n.apiServer = client, apiServer
}

// ServeConnect answers the API server's CONNECT requests until ctx ends. It
// runs apart from Run, since the API server needs it while it starts.
func (n *Network) ServeConnect(ctx context.Context) error {
	return n.serveConnect(ctx)
}

// Run serves until ctx ends, and returns when all connections are closed.
func (n *Network) Run(ctx context.Context) error {
	n.mu.Lock()
	client := n.client
	n.mu.Unlock()
	if client == nil {
		return errors.New("network: SetClient comes before Run")
	}
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return n.watch(ctx, client) })
	group.Go(func() error { return n.serveNode(ctx) })
	group.Go(func() error { return n.dns.serve(ctx) })
	err := group.Wait()
	n.closePorts()
	n.flows.closeAll()
	return err
}

// serveNode is kube-proxy's work for the pods.
func (n *Network) serveNode(ctx context.Context) error {
	return accept(ctx, n.node, func(conn net.Conn) {
		dst, ok := addrPort(conn.LocalAddr())
		if !ok {
			_ = conn.Close()
			return
		}
		from := addrOf(conn.RemoteAddr())
		up, err := n.dial(ctx, from, dst)
		if err != nil {
			n.o.Log.Debug("connection refused", "from", from, "to", dst, "error", err)
			reset(conn)
			return
		}
		n.flows.join(conn, up)
	})
}

// errNoEndpoint says that a Service has no pod that takes connections.
var errNoEndpoint = errors.New("no ready endpoint")

// dial connects to an address of the cluster, or outside of it, as the pod from.
func (n *Network) dial(ctx context.Context, from netip.Addr, dst netip.AddrPort) (net.Conn, error) {
	if target, ok := n.service(from, dst); ok {
		if !target.IsValid() {
			return nil, fmt.Errorf("%s: %w", dst, errNoEndpoint)
		}
		dst = target
	} else if loopback.ServiceCIDR.Contains(dst.Addr()) {
		return nil, fmt.Errorf("%s: no Service has this address and port", dst)
	}
	d := &loopback.Dialer{Net: n.o.Net, Self: from}
	if !loopback.PodCIDR.Contains(from) {
		d.Self = netip.Addr{}
	}
	if !loopback.PodCIDR.Contains(dst.Addr()) {
		d.Self = netip.Addr{} // the outside cannot be reached from a loopback address
	}
	bound := netip.AddrPortFrom(n.o.Net.Bind(dst.Addr()), dst.Port())
	return d.From().DialContext(ctx, "tcp", bound.String())
}

// service gives the endpoint for a Service's address; ok is false for an address
// that is no Service's, the endpoint invalid where none is ready.
func (n *Network) service(from netip.Addr, dst netip.AddrPort) (endpoint netip.AddrPort, ok bool) {
	n.mu.Lock()
	api := n.apiServer
	n.mu.Unlock()
	if dst == kubernetesService && api != "" {
		to, err := netip.ParseAddrPort(api)
		return to, err == nil
	}
	s := n.table.Load().byAddress[dst]
	if s == nil {
		return netip.AddrPort{}, false
	}
	return s.pick(from), true
}

var kubernetesService = netip.MustParseAddrPort("10.96.0.1:443")

func addrPort(a net.Addr) (netip.AddrPort, bool) {
	t, ok := a.(*net.TCPAddr)
	if !ok {
		return netip.AddrPort{}, false
	}
	ap := t.AddrPort()
	return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port()), true
}

func addrOf(a net.Addr) netip.Addr {
	ap, _ := addrPort(a)
	return ap.Addr()
}
