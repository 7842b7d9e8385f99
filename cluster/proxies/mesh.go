package proxies

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/client-go/kubernetes"

	"github.com/meshstorm/meshstorm/cluster"
)

// istiods are the pods of all revisions.
var istiods = labels.Set{"app": "istiod"}

// systemNamespace is where Istio is, for people who may not list all pods.
const systemNamespace = "istio-system"

// Mesh is a connection to all istiod replicas. It is safe for concurrent use.
type Mesh struct {
	kube kubernetes.Interface
	dial dialer

	mu       sync.Mutex
	replicas map[string]*replica // by pod, POD.NAMESPACE
}

func open(ctx context.Context, kube kubernetes.Interface, dial dialer) (*Mesh, error) {
	m := &Mesh{kube: kube, dial: dial, replicas: map[string]*replica{}}
	if err := m.refresh(ctx); err != nil {
		return nil, err
	}
	all := m.all()
	if len(all) == 0 {
		return nil, fmt.Errorf("%w: a ready pod labelled app=istiod was expected; `meshstorm istio status` says what is there", ErrNoIstiod)
	}
	var connecting errgroup.Group
	failures := make([]error, len(all))
	for i, r := range all {
		connecting.Go(func() error {
			_, _, failures[i] = r.connect(ctx)
			return nil
		})
	}
	_ = connecting.Wait()
	failed := 0
	for i, err := range failures {
		if errors.Is(err, ErrForbidden) {
			m.Close()
			return nil, err
		}
		if err != nil {
			failed++
			failures[i] = fmt.Errorf("istiod %s: %w", all[i].name, err)
		}
	}
	// One that fails for a moment is tried again when it is asked something.
	if failed == len(all) {
		m.Close()
		return nil, errors.Join(failures...)
	}
	return m, nil
}

// Close ends the port-forwards.
func (m *Mesh) Close() {
	for _, r := range m.all() {
		r.close()
	}
}

func (m *Mesh) all() []*replica {
	m.mu.Lock()
	defer m.mu.Unlock()
	all := make([]*replica, 0, len(m.replicas))
	for _, r := range m.replicas {
		all = append(all, r)
	}
	return all
}

// refresh takes up the istiods that have become ready and forgets those that
// have ended. One that is merely no longer ready may be held or overloaded while
// its proxies still run on what it gave them: it is kept, and waited for.
func (m *Mesh) refresh(ctx context.Context) error {
	pods, err := listPods(ctx, m.kube, istiods)
	if err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	kept := make(map[string]*replica, len(pods))
	for i := range pods {
		p := &pods[i]
		name := p.Name + "." + p.Namespace
		known := m.replicas[name]
		switch {
		case known != nil && known.pod.UID == p.UID && started(known.pod) == started(p) && runs(p):
			kept[name] = known
		case runs(p) && ready(p):
			kept[name] = &replica{name: name, pod: p, dial: m.dial}
		}
	}
	for name, r := range m.replicas {
		if kept[name] != r {
			r.close()
		}
	}
	m.replicas = kept
	return nil
}

// answer is what an istiod said of its proxies.
type answer struct {
	statuses []status
	err      error
}

// ask reads /debug/syncz of every istiod.
func (m *Mesh) ask(ctx context.Context) map[*replica]answer {
	all := m.all()
	answers := make([]answer, len(all))
	var asking errgroup.Group
	for i, r := range all {
		asking.Go(func() error {
			answers[i].statuses, answers[i].err = r.statuses(ctx)
			return nil
		})
	}
	_ = asking.Wait()
	by := make(map[*replica]answer, len(all))
	for i, r := range all {
		by[r] = answers[i]
	}
	return by
}

// listPods lists the pods with these labels in all namespaces, or in Istio's and
// the others named where no more is allowed. The error wraps ErrForbidden.
func listPods(ctx context.Context, kube kubernetes.Interface, with labels.Set, namespaces ...string) ([]corev1.Pod, error) {
	options := metav1.ListOptions{LabelSelector: with.AsSelector().String()}
	list, err := kube.CoreV1().Pods(metav1.NamespaceAll).List(ctx, options)
	if err == nil {
		return list.Items, nil
	}
	if !apierrors.IsForbidden(err) {
		return nil, fmt.Errorf("list the pods with %s: %w", options.LabelSelector, cluster.Explain(err))
	}
	var all []corev1.Pod
	asked := map[string]bool{"": true}
	for _, namespace := range append(namespaces, systemNamespace) {
		if asked[namespace] {
			continue
		}
		asked[namespace] = true
		list, err := kube.CoreV1().Pods(namespace).List(ctx, options)
		if err != nil {
			if apierrors.IsForbidden(err) {
				return nil, fmt.Errorf("%w: %w; ask for `list` on pods and `create` on pods/portforward in namespace %s", ErrForbidden, err, namespace)
			}
			return nil, fmt.Errorf("list the pods with %s: %w", options.LabelSelector, cluster.Explain(err))
		}
		all = append(all, list.Items...)
	}
	return all, nil
}

// runs reports whether a pod's processes are there.
func runs(p *corev1.Pod) bool {
	if p.DeletionTimestamp != nil || p.Status.Phase != corev1.PodRunning {
		return false
	}
	for i := range p.Status.ContainerStatuses {
		if p.Status.ContainerStatuses[i].State.Running == nil {
			return false
		}
	}
	return true
}

// started tells one start of a pod's containers from the next.
func started(p *corev1.Pod) string {
	var all string
	for i := range p.Status.ContainerStatuses {
		if at := p.Status.ContainerStatuses[i].State.Running; at != nil {
			all += at.StartedAt.String() + " "
		}
	}
	return all
}

func ready(p *corev1.Pod) bool {
	for _, c := range p.Status.Conditions {
		if c.Type == corev1.PodReady {
			return c.Status == corev1.ConditionTrue
		}
	}
	return false
}

// filtersGateways reports whether an istiod gives gateways the clusters of those
// hosts alone that their routes name already.
func filtersGateways(p *corev1.Pod) bool {
	for i := range p.Spec.Containers {
		for _, v := range p.Spec.Containers[i].Env {
			if v.Name == "PILOT_FILTER_GATEWAY_CLUSTER_CONFIG" && v.Value == "true" {
				return true
			}
		}
	}
	return false
}
