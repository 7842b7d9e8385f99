package analyze

import (
	"slices"
	"strings"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	meshv1 "istio.io/api/mesh/v1alpha1"
	"istio.io/istio/pkg/config/analysis/analyzers/util"
	"istio.io/istio/pkg/config/mesh"
	"istio.io/istio/pkg/config/resource"
	"istio.io/istio/pkg/config/schema/gvk"
)

// profile is what an installation profile of Istio brings along, as far as
// analyzers ask for it. A test compares it with Istio's own profiles.
type profile struct {
	ingress, egress bool
	ports           []corev1.ServicePort // of the ingress gateway's Service
	mesh            string               // mesh config beyond the chart's default
}

var (
	plainPorts = []corev1.ServicePort{
		port("status-port", 15021, 15021), port("http2", 80, 8080), port("https", 443, 8443),
	}
	demoPorts = []corev1.ServicePort{
		port("status-port", 15021, 15021), port("http2", 80, 8080), port("https", 443, 8443),
		port("tcp", 31400, 31400), port("tls", 15443, 15443),
	}
	egressPorts = []corev1.ServicePort{port("http2", 80, 8080), port("https", 443, 8443)}

	profiles = map[string]profile{
		"ambient":           {},
		"default":           {ingress: true, ports: plainPorts},
		"demo":              {ingress: true, egress: true, ports: demoPorts, mesh: demoMesh},
		"empty":             {},
		"minimal":           {},
		"openshift":         {ingress: true, ports: plainPorts},
		"openshift-ambient": {},
		"preview":           {ingress: true, ports: plainPorts},
		"remote":            {},
		"stable":            {ingress: true, ports: plainPorts},
	}
)

const demoMesh = `
accessLogFile: /dev/stdout
extensionProviders:
- name: otel
  envoyOtelAls: {service: opentelemetry-collector.observability.svc.cluster.local, port: 4317}
- name: skywalking
  skywalking: {service: tracing.istio-system.svc.cluster.local, port: 11800}
- name: otel-tracing
  opentelemetry: {service: opentelemetry-collector.observability.svc.cluster.local, port: 4317}
- name: jaeger
  opentelemetry: {service: jaeger-collector.istio-system.svc.cluster.local, port: 4317}
`

// chartMesh is what the istiod chart sets in every profile.
const chartMesh = "enablePrometheusMerge: true\ndefaultProviders: {metrics: [prometheus]}\n"

