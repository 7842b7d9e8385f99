package check

import (
	"net/netip"
	"slices"
	"strings"
	"sync"

	networking "istio.io/api/networking/v1alpha3"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"
)

// Mesh is what the documents say about a mesh, in Istio's and Kubernetes' own
// types, for rules that put several objects together. All slices are in source
// order; objects that do not decode are left out, for other rules report them.
// It is shared by all rules: read only.
type Mesh struct {
	VirtualServices  []*VirtualService
	Gateways         []*Gateway
	DestinationRules []*DestinationRule
	ServiceEntries   []*ServiceEntry
	HTTPRoutes       []*HTTPRoute
	KubeGateways     []*KubeGateway
	Services         []*Service
	Workloads        []*Workload

	namespaceLabels map[string]map[string]string
	services        map[string]*Service // by FQDN
	gateways        map[string]*Gateway // by NAMESPACE/NAME

	placing sync.Once
	ports   []*gatewayPort
}

// MeshGateway is the name by which VirtualServices mean all sidecars.
const MeshGateway = "mesh"

// Domain is the suffix of cluster-local names; Istio's default.
const Domain = "cluster.local"

// VirtualService is one of Istio's.
type VirtualService struct {
	*Resource
	Spec *networking.VirtualService
	// Hosts are spec.hosts as istiod reads them: short names resolved, lower case.
	Hosts []string
	// Gateways are spec.gateways as NAMESPACE/NAME or "mesh"; just "mesh" where
	// none are written, and nothing for delegates, which their roots place.
	Gateways []string

	index   int // place among the mesh's VirtualServices
	reading sync.Once
	read    []*entry
}

// Delegate tells whether other VirtualServices have to include this one.
func (v *VirtualService) Delegate() bool { return len(v.Hosts) == 0 }

// InMesh tells whether sidecars use it.
func (v *VirtualService) InMesh() bool { return slices.Contains(v.Gateways, MeshGateway) }

// Gateway is one of Istio's.
type Gateway struct {
	*Resource
	Spec *networking.Gateway
}

// Key is NAMESPACE/NAME, as VirtualService.Gateways has it.
func (g *Gateway) Key() string { return g.Namespace() + "/" + g.Name() }

// DestinationRule is one of Istio's.
type DestinationRule struct {
	*Resource
	Spec *networking.DestinationRule
	Host string // spec.host with a short name resolved, lower case
}

// ServiceEntry is one of Istio's.
type ServiceEntry struct {
	*Resource
	Spec *networking.ServiceEntry
}

// Service is one of Kubernetes', with its name in the mesh.
type Service struct {
	*Resource
	Spec *corev1.ServiceSpec
	Host string // NAME.NAMESPACE.svc.cluster.local
}

// Workload stands for the pods that a Deployment or the like makes.
type Workload struct {
	*Resource
	Template *corev1.PodTemplateSpec // its labels are those of the pods
	Replicas int32                   // as written; 1 where the object says nothing
}

// Mesh gives the typed view of the documents, made at the first call.
func (in *Input) Mesh() *Mesh {
	in.view.Do(func() { in.mesh = newMesh(in.Resources()) })
	return in.mesh
}

func newMesh(resources []*Resource) *Mesh {
	m := &Mesh{
		namespaceLabels: map[string]map[string]string{},
		services:        map[string]*Service{},
		gateways:        map[string]*Gateway{},
	}
	for _, r := range resources {
		if r.Err != nil {
			continue
		}
		switch group := r.Group(); {
		case group == "networking.istio.io":
			m.addIstio(r)
		case group == "gateway.networking.k8s.io":
			m.addGatewayAPI(r)
		case group == "" && r.Kind() == "Service":
			if s, ok := r.Typed().(*corev1.Service); ok && r.Name() != "" {
				service := &Service{Resource: r, Spec: &s.Spec, Host: r.Name() + "." + r.Namespace() + ".svc." + Domain}
				m.Services = append(m.Services, service)
				m.services[service.Host] = service
			}
		case group == "" && r.Kind() == "Namespace":
			if n, ok := r.Typed().(*corev1.Namespace); ok {
				m.namespaceLabels[n.Name] = n.Labels
			}
		default:
			if w := workload(r); w != nil {
				m.Workloads = append(m.Workloads, w)
			}
		}
	}
	return m
}

// Service is the Service of a full host name, nil where the files have none.
func (m *Mesh) Service(host string) *Service { return m.services[host] }

// Gateway is Istio's Gateway NAMESPACE/NAME, nil where the files have none.
func (m *Mesh) Gateway(key string) *Gateway { return m.gateways[key] }

// NamespaceLabels are the labels of a namespace that the files define.
func (m *Mesh) NamespaceLabels(name string) map[string]string { return m.namespaceLabels[name] }

// Pods gives the workloads of a namespace whose pods have all the labels;
// nothing for an empty selector.
func (m *Mesh) Pods(namespace string, selector map[string]string) []*Workload {
	var all []*Workload
	if len(selector) == 0 {
		return nil
	}
	s := labels.SelectorFromSet(selector)
	for _, w := range m.Workloads {
		if w.Namespace() == namespace && s.Matches(labels.Set(w.Template.Labels)) {
			all = append(all, w)
		}
	}
	return all
}

// ResolveHost gives a host's full name as istiod does for an object of the
// namespace: only names without a dot are completed (ResolveShortnameToFQDN in
// pilot/pkg/model/config.go).
func ResolveHost(host, namespace string) string {
	host = strings.ToLower(host)
	if host == "" || host == "*" || strings.Contains(host, ".") {
		return host
	}
	if _, err := netip.ParseAddr(host); err == nil {
		return host
	}
	return host + "." + namespace + ".svc." + Domain
}

// resolveGateway gives a gateway's name as NAMESPACE/NAME, as resolveGatewayName
// in pilot/pkg/model/config.go does.
func resolveGateway(name, namespace string) string {
	if name == MeshGateway {
		return name
	}
	if before, after, ok := strings.Cut(name, "/"); ok {
		if before == "." {
			return namespace + "/" + after
		}
		return name
	}
	short, rest, ok := strings.Cut(name, ".")
	if !ok {
		return namespace + "/" + name
	}
	// The old form NAME.NAMESPACE.svc.cluster.local.
	namespace, _, _ = strings.Cut(rest, ".")
	return namespace + "/" + short
}
