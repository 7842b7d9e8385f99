package route

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	xdscorev3 "github.com/cncf/xds/go/xds/core/v3"
	xdsmatcherv3 "github.com/cncf/xds/go/xds/type/matcher/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
)

// tree is VirtualHost.matcher (xds.type.matcher.v3.Matcher): it leads to a
// list of routes, which are then tried in order.
type tree struct {
	list []fieldMatcher

	input  input
	exact  map[string]*onMatch
	prefix map[string]*onMatch
	// lengths of the keys in prefix, descending: the longest prefix comes first
	lengths []int

	unsupported string
	otherwise   *onMatch
}

type fieldMatcher struct {
	when predicate
	then *onMatch
}

// onMatch is what stands behind a match: another tree or routes. keep lets
// matching go on as if there had been no match (Matcher.OnMatch.keep_matching).
type onMatch struct {
	tree *tree
	list *routeList
	keep bool
}

type routeList struct {
	routes []*Route
	index  *index
}

// matcherTree compiles VirtualHost.matcher; the routes in it become the
// virtual host's, in the order in which they stand there (maps by key).
func (b *builder) matcherTree(host *VirtualHost) {
	if len(host.Proto.GetRoutes()) > 0 {
		b.fault(host, nil, errors.New("routes and matcher are both set; only one of them can be"))
		return
	}
	t, err := b.tree(host, host.Proto.GetMatcher())
	if err != nil {
		b.fault(host, nil, fmt.Errorf("matcher: %w", err))
	}
	host.tree = t
}

func (b *builder) tree(host *VirtualHost, m *xdsmatcherv3.Matcher) (*tree, error) {
	t := &tree{}
	var faults []error
	switch kind := m.GetMatcherType().(type) {
	case *xdsmatcherv3.Matcher_MatcherList_:
		for _, f := range kind.MatcherList.GetMatchers() {
			when, err := b.predicate(f.GetPredicate())
			faults = append(faults, err)
			then, err := b.onMatch(host, f.GetOnMatch())
			faults = append(faults, err)
			t.list = append(t.list, fieldMatcher{when, then})
		}
	case *xdsmatcherv3.Matcher_MatcherTree_:
		faults = append(faults, b.matchMap(host, t, kind.MatcherTree))
	}
	if m.GetOnNoMatch() != nil {
		var err error
		t.otherwise, err = b.onMatch(host, m.GetOnNoMatch())
		faults = append(faults, err)
	}
	return t, errors.Join(faults...)
}

func (b *builder) matchMap(host *VirtualHost, t *tree, m *xdsmatcherv3.Matcher_MatcherTree) error {
	var err error
	if t.input, err = b.input(m.GetInput()); err != nil {
		return err
	}
	var from map[string]*xdsmatcherv3.Matcher_OnMatch
	into := map[string]*onMatch{}
	switch kind := m.GetTreeType().(type) {
	case *xdsmatcherv3.Matcher_MatcherTree_ExactMatchMap:
		from, t.exact = kind.ExactMatchMap.GetMap(), into
	case *xdsmatcherv3.Matcher_MatcherTree_PrefixMatchMap:
		from, t.prefix = kind.PrefixMatchMap.GetMap(), into
	case *xdsmatcherv3.Matcher_MatcherTree_CustomMatch:
		t.unsupported = unsupportedText("Matcher.MatcherTree.custom_match", xdsName(kind.CustomMatch))
		return nil
	}
	var faults []error
	for _, key := range slices.Sorted(maps.Keys(from)) {
		then, err := b.onMatch(host, from[key])
		if err != nil {
			faults = append(faults, fmt.Errorf("key %q: %w", key, err))
		}
		into[key] = then
		t.lengths = append(t.lengths, len(key))
	}
	slices.SortFunc(t.lengths, func(a, b int) int { return b - a })
	t.lengths = slices.Compact(t.lengths)
	return errors.Join(faults...)
}

func (b *builder) onMatch(host *VirtualHost, m *xdsmatcherv3.Matcher_OnMatch) (*onMatch, error) {
	out := &onMatch{keep: m.GetKeepMatching()}
	var err error
	if m.GetMatcher() != nil {
		out.tree, err = b.tree(host, m.GetMatcher())
		return out, err
	}
	config := m.GetAction().GetTypedConfig()
	one, several := &routev3.Route{}, &routev3.RouteList{}
	switch {
	case config.MessageIs(one):
		err = config.UnmarshalTo(one)
		several.Routes = []*routev3.Route{one}
	case config.MessageIs(several):
		err = config.UnmarshalTo(several)
	default:
		err = fmt.Errorf("action %q has type %q; a virtual host's matcher leads to envoy.config.route.v3.Route or RouteList",
			m.GetAction().GetName(), config.GetTypeUrl())
	}
	if err != nil {
		return out, err
	}
	out.list = &routeList{}
	for _, proto := range several.GetRoutes() {
		rt := b.route(host, proto)
		for _, f := range violations(proto.ValidateAll(), nil) {
			b.fault(host, rt, errors.New(f.String()))
		}
		out.list.routes = append(out.list.routes, rt)
	}
	out.list.index = newIndex(out.list.routes)
	return out, nil
}

// find walks the tree. A result of unknown comes with its reason.
func (t *tree) find(v *view) (*routeList, result, string) {
	if t.unsupported != "" {
		return nil, unknown, t.unsupported
	}
	for i := range t.list {
		switch matched, why := t.list[i].when.match(v); matched {
		case unknown:
			return nil, unknown, why
		case yes:
			if list, got, why := t.list[i].then.follow(v); got != no {
				return list, got, why
			}
		}
	}
	if t.exact != nil || t.prefix != nil {
		if list, got, why := t.findKey(v); got != no {
			return list, got, why
		}
	}
	if t.otherwise == nil {
		return nil, no, ""
	}
	return t.otherwise.follow(v)
}

func (t *tree) findKey(v *view) (*routeList, result, string) {
	if t.input.unsupported != "" {
		return nil, unknown, t.input.unsupported
	}
	value, ok := t.input.value(v)
	if !ok {
		return nil, no, ""
	}
	if t.exact != nil {
		return t.exact[value].follow(v)
	}
	for _, n := range t.lengths {
		if n > len(value) {
			continue
		}
		if list, got, why := t.prefix[value[:n]].follow(v); got != no {
			return list, got, why
		}
	}
	return nil, no, ""
}

// follow gives what stands behind a match. A tree below that matches nothing
// is no match here either.
func (m *onMatch) follow(v *view) (*routeList, result, string) {
	switch {
	case m == nil || m.keep:
		return nil, no, ""
	case m.tree != nil:
		return m.tree.find(v)
	}
	return m.list, yes, ""
}

func unsupportedText(field, name string) string {
	var b builder
	b.unsupported(field, name)
	return strings.Join(b.unknown, "; ")
}

func xdsName(e *xdscorev3.TypedExtensionConfig) string {
	if e.GetName() != "" {
		return e.GetName()
	}
	return e.GetTypedConfig().GetTypeUrl()
}
