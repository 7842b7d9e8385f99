package check

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	networking "istio.io/api/networking/v1alpha3"
)

// split is one rule's list of destinations.
type split struct {
	vs       *VirtualService
	http     *networking.HTTPRoute // nil for TCP and TLS
	field    string                // of the rule: "spec.http[0]"
	name     string                // as messages call it
	all      []*target
	mirrors  []*target
	specific bool // it takes only requests of some callers: by headers, query or source
}

// target is one destination of a rule.
type target struct {
	split  *split
	host   string // full name, lower case
	subset string
	port   uint32
	weight int32
	share  float64 // of the rule's requests, 0 to 1
	field  string  // "spec.http[0].route[1]"
}

// String is HOST[.NAMESPACE][@SUBSET][:PORT], as route tests write it.
func (t *target) String() string {
	s := t.host
	if name, ok := strings.CutSuffix(s, ".svc."+Domain); ok {
		s = strings.TrimSuffix(name, "."+t.split.vs.Namespace())
	}
	if t.subset != "" {
		s += "@" + t.subset
	}
	if t.port != 0 {
		s += ":" + strconv.Itoa(int(t.port))
	}
	return s
}

// splits are all rules of the mesh that route somewhere.
func (m *Mesh) splits() []*split {
	var all []*split
	for _, vs := range m.VirtualServices {
		for i, h := range vs.Spec.GetHttp() {
			s := newSplit(vs, "http", i, h.GetName())
			s.http, s.specific = h, specific(h)
			for j, r := range h.GetRoute() {
				s.add(fmt.Sprintf("route[%d]", j), r.GetDestination(), r.GetWeight())
			}
			s.addMirrors(h)
			all = append(all, s)
		}
		for i, t := range vs.Spec.GetTls() {
			s := newSplit(vs, "tls", i, "")
			for j, r := range t.GetRoute() {
				s.add(fmt.Sprintf("route[%d]", j), r.GetDestination(), r.GetWeight())
			}
			all = append(all, s)
		}
		for i, t := range vs.Spec.GetTcp() {
			s := newSplit(vs, "tcp", i, "")
			for j, r := range t.GetRoute() {
				s.add(fmt.Sprintf("route[%d]", j), r.GetDestination(), r.GetWeight())
			}
			all = append(all, s)
		}
	}
	for _, s := range all {
		s.divide()
	}
	return all
}

func newSplit(vs *VirtualService, protocol string, i int, name string) *split {
	s := &split{vs: vs, field: fmt.Sprintf("spec.%s[%d]", protocol, i), name: strconv.Quote(name)}
	if name == "" {
		s.name = fmt.Sprintf("%s[%d]", protocol, i)
	}
	return s
}

func (s *split) target(field string, d *networking.Destination, weight int32) *target {
	return &target{split: s, host: ResolveHost(d.GetHost(), s.vs.Namespace()), subset: d.GetSubset(),
		port: d.GetPort().GetNumber(), weight: weight, field: s.field + "." + field}
}

func (s *split) add(field string, d *networking.Destination, weight int32) {
	s.all = append(s.all, s.target(field, d, weight))
}

func (s *split) addMirrors(h *networking.HTTPRoute) {
	if m := h.GetMirror(); m != nil {
		s.mirrors = append(s.mirrors, s.target("mirror", m, 0))
	}
	for i, m := range h.GetMirrors() {
		s.mirrors = append(s.mirrors, s.target(fmt.Sprintf("mirrors[%d]", i), m.GetDestination(), 0))
	}
}

// divide gives every destination its share: a single one gets all whatever its
// weight says, and of several those without weight get nothing
// (applyHTTPRouteDestination in pilot/pkg/networking/core/route).
func (s *split) divide() {
	total := s.total()
	for _, t := range s.all {
		switch {
		case len(s.all) == 1:
			t.share = 1
		case total > 0 && t.weight > 0:
			t.share = float64(t.weight) / float64(total)
		}
	}
}

func (s *split) total() int {
	total := 0
	for _, t := range s.all {
		total += int(max(t.weight, 0))
	}
	return total
}

// sharing are the destinations that get requests.
func (s *split) sharing() []*target {
	return slices.DeleteFunc(slices.Clone(s.all), func(t *target) bool { return t.share == 0 })
}

// hosts are the hosts that a rule routes to, once each.
func (s *split) hosts() []string {
	var all []string
	for _, t := range s.all {
		if !slices.Contains(all, t.host) {
			all = append(all, t.host)
		}
	}
	return all
}

// specific tells whether every match of a rule asks who is calling or what
// they sent, so that it is meant for some requests of a path and not for all.
func specific(h *networking.HTTPRoute) bool {
	if len(h.GetMatch()) == 0 {
		return false
	}
	for _, m := range h.GetMatch() {
		if len(m.GetHeaders())+len(m.GetWithoutHeaders())+len(m.GetQueryParams())+len(m.GetSourceLabels()) == 0 && m.GetSourceNamespace() == "" {
			return false
		}
	}
	return true
}

// percent writes a share as people do: 33.3, 90.
func percent(share float64) string {
	return strconv.FormatFloat(float64(int(share*1000+0.5))/10, 'f', -1, 64) + " %"
}
