package graph

import (
	"maps"
	"slices"

	"github.com/meshstorm/meshstorm/check"
)

func (b *builder) gateways() {
	for _, g := range b.mesh.Gateways {
		var d Data
		for _, s := range g.Spec.GetServers() {
			server := ServerData{Port: int(s.GetPort().GetNumber()), Protocol: s.GetPort().GetProtocol(), Hosts: some(s.GetHosts())}
			if s.GetTls() != nil {
				server.TLS = s.GetTls().GetMode().String()
			}
			d.Servers = append(d.Servers, server)
			d.Hosts = append(d.Hosts, s.GetHosts()...)
		}
		d.Labels = g.Spec.GetSelector()
		b.add(g.Resource, d)
	}
}

// some is a list that is [] in JSON where it is empty.
func some(list []string) []string { return append([]string{}, list...) }

func subsetID(rule *check.DestinationRule, name string) string {
	return ID(KindSubset, rule.Namespace(), rule.Name()+"/"+name)
}

func (b *builder) destinationRules() {
	for _, d := range b.mesh.DestinationRules {
		id := b.add(d.Resource, Data{Host: d.Host})
		subsets := d.Spec.GetSubsets()
		starts := make([]int, len(subsets))
		for i := range subsets {
			starts[i], _ = d.Place("spec.subsets[" + itoa(i) + "]")
		}
		for i, s := range subsets {
			b.node(Node{
				ID: subsetID(d, s.GetName()), Kind: KindSubset, Name: s.GetName(), Namespace: d.Namespace(), Parent: id,
				Service: b.serviceOf(d.Resource), File: d.Document.Path, Line: starts[i], Data: Data{Labels: s.GetLabels()},
				Problems: b.problemsOfSubset(id, starts, i),
			})
		}
	}
}

// problemsOfSubset are those of the DestinationRule in the subset's lines, and
// those that stand before all subsets: the rule is seen through its subsets.
func (b *builder) problemsOfSubset(rule string, starts []int, index int) []Issue {
	found := []Issue{}
	for _, p := range b.problems[rule] {
		in := -1
		for i, start := range starts {
			if start <= p.line {
				in = i
			}
		}
		if in == index || in < 0 {
			found = append(found, p.Issue)
		}
	}
	return found
}

func (b *builder) services() {
	for _, s := range b.mesh.Services {
		d := Data{Host: s.Host, Labels: s.Spec.Selector}
		for _, p := range s.Spec.Ports {
			d.Ports = append(d.Ports, PortData{Name: p.Name, Port: int(p.Port)})
		}
		b.add(s.Resource, d)
	}
	for _, e := range b.mesh.ServiceEntries {
		b.add(e.Resource, Data{Hosts: e.Spec.GetHosts()})
	}
}

func (b *builder) workloads() {
	for _, w := range b.mesh.Workloads {
		replicas := w.Replicas
		d := Data{Labels: w.Template.Labels, Replicas: &replicas}
		for _, c := range w.Template.Spec.Containers {
			d.Images = append(d.Images, c.Image)
		}
		b.add(w.Resource, d)
	}
	for _, s := range b.mesh.Services {
		from := ID(s.Kind(), s.Namespace(), s.Name())
		for _, w := range b.mesh.Pods(s.Namespace(), s.Spec.Selector) {
			b.link(EdgeSelects, from, ID(w.Kind(), w.Namespace(), w.Name()))
		}
	}
	for _, d := range b.mesh.DestinationRules {
		service := b.mesh.Service(d.Host)
		if service == nil {
			continue
		}
		to := ID(service.Kind(), service.Namespace(), service.Name())
		for _, s := range d.Spec.GetSubsets() {
			from := subsetID(d, s.GetName())
			b.link(EdgeSubset, from, to)
			labels := maps.Clone(service.Spec.Selector)
			if labels == nil {
				continue
			}
			maps.Copy(labels, s.GetLabels())
			for _, w := range b.mesh.Pods(service.Namespace(), labels) {
				b.link(EdgeRuns, from, ID(w.Kind(), w.Namespace(), w.Name()))
			}
		}
		if len(d.Spec.GetSubsets()) == 0 {
			b.link(EdgeSubset, ID(d.Kind(), d.Namespace(), d.Name()), to)
		}
	}
}

// link adds a plain edge once.
func (b *builder) link(kind, from, to string) {
	id := kind + ":" + from + ">" + to
	if !b.known[id] {
		b.known[id] = true
		b.edge(Edge{ID: id, From: from, To: to, Kind: kind})
	}
}

// destination is the node that a host and subset of a rule mean.
func (b *builder) destination(host, subset, namespace string) string {
	full := check.ResolveHost(host, namespace)
	if subset != "" {
		for _, d := range b.mesh.DestinationRules {
			if d.Host == full && slices.ContainsFunc(d.Spec.GetSubsets(), named(subset)) {
				return subsetID(d, subset)
			}
		}
	}
	if s := b.mesh.Service(full); s != nil && subset == "" {
		return ID(s.Kind(), s.Namespace(), s.Name())
	}
	for _, e := range b.mesh.ServiceEntries {
		if subset == "" && slices.Contains(e.Spec.GetHosts(), full) {
			return ID(e.Kind(), e.Namespace(), e.Name())
		}
	}
	name := full
	if subset != "" {
		name += ":" + subset
	}
	id := ID(KindHost, "", name)
	b.node(Node{ID: id, Kind: KindHost, Name: name})
	return id
}
