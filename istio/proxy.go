package istio

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	networking "istio.io/api/networking/v1alpha3"
	"istio.io/istio/pkg/config/schema/gvk"
)

// findGateways lists the gateway proxies: workloads that are gateways by
// themselves and those that a Gateway's selector finds.
func (w *world) findGateways() []Proxy {
	for _, c := range w.configs {
		spec, ok := c.Spec.(*networking.Gateway)
		if !ok || c.GroupVersionKind != gvk.Gateway || len(spec.Selector) == 0 {
			continue
		}
		found := false
		for _, l := range w.workloads {
			if contains(l.labels, spec.Selector) {
				found = true
				l.gateway = true
			}
		}
		if !found {
			w.note(w.objects[key{"networking.istio.io", "Gateway", c.Namespace, c.Name}],
				"spec.selector finds no workload among the manifests and the profile's gateways, so no proxy takes this Gateway")
		}
	}
	var all []Proxy
	for _, l := range w.workloads {
		if l.gateway && l.labels["gateway.networking.k8s.io/gateway-class-name"] != "istio-waypoint" {
			all = append(all, Proxy{Kind: Gateway, Name: l.Name, Namespace: l.Namespace, Labels: l.labels})
		}
	}
	sortProxies(all)
	return all
}

func sortProxies(all []Proxy) {
	slices.SortStableFunc(all, func(a, b Proxy) int {
		return cmp.Or(strings.Compare(a.Kind, b.Kind), strings.Compare(a.Namespace, b.Namespace), strings.Compare(a.Name, b.Name))
	})
}

// sidecar finds the proxy of a service or workload by the name that people
// give it.
func (w *world) sidecar(name string) (Proxy, error) {
	short, namespace := name, ""
	if rest, ok := strings.CutSuffix(name, ".svc."+w.opts.ClusterDomain); ok {
		name = rest
	} else if rest, ok := strings.CutSuffix(name, ".svc"); ok {
		name = rest
	}
	if before, after, ok := strings.Cut(name, "."); ok {
		short, namespace = before, after
	}
	var found []Proxy
	for _, s := range w.services {
		if s.Name == short && (namespace == "" || s.Namespace == namespace) {
			if p, ok := w.proxyOf(s); ok {
				found = append(found, p)
			}
		}
	}
	if len(found) == 0 {
		for _, l := range w.workloads {
			if l.Name == short && (namespace == "" || l.Namespace == namespace) {
				found = append(found, w.sidecarOf(l, l.Name))
			}
		}
	}
	for _, p := range found {
		if namespace == "" && p.Namespace == w.opts.Namespace {
			found = []Proxy{p}
			break
		}
	}
	switch {
	case len(found) == 0:
		return Proxy{}, fmt.Errorf("there is no service %q with a workload: expected NAME, NAME.NAMESPACE or a full host name of one of %s",
			name, w.serviceNames())
	case len(found) > 1 && found[0].Namespace != found[len(found)-1].Namespace:
		var names []string
		for _, p := range found {
			names = append(names, p.Name+"."+p.Namespace)
		}
		return Proxy{}, fmt.Errorf("service %q is in several namespaces: say which of %s", name, strings.Join(names, ", "))
	}
	return found[0], w.mayHaveSidecar(found[0])
}

// proxyOf is the sidecar of the first of a Service's workloads; where it has
// none here, of pods with just the labels that it selects.
func (w *world) proxyOf(s *service) (Proxy, bool) {
	for _, l := range w.selected(s.Namespace, s.Spec.Selector) {
		if !l.gateway {
			return w.sidecarOf(l, s.Name), true
		}
	}
	if len(s.Spec.Selector) == 0 || w.profileGateways[key{"", "", s.Namespace, s.Name}] ||
		len(w.selected(s.Namespace, s.Spec.Selector)) > 0 {
		return Proxy{}, false
	}
	return Proxy{Kind: Sidecar, Name: s.Name, Namespace: s.Namespace, Labels: s.Spec.Selector}, true
}

func (w *world) sidecarOf(l *workload, name string) Proxy {
	return Proxy{Kind: Sidecar, Name: name, Namespace: l.Namespace, Labels: l.labels}
}

// mayHaveSidecar refuses a proxy that somebody chose not to have.
func (w *world) mayHaveSidecar(p Proxy) error {
	for _, l := range w.workloads {
		if l.Namespace != p.Namespace || l.injected || !maps.Equal(l.labels, p.Labels) {
			continue
		}
		choice := cmp.Or(l.labels["sidecar.istio.io/inject"], l.annotations["sidecar.istio.io/inject"])
		ns := w.namespaces[l.Namespace]
		switch {
		case strings.EqualFold(choice, "false"):
			return fmt.Errorf("%s has no sidecar: its pods carry sidecar.istio.io/inject: \"false\"", l)
		case ns != nil && ns.Labels["istio-injection"] == "disabled":
			return fmt.Errorf("%s has no sidecar: namespace %s carries istio-injection: disabled", l, l.Namespace)
		}
	}
	return nil
}

func (w *world) serviceNames() string {
	var names []string
	for _, s := range w.services {
		if _, ok := w.proxyOf(s); ok {
			names = append(names, s.Name+"."+s.Namespace)
		}
	}
	slices.Sort(names)
	const most = 20
	if len(names) > most {
		names = append(names[:most], fmt.Sprintf("… (%d more)", len(names)-most))
	}
	if len(names) == 0 {
		return "none: the manifests have no Service with a selector"
	}
	return strings.Join(names, ", ")
}

// groups gives one sidecar for each group that istiod sends the same outbound
// routes to: routes depend on the namespace, and on the labels that some
// object selects or matches by.
func (w *world) groups() []Proxy {
	seen := map[string]bool{}
	var all []Proxy
	for _, l := range w.workloads {
		if l.gateway || !l.injected {
			continue
		}
		group := groupOf(w.matter, l.Namespace, l.labels)
		if seen[group] {
			continue
		}
		seen[group] = true
		all = append(all, w.sidecarOf(l, w.serviceOf(l)))
	}
	sortProxies(all)
	return all
}

// groupOf names the group of workloads with these labels; matter are the labels
// that tell groups apart.
func groupOf(matter []string, namespace string, labels map[string]string) string {
	var b strings.Builder
	b.WriteString(namespace)
	for _, k := range matter {
		b.WriteString("\x00" + k + "=" + labels[k])
	}
	return b.String()
}

// serviceOf names a workload as Sidecar takes it: by a Service of its pods.
func (w *world) serviceOf(l *workload) string {
	for _, s := range w.services {
		if s.Namespace == l.Namespace && len(s.Spec.Selector) > 0 && contains(l.labels, s.Spec.Selector) {
			return s.Name
		}
	}
	return l.Name
}

// labelsThatMatter are the labels by which some object tells workloads apart.
func (w *world) labelsThatMatter() []string {
	all := map[string]bool{}
	add := func(m map[string]string) {
		for k := range m {
			all[k] = true
		}
	}
	for _, c := range w.configs {
		switch spec := c.Spec.(type) {
		case *networking.VirtualService:
			for _, r := range spec.Http {
				for _, m := range r.Match {
					add(m.GetSourceLabels())
				}
			}
		case *networking.Sidecar:
			add(spec.GetWorkloadSelector().GetLabels())
		case *networking.DestinationRule:
			add(spec.GetWorkloadSelector().GetMatchLabels())
		case *networking.EnvoyFilter:
			add(spec.GetWorkloadSelector().GetLabels())
		}
	}
	return slices.Sorted(maps.Keys(all))
}
