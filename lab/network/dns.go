package network

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"strings"
	"time"

	"github.com/miekg/dns"
	corev1 "k8s.io/api/core/v1"
)

// zone is the cluster's domain.
const zone = "cluster.local."

// ttl is CoreDNS's for Kubernetes, in seconds.
const ttl = 5

// dnsServer answers by the Kubernetes DNS specification, version 1.1.0
// (kubernetes/dns, docs/specification.md); other names it asks of the host's
// resolver.
type dnsServer struct {
	network *Network
	address string
	udp     *dns.Server
	tcp     *dns.Server
}

// newDNS binds one port for both protocols.
func newDNS(n *Network) (*dnsServer, error) {
	var last error
	for range 10 {
		udp, err := net.ListenPacket("udp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		tcp, err := net.Listen("tcp", udp.LocalAddr().String())
		if err != nil {
			last = err
			_ = udp.Close()
			continue
		}
		s := &dnsServer{network: n, address: udp.LocalAddr().String()}
		s.udp = &dns.Server{PacketConn: udp, Handler: dns.HandlerFunc(s.answer)}
		s.tcp = &dns.Server{Listener: tcp, Handler: dns.HandlerFunc(s.answer)}
		return s, nil
	}
	return nil, last
}

func (s *dnsServer) serve(ctx context.Context) error {
	failed := make(chan error, 2)
	go func() { failed <- s.udp.ActivateAndServe() }()
	go func() { failed <- s.tcp.ActivateAndServe() }()
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	_ = s.udp.Shutdown()
	_ = s.tcp.Shutdown()
	return nil
}

func (s *dnsServer) answer(w dns.ResponseWriter, r *dns.Msg) {
	m := new(dns.Msg)
	m.SetReply(r)
	m.RecursionAvailable = true
	if len(r.Question) == 1 {
		s.fill(m, r.Question[0])
	} else {
		m.Rcode = dns.RcodeFormatError
	}
	if _, udp := w.RemoteAddr().(*net.UDPAddr); udp {
		size := dns.MinMsgSize
		if o := r.IsEdns0(); o != nil {
			size = int(o.UDPSize())
		}
		m.Truncate(size)
	}
	_ = w.WriteMsg(m)
}

func (s *dnsServer) fill(m *dns.Msg, q dns.Question) {
	name := strings.ToLower(q.Name)
	switch {
	case name == zone || strings.HasSuffix(name, "."+zone):
		m.Authoritative = true
		if !s.cluster(m, q, name) {
			m.Rcode = dns.RcodeNameError
		}
		if len(m.Answer) == 0 {
			m.Ns = []dns.RR{&dns.SOA{
				Hdr: dns.RR_Header{Name: zone, Rrtype: dns.TypeSOA, Class: dns.ClassINET, Ttl: ttl},
				Ns:  "ns.dns." + zone, Mbox: "hostmaster." + zone, Serial: 1, Refresh: 7200, Retry: 1800, Expire: 86400, Minttl: ttl,
			}}
		}
	case strings.HasSuffix(name, ".in-addr.arpa.") && s.reverse(m, q, name):
	default:
		s.outside(m, q)
	}
}

func header(name string, kind uint16) dns.RR_Header {
	return dns.RR_Header{Name: name, Rrtype: kind, Class: dns.ClassINET, Ttl: ttl}
}

// cluster answers for a name of the cluster; false is no such name.
func (s *dnsServer) cluster(m *dns.Msg, q dns.Question, name string) bool {
	labels := strings.Split(strings.TrimSuffix(strings.TrimSuffix(name, zone), "."), ".")
	n := len(labels)
	switch {
	case n >= 1 && labels[0] == "" || n == 1 && (labels[0] == "svc" || labels[0] == "pod"):
		return true // the zones themselves
	case n == 3 && labels[2] == "pod":
		ip, err := netip.ParseAddr(strings.ReplaceAll(labels[0], "-", "."))
		if err != nil {
			return false
		}
		addA(m, q, ip)
		return true
	case n < 3 || labels[n-1] != "svc":
		return false
	}
	svc := s.network.table.Load().byName[labels[n-2]+"/"+labels[n-3]]
	if svc == nil {
		return false
	}
	switch rest := labels[:n-3]; len(rest) {
	case 0:
		return s.service(m, q, svc)
	case 1:
		return host(m, q, svc, rest[0])
	case 2:
		return ports(m, q, svc, strings.TrimPrefix(rest[0], "_"), strings.TrimPrefix(rest[1], "_"))
	}
	return false
}

func (s *dnsServer) service(m *dns.Msg, q dns.Question, svc *service) bool {
	if svc.Spec.Type == corev1.ServiceTypeExternalName {
		target := dns.Fqdn(svc.Spec.ExternalName)
		m.Answer = append(m.Answer, &dns.CNAME{Hdr: header(q.Name, dns.TypeCNAME), Target: target})
		if q.Qtype == dns.TypeA {
			follow := new(dns.Msg)
			s.fill(follow, dns.Question{Name: target, Qtype: dns.TypeA, Qclass: q.Qclass})
			m.Answer = append(m.Answer, follow.Answer...)
		}
		return true
	}
	if ip, err := netip.ParseAddr(svc.Spec.ClusterIP); err == nil {
		addA(m, q, ip)
		return true
	}
	found := false
	for _, e := range svc.endpoints { // headless
		if e.ready {
			addA(m, q, e.ip)
			found = true
		}
	}
	return found
}

// host answers for a pod behind a Service: by its hostname, or its address with
// dashes.
func host(m *dns.Msg, q dns.Question, svc *service, label string) bool {
	for _, e := range svc.endpoints {
		if e.ready && (e.hostname == label || strings.ReplaceAll(e.ip.String(), ".", "-") == label) {
			addA(m, q, e.ip)
			return true
		}
	}
	return false
}

// ports answers SRV questions.
func ports(m *dns.Msg, q dns.Question, svc *service, name, protocol string) bool {
	for _, p := range svc.ports {
		if p.spec.Name != name || !strings.EqualFold(string(p.spec.Protocol), protocol) {
			continue
		}
		if q.Qtype == dns.TypeSRV {
			m.Answer = append(m.Answer, &dns.SRV{Hdr: header(q.Name, dns.TypeSRV), Weight: 100, Port: uint16(p.spec.Port),
				Target: svc.Name + "." + svc.Namespace + ".svc." + zone})
		}
		return true
	}
	return false
}

func addA(m *dns.Msg, q dns.Question, ip netip.Addr) {
	if ip.Is4() && (q.Qtype == dns.TypeA || q.Qtype == dns.TypeANY) {
		m.Answer = append(m.Answer, &dns.A{Hdr: header(q.Name, dns.TypeA), A: ip.AsSlice()})
	}
}

// reverse answers PTR questions for ClusterIPs and pods behind Services.
func (s *dnsServer) reverse(m *dns.Msg, q dns.Question, name string) bool {
	labels := strings.Split(strings.TrimSuffix(name, ".in-addr.arpa."), ".")
	if len(labels) != 4 {
		return false
	}
	ip, err := netip.ParseAddr(labels[3] + "." + labels[2] + "." + labels[1] + "." + labels[0])
	if err != nil {
		return false
	}
	t := s.network.table.Load()
	target := ""
	if svc := t.byIP[ip]; svc != nil {
		target = svc.Name + "." + svc.Namespace + ".svc." + zone
	} else if namespace, ok := t.pods[ip]; ok {
		target = strings.ReplaceAll(ip.String(), ".", "-") + "." + namespace + ".pod." + zone
	} else if isPod(ip) {
		m.Rcode = dns.RcodeNameError
		return true
	} else {
		return false
	}
	if q.Qtype == dns.TypePTR {
		m.Answer = append(m.Answer, &dns.PTR{Hdr: header(q.Name, dns.TypePTR), Ptr: target})
	}
	return true
}

// outside asks the host's resolver.
func (s *dnsServer) outside(m *dns.Msg, q dns.Question) {
	if q.Qtype != dns.TypeA {
		return // no IPv6 in the lab, and nothing else is asked by programs that connect
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	ips, err := net.DefaultResolver.LookupNetIP(ctx, "ip4", q.Name)
	if err != nil {
		m.Rcode = dns.RcodeServerFailure
		if missing := (*net.DNSError)(nil); errors.As(err, &missing) && missing.IsNotFound {
			m.Rcode = dns.RcodeNameError
		}
		return
	}
	for _, ip := range ips {
		addA(m, q, ip.Unmap())
	}
}
