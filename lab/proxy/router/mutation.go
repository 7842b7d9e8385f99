package router

import (
	"net/http"
	"slices"
	"strings"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
)

// mutations are header changes of fixed text, which most routes have: they need
// none of what package route keeps ready for operators and explanations. All
// others are worked out there.
type mutations struct {
	remove []string
	add    []mutation
}

type mutation struct {
	name  string
	value []string
	how   corev3.HeaderValueOption_HeaderAppendAction
}

// newMutations gives ok false where package route has to do it: operators in
// values, and headers that Envoy joins to one value when more are added.
func newMutations(add []*corev3.HeaderValueOption, remove []string) (out mutations, ok bool) {
	for _, name := range remove {
		out.remove = append(out.remove, http.CanonicalHeaderKey(name))
	}
	for _, o := range add {
		name, value := strings.ToLower(o.GetHeader().GetKey()), o.GetHeader().GetValue()
		fixed := len(o.GetHeader().GetRawValue()) == 0 && !strings.Contains(value, "%") && o.GetAppend() == nil // old control planes send it
		single := o.GetAppendAction() == corev3.HeaderValueOption_OVERWRITE_IF_EXISTS_OR_ADD || o.GetAppendAction() == corev3.HeaderValueOption_OVERWRITE_IF_EXISTS
		if !fixed || !single && joined(name) {
			return mutations{}, false
		}
		if value == "" && !o.GetKeepEmptyValue() {
			continue
		}
		out.add = append(out.add, mutation{http.CanonicalHeaderKey(name), []string{value}, o.GetAppendAction()})
	}
	return out, true
}

// joined tells of headers that may be among those of which Envoy keeps one field.
func joined(name string) bool {
	rest, own := strings.CutPrefix(name, "x-")
	return !own || strings.HasPrefix(rest, "envoy-") || strings.HasPrefix(rest, "forwarded-") || rest == "request-id" || rest == "client-trace-id"
}

// apply changes the headers in Envoy's order: removals, then values in place of
// others, then further values. Values of h are never changed in place: they may
// belong to another request.
func (m *mutations) apply(h http.Header) {
	for _, name := range m.remove {
		delete(h, name)
	}
	var late [8]*mutation
	after := late[:0]
	for i := range m.add {
		a := &m.add[i]
		has := len(h[a.name]) > 0
		if a.how == corev3.HeaderValueOption_APPEND_IF_EXISTS_OR_ADD || a.how == corev3.HeaderValueOption_ADD_IF_ABSENT && !has {
			after = append(after, a)
		}
	}
	for i := range m.add {
		a := &m.add[i]
		if a.how == corev3.HeaderValueOption_OVERWRITE_IF_EXISTS_OR_ADD || a.how == corev3.HeaderValueOption_OVERWRITE_IF_EXISTS && len(h[a.name]) > 0 {
			h[a.name] = a.value
		}
	}
	for _, a := range after {
		h[a.name] = append(slices.Clip(h[a.name]), a.value...)
	}
}

// fixed works out the header changes for each choice of weighted cluster, in the
// order of levels; false leaves the request's to package route, or the
// response's.
func (p *plan) fixed(config *routev3.RouteConfiguration, levels []levelProto, weighted []*routev3.WeightedCluster_ClusterWeight) (request, response bool) {
	own := slices.Clone(levels)
	if config.GetMostSpecificHeaderMutationsWins() {
		slices.Reverse(own)
	}
	request, response = true, true
	for i := -1; i < len(weighted); i++ {
		all := own
		if i >= 0 {
			all = append([]levelProto{weighted[i]}, own...)
		}
		var up, down []mutations
		for _, l := range all {
			if one, ok := newMutations(l.GetRequestHeadersToAdd(), l.GetRequestHeadersToRemove()); !ok {
				request = false
			} else if len(one.add)+len(one.remove) > 0 {
				up = append(up, one)
			}
			if one, ok := newMutations(l.GetResponseHeadersToAdd(), l.GetResponseHeadersToRemove()); !ok {
				response = false
			} else if len(one.add)+len(one.remove) > 0 {
				down = append(down, one)
			}
		}
		p.up, p.down = append(p.up, up), append(p.down, down)
	}
	return request, response
}

func applyAll(all [][]mutations, weighted int, h http.Header) {
	if i := weighted + 1; i < len(all) {
		for j := range all[i] {
			all[i][j].apply(h)
		}
	}
}
