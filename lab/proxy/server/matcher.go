package server

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"

	xdscorev3 "github.com/cncf/xds/go/xds/core/v3"
	xdsmatcherv3 "github.com/cncf/xds/go/xds/type/matcher/v3"
	networkinputsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/matching/common_inputs/network/v3"
	matcherv3 "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

// chainMatcher is a listener's filter_chain_matcher: a tree whose leaves name
// filter chains.
type chainMatcher struct{ root *matchNode }

// matchNode is one matcher: nodes tried in order, or keys looked up.
type matchNode struct {
	tries   []matchTry
	lookup  func(c *connection) (*matchEnd, bool)
	nothing *matchEnd // on_no_match
}

type matchTry struct {
	when func(c *connection) bool
	then *matchEnd
}

// matchEnd is a chain, or a further matcher.
type matchEnd struct {
	chain *chain
	node  *matchNode
}

func newChainMatcher(m *xdsmatcherv3.Matcher, chains []*chain) (*chainMatcher, error) {
	byName := map[string]*chain{}
	for _, c := range chains {
		byName[c.name] = c
	}
	root, err := newMatchNode(m, byName)
	return &chainMatcher{root}, err
}

func (m *chainMatcher) find(c *connection) *chain { return m.root.find(c) }

func (n *matchNode) find(c *connection) *chain {
	if n.lookup != nil {
		if end, ok := n.lookup(c); ok {
			if found := end.find(c); found != nil {
				return found
			}
		}
	}
	for _, try := range n.tries {
		if try.when(c) {
			if found := try.then.find(c); found != nil {
				return found
			}
		}
	}
	if n.nothing != nil {
		return n.nothing.find(c)
	}
	return nil
}

func (e *matchEnd) find(c *connection) *chain {
	if e.node != nil {
		return e.node.find(c)
	}
	return e.chain
}

func newMatchNode(m *xdsmatcherv3.Matcher, chains map[string]*chain) (*matchNode, error) {
	n := &matchNode{}
	var err error
	if o := m.GetOnNoMatch(); o != nil {
		if n.nothing, err = newMatchEnd(o, chains); err != nil {
			return nil, err
		}
	}
	if tree := m.GetMatcherTree(); tree != nil {
		return n, n.addTree(tree, chains)
	}
	for _, f := range m.GetMatcherList().GetMatchers() {
		when, err := newPredicate(f.GetPredicate())
		if err != nil {
			return nil, err
		}
		then, err := newMatchEnd(f.GetOnMatch(), chains)
		if err != nil {
			return nil, err
		}
		n.tries = append(n.tries, matchTry{when, then})
	}
	return n, nil
}

func newMatchEnd(o *xdsmatcherv3.Matcher_OnMatch, chains map[string]*chain) (*matchEnd, error) {
	if m := o.GetMatcher(); m != nil {
		node, err := newMatchNode(m, chains)
		return &matchEnd{node: node}, err
	}
	name := &wrapperspb.StringValue{}
	if err := o.GetAction().GetTypedConfig().UnmarshalTo(name); err != nil {
		return nil, fmt.Errorf("action %s: %w", o.GetAction().GetName(), err)
	}
	if chains[name.GetValue()] == nil {
		return nil, fmt.Errorf("there is no filter chain %q", name.GetValue())
	}
	return &matchEnd{chain: chains[name.GetValue()]}, nil
}

func (n *matchNode) addTree(t *xdsmatcherv3.Matcher_MatcherTree, chains map[string]*chain) error {
	input, err := newInput(t.GetInput())
	if err != nil {
		return err
	}
	ends := func(m map[string]*xdsmatcherv3.Matcher_OnMatch) (map[string]*matchEnd, error) {
		out := map[string]*matchEnd{}
		for key, o := range m {
			end, err := newMatchEnd(o, chains)
			if err != nil {
				return nil, err
			}
			out[key] = end
		}
		return out, nil
	}
	switch k := t.GetTreeType().(type) {
	case *xdsmatcherv3.Matcher_MatcherTree_ExactMatchMap:
		keys, err := ends(k.ExactMatchMap.GetMap())
		n.lookup = func(c *connection) (*matchEnd, bool) { e, ok := keys[input(c)]; return e, ok }
		return err
	case *xdsmatcherv3.Matcher_MatcherTree_PrefixMatchMap:
		keys, err := ends(k.PrefixMatchMap.GetMap())
		n.lookup = func(c *connection) (*matchEnd, bool) {
			value := input(c)
			for i := len(value); i >= 0; i-- {
				if e, ok := keys[value[:i]]; ok {
					return e, true
				}
			}
			return nil, false
		}
		return err
	case *xdsmatcherv3.Matcher_MatcherTree_CustomMatch:
		return n.addIPMatcher(k.CustomMatch, input, chains)
	}
	return fmt.Errorf("matcher tree %T is not supported", t.GetTreeType())
}

// addIPMatcher reads xds.type.matcher.v3.IPMatcher: the most specific range.
func (n *matchNode) addIPMatcher(e *xdscorev3.TypedExtensionConfig, input func(*connection) string, chains map[string]*chain) error {
	m := &xdsmatcherv3.IPMatcher{}
	if err := e.GetTypedConfig().UnmarshalTo(m); err != nil {
		return fmt.Errorf("custom match %s is not supported: %w", e.GetName(), err)
	}
	type entry struct {
		prefix netip.Prefix
		end    *matchEnd
	}
	var entries []entry
	for _, r := range m.GetRangeMatchers() {
		end, err := newMatchEnd(r.GetOnMatch(), chains)
		if err != nil {
			return err
		}
		for _, cidr := range r.GetRanges() {
			a, err := netip.ParseAddr(cidr.GetAddressPrefix())
			if err != nil {
				return err
			}
			p, err := a.Prefix(int(cidr.GetPrefixLen().GetValue()))
			if err != nil {
				return err
			}
			entries = append(entries, entry{p, end})
		}
	}
	n.lookup = func(c *connection) (*matchEnd, bool) {
		a, err := netip.ParseAddr(input(c))
		var best *entry
		for i := range entries {
			if err == nil && entries[i].prefix.Contains(a) && (best == nil || entries[i].prefix.Bits() > best.prefix.Bits()) {
				best = &entries[i]
			}
		}
		if best == nil {
			return nil, false
		}
		return best.end, true
	}
	return nil
}

