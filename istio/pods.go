package istio

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"istio.io/istio/pkg/kube/inject"

	"github.com/meshstorm/meshstorm/manifest"
)

// maxReplicas is how many pods of one workload get an address of their own;
// more would only make answers longer.
const maxReplicas = 3

// workload is what stands for pods: a template and how often it runs.
type workload struct {
	Kind, Name, Namespace string
	doc                   *manifest.Document // nil for what the profile brings
	labels, annotations   map[string]string  // of the pods
	spec                  corev1.PodSpec
	replicas              int
	account               string
	addresses             []string
	injected              bool // has a sidecar
	gateway               bool // is a gateway proxy itself
}

// templated is the part that all workload kinds have in common.
type templated struct {
	Spec struct {
		Replicas *int                   `json:"replicas"`
		Template corev1.PodTemplateSpec `json:"template"`
	} `json:"spec"`
}

// addWorkload reads a workload; pods of Jobs come and go, so they are not
// counted on as endpoints.
func (w *world) addWorkload(o *object) error {
	l := &workload{Kind: o.kind, Name: o.name, Namespace: o.namespace, doc: o.doc, replicas: 1}
	if o.kind == "Pod" {
		var pod corev1.Pod
		if err := o.into(&pod); err != nil {
			return err
		}
		l.labels, l.annotations, l.spec = pod.Labels, pod.Annotations, pod.Spec
	} else {
		var t templated
		if err := o.into(&t); err != nil {
			return err
		}
		l.labels, l.annotations, l.spec = t.Spec.Template.Labels, t.Spec.Template.Annotations, t.Spec.Template.Spec
		if r := t.Spec.Replicas; r != nil {
			l.replicas = *r
		}
	}
	l.account = l.spec.ServiceAccountName
	if l.account == "" {
		l.account = "default"
	}
	w.workloads = append(w.workloads, l)
	return nil
}

func (w *world) hasWorkload(kind, namespace, name string) bool {
	return slices.ContainsFunc(w.workloads, func(l *workload) bool {
		return l.Kind == kind && l.Namespace == namespace && l.Name == name
	})
}

// settleWorkloads gives pods their addresses and sidecars, in the order of
// their names, so that the order of files changes nothing.
func (w *world) settleWorkloads() {
	slices.SortStableFunc(w.workloads, func(a, b *workload) int {
		return strings.Compare(a.Namespace+"\x00"+a.Name+"\x00"+a.Kind, b.Namespace+"\x00"+b.Name+"\x00"+b.Kind)
	})
	ip := netip.AddrFrom4([4]byte{10, 244, 0, 1})
	w.byAddress = map[string]*workload{}
	w.byLabel = map[string][]*workload{}
	for _, l := range w.workloads {
		if l.annotations["inject.istio.io/templates"] == "gateway" {
			l.gateway = true
		}
		l.injected = !l.gateway && w.injects(l)
		if l.injected || l.gateway {
			l.labels = injectedLabels(l)
		}
		for range min(max(l.replicas, 0), maxReplicas) {
			ip = ip.Next()
			l.addresses = append(l.addresses, ip.String())
			w.byAddress[ip.String()] = l
		}
		for k, v := range l.labels {
			at := l.Namespace + "\x00" + k + "\x00" + v
			w.byLabel[at] = append(w.byLabel[at], l)
		}
	}
}

// injectedLabels are the labels of a pod after the injector has been there
// (manifests/charts/istio-control/istio-discovery/files/injection-template.yaml).
func injectedLabels(l *workload) map[string]string {
	labels := make(map[string]string, len(l.labels)+3)
	for k, v := range l.labels {
		labels[k] = v
	}
	set := func(k, v string) {
		if _, ok := labels[k]; !ok {
			labels[k] = v
		}
	}
	name := labels["app.kubernetes.io/name"]
	if name == "" {
		name = labels["app"]
	}
	if name == "" {
		name = l.Name
	}
	revision := labels["app.kubernetes.io/version"]
	if revision == "" {
		revision = labels["version"]
	}
	if revision == "" {
		revision = "latest"
	}
	set("service.istio.io/canonical-name", name)
	set("service.istio.io/canonical-revision", revision)
	set("security.istio.io/tlsMode", "istio")
	return labels
}

// injects decides as the injector would, for an installation without
// revisions. A namespace that the documents do not define counts as labelled
// for injection: the labels are then set elsewhere.
func (w *world) injects(l *workload) bool {
	if inject.IgnoredNamespaces.Contains(l.Namespace) || l.spec.HostNetwork || l.Namespace == w.opts.IstioNamespace {
		return false
	}
	choice := l.labels["sidecar.istio.io/inject"]
	if choice == "" {
		choice = l.annotations["sidecar.istio.io/inject"]
	}
	namespace, known := w.namespaces[l.Namespace]
	labels := map[string]string{}
	if known {
		labels = namespace.Labels
	}
	switch {
	case strings.EqualFold(choice, "false"):
		return false
	case labels["istio-injection"] == "disabled":
		return false
	case strings.EqualFold(choice, "true"):
		return true
	case labels["istio.io/dataplane-mode"] == "ambient":
		return false
	}
	return !known || labels["istio-injection"] == "enabled" || labels["istio.io/rev"] != ""
}

// pod is the workload as one of its pods, for Istio's conversions.
func (l *workload) pod() *corev1.Pod {
	p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: l.Name, Namespace: l.Namespace, Labels: l.labels,
		Annotations: l.annotations}, Spec: l.spec}
	p.Spec.ServiceAccountName = l.account
	return p
}

// selected are the workloads whose pods a Service selects, by name.
func (w *world) selected(namespace string, selector map[string]string) []*workload {
	if len(selector) == 0 {
		return nil
	}
	var fewest []*workload
	first := true
	for k, v := range selector {
		found := w.byLabel[namespace+"\x00"+k+"\x00"+v]
		if first || len(found) < len(fewest) {
			fewest, first = found, false
		}
	}
	var all []*workload
	for _, l := range fewest {
		if contains(l.labels, selector) {
			all = append(all, l)
		}
	}
	return all
}

func contains(labels, selector map[string]string) bool {
	for k, v := range selector {
		if got, ok := labels[k]; !ok || got != v {
			return false
		}
	}
	return true
}

// targetPort is the port of the workload's pods that a Service's port means; 0
// where no container has a port of that name.
func (l *workload) targetPort(p corev1.ServicePort) int32 {
	if p.TargetPort.Type == intstr.Int {
		if p.TargetPort.IntVal == 0 {
			return p.Port
		}
		return p.TargetPort.IntVal
	}
	for _, list := range [][]corev1.Container{l.spec.Containers, l.spec.InitContainers} {
		for _, c := range list {
			for _, cp := range c.Ports {
				if cp.Name == p.TargetPort.StrVal && (cp.Protocol == p.Protocol || cp.Protocol == "" || p.Protocol == "") {
					return cp.ContainerPort
				}
			}
		}
	}
	return 0
}

func (l *workload) String() string { return fmt.Sprintf("%s %s/%s", l.Kind, l.Namespace, l.Name) }
