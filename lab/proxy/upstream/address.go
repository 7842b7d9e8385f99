package upstream

import (
	"context"
	"net"
	"net/netip"
	"strings"
	"time"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"

	"github.com/meshstorm/meshstorm/lab/loopback"
)

// isInbound tells whether a cluster is a sidecar's way to its own application:
// istiod binds those connections to 127.0.0.6, which iptables lets pass.
func isInbound(c *clusterv3.Cluster) bool {
	switch c.GetUpstreamBindConfig().GetSourceAddress().GetAddress() {
	case "127.0.0.6", "::6":
		return true
	}
	return strings.HasPrefix(c.GetName(), "inbound|")
}

// reach dials an address of the API where it is on this machine.
func (c *Cluster) reach(ctx context.Context, at netip.AddrPort) (net.Conn, error) {
	o := &c.owner.options
	dialer := o.Dialer
	switch {
	case c.inbound && o.Spec != nil && (at.Addr().IsLoopback() || at.Addr() == o.Spec.IP):
		return c.plain().DialContext(ctx, "tcp", o.Spec.ListenOn(int(at.Port())))
	case at.Addr().IsLoopback(), o.Dialer == nil:
		return c.plain().DialContext(ctx, "tcp", at.String())
	case loopback.PodCIDR.Contains(at.Addr()):
		from := dialer.From()
		c.alive(from)
		return from.DialContext(ctx, "tcp", netip.AddrPortFrom(dialer.Net.Bind(at.Addr()), at.Port()).String())
	}
	via := dialer.Via
	if o.Spec != nil {
		via = o.Spec.Node
	}
	conn, err := dialer.Through(ctx, via, at)
	if tcp, ok := conn.(*net.TCPConn); ok && c.settings.keepalive != nil {
		_ = tcp.SetKeepAliveConfig(keepalive(c.settings.keepalive))
	}
	return conn, err
}

func (c *Cluster) plain() *net.Dialer {
	d := &net.Dialer{}
	c.alive(d)
	return d
}

// alive sets TCP keepalive as the cluster says; without it Envoy sends none.
func (c *Cluster) alive(d *net.Dialer) {
	d.KeepAlive = -1
	if k := c.settings.keepalive; k != nil {
		d.KeepAliveConfig = keepalive(k)
	}
}

func keepalive(k *corev3.TcpKeepalive) net.KeepAliveConfig {
	return net.KeepAliveConfig{
		Enable:   true,
		Idle:     time.Duration(orDefault(k.GetKeepaliveTime(), 0)) * time.Second,
		Interval: time.Duration(orDefault(k.GetKeepaliveInterval(), 0)) * time.Second,
		Count:    int(orDefault(k.GetKeepaliveProbes(), 0)),
	}
}

// dial connects to the host within the cluster's connect_timeout, with its
// transport socket. sni is what the request asks for; alpn nil for the
// socket's.
func (h *Host) dial(ctx context.Context, sni string, alpn []string) (net.Conn, error) {
	c := h.cluster
	ctx, cancel := context.WithTimeout(ctx, c.settings.connectTimeout)
	defer cancel()
	info := h.about.Load()
	if err := info.socket.refused(); err != nil {
		return nil, err // before anything leaves in plain text
	}
	conn, err := c.reach(ctx, info.address)
	if err != nil {
		return nil, connectError(err)
	}
	secured, err := info.socket.secure(ctx, conn, sni, alpn)
	if err != nil {
		_ = conn.Close()
		return nil, err
	}
	return secured, nil
}

// Connect opens a connection for TCP and upgrades, with the cluster's transport
// socket, within its connect_timeout. It counts against max_connections until it
// is closed.
func (c *Cluster) Connect(ctx context.Context, h *Host) (net.Conn, error) {
	ex := exchangeOf(ctx)
	b := c.breaker(ex != nil && ex.HighPriority)
	if !b.connections.acquire() {
		return nil, &Error{Kind: ErrOverflow}
	}
	if b.perHost > 0 && h.open.Load() >= b.perHost {
		b.connections.release()
		return nil, &Error{Kind: ErrOverflow}
	}
	h.open.Add(1)
	h.active.Add(1)
	give := func() {
		b.connections.release()
		h.open.Add(-1)
		h.active.Add(-1)
	}
	conn, err := h.dial(ctx, "", nil)
	if err != nil {
		give()
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, err
	}
	if ex != nil {
		ex.Local = addrPort(conn.LocalAddr())
	}
	return counted(conn, give), nil
}

func addrPort(a net.Addr) netip.AddrPort {
	if tcp, ok := a.(*net.TCPAddr); ok {
		ap := tcp.AddrPort()
		return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
	}
	return netip.AddrPort{}
}
