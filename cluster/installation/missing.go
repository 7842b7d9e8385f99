package installation

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// GapCode names a kind of gap.
type GapCode string

// What can be missing.
const (
	GapIstio      GapCode = "istio"      // no control plane, or none that is ready
	GapKubernetes GapCode = "kubernetes" // this Istio is not made for this Kubernetes
	GapKind       GapCode = "kind"       // the API server does not have a kind in this version
	GapGateway    GapCode = "gateway"    // no gateway workload has the labels that a Gateway selects
	GapInjection  GapCode = "injection"  // pods of the namespace would get no sidecar
	GapAmbient    GapCode = "ambient"    // an ambient namespace without what captures its traffic
	GapCNI        GapCode = "cni"        // pods wait for a node agent that is not there
)

// Gap is something that a cluster lacks for given objects.
type Gap struct {
	Code GapCode `json:"code"`
	What string  `json:"what"`
	Fix  string  `json:"fix"`
	// Command mends it; "" where people must decide.
	Command string `json:"command,omitempty"`
	// Namespace is the one to label, for GapInjection: Label mends it.
	Namespace string `json:"namespace,omitempty"`
	// Warning is true for what may work nevertheless.
	Warning bool `json:"warning,omitempty"`
}

// Missing says what of Istio is missing for objects, where namespace is that of
// objects which name none. Without objects it asks for a control plane only.
// Objects that need no mesh lack nothing.
func (r *Report) Missing(namespace string, objects []*unstructured.Unstructured) []Gap {
	gaps := []Gap{}
	meshed := slices.ContainsFunc(objects, func(o *unstructured.Unstructured) bool { return isMesh(o.GroupVersionKind().Group) })
	if len(objects) > 0 && !meshed {
		return gaps
	}
	gaps = append(gaps, r.missingControlPlane()...)
	gaps = append(gaps, r.missingKinds(objects)...)
	gaps = append(gaps, r.missingGateways(namespace, objects)...)
	return append(gaps, r.missingMembers(namespace, objects)...)
}

// installed is false only where it is known that there is no Istio.
func (r *Report) installed() bool {
	remote := slices.ContainsFunc(r.Injectors, func(in Injector) bool { return strings.Contains(in.Service, "://") })
	return len(r.ControlPlanes) > 0 || !r.sees(unseenWorkloads) || remote
}

func (r *Report) missingControlPlane() []Gap {
	if !r.installed() {
		return []Gap{{Code: GapIstio, What: "Istio is not installed", Fix: "install it; --profile chooses what comes with it", Command: "meshstorm istio install"}}
	}
	var gaps []Gap
	ready := len(r.ControlPlanes) == 0
	for _, cp := range r.ControlPlanes {
		ready = ready || cp.Ready > 0
		if cp.Support == Unsupported {
			gaps = append(gaps, Gap{Code: GapKubernetes, Warning: true,
				What: fmt.Sprintf("Istio %s is made for Kubernetes %s, and this is %s", cp.Version, cp.Range, r.Kubernetes),
				Fix:  "upgrade the older of both; https://istio.io/latest/docs/releases/supported-releases lists what fits"})
		}
		if cp.CNI && r.sees(unseenWorkloads) && !r.hasAgent("istio-cni") {
			gaps = append(gaps, Gap{Code: GapCNI, What: fmt.Sprintf("%s/%s leaves setting up pods to the node agent istio-cni, which is not installed", cp.Namespace, cp.Name),
				Fix: "install istio-cni as this Istio was installed, or install without pilot.cni.enabled"})
		}
	}
	if !ready {
		cp := r.ControlPlanes[0]
		gaps = append(gaps, Gap{Code: GapIstio, What: fmt.Sprintf("no replica of %s/%s is ready", cp.Namespace, cp.Name),
			Fix: "see why its pods do not start", Command: fmt.Sprintf("kubectl -n %s describe pods -l app=istiod", cp.Namespace)})
	}
	return gaps
}

