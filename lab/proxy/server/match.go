package server

import (
	"fmt"
	"net/netip"
	"strings"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
)

// rule is a filter chain's match, read once. Empty criteria match everything.
type rule struct {
	chain        *chain
	port         uint16
	hasPort      bool
	prefixes     []netip.Prefix
	servers      []string // lower case; ".example.com" for "*.example.com"; "" matches all
	transport    string
	protocols    []string
	direct       []netip.Prefix
	sourceType   listenerv3.FilterChainMatch_ConnectionSourceType
	sources      []netip.Prefix
	sourcePorts  []uint32
	serializable string // to find two chains with the same match
}

func newRule(c *chain, m *listenerv3.FilterChainMatch) (rule, error) {
	r := rule{chain: c, transport: m.GetTransportProtocol(), protocols: m.GetApplicationProtocols(),
		sourceType: m.GetSourceType(), sourcePorts: m.GetSourcePorts()}
	if p := m.GetDestinationPort(); p != nil {
		if p.Value == 0 || p.Value > 65535 {
			return r, fmt.Errorf("filter_chain_match: %d is not a port", p.Value)
		}
		r.port, r.hasPort = uint16(p.Value), true
	}
	if m.GetAddressSuffix() != "" || m.GetSuffixLen() != nil {
		return r, fmt.Errorf("filter_chain_match: address_suffix is not supported")
	}
	var err error
	if r.prefixes, err = prefixesOf(m.GetPrefixRanges()); err != nil {
		return r, err
	}
	if r.direct, err = prefixesOf(m.GetDirectSourcePrefixRanges()); err != nil {
		return r, err
	}
	if r.sources, err = prefixesOf(m.GetSourcePrefixRanges()); err != nil {
		return r, err
	}
	for _, name := range m.GetServerNames() {
		name = strings.ToLower(name)
		suffix, wild := strings.CutPrefix(name, "*")
		if wild && suffix != "" && suffix[0] != '.' || strings.Contains(suffix, "*") {
			return r, fmt.Errorf("filter_chain_match: partial wildcards are not supported in server_names: %q", name)
		}
		r.servers = append(r.servers, suffix)
	}
	r.serializable = m.String()
	return r, nil
}

func prefixesOf(ranges []*corev3.CidrRange) ([]netip.Prefix, error) {
	var out []netip.Prefix
	for _, r := range ranges {
		a, err := netip.ParseAddr(r.GetAddressPrefix())
		if err != nil {
			return nil, fmt.Errorf("filter_chain_match: %q is not an IP address", r.GetAddressPrefix())
		}
		p, err := a.Prefix(int(r.GetPrefixLen().GetValue()))
		if err != nil {
			return nil, fmt.Errorf("filter_chain_match: %s/%d: %w", a, r.GetPrefixLen().GetValue(), err)
		}
		out = append(out, p)
	}
	return out, nil
}

// findChain is Envoy's algorithm (Envoy docs, FilterChainMatch): the criteria
// are taken one after the other, and of each the most specific value that fits
// is taken, with no way back: where nothing fits behind it, nothing is found.
func findChain(rules []rule, c *connection) *chain {
	in := rules
	if len(in) == 1 && in[0].matchesAll() {
		return in[0].chain
	}
	in = narrow(in, func(r *rule) int {
		return fit(!r.hasPort, r.port == c.down.Local.Port())
	})
	in = narrow(in, func(r *rule) int { return fitPrefix(r.prefixes, c.down.Local.Addr()) })
	name := strings.ToLower(c.sni)
	in = narrow(in, func(r *rule) int { return fitServer(r.servers, name) })
	transport := c.transport
	if transport == "" {
		transport = rawBuffer
	}
	in = narrow(in, func(r *rule) int { return fit(r.transport == "", r.transport == transport) })
	in = narrow(in, func(r *rule) int { return fitProtocol(r.protocols, c.alpn) })
	in = narrow(in, func(r *rule) int { return fitPrefix(r.direct, c.direct.Addr()) })
	local := c.down.Remote.Addr() == c.down.Local.Addr() || c.down.Remote.Addr().IsLoopback()
	in = narrow(in, func(r *rule) int { return fitSourceType(r.sourceType, local) })
	in = narrow(in, func(r *rule) int { return fitPrefix(r.sources, c.down.Remote.Addr()) })
	in = narrow(in, func(r *rule) int { return fitSourcePort(r.sourcePorts, c.down.Remote.Port()) })
	if len(in) == 0 {
		return nil
	}
	return in[0].chain
}

