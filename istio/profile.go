package istio

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	meshv1 "istio.io/api/mesh/v1alpha1"
	"istio.io/istio/pkg/config/mesh"
)

// profile is what an installation profile brings that routes depend on
// (manifests/profiles and manifests/charts of Istio).
type profile struct {
	ingress, egress bool
	ports           []corev1.ServicePort // of the ingress gateway's Service
}

func profileOf(name string) (profile, error) {
	plain := []corev1.ServicePort{port("status-port", 15021, 15021), port("http2", 80, 8080), port("https", 443, 8443)}
	switch name {
	case "", "demo":
		return profile{ingress: true, egress: true,
			ports: append(plain, port("tcp", 31400, 31400), port("tls", 15443, 15443))}, nil
	case "default", "stable", "preview", "openshift":
		return profile{ingress: true, ports: plain}, nil
	case "minimal", "empty", "ambient", "remote", "openshift-ambient":
		return profile{}, nil
	}
	return profile{}, fmt.Errorf("profile %q is not known: expected demo, default, minimal, ambient, "+
		"stable, preview, openshift, openshift-ambient, remote or empty", name)
}

func port(name string, number, target int32) corev1.ServicePort {
	return corev1.ServicePort{Name: name, Port: number, TargetPort: intstr.FromInt32(target), Protocol: corev1.ProtocolTCP}
}

// chartMesh is what the istiod chart sets in every profile and routes or
// clusters may depend on.
const chartMesh = "enablePrometheusMerge: true\ndefaultProviders: {metrics: [prometheus]}\n"

// readMeshConfig is the mesh config of the documents' ConfigMap "istio", else
// the chart's.
func (w *world) readMeshConfig() *meshv1.MeshConfig {
	text := chartMesh
	if o := w.objects[key{"", "ConfigMap", w.opts.IstioNamespace, "istio"}]; o != nil {
		var cm corev1.ConfigMap
		if err := o.into(&cm); err != nil {
			w.problem(o, "the mesh config cannot be read, the profile's is used: %v", err)
		} else if _, err := mesh.ApplyMeshConfigDefaults(cm.Data["mesh"]); err != nil {
			w.problem(o, "data.mesh is no valid mesh config, the profile's is used: %v", err)
		} else {
			text = cm.Data["mesh"]
		}
	}
	config, err := mesh.ApplyMeshConfigDefaults(text)
	if err != nil { // the constant above is tested
		config = mesh.DefaultMeshConfig()
	}
	if text == chartMesh || config.RootNamespace == "" {
		config.RootNamespace = w.opts.IstioNamespace
	}
	return config
}

// addProfileGateways adds the gateways of the profile that the documents do
// not bring themselves.
func (w *world) addProfileGateways(p profile) {
	if p.ingress {
		w.addGateway("istio-ingressgateway", "ingressgateway", p.ports)
	}
	if p.egress {
		w.addGateway("istio-egressgateway", "egressgateway",
			[]corev1.ServicePort{port("http2", 80, 8080), port("https", 443, 8443)})
	}
}

func (w *world) addGateway(name, istio string, ports []corev1.ServicePort) {
	labels := map[string]string{"app": name, "istio": istio}
	w.addMadeUp(w.opts.IstioNamespace, name, labels, labels, ports)
	w.profileGateways[key{"", "", w.opts.IstioNamespace, name}] = true
}

// addMadeUp adds a gateway's Service and Deployment where the documents have
// none of that name.
func (w *world) addMadeUp(namespace, name string, labels, selector map[string]string, ports []corev1.ServicePort) {
	meta := metav1.ObjectMeta{Name: name, Namespace: namespace, Labels: labels}
	if w.serviceByName(namespace, name) == nil {
		w.services = append(w.services, &service{Service: &corev1.Service{ObjectMeta: meta,
			Spec: corev1.ServiceSpec{Type: corev1.ServiceTypeLoadBalancer, Selector: selector, Ports: ports}}})
	}
	if !w.hasWorkload("Deployment", namespace, name) {
		w.workloads = append(w.workloads, &workload{Kind: "Deployment", Name: name, Namespace: namespace,
			labels: labels, replicas: 1, gateway: true, account: name + "-service-account"})
	}
}
