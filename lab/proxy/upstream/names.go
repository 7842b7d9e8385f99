package upstream

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

// Envoy's defaults of DNS clusters.
const (
	defaultRefresh = 5 * time.Second
	firstAnswer    = 5 * time.Second // how long requests wait for it
)

// names resolves the host names of a STRICT_DNS or LOGICAL_DNS cluster, each
// again when its refresh rate, or its record's time to live, is over.
type names struct {
	cluster          *Cluster
	refresh, jitter  time.Duration
	failure, longest time.Duration // back-off after failures
	respectTTL       bool

	ready chan struct{} // closed when every name was asked for once
	first sync.WaitGroup
}

func newNames(c *Cluster) *names {
	n := &names{cluster: c, refresh: defaultRefresh, jitter: c.proto.GetDnsJitter().AsDuration(), respectTTL: c.proto.GetRespectDnsTtl(), ready: make(chan struct{})}
	if r := c.proto.GetDnsRefreshRate(); r != nil {
		n.refresh = r.AsDuration()
	}
	n.failure, n.longest = n.refresh, n.refresh
	if f := c.proto.GetDnsFailureRefreshRate(); f != nil {
		n.failure = f.GetBaseInterval().AsDuration()
		n.longest = max(f.GetMaxInterval().AsDuration(), n.failure)
		if f.GetMaxInterval() == nil {
			n.longest = 10 * n.failure
		}
	}
	return n
}

// start asks for all names of the cluster's load assignment.
func (n *names) start() {
	var all []string
	for _, group := range n.cluster.load.GetEndpoints() {
		for _, ep := range group.GetLbEndpoints() {
			name := ep.GetEndpoint().GetAddress().GetSocketAddress().GetAddress()
			if _, err := netip.ParseAddr(name); err != nil && name != "" && !slices.Contains(all, name) {
				all = append(all, name)
			}
		}
	}
	n.first.Add(len(all))
	for _, name := range all {
		go n.follow(name)
	}
	go func() {
		n.first.Wait()
		close(n.ready)
	}()
}

// wait waits for the first answers.
func (n *names) wait() {
	select {
	case <-n.ready:
		return
	default:
	}
	timer := time.NewTimer(firstAnswer)
	defer timer.Stop()
	select {
	case <-n.ready:
	case <-timer.C:
	case <-n.cluster.ctx.Done():
	}
}

func (n *names) follow(name string) {
	c := n.cluster
	failures, failing := n.failure, false
	for first := true; ; first = false {
		ips, ttl, err := c.owner.lookup(c.ctx, name, n.respectTTL)
		again := n.refresh
		switch {
		case err == nil:
			failures, failing = n.failure, false
			if ttl > 0 && n.respectTTL {
				again = ttl
			}
			n.resolved(name, ips)
		case c.ctx.Err() == nil:
			if !failing {
				c.owner.options.Log.Warn("a host name cannot be resolved", "cluster", c.name, "host", name, "error", err)
			}
			failing, again = true, failures
			failures = min(2*failures, n.longest)
			if missing(err) {
				n.resolved(name, nil)
			}
		}
		if first {
			n.first.Done()
		}
		if n.jitter > 0 {
			again += time.Duration(c.owner.options.Random() % uint64(n.jitter))
		}
		select {
		case <-c.ctx.Done():
			return
		case <-time.After(max(again, time.Millisecond)):
		}
	}
}

// missing tells whether the DNS said that there is no such name; while it cannot
// be asked, the last answer holds.
func missing(err error) bool {
	var dns *net.DNSError
	return errors.As(err, &dns) && dns.IsNotFound
}

func (n *names) resolved(name string, ips []netip.Addr) {
	c := n.cluster
	ips = slices.Clone(ips)
	slices.SortFunc(ips, netip.Addr.Compare)
	c.mu.Lock()
	before, known := c.resolved[name]
	if known && slices.Equal(before, ips) {
		c.mu.Unlock()
		return
	}
	c.resolved[name] = ips
	gone := c.assignLocked()
	c.mu.Unlock()
	c.rebuild()
	for _, h := range gone {
		h.drain()
	}
}

// lookup asks the cluster's DNS as a pod does; the time to live is 0 where it is
// not known.
func (c *Clusters) lookup(ctx context.Context, name string, withTTL bool) ([]netip.Addr, time.Duration, error) {
	d := c.options.Dialer
	if d == nil {
		ips, err := net.DefaultResolver.LookupNetIP(ctx, "ip4", name)
		return ips, 0, err
	}
	ips, err := d.Lookup(ctx, name)
	if err != nil || !withTTL || d.DNS == "" {
		return ips, 0, err
	}
	return ips, timeToLive(ctx, d.DNS, name), nil
}

// timeToLive asks a DNS server for the shortest time that the addresses of a
// name may be kept; Go's resolver does not tell. 0 where there is no answer.
func timeToLive(ctx context.Context, server, name string) time.Duration {
	if name[len(name)-1] != '.' {
		name += "."
	}
	packed, err := dnsmessage.NewName(name)
	if err != nil {
		return 0
	}
	query := dnsmessage.Message{
		Header:    dnsmessage.Header{ID: 1, RecursionDesired: true},
		Questions: []dnsmessage.Question{{Name: packed, Type: dnsmessage.TypeA, Class: dnsmessage.ClassINET}},
	}
	wire, err := query.Pack()
	if err != nil {
		return 0
	}
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	conn, err := (&net.Dialer{}).DialContext(ctx, "udp", server)
	if err != nil {
		return 0
	}
	defer conn.Close()
	deadline, _ := ctx.Deadline()
	_ = conn.SetDeadline(deadline)
	answer := make([]byte, 4096)
	if _, err := conn.Write(wire); err != nil {
		return 0
	}
	n, err := conn.Read(answer)
	if err != nil {
		return 0
	}
	return shortest(answer[:n])
}

func shortest(answer []byte) time.Duration {
	var m dnsmessage.Message
	if m.Unpack(answer) != nil || m.RCode != dnsmessage.RCodeSuccess || len(m.Answers) == 0 {
		return 0
	}
	least := m.Answers[0].Header.TTL
	for _, a := range m.Answers {
		least = min(least, a.Header.TTL)
	}
	return time.Duration(least) * time.Second
}
