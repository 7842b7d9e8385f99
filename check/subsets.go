package check

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	networking "istio.io/api/networking/v1alpha3"
)

// Codes of subsets that are not what they seem.
const (
	CodeSameSubsets = "MS0601" // two subsets with the same pods
	CodeEmptySubset = "MS0602" // a subset without workloads that routes name
	CodeNoReplicas  = "MS0603" // a subset whose workloads have no pods
)

// Subsets looks for subsets that select the same pods, or none.
func Subsets() Rule {
	return Rule{
		Codes: []string{CodeSameSubsets, CodeEmptySubset, CodeNoReplicas},
		Name:  "subsets",
		Doc:   "Two subsets of a host select the same pods, so that traffic between them is not divided.",
		CodeDocs: map[string]string{
			CodeEmptySubset: "A route names a subset that selects none of the workloads in the files.",
			CodeNoReplicas:  "A route sends requests to a subset whose workloads have zero replicas.",
		},
		Rows: []Row{
			{Code: CodeSameSubsets, Severity: "error; warning",
				Means: "two subsets of a host select the same pods: a split between them divides nothing; a warning where no route gives both a share, or the labels differ",
				Todo:  "give the pods of each a label of their own, and select by it"},
			{Code: CodeEmptySubset, Severity: "error; info",
				Means: "a subset selects none of the Service's workloads in the files: its share of the requests gets 503; info where all its weights are 0",
				Todo:  "add the workload, or correct the labels"},
			{Code: CodeNoReplicas, Severity: "error; warning",
				Means: "the workloads of a subset have `replicas: 0`: its share of the requests gets 503; a warning where it gets copies only",
				Todo:  "scale them up before they get a share"},
		},
		Run: func(_ context.Context, in *Input) []Finding {
			f := newSubsetFinder(in)
			return slices.Concat(f.same(), f.empty())
		},
	}
}

type subsetName struct{ host, name string }

// subsetPlace is a subset and where it is written.
type subsetPlace struct {
	rule  *DestinationRule
	index int
	*networking.Subset
}

func (p *subsetPlace) field() string { return fmt.Sprintf("spec.subsets[%d]", p.index) }

type subsetFinder struct {
	mesh    *Mesh
	index   *podIndex
	uses    map[subsetName][]*target
	copies  map[subsetName]bool // a mirror sends copies there
	scalers []*Resource         // KEDA's ScaledObjects
}

func newSubsetFinder(in *Input) *subsetFinder {
	m := in.Mesh()
	f := &subsetFinder{mesh: m, index: newPodIndex(m), uses: map[subsetName][]*target{}, copies: map[subsetName]bool{}}
	for _, s := range m.splits() {
		for _, t := range s.all {
			n := subsetName{t.host, t.subset}
			f.uses[n] = append(f.uses[n], t)
		}
		for _, t := range s.mirrors {
			f.copies[subsetName{t.host, t.subset}] = true
		}
	}
	for _, r := range in.Resources() {
		if r.Kind() == "ScaledObject" && r.Group() == "keda.sh" {
			f.scalers = append(f.scalers, r)
		}
	}
	return f
}

// same compares all subsets of a host that one namespace defines: istiod merges
// DestinationRules of one host and namespace.
func (f *subsetFinder) same() []Finding {
	type group struct{ namespace, host string }
	groups := map[group][]*subsetPlace{}
	var order []group
	for _, d := range f.mesh.DestinationRules {
		g := group{d.Namespace(), d.Host}
		if groups[g] == nil {
			order = append(order, g)
		}
		for i, sub := range d.Spec.GetSubsets() {
			groups[g] = append(groups[g], &subsetPlace{d, i, sub})
		}
	}
	var found []Finding
	for _, g := range order {
		list := groups[g]
		for i, b := range list {
			for _, a := range list[:i] {
				if a.GetName() == b.GetName() {
					continue // the second of them is lost, which Istio's validation says
				}
				if finding, ok := f.compare(g.host, a, b); ok {
					found = append(found, finding)
					break
				}
			}
		}
	}
	return found
}

func (f *subsetFinder) compare(host string, a, b *subsetPlace) (Finding, bool) {
	equal := maps.Equal(a.GetLabels(), b.GetLabels())
	pods, known := f.index.pods(host, a.Subset)
	others, _ := f.index.pods(host, b.Subset)
	if !equal && (!known || len(pods) == 0 || !slices.Equal(pods, others)) || f.index.rolled(pods) {
		return Finding{}, false
	}
	both := f.shares(subsetName{host, a.GetName()}) > 0 && f.shares(subsetName{host, b.GetName()}) > 0
	if !both && (!equal || a.GetTrafficPolicy() != nil || b.GetTrafficPolicy() != nil) {
		return Finding{}, false // alike today only, or two ways to talk to the same pods
	}
	severity := Warning
	if both && equal {
		severity = Error
	}
	message := fmt.Sprintf("subset %s selects the same pods as subset %s (%s)", b.GetName(), a.GetName(), labelText(b.GetLabels()))
	if !equal {
		message = fmt.Sprintf("subset %s (%s) selects the same pods as subset %s (%s): those of %s", b.GetName(), labelText(b.GetLabels()),
			a.GetName(), labelText(a.GetLabels()), f.index.names(pods))
	}
	if both {
		message += ": requests that routes divide between them all reach the same pods"
	} else {
		message += "; once routes divide requests between them, all will reach the same pods"
	}
	finding := b.rule.Finding(CodeSameSubsets, severity, b.field()+".labels", message)
	finding.Fix = fmt.Sprintf("give the pods that %s is for a label that the others lack (such as track: %s), and select by it", b.GetName(), b.GetName())
	return finding, true
}

