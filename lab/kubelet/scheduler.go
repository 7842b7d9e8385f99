package kubelet

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
	schedulinghelpers "k8s.io/component-helpers/scheduling/corev1"
	"k8s.io/component-helpers/scheduling/corev1/nodeaffinity"
	"k8s.io/klog/v2"
)

// schedulerRetry is when pods that did not fit are looked at again without a
// change that was seen.
const schedulerRetry = 30 * time.Second

// bindPods is the scheduler: it binds pods that wait for one to the node, in the
// order of their age. CPU and memory are not counted, for processes have no
// limits here.
func (k *Kubelet) bindPods(ctx context.Context) {
	tick := time.NewTicker(schedulerRetry)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-k.pending:
		case <-tick.C:
		}
		all, err := k.podLister.List(labels.Everything())
		if err != nil {
			continue
		}
		waiting := slices.DeleteFunc(slices.Clone(all), func(p *corev1.Pod) bool { return !toBind(p) })
		slices.SortFunc(waiting, func(a, b *corev1.Pod) int {
			return cmp.Or(a.CreationTimestamp.Compare(b.CreationTimestamp.Time), strings.Compare(a.Name, b.Name))
		})
		for _, p := range waiting {
			if err := k.bind(ctx, p, all); err != nil && ctx.Err() == nil && !apierrors.IsConflict(err) && !apierrors.IsNotFound(err) {
				k.log.Warn("pod not bound", "pod", p.Namespace+"/"+p.Name, "err", err)
				time.AfterFunc(time.Second, func() { notify(k.pending) })
			}
		}
	}
}

func toBind(p *corev1.Pod) bool {
	ours := p.Spec.SchedulerName == "" || p.Spec.SchedulerName == corev1.DefaultSchedulerName
	ended := p.Status.Phase == corev1.PodSucceeded || p.Status.Phase == corev1.PodFailed
	return p.Spec.NodeName == "" && p.DeletionTimestamp == nil && ours && !ended && len(p.Spec.SchedulingGates) == 0
}

func (k *Kubelet) bind(ctx context.Context, p *corev1.Pod, all []*corev1.Pod) error {
	node, err := k.nodeLister.Get(k.o.NodeName)
	if err != nil {
		return err
	}
	if why := unfit(p, node, all, k.namespaceLabels(ctx)); why != "" {
		return k.unschedulable(ctx, p, "0/1 nodes are available: 1 "+why+
			". no new claims to deallocate, preemption: 0/1 nodes are available: 1 Preemption is not helpful for scheduling.")
	}
	err = k.o.Client.CoreV1().Pods(p.Namespace).Bind(ctx, &corev1.Binding{
		ObjectMeta: metav1.ObjectMeta{Namespace: p.Namespace, Name: p.Name, UID: p.UID},
		Target:     corev1.ObjectReference{Kind: "Node", Name: k.o.NodeName},
	}, metav1.CreateOptions{})
	if err == nil {
		k.scheduler.Event(reference(p, ""), corev1.EventTypeNormal, "Scheduled",
			fmt.Sprintf("Successfully assigned %s/%s to %s", p.Namespace, p.Name, k.o.NodeName))
	}
	return err
}

func (k *Kubelet) namespaceLabels(ctx context.Context) func(string) labels.Set {
	return func(name string) labels.Set {
		ns, err := k.o.Client.CoreV1().Namespaces().Get(ctx, name, metav1.GetOptions{})
		if err != nil {
			return nil
		}
		return ns.Labels
	}
}

// unfit says why a pod can't run on the node, in the scheduler's words; empty
// when it can.
func unfit(p *corev1.Pod, node *corev1.Node, all []*corev1.Pod, namespace func(string) labels.Set) string {
	if node.Spec.Unschedulable && !tolerates(p, corev1.Taint{Key: corev1.TaintNodeUnschedulable, Effect: corev1.TaintEffectNoSchedule}) {
		return "node(s) were unschedulable"
	}
	if t, bad := schedulinghelpers.FindMatchingUntoleratedTaint(klog.Background(), node.Spec.Taints, p.Spec.Tolerations, func(t *corev1.Taint) bool {
		return t.Effect == corev1.TaintEffectNoSchedule || t.Effect == corev1.TaintEffectNoExecute
	}, false); bad {
		return fmt.Sprintf("node(s) had untolerated taint(s) {%s: %s}", t.Key, t.Value)
	}
	if ok, err := nodeaffinity.GetRequiredNodeAffinity(p).Match(node); err != nil || !ok {
		return "node(s) didn't match Pod's node affinity/selector"
	}
	here := slices.DeleteFunc(slices.Clone(all), func(o *corev1.Pod) bool {
		return o.Spec.NodeName != node.Name || o.Status.Phase == corev1.PodSucceeded || o.Status.Phase == corev1.PodFailed
	})
	if len(here) >= maxPods {
		return "Too many pods"
	}
	if portTaken(p, here) {
		return "node(s) didn't have free ports for the requested pod ports"
	}
	return unfitNeighbours(p, node, here, namespace)
}

