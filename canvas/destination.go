package canvas

import (
	"slices"

	"go.yaml.in/yaml/v3"

	"github.com/meshstorm/meshstorm/deploy"
	"github.com/meshstorm/meshstorm/topping/istio"
)

// foldDestinationRules folds the DestinationRules of the contexts' hosts into
// the generated ones. Their traffic policies are edits; their subsets are not,
// for meshstorm's select by track.
func (t *taker) foldDestinationRules() {
	for _, d := range t.drawn {
		if !d.is(groupIstio, "DestinationRule") {
			continue
		}
		host := text(d.node, "spec", "host")
		s := t.ruleService(d)
		if s == nil {
			if host == "" {
				t.leaveOut(d, "its host is empty, and neither its name nor an arrow nor a route tells which service it is for")
			}
			continue
		}
		d.service = s
		doc := t.files.find(groupIstio, "DestinationRule", istio.DestinationRulePrefix+s.Name)
		if doc == nil {
			if host == "" {
				t.warn(d, "its host was empty; repaired to %s", s.Name)
			}
			set(d.node, str(s.Name), "spec", "host")
			continue
		}
		t.foldDestinationRule(d, doc)
	}
	t.sweep()
}

func (t *taker) foldDestinationRule(d *drawing, doc *document) {
	e := &editor{taker: t, d: d, doc: doc}
	var names []string
	for _, s := range items(d.node, "spec", "subsets") {
		if name := text(s, "name"); name != "" {
			names = append(names, name)
		}
	}
	known := t.learn(d, d.service, names)
	e.metadata("metadata")
	for key, value := range fields(d.node, "spec", "trafficPolicy") {
		e.policy(key, value, "spec", "trafficPolicy", key)
	}
	e.fields([]string{"spec"}, "exportTo")
	if at(d.node, "spec", "workloadSelector") != nil {
		e.fields([]string{"spec"}, "workloadSelector")
	}
	for _, s := range items(d.node, "spec", "subsets") {
		policy, track := at(s, "trafficPolicy"), known.track[text(s, "name")]
		to := named(items(doc.node, "spec", "subsets"), track)
		if empty(policy) || to == nil {
			continue
		}
		if old := at(to, "trafficPolicy"); old != nil && !same(old, policy) {
			t.warn(d, "the traffic policy of subset %s is not taken over: %s has another one already", text(s, "name"), track)
			continue
		}
		set(to, clone(policy), "trafficPolicy")
		doc.edited = true
		e.tell("the traffic policy of subset %s, for %s", text(s, "name"), track)
	}
	if len(names) > 0 {
		e.took = true
		t.warn(d, "subsets are not kept: %s; meshstorm's select pods by the label track", mapped(names, known))
	}
	e.close()
}

// mapped says which subset becomes which track.
func mapped(names []string, known *subsets) string {
	list := ""
	for i, name := range names {
		if i > 0 {
			list += ", "
		}
		list += name + " is " + known.track[name]
	}
	return list
}

// policy takes one part of a traffic policy unless another drawing gave it.
func (e *editor) policy(key string, value *yaml.Node, path ...string) {
	if old := at(e.doc.node, path...); old != nil && !same(old, value) {
		e.warn(e.d, "trafficPolicy.%s is not taken over: another DestinationRule gave %s another one", key, e.doc.ID.Name)
		return
	}
	if !blank(value) {
		e.take("trafficPolicy."+key, value, path...)
	}
}

// ruleService is the context that a DestinationRule is for: by its host, and
// where that is empty by its name, its arrows, the VirtualService that routes
// to its subsets, or the labels of its subsets.
func (t *taker) ruleService(d *drawing) *deploy.Service {
	if s := t.directService(d); s != nil || text(d.node, "spec", "host") != "" {
		return s
	}
	for _, v := range t.drawn {
		if !v.is(groupIstio, "VirtualService") {
			continue
		}
		for _, rule := range items(v.node, "spec", "http") {
			for _, r := range items(rule, "route") {
				if subset := text(r, "destination", "subset"); subset == "" || named(items(d.node, "spec", "subsets"), subset) == nil {
					continue
				}
				if s := t.names.host(text(r, "destination", "host")); s != nil {
					return s
				}
				if s := t.names.within(v.original); s != nil && text(r, "destination", "host") == "" {
					return s
				}
			}
		}
	}
	for _, s := range items(d.node, "spec", "subsets") {
		if found := t.names.within(text(s, "labels", "app")); found != nil {
			return found
		}
	}
	return nil
}

// directService is what host, name and arrows say.
func (t *taker) directService(d *drawing) *deploy.Service {
	if host := text(d.node, "spec", "host"); host != "" {
		return t.names.host(host)
	}
	if s := t.names.within(d.original); s != nil {
		return s
	}
	ends := slices.Clone(t.from[d.id])
	for _, child := range t.children[d.id] {
		ends = append(ends, t.from[child.id]...)
	}
	for _, id := range ends {
		if target := t.byID[id]; target != nil && slices.Contains(contextKinds, target.kind) {
			if target.service != nil {
				return target.service
			}
			if s := t.byLabel(target); s != nil {
				return s
			}
		}
	}
	return nil
}
