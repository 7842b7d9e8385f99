package istio

import (
	"fmt"
	"strings"

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
	if _, err := validate(s, c); err != nil {
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

// validate is istiod's webhook.
func validate(s resource.Schema, c config.Config) (warning, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("its validation failed with an internal error: %v", p)
		}
	}()
	return s.ValidateConfig(c)
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
