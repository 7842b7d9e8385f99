package check

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	networking "istio.io/api/networking/v1alpha3"

	"github.com/meshstorm/meshstorm/space"
)

// entry is one match of one rule of a VirtualService, or a whole rule without
// matches: what istiod makes one Envoy route of.
type entry struct {
	vs          *VirtualService
	rule, match int       // indexes; match is -1 for a rule without matches
	box         space.Box // the requests that it likes, a superset where exact is false
	gateways    []string  // where it acts; nothing for wherever its VirtualService does
	local       space.Box // box, and where it acts
	exact       bool      // box is those requests and no others
	all         bool      // istiod takes it for a catch-all: IsCatchAllRoute in pilot/pkg/networking/core/route
	plain       bool      // it asks for nothing but a path
	path        pathKind
	literal     string // what its path is, or begins with, in lower case
}

type pathKind int

const (
	pathAny pathKind = iota
	pathExact
	pathPrefix
	pathRegex
)

// entries are the VirtualService's HTTP matches in the order written.
func (v *VirtualService) entries() []*entry {
	v.reading.Do(func() {
		for i, rule := range v.Spec.GetHttp() {
			if len(rule.GetMatch()) == 0 {
				v.read = append(v.read, v.entry(i, -1, &networking.HTTPMatchRequest{}))
			}
			for j, m := range rule.GetMatch() {
				v.read = append(v.read, v.entry(i, j, m))
			}
		}
	})
	return v.read
}

func (v *VirtualService) entry(rule, match int, m *networking.HTTPMatchRequest) *entry {
	e := &entry{vs: v, rule: rule, match: match, exact: true, plain: true}
	if v.Spec.GetHttp()[rule].GetDelegate() != nil {
		e.exact = false // what the delegate does not take goes on to the next rule
	}
	e.narrowSource(m)
	e.narrowPath(m.GetUri(), m.GetIgnoreUriCase())
	e.narrowValue(space.Method, m.GetMethod())
	e.narrowValue(space.Scheme, m.GetScheme())
	e.narrowValue(space.Authority, m.GetAuthority())
	for _, name := range slices.Sorted(maps.Keys(m.GetHeaders())) {
		e.narrowHeader(name, m.GetHeaders()[name], true)
	}
	for _, name := range slices.Sorted(maps.Keys(m.GetWithoutHeaders())) {
		e.narrowHeader(name, m.GetWithoutHeaders()[name], false)
	}
	for _, name := range slices.Sorted(maps.Keys(m.GetQueryParams())) {
		e.narrow(space.Query(name), m.GetQueryParams()[name], false)
	}
	e.all = e.coversEveryPath(m.GetUri()) && m.GetMethod() == nil && m.GetScheme() == nil && m.GetAuthority() == nil &&
		len(m.GetHeaders())+len(m.GetWithoutHeaders())+len(m.GetQueryParams()) == 0
	e.place()
	return e
}

func (e *entry) coversEveryPath(uri *networking.StringMatch) bool {
	return e.path == pathAny || e.path == pathRegex && uri.GetRegex() == ".*"
}

// narrowSource says who asks and where. As in sourceMatchHTTP of
// pilot/pkg/networking/core/route, a match that names gateways takes no notice
// of its source conditions.
func (e *entry) narrowSource(m *networking.HTTPMatchRequest) {
	if port := m.GetPort(); port != 0 {
		e.with(space.Port, space.OneOf(strconv.Itoa(int(port))))
	}
	if len(m.GetGateways()) > 0 {
		for _, g := range m.GetGateways() {
			e.gateways = append(e.gateways, resolveGateway(g, e.vs.Namespace()))
		}
		return
	}
	for _, name := range slices.Sorted(maps.Keys(m.GetSourceLabels())) {
		e.with(space.SourceLabel(name), space.OneOf(m.GetSourceLabels()[name]))
	}
	if ns := m.GetSourceNamespace(); ns != "" {
		e.with(space.Source, space.OneOf(ns))
	}
}

func (e *entry) with(f space.Field, s space.Strings) {
	e.plain = false
	e.box = e.box.With(f, s)
}

// narrowPath follows Envoy's RouteMatch: case counts unless said otherwise, and
// always for an expression.
func (e *entry) narrowPath(uri *networking.StringMatch, fold bool) {
	switch m := uri.GetMatchType().(type) {
	case *networking.StringMatch_Exact:
		e.path, e.literal = pathExact, strings.ToLower(m.Exact)
		e.box = e.box.With(space.Path, space.Exact(m.Exact, fold))
	case *networking.StringMatch_Prefix:
		if m.Prefix == "/" || m.Prefix == "" {
			return // any path begins so
		}
		e.path, e.literal = pathPrefix, strings.ToLower(m.Prefix)
		e.box = e.box.With(space.Path, space.Prefix(m.Prefix, fold))
	case *networking.StringMatch_Regex:
		e.path, e.literal = pathRegex, literalPrefix(m.Regex)
		if set, err := space.Regexp(m.Regex); err == nil {
			e.box = e.box.With(space.Path, set)
		} else {
			e.exact = false
		}
	}
}

