package cluster

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// Destination is what a route sends to.
type Destination struct {
	Host   string // fully qualified
	Port   int
	Subset string // "" for the whole service
}

// Need is what proxies must have before, or must have dropped after, a change of
// routes.
type Need struct {
	Namespace string
	Gateways  []map[string]string // labels of the gateway pods that the routes are bound to
	Sidecars  bool                // routes of the mesh itself are among them
	Present   []Destination       // clusters that must be there
	Absent    []Destination       // clusters that no route may name any more
	// Changed says that the routes are applied: a proxy that lags is then worth a
	// warning and no reason to stop.
	Changed bool
}

func (n Need) empty() bool { return len(n.Present) == 0 && len(n.Absent) == 0 }

// needs gathers what the routes that are about to change refer to.
func (p *Plan) needs() Need {
	need := Need{Namespace: p.Namespace}
	for i := range p.Changes {
		ch := &p.Changes[i]
		if ch.desired != nil && isVirtualService(ch.Object) && (ch.Action == Create || ch.Action == Configure || ch.Action == Replace) {
			p.addRoutes(&need, ch.desired)
		}
	}
	return need
}

// addRoutes adds a VirtualService's gateways and destinations.
func (p *Plan) addRoutes(need *Need, vs *unstructured.Unstructured) {
	p.addGateways(need, vs)
	for _, d := range destinations(vs) {
		for _, full := range p.resolve(d, vs.GetNamespace()) {
			if !slices.Contains(need.Present, full) {
				need.Present = append(need.Present, full)
			}
		}
	}
}

func (p *Plan) addGateways(need *Need, vs *unstructured.Unstructured) {
	names, _, _ := unstructured.NestedStringSlice(vs.Object, "spec", "gateways")
	if len(names) == 0 {
		need.Sidecars = true
	}
	for _, name := range names {
		if name == "mesh" {
			need.Sidecars = true
			continue
		}
		namespace := vs.GetNamespace()
		if at := strings.Index(name, "/"); at >= 0 {
			namespace, name = name[:at], name[at+1:]
		}
		if gw := p.find("networking.istio.io", "Gateway", namespace, name); gw != nil {
			selector, _, _ := unstructured.NestedStringMap(gw.Object, "spec", "selector")
			if len(selector) > 0 {
				need.Gateways = append(need.Gateways, selector)
			}
		}
	}
}

// find gives the object as it will be: of the files, or live.
func (p *Plan) find(group, kind, namespace, name string) *unstructured.Unstructured {
	for i := range p.Changes {
		if ch := &p.Changes[i]; ch.Object == (ID{Group: group, Kind: kind, Namespace: namespace, Name: name}) {
			if ch.after != nil {
				return ch.after
			}
			return cmp.Or(ch.desired, ch.live)
		}
	}
	return nil
}

// destinations lists what the routes of a VirtualService send to, with ports
// where they are written.
func destinations(vs *unstructured.Unstructured) []Destination {
	var all []Destination
	for _, protocol := range []string{"http", "tls", "tcp"} {
		rules, _, _ := unstructured.NestedSlice(vs.Object, "spec", protocol)
		for _, r := range rules {
			rule, _ := r.(map[string]any)
			targets, _ := rule["route"].([]any)
			if m, ok := rule["mirror"].(map[string]any); ok {
				targets = append(slices.Clone(targets), map[string]any{"destination": m})
			}
			mirrors, _ := rule["mirrors"].([]any)
			for _, t := range slices.Concat(targets, mirrors) {
				target, _ := t.(map[string]any)
				to, _ := target["destination"].(map[string]any)
				host, _ := to["host"].(string)
				subset, _ := to["subset"].(string)
				port, _, _ := unstructured.NestedFieldNoCopy(to, "port", "number")
				n, _ := number(port)
				if host != "" {
					all = append(all, Destination{Host: host, Port: n, Subset: subset})
				}
			}
		}
	}
	return all
}

