package istio

import (
	"net/netip"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"

	networking "istio.io/api/networking/v1alpha3"
	"istio.io/istio/pilot/pkg/model"
	"istio.io/istio/pilot/pkg/serviceregistry/kube"
	"istio.io/istio/pilot/pkg/serviceregistry/provider"
	labelutil "istio.io/istio/pilot/pkg/serviceregistry/util/label"
	"istio.io/istio/pkg/config/constants"
	"istio.io/istio/pkg/config/host"
	"istio.io/istio/pkg/config/labels"
	"istio.io/istio/pkg/config/schema/gvk"
)

// clusterID names the one Kubernetes cluster.
const clusterID = constants.DefaultClusterName

var shard = model.ShardKey{Cluster: clusterID, Provider: provider.Kubernetes}

// registry answers istiod's questions about services from what the documents
// say; unlike istiod's own it watches nothing. Where there are ServiceEntries,
// istiod's controller for those stands beside it.
type registry struct {
	services []*model.Service
	byHost   map[host.Name]*model.Service
	targets  map[string][]model.ServiceTarget // by a pod's address
	labels   map[string]labels.Instance       // by a pod's address
	entries  entryRegistry
}

// entryRegistry is the part of istiod's ServiceEntry controller that is used.
type entryRegistry interface {
	Services() []*model.Service
	GetService(host.Name) *model.Service
	GetProxyServiceTargets(*model.Proxy) []model.ServiceTarget
}

var _ model.ServiceDiscovery = &registry{}

// Services implements model.ServiceDiscovery.
func (r *registry) Services() []*model.Service {
	if r.entries == nil {
		return r.services
	}
	return slices.Concat(r.services, r.entries.Services())
}

// GetService implements model.ServiceDiscovery.
func (r *registry) GetService(name host.Name) *model.Service {
	if s := r.byHost[name]; s != nil || r.entries == nil {
		return s
	}
	return r.entries.GetService(name)
}

// GetProxyServiceTargets implements model.ServiceDiscovery.
func (r *registry) GetProxyServiceTargets(p *model.Proxy) []model.ServiceTarget {
	var all []model.ServiceTarget
	for _, ip := range p.IPAddresses {
		all = append(all, r.targets[ip]...)
	}
	if r.entries != nil {
		all = append(all, r.entries.GetProxyServiceTargets(p)...)
	}
	return all
}

// GetProxyWorkloadLabels implements model.ServiceDiscovery.
func (r *registry) GetProxyWorkloadLabels(p *model.Proxy) labels.Instance {
	for _, ip := range p.IPAddresses {
		if l, ok := r.labels[ip]; ok {
			return l
		}
	}
	return nil
}

// NetworkGateways implements model.ServiceDiscovery; there is one network.
func (r *registry) NetworkGateways() []model.NetworkGateway { return nil }

// AppendNetworkGatewayHandler implements model.ServiceDiscovery.
func (r *registry) AppendNetworkGatewayHandler(func()) {}

// MCSServices implements model.ServiceDiscovery.
func (r *registry) MCSServices() []model.MCSServiceInfo { return nil }

// buildRegistry turns Services and workloads into what istiod knows of them.
func (w *world) buildRegistry(index *model.EndpointIndex, trustDomain string) *registry {
	r := &registry{byHost: map[host.Name]*model.Service{}, targets: map[string][]model.ServiceTarget{},
		labels: map[string]labels.Instance{}}
	for ip, l := range w.byAddress {
		r.labels[ip] = l.labels
	}
	slices.SortStableFunc(w.services, func(a, b *service) int {
		return strings.Compare(a.Namespace+"\x00"+a.Name, b.Namespace+"\x00"+b.Name)
	})
	entries := w.workloadEntries()
	written := w.endpointSlices()
	vip := netip.AddrFrom4([4]byte{10, 96, 0, 0})
	for _, s := range w.services {
		vip = vip.Next()
		if s.Spec.ClusterIP == "" && s.Spec.Type != corev1.ServiceTypeExternalName {
			s.Spec.ClusterIP = vip.String()
		}
		var annotations map[string]string
		if ns := w.namespaces[s.Namespace]; ns != nil {
			annotations = ns.Annotations
		}
		m := kube.ConvertService(*s.Service, annotations, w.opts.ClusterDomain, clusterID, trustDomain)
		r.services = append(r.services, m)
		r.byHost[m.Hostname] = m
		e := w.endpointsOf(s, trustDomain)
		e = append(e, entriesOf(s, entries)...)
		if len(s.Spec.Selector) == 0 {
			e = append(e, written[s.Namespace+"/"+s.Name]...)
		}
		if len(e) > 0 {
			index.UpdateServiceEndpoints(shard, string(m.Hostname), s.Namespace, e, false)
		}
		w.addTargets(r, s, m)
	}
	return r
}

// addTargets tells the proxies of a Service's pods that they serve it.
func (w *world) addTargets(r *registry, s *service, m *model.Service) {
	for _, l := range w.selected(s.Namespace, s.Spec.Selector) {
		for i, p := range s.Spec.Ports {
			target := l.targetPort(p)
			if target == 0 {
				continue
			}
			t := model.ServiceTarget{Service: m, Port: model.ServiceInstancePort{ServicePort: m.Ports[i], TargetPort: uint32(target)}}
			for _, ip := range l.addresses {
				r.targets[ip] = append(r.targets[ip], t)
			}
		}
	}
}

