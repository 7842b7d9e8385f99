package kubelet

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"
)

// event writes an event about a pod, or about one of its containers.
func (k *Kubelet) event(p *corev1.Pod, container, kind, reason, message string) {
	k.recorder.Event(reference(p, container), kind, reason, message)
}

// reference names a pod, or a container of it by the path that a kubelet uses.
func reference(p *corev1.Pod, container string) *corev1.ObjectReference {
	ref := &corev1.ObjectReference{
		APIVersion: "v1", Kind: "Pod", Namespace: p.Namespace, Name: p.Name, UID: p.UID, ResourceVersion: p.ResourceVersion,
	}
	for i := range p.Spec.InitContainers {
		if p.Spec.InitContainers[i].Name == container {
			ref.FieldPath = fmt.Sprintf("spec.initContainers{%s}", container)
		}
	}
	for i := range p.Spec.Containers {
		if p.Spec.Containers[i].Name == container {
			ref.FieldPath = fmt.Sprintf("spec.containers{%s}", container)
		}
	}
	return ref
}
