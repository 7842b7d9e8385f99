package istio

import (
	"fmt"
	"maps"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
	gatewayv1beta1 "sigs.k8s.io/gateway-api/apis/v1beta1"

	networking "istio.io/api/networking/v1alpha3"
	networkingv1 "istio.io/client-go/pkg/apis/networking/v1"
	"istio.io/istio/pilot/pkg/config/kube/gatewaycommon"
	"istio.io/istio/pkg/config"
)

// gatewayAPIObjects are the objects that the Gateway API controller looks at.
func (w *world) gatewayAPIObjects() ([]runtime.Object, error) {
	var all []runtime.Object
	for _, o := range w.gatewayed {
		typed := gatewayAPIType(o.kind)
		if typed == nil {
			continue
		}
		if err := o.into(typed); err != nil {
			w.problem(o, "it cannot be decoded, and has no effect here: %v", err)
			continue
		}
		m := typed.(metav1.Object)
		if m.GetCreationTimestamp().Time.IsZero() {
			m.SetCreationTimestamp(metav1.Time{Time: epoch})
		}
		if !w.plain {
			w.tokens.markRoute(o, typed)
		}
		all = append(all, typed)
	}
	for _, s := range w.services {
		c := s.DeepCopy()
		c.TypeMeta = metav1.TypeMeta{APIVersion: "v1", Kind: "Service"}
		all = append(all, c)
	}
	for _, c := range w.configs {
		if spec, ok := c.Spec.(*networking.ServiceEntry); ok {
			e := &networkingv1.ServiceEntry{ObjectMeta: metav1.ObjectMeta{Name: c.Name, Namespace: c.Namespace, Labels: c.Labels}}
			spec.DeepCopyInto(&e.Spec)
			all = append(all, e)
		}
	}
	made, err := w.certificates(all)
	return append(all, made...), err
}

func gatewayAPIType(kind string) runtime.Object {
	switch kind {
	case "GatewayClass":
		return &gatewayv1.GatewayClass{}
	case "Gateway":
		return &gatewayv1.Gateway{}
	case "HTTPRoute":
		return &gatewayv1.HTTPRoute{}
	case "GRPCRoute":
		return &gatewayv1.GRPCRoute{}
	case "TCPRoute":
		return &gatewayv1.TCPRoute{}
	case "TLSRoute":
		return &gatewayv1.TLSRoute{}
	case "ListenerSet":
		return &gatewayv1.ListenerSet{}
	case "BackendTLSPolicy":
		return &gatewayv1.BackendTLSPolicy{}
	case "ReferenceGrant":
		return &gatewayv1beta1.ReferenceGrant{}
	case "Secret":
		return &corev1.Secret{}
	case "ConfigMap":
		return &corev1.ConfigMap{}
	}
	return nil
}

// markRoute names the rules of the kinds that become HTTP routes.
func (t *tokens) markRoute(o *object, typed runtime.Object) {
	switch r := typed.(type) {
	case *gatewayv1.HTTPRoute:
		t.markHTTPRoute(o, r)
	case *gatewayv1.GRPCRoute:
		t.markGRPCRoute(o, r)
	}
}

// written is a field that the document has; "" for one that the API server
// filled in.
func (o *object) written(field string) string {
	if o.doc == nil || o.doc.Get(field) == nil {
		return ""
	}
	return field
}

// markHTTPRoute names the rules. The controller makes one rule of each match
// under one name, so the route goes in with one match per rule.
func (t *tokens) markHTTPRoute(o *object, r *gatewayv1.HTTPRoute) {
	var rules []gatewayv1.HTTPRouteRule
	for i, rule := range r.Spec.Rules {
		name, m := ruleMark(o, i, rule.Name)
		for j, match := range rule.Matches {
			m.match = o.written(fmt.Sprintf("%s.matches[%d]", m.field, j))
			rule.Name, rule.Matches = name(t, m), []gatewayv1.HTTPRouteMatch{match}
			rules = append(rules, rule)
		}
		if len(rule.Matches) == 0 {
			rule.Name = name(t, m)
			rules = append(rules, rule)
		}
	}
	r.Spec.Rules = rules
}

