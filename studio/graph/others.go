package graph

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	autoscaling "k8s.io/api/autoscaling/v2"
	batch "k8s.io/api/batch/v1"
	core "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policy "k8s.io/api/policy/v1"
	rbac "k8s.io/api/rbac/v1"

	"github.com/meshstorm/meshstorm/check"
)

// Layers that nodes belong to.
const (
	LayerRouting       = "routing"       // what requests pass
	LayerConfiguration = "configuration" // what workloads are made of, and what scales them
	LayerSecurity      = "security"      // who may ask whom
	LayerExternal      = "external"      // what lies outside the mesh
)

var layers = map[string]string{
	"Gateway": LayerRouting, "VirtualService": LayerRouting, "DestinationRule": LayerRouting, KindSubset: LayerRouting,
	"Service": LayerRouting, "Ingress": LayerRouting, "HTTPRoute": LayerRouting, "GRPCRoute": LayerRouting,
	"TLSRoute": LayerRouting, "TCPRoute": LayerRouting, "UDPRoute": LayerRouting,
	"Deployment": LayerRouting, "StatefulSet": LayerRouting, "DaemonSet": LayerRouting, "ReplicaSet": LayerRouting,
	"Pod": LayerRouting, "Rollout": LayerRouting, KindHost: LayerRouting,
	"ServiceEntry": LayerExternal, "WorkloadEntry": LayerExternal, "WorkloadGroup": LayerExternal, KindExternal: LayerExternal,
	"AuthorizationPolicy": LayerSecurity, "PeerAuthentication": LayerSecurity, "RequestAuthentication": LayerSecurity,
	"NetworkPolicy": LayerSecurity, "Role": LayerSecurity, "ClusterRole": LayerSecurity, "RoleBinding": LayerSecurity,
	"ClusterRoleBinding": LayerSecurity,
}

func layerOf(kind string) string {
	if layer, ok := layers[kind]; ok {
		return layer
	}
	return LayerConfiguration
}

// others adds what requests do not pass: every object that is not there yet.
func (b *builder) others() {
	for _, r := range b.in.Resources() {
		if r.Err == nil && r.Kind() != "" && r.Name() != "" {
			b.add(r, Data{Hosts: ingressHosts(r), Keys: keysOf(r), Everything: everything(r)})
		}
	}
	for _, r := range b.in.Resources() {
		if r.Err == nil && r.Name() != "" {
			b.leads(r)
		}
	}
	for _, w := range b.mesh.Workloads {
		b.uses(w)
	}
}

// leads adds the edges that leave an object.
func (b *builder) leads(r *check.Resource) {
	from := ID(r.Kind(), r.Namespace(), r.Name())
	to := func(edge, kind, name, label string) {
		b.labelled(edge, from, ID(kind, r.Namespace(), name), label)
	}
	switch o := r.Typed().(type) {
	case *autoscaling.HorizontalPodAutoscaler:
		to(EdgeScales, o.Spec.ScaleTargetRef.Kind, o.Spec.ScaleTargetRef.Name, "")
	case *networkingv1.Ingress:
		if d := o.Spec.DefaultBackend; d != nil && d.Service != nil {
			to(EdgeBackend, "Service", d.Service.Name, "")
		}
		for _, rule := range o.Spec.Rules {
			if rule.HTTP == nil {
				continue
			}
			for _, p := range rule.HTTP.Paths {
				if p.Backend.Service != nil {
					to(EdgeBackend, "Service", p.Backend.Service.Name, rule.Host+p.Path)
				}
			}
		}
	case *core.PersistentVolumeClaim:
		if o.Spec.VolumeName != "" {
			b.labelled(EdgeUses, from, ID("PersistentVolume", "", o.Spec.VolumeName), "")
		}
		if o.Spec.StorageClassName != nil {
			b.labelled(EdgeUses, from, ID("StorageClass", "", *o.Spec.StorageClassName), "")
		}
	case *rbac.RoleBinding:
		b.role(r, o.RoleRef, o.Subjects)
	case *rbac.ClusterRoleBinding:
		b.role(r, o.RoleRef, o.Subjects)
	default:
		if isAPIRoute(r) {
			b.apiRoute(r, from)
			return
		}
		if selector, ok := selectorOf(r); ok && len(selector) > 0 {
			b.governs(from, r.Namespace(), selector)
		}
	}
}

