package check

import "k8s.io/apimachinery/pkg/runtime/schema"

// removedAPI is a version that current clusters no longer serve.
type removedAPI struct {
	use   string // the apiVersion to write instead, "" where there is none
	since string // the Kubernetes version that took it away
	// kinds are the kinds that use is for; nil stands for all.
	kinds []string
}

// removedAPIs follows https://kubernetes.io/docs/reference/using-api/deprecation-guide/.
var removedAPIs = map[string][]removedAPI{
	"extensions/v1beta1": {
		{"apps/v1", "1.16", []string{"DaemonSet", "Deployment", "ReplicaSet"}},
		{"networking.k8s.io/v1", "1.16", []string{"NetworkPolicy"}},
		{"networking.k8s.io/v1", "1.22", []string{"Ingress"}},
		{"", "1.16", []string{"PodSecurityPolicy"}},
	},
	"apps/v1beta1":                         {{"apps/v1", "1.16", nil}},
	"apps/v1beta2":                         {{"apps/v1", "1.16", nil}},
	"admissionregistration.k8s.io/v1beta1": {{"admissionregistration.k8s.io/v1", "1.22", nil}},
	"apiextensions.k8s.io/v1beta1":         {{"apiextensions.k8s.io/v1", "1.22", nil}},
	"apiregistration.k8s.io/v1beta1":       {{"apiregistration.k8s.io/v1", "1.22", nil}},
	"authentication.k8s.io/v1beta1":        {{"authentication.k8s.io/v1", "1.22", nil}},
	"authorization.k8s.io/v1beta1":         {{"authorization.k8s.io/v1", "1.22", nil}},
	"autoscaling/v2beta1":                  {{"autoscaling/v2", "1.25", nil}},
	"autoscaling/v2beta2":                  {{"autoscaling/v2", "1.26", nil}},
	"batch/v1beta1":                        {{"batch/v1", "1.25", nil}},
	"batch/v2alpha1":                       {{"batch/v1", "1.21", nil}},
	"certificates.k8s.io/v1beta1":          {{"certificates.k8s.io/v1", "1.22", []string{"CertificateSigningRequest"}}},
	"coordination.k8s.io/v1beta1":          {{"coordination.k8s.io/v1", "1.22", []string{"Lease"}}},
	"discovery.k8s.io/v1beta1":             {{"discovery.k8s.io/v1", "1.25", nil}},
	"events.k8s.io/v1beta1":                {{"events.k8s.io/v1", "1.25", nil}},
	"flowcontrol.apiserver.k8s.io/v1beta1": {{"flowcontrol.apiserver.k8s.io/v1", "1.26", nil}},
	"flowcontrol.apiserver.k8s.io/v1beta2": {{"flowcontrol.apiserver.k8s.io/v1", "1.29", nil}},
	"flowcontrol.apiserver.k8s.io/v1beta3": {{"flowcontrol.apiserver.k8s.io/v1", "1.32", nil}},
	"networking.k8s.io/v1beta1":            {{"networking.k8s.io/v1", "1.22", []string{"Ingress", "IngressClass"}}},
	"node.k8s.io/v1beta1":                  {{"node.k8s.io/v1", "1.25", nil}},
	"policy/v1beta1": {
		{"policy/v1", "1.25", []string{"PodDisruptionBudget"}},
		{"", "1.25", []string{"PodSecurityPolicy"}},
	},
	"rbac.authorization.k8s.io/v1alpha1": {{"rbac.authorization.k8s.io/v1", "1.22", nil}},
	"rbac.authorization.k8s.io/v1beta1":  {{"rbac.authorization.k8s.io/v1", "1.22", nil}},
	"scheduling.k8s.io/v1alpha1":         {{"scheduling.k8s.io/v1", "1.22", []string{"PriorityClass"}}},
	"scheduling.k8s.io/v1beta1":          {{"scheduling.k8s.io/v1", "1.22", []string{"PriorityClass"}}},
	"storage.k8s.io/v1beta1": {
		{"storage.k8s.io/v1", "1.22", []string{"CSIDriver", "CSINode", "StorageClass", "VolumeAttachment"}},
		{"storage.k8s.io/v1", "1.27", []string{"CSIStorageCapacity"}},
	},
}

func removed(gvk schema.GroupVersionKind) (removedAPI, bool) {
	for _, r := range removedAPIs[gvk.GroupVersion().String()] {
		if r.kinds == nil {
			return r, true
		}
		for _, kind := range r.kinds {
			if kind == gvk.Kind {
				return r, true
			}
		}
	}
	return removedAPI{}, false
}
