package istio

import (
	"google.golang.org/protobuf/proto"

	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"

	networking "istio.io/api/networking/v1alpha3"
	"istio.io/istio/pkg/config"
)

// unmarked is the world without tokens, for what an EnvoyFilter that asks for
// routes by name is to see.
func (w *world) unmarked() *world {
	plain := *w
	plain.plain, plain.problems = true, nil
	plain.configs = make([]config.Config, len(w.configs))
	for i, c := range w.configs {
		if spec, ok := c.Spec.(*networking.VirtualService); ok {
			spec = spec.DeepCopy()
			for _, rule := range spec.Http {
				m, _ := w.tokens.find(rule.Name)
				rule.Name = m.name
				for _, match := range rule.Match {
					m, _ := w.tokens.find(match.Name)
					match.Name = m.name
				}
			}
			c.Spec = spec
		}
		plain.configs[i] = c
	}
	return &plain
}

// adopt gives routes that were made without tokens the origins of those that
// were made with them: those of the same name and match, in order.
func adopt(plain, marked []*routev3.Route, origins map[*routev3.Route]Origin) {
	used := make([]bool, len(marked))
	find := func(fits func(m *routev3.Route) bool) (Origin, bool) {
		for i, m := range marked {
			if !used[i] && fits(m) {
				used[i] = true
				return origins[m], true
			}
		}
		return Origin{}, false
	}
	var left []*routev3.Route
	for _, p := range plain {
		o, ok := find(func(m *routev3.Route) bool { return m.Name == p.Name && proto.Equal(m.Match, p.Match) })
		if ok {
			origins[p] = o
		} else {
			left = append(left, p)
		}
	}
	// A patch may have changed the match.
	for _, p := range left {
		o, _ := find(func(m *routev3.Route) bool { return m.Name == p.Name && p.Name != "" })
		origins[p] = o
	}
}
