package installation

import (
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// pod is what injection looks at in a pod or a template of pods.
type pod struct {
	labels, annotations map[string]string
	hostNetwork         bool
}

// podOf finds the pod that an object makes; false for objects that make none.
func podOf(o *unstructured.Unstructured) (pod, bool) {
	var at []string
	switch o.GetKind() {
	case "Pod":
		return podAt(o.Object)
	case "Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "Job", "ReplicationController":
		at = []string{"spec", "template"}
	case "CronJob":
		at = []string{"spec", "jobTemplate", "spec", "template"}
	default:
		return pod{}, false
	}
	template, ok, err := unstructured.NestedMap(o.Object, at...)
	if !ok || err != nil {
		return pod{}, false
	}
	return podAt(template)
}

func podAt(content map[string]any) (pod, bool) {
	var p pod
	p.labels, _, _ = unstructured.NestedStringMap(content, "metadata", "labels")
	p.annotations, _, _ = unstructured.NestedStringMap(content, "metadata", "annotations")
	p.hostNetwork, _, _ = unstructured.NestedBool(content, "spec", "hostNetwork")
	return p, true
}

// optsOut reports whether a pod says that it is no part of the mesh. Pods of the
// host's network never get a sidecar.
func (p pod) optsOut() bool {
	return p.hostNetwork || p.labels[podLabel] == "false" || p.labels[podLabel] == "" && p.annotations[podLabel] == "false"
}
