package canvas

import (
	"encoding/base64"
	"strings"

	"go.yaml.in/yaml/v3"
)

// repairKind mends what is known to be wrong with single kinds.
func (t *taker) repairKind(d *drawing) {
	switch {
	case d.kind == "Ingress":
		t.repairIngress(d)
	case d.is("autoscaling", "HorizontalPodAutoscaler"):
		t.repairAutoscaler(d)
	case d.is(groupCore, "PersistentVolumeClaim"):
		t.repairClaim(d)
	case d.is(groupCore, "PersistentVolume"):
		t.repairVolume(d)
	case d.is(groupCore, "Secret"):
		t.repairSecret(d)
	case d.is("storage.k8s.io", "StorageClass"):
		t.repairStorageClass(d)
	case d.group == groupRBAC:
		t.repairBinding(d)
	case d.is(groupIstio, "ServiceEntry"):
		t.repairServiceEntry(d)
	case d.is(groupIstio, "Gateway"):
		t.repairGateway(d)
	case d.is(groupIstio, "DestinationRule"):
		t.repairDestinationRule(d)
	case d.is(groupIstio, "VirtualService"):
		t.repairVirtualService(d)
	case d.is("apiextensions.k8s.io", "CustomResourceDefinition") && d.version != "v1":
		t.leaveOut(d, "apiextensions.k8s.io/%s is gone from Kubernetes, and v1 needs a schema that only its author knows", d.version)
	}
}

// pruneTexts removes empty entries from a list of texts.
func pruneTexts(n *yaml.Node, path ...string) {
	s := at(n, path...)
	if !isSequence(s) {
		return
	}
	var kept []*yaml.Node
	for _, item := range s.Content {
		if item.Kind != yaml.ScalarNode || strings.TrimSpace(item.Value) != "" && !isNull(item) {
			kept = append(kept, item)
		}
	}
	s.Content = kept
	if len(kept) == 0 {
		remove(n, path...)
	}
}

// pruneBlank removes scalars that are empty, such as boxes left empty.
func pruneBlank(n *yaml.Node, path ...string) {
	if v := at(n, path...); v != nil && v.Kind == yaml.ScalarNode && v.Value == "" {
		remove(n, path...)
	}
}

// repairAutoscaler completes the target from the arrow drawn.
func (t *taker) repairAutoscaler(d *drawing) {
	if empty(d.node, "spec", "metrics") && remove(d.node, "spec", "metrics") {
		t.warn(d, "it names no metric, so Kubernetes aims at 80 %% of the CPU request")
	}
	if text(d.node, "spec", "scaleTargetRef", "name") == "" {
		target := t.pointsAt(d, "Deployment", "StatefulSet", "ReplicaSet", "Rollout")
		if target == nil {
			t.leaveOut(d, "it has no target: neither scaleTargetRef nor an arrow names one")
			return
		}
		set(d.node, pairs("apiVersion", str(text(target.node, "apiVersion")), "kind", str(target.kind), "name", str(target.original)),
			"spec", "scaleTargetRef")
		t.warn(d, "its target was empty; completed from its arrow: %s", target)
	}
	ref := at(d.node, "spec", "scaleTargetRef")
	if text(ref, "kind") == "" {
		set(ref, str("Deployment"), "kind")
	}
	if v := text(ref, "apiVersion"); v == "" || strings.Contains(v, "beta") {
		if v := versions[text(ref, "kind")]; v != "" {
			set(ref, str(v), "apiVersion")
		}
	}
	if n, ok := number(d.node, "spec", "maxReplicas"); !ok || n < 1 {
		t.leaveOut(d, "it names no maxReplicas")
	}
}

// pointsAt is the object of one of these kinds that an arrow leads to.
func (t *taker) pointsAt(d *drawing, kinds ...string) *drawing {
	for _, to := range t.from[d.id] {
		target := t.byID[to]
		for _, kind := range kinds {
			if target != nil && target.kind == kind {
				return target
			}
		}
	}
	return nil
}

func (t *taker) repairClaim(d *drawing) {
	spec := at(d.node, "spec")
	pruneTexts(spec, "accessModes")
	switch {
	case empty(spec, "accessModes"):
		t.leaveOut(d, "it names no access mode")
		return
	case text(spec, "resources", "requests", "storage") == "":
		t.leaveOut(d, "it asks for no storage")
		return
	}
	if v := at(spec, "storageClassName"); v != nil && text(v) == "" {
		remove(spec, "storageClassName")
		t.warn(d, `the line storageClassName: "" is removed: it would keep the cluster's default storage class from providing the volume (the lab tells learners to delete it)`)
	}
	for _, key := range []string{"volumeName", "volumeMode"} {
		pruneBlank(spec, key)
	}
}

func (t *taker) repairVolume(d *drawing) {
	spec := at(d.node, "spec")
	pruneTexts(spec, "accessModes")
	switch {
	case empty(spec, "accessModes"):
		t.leaveOut(d, "it names no access mode")
		return
	case text(spec, "capacity", "storage") == "":
		t.leaveOut(d, "it has no capacity")
		return
	}
	for _, key := range []string{"persistentVolumeReclaimPolicy", "storageClassName", "volumeMode"} {
		pruneBlank(spec, key)
	}
}

func (t *taker) repairStorageClass(d *drawing) {
	if text(d.node, "provisioner") == "" {
		t.leaveOut(d, "it names no provisioner")
		return
	}
	for _, key := range []string{"reclaimPolicy", "volumeBindingMode"} {
		pruneBlank(d.node, key)
	}
}

// repairSecret moves values that are not base64, which data must be, to
// stringData.
func (t *taker) repairSecret(d *drawing) {
	var moved []string
	for key, value := range fields(d.node, "data") {
		if _, err := base64.StdEncoding.DecodeString(text(value)); err != nil && value.Kind == yaml.ScalarNode {
			remove(d.node, "data", key)
			set(d.node, value, "stringData", key)
			moved = append(moved, key)
		}
	}
	if empty(d.node, "data") {
		remove(d.node, "data")
	}
	if moved != nil {
		t.warn(d, "values in plain text move from data to stringData: %s", strings.Join(moved, ", "))
	}
}

func (t *taker) repairBinding(d *drawing) {
	if !strings.HasSuffix(d.kind, "Binding") {
		return
	}
	if text(d.node, "roleRef", "name") == "" {
		role := t.pointsAt(d, "Role", "ClusterRole")
		if role == nil {
			t.leaveOut(d, "it binds no role: neither roleRef nor an arrow names one")
			return
		}
		set(d.node, pairs("apiGroup", str(groupRBAC), "kind", str(role.kind), "name", str(role.original)), "roleRef")
		t.warn(d, "roleRef was empty; completed from its arrow: %s", role)
	}
	if ref := at(d.node, "roleRef"); isMapping(ref) {
		set(ref, str(groupRBAC), "apiGroup")
		if text(ref, "kind") == "" {
			set(ref, str("Role"), "kind")
		}
	}
	var kept []*yaml.Node
	for _, s := range items(d.node, "subjects") {
		if text(s, "name") != "" {
			kept = append(kept, s)
		}
	}
	if list := at(d.node, "subjects"); isSequence(list) {
		list.Content = kept
	}
}
