package check

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
)

// Codes of weights that do not do what they say.
const (
	CodeWeightTotal = "MS0604" // weights that do not add up to 100
	CodeWeightAlone = "MS0605" // a weight on the only destination
	CodeWeightTwice = "MS0606" // one destination twice in a rule
	CodeSamePods    = "MS0607" // two destinations of a rule with the same pods
	CodeUneven      = "MS0611" // rules that divide one host differently
)

// Weights looks for weights that do nothing, or something else than they say.
func Weights() Rule {
	return Rule{
		Codes: []string{CodeWeightTotal, CodeWeightAlone, CodeWeightTwice, CodeSamePods, CodeUneven},
		Name:  "weights",
		Doc:   "The weights of a rule do not add up to 100, so its shares are not what they read as.",
		CodeDocs: map[string]string{
			CodeWeightAlone: "The weight of a rule's only destination has no effect.",
			CodeWeightTwice: "A rule names one destination twice, and the weights add up.",
			CodeSamePods:    "Two destinations of a rule reach the same pods, so the weights do not divide the requests.",
			CodeUneven:      "Two rules divide the requests for one host differently.",
		},
		Rows: []Row{
			{Code: CodeWeightTotal, Severity: "warning",
				Means: "weights do not add up to 100, or a destination beside others has none: the shares are others than they read as",
				Todo:  "write shares that add up to 100"},
			{Code: CodeWeightAlone, Severity: "warning; info",
				Means: "the weight of a rule's only destination: it gets every request; a warning where the weight is 0",
				Todo:  "remove the weight, or add the other destination"},
			{Code: CodeWeightTwice, Severity: "warning",
				Means: "one destination stands twice in a rule and gets both weights",
				Todo:  "name the other subset, or merge the two"},
			{Code: CodeSamePods, Severity: "warning",
				Means: "two destinations of a rule reach the same pods, in whole or in part: the weights do not divide the requests",
				Todo:  "name a subset in each destination, and let the subsets select different pods"},
			{Code: CodeUneven, Severity: "info",
				Means: "rules for one host give a subset different shares: which one a request gets depends on its method, path or way in",
				Todo:  "write the same weights, unless it is meant so"},
		},
		Yields: map[string][]string{CodeWeightAlone: {"IST0106"}}, // a weight that is no number
		Run: func(_ context.Context, in *Input) []Finding {
			m := in.Mesh()
			w := &weighing{mesh: m, index: newPodIndex(m), subsets: m.subsets()}
			all := m.splits()
			for _, s := range all {
				w.split(s)
			}
			w.uneven(all)
			return w.found
		},
	}
}

// subsets are all subsets that the files define, by full host and name.
func (m *Mesh) subsets() map[subsetName][]*subsetPlace {
	all := map[subsetName][]*subsetPlace{}
	for _, d := range m.DestinationRules {
		for i, sub := range d.Spec.GetSubsets() {
			n := subsetName{d.Host, sub.GetName()}
			all[n] = append(all[n], &subsetPlace{d, i, sub})
		}
	}
	return all
}

type weighing struct {
	mesh    *Mesh
	index   *podIndex
	subsets map[subsetName][]*subsetPlace
	found   []Finding
}

func (w *weighing) add(s *split, code string, severity Severity, field, message, fix string, edits ...Edit) {
	f := s.vs.Finding(code, severity, field, message)
	f.Fix, f.Edits = fix, edits
	w.found = append(w.found, f)
}

func (w *weighing) split(s *split) {
	switch {
	case len(s.all) == 1:
		w.alone(s)
	case len(s.all) > 1 && s.total() > 0: // else Istio's validation refuses the object
		w.twice(s)
		w.sum(s)
		w.overlaps(s)
	}
}

func (w *weighing) alone(s *split) {
	t := s.all[0]
	weight := t.field + ".weight"
	written := s.vs.Document.Get(weight)
	if written == nil || t.weight == 100 || t.weight < 0 {
		return
	}
	severity, fix := Info, "remove the weight, or add the destination that gets the rest"
	message := fmt.Sprintf("the weight %d of %s has no effect: it is the only destination of rule %s and gets every request", t.weight, t, s.name)
	if t.weight == 0 {
		severity, fix = Warning, "remove the rule if nothing should go there, or add the destination that gets the requests"
		w.add(s, CodeWeightAlone, severity, weight, message, fix) // no edit: it is not clear what was meant
		return
	}
	w.add(s, CodeWeightAlone, severity, weight, message, fix, RemoveField(s.vs.Document, weight))
}

// sum looks at what the weights add up to. A weight of 0 is a decision, a
// missing one next to others is more likely forgotten.
func (w *weighing) sum(s *split) {
	total := s.total()
	var missing []string
	for _, t := range s.all {
		if t.weight == 0 && s.vs.Document.Get(t.field+".weight") == nil {
			missing = append(missing, t.String())
		}
	}
	var shares []string
	for _, t := range s.all {
		shares = append(shares, fmt.Sprintf("%s gets %s", t, percent(t.share)))
	}
	switch {
	case total != 100:
		message := fmt.Sprintf("the weights of rule %s add up to %d, not 100; Envoy takes them as parts of their sum: %s", s.name, total, listed(shares))
		w.add(s, CodeWeightTotal, Warning, s.field+".route", message, "write the shares that are meant, so that they add up to 100")
	case len(missing) > 0:
		message := fmt.Sprintf("%s has no weight beside others and gets no request: a missing weight is 0", listed(missing))
		w.add(s, CodeWeightTotal, Warning, s.field+".route", message, "write `weight: 0` if that is meant, or divide the weights")
	}
}

