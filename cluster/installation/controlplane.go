package installation

import (
	"cmp"
	"context"
	"encoding/json"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func (f *finder) controlPlanes(ctx context.Context) error {
	for i := range f.deployments {
		d := &f.deployments[i]
		discovery := container(&d.Spec.Template.Spec, "discovery")
		if d.Spec.Template.Labels["app"] != "istiod" || discovery == nil {
			continue
		}
		cp := ControlPlane{Namespace: d.Namespace, Name: d.Name, Image: discovery.Image, Mode: "sidecar", By: installer(d)}
		cp.Revision = d.Labels[revisionLabel]
		for _, e := range discovery.Env {
			switch {
			case e.Name == "REVISION":
				cp.Revision = cmp.Or(e.Value, cp.Revision)
			case e.Name == "PILOT_ENABLE_AMBIENT" && e.Value == "true":
				cp.Mode = "ambient"
			}
		}
		cp.Revision = revisionName(cp.Revision)
		cp.Version = versionOf(tagOf(discovery.Image))
		cp.Ready, cp.Wanted = replicas(d)
		if err := f.values(ctx, &cp, d); err != nil {
			return err
		}
		f.build(ctx, &cp)
		if _, ok := ParseVersion(cp.Version); !ok && cp.Build != "" {
			cp.Version = cp.Build // a digest or "latest" says nothing
		}
		cp.Support, cp.Range = Supports(cp.Version, f.r.Kubernetes)
		f.r.ControlPlanes = append(f.r.ControlPlanes, cp)
	}
	slices.SortFunc(f.r.ControlPlanes, func(a, b ControlPlane) int {
		return cmp.Or(strings.Compare(a.Namespace, b.Namespace), strings.Compare(a.Name, b.Name))
	})
	return nil
}

// chartValues is what is read of the values that Istio's chart leaves in a
// ConfigMap beside istiod.
type chartValues struct {
	Profile string `json:"profile"`
	CNI     struct {
		Enabled bool `json:"enabled"`
	} `json:"cni"`
}

// values fills in what only the values of the installation say. Installations
// before Istio 1.24 left none.
func (f *finder) values(ctx context.Context, cp *ControlPlane, d *appsv1.Deployment) error {
	cp.Profile = "unknown"
	name := "values"
	if cp.Revision != defaultRevision {
		name += "-" + cp.Revision
	}
	held, err := f.Kube.CoreV1().ConfigMaps(cp.Namespace).Get(ctx, name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return f.unseen("ConfigMaps in "+cp.Namespace, err)
	}
	var values chartValues
	if json.Unmarshal([]byte(held.Data["merged-values"]), &values) != nil {
		return nil //nolint:nilerr // values in another form leave the profile unknown
	}
	cp.CNI = values.CNI.Enabled
	switch {
	case values.Profile != "":
		cp.Profile = values.Profile
	case d.Labels["operator.istio.io/component"] != "":
		// Of istioctl's profiles only these two leave no name: they differ in the gateway.
		cp.Profile = "minimal"
		if slices.ContainsFunc(f.deployments, func(o appsv1.Deployment) bool {
			return o.Namespace == d.Namespace && o.Labels["operator.istio.io/component"] == "IngressGateways"
		}) {
			cp.Profile = "default"
		}
	}
	return nil
}

// build asks istiod for its version. No answer is no failure: many API servers
// cannot reach pods, and many people may not ask.
func (f *finder) build(ctx context.Context, cp *ControlPlane) {
	if cp.Ready == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	body, err := f.Kube.CoreV1().RESTClient().Get().Namespace(cp.Namespace).Resource("services").
		Name(cp.Name + ":15014").SubResource("proxy").Suffix("version").Do(ctx).Raw()
	if err == nil && len(body) < 200 {
		cp.Build = strings.TrimSuffix(strings.TrimSpace(string(body)), "-unknown")
	}
}

// installer says who made an object, as far as it tells.
func installer(o metav1.Object) string {
	if slices.ContainsFunc(o.GetManagedFields(), func(e metav1.ManagedFieldsEntry) bool { return e.Manager == Manager && e.Subresource == "" }) {
		return Meshstorm
	}
	annotations := o.GetAnnotations()
	if name := annotations["meta.helm.sh/release-name"]; name != "" {
		return "Helm release " + annotations["meta.helm.sh/release-namespace"] + "/" + name
	}
	known := map[string]string{
		"istio-operator": "istioctl", "istioctl": "istioctl", "meshstorm-lab": "the lab", "helm": "Helm",
		"argocd-controller": "Argo CD", "kustomize-controller": "Flux", "helm-controller": "Flux",
		"kubectl-client-side-apply": "kubectl apply", "kubectl": "kubectl apply --server-side",
	}
	for _, operation := range []metav1.ManagedFieldsOperationType{metav1.ManagedFieldsOperationApply, metav1.ManagedFieldsOperationUpdate} {
		for _, e := range o.GetManagedFields() {
			if e.Operation != operation || e.Subresource != "" || e.Manager == "pilot-discovery" {
				continue
			}
			if who := known[e.Manager]; who != "" {
				return who
			}
			return "field manager " + e.Manager
		}
	}
	return "unknown"
}
