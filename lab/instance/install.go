package instance

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"sort"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/meshstorm/meshstorm/lab/apply"
	"github.com/meshstorm/meshstorm/lab/mesh"
)

// The field managers: Istio's and Kafka's objects are the lab's, the files'
// objects belong to the manager that `meshstorm apply` uses too.
const (
	labManager  = "meshstorm-lab"
	fileManager = "meshstorm"
)

// install brings Istio, Kafka and the files into the cluster, and waits until
// what they start is ready.
func (l *Lab) install(ctx, restCtx context.Context, guard guardFunc) error {
	client, err := apply.New(l.plane.Config, labManager)
	if err != nil {
		return err
	}
	client.Force = true
	objects, err := mesh.Install()
	if err != nil {
		return err
	}
	if err := l.installOnce(ctx, client, append(objects, l.extras()...)); err != nil {
		return fmt.Errorf("install Istio: %w", err)
	}
	if err := l.installKafka(ctx, client); err != nil {
		return fmt.Errorf("install Kafka: %w", err)
	}
	guard(l.rest, "Kafka services", func() error { return l.models.KeepKafka(restCtx, kafkaNamespace) })
	if err := l.waitIstio(ctx); err != nil {
		return err
	}
	if err := l.Apply(ctx, l.o.Files, l.o.Namespace, l.o.Force); err != nil {
		return err
	}
	if err := l.waitReady(ctx, kafkaNamespace, "my-kafka"); err != nil {
		return err
	}
	l.mu.Lock()
	l.ready = true
	l.mu.Unlock()
	return l.remember()
}

// installed is the ConfigMap in kube-system that says what was installed.
const installed = "meshstorm-lab"

// installOnce applies the objects unless just these were applied before: what
// somebody changed in Istio's installation then stays, and a second start does
// not wait for istiod's webhooks.
func (l *Lab) installOnce(ctx context.Context, client *apply.Client, objects []*unstructured.Unstructured) error {
	hash := sha256.New()
	if err := json.NewEncoder(hash).Encode(objects); err != nil {
		return err
	}
	sum := hex.EncodeToString(hash.Sum(nil))
	mark, err := l.client.CoreV1().ConfigMaps(metav1.NamespaceSystem).Get(ctx, installed, metav1.GetOptions{})
	if err == nil && mark.Data["sha256"] == sum {
		l.progress("Istio's demo profile is installed")
		return nil
	}
	if err != nil && !apierrors.IsNotFound(err) {
		return err
	}
	l.progress("installing Istio's demo profile")
	if err := client.Apply(ctx, objects, "default"); err != nil {
		return err
	}
	done := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "v1", "kind": "ConfigMap", "metadata": map[string]any{"name": installed, "namespace": metav1.NamespaceSystem},
		"data": map[string]any{"sha256": sum, "istio": mesh.Version},
	}}
	return client.Apply(ctx, []*unstructured.Unstructured{done}, metav1.NamespaceSystem)
}

// waitIstio waits for what Istio's demo profile runs, as far as it is still there:
// people install other profiles, or none.
func (l *Lab) waitIstio(ctx context.Context) error {
	var there, gone []string
	for _, name := range []string{"istiod", "istio-ingressgateway", "istio-egressgateway"} {
		_, err := l.client.AppsV1().Deployments(mesh.Namespace).Get(ctx, name, metav1.GetOptions{})
		switch {
		case apierrors.IsNotFound(err):
			gone = append(gone, name)
		case err != nil:
			return err
		default:
			there = append(there, name)
		}
	}
	if len(gone) > 0 {
		l.progress("removed from the cluster, and not installed again: %s; `meshstorm istio install` does that, or `meshstorm lab up --fresh` a new cluster", strings.Join(gone, ", "))
	}
	if len(there) == 0 {
		return nil
	}
	return l.waitReady(ctx, mesh.Namespace, there...)
}

// Apply sends the files by server-side apply and waits for their workloads.
// force takes over fields that others own; without it they are a conflict.
func (l *Lab) Apply(ctx context.Context, files []string, namespace string, force bool) error {
	if len(files) == 0 {
		return nil
	}
	if namespace == "" {
		namespace = "default"
	}
	objects, err := apply.Read(files...)
	if err != nil {
		return err
	}
	client, err := apply.New(l.plane.Config, fileManager)
	if err != nil {
		return err
	}
	client.Force = force
	l.progress("applying %d objects of %s", len(objects), strings.Join(files, ", "))
	if err := client.Apply(ctx, objects, namespace); err != nil {
		return err
	}
	return l.waitFor(ctx, objects, namespace)
}

func (l *Lab) waitFor(ctx context.Context, objects []*unstructured.Unstructured, namespace string) error {
	wanted := map[string][]string{}
	for _, o := range objects {
		if o.GetKind() != "Deployment" && o.GetKind() != "StatefulSet" {
			continue
		}
		ns := o.GetNamespace()
		if ns == "" {
			ns = namespace
		}
		wanted[ns] = append(wanted[ns], o.GetName())
	}
	for ns, names := range wanted {
		if err := l.waitReady(ctx, ns, names...); err != nil {
			return err
		}
	}
	return nil
}

