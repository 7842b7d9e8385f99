package check

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

// CodeLookup is the code of DestinationRules where no caller finds them.
const CodeLookup = "MS0609"

// rootNamespace is Istio's configuration namespace, by its default.
const rootNamespace = "istio-system"

// Lookup looks for DestinationRules outside of where istiod looks for them: the
// namespace of the proxy that asks, then that of the Service, then the root
// namespace (destinationRule in pilot/pkg/model/push_context.go).
func Lookup() Rule {
	return Rule{
		Codes: []string{CodeLookup},
		Name:  "destination-rule-lookup",
		Doc:   "A DestinationRule lies in a namespace where the callers do not look for it.",
		Rows: []Row{
			{Code: CodeLookup, Severity: "error; warning",
				Means: "istiod looks for a DestinationRule in the caller's namespace, then the Service's, then istio-system, and stops at the first one for the host; this subset is in none that counts: requests get 503 (NC); a warning where only some callers miss it, or nobody uses it",
				Todo:  "move it into the Service's namespace"},
		},
		Run: func(_ context.Context, in *Input) []Finding {
			l := newLookup(in.Mesh())
			missed := map[*DestinationRule]bool{}
			var found []Finding
			for _, s := range l.mesh.splits() {
				found = append(found, l.split(s, missed)...)
			}
			return append(found, l.idle(missed)...)
		},
	}
}

type lookup struct {
	mesh    *Mesh
	rules   map[string][]*DestinationRule // by namespace
	byHost  map[string][]*DestinationRule
	wild    []*DestinationRule
	clients []string // namespaces with sidecars, in source order
	entries map[string]string
}

func newLookup(m *Mesh) *lookup {
	l := &lookup{mesh: m, rules: map[string][]*DestinationRule{}, byHost: map[string][]*DestinationRule{}, entries: map[string]string{}}
	for _, d := range m.DestinationRules {
		l.rules[d.Namespace()+" "+d.Host] = append(l.rules[d.Namespace()+" "+d.Host], d)
		if strings.HasPrefix(d.Host, "*") {
			l.wild = append(l.wild, d)
		} else {
			l.byHost[d.Host] = append(l.byHost[d.Host], d)
		}
	}
	seen := map[string]bool{}
	for _, w := range m.Workloads {
		if !seen[w.Namespace()] && m.outside(w) == "" {
			seen[w.Namespace()] = true
			l.clients = append(l.clients, w.Namespace())
		}
	}
	for _, e := range m.ServiceEntries {
		for _, h := range e.Spec.GetHosts() {
			l.entries[strings.ToLower(h)] = e.Namespace()
		}
	}
	return l
}

// serviceNamespace is where a host is defined; "" where the files do not say.
func (l *lookup) serviceNamespace(host string) string {
	if s := l.mesh.Service(host); s != nil {
		return s.Namespace()
	}
	return l.entries[host]
}

// effective are the rules that a proxy of the namespace uses for a host.
func (l *lookup) effective(client, host, serviceNamespace string) []*DestinationRule {
	if client != rootNamespace {
		if own := l.in(client, host, localRule); len(own) > 0 {
			return own
		}
	} else if own := l.in(client, host, privateRule); len(own) > 0 {
		return own
	}
	for _, ns := range []string{serviceNamespace, rootNamespace} {
		shared := slices.DeleteFunc(l.in(ns, host, sharedRule), func(d *DestinationRule) bool {
			to := d.Spec.GetExportTo()
			return len(to) > 0 && !slices.Contains(to, "*") && !slices.Contains(to, client)
		})
		if len(shared) > 0 {
			return shared
		}
	}
	return nil
}

// in are the namespace's rules for the host, or else for the longest wildcard
// that takes it.
func (l *lookup) in(namespace, host string, visible func(*DestinationRule) bool) []*DestinationRule {
	for name := host; ; {
		var all []*DestinationRule
		for _, d := range l.rules[namespace+" "+name] {
			if visible(d) {
				all = append(all, d)
			}
		}
		if len(all) > 0 || name == "*" || len(l.wild) == 0 {
			return all
		}
		_, rest, ok := strings.Cut(strings.TrimPrefix(name, "*."), ".")
		if name = "*"; ok {
			name = "*." + rest
		}
	}
}

func localRule(d *DestinationRule) bool {
	to := d.Spec.GetExportTo()
	return len(to) == 0 || d.Spec.GetWorkloadSelector() != nil || slices.Contains(to, "*") || slices.Contains(to, ".") || slices.Contains(to, d.Namespace())
}

func privateRule(d *DestinationRule) bool {
	to := d.Spec.GetExportTo()
	return d.Spec.GetWorkloadSelector() != nil || len(to) == 1 && (to[0] == "." || to[0] == d.Namespace())
}

func sharedRule(d *DestinationRule) bool { return !privateRule(d) }

// definers are the files' rules that define a subset of the host, wherever.
func (l *lookup) definers(host, name string) []*DestinationRule {
	var all []*DestinationRule
	for _, d := range l.byHost[host] {
		if defines(d, name) {
			all = append(all, d)
		}
	}
	for _, d := range l.wild {
		if strings.HasSuffix(host, d.Host[1:]) && defines(d, name) {
			all = append(all, d)
		}
	}
	return all
}

func defines(d *DestinationRule, name string) bool {
	for _, sub := range d.Spec.GetSubsets() {
		if sub.GetName() == name {
			return true
		}
	}
	return false
}