func (r *rule) matchesAll() bool {
	return !r.hasPort && len(r.prefixes)+len(r.servers)+len(r.protocols)+len(r.direct)+len(r.sources)+len(r.sourcePorts) == 0 &&
		r.transport == "" && r.sourceType == listenerv3.FilterChainMatch_ANY
}

// narrow keeps the rules that fit best: rank is 0 for those that do not, and
// the higher the more specific.
func narrow(rules []rule, rank func(*rule) int) []rule {
	best, count := 0, 0
	for i := range rules {
		switch n := rank(&rules[i]); {
		case n > best:
			best, count = n, 1
		case n == best && n > 0:
			count++
		}
	}
	if best == 0 {
		return nil
	}
	if count == len(rules) {
		return rules
	}
	out := make([]rule, 0, count)
	for i := range rules {
		if rank(&rules[i]) == best {
			out = append(out, rules[i])
		}
	}
	return out
}

func fit(any, exact bool) int {
	switch {
	case any:
		return 1
	case exact:
		return 2
	}
	return 0
}

// fitPrefix ranks by the longest prefix that holds a; no prefix is 0.0.0.0/0.
func fitPrefix(prefixes []netip.Prefix, a netip.Addr) int {
	if len(prefixes) == 0 {
		return 1
	}
	best := 0
	for _, p := range prefixes {
		if p.Contains(a) {
			best = max(best, p.Bits()+1)
		}
	}
	return best
}

// fitServer ranks an exact name over longer suffixes over shorter ones.
func fitServer(servers []string, name string) int {
	if len(servers) == 0 {
		return 1
	}
	best := 0
	for _, s := range servers {
		switch {
		case s == "":
			best = max(best, 1)
		case name != "" && s == name:
			best = max(best, 1<<20)
		case s[0] == '.' && len(name) > len(s) && strings.HasSuffix(name, s):
			best = max(best, 1+len(s))
		}
	}
	return best
}

// fitProtocol ranks the client's first protocols over its later ones.
func fitProtocol(protocols, offered []string) int {
	if len(protocols) == 0 {
		return 1
	}
	for i, o := range offered {
		for _, p := range protocols {
			if p == o {
				return 2 + len(offered) - i
			}
		}
	}
	return 0
}

func fitSourceType(t listenerv3.FilterChainMatch_ConnectionSourceType, local bool) int {
	switch t {
	case listenerv3.FilterChainMatch_SAME_IP_OR_LOOPBACK:
		return fit(false, local)
	case listenerv3.FilterChainMatch_EXTERNAL:
		return fit(false, !local)
	}
	return 1
}

func fitSourcePort(ports []uint32, port uint16) int {
	if len(ports) == 0 {
		return 1
	}
	for _, p := range ports {
		if p == uint32(port) {
			return 2
		}
	}
	return 0
}

// checkRules gives an error for two chains that match the same, as Envoy does.
func checkRules(rules []rule) error {
	seen := map[string]string{}
	for _, r := range rules {
		if other, ok := seen[r.serializable]; ok {
			return fmt.Errorf("filter chain %q has the same matching rules defined as %q", r.chain.label(), other)
		}
		seen[r.serializable] = r.chain.label()
	}
	return nil
}
