package loopback

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"

	"github.com/pires/go-proxyproto"
)

// Dialer makes a pod's outbound connections. Names are resolved by the
// cluster's DNS with a pod's search list; the connection goes to the pod's own
// sidecar, or to the node's network where it has none, and says in a PROXY v2
// header (the HAProxy specification, section 2.2) where it wants to go. Without
// iptables that header is what SO_ORIGINAL_DST is on Linux.
type Dialer struct {
	Net       Net
	Self      netip.Addr // the pod's IP, the source of its connections
	Via       string     // HOST:PORT that takes PROXY v2: the sidecar's 15001, or the node's network
	DNS       string     // HOST:PORT of the cluster's DNS
	Namespace string     // for the search list
	// Direct dials ports that the pod excludes from interception, through the
	// node's network. Nil excludes none.
	Direct func(dst netip.AddrPort) (via string, ok bool)
}

// DialContext connects to a name or address of the cluster, as net.Dialer does.
func (d *Dialer) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	host, portName, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	port, err := strconv.ParseUint(portName, 10, 16)
	if err != nil {
		return nil, fmt.Errorf("dial %s: %q is not a port", address, portName)
	}
	ips, err := d.Lookup(ctx, host)
	if err != nil {
		return nil, &net.OpError{Op: "dial", Net: network, Err: err}
	}
	var all error
	for _, ip := range ips {
		conn, err := d.DialAddr(ctx, netip.AddrPortFrom(ip, uint16(port)))
		if err == nil {
			return conn, nil
		}
		all = errors.Join(all, err)
	}
	return nil, all
}

// DialAddr connects to an address of the cluster.
func (d *Dialer) DialAddr(ctx context.Context, dst netip.AddrPort) (net.Conn, error) {
	if dst.Addr().IsLoopback() {
		return (&net.Dialer{}).DialContext(ctx, "tcp", dst.String()) // the pod's own localhost
	}
	via := d.Via
	if d.Direct != nil {
		if other, ok := d.Direct(dst); ok {
			via = other
		}
	}
	return d.Through(ctx, via, dst)
}

// Through connects to via and says that dst is wanted.
func (d *Dialer) Through(ctx context.Context, via string, dst netip.AddrPort) (net.Conn, error) {
	conn, err := d.From().DialContext(ctx, "tcp", via)
	if err != nil {
		return nil, err
	}
	local, _ := conn.LocalAddr().(*net.TCPAddr)
	source := net.TCPAddr{IP: d.Self.AsSlice()}
	if local != nil {
		source.Port = local.Port
	}
	header := proxyproto.HeaderProxyFromAddrs(2, &source, net.TCPAddrFromAddrPort(dst))
	if _, err := header.WriteTo(conn); err != nil {
		_ = conn.Close()
		return nil, fmt.Errorf("dial %s through %s: %w", dst, via, err)
	}
	return conn, nil
}

// From is a plain dialer whose connections come from the pod's loopback
// address, so that the other side knows the pod by it.
func (d *Dialer) From() *net.Dialer {
	dialer := &net.Dialer{}
	if d.Self.IsValid() {
		dialer.LocalAddr = &net.TCPAddr{IP: d.Net.Bind(d.Self).AsSlice()}
	}
	return dialer
}

// Lookup gives the IPv4 addresses of a name as a pod sees it: with the search
// list of its namespace where the name has fewer than five dots
// (Kubernetes, "DNS for Services and Pods").
func (d *Dialer) Lookup(ctx context.Context, host string) ([]netip.Addr, error) {
	if ip, err := netip.ParseAddr(host); err == nil {
		return []netip.Addr{ip}, nil
	}
	if host == "localhost" {
		return []netip.Addr{netip.AddrFrom4([4]byte{127, 0, 0, 1})}, nil
	}
	resolver := &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, network, d.DNS)
	}}
	var last error
	for _, name := range d.names(host) {
		ips, err := resolver.LookupNetIP(ctx, "ip4", name)
		if err == nil {
			return ips, nil
		}
		last = err
		if dns := (*net.DNSError)(nil); !errors.As(err, &dns) || !dns.IsNotFound {
			break
		}
	}
	return nil, last
}

func (d *Dialer) names(host string) []string {
	if strings.HasSuffix(host, ".") {
		return []string{host}
	}
	if strings.Count(host, ".") >= 5 {
		return []string{host + "."}
	}
	var names []string
	if d.Namespace != "" {
		names = append(names, host+"."+d.Namespace+".svc.cluster.local.")
	}
	return append(names, host+".svc.cluster.local.", host+".cluster.local.", host+".")
}

// Listen accepts connections that carry a PROXY v2 header. Of a connection,
// LocalAddr is where the client wanted to go and RemoteAddr its pod IP.
// Connections without a header are refused.
func Listen(address string) (net.Listener, error) {
	plain, err := net.Listen("tcp", address)
	if err != nil {
		return nil, err
	}
	return &proxyproto.Listener{Listener: plain, ConnPolicy: require}, nil
}

func require(proxyproto.ConnPolicyOptions) (proxyproto.Policy, error) {
	return proxyproto.REQUIRE, nil
}
