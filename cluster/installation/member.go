package installation

import (
	"cmp"
	"context"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/meshstorm/meshstorm/cluster"
)

// members reads the pods of a namespace, "" for all, and gives each that still
// lives to visit.
func members(ctx context.Context, c *cluster.Client, namespace, labels string, visit func(*corev1.Pod)) error {
	return cluster.Explain(pages(func(o metav1.ListOptions) (metav1.ListInterface, error) {
		o.LabelSelector = labels
		list, err := c.Kube.CoreV1().Pods(namespace).List(ctx, o)
		if err != nil {
			return nil, err
		}
		for i := range list.Items {
			p := &list.Items[i]
			if p.DeletionTimestamp == nil && p.Status.Phase != corev1.PodSucceeded && p.Status.Phase != corev1.PodFailed {
				visit(p)
			}
		}
		return list, nil
	}))
}

// sidecar is the injected proxy of a pod, nil without one. Native sidecars are
// init containers.
func sidecar(p *corev1.Pod) *corev1.Container {
	if p.Annotations["sidecar.istio.io/status"] == "" {
		return nil
	}
	return container(&p.Spec, "istio-proxy")
}

// sidecarRevision is the revision that a pod's sidecar came from.
func sidecarRevision(p *corev1.Pod) string { return revisionName(p.Labels[revisionLabel]) }

// stale finds the workloads whose pods are not as a namespace's labels say.
func stale(ctx context.Context, c *cluster.Client, r *Report, namespace string, labels map[string]string) ([]Workload, error) {
	var all tally
	err := members(ctx, c, namespace, "", func(p *corev1.Pod) {
		asks := pod{p.Labels, p.Annotations, p.Spec.HostNetwork}
		if asks.optsOut() {
			return
		}
		// What injection added to the labels must not answer for what it would do.
		mine := map[string]string{}
		for _, key := range []string{podLabel, modeLabel} {
			if v, ok := p.Labels[key]; ok {
				mine[key] = v
			}
		}
		proxy, wanted := sidecar(p), r.Injects(labels, mine)
		switch {
		case proxy == nil && wanted != nil, proxy != nil && wanted == nil,
			proxy != nil && wanted != nil && sidecarRevision(p) != wanted.Revision:
			all.add(p)
		}
	})
	return all.sorted(), err
}

// tally counts pods by what makes them.
type tally map[Workload]int

func (t *tally) add(p *corev1.Pod) {
	if *t == nil {
		*t = tally{}
	}
	(*t)[maker(p)]++
}

func (t tally) sorted() []Workload {
	all := make([]Workload, 0, len(t))
	for w, n := range t {
		w.Pods = n
		all = append(all, w)
	}
	slices.SortFunc(all, func(a, b Workload) int {
		return cmp.Or(strings.Compare(a.Namespace, b.Namespace), strings.Compare(a.Kind, b.Kind), strings.Compare(a.Name, b.Name))
	})
	return all
}

// maker is what makes a pod. A Deployment's ReplicaSet is named after it and the
// hash that its pods carry.
func maker(p *corev1.Pod) Workload {
	w := Workload{Kind: "Pod", Namespace: p.Namespace, Name: p.Name}
	owner := metav1.GetControllerOf(p)
	if owner == nil {
		return w
	}
	w.Kind, w.Name = owner.Kind, owner.Name
	if hash := p.Labels["pod-template-hash"]; owner.Kind == "ReplicaSet" && hash != "" {
		if name, ok := strings.CutSuffix(owner.Name, "-"+hash); ok {
			w.Kind, w.Name = "Deployment", name
		}
	}
	return w
}
