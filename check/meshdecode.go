package check

import (
	"encoding/json"
	"strings"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	networking "istio.io/api/networking/v1alpha3"
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
)

// HTTPRoute is the part of the Gateway API's that rules about hosts need.
type HTTPRoute struct {
	*Resource
	Spec HTTPRouteSpec
}

// HTTPRouteSpec has the fields of gateway.networking.k8s.io/v1 by their names
// there.
type HTTPRouteSpec struct {
	ParentRefs []ParentRef `json:"parentRefs"`
	Hostnames  []string    `json:"hostnames"`
}

// ParentRef is what a route is attached to; "" stands for the API's defaults:
// a Gateway of the Gateway API, in the route's namespace.
type ParentRef struct {
	Group       *string `json:"group"` // "" is Kubernetes' core group, nil the Gateway API's
	Kind        string  `json:"kind"`
	Namespace   string  `json:"namespace"`
	Name        string  `json:"name"`
	SectionName string  `json:"sectionName"`
	Port        int32   `json:"port"`
}

// KubeGateway is a Gateway of the Gateway API, also where it is a waypoint.
type KubeGateway struct {
	*Resource
	Spec KubeGatewaySpec
}

// KubeGatewaySpec has the fields of gateway.networking.k8s.io/v1 by their names
// there.
type KubeGatewaySpec struct {
	GatewayClassName string `json:"gatewayClassName"`
	Listeners        []struct {
		Name     string `json:"name"`
		Hostname string `json:"hostname"`
		Port     int32  `json:"port"`
		Protocol string `json:"protocol"`
	} `json:"listeners"`
}

func (m *Mesh) addIstio(r *Resource) {
	switch r.Kind() {
	case "VirtualService":
		if spec := new(networking.VirtualService); decodeSpec(r, spec) {
			v := newVirtualService(r, spec)
			v.index = len(m.VirtualServices)
			m.VirtualServices = append(m.VirtualServices, v)
		}
	case "Gateway":
		if spec := new(networking.Gateway); decodeSpec(r, spec) {
			g := &Gateway{r, spec}
			m.Gateways = append(m.Gateways, g)
			m.gateways[g.Key()] = g
		}
	case "DestinationRule":
		if spec := new(networking.DestinationRule); decodeSpec(r, spec) {
			m.DestinationRules = append(m.DestinationRules, &DestinationRule{r, spec, ResolveHost(spec.GetHost(), r.Namespace())})
		}
	case "ServiceEntry":
		if spec := new(networking.ServiceEntry); decodeSpec(r, spec) {
			m.ServiceEntries = append(m.ServiceEntries, &ServiceEntry{r, spec})
		}
	}
}

func newVirtualService(r *Resource, spec *networking.VirtualService) *VirtualService {
	v := &VirtualService{Resource: r, Spec: spec}
	for _, h := range spec.GetHosts() {
		v.Hosts = append(v.Hosts, ResolveHost(h, r.Namespace()))
	}
	for _, g := range spec.GetGateways() {
		v.Gateways = append(v.Gateways, resolveGateway(g, r.Namespace()))
	}
	if len(v.Gateways) == 0 && len(v.Hosts) > 0 {
		v.Gateways = []string{MeshGateway}
	}
	return v
}

func (m *Mesh) addGatewayAPI(r *Resource) {
	switch r.Kind() {
	case "HTTPRoute":
		route := &HTTPRoute{Resource: r}
		if unmarshalSpec(r, &route.Spec) {
			m.HTTPRoutes = append(m.HTTPRoutes, route)
		}
	case "Gateway":
		gateway := &KubeGateway{Resource: r}
		if unmarshalSpec(r, &gateway.Spec) {
			m.KubeGateways = append(m.KubeGateways, gateway)
		}
	}
}

// decodeSpec reads the object's spec into one of Istio's messages, as istiod
// does: fields that it does not know are skipped.
func decodeSpec(r *Resource, spec proto.Message) bool {
	data, ok := specJSON(r)
	return ok && protojson.UnmarshalOptions{DiscardUnknown: true}.Unmarshal(data, spec) == nil
}

func unmarshalSpec(r *Resource, spec any) bool {
	data, ok := specJSON(r)
	return ok && json.Unmarshal(data, spec) == nil
}

func specJSON(r *Resource) (json.RawMessage, bool) {
	var object struct {
		Spec json.RawMessage `json:"spec"`
	}
	if json.Unmarshal(r.JSON, &object) != nil || r.Name() == "" {
		return nil, false
	}
	return object.Spec, len(object.Spec) > 0
}

// workload reads what makes pods; nil for other kinds.
func workload(r *Resource) *Workload {
	w := &Workload{Resource: r, Replicas: 1}
	var replicas *int32
	switch o := r.Typed().(type) {
	case *appsv1.Deployment:
		w.Template, replicas = &o.Spec.Template, o.Spec.Replicas
	case *appsv1.StatefulSet:
		w.Template, replicas = &o.Spec.Template, o.Spec.Replicas
	case *appsv1.ReplicaSet:
		w.Template, replicas = &o.Spec.Template, o.Spec.Replicas
	case *appsv1.DaemonSet:
		w.Template = &o.Spec.Template
	case *corev1.ReplicationController:
		w.Template, replicas = o.Spec.Template, o.Spec.Replicas
	case *batchv1.Job:
		w.Template = &o.Spec.Template
	case *batchv1.CronJob:
		w.Template = &o.Spec.JobTemplate.Spec.Template
	case *corev1.Pod:
		w.Template = &corev1.PodTemplateSpec{ObjectMeta: o.ObjectMeta, Spec: o.Spec}
	default:
		return rollout(r)
	}
	if w.Template == nil {
		return nil
	}
	if replicas != nil {
		w.Replicas = *replicas
	}
	return w
}

// rollout reads Argo's Rollout and other kinds that client-go does not know and
// that hold a pod template where a Deployment has it.
func rollout(r *Resource) *Workload {
	if strings.HasSuffix(r.Kind(), "Template") || !strings.Contains(r.Group(), ".") {
		return nil
	}
	var spec struct {
		Replicas *int32                  `json:"replicas"`
		Template *corev1.PodTemplateSpec `json:"template"`
	}
	if !unmarshalSpec(r, &spec) || spec.Template == nil || len(spec.Template.Labels) == 0 {
		return nil
	}
	w := &Workload{Resource: r, Template: spec.Template, Replicas: 1}
	if spec.Replicas != nil {
		w.Replicas = *spec.Replicas
	}
	return w
}
