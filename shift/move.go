package shift

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// ErrElsewhere says that no rule of a VirtualService sends to the service.
var ErrElsewhere = errors.New("no http rule sends there")

// Move gives the weights that a state needs to send traffic for host as asked
// (subset to weight, which add up to 100) in every http rule of the
// VirtualService that routes to these subsets, or to the service as a whole.
// host is the short or full name of a Service in namespace. A VirtualService
// that does not route there is an error that wraps ErrElsewhere.
func Move(vs *unstructured.Unstructured, host, namespace string, weights map[string]int) ([]Weight, error) {
	total := 0
	for subset, w := range weights {
		if w < 0 || w > 100 {
			return nil, fmt.Errorf("%s=%d: expected a weight from 0 to 100", subset, w)
		}
		total += w
	}
	if total != 100 {
		return nil, fmt.Errorf("the weights add up to %d, expected 100", total)
	}
	subsets := slices.SortedFunc(maps.Keys(weights), func(a, b string) int {
		if a == "stable" || b == "stable" { // first, for it stands for a destination without a subset
			if a == b {
				return 0
			}
			if a == "stable" {
				return -1
			}
			return 1
		}
		return strings.Compare(a, b)
	})
	var all []Weight
	base := baseOf(vs, host, namespace)
	for _, r := range rulesOf(vs) {
		if r.added() || !r.forwards() || r.aside(base, host, namespace, vs.GetNamespace()) {
			continue
		}
		written := r.hostOf(host, namespace, vs.GetNamespace(), weights)
		if written == "" {
			continue
		}
		for _, subset := range subsets {
			w := Weight{Rule: r.name(), Host: written, Subset: subset, Weight: weights[subset]}
			if !slices.Contains(all, w) {
				all = append(all, w)
			}
		}
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("VirtualService %s: %w: %s, subsets %s", vs.GetName(), ErrElsewhere, host, strings.Join(subsets, ", "))
	}
	return all, nil
}

// baseOf is the subset that takes most of a host's traffic, by all rules; "" where
// rules name none.
func baseOf(vs *unstructured.Unstructured, host, namespace string) string {
	sums, base := map[string]int{}, ""
	for _, w := range Current(vs, host, namespace) {
		sums[w.Subset] += w.Weight
		if sums[w.Subset] > sums[base] || sums[w.Subset] == sums[base] && w.Subset == "stable" {
			base = w.Subset
		}
	}
	return base
}

// aside reports whether a rule sends all that it has for the host to a subset
// besides the base: a person's own rule for testers, which no shift moves.
func (r rule) aside(base, host, namespace, own string) bool {
	aside := ""
	for _, t := range r.targets() {
		if fullHost(t.host(), own) != fullHost(host, namespace) {
			continue
		}
		if t.subset() == "" || t.subset() == base || aside != "" && aside != t.subset() {
			return false
		}
		aside = t.subset()
	}
	return aside != ""
}

// hostOf gives the host as a rule writes it, "" where the rule sends nothing to
// the subsets in question or to the service as a whole.
func (r rule) hostOf(host, namespace, own string, weights map[string]int) string {
	for _, t := range r.targets() {
		_, asked := weights[t.subset()]
		if fullHost(t.host(), own) == fullHost(host, namespace) && (asked || t.subset() == "") {
			return t.host()
		}
	}
	return ""
}

// Current reads the weights of a VirtualService for a host, by rule. Rules that
// Overlay added are left out.
func Current(vs *unstructured.Unstructured, host, namespace string) []Weight {
	var all []Weight
	for _, r := range rulesOf(vs) {
		if r.added() || !r.forwards() {
			continue
		}
		targets := r.targets()
		for _, t := range targets {
			if fullHost(t.host(), vs.GetNamespace()) == fullHost(host, namespace) {
				all = append(all, Weight{Rule: r.name(), Host: t.host(), Subset: t.subset(), Weight: t.weight(len(targets) == 1)})
			}
		}
	}
	return all
}
