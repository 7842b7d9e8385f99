package standin_test

import (
	"io"
	"net"
	"net/netip"
	"strings"

	"github.com/miekg/dns"

	"github.com/meshstorm/meshstorm/lab/loopback"
)

// serveDNS knows the services as a cluster's DNS does.
func (c *cluster) serveDNS() {
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		c.t.Fatal(err)
	}
	c.dns = conn.LocalAddr().String()
	server := &dns.Server{PacketConn: conn, Handler: dns.HandlerFunc(func(w dns.ResponseWriter, q *dns.Msg) {
		m := new(dns.Msg).SetReply(q)
		name, _, _ := strings.Cut(q.Question[0].Name, ".default.svc.cluster.local.")
		c.mu.Lock()
		ip, ok := c.services[name]
		c.mu.Unlock()
		if ok && strings.HasSuffix(q.Question[0].Name, ".default.svc.cluster.local.") {
			m.Answer = append(m.Answer, &dns.A{Hdr: dns.RR_Header{Name: q.Question[0].Name, Rrtype: dns.TypeA, Class: dns.ClassINET, Ttl: 1}, A: ip.AsSlice()})
		} else {
			m.Rcode = dns.RcodeNameError
		}
		_ = w.WriteMsg(m)
	})}
	go func() { _ = server.ActivateAndServe() }()
	c.t.Cleanup(func() { _ = server.Shutdown() })
}

// serveNode is the node's network: it joins connections to what listens.
func (c *cluster) serveNode() {
	l, err := loopback.Listen("127.0.0.1:0")
	if err != nil {
		c.t.Fatal(err)
	}
	c.node = l.Addr().String()
	c.t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go c.join(conn)
		}
	}()
}

func (c *cluster) join(conn net.Conn) {
	defer conn.Close()
	to, err := netip.ParseAddrPort(conn.LocalAddr().String())
	if err != nil {
		return
	}
	c.mu.Lock()
	backend := c.backends[to.Addr()]
	c.mu.Unlock()
	other, err := net.Dial("tcp", backend)
	if err != nil {
		return
	}
	defer other.Close()
	go func() { _, _ = io.Copy(other, conn); _ = other.Close() }()
	_, _ = io.Copy(conn, other)
}
