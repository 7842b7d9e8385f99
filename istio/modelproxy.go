package istio

import (
	"maps"

	"istio.io/istio/pilot/pkg/model"
	"istio.io/istio/pkg/spiffe"
)

// modelProxy is a proxy as istiod sees it when it connects.
func modelProxy(w *world, pl *plane, p Proxy) *model.Proxy {
	l := w.workloadOf(p)
	ip, name, account := "10.255.255.254", p.Name, "default"
	if l != nil {
		name, account = l.Name, l.account
		if len(l.addresses) > 0 {
			ip = l.addresses[0]
		}
	}
	labels := maps.Clone(p.Labels)
	kind := model.SidecarProxy
	if p.Kind == Gateway {
		kind = model.Router
	}
	proxy := &model.Proxy{
		Type: kind, ID: name + "-0." + p.Namespace, ConfigNamespace: p.Namespace, IPAddresses: []string{ip}, Labels: labels,
		DNSDomain:    p.Namespace + ".svc." + w.opts.ClusterDomain,
		IstioVersion: model.MaxIstioVersion,
		Metadata: &model.NodeMetadata{
			Namespace: p.Namespace, Labels: labels, ClusterID: clusterID, WorkloadName: name, ServiceAccount: account,
			IstioRevision: p.Revision, InstanceIPs: []string{ip}, MeshID: "cluster.local",
		},
		VerifiedIdentity: &spiffe.Identity{TrustDomain: pl.push.Mesh.GetTrustDomain(), Namespace: p.Namespace, ServiceAccount: account},
	}
	if l != nil {
		proxy.Metadata.Annotations = l.annotations
	}
	config := pl.env.GetProxyConfigOrDefault(p.Namespace, labels, proxy.Metadata.Annotations, pl.push.Mesh)
	proxy.Metadata.ProxyConfig = (*model.NodeMetaProxyConfig)(config)
	proxy.SetSidecarScope(pl.push)
	proxy.SetServiceTargets(pl.registry)
	proxy.SetGatewaysForProxy(pl.push)
	proxy.DiscoverIPMode()
	return proxy
}

// workloadOf finds the workload that a proxy belongs to.
func (w *world) workloadOf(p Proxy) *workload {
	var found *workload
	for _, l := range w.selected(p.Namespace, p.Labels) {
		if found == nil || l.Name == p.Name && found.Name != p.Name {
			found = l
		}
	}
	return found
}
