package check

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/apimachinery/pkg/util/validation"
)

// Services checks Services for what the API server refuses beyond types.
func Services() Rule {
	return Rule{
		Codes: []string{CodeInvalid},
		Name:  "services",
		Doc:   "A Service decodes, and the API server would refuse it.",
		Run: func(_ context.Context, in *Input) []Finding {
			var found []Finding
			for _, r := range in.Resources() {
				if s, ok := r.Typed().(*corev1.Service); ok {
					v := &validator{resource: r}
					v.service(&s.Spec)
					found = append(found, v.found...)
				}
			}
			return found
		},
	}
}

func (v *validator) service(s *corev1.ServiceSpec) {
	switch s.Type {
	case "", corev1.ServiceTypeClusterIP, corev1.ServiceTypeNodePort, corev1.ServiceTypeLoadBalancer:
	case corev1.ServiceTypeExternalName:
		if s.ExternalName == "" {
			v.refuse("spec.externalName", "type ExternalName without externalName", "write the host that the name stands for")
		}
	default:
		v.refuse("spec.type", fmt.Sprintf("type %q", s.Type), "use ClusterIP, NodePort, LoadBalancer or ExternalName")
	}
	if len(s.Ports) == 0 && s.Type != corev1.ServiceTypeExternalName && s.ClusterIP != corev1.ClusterIPNone {
		v.refuse("spec.ports", "it has no port", "add a port; its name tells Istio the protocol, such as http")
	}
	for key, value := range s.Selector {
		if len(validation.IsQualifiedName(key)) > 0 || len(validation.IsValidLabelValue(value)) > 0 {
			v.refuse("spec.selector["+key+"]", fmt.Sprintf("%q: %q is no label", key, value), "use labels of the pods that serve this")
		}
	}
	names, numbers := map[string]bool{}, map[string]bool{}
	for i := range s.Ports {
		v.servicePort(fmt.Sprintf("spec.ports[%d]", i), &s.Ports[i], len(s.Ports) > 1, names, numbers)
	}
}

func (v *validator) servicePort(field string, p *corev1.ServicePort, several bool, names, numbers map[string]bool) {
	switch {
	case p.Name == "" && several:
		v.refuse(field+".name", "with more than one port, each needs a name", "name the port for its protocol, such as http or tcp-kafka")
	case p.Name != "" && len(validation.IsDNS1123Label(p.Name)) > 0:
		v.refuse(field+".name", fmt.Sprintf("port name %q: %s", p.Name, brief(validation.IsDNS1123Label(p.Name)[0])), "use lower-case letters, digits and dashes")
	case p.Name != "" && names[p.Name]:
		v.refuse(field+".name", fmt.Sprintf("port name %q is there twice", p.Name), "rename one of the ports")
	}
	names[p.Name] = true
	if faults := validation.IsValidPortNum(int(p.Port)); len(faults) > 0 {
		v.refuse(field+".port", fmt.Sprintf("port %d: %s", p.Port, brief(faults[0])), "use a port from 1 to 65535")
	}
	protocol := p.Protocol
	switch protocol {
	case "":
		protocol = corev1.ProtocolTCP
	case corev1.ProtocolTCP, corev1.ProtocolUDP, corev1.ProtocolSCTP:
	default:
		v.refuse(field+".protocol", fmt.Sprintf("protocol %q", p.Protocol), "use TCP, UDP or SCTP; HTTP goes into the port's name or appProtocol")
	}
	key := fmt.Sprintf("%s/%d", protocol, p.Port)
	if numbers[key] {
		v.refuse(field+".port", fmt.Sprintf("port %d (%s) is there twice", p.Port, protocol), "remove one, or use another number")
	}
	numbers[key] = true
	v.targetPort(field+".targetPort", p.TargetPort)
}

func (v *validator) targetPort(field string, port intstr.IntOrString) {
	if port == (intstr.IntOrString{}) {
		return // the same as port
	}
	var faults []string
	if port.Type == intstr.Int {
		faults = validation.IsValidPortNum(port.IntValue())
	} else {
		faults = validation.IsValidPortName(port.StrVal)
	}
	if len(faults) > 0 {
		v.refuse(field, fmt.Sprintf("targetPort %s: %s", port.String(), brief(faults[0])), "use the number or name of a container's port")
	}
}