// shares is how many rules send requests to a subset.
func (f *subsetFinder) shares(n subsetName) int {
	count := 0
	for _, t := range f.uses[n] {
		if t.share > 0 {
			count++
		}
	}
	return count
}

func labelText(set map[string]string) string {
	if len(set) == 0 {
		return "no labels"
	}
	var all []string
	for _, k := range slices.Sorted(maps.Keys(set)) {
		all = append(all, k+": "+set[k])
	}
	return strings.Join(all, ", ")
}

// empty looks at the subsets that routes name; of others Istio's own analyzer
// speaks (IST0173).
func (f *subsetFinder) empty() []Finding {
	var found []Finding
	for _, d := range f.mesh.DestinationRules {
		for i, sub := range d.Spec.GetSubsets() {
			n := subsetName{d.Host, sub.GetName()}
			if len(f.uses[n]) == 0 && !f.copies[n] {
				continue
			}
			pods, known := f.index.pods(d.Host, sub)
			if !known {
				continue
			}
			place := &subsetPlace{d, i, sub}
			switch {
			case len(pods) == 0:
				found = append(found, f.noWorkload(place, n)...)
			case f.noReplicas(pods):
				found = append(found, f.scaledDown(place, n, pods)...)
			}
		}
	}
	return found
}

func (f *subsetFinder) noWorkload(p *subsetPlace, n subsetName) []Finding {
	s := f.mesh.Service(n.host)
	of := f.index.find(s.Namespace(), s.Spec.Selector)
	if f.index.rolled(of) {
		return nil
	}
	nothing := fmt.Sprintf("subset %s (%s) selects none of the workloads of Service %s in the files (%s)",
		n.name, labelText(p.GetLabels()), s.Name(), f.index.names(of))
	severity, effect := f.effect(n)
	if severity == Info && meshstormTrack(p) {
		return nil // it waits for a canary
	}
	finding := p.rule.Finding(CodeEmptySubset, severity, p.field(), nothing+effect)
	finding.Fix = fmt.Sprintf("add a workload whose pods have the labels %s and %s, correct the subset's labels, or set its weight to 0",
		labelText(p.GetLabels()), labelText(s.Spec.Selector))
	finding.Witness = f.witness(n)
	return []Finding{finding}
}

func (f *subsetFinder) noReplicas(pods []int) bool {
	return !slices.ContainsFunc(pods, func(i int) bool {
		w := f.mesh.Workloads[i]
		return w.Replicas > 0 || w.Kind() == "Rollout"
	}) && !f.scaled(pods)
}

// scaled tells whether something in the files starts pods of the workloads
// when they are needed: KEDA, which can begin at none.
func (f *subsetFinder) scaled(pods []int) bool {
	for _, i := range pods {
		w := f.mesh.Workloads[i]
		for _, r := range f.scalers {
			if r.Namespace() == w.Namespace() && r.text("spec", "scaleTargetRef", "name") == w.Name() {
				return true
			}
		}
	}
	return false
}

func (f *subsetFinder) scaledDown(p *subsetPlace, n subsetName, pods []int) []Finding {
	severity, effect := f.effect(n)
	if severity == Info {
		return nil // scaled down and without a share: as it should be
	}
	finding := p.rule.Finding(CodeNoReplicas, severity, p.field(),
		fmt.Sprintf("subset %s has no pods, because %s has replicas: 0", n.name, f.index.names(pods))+effect)
	finding.Fix = fmt.Sprintf("scale %s up, or set the weight of %s to 0", f.index.names(pods), n.name)
	finding.Witness = f.witness(n)
	return []Finding{finding}
}

// effect says what an empty subset does to requests.
func (f *subsetFinder) effect(n subsetName) (Severity, string) {
	var worst *target
	for _, t := range f.uses[n] {
		if t.share > 0 && (worst == nil || t.share > worst.share) {
			worst = t
		}
	}
	switch {
	case worst != nil && len(worst.split.all) > 1:
		return Error, fmt.Sprintf(", but rule %s of VirtualService %s gives it weight %d: %s of the rule's requests get 503 (UH; Istio's code for it is IST0173)",
			worst.split.name, worst.split.vs.Name(), worst.weight, percent(worst.share))
	case worst != nil:
		return Error, fmt.Sprintf(", but rule %s of VirtualService %s sends all its requests there: they get 503 (UH; Istio's code for it is IST0173)",
			worst.split.name, worst.split.vs.Name())
	case f.copies[n]:
		return Warning, ", so the copies that a mirror sends there are lost"
	}
	return Info, "; all its weights are 0, so no request goes there yet"
}

func (f *subsetFinder) witness(n subsetName) string {
	for _, t := range f.uses[n] {
		if t.share == 0 || t.split.http == nil {
			continue
		}
		for _, e := range t.split.vs.entries() {
			if e.ruleField() == t.split.field {
				return f.mesh.witness(t.split.vs, e.box)
			}
		}
	}
	return ""
}

// meshstormTrack tells whether a subset is one that meshstorm renders for every
// service, whether or not a canary runs.
func meshstormTrack(p *subsetPlace) bool {
	return p.GetName() == "canary" && p.rule.Annotation("meshstorm.io/source") != ""
}
