package check

import (
	"slices"
	"strings"

	networking "istio.io/api/networking/v1alpha3"
	"k8s.io/apimachinery/pkg/labels"
)

// podIndex finds the workloads whose pods a selector takes.
type podIndex struct {
	mesh    *Mesh
	byLabel map[podLabel][]int // indexes of workloads, ascending
}

type podLabel struct{ namespace, key, value string }

func newPodIndex(m *Mesh) *podIndex {
	x := &podIndex{mesh: m, byLabel: map[podLabel][]int{}}
	for i, w := range m.Workloads {
		for k, v := range w.Template.Labels {
			l := podLabel{w.Namespace(), k, v}
			x.byLabel[l] = append(x.byLabel[l], i)
		}
	}
	return x
}

// find gives the indexes of the workloads in source order; nothing for an
// empty selector.
func (x *podIndex) find(namespace string, selector map[string]string) []int {
	var shortest []int
	first := true
	for k, v := range selector {
		list := x.byLabel[podLabel{namespace, k, v}]
		if first || len(list) < len(shortest) {
			shortest, first = list, false
		}
	}
	s := labels.SelectorFromSet(selector)
	var found []int
	for _, i := range shortest {
		if s.Matches(labels.Set(x.mesh.Workloads[i].Template.Labels)) {
			found = append(found, i)
		}
	}
	return found
}

// pods are the workloads behind a subset of a host, or behind the whole host
// for nil. known is false where the files do not tell: they have no Service
// with a selector for it, or no workload of that Service.
func (x *podIndex) pods(host string, sub *networking.Subset) (pods []int, known bool) {
	s := x.mesh.Service(host)
	if s == nil || len(s.Spec.Selector) == 0 {
		return nil, false
	}
	if of := x.find(s.Namespace(), s.Spec.Selector); len(of) == 0 || sub == nil {
		return of, len(of) > 0
	}
	wanted := map[string]string{}
	for k, v := range sub.GetLabels() {
		wanted[k] = v
	}
	for k, v := range s.Spec.Selector {
		if w, ok := wanted[k]; ok && w != v {
			return nil, true // a pod cannot have both
		}
		wanted[k] = v
	}
	return x.find(s.Namespace(), wanted), !fromNode(sub.GetLabels())
}

// fromNode tells whether a label is one that istiod takes from a pod's node
// (AugmentLabels in pilot/pkg/serviceregistry/util/label), which no file shows.
func fromNode(set map[string]string) bool {
	for k := range set {
		if strings.HasPrefix(k, "topology.") || k == "kubernetes.io/hostname" || strings.HasPrefix(k, "failure-domain.") {
			return true
		}
	}
	return false
}

// rolled tells whether Argo Rollouts moves one of the workloads: it puts a
// label of its own into subsets or selectors at run time, so what the files
// say does not hold.
func (x *podIndex) rolled(pods []int) bool {
	return slices.ContainsFunc(pods, func(i int) bool { return x.mesh.Workloads[i].Kind() == "Rollout" })
}

// names lists workloads for a message.
func (x *podIndex) names(pods []int) string {
	var all []string
	for _, i := range pods[:min(len(pods), 3)] {
		w := x.mesh.Workloads[i]
		all = append(all, w.Kind()+" "+w.Name())
	}
	if len(pods) > 3 {
		all = append(all, "others")
	}
	return listed(all)
}

// listed joins words as a sentence does.
func listed(words []string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	return strings.Join(words[:len(words)-1], ", ") + " and " + words[len(words)-1]
}
