package istio

import (
	"fmt"
	"iter"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	networking "istio.io/api/networking/v1alpha3"
	"istio.io/istio/pilot/pkg/model"
	"istio.io/istio/pkg/config"
	"istio.io/istio/pkg/config/schema/gvk"
	"istio.io/istio/pkg/config/schema/resource"
)

// addIstio takes one of Istio's objects as the cluster would: what istiod's
// webhook refuses is not there.
func (w *world) addIstio(o *object, s resource.Schema) {
	c, unknown, err := o.config(s, w.opts.ClusterDomain)
	if err != nil {
		w.problem(o, "it cannot be decoded, and has no effect here: %v", err)
		return
	}
	if unknown != nil {
		w.note(o, "a field is not known to Istio and has no effect: %v", unknown)
	}
	if err := validate(s, c); err != nil {
		w.problem(o, "istiod refuses this object, so it is not used: %v", err)
		return
	}
	switch spec := c.Spec.(type) {
	case *networking.VirtualService:
		w.tokens.mark(o, spec)
	case *networking.EnvoyFilter:
		w.namedPatches = w.namedPatches || matchesRouteName(spec)
	}
	w.configs = append(w.configs, c)
}

// validate is istiod's webhook. What it only warns of is nobody's loss.
func validate(s resource.Schema, c config.Config) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("its validation failed with an internal error: %v", p)
		}
	}()
	spec, ok := c.Spec.(*networking.VirtualService)
	if !ok {
		_, err = s.ValidateConfig(c)
		return err
	}
	for part := range parts(spec) {
		c.Spec = part
		if _, err := s.ValidateConfig(c); err != nil {
			return err
		}
	}
	return nil
}

// partSize is how many rules, and matches of a rule, are validated at once.
// istiod compares each rule with each other, only for its warnings, which for
// 50,000 of them takes half a minute.
const partSize = 200

// parts cuts a VirtualService's HTTP rules into parts that are valid if the
// whole is.
func parts(spec *networking.VirtualService) iter.Seq[*networking.VirtualService] {
	return func(yield func(*networking.VirtualService) bool) {
		var rules []*networking.HTTPRoute
		for _, r := range spec.Http {
			if r == nil || len(r.Match) <= partSize {
				rules = append(rules, r)
				continue
			}
			for matches := range slices.Chunk(r.Match, partSize) {
				part := shallow(r)
				part.Match = matches
				rules = append(rules, part)
			}
		}
		if len(rules) <= partSize && len(rules) == len(spec.Http) {
			yield(spec)
			return
		}
		for some := range slices.Chunk(rules, partSize) {
			part := shallow(spec)
			part.Http = some
			if !yield(part) {
				return
			}
		}
	}
}

// shallow copies a message, but not what it points to.
func shallow[M proto.Message](m M) M {
	to := m.ProtoReflect().New()
	m.ProtoReflect().Range(func(f protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		to.Set(f, v)
		return true
	})
	return to.Interface().(M)
}

func matchesRouteName(f *networking.EnvoyFilter) bool {
	for _, p := range f.ConfigPatches {
		if p.GetMatch().GetRouteConfiguration().GetVhost().GetRoute().GetName() != "" {
			return true
		}
	}
	return false
}

// checkDelegates says which delegates istiod leaves out, and why.
func (w *world) checkDelegates() {
	delegates := map[string]*networking.VirtualService{}
	for _, c := range w.configs {
		if c.GroupVersionKind == gvk.VirtualService {
			delegates[c.Namespace+"/"+c.Name] = c.Spec.(*networking.VirtualService)
		}
	}
	for _, c := range w.configs {
		spec, ok := c.Spec.(*networking.VirtualService)
		if !ok {
			continue
		}
		root := w.objects[key{"networking.istio.io", "VirtualService", c.Namespace, c.Name}]
		for i, rule := range spec.Http {
			if rule.Delegate == nil {
				continue
			}
			namespace := rule.Delegate.Namespace
			if namespace == "" {
				namespace = c.Namespace
			}
			at := fmt.Sprintf("spec.http[%d].delegate", i)
			name := namespace + "/" + rule.Delegate.Name
			d, ok := delegates[name]
			switch {
			case !ok:
				w.problem(root, "%s: there is no VirtualService %s that could be used, so the rule has no effect", at, name)
			case len(d.Hosts) > 0:
				w.problem(root, "%s: VirtualService %s has hosts of its own, so istiod does not take it as a delegate; remove its hosts", at, name)
			case !exported(d.ExportTo, namespace, c.Namespace):
				w.problem(root, "%s: VirtualService %s is not exported to namespace %s", at, name, c.Namespace)
			default:
				w.checkMerge(root, at, rule, d, name)
			}
		}
	}
}

// checkMerge finds the delegate's rules whose matches contradict the root's:
// istiod drops them without a word.
func (w *world) checkMerge(root *object, at string, rule *networking.HTTPRoute, d *networking.VirtualService, name string) {
	kept := map[string]bool{}
	for _, merged := range model.MergeHTTPRoutes(rule.DeepCopy(), d.DeepCopy().Http) {
		_, own, _ := strings.Cut(merged.Name, "-")
		kept[own] = true
	}
	for j, r := range d.Http {
		if !kept[r.Name] {
			w.problem(root, "%s: spec.http[%d] of VirtualService %s matches nothing that this rule lets through, so istiod drops it", at, j, name)
		}
	}
}

func exported(exportTo []string, own, to string) bool {
	if len(exportTo) == 0 {
		return true
	}
	for _, e := range exportTo {
		if e == "*" || e == to || e == "." && own == to {
			return true
		}
	}
	return false
}