// twice finds destinations that are there twice and do the same. Those that
// change headers differently are not the same.
func (w *weighing) twice(s *split) {
	for i, b := range s.all {
		for j, a := range s.all[:i] {
			if a.host != b.host || a.subset != b.subset || a.port != b.port || s.headers(i) != s.headers(j) {
				continue
			}
			message := fmt.Sprintf("%s stands twice in rule %s: it gets %s of the requests, as if it stood there once with weight %d",
				b, s.name, percent(a.share+b.share), a.weight+b.weight)
			var edits []Edit
			if a.weight > 0 && b.weight > 0 {
				edits = []Edit{SetField(s.vs.Document, a.field+".weight", a.weight+b.weight), RemoveField(s.vs.Document, b.field)}
			}
			if slices.ContainsFunc(s.all[:j], func(t *target) bool { return t.host == b.host && t.subset == b.subset && t.port == b.port }) {
				edits = nil // three of them: one step at a time
			}
			w.add(s, CodeWeightTwice, Warning, b.field+".destination", message,
				"name the subset that was meant, or write the destination once with the sum of the weights", edits...)
			break
		}
	}
}

// headers is what a destination does to headers, for comparing.
func (s *split) headers(i int) string {
	if s.http == nil {
		return ""
	}
	return s.http.GetRoute()[i].GetHeaders().String()
}

// overlaps compares the pods behind the destinations that get requests. Two
// subsets of one host are the business of Subsets.
func (w *weighing) overlaps(s *split) {
	sharing := s.sharing()
	for i, b := range sharing {
		for _, a := range sharing[:i] {
			if a.host == b.host && (a.subset == b.subset || a.subset != "" && b.subset != "") {
				continue
			}
			if w.overlap(s, a, b) {
				return
			}
		}
	}
}

func (w *weighing) overlap(s *split, a, b *target) bool {
	ofA, okA := w.pods(a)
	ofB, okB := w.pods(b)
	if !okA || !okB || w.index.rolled(ofA) || w.index.rolled(ofB) {
		return false
	}
	var common []int
	for _, p := range ofA {
		if slices.Contains(ofB, p) {
			common = append(common, p)
		}
	}
	if len(common) == 0 {
		return false
	}
	message := fmt.Sprintf("the pods of %s get requests of %s and of %s, so rule %s does not divide them %d to %d",
		w.index.names(common), a, b, s.name, a.weight, b.weight)
	if len(common) == len(ofA) && len(common) == len(ofB) {
		message = fmt.Sprintf("%s and %s are the same pods (%s), so the weights %d and %d of rule %s divide nothing",
			a, b, w.index.names(common), a.weight, b.weight, s.name)
	}
	w.add(s, CodeSamePods, Warning, b.field, message, "give every destination of the rule a subset, and let the subsets select different pods")
	return true
}

func (w *weighing) pods(t *target) ([]int, bool) {
	if t.subset == "" {
		return w.index.pods(t.host, nil)
	}
	places := w.subsets[subsetName{t.host, t.subset}]
	if len(places) != 1 {
		return nil, false // unknown, or several: which one acts depends on who asks
	}
	return w.index.pods(t.host, places[0].Subset)
}

// uneven compares the rules for all callers that divide one host between the
// same subsets.
func (w *weighing) uneven(all []*split) {
	first := map[string]*split{}
	for _, s := range all {
		key, ok := s.divided()
		if !ok {
			continue
		}
		other := first[key]
		if other == nil {
			first[key] = s
			continue
		}
		for _, t := range s.all {
			i := slices.IndexFunc(other.all, func(o *target) bool { return o.subset == t.subset })
			if math.Abs(other.all[i].share-t.share) > 0.005 {
				w.add(s, CodeUneven, Info, s.field+".route",
					fmt.Sprintf("rule %s gives %s %s of its requests, and rule %s of VirtualService %s gives it %s: which share a request belongs to depends on which of the rules takes it",
						s.name, t, percent(t.share), other.name, other.vs.Name(), percent(other.all[i].share)),
					"write the same weights into both, unless it is meant so")
				break
			}
		}
	}
}

// divided tells which host a rule divides into which subsets.
func (s *split) divided() (string, bool) {
	if s.specific || len(s.all) < 2 {
		return "", false
	}
	var names []string
	for _, t := range s.all {
		if t.host != s.all[0].host || slices.Contains(names, t.subset) {
			return "", false
		}
		names = append(names, t.subset)
	}
	slices.Sort(names)
	return s.all[0].host + " " + strings.Join(names, " "), true
}