func (b *builder) role(r *check.Resource, ref rbac.RoleRef, subjects []rbac.Subject) {
	from, namespace := ID(r.Kind(), r.Namespace(), r.Name()), r.Namespace()
	if ref.Kind == "ClusterRole" {
		namespace = ""
	}
	b.labelled(EdgeUses, from, ID(ref.Kind, namespace, ref.Name), "")
	for _, s := range subjects {
		if s.Namespace == "" {
			s.Namespace = r.Namespace()
		}
		b.labelled(EdgeGoverns, from, ID(s.Kind, s.Namespace, s.Name), "")
	}
}

// governs leads a policy to the workloads, and to the Gateways whose pods, it
// selects.
func (b *builder) governs(from, namespace string, selector map[string]string) {
	for _, w := range b.mesh.Pods(namespace, selector) {
		b.labelled(EdgeGoverns, from, ID(w.Kind(), w.Namespace(), w.Name()), "")
	}
	for _, g := range b.mesh.Gateways {
		if maps.Equal(g.Spec.GetSelector(), selector) {
			b.labelled(EdgeGoverns, from, ID(g.Kind(), g.Namespace(), g.Name()), "")
		}
	}
}

// uses leads a workload to the objects that its pods are given.
func (b *builder) uses(w *check.Workload) {
	from := ID(w.Kind(), w.Namespace(), w.Name())
	spec := &w.Template.Spec
	to := func(kind, name, label string) {
		if name != "" {
			b.labelled(EdgeUses, from, ID(kind, w.Namespace(), name), label)
		}
	}
	to("ServiceAccount", spec.ServiceAccountName, "")
	for _, s := range spec.ImagePullSecrets {
		to("Secret", s.Name, "pull")
	}
	for _, v := range spec.Volumes {
		mounted := "volume " + mountPath(spec, v.Name)
		if v.PersistentVolumeClaim != nil {
			to("PersistentVolumeClaim", v.PersistentVolumeClaim.ClaimName, mounted)
		}
		if v.ConfigMap != nil {
			to("ConfigMap", v.ConfigMap.Name, mounted)
		}
		if v.Secret != nil {
			to("Secret", v.Secret.SecretName, mounted)
		}
	}
	for _, c := range append(slices.Clone(spec.InitContainers), spec.Containers...) {
		for _, e := range c.EnvFrom {
			if e.ConfigMapRef != nil {
				to("ConfigMap", e.ConfigMapRef.Name, "env")
			}
			if e.SecretRef != nil {
				to("Secret", e.SecretRef.Name, "env")
			}
		}
		for _, e := range c.Env {
			if e.ValueFrom != nil && e.ValueFrom.ConfigMapKeyRef != nil {
				to("ConfigMap", e.ValueFrom.ConfigMapKeyRef.Name, "env")
			}
			if e.ValueFrom != nil && e.ValueFrom.SecretKeyRef != nil {
				to("Secret", e.ValueFrom.SecretKeyRef.Name, "env")
			}
		}
	}
}

func mountPath(spec *core.PodSpec, volume string) string {
	for _, c := range spec.Containers {
		for _, m := range c.VolumeMounts {
			if m.Name == volume {
				return m.MountPath
			}
		}
	}
	return ""
}

// labelled adds an edge once, where both ends are there.
func (b *builder) labelled(kind, from, to, label string) {
	id := kind + ":" + from + ">" + to
	if b.known[from] && b.known[to] && !b.known[id] {
		b.known[id] = true
		b.edge(Edge{ID: id, From: from, To: to, Kind: kind, Label: strings.TrimSpace(label)})
	}
}