func (t *tokens) markGRPCRoute(o *object, r *gatewayv1.GRPCRoute) {
	var rules []gatewayv1.GRPCRouteRule
	for i, rule := range r.Spec.Rules {
		name, m := ruleMark(o, i, rule.Name)
		for j, match := range rule.Matches {
			m.match = o.written(fmt.Sprintf("%s.matches[%d]", m.field, j))
			rule.Name, rule.Matches = name(t, m), []gatewayv1.GRPCRouteMatch{match}
			rules = append(rules, rule)
		}
		if len(rule.Matches) == 0 {
			rule.Name = name(t, m)
			rules = append(rules, rule)
		}
	}
	r.Spec.Rules = rules
}

// ruleMark is what a rule's token stands for; istiod names rules without a
// name NAMESPACE.NAME.INDEX.
func ruleMark(o *object, i int, written *gatewayv1.SectionName) (func(*tokens, mark) *gatewayv1.SectionName, mark) {
	m := mark{object: o, field: fmt.Sprintf("spec.rules[%d]", i), sent: fmt.Sprintf("%s.%s.%d", o.namespace, o.name, i)}
	if written != nil {
		m.name, m.sent = string(*written), string(*written)
	}
	return func(t *tokens, m mark) *gatewayv1.SectionName {
		name := gatewayv1.SectionName(t.make(m))
		return &name
	}, m
}

// addGatewayAPIGateways adds the Deployment and Service that istiod makes for
// a Gateway of the Gateway API (files/kube-gateway.yaml of the istiod chart).
func (w *world) addGatewayAPIGateways() {
	for _, o := range w.gatewayed {
		if o.kind != "Gateway" {
			continue
		}
		gw := &gatewayv1.Gateway{}
		if o.into(gw) != nil || !gatewaycommon.IsManaged(&gw.Spec) || !w.istioClass(gw.Spec.GatewayClassName) {
			continue
		}
		waypoint := gw.Spec.GatewayClassName == "istio-waypoint"
		name := gw.Annotations["gateway.istio.io/name-override"]
		if name == "" {
			name = gatewaycommon.GetDefaultName(gw.Name, &gw.Spec, waypoint)
		}
		ls := map[string]string{"gateway.networking.k8s.io/gateway-class-name": string(gw.Spec.GatewayClassName),
			"gateway.istio.io/managed": "istio.io-gateway-controller"}
		if i := gw.Spec.Infrastructure; i != nil {
			for k, v := range maps.All(i.Labels) {
				ls[string(k)] = string(v)
			}
		}
		selector := map[string]string{"gateway.networking.k8s.io/gateway-name": gw.Name}
		maps.Copy(ls, selector)
		ports := []corev1.ServicePort{port("status-port", 15021, 15021)}
		seen := map[int32]bool{}
		for _, l := range gw.Spec.Listeners {
			number := l.Port
			if seen[number] {
				continue
			}
			seen[number] = true
			p := port(string(l.Name), number, number)
			protocol := strings.ToLower(string(l.Protocol))
			p.AppProtocol = &protocol
			ports = append(ports, p)
		}
		w.addMadeUp(gw.Namespace, name, ls, selector, ports)
		if waypoint {
			w.note(o, "what a waypoint proxy does is not translated here")
		}
	}
}

// istioClass tells whether istiod deploys Gateways of a class.
func (w *world) istioClass(class gatewayv1.ObjectName) bool {
	if o := w.objects[key{"gateway.networking.k8s.io", "GatewayClass", "", string(class)}]; o != nil {
		c := &gatewayv1.GatewayClass{}
		return o.into(c) == nil && strings.HasPrefix(string(c.Spec.ControllerName), "istio.io/gateway-controller")
	}
	_, ok := gatewaycommon.GetBuiltinGatewayClasses()[class]
	return ok && class != "istio-remote"
}

// checkAttached says which routes of the Gateway API come to nothing.
func (w *world) checkAttached(translated []config.Config) {
	attached := map[*object]bool{}
	for _, c := range translated {
		if spec, ok := c.Spec.(*networking.VirtualService); ok {
			for _, r := range spec.Http {
				if m, ok := w.tokens.find(r.Name); ok {
					attached[m.object] = true
				}
			}
		}
	}
	for _, o := range w.gatewayed {
		if (o.kind == "HTTPRoute" || o.kind == "GRPCRoute") && !attached[o] {
			w.note(o, "it attaches to no listener: check that a parentRef names a Gateway or Service that is there, "+
				"that the hostnames overlap, and that the listener allows routes of this namespace and kind")
		}
	}
}
