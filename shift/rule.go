package shift

import (
	"regexp"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

var cookieName = regexp.MustCompile(`^[A-Za-z0-9_-]+$`)

// rule is one of spec.http, as it was decoded.
type rule map[string]any

func rulesOf(vs *unstructured.Unstructured) []rule {
	list, _, _ := unstructured.NestedFieldNoCopy(vs.Object, "spec", "http")
	items, _ := list.([]any)
	var all []rule
	for _, item := range items {
		if r, ok := item.(map[string]any); ok {
			all = append(all, r)
		}
	}
	return all
}

func setRules(vs *unstructured.Unstructured, rules []rule) {
	items := make([]any, 0, len(rules))
	for _, r := range rules {
		items = append(items, map[string]any(r))
	}
	spec, ok := vs.Object["spec"].(map[string]any)
	if !ok || spec["http"] == nil && len(items) == 0 {
		return
	}
	spec["http"] = items
}

func (r rule) name() string {
	s, _ := r["name"].(string)
	return s
}

func (r rule) added() bool { return strings.HasPrefix(r.name(), RulePrefix) }

// forwards reports whether the rule sends requests to destinations of its own.
func (r rule) forwards() bool {
	return r["redirect"] == nil && r["directResponse"] == nil && r["delegate"] == nil && len(r.targets()) > 0
}

func (r rule) clone() rule {
	return (&unstructured.Unstructured{Object: map[string]any(r)}).DeepCopy().Object
}

func (r rule) targets() []target {
	items, _ := r["route"].([]any)
	var all []target
	for _, item := range items {
		if t, ok := item.(map[string]any); ok {
			all = append(all, t)
		}
	}
	return all
}

func (r rule) setTargets(all []target) {
	items := make([]any, 0, len(all))
	for _, t := range all {
		items = append(items, map[string]any(t))
	}
	r["route"] = items
}

// matches gives the match blocks; one empty block where every request matches.
func (r rule) matches() []map[string]any {
	items, _ := r["match"].([]any)
	var all []map[string]any
	for _, item := range items {
		if m, ok := item.(map[string]any); ok {
			all = append(all, m)
		}
	}
	if len(all) == 0 {
		return []map[string]any{{}}
	}
	return all
}

func (r rule) setMatches(all []map[string]any) {
	items := make([]any, 0, len(all))
	for _, m := range all {
		items = append(items, m)
	}
	r["match"] = items
}

// target is one of a rule's weighted destinations.
type target map[string]any

func (t target) destination() map[string]any {
	d, _ := t["destination"].(map[string]any)
	return d
}

func (t target) host() string {
	s, _ := t.destination()["host"].(string)
	return s
}

func (t target) subset() string {
	s, _ := t.destination()["subset"].(string)
	return s
}

func (t target) clone() target {
	return (&unstructured.Unstructured{Object: map[string]any(t)}).DeepCopy().Object
}

// weight is the share in percent. Istio takes a rule's only destination for 100
// and one without a weight among others for 0
// (istio.io/docs/reference/config/networking/virtual-service, HTTPRouteDestination).
func (t target) weight(only bool) int {
	switch n := t["weight"].(type) {
	case int64:
		if n != 0 || !only {
			return int(n)
		}
	case float64:
		if n != 0 || !only {
			return int(n)
		}
	case int:
		if n != 0 || !only {
			return n
		}
	}
	if only {
		return 100
	}
	return 0
}

// sameHost compares a destination's host with a service's name, either of which
// may be short: a short one is of namespace.
func sameHost(a, b, namespace string) bool { return fullHost(a, namespace) == fullHost(b, namespace) }

// fullHost is NAME.NAMESPACE for a Service's name in any of its forms; a host
// that is no Service's name stays as it is.
func fullHost(host, namespace string) string {
	host = strings.TrimSuffix(host, ".")
	for _, suffix := range []string{".svc.cluster.local", ".svc"} {
		if name, ok := strings.CutSuffix(host, suffix); ok {
			return name
		}
	}
	if !strings.Contains(host, ".") {
		return host + "." + namespace
	}
	return host
}

// atGateway reports whether the VirtualService is for gateways; one without any
// is for sidecars alone.
func atGateway(vs *unstructured.Unstructured) bool {
	names, _, _ := unstructured.NestedStringSlice(vs.Object, "spec", "gateways")
	return slices.ContainsFunc(names, func(n string) bool { return n != "mesh" })
}