// literalPrefix is what every path that the expression matches begins with.
func literalPrefix(expr string) string {
	re, err := regexp.Compile(strings.TrimPrefix(expr, "^"))
	if err != nil {
		return ""
	}
	prefix, _ := re.LiteralPrefix()
	return strings.ToLower(prefix)
}

// narrowHeader follows translateHeaderMatch and TranslateRouteMatch in
// pilot/pkg/networking/core/route.
func (e *entry) narrowHeader(name string, m *networking.StringMatch, wanted bool) {
	field := space.Header(strings.ToLower(name))
	switch {
	case strings.HasPrefix(name, "@"): // a claim of a token
		e.plain = false
		e.box = e.box.WithAtom(name+" "+m.String(), wanted)
		return
	case name == ":method":
		field = space.Method
	case name == ":authority":
		field = space.Authority
	case name == ":scheme":
		field = space.Scheme
	case strings.HasPrefix(name, ":"): // :path has the query in it
		e.plain, e.exact = false, false
		return
	}
	e.narrow(field, m, !wanted)
}

func (e *entry) narrowValue(field space.Field, m *networking.StringMatch) {
	if m != nil {
		e.narrow(field, m, false)
	}
}

// narrow gives a field that may be missing the values of a string match, or,
// inverted, all others; then a missing value counts as an empty one.
func (e *entry) narrow(field space.Field, m *networking.StringMatch, inverted bool) {
	set, present, err := values(m)
	if err != nil {
		e.plain, e.exact = false, false
		return
	}
	if inverted && present {
		set = space.Absent()
	} else if inverted {
		matchesEmpty := set.Has("")
		set = set.Not()
		if matchesEmpty {
			set = set.And(space.Present())
		}
	}
	e.with(field, set)
}

// values are those that a string match likes; present tells that it asks only
// for the thing to be there (canBeConvertedToPresentMatch in
// pilot/pkg/networking/core/route).
func values(m *networking.StringMatch) (set space.Strings, present bool, err error) {
	switch m := m.GetMatchType().(type) {
	case *networking.StringMatch_Exact:
		return space.OneOf(m.Exact), false, nil
	case *networking.StringMatch_Prefix:
		return space.Prefix(m.Prefix, false), false, nil
	case *networking.StringMatch_Regex:
		if m.Regex == "*" {
			return space.Present(), true, nil
		}
		set, err = space.Regexp(m.Regex)
		return set, false, err
	}
	return space.Present(), true, nil
}

// field is the entry's place in its object.
func (e *entry) field() string {
	if e.match < 0 {
		return e.ruleField()
	}
	return fmt.Sprintf("%s.match[%d]", e.ruleField(), e.match)
}

func (e *entry) ruleField() string { return fmt.Sprintf("spec.http[%d]", e.rule) }

// ruleName is how messages call the entry's rule.
func (e *entry) ruleName() string {
	if name := e.vs.Spec.GetHttp()[e.rule].GetName(); name != "" {
		return strconv.Quote(name)
	}
	return fmt.Sprintf("http[%d]", e.rule)
}

// request is the entry's match as written; nil for a rule without matches.
func (e *entry) request() *networking.HTTPMatchRequest {
	if e.match < 0 {
		return nil
	}
	return e.httpRule().GetMatch()[e.match]
}

func (e *entry) httpRule() *networking.HTTPRoute { return e.vs.Spec.GetHttp()[e.rule] }

// placed is the requests that the entry likes, where it acts.
func (e *entry) placed() space.Box { return e.local }

// place adds to the entry's box the gateways where it acts.
func (e *entry) place() {
	e.local = e.box
	if len(e.vs.Gateways) > 0 {
		e.local = e.local.With(space.Gateway, space.OneOf(e.vs.Gateways...))
	}
	if len(e.gateways) > 0 {
		e.local = e.local.With(space.Gateway, space.OneOf(e.gateways...))
	}
}

// actsAt tells whether the entry becomes a route of a gateway's port.
func (e *entry) actsAt(gateway string, port uint32) bool {
	if p := e.request().GetPort(); p != 0 && p != port {
		return false
	}
	return len(e.gateways) == 0 || slices.Contains(e.gateways, gateway)
}

// total tells whether it takes everything that its VirtualService is asked
// about, so that istiod reads no further.
func (e *entry) total() bool {
	if !e.all || !e.exact || e.request().GetPort() != 0 {
		return false
	}
	if len(e.gateways) > 0 {
		return len(e.vs.Gateways) > 0 && !slices.ContainsFunc(e.vs.Gateways, func(g string) bool { return !slices.Contains(e.gateways, g) })
	}
	return len(e.request().GetSourceLabels()) == 0 && e.request().GetSourceNamespace() == ""
}
