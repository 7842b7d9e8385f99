package upstream_test

import (
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"

	"github.com/miekg/dns"

	"github.com/meshstorm/meshstorm/lab/loopback"
	"github.com/meshstorm/meshstorm/lab/proxy/upstream"
)

func replace(s, from, to string) string { return strings.ReplaceAll(s, from, to) }

// zone is a DNS server with the addresses that it is given.
type zone struct {
	mu      sync.Mutex
	ips     map[string][]string
	ttl     uint32
	broken  bool
	queries map[string]int
}

func (z *zone) ServeDNS(w dns.ResponseWriter, r *dns.Msg) {
	z.mu.Lock()
	defer z.mu.Unlock()
	if z.queries == nil {
		z.queries = map[string]int{}
	}
	z.queries[r.Question[0].Name]++
	m := (&dns.Msg{}).SetReply(r)
	ips, ok := z.ips[r.Question[0].Name]
	switch {
	case z.broken:
		m.Rcode = dns.RcodeServerFailure
	case !ok:
		m.Rcode = dns.RcodeNameError
	case r.Question[0].Qtype == dns.TypeA:
		for _, ip := range ips {
			m.Answer = append(m.Answer, &dns.A{Hdr: dns.RR_Header{Name: r.Question[0].Name, Rrtype: dns.TypeA, Class: dns.ClassINET, Ttl: z.ttl}, A: net.ParseIP(ip)})
		}
	}
	_ = w.WriteMsg(m)
}

func (z *zone) set(name string, ips ...string) {
	z.mu.Lock()
	defer z.mu.Unlock()
	if z.ips == nil {
		z.ips = map[string][]string{}
	}
	if len(ips) == 0 {
		delete(z.ips, name)
		return
	}
	z.ips[name] = ips
}

func (z *zone) breakDown(broken bool) {
	z.mu.Lock()
	defer z.mu.Unlock()
	z.broken = broken
}

func (z *zone) asked(name string) int {
	z.mu.Lock()
	defer z.mu.Unlock()
	return z.queries[name]
}

// dialer asks the zone.
func (z *zone) dialer(t testing.TB) *loopback.Dialer {
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &dns.Server{PacketConn: conn, Handler: z}
	go func() { _ = s.ActivateAndServe() }()
	t.Cleanup(func() { conn.Close() })
	return &loopback.Dialer{DNS: conn.LocalAddr().String(), Net: loopback.Default}
}

func named(kind, options string, names ...string) string {
	var all []string
	for _, n := range names {
		all = append(all, `{"endpoint":{"address":{"socketAddress":{"address":"`+n+`","portValue":5432}}}}`)
	}
	return `{"type":"` + kind + `"` + options + `,"loadAssignment":{"endpoints":[{"lbEndpoints":[` + strings.Join(all, ",") + `]}]}}`
}

// hosts are the addresses that are picked.
func hosts(k *upstream.Cluster) string {
	found := map[netip.Addr]bool{}
	for range 50 {
		h, err := k.Pick(upstream.Choice{})
		if err != nil {
			return err.Error()
		}
		found[h.Address().Addr()] = true
	}
	var all []string
	for ip := netip.MustParseAddr("192.0.2.1"); ip.Less(netip.MustParseAddr("192.0.2.9")); ip = ip.Next() {
		if found[ip] {
			all = append(all, ip.String())
		}
	}
	return strings.Join(all, " ")
}

const often = `,"dnsRefreshRate":"0.005s"`

func TestNames(t *testing.T) {
	z := &zone{ttl: 0}
	z.set("db.example.com.", "192.0.2.1", "192.0.2.2")
	z.set("other.example.com.", "192.0.2.3")
	for _, c := range []struct{ name, cluster, want string }{
		{"STRICT_DNS takes all addresses of all names", named("STRICT_DNS", often, "db.example.com", "other.example.com"), "192.0.2.1 192.0.2.2 192.0.2.3"},
		{"LOGICAL_DNS takes the first", named("LOGICAL_DNS", often, "db.example.com"), "192.0.2.1"},
		{"an address needs no DNS", named("STRICT_DNS", often, "192.0.2.4"), "192.0.2.4"},
		{"a name that is not there", named("STRICT_DNS", often, "none.example.com"), "no healthy upstream"},
	} {
		t.Run(c.name, func(t *testing.T) {
			k, _ := cluster(t, upstream.Options{Dialer: z.dialer(t)}, c.cluster, nil)
			if got := hosts(k); got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}

func TestNamesAreResolvedAgain(t *testing.T) {
	z := &zone{}
	z.set("db.example.com.", "192.0.2.1")
	k, _ := cluster(t, upstream.Options{Dialer: z.dialer(t)}, named("STRICT_DNS", often, "db.example.com"), nil)
	first := pick(t, k)
	if first.Hostname() != "db.example.com" {
		t.Errorf("the host's name is %q", first.Hostname())
	}
	z.set("db.example.com.", "192.0.2.1", "192.0.2.2")
	eventually(t, "the second address", func() bool { return hosts(k) == "192.0.2.1 192.0.2.2" })
	z.breakDown(true)
	const searched = "db.example.com.svc.cluster.local." // the search list's first
	before := z.asked(searched)
	eventually(t, "questions while the DNS is broken", func() bool { return z.asked(searched) > before+10 })
	if got := hosts(k); got != "192.0.2.1 192.0.2.2" {
		t.Errorf("while the DNS is broken the last answer holds, got %s", got)
	}
	z.breakDown(false)
	z.set("db.example.com.", "192.0.2.2")
	eventually(t, "the first address gone", func() bool { return hosts(k) == "192.0.2.2" })
	z.set("db.example.com.")
	eventually(t, "the name gone", func() bool { return hosts(k) == "no healthy upstream" })
}

// With respect_dns_ttl the record's time to live counts, not the refresh rate.
func TestTimeToLive(t *testing.T) {
	z := &zone{ttl: 3600}
	z.set("db.example.com.", "192.0.2.1")
	z.set("other.example.com.", "192.0.2.2")
	d := z.dialer(t)
	k, _ := cluster(t, upstream.Options{Dialer: d}, named("STRICT_DNS", often+`,"respectDnsTtl":true`, "db.example.com"), nil)
	hosts(k)
	asked := z.asked("db.example.com.")
	other, _ := cluster(t, upstream.Options{Dialer: d}, named("STRICT_DNS", often, "other.example.com"), nil)
	hosts(other)
	eventually(t, "ten refresh rates", func() bool { return z.asked("other.example.com.") > 10 })
	if n := z.asked("db.example.com."); n != asked {
		t.Errorf("%d questions within the time to live", n-asked)
	}
}

func TestClosedClustersAskNoMore(t *testing.T) {
	z := &zone{}
	z.set("db.example.com.", "192.0.2.1")
	k, all := cluster(t, upstream.Options{Dialer: z.dialer(t)}, named("STRICT_DNS", often, "db.example.com"), nil)
	hosts(k)
	all.Close()
	eventually(t, "no goroutine is left", func() bool { n, _ := goroutinesOf(t); return n == 0 })
}