func (r *Report) hasAgent(role string) bool {
	return slices.ContainsFunc(r.Agents, func(a Agent) bool { return a.Role == role })
}

func (r *Report) missingKinds(objects []*unstructured.Unstructured) []Gap {
	var gaps []Gap
	seen := map[schema.GroupVersionKind]bool{}
	for _, o := range objects {
		gvk := o.GroupVersionKind()
		if seen[gvk] || !isMesh(gvk.Group) || r.Serves(gvk.Group, gvk.Kind, gvk.Version) {
			continue
		}
		seen[gvk] = true
		gap := Gap{Code: GapKind, What: fmt.Sprintf("the cluster does not have %s %s", gvk.GroupVersion(), gvk.Kind)}
		switch have := r.versions(gvk.Group, gvk.Kind); {
		case len(have) > 0:
			gap.What += ", only " + strings.Join(have, ", ")
			gap.Fix = "set istioVersion in meshstorm.yaml to the cluster's and generate again, or upgrade Istio"
		case gvk.Group == gatewayGroup:
			gap.Fix = "install the Gateway API's definitions; ask who runs the cluster where Istio is not yours"
			gap.Command = "meshstorm istio install --gateway-api"
		case !r.installed():
			continue // comes with Istio, and that is said already
		default:
			gap.Fix = "this Istio does not have the kind: upgrade it, or remove the object"
		}
		gaps = append(gaps, gap)
	}
	return gaps
}

func (r *Report) missingGateways(namespace string, objects []*unstructured.Unstructured) []Gap {
	if !r.sees(unseenWorkloads) || !r.installed() {
		return nil // without Istio the profile to install is what decides
	}
	var gaps []Gap
	for _, o := range objects {
		if gvk := o.GroupVersionKind(); gvk.Group != networking || gvk.Kind != "Gateway" {
			continue
		}
		wanted, _, err := unstructured.NestedStringMap(o.Object, "spec", "selector")
		if err != nil {
			continue // check says so
		}
		named := fmt.Sprintf("Gateway %s/%s", in(namespace, o), o.GetName())
		var found *Gateway
		for i := range r.Gateways {
			if g := &r.Gateways[i]; labels.SelectorFromSet(wanted).Matches(labels.Set(g.Labels)) && (found == nil || g.Ready > found.Ready) {
				found = g
			}
		}
		switch {
		case found == nil:
			gaps = append(gaps, r.noGateway(named, wanted))
		case found.Ready == 0:
			gaps = append(gaps, Gap{Code: GapGateway, What: fmt.Sprintf("%s is for %s/%s, which has no ready pod", named, found.Namespace, found.Name),
				Fix: "see why its pods do not start", Command: fmt.Sprintf("kubectl -n %s describe pods -l %s", found.Namespace, labels.SelectorFromSet(wanted))})
		}
	}
	return gaps
}

func (r *Report) noGateway(named string, wanted map[string]string) Gap {
	gap := Gap{Code: GapGateway, What: fmt.Sprintf("%s selects pods with %s, and no gateway has these labels", named, labels.SelectorFromSet(wanted))}
	var have []string
	for _, g := range r.Gateways {
		if value := g.Labels["istio"]; value != "" {
			have = append(have, "istio="+value)
		}
	}
	slices.Sort(have)
	if have = slices.Compact(have); len(have) > 0 {
		gap.Fix = "set gateway.selector in meshstorm.yaml to a gateway that is here (" + strings.Join(have, "; ") + ") and generate again"
		return gap
	}
	gap.Fix = "install one: the profiles default and demo bring the ingress gateway, minimal and ambient do not"
	if len(r.ControlPlanes) > 0 && r.ControlPlanes[0].By == Meshstorm {
		gap.Command = "meshstorm istio install --profile default"
	}
	return gap
}

// in is the namespace of an object.
func in(namespace string, o *unstructured.Unstructured) string {
	if ns := o.GetNamespace(); ns != "" {
		return ns
	}
	return namespace
}

