package analyze

import (
	"strings"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"

	"istio.io/istio/pkg/config/analysis/analyzers/injection"
	"istio.io/istio/pkg/config/analysis/analyzers/util"
	"istio.io/istio/pkg/config/resource"
	"istio.io/istio/pkg/config/schema/collections"
	"istio.io/istio/pkg/config/schema/gvk"
	"istio.io/istio/pkg/kube/inject"

	"github.com/meshstorm/meshstorm/check"
)

// addPods adds a pod for every workload of the files, as its controller and
// Istio's injector would make it, and injects the files' own pods.
func (w *world) addPods(all []*check.Resource) {
	for _, pod := range w.objects[gvk.Pod] {
		o := pod.Origin.(*origin)
		// A pod with a status was read from a cluster: what it lacks, it lacks.
		if o.source != nil && o.object["status"] == nil {
			w.inject(pod)
		}
	}
	for _, r := range all {
		template, path := podTemplate(r)
		if template == nil || r.Name() == "" {
			continue
		}
		name := resource.NewFullName(resource.Namespace(r.Namespace()),
			resource.LocalName(r.Name()+"-pod-of-"+strings.ToLower(r.Kind())))
		pod := &corev1.PodSpec{}
		spec, _ := template["spec"].(map[string]any)
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(spec, pod); err != nil {
			continue // strict decoding says so
		}
		i := newInstance(collections.Pod, name, pod, &origin{source: r, object: template, prefix: path + "."})
		i.Metadata.Labels = texts(template, "metadata", "labels")
		i.Metadata.Annotations = texts(template, "metadata", "annotations")
		w.inject(i)
		w.add(i)
	}
	w.addGatewayAPIPods()
}

// podTemplate is the template that the object's controller makes pods from,
// and its path; nil for what makes none, also where it is scaled to none.
func podTemplate(r *check.Resource) (template map[string]any, path string) {
	switch r.Kind() {
	case "Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "ReplicationController", "Rollout", "Job":
		path = "spec.template"
	case "CronJob":
		path = "spec.jobTemplate.spec.template"
	default:
		return nil, ""
	}
	if replicas, ok := dig(r.Object, "spec", "replicas").(int64); ok && replicas == 0 {
		return nil, ""
	}
	template, _ = dig(r.Object, strings.Split(path, ".")...).(map[string]any)
	return template, path
}

// inject gives the pod what Istio's injector or CNI would give it.
func (w *world) inject(pod *resource.Instance) {
	ns := pod.Metadata.FullName.Namespace.String()
	nsLabels := map[string]string{}
	if n := w.index[key{gvk.Namespace, resource.NewFullName("", resource.LocalName(ns))}]; n != nil {
		nsLabels = n.Metadata.Labels
	}
	spec := pod.Message.(*corev1.PodSpec)
	m := &pod.Metadata
	if m.Annotations == nil {
		m.Annotations = map[string]string{}
	}
	if nsLabels["istio.io/dataplane-mode"] == "ambient" && nsLabels["istio-injection"] != "enabled" {
		m.Annotations["ambient.istio.io/redirection"] = "enabled"
		return
	}
	if !w.injected(ns, nsLabels, m, spec) {
		return
	}
	image := w.proxyImage(nsLabels["istio.io/rev"])
	m.Annotations["sidecar.istio.io/status"] = "{}"
	for i, c := range spec.Containers {
		if c.Name == util.IstioProxyName {
			if c.Image == "auto" {
				spec.Containers[i].Image = image
			}
			return
		}
	}
	for _, c := range spec.InitContainers {
		if c.Name == util.IstioProxyName {
			return
		}
	}
	spec.Containers = append(spec.Containers, corev1.Container{Name: util.IstioProxyName, Image: image})
}

// injected decides as the API server and the injector do: one of the injector's
// webhooks has to select the pod, and the pod must not opt out.
func (w *world) injected(ns string, nsLabels map[string]string, m *resource.Metadata, spec *corev1.PodSpec) bool {
	if inject.IgnoredNamespaces.Contains(ns) || spec.HostNetwork {
		return false
	}
	choice := m.Labels["sidecar.istio.io/inject"]
	if choice == "" {
		choice = m.Annotations["sidecar.istio.io/inject"]
	}
	if strings.EqualFold(choice, "false") {
		return false
	}
	for _, r := range w.objects[gvk.MutatingWebhookConfiguration] {
		for _, hook := range r.Message.(*admissionv1.MutatingWebhookConfiguration).Webhooks {
			if strings.HasSuffix(hook.Name, "istio.io") &&
				selects(hook.NamespaceSelector, nsLabels) && selects(hook.ObjectSelector, m.Labels) {
				return true
			}
		}
	}
	return false
}

func selects(s *metav1.LabelSelector, set map[string]string) bool {
	if s == nil {
		return true
	}
	selector, err := metav1.LabelSelectorAsSelector(s)
	return err == nil && selector.Matches(labels.Set(set))
}

// proxyImage is the image that the injector would use. It matters only where
// the files have the injector's ConfigMap, which an analyzer compares it with.
func (w *world) proxyImage(revision string) string {
	if revision == "" {
		revision = "default"
	}
	name := util.GetInjectorConfigMapName(revision)
	for _, r := range w.objects[gvk.ConfigMap] {
		if r.Metadata.FullName.Name.String() == name {
			return injection.GetIstioProxyImage(r.Message.(*corev1.ConfigMap))
		}
	}
	return "proxyv2"
}

// addGatewayAPIPods adds the pods that istiod starts for Gateways of the
// Gateway API.
func (w *world) addGatewayAPIPods() {
	for _, gw := range w.objects[gvk.KubernetesGateway] {
		o := gw.Origin.(*origin)
		class, _ := dig(o.object, "spec", "gatewayClassName").(string)
		if !strings.HasPrefix(class, "istio") {
			continue
		}
		pod := madeUp(gvk.Pod, o.name.Namespace.String(), o.name.Name.String()+"-"+class)
		pod.Metadata.Labels["gateway.networking.k8s.io/gateway-name"] = o.name.Name.String()
		pod.Message.(*corev1.PodSpec).Containers = []corev1.Container{{Name: util.IstioProxyName, Image: "proxyv2"}}
		w.add(pod)
	}
}