// selectorOf is how a policy names the pods that it is for; false for kinds that
// name none. Selectors by expressions are not read.
func selectorOf(r *check.Resource) (map[string]string, bool) {
	switch o := r.Typed().(type) {
	case *policy.PodDisruptionBudget:
		if o.Spec.Selector == nil {
			return nil, true
		}
		return o.Spec.Selector.MatchLabels, true
	case *networkingv1.NetworkPolicy:
		return o.Spec.PodSelector.MatchLabels, true
	}
	if !strings.HasSuffix(r.Group(), ".istio.io") {
		return nil, false
	}
	switch r.Kind() {
	case "AuthorizationPolicy", "PeerAuthentication", "RequestAuthentication", "Telemetry", "WasmPlugin", "ProxyConfig":
		if _, targeted := value(r, "spec", "targetRefs").([]any); targeted {
			return nil, false
		}
		for _, field := range []string{"selector", "workloadSelector"} {
			if found := stringsOf(value(r, "spec", field, "matchLabels")); len(found) > 0 {
				return found, true
			}
		}
		return nil, true
	case "Sidecar", "EnvoyFilter":
		return stringsOf(value(r, "spec", "workloadSelector", "labels")), true
	}
	return nil, false
}

// everything tells of a policy that it is for all pods of its namespace.
func everything(r *check.Resource) bool {
	selector, ok := selectorOf(r)
	_, expressed := value(r, "spec", "podSelector", "matchExpressions").([]any)
	return ok && len(selector) == 0 && !expressed && r.Kind() != "PodDisruptionBudget"
}

func value(r *check.Resource, path ...string) any {
	var at any = r.Object
	for _, key := range path {
		m, _ := at.(map[string]any)
		at = m[key]
	}
	return at
}

func stringsOf(at any) map[string]string {
	m, _ := at.(map[string]any)
	found := map[string]string{}
	for k, v := range m {
		if s, ok := v.(string); ok {
			found[k] = s
		}
	}
	return found
}

func ingressHosts(r *check.Resource) []string {
	i, ok := r.Typed().(*networkingv1.Ingress)
	if !ok {
		return nil
	}
	var hosts []string
	for _, rule := range i.Spec.Rules {
		if rule.Host != "" && !slices.Contains(hosts, rule.Host) {
			hosts = append(hosts, rule.Host)
		}
	}
	return hosts
}

// keysOf are the keys of a ConfigMap or Secret; values are nobody's business here.
func keysOf(r *check.Resource) []string {
	switch o := r.Typed().(type) {
	case *core.ConfigMap:
		return slices.Sorted(maps.Keys(o.Data))
	case *core.Secret:
		keys := slices.AppendSeq(slices.Collect(maps.Keys(o.Data)), maps.Keys(o.StringData))
		slices.Sort(keys)
		return slices.Compact(keys)
	}
	return nil
}

// noteOf is the one fact of an object that its box shows.
func noteOf(r *check.Resource) string {
	switch o := r.Typed().(type) {
	case *autoscaling.HorizontalPodAutoscaler:
		low := int32(1)
		if o.Spec.MinReplicas != nil {
			low = *o.Spec.MinReplicas
		}
		return fmt.Sprintf("%d–%d", low, o.Spec.MaxReplicas)
	case *core.PersistentVolumeClaim:
		size := o.Spec.Resources.Requests[core.ResourceStorage]
		return size.String()
	case *batch.CronJob:
		return o.Spec.Schedule
	case *policy.PodDisruptionBudget:
		if o.Spec.MinAvailable != nil {
			return "min " + o.Spec.MinAvailable.String()
		}
		if o.Spec.MaxUnavailable != nil {
			return "max " + o.Spec.MaxUnavailable.String()
		}
	}
	switch r.Kind() {
	case "AuthorizationPolicy":
		if action, ok := value(r, "spec", "action").(string); ok {
			return action
		}
		return "ALLOW"
	case "PeerAuthentication":
		mode, _ := value(r, "spec", "mtls", "mode").(string)
		return mode
	}
	return ""
}