// endpointsOf are the pods of a Service, by its ports.
func (w *world) endpointsOf(s *service, trustDomain string) []*model.IstioEndpoint {
	var all []*model.IstioEndpoint
	for _, l := range w.selected(s.Namespace, s.Spec.Selector) {
		pod := l.pod()
		ls := labelutil.AugmentLabels(l.labels, clusterID, "", "", "")
		for _, p := range s.Spec.Ports {
			target := l.targetPort(p)
			if target == 0 {
				continue
			}
			for _, ip := range l.addresses {
				all = append(all, &model.IstioEndpoint{
					Labels: ls, Addresses: []string{ip}, ServicePortName: p.Name, EndpointPort: uint32(target),
					ServiceAccount: kube.SecureNamingSAN(pod, trustDomain), TLSMode: kube.PodTLSMode(pod),
					Namespace: l.Namespace, WorkloadName: l.Name, HealthStatus: model.Healthy,
					DiscoverabilityPolicy: model.AlwaysDiscoverable,
				})
			}
		}
	}
	return all
}

// workloadEntry is a WorkloadEntry as an endpoint.
type workloadEntry struct {
	name, namespace string
	spec            *networking.WorkloadEntry
	labels          map[string]string
}

// workloadEntries are the documents' WorkloadEntries.
func (w *world) workloadEntries() []workloadEntry {
	var all []workloadEntry
	for _, c := range w.configs {
		if c.GroupVersionKind != gvk.WorkloadEntry {
			continue
		}
		spec := c.Spec.(*networking.WorkloadEntry)
		ls := map[string]string{}
		for k, v := range c.Labels {
			ls[k] = v
		}
		for k, v := range spec.Labels {
			ls[k] = v
		}
		all = append(all, workloadEntry{c.Name, c.Namespace, spec, ls})
	}
	return all
}

// entriesOf are the WorkloadEntries that a Service selects, as pods of it.
func entriesOf(s *service, all []workloadEntry) []*model.IstioEndpoint {
	var found []*model.IstioEndpoint
	for _, e := range all {
		if len(s.Spec.Selector) == 0 || e.namespace != s.Namespace || !contains(e.labels, s.Spec.Selector) {
			continue
		}
		for _, p := range s.Spec.Ports {
			target := uint32(p.TargetPort.IntValue())
			if target == 0 {
				target = uint32(p.Port)
			}
			if named, ok := e.spec.Ports[p.TargetPort.String()]; ok {
				target = named
			} else if named, ok := e.spec.Ports[p.Name]; ok {
				target = named
			}
			found = append(found, &model.IstioEndpoint{
				Labels: labelutil.AugmentLabels(e.labels, clusterID, "", "", ""), Addresses: []string{e.spec.Address},
				ServicePortName: p.Name, EndpointPort: target, ServiceAccount: e.spec.ServiceAccount, LbWeight: e.spec.Weight,
				TLSMode: model.GetTLSModeFromEndpointLabels(e.labels), Namespace: e.namespace, WorkloadName: e.name,
				HealthStatus: model.Healthy, DiscoverabilityPolicy: model.AlwaysDiscoverable,
			})
		}
	}
	return found
}

// endpointSlices are endpoints that the documents write down themselves, for
// Services without a selector, by NAMESPACE/SERVICE.
func (w *world) endpointSlices() map[string][]*model.IstioEndpoint {
	all := map[string][]*model.IstioEndpoint{}
	for _, o := range w.order {
		switch {
		case o.group == "discovery.k8s.io" && o.kind == "EndpointSlice":
			var s discoveryv1.EndpointSlice
			if err := o.into(&s); err != nil {
				w.problem(o, "it cannot be decoded, and has no effect here: %v", err)
				continue
			}
			at := o.namespace + "/" + s.Labels[discoveryv1.LabelServiceName]
			for _, p := range s.Ports {
				for _, e := range s.Endpoints {
					if p.Port != nil && (e.Conditions.Ready == nil || *e.Conditions.Ready) {
						all[at] = append(all[at], writtenEndpoints(o.namespace, p.Name, *p.Port, e.Addresses)...)
					}
				}
			}
		case o.group == "" && o.kind == "Endpoints":
			var s corev1.Endpoints //nolint:staticcheck // people still write them
			if err := o.into(&s); err != nil {
				w.problem(o, "it cannot be decoded, and has no effect here: %v", err)
				continue
			}
			for _, subset := range s.Subsets {
				for _, p := range subset.Ports {
					for _, a := range subset.Addresses {
						at := o.namespace + "/" + o.name
						all[at] = append(all[at], writtenEndpoints(o.namespace, &p.Name, p.Port, []string{a.IP})...)
					}
				}
			}
		}
	}
	return all
}

func writtenEndpoints(namespace string, name *string, port int32, addresses []string) []*model.IstioEndpoint {
	var all []*model.IstioEndpoint
	for _, a := range addresses {
		e := &model.IstioEndpoint{Addresses: []string{a}, EndpointPort: uint32(port), Namespace: namespace,
			Labels: labels.Instance{}, HealthStatus: model.Healthy, DiscoverabilityPolicy: model.AlwaysDiscoverable}
		if name != nil {
			e.ServicePortName = *name
		}
		all = append(all, e)
	}
	return all
}
