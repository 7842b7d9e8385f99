// Package installation says which Istio a cluster has and what is missing of it
// for given objects, and installs, upgrades and removes one. It takes a client
// and gives data that callers print. What it installs it is given: rendering the
// charts links Istio, and is package charts' own.
package installation

import (
	"slices"
)

// Report is what of Istio a cluster has. Lists are sorted and never nil.
type Report struct {
	Kubernetes    string         `json:"kubernetes"` // "v1.37.2"
	ControlPlanes []ControlPlane `json:"controlPlanes"`
	Agents        []Agent        `json:"agents"`
	Injectors     []Injector     `json:"injectors"`
	// Namespaces are those that carry a label which puts them into the mesh or
	// keeps them out.
	Namespaces []Namespace `json:"namespaces"`
	Gateways   []Gateway   `json:"gateways"`
	Kinds      []Kind      `json:"kinds"` // of Istio and of the Gateway API
	// Unseen are the parts that these credentials may not read; what is reported
	// of them is empty, and nothing is said to be missing of them.
	Unseen []string `json:"unseen,omitempty"`

	labels map[string]map[string]string // of all namespaces
}

// ControlPlane is an istiod.
type ControlPlane struct {
	Namespace string `json:"namespace"`
	Name      string `json:"name"`     // of the Deployment
	Revision  string `json:"revision"` // "default" where it has none
	Version   string `json:"version"`  // of the image's tag: "1.31.1"; "" where that is a digest
	Image     string `json:"image"`
	// Build is what istiod says of itself, which differs from Version for images
	// that were built otherwise; "" where it was not asked or did not answer.
	Build   string `json:"build,omitempty"`
	Profile string `json:"profile"` // "demo"; "unknown" where it cannot be told
	Mode    string `json:"mode"`    // "sidecar", or "ambient" which can do both
	Ready   int    `json:"ready"`   // replicas
	Wanted  int    `json:"wanted"`
	By      string `json:"installedBy"` // "meshstorm", "istioctl", "Helm release istio-system/istiod"
	// Support is whether this Istio is made for this Kubernetes, and Range the
	// Kubernetes versions that it is made for.
	Support Support `json:"kubernetesSupport"`
	Range   string  `json:"kubernetesRange,omitempty"`
	// CNI is true where pods are set up by the node agent istio-cni.
	CNI bool `json:"cni"`
}

// Agent is a DaemonSet of Istio's on the nodes.
type Agent struct {
	Role      string `json:"role"` // "ztunnel" or "istio-cni"
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
	Version   string `json:"version"`
	Ready     int    `json:"ready"` // nodes
	Wanted    int    `json:"wanted"`
}

// Namespace is one with a label of Istio's.
type Namespace struct {
	Name     string `json:"name"`
	Mode     string `json:"mode"`               // "sidecar", "ambient" or "none"
	Revision string `json:"revision,omitempty"` // that its sidecars come from; "" where no injector takes it
}

// Gateway is a workload of proxies that takes traffic in or lets it out.
type Gateway struct {
	Kind      string            `json:"kind"` // "Deployment" or "DaemonSet"
	Namespace string            `json:"namespace"`
	Name      string            `json:"name"`
	Labels    map[string]string `json:"labels"`  // of its pods, which a Gateway's selector names
	Version   string            `json:"version"` // "" where injection decides it
	Ready     int               `json:"ready"`
	Wanted    int               `json:"wanted"`
	Services  []GatewayService  `json:"services"`
}

// GatewayService is a Service in front of a gateway.
type GatewayService struct {
	Name      string   `json:"name"`
	Type      string   `json:"type"`      // "LoadBalancer"
	Addresses []string `json:"addresses"` // where it is reached from outside; empty while there is none
	Ports     []Port   `json:"ports"`
}

// Port is one of a Service.
type Port struct {
	Name     string `json:"name,omitempty"`
	Port     int    `json:"port"`
	NodePort int    `json:"nodePort,omitempty"`
}

// Kind is one that the API server serves.
type Kind struct {
	Group    string   `json:"group"`
	Kind     string   `json:"kind"`
	Versions []string `json:"versions"`
}

// Names of what credentials may not read, in Unseen.
const (
	unseenWorkloads  = "Deployments and DaemonSets"
	unseenServices   = "Services"
	unseenInjectors  = "MutatingWebhookConfigurations"
	unseenNamespaces = "Namespaces"
)

func (r *Report) sees(part string) bool { return !slices.Contains(r.Unseen, part) }

// ControlPlane finds a revision's; nil without one. "" is "default".
func (r *Report) ControlPlane(revision string) *ControlPlane {
	revision = revisionName(revision)
	for i := range r.ControlPlanes {
		if r.ControlPlanes[i].Revision == revision {
			return &r.ControlPlanes[i]
		}
	}
	return nil
}

// Serves reports whether the API server has a kind in a version.
func (r *Report) Serves(group, kind, version string) bool {
	return slices.Contains(r.versions(group, kind), version)
}

func (r *Report) versions(group, kind string) []string {
	for _, k := range r.Kinds {
		if k.Group == group && k.Kind == kind {
			return k.Versions
		}
	}
	return nil
}

func revisionName(revision string) string {
	if revision == "" {
		return defaultRevision
	}
	return revision
}

const defaultRevision = "default"
