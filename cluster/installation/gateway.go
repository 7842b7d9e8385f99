package installation

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
)

// gateways finds the workloads of proxies that are no sidecars, and the Services
// that lead to them.
func (f *finder) gateways(ctx context.Context) error {
	for i := range f.deployments {
		d := &f.deployments[i]
		if version, ok := gatewayProxy(&d.Spec.Template); ok {
			g := Gateway{Kind: "Deployment", Namespace: d.Namespace, Name: d.Name, Labels: d.Spec.Template.Labels, Version: version}
			g.Ready, g.Wanted = replicas(d)
			f.r.Gateways = append(f.r.Gateways, g)
		}
	}
	for i := range f.daemons {
		d := &f.daemons[i]
		if version, ok := gatewayProxy(&d.Spec.Template); ok {
			f.r.Gateways = append(f.r.Gateways, Gateway{Kind: "DaemonSet", Namespace: d.Namespace, Name: d.Name, Labels: d.Spec.Template.Labels,
				Version: version, Ready: int(d.Status.NumberReady), Wanted: int(d.Status.DesiredNumberScheduled)})
		}
	}
	slices.SortFunc(f.r.Gateways, func(a, b Gateway) int {
		return cmp.Or(strings.Compare(a.Namespace, b.Namespace), strings.Compare(a.Name, b.Name))
	})
	services := map[string][]corev1.Service{}
	for i := range f.r.Gateways {
		g := &f.r.Gateways[i]
		if _, read := services[g.Namespace]; !read {
			list, err := f.Kube.CoreV1().Services(g.Namespace).List(ctx, metav1.ListOptions{})
			if err != nil {
				if err := f.unseen(unseenServices, err); err != nil {
					return err
				}
				list = &corev1.ServiceList{}
			}
			services[g.Namespace] = list.Items
		}
		g.Services = servicesOf(g, services[g.Namespace])
	}
	return nil
}

// gatewayProxy reports whether pods of a template are gateways: by what injection
// is asked to make of them, or by the proxy's own arguments, "proxy router".
func gatewayProxy(template *corev1.PodTemplateSpec) (version string, ok bool) {
	proxy := container(&template.Spec, "istio-proxy")
	if proxy == nil {
		return "", false
	}
	templates := template.Annotations["inject.istio.io/templates"]
	ok = strings.Contains(templates, "gateway") || slices.Contains(proxy.Args, "router")
	if tag := tagOf(proxy.Image); proxy.Image != "auto" {
		version = versionOf(tag)
	}
	return version, ok
}

func servicesOf(g *Gateway, services []corev1.Service) []GatewayService {
	all := []GatewayService{}
	for i := range services {
		s := &services[i]
		if len(s.Spec.Selector) == 0 || !labels.SelectorFromSet(s.Spec.Selector).Matches(labels.Set(g.Labels)) {
			continue
		}
		gs := GatewayService{Name: s.Name, Type: string(s.Spec.Type), Addresses: []string{}, Ports: []Port{}}
		for _, in := range s.Status.LoadBalancer.Ingress {
			gs.Addresses = append(gs.Addresses, cmp.Or(in.Hostname, in.IP))
		}
		gs.Addresses = append(gs.Addresses, s.Spec.ExternalIPs...)
		for _, p := range s.Spec.Ports {
			gs.Ports = append(gs.Ports, Port{p.Name, int(p.Port), int(p.NodePort)})
		}
		all = append(all, gs)
	}
	return all
}

// Reached says how a gateway's Service is reached from outside the cluster.
func (s GatewayService) Reached() string {
	ports := func(of func(Port) int) string {
		var all []string
		for _, p := range s.Ports {
			if n := of(p); n != 0 {
				all = append(all, fmt.Sprintf("%d", n))
			}
		}
		return strings.Join(all, ",")
	}
	node := ports(func(p Port) int { return p.NodePort })
	switch {
	case len(s.Addresses) > 0:
		return strings.Join(s.Addresses, ",") + " ports " + ports(func(p Port) int { return p.Port }) + nodeText(node)
	case node != "":
		return "node ports " + node
	case s.Type == string(corev1.ServiceTypeLoadBalancer):
		return "no address yet"
	}
	return "inside the cluster only"
}

func nodeText(ports string) string {
	if ports == "" {
		return ""
	}
	return " (node ports " + ports + ")"
}
