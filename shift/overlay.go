package shift

import (
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// Strip gives a copy without what Overlay added: its rules, and with the help of
// the state that the object carries, the cookies and mirrors in other rules.
func Strip(vs *unstructured.Unstructured) *unstructured.Unstructured {
	state, err := Read(vs)
	if err != nil {
		state = nil // what cannot be read cannot be looked for
	}
	return strip(vs, state)
}

func strip(vs *unstructured.Unstructured, state *State) *unstructured.Unstructured {
	out := vs.DeepCopy()
	rules := slices.DeleteFunc(rulesOf(out), rule.added)
	if state != nil {
		for _, r := range rules {
			if state.Sticky != nil {
				r.dropCookie(state.Sticky.Cookie)
			}
			if state.Mirror != nil && state.Mirror.Unsafe {
				r.dropMirror(state.Mirror)
			}
		}
	}
	setRules(out, rules)
	return out
}

// Overlay gives desired as it must look while the shift runs. It changes
// neither argument; a nil state strips only.
func Overlay(desired *unstructured.Unstructured, state *State) (*unstructured.Unstructured, Report, error) {
	var report Report
	out := strip(desired, state)
	if state == nil {
		return out, report, nil
	}
	if err := state.valid(); err != nil {
		return nil, report, fmt.Errorf("%w: %w", ErrState, err)
	}
	o := overlay{state: state, namespace: out.GetNamespace(), gateway: atGateway(out), used: map[Weight]bool{}, report: &report}
	var rules []rule
	for _, r := range rulesOf(out) {
		before, err := o.rule(r)
		if err != nil {
			return nil, report, fmt.Errorf("rule %q: %w", r.name(), err)
		}
		rules = append(append(rules, before...), r)
	}
	setRules(out, rules)
	for _, w := range state.Weights {
		if !o.used[w] {
			report.Gone = append(report.Gone, w)
		}
	}
	return out, report, nil
}

type overlay struct {
	state     *State
	namespace string
	gateway   bool
	used      map[Weight]bool
	report    *Report
}

// rule moves one rule's traffic and gives the rules that come before it.
func (o *overlay) rule(r rule) ([]rule, error) {
	if !r.forwards() {
		return nil, nil
	}
	weights, fresh := o.weightsFor(r)
	if len(weights) == 0 {
		return nil, nil
	}
	if fresh {
		o.report.New = append(o.report.New, r.name())
	}
	o.setWeights(r, weights)
	return o.extras(r, weights[0].Host)
}

// weightsFor finds what the state says of a rule: under its name, else, for a
// rule that came later and has the same destinations, what it says of another.
func (o *overlay) weightsFor(r rule) (weights []Weight, fresh bool) {
	for _, w := range o.state.Weights {
		if w.Rule == r.name() && r.sendsTo(w.Host, o.namespace) {
			weights = append(weights, w)
		}
	}
	if len(weights) > 0 {
		return weights, false
	}
	first := ""
	for _, w := range o.state.Weights {
		if first == "" {
			first = w.Rule
		}
		if w.Rule == first && r.sendsTo(w.Host, o.namespace) {
			weights = append(weights, w)
		}
	}
	for _, w := range weights {
		if !slices.ContainsFunc(r.targets(), func(t target) bool { return sameHost(t.host(), w.Host, o.namespace) && t.subset() == w.Subset }) {
			return nil, false // other destinations: not ours to move
		}
	}
	return weights, len(weights) > 0
}

func (r rule) sendsTo(host, namespace string) bool {
	return slices.ContainsFunc(r.targets(), func(t target) bool { return sameHost(t.host(), host, namespace) })
}

// setWeights gives a rule's destinations their weights. Where the rule has other
// destinations too, hosts or subsets, the shift divides its own part only.
func (o *overlay) setWeights(r rule, weights []Weight) {
	targets := r.targets()
	asPercent(targets)
	part := 0
	for _, t := range targets {
		ours := t.subset() == "" || slices.ContainsFunc(weights, func(w Weight) bool { return w.Subset == t.subset() })
		if ours && sameHost(t.host(), weights[0].Host, o.namespace) {
			part += t.weight(len(targets) == 1)
		}
	}
	if part == 0 {
		part = 100
	}
	shares := divide(part, weights)
	for i, w := range weights {
		o.used[w] = true
		at := o.targetOf(targets, w, weights)
		if at < 0 && shares[i] == 0 {
			continue
		}
		before := 0
		if at < 0 {
			like := slices.IndexFunc(targets, func(t target) bool { return sameHost(t.host(), w.Host, o.namespace) })
			t := targets[like].clone()
			delete(t, "headers")
			targets = append(targets, t)
			at = len(targets) - 1
		} else {
			before = targets[at].weight(len(targets) == 1)
		}
		targets[at].destination()["subset"] = w.Subset
		if w.Subset == "" {
			delete(targets[at].destination(), "subset")
		}
		targets[at]["weight"] = int64(shares[i])
		if before != shares[i] {
			held := w
			held.Rule, held.Weight = r.name(), shares[i]
			o.report.Held = append(o.report.Held, held)
		}
	}
	r.setTargets(targets)
}

// targetOf finds the destination of a weight; a destination without a subset,
// which stands for the whole service, becomes the first subset that has none.
func (o *overlay) targetOf(targets []target, w Weight, all []Weight) int {
	at := slices.IndexFunc(targets, func(t target) bool { return sameHost(t.host(), w.Host, o.namespace) && t.subset() == w.Subset })
	if at >= 0 {
		return at
	}
	for _, other := range all {
		has := slices.ContainsFunc(targets, func(t target) bool { return sameHost(t.host(), other.Host, o.namespace) && t.subset() == other.Subset })
		if has {
			continue
		}
		if other != w {
			return -1 // it is the other's
		}
		return slices.IndexFunc(targets, func(t target) bool { return sameHost(t.host(), w.Host, o.namespace) && t.subset() == "" })
	}
	return -1
}

// asPercent makes weights that do not add up to 100, which Istio takes as parts
// of their sum, parts of 100.
func asPercent(targets []target) {
	total := 0
	for _, t := range targets {
		total += t.weight(len(targets) == 1)
	}
	if total == 100 || total == 0 {
		return
	}
	left, largest := 100, 0
	for i, t := range targets {
		w := t.weight(false)
		if w > targets[largest].weight(false) {
			largest = i
		}
		left -= 100 * w / total
	}
	for i, t := range targets {
		w := 100 * t.weight(false) / total
		if i == largest {
			w += left
		}
		t["weight"] = int64(w)
	}
}

// divide splits part (percent) by weights that add up to 100, with nothing lost:
// what is asked for gets 1 at least, if there is as much.
func divide(part int, weights []Weight) []int {
	shares, left, largest := make([]int, len(weights)), part, 0
	for i, w := range weights {
		shares[i] = part * w.Weight / 100
		if shares[i] == 0 && w.Weight > 0 {
			shares[i] = 1
		}
		left -= shares[i]
		if w.Weight > weights[largest].Weight {
			largest = i
		}
	}
	shares[largest] = max(0, shares[largest]+left)
	return shares
}