func (l *lookup) split(s *split, missed map[*DestinationRule]bool) []Finding {
	var found []Finding
	for _, t := range slices.Concat(s.all, s.mirrors) {
		if t.subset == "" || len(s.all) > 1 && t.share == 0 && t.weight == 0 && !slices.Contains(s.mirrors, t) {
			continue // istiod leaves destinations without a share out
		}
		serviceNamespace := l.serviceNamespace(t.host)
		definers := l.definers(t.host, t.subset)
		if serviceNamespace == "" || len(definers) == 0 {
			continue // Istio's analyzer says what is missing (IST0101)
		}
		misses := func(client string) bool {
			return !slices.ContainsFunc(l.effective(client, t.host, serviceNamespace), func(d *DestinationRule) bool { return defines(d, t.subset) })
		}
		who, severity := l.missing(s.vs, misses)
		if who == "" {
			continue
		}
		for _, d := range definers {
			missed[d] = true
		}
		found = append(found, l.finding(t, definers[0], serviceNamespace, who, severity))
	}
	return found
}

func (l *lookup) finding(t *target, d *DestinationRule, serviceNamespace, who string, severity Severity) Finding {
	effect := "requests get 503 (NC)"
	if slices.Contains(t.split.mirrors, t) {
		effect = "the copies are lost"
	}
	where := fmt.Sprintf("lies in namespace %s", d.Namespace())
	if exports := d.Spec.GetExportTo(); len(exports) > 0 {
		where += " and is exported to " + listed(exports)
	}
	f := t.split.vs.Finding(CodeLookup, severity, t.field+".destination.subset",
		fmt.Sprintf("%s does not find subset %s: DestinationRule %s %s, and istiod looks in the caller's namespace, in %s where the Service is, and in %s, and stops at the first rule for the host; %s",
			who, t.subset, d.Name(), where, serviceNamespace, rootNamespace, effect))
	f.Fix = fmt.Sprintf("move DestinationRule %s/%s into namespace %s, where every caller finds it", d.Namespace(), d.Name(), serviceNamespace)
	if d.Namespace() == serviceNamespace {
		f.Fix = fmt.Sprintf("let exportTo of DestinationRule %s/%s name the callers' namespaces, or leave it out; and see that no other rule for the host comes before it", d.Namespace(), d.Name())
	}
	return f
}

// missing says which callers of a VirtualService miss something.
func (l *lookup) missing(vs *VirtualService, misses func(client string) bool) (who string, severity Severity) {
	for _, g := range vs.Gateways {
		if g == MeshGateway {
			continue
		}
		if !slices.ContainsFunc(l.gatewayNamespaces(g), func(ns string) bool { return !misses(ns) }) {
			return "gateway " + g, Error
		}
	}
	if !vs.InMesh() {
		return "", ""
	}
	clients := slices.DeleteFunc(slices.Clone(l.clients), func(ns string) bool { return !shownTo(vs, ns) })
	if len(clients) == 0 {
		clients = []string{vs.Namespace()}
	}
	var without []string
	for _, ns := range clients {
		if misses(ns) {
			without = append(without, ns)
		}
	}
	switch len(without) {
	case 0:
		return "", ""
	case len(clients):
		severity = Error
	default:
		severity = Warning
	}
	return "a sidecar of namespace " + strings.Join(without[:min(len(without), 3)], " or "), severity
}

// shownTo tells whether proxies of the namespace get the VirtualService.
func shownTo(vs *VirtualService, namespace string) bool {
	to := vs.Spec.GetExportTo()
	return len(to) == 0 || slices.Contains(to, "*") || slices.Contains(to, namespace) || slices.Contains(to, ".") && namespace == vs.Namespace()
}

// gatewayNamespaces are the namespaces where a Gateway's pods may be: those of
// the workloads that it selects, or else the root namespace, and its own unless
// it means the gateways that an installation profile brings.
func (l *lookup) gatewayNamespaces(key string) []string {
	own, _, _ := strings.Cut(key, "/")
	g := l.mesh.Gateway(key)
	if g == nil {
		return []string{rootNamespace, own}
	}
	var all []string
	for _, w := range l.mesh.Workloads {
		if matches(g.Spec.GetSelector(), w.Template.Labels) && !slices.Contains(all, w.Namespace()) {
			all = append(all, w.Namespace())
		}
	}
	switch {
	case len(all) > 0:
		return all
	case slices.ContainsFunc(profileGateways, func(set map[string]string) bool { return matches(g.Spec.GetSelector(), set) }):
		return []string{rootNamespace}
	}
	return []string{rootNamespace, own}
}

// profileGateways are the labels of the gateways of Istio's profiles.
var profileGateways = []map[string]string{
	{"istio": "ingressgateway", "app": "istio-ingressgateway"},
	{"istio": "egressgateway", "app": "istio-egressgateway"},
}

func matches(selector, set map[string]string) bool {
	for k, v := range selector {
		if set[k] != v {
			return false
		}
	}
	return len(selector) > 0
}

// idle are rules for a Service of the files in a namespace from where, as far
// as the files show, nobody calls.
func (l *lookup) idle(missed map[*DestinationRule]bool) []Finding {
	var found []Finding
	for _, d := range l.mesh.DestinationRules {
		s := l.mesh.Service(d.Host)
		if s == nil || missed[d] || d.Namespace() == s.Namespace() || d.Namespace() == rootNamespace ||
			slices.Contains(l.clients, d.Namespace()) || slices.ContainsFunc(l.mesh.Gateways, func(g *Gateway) bool { return g.Namespace() == d.Namespace() }) {
			continue
		}
		f := d.Finding(CodeLookup, Warning, "spec.host",
			fmt.Sprintf("the rule is for Service %s in namespace %s, but only callers in namespace %s find it here, and the files have none there: it has no effect",
				s.Name(), s.Namespace(), d.Namespace()))
		f.Fix = "move it into namespace " + s.Namespace()
		found = append(found, f)
	}
	return found
}