// extras are the objects that make the lab a place for meshstorm's workspaces:
// the namespace default is injected, as the lab page of MSA-Ez has it, and
// metrics.k8s.io is served.
func (l *Lab) extras() []*unstructured.Unstructured {
	text := `
apiVersion: v1
kind: Namespace
metadata: {name: default, labels: {istio-injection: enabled}}
---
apiVersion: v1
kind: Service
metadata: {name: meshstorm-metrics, namespace: kube-system}
spec: {ports: [{name: https, port: 443, targetPort: 4443}]}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: meshstorm-metrics, namespace: kube-system, labels: {kubernetes.io/service-name: meshstorm-metrics}}
addressType: IPv4
ports: [{name: https, port: 4443, protocol: TCP}]
endpoints: [{addresses: [10.244.0.1], conditions: {ready: true}}]
---
apiVersion: apiregistration.k8s.io/v1
kind: APIService
metadata: {name: v1beta1.metrics.k8s.io}
spec:
  group: metrics.k8s.io
  version: v1beta1
  groupPriorityMinimum: 100
  versionPriority: 100
  service: {name: meshstorm-metrics, namespace: kube-system, port: 443}
  caBundle: ` + l.caBundle() + "\n"
	return mustParse(text)
}

// waitReady waits for Deployments and StatefulSets, by pods that became ready
// since this lab started, and says every ten seconds what is missing.
func (l *Lab) waitReady(ctx context.Context, namespace string, names ...string) error {
	l.progress("waiting for %s in namespace %s", strings.Join(names, ", "), namespace)
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	said := time.Now()
	for {
		missing, err := l.notReady(ctx, namespace, names)
		if err != nil {
			return err
		}
		if len(missing) == 0 {
			return nil
		}
		if time.Since(said) > 10*time.Second {
			said = time.Now()
			l.progress("still waiting: %s", strings.Join(missing, "; "))
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-tick.C:
		}
	}
}

func (l *Lab) notReady(ctx context.Context, namespace string, names []string) ([]string, error) {
	pods, err := l.client.CoreV1().Pods(namespace).List(ctx, metav1.ListOptions{ResourceVersion: "0"})
	if err != nil {
		return nil, err
	}
	var missing []string
	for _, name := range names {
		selector, want, err := l.selector(ctx, namespace, name)
		if err != nil {
			return nil, err
		}
		ready, why := 0, "no pod yet"
		for i := range pods.Items {
			p := &pods.Items[i]
			if !selector(p) || p.DeletionTimestamp != nil {
				continue
			}
			if l.podReady(p) {
				ready++
				continue
			}
			why = podTrouble(p)
		}
		if ready < want {
			missing = append(missing, fmt.Sprintf("%s has %d of %d pods ready (%s)", name, ready, want, why))
		}
	}
	sort.Strings(missing)
	return missing, nil
}

// selector finds the pods of a workload and how many it wants.
func (l *Lab) selector(ctx context.Context, namespace, name string) (func(*corev1.Pod) bool, int, error) {
	var spec *metav1.LabelSelector
	var replicas *int32
	d, err := l.client.AppsV1().Deployments(namespace).Get(ctx, name, metav1.GetOptions{})
	if err == nil {
		spec, replicas = d.Spec.Selector, d.Spec.Replicas
	} else {
		var s *appsv1.StatefulSet
		if s, err = l.client.AppsV1().StatefulSets(namespace).Get(ctx, name, metav1.GetOptions{}); err != nil {
			return nil, 0, err
		}
		spec, replicas = s.Spec.Selector, s.Spec.Replicas
	}
	selector, err := metav1.LabelSelectorAsSelector(spec)
	if err != nil {
		return nil, 0, err
	}
	want := 1
	if replicas != nil {
		want = int(*replicas)
	}
	return func(p *corev1.Pod) bool { return selector.Matches(labelSet(p.Labels)) }, want, nil
}

type labelSet map[string]string

func (s labelSet) Has(k string) bool              { _, ok := s[k]; return ok }
func (s labelSet) Get(k string) string            { return s[k] }
func (s labelSet) Lookup(k string) (string, bool) { v, ok := s[k]; return v, ok }

// podReady tells whether a pod is ready by what this lab's kubelet saw: after a
// restart the API still has what was before.
func (l *Lab) podReady(p *corev1.Pod) bool {
	ready := slices.ContainsFunc(p.Status.Conditions, func(c corev1.PodCondition) bool {
		return c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue
	})
	for _, c := range p.Status.ContainerStatuses {
		if c.State.Running == nil || c.State.Running.StartedAt.Time.Before(l.began.Truncate(time.Second)) {
			return false
		}
	}
	return ready
}

func podTrouble(p *corev1.Pod) string {
	for _, c := range append(slices.Clone(p.Status.InitContainerStatuses), p.Status.ContainerStatuses...) {
		if w := c.State.Waiting; w != nil && w.Message != "" {
			return fmt.Sprintf("pod %s, container %s: %s: %s", p.Name, c.Name, w.Reason, w.Message)
		}
	}
	return fmt.Sprintf("pod %s is %s", p.Name, strings.ToLower(string(p.Status.Phase)))
}