func tolerates(p *corev1.Pod, t corev1.Taint) bool {
	return slices.ContainsFunc(p.Spec.Tolerations, func(o corev1.Toleration) bool { return o.ToleratesTaint(klog.Background(), &t, false) })
}

func portTaken(p *corev1.Pod, here []*corev1.Pod) bool {
	used := map[string]bool{}
	for _, o := range here {
		for _, key := range hostPorts(o) {
			used[key] = true
		}
	}
	return slices.ContainsFunc(hostPorts(p), func(key string) bool { return used[key] })
}

func hostPorts(p *corev1.Pod) []string {
	var keys []string
	for _, c := range p.Spec.Containers {
		for _, port := range c.Ports {
			if n := port.HostPort; n != 0 {
				keys = append(keys, fmt.Sprintf("%s/%d", cmp.Or(port.Protocol, corev1.ProtocolTCP), n))
			}
		}
	}
	return keys
}

// unfitNeighbours evaluates required pod affinity and anti-affinity; with one
// node every topology that the node has a label for is the node.
func unfitNeighbours(p *corev1.Pod, node *corev1.Node, here []*corev1.Pod, namespace func(string) labels.Set) string {
	a := p.Spec.Affinity
	if a == nil {
		return ""
	}
	if a.PodAffinity != nil {
		for _, term := range a.PodAffinity.RequiredDuringSchedulingIgnoredDuringExecution {
			_, has := node.Labels[term.TopologyKey]
			self := matches(p, p, &term, namespace) // the first of a group that wants each other
			if !has || !self && !slices.ContainsFunc(here, func(o *corev1.Pod) bool { return matches(p, o, &term, namespace) }) {
				return "node(s) didn't match pod affinity rules"
			}
		}
	}
	if a.PodAntiAffinity != nil {
		for _, term := range a.PodAntiAffinity.RequiredDuringSchedulingIgnoredDuringExecution {
			_, has := node.Labels[term.TopologyKey]
			if has && slices.ContainsFunc(here, func(o *corev1.Pod) bool { return matches(p, o, &term, namespace) }) {
				return "node(s) didn't match pod anti-affinity rules"
			}
		}
	}
	return ""
}

func matches(p, other *corev1.Pod, term *corev1.PodAffinityTerm, namespace func(string) labels.Set) bool {
	selector, err := metav1.LabelSelectorAsSelector(term.LabelSelector)
	if err != nil || !selector.Matches(labels.Set(other.Labels)) {
		return false
	}
	if slices.Contains(term.Namespaces, other.Namespace) {
		return true
	}
	if term.NamespaceSelector != nil {
		ns, err := metav1.LabelSelectorAsSelector(term.NamespaceSelector)
		return err == nil && ns.Matches(namespace(other.Namespace))
	}
	return len(term.Namespaces) == 0 && p.Namespace == other.Namespace
}

// unschedulable says so in the pod's condition and in an event, once.
func (k *Kubelet) unschedulable(ctx context.Context, p *corev1.Pod, message string) error {
	s := *p.Status.DeepCopy()
	setCondition(&s, corev1.PodCondition{
		Type: corev1.PodScheduled, Status: corev1.ConditionFalse, Reason: corev1.PodReasonUnschedulable,
		Message: message, ObservedGeneration: p.Generation,
	}, k.o.Now())
	for i, c := range p.Status.Conditions {
		if c.Type == corev1.PodScheduled && c == s.Conditions[i] {
			return nil
		}
	}
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{"uid": p.UID}, "status": map[string]any{"conditions": s.Conditions}})
	if err != nil {
		return err
	}
	k.scheduler.Event(reference(p, ""), corev1.EventTypeWarning, "FailedScheduling", message)
	_, err = k.o.Client.CoreV1().Pods(p.Namespace).Patch(ctx, p.Name, types.StrategicMergePatchType, patch, metav1.PatchOptions{}, "status")
	return err
}