// Profiles names the installation profiles that Options.Profile knows, sorted.
func Profiles() []string {
	names := make([]string, 0, len(profiles))
	for name := range profiles {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

func (o Options) profile() profile {
	if p, ok := profiles[o.Profile]; ok {
		return p
	}
	return profiles["default"]
}

func port(name string, number, target int32) corev1.ServicePort {
	return corev1.ServicePort{Name: name, Port: number, TargetPort: intstr.FromInt32(target), Protocol: corev1.ProtocolTCP}
}

// addMeshConfig adds the mesh config of the files' ConfigMap "istio", else the
// profile's.
func (w *world) addMeshConfig() {
	system := w.opts.istioNamespace()
	config, from := (*meshv1.MeshConfig)(nil), &origin{}
	networks, networksFrom := (*meshv1.MeshNetworks)(nil), &origin{}
	if cm := w.index[key{gvk.ConfigMap, resource.NewFullName(resource.Namespace(system), "istio")}]; cm != nil {
		data, o := cm.Message.(*corev1.ConfigMap).Data, cm.Origin.(*origin)
		if c, err := mesh.ApplyMeshConfigDefaults(data["mesh"]); err == nil {
			config, from = c, &origin{source: o.source, object: o.object}
		}
		if n, err := mesh.ParseMeshNetworks(data["meshNetworks"]); err == nil {
			networks, networksFrom = n, &origin{source: o.source, object: o.object}
		}
	}
	if config == nil {
		// The texts are constant, and a test reads them all.
		config, _ = mesh.ApplyMeshConfigDefaults(chartMesh + w.opts.profile().mesh)
		config.RootNamespace = system
	}
	if networks == nil {
		n := mesh.DefaultMeshNetworks()
		networks = n
	}
	c := madeUp(gvk.MeshConfig, system, util.MeshConfigName)
	*from = origin{source: from.source, object: from.object, kind: gvk.MeshConfig, name: c.Metadata.FullName}
	c.Message, c.Origin = config, from
	w.add(c)
	n := madeUp(gvk.MeshNetworks, system, "meshnetworks")
	*networksFrom = origin{source: networksFrom.source, object: networksFrom.object, kind: gvk.MeshNetworks, name: n.Metadata.FullName}
	n.Message, n.Origin = networks, networksFrom
	w.add(n)
}

// addControlPlane adds istiod and its injection webhook, unless the files
// install Istio themselves.
func (w *world) addControlPlane() {
	if w.opts.Profile == "empty" {
		return
	}
	system := w.opts.istioNamespace()
	labels := map[string]string{"app": "istiod", "istio": "pilot"}
	service := madeUp(gvk.Service, system, "istiod")
	*service.Message.(*corev1.ServiceSpec) = corev1.ServiceSpec{Selector: labels, Ports: []corev1.ServicePort{
		port("grpc-xds", 15010, 15010), port("https-dns", 15012, 15012),
		port("https-webhook", 443, 15017), port("http-monitoring", 15014, 15014),
	}}
	service.Metadata.Labels = labels
	w.addMissing(service)
	w.addWorkload(system, "istiod", labels, corev1.Container{Name: "discovery", Image: "pilot"})

	for _, r := range w.objects[gvk.MutatingWebhookConfiguration] {
		for _, hook := range r.Message.(*admissionv1.MutatingWebhookConfiguration).Webhooks {
			if strings.HasSuffix(hook.Name, "istio.io") {
				return
			}
		}
	}
	w.add(injector(system))
}

// injector is the webhook configuration of an Istio without revisions
// (manifests/charts/istio-control/istio-discovery/templates/mutatingwebhook.yaml).
func injector(system string) *resource.Instance {
	const inject, rev, ns = "sidecar.istio.io/inject", "istio.io/rev", "istio-injection"
	notOff := want(inject, metav1.LabelSelectorOpNotIn, "false")
	hook := func(name string, namespace, object []metav1.LabelSelectorRequirement) admissionv1.MutatingWebhook {
		return admissionv1.MutatingWebhook{
			Name:              name + ".sidecar-injector.istio.io",
			NamespaceSelector: &metav1.LabelSelector{MatchExpressions: namespace},
			ObjectSelector:    &metav1.LabelSelector{MatchExpressions: object},
			ClientConfig: admissionv1.WebhookClientConfig{
				Service: &admissionv1.ServiceReference{Namespace: system, Name: "istiod"}},
		}
	}
	type all = []metav1.LabelSelectorRequirement
	absent := func(key string) metav1.LabelSelectorRequirement { return want(key, metav1.LabelSelectorOpDoesNotExist) }
	in := func(key, value string) metav1.LabelSelectorRequirement {
		return want(key, metav1.LabelSelectorOpIn, value)
	}
	i := madeUp(gvk.MutatingWebhookConfiguration, "", "istio-sidecar-injector")
	config := i.Message.(*admissionv1.MutatingWebhookConfiguration)
	config.Name = "istio-sidecar-injector"
	config.Webhooks = []admissionv1.MutatingWebhook{
		hook("rev.namespace", all{in(rev, "default"), absent(ns)}, all{notOff}),
		hook("rev.object", all{absent(rev), absent(ns)}, all{notOff, in(rev, "default")}),
		hook("namespace", all{in(ns, "enabled")}, all{notOff}),
		hook("object", all{absent(ns), absent(rev)}, all{in(inject, "true"), absent(rev)}),
	}
	return i
}

func want(key string, op metav1.LabelSelectorOperator, values ...string) metav1.LabelSelectorRequirement {
	return metav1.LabelSelectorRequirement{Key: key, Operator: op, Values: values}
}

// addGateways adds the profile's gateways.
func (w *world) addGateways() {
	p := w.opts.profile()
	if p.ingress {
		w.addGateway("istio-ingressgateway", "ingressgateway", p.ports)
	}
	if p.egress {
		w.addGateway("istio-egressgateway", "egressgateway", egressPorts)
	}
}

func (w *world) addGateway(name, istio string, ports []corev1.ServicePort) {
	system := w.opts.istioNamespace()
	labels := map[string]string{"app": name, "istio": istio}
	service := madeUp(gvk.Service, system, name)
	*service.Message.(*corev1.ServiceSpec) = corev1.ServiceSpec{Selector: labels, Ports: ports}
	service.Metadata.Labels = labels
	w.addMissing(service)
	w.addWorkload(system, name, labels, corev1.Container{Name: util.IstioProxyName, Image: "proxyv2"})
}

// addWorkload adds a Deployment and one pod of it. A Deployment of the files
// by that name brings its own pods.
func (w *world) addWorkload(namespace, name string, labels map[string]string, c corev1.Container) {
	deployment := madeUp(gvk.Deployment, namespace, name)
	k := key{gvk.Deployment, deployment.Metadata.FullName}
	if _, ok := w.index[k]; ok {
		return
	}
	spec := deployment.Message.(*appsv1.DeploymentSpec)
	spec.Selector = &metav1.LabelSelector{MatchLabels: labels}
	spec.Template.Labels = labels
	spec.Template.Spec.Containers = []corev1.Container{c}
	deployment.Metadata.Labels = labels
	w.add(deployment)

	pod := madeUp(gvk.Pod, namespace, name)
	pod.Message.(*corev1.PodSpec).Containers = []corev1.Container{c}
	pod.Metadata.Labels = labels
	w.add(pod)
}