// newInput reads a network input of Envoy's matching API.
func newInput(e *xdscorev3.TypedExtensionConfig) (func(*connection) string, error) {
	m, err := e.GetTypedConfig().UnmarshalNew()
	if err != nil {
		return nil, fmt.Errorf("input %s: %w", e.GetName(), err)
	}
	switch m.(type) {
	case *networkinputsv3.DestinationIPInput:
		return func(c *connection) string { return c.down.Local.Addr().String() }, nil
	case *networkinputsv3.DestinationPortInput:
		return func(c *connection) string { return strconv.Itoa(int(c.down.Local.Port())) }, nil
	case *networkinputsv3.SourceIPInput:
		return func(c *connection) string { return c.down.Remote.Addr().String() }, nil
	case *networkinputsv3.SourcePortInput:
		return func(c *connection) string { return strconv.Itoa(int(c.down.Remote.Port())) }, nil
	case *networkinputsv3.DirectSourceIPInput:
		return func(c *connection) string { return c.direct.Addr().String() }, nil
	case *networkinputsv3.SourceTypeInput:
		return func(c *connection) string {
			if c.down.Remote.Addr() == c.down.Local.Addr() || c.down.Remote.Addr().IsLoopback() {
				return "local"
			}
			return ""
		}, nil
	case *networkinputsv3.ServerNameInput:
		return func(c *connection) string { return c.sni }, nil
	case *networkinputsv3.TransportProtocolInput:
		return func(c *connection) string {
			if c.transport == "" {
				return rawBuffer
			}
			return c.transport
		}, nil
	case *networkinputsv3.ApplicationProtocolInput:
		return protocolInput, nil
	}
	return nil, fmt.Errorf("input %s is not supported", m.ProtoReflect().Descriptor().FullName())
}

// protocolInput lists protocols as Envoy does: 'h2','http/1.1'.
func protocolInput(c *connection) string {
	out := ""
	for i, p := range c.alpn {
		if i > 0 {
			out += ","
		}
		out += "'" + p + "'"
	}
	return out
}

func newPredicate(p *xdsmatcherv3.Matcher_MatcherList_Predicate) (func(*connection) bool, error) {
	switch k := p.GetMatchType().(type) {
	case *xdsmatcherv3.Matcher_MatcherList_Predicate_SinglePredicate_:
		return newSingle(k.SinglePredicate)
	case *xdsmatcherv3.Matcher_MatcherList_Predicate_OrMatcher:
		return newPredicates(k.OrMatcher.GetPredicate(), true)
	case *xdsmatcherv3.Matcher_MatcherList_Predicate_AndMatcher:
		return newPredicates(k.AndMatcher.GetPredicate(), false)
	case *xdsmatcherv3.Matcher_MatcherList_Predicate_NotMatcher:
		inner, err := newPredicate(k.NotMatcher)
		return func(c *connection) bool { return !inner(c) }, err
	}
	return nil, errors.New("a predicate is empty")
}

// newPredicates joins predicates; the result is one as soon as a predicate is.
func newPredicates(list []*xdsmatcherv3.Matcher_MatcherList_Predicate, one bool) (func(*connection) bool, error) {
	var all []func(*connection) bool
	for _, p := range list {
		f, err := newPredicate(p)
		if err != nil {
			return nil, err
		}
		all = append(all, f)
	}
	return func(c *connection) bool {
		for _, f := range all {
			if f(c) == one {
				return one
			}
		}
		return !one
	}, nil
}

func newSingle(p *xdsmatcherv3.Matcher_MatcherList_Predicate_SinglePredicate) (func(*connection) bool, error) {
	input, err := newInput(p.GetInput())
	if err != nil {
		return nil, err
	}
	if p.GetValueMatch() == nil {
		return nil, errors.New("custom_match of a predicate is not supported")
	}
	v := p.GetValueMatch()
	m := &matcherv3.StringMatcher{IgnoreCase: v.GetIgnoreCase()}
	switch k := v.GetMatchPattern().(type) {
	case *xdsmatcherv3.StringMatcher_Exact:
		m.MatchPattern = &matcherv3.StringMatcher_Exact{Exact: k.Exact}
	case *xdsmatcherv3.StringMatcher_Prefix:
		m.MatchPattern = &matcherv3.StringMatcher_Prefix{Prefix: k.Prefix}
	case *xdsmatcherv3.StringMatcher_Suffix:
		m.MatchPattern = &matcherv3.StringMatcher_Suffix{Suffix: k.Suffix}
	case *xdsmatcherv3.StringMatcher_Contains:
		m.MatchPattern = &matcherv3.StringMatcher_Contains{Contains: k.Contains}
	case *xdsmatcherv3.StringMatcher_SafeRegex:
		m.MatchPattern = &matcherv3.StringMatcher_SafeRegex{SafeRegex: &matcherv3.RegexMatcher{Regex: k.SafeRegex.GetRegex()}}
	}
	match, err := stringMatcher(m)
	return func(c *connection) bool { return match(input(c)) }, err
}