// resolve gives the full name of a destination's host and its ports. A host that
// no Service of the files has is left to `check`.
func (p *Plan) resolve(d Destination, namespace string) []Destination {
	host := strings.TrimSuffix(d.Host, ".svc.cluster.local")
	name, in, qualified := strings.Cut(host, ".")
	if !qualified {
		in = namespace
	}
	in = strings.TrimSuffix(in, ".svc")
	service := p.find("", "Service", in, name)
	if service == nil {
		return nil
	}
	d.Host = name + "." + in + ".svc.cluster.local"
	if d.Port != 0 {
		return []Destination{d}
	}
	var all []Destination
	ports, _, _ := unstructured.NestedSlice(service.Object, "spec", "ports")
	for _, entry := range ports {
		port, _ := entry.(map[string]any)
		if n, ok := number(port["port"]); ok {
			d.Port = n
			all = append(all, d)
		}
	}
	return all
}

// keepSubsets gives a DestinationRule that has the live subsets besides the
// wanted ones, nil where none would go: routes may name them still.
func keepSubsets(ch *Change) *unstructured.Unstructured {
	if ch.live == nil || ch.Object.Group != "networking.istio.io" || ch.Object.Kind != "DestinationRule" {
		return nil
	}
	live, _, _ := unstructured.NestedSlice(ch.live.Object, "spec", "subsets")
	wanted, _, _ := unstructured.NestedSlice(ch.desired.Object, "spec", "subsets")
	names, _ := byName(wanted)
	union := slices.Clone(wanted)
	for _, s := range live {
		subset, _ := s.(map[string]any)
		if name, ok := subset["name"].(string); ok && names[name] == nil {
			union = append(union, s)
		}
	}
	if len(union) == len(wanted) {
		return nil
	}
	both := ch.desired.DeepCopy()
	if unstructured.SetNestedSlice(both.Object, union, "spec", "subsets") != nil {
		return nil
	}
	return both
}

// removedSubsets are the clusters that a DestinationRule is about to lose.
func (p *Plan) removedSubsets(ch *Change) []Destination {
	host, _, _ := unstructured.NestedString(ch.live.Object, "spec", "host")
	live, _, _ := unstructured.NestedSlice(ch.live.Object, "spec", "subsets")
	var wanted []any
	if ch.desired != nil {
		wanted, _, _ = unstructured.NestedSlice(ch.desired.Object, "spec", "subsets")
	}
	names, _ := byName(wanted)
	var all []Destination
	for _, s := range live {
		subset, _ := s.(map[string]any)
		if name, ok := subset["name"].(string); ok && names[name] == nil {
			all = append(all, p.resolve(Destination{Host: host, Subset: name}, ch.Object.Namespace)...)
		}
	}
	return all
}

// GatewaySelectors reads the labels of the pods that gateways named by a live
// VirtualService run on, and whether it is for sidecars too.
func (c *Client) GatewaySelectors(ctx context.Context, vs *unstructured.Unstructured) (selectors []map[string]string, sidecars bool, err error) {
	names, _, _ := unstructured.NestedStringSlice(vs.Object, "spec", "gateways")
	sidecars = len(names) == 0
	for _, name := range names {
		if name == "mesh" {
			sidecars = true
			continue
		}
		id := ID{Group: "networking.istio.io", Kind: "Gateway", Namespace: vs.GetNamespace(), Name: name}
		if at := strings.Index(name, "/"); at >= 0 {
			id.Namespace, id.Name = name[:at], name[at+1:]
		}
		gw, err := c.Get(ctx, schema.GroupVersionKind{Group: id.Group, Kind: id.Kind}, id)
		if err != nil {
			return nil, false, err
		}
		if gw != nil {
			selector, _, _ := unstructured.NestedStringMap(gw.Object, "spec", "selector")
			selectors = append(selectors, selector)
		}
	}
	return selectors, sidecars, nil
}
