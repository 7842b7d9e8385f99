package shift

import (
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// Settings by which a tool that keeps objects in step with a repository leaves
// the rules alone; docs/gitops.md has them whole.
const (
	argoSetting = "ignoreDifferences: [{group: networking.istio.io, kind: VirtualService, jsonPointers: [/spec/http]}] " +
		"with syncOptions: [RespectIgnoreDifferences=true] in the Application"
	fluxSetting  = "the annotation kustomize.toolkit.fluxcd.io/ssa: IfNotPresent on the VirtualService in the repository"
	otherSetting = "leave spec.http out of what it applies, or pause it"
)

// tracks are labels and annotations by which a tool says that an object is its.
var tracks = []struct{ key, tool, setting string }{
	{"argocd.argoproj.io/tracking-id", "Argo CD", argoSetting},
	{"argocd.argoproj.io/instance", "Argo CD", argoSetting},
	{"kustomize.toolkit.fluxcd.io/name", "Flux", fluxSetting},
	{"helm.toolkit.fluxcd.io/name", "Flux", fluxSetting},
}

// GitOps says which tool keeps this object in step with a repository and would
// set its rules back: Argo CD or Flux, by their tracking labels and annotations,
// or another manager that applied spec.http. "" if none does.
func GitOps(vs *unstructured.Unstructured) (tool, setting string) {
	for _, t := range tracks {
		_, labelled := vs.GetLabels()[t.key]
		_, annotated := vs.GetAnnotations()[t.key]
		// With IfNotPresent Flux makes the object and leaves it alone then.
		if (labelled || annotated) && (t.tool != "Flux" || vs.GetAnnotations()["kustomize.toolkit.fluxcd.io/ssa"] != "IfNotPresent") {
			return t.tool, t.setting
		}
	}
	for _, entry := range vs.GetManagedFields() {
		// Without server-side apply Argo CD patches as kubectl does.
		if strings.HasPrefix(entry.Manager, "argocd-") {
			return "Argo CD", argoSetting
		}
		ours := entry.Manager == "meshstorm" || entry.Manager == Manager
		if ours || entry.Operation != metav1.ManagedFieldsOperationApply || entry.FieldsV1 == nil || !strings.Contains(entry.FieldsV1.GetRawString(), `"f:http":`) {
			continue
		}
		if entry.Manager == "kustomize-controller" || entry.Manager == "helm-controller" {
			return "Flux", fluxSetting
		}
		return "field manager " + entry.Manager, otherSetting
	}
	return "", ""
}
