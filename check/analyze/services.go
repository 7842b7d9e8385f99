package analyze

import (
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"

	"istio.io/istio/pkg/config/resource"
	"istio.io/istio/pkg/config/schema/gvk"
)

// serviceIndex finds Services by one of the labels that they select.
type serviceIndex map[serviceLabel][]*resource.Instance

type serviceLabel struct {
	namespace resource.Namespace
	key       string
	value     string
}

func (w *world) servicesByLabel() serviceIndex {
	index := serviceIndex{}
	for _, r := range w.objects[gvk.Service] {
		// Any one label will do: a Service selects only what has all of them.
		first := ""
		selector := r.Message.(*corev1.ServiceSpec).Selector
		for k := range selector {
			if first == "" || k < first {
				first = k
			}
		}
		if first != "" {
			at := serviceLabel{r.Metadata.FullName.Namespace, first, selector[first]}
			index[at] = append(index[at], r)
		}
	}
	return index
}

// of gives the Services that may select the Deployment's pods: all that do,
// and perhaps some that share only a label.
func (x serviceIndex) of(deployment *resource.Instance) []*resource.Instance {
	var all []*resource.Instance
	for k, v := range deployment.Message.(*appsv1.DeploymentSpec).Template.Labels {
		all = append(all, x[serviceLabel{deployment.Metadata.FullName.Namespace, k, v}]...)
	}
	return all
}
