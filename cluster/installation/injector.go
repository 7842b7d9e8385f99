package installation

import (
	"strings"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
)

// Injector is a webhook that puts sidecars into pods.
type Injector struct {
	Name     string `json:"name"`
	Revision string `json:"revision"`
	Tag      string `json:"tag,omitempty"` // the name that namespaces may say for the revision
	Service  string `json:"service"`       // "istio-system/istiod", or the URL of a control plane elsewhere
	// Trusted is false until istiod has written its certificate into it: before
	// that the API server cannot call it.
	Trusted bool `json:"trusted"`

	hooks []hook
}

// hook is when a webhook of the configuration is called.
type hook struct{ namespace, object labels.Selector }

// Labels that put a namespace or a pod into the mesh (istio.io/latest/docs/
// reference/config/labels).
const (
	injectionLabel = "istio-injection"
	revisionLabel  = "istio.io/rev"
	modeLabel      = "istio.io/dataplane-mode"
	podLabel       = "sidecar.istio.io/inject"
)

func newInjector(w *admissionv1.MutatingWebhookConfiguration) (Injector, bool) {
	in := Injector{Name: w.Name, Revision: revisionName(w.Labels[revisionLabel]), Tag: w.Labels["istio.io/tag"], Trusted: true}
	for i := range w.Webhooks {
		h := &w.Webhooks[i]
		if !strings.HasSuffix(h.Name, "sidecar-injector.istio.io") {
			continue
		}
		namespace, err := selector(h.NamespaceSelector)
		if err != nil {
			continue
		}
		object, err := selector(h.ObjectSelector)
		if err != nil {
			continue
		}
		in.hooks = append(in.hooks, hook{namespace, object})
		in.Trusted = in.Trusted && len(h.ClientConfig.CABundle) > 0
		switch {
		case h.ClientConfig.Service != nil:
			in.Service = h.ClientConfig.Service.Namespace + "/" + h.ClientConfig.Service.Name
		case h.ClientConfig.URL != nil:
			in.Service = *h.ClientConfig.URL
		}
	}
	return in, len(in.hooks) > 0
}

// selector reads one as the API server does: none selects everything.
func selector(s *metav1.LabelSelector) (labels.Selector, error) {
	if s == nil {
		return labels.Everything(), nil
	}
	return metav1.LabelSelectorAsSelector(s)
}

// takes reports whether the webhook is called for a pod with these labels in a
// namespace with those.
func (in *Injector) takes(namespace, pod map[string]string) bool {
	for _, h := range in.hooks {
		if h.namespace.Matches(labels.Set(namespace)) && h.object.Matches(labels.Set(pod)) {
			return true
		}
	}
	return false
}

// Injects finds the webhook that gives a pod with these labels, in a namespace
// with those, its sidecar; nil where none does.
func (r *Report) Injects(namespace, pod map[string]string) *Injector {
	for i := range r.Injectors {
		if r.Injectors[i].takes(namespace, pod) {
			return &r.Injectors[i]
		}
	}
	return nil
}