// missingMembers looks whether the pods of workloads would be part of the mesh.
func (r *Report) missingMembers(namespace string, objects []*unstructured.Unstructured) []Gap {
	outside := map[string][]string{} // namespace → workloads
	ambient := map[string]bool{}
	for _, o := range objects {
		pod, ok := podOf(o)
		if !ok || pod.optsOut() {
			continue
		}
		ns := in(namespace, o)
		labels, known := r.namespaceLabels(ns, objects)
		switch {
		case !known:
		case labels[modeLabel] == "ambient" && pod.labels[modeLabel] != "none" || pod.labels[modeLabel] == "ambient":
			ambient[ns] = true
		case !r.injected(labels, pod.labels):
			outside[ns] = append(outside[ns], strings.ToLower(o.GetKind())+"/"+o.GetName())
		}
	}
	var gaps []Gap
	for _, ns := range slices.Sorted(maps.Keys(outside)) {
		gaps = append(gaps, r.noInjection(ns, outside[ns], objects))
	}
	for _, ns := range slices.Sorted(maps.Keys(ambient)) {
		for _, role := range []string{"ztunnel", "istio-cni"} {
			if r.sees(unseenWorkloads) && r.installed() && !r.hasAgent(role) {
				gaps = append(gaps, Gap{Code: GapAmbient, What: fmt.Sprintf("namespace %s is ambient, and %s is not installed: its traffic would not be part of the mesh", ns, role),
					Fix: "install the ambient profile, or label the namespace for sidecars: meshstorm istio label " + ns, Command: "meshstorm istio install --profile ambient"})
			}
		}
	}
	return gaps
}

// namespaceLabels are those that a namespace will have: the live ones, and over
// them those of the files. Known is false where the live ones cannot be read.
func (r *Report) namespaceLabels(name string, objects []*unstructured.Unstructured) (all map[string]string, known bool) {
	all = maps.Clone(r.labels[name])
	if all == nil {
		all = map[string]string{}
	}
	known = r.labels[name] != nil || r.sees(unseenNamespaces)
	for _, o := range objects {
		if o.GetKind() == "Namespace" && o.GetName() == name {
			maps.Copy(all, o.GetLabels())
			known = true
		}
	}
	return all, known
}

// injected asks the webhooks that are here; where there are none, or they may
// not be read, the labels must do.
func (r *Report) injected(namespace, pod map[string]string) bool {
	if len(r.Injectors) > 0 {
		return r.Injects(namespace, pod) != nil
	}
	return namespace[injectionLabel] == "enabled" || namespace[injectionLabel] == "" && namespace[revisionLabel] != "" || pod[podLabel] == "true"
}

func (r *Report) noInjection(ns string, workloads []string, objects []*unstructured.Unstructured) Gap {
	const most = 3
	slices.Sort(workloads)
	who := strings.Join(workloads[:min(len(workloads), most)], ", ")
	if more := len(workloads) - most; more > 0 {
		who += fmt.Sprintf(" and %d more", more)
	}
	labels, _ := r.namespaceLabels(ns, objects)
	why := "namespace " + ns + " is not labelled for injection"
	switch {
	case labels[injectionLabel] == "disabled":
		why = "namespace " + ns + " is labelled istio-injection=disabled"
	case labels[revisionLabel] != "" && len(r.Injectors) > 0:
		why = fmt.Sprintf("namespace %s is labelled istio.io/rev=%s, and no control plane here has that revision", ns, labels[revisionLabel])
	}
	command := "meshstorm istio label " + ns
	if len(r.Injectors) > 0 && r.Injects(map[string]string{injectionLabel: "enabled"}, nil) == nil {
		command += " --revision " + r.Injectors[0].Revision
	}
	return Gap{Code: GapInjection, Namespace: ns, What: why + ", so these get no sidecar: " + who,
		Fix: "label the namespace, and restart pods that run already", Command: command}
}
