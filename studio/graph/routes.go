package graph

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	networking "istio.io/api/networking/v1alpha3"

	"github.com/meshstorm/meshstorm/check"
	"github.com/meshstorm/meshstorm/topping/istio"
)

func itoa(i int) string { return strconv.Itoa(i) }

func named(subset string) func(*networking.Subset) bool {
	return func(s *networking.Subset) bool { return s.GetName() == subset }
}

// Twin is the name of the VirtualService that belongs to one of this name: the
// rules for callers inside the mesh to those for the gateway, and back.
func Twin(name string) string {
	if base, ok := strings.CutSuffix(name, istio.MeshSuffix); ok {
		return base
	}
	return name + istio.MeshSuffix
}

func (b *builder) virtualServices() {
	names := map[string]bool{}
	for _, v := range b.mesh.VirtualServices {
		names[v.Namespace()+"/"+v.Name()] = true
	}
	for _, v := range b.mesh.VirtualServices {
		d := Data{Hosts: v.Spec.GetHosts(), Gateways: v.Gateways, Mesh: v.InMesh()}
		if names[v.Namespace()+"/"+Twin(v.Name())] {
			d.Twin = ID(v.Kind(), v.Namespace(), Twin(v.Name()))
		}
		for i, rule := range v.Spec.GetHttp() {
			d.Rules = append(d.Rules, ruleData(v, i, rule))
		}
		id := b.add(v.Resource, d)
		for _, g := range v.Gateways {
			if g == check.MeshGateway {
				continue
			}
			namespace, name, _ := strings.Cut(g, "/")
			from := ID("Gateway", namespace, name)
			b.node(Node{ID: from, Kind: "Gateway", Name: name, Namespace: namespace}) // where no file has it
			b.link(EdgeBinds, from, id)
		}
		for i, rule := range v.Spec.GetHttp() {
			b.routes(v, id, i, rule)
		}
		b.layer4(v, id)
	}
}

func (b *builder) routes(v *check.VirtualService, id string, index int, rule *networking.HTTPRoute) {
	for j, r := range rule.GetRoute() {
		weight := r.GetWeight()
		if len(rule.GetRoute()) == 1 {
			weight = 100
		}
		to := b.destination(r.GetDestination().GetHost(), r.GetDestination().GetSubset(), v.Namespace())
		line, _ := v.Place(fmt.Sprintf("spec.http[%d].route[%d]", index, j))
		b.edge(Edge{
			ID: fmt.Sprintf("%s:%s#%d>%s#%d", EdgeRoute, id, index, to, j), From: id, To: to, Kind: EdgeRoute,
			Rule: &RuleRef{rule.GetName(), index}, Weight: &weight, Subset: r.GetDestination().GetSubset(), Line: line,
		})
	}
}

func ruleData(v *check.VirtualService, index int, rule *networking.HTTPRoute) RuleData {
	line, _ := v.Place(fmt.Sprintf("spec.http[%d]", index))
	d := RuleData{
		Name: rule.GetName(), Index: index, Line: line, Matches: []string{},
		Redirect: rule.GetRedirect() != nil, Direct: rule.GetDirectResponse() != nil, Fault: rule.GetFault() != nil,
	}
	for _, m := range rule.GetMatch() {
		d.Matches = append(d.Matches, matchWords(m))
	}
	for _, m := range rule.GetMirrors() {
		d.Mirrors = append(d.Mirrors, destinationWords(m.GetDestination()))
	}
	if m := rule.GetMirror(); m != nil {
		d.Mirrors = append(d.Mirrors, destinationWords(m))
	}
	if t := rule.GetTimeout(); t != nil {
		d.Timeout = t.AsDuration().String()
	}
	if r := rule.GetRetries(); r != nil {
		attempts := r.GetAttempts()
		d.Retries = &attempts
	}
	return d
}

func destinationWords(d *networking.Destination) string {
	if d.GetSubset() == "" {
		return d.GetHost()
	}
	return d.GetHost() + ":" + d.GetSubset()
}

// matchWords says what one match asks of a request.
func matchWords(m *networking.HTTPMatchRequest) string {
	var words []string
	add := func(what string, s *networking.StringMatch) {
		if s != nil {
			words = append(words, what+" "+stringWords(s))
		}
	}
	add("method", m.GetMethod())
	add("path", m.GetUri())
	add("authority", m.GetAuthority())
	add("scheme", m.GetScheme())
	for _, k := range slices.Sorted(maps.Keys(m.GetHeaders())) {
		add("header "+k, m.GetHeaders()[k])
	}
	for _, k := range slices.Sorted(maps.Keys(m.GetWithoutHeaders())) {
		words = append(words, "not header "+k+" "+stringWords(m.GetWithoutHeaders()[k]))
	}
	for _, k := range slices.Sorted(maps.Keys(m.GetQueryParams())) {
		add("query "+k, m.GetQueryParams()[k])
	}
	if m.GetPort() != 0 {
		words = append(words, fmt.Sprintf("port %d", m.GetPort()))
	}
	for _, k := range slices.Sorted(maps.Keys(m.GetSourceLabels())) {
		words = append(words, "from "+k+"="+m.GetSourceLabels()[k])
	}
	if n := m.GetSourceNamespace(); n != "" {
		words = append(words, "from namespace "+n)
	}
	if len(m.GetGateways()) > 0 {
		words = append(words, "at "+strings.Join(m.GetGateways(), ", "))
	}
	if m.GetIgnoreUriCase() {
		words = append(words, "ignoring case")
	}
	return strings.Join(words, ", ")
}

func stringWords(s *networking.StringMatch) string {
	switch t := s.GetMatchType().(type) {
	case *networking.StringMatch_Exact:
		return "= " + t.Exact
	case *networking.StringMatch_Prefix:
		return "begins with " + t.Prefix
	case *networking.StringMatch_Regex:
		return "~ " + t.Regex
	}
	return "is there"
}
