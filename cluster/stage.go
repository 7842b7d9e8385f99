package cluster

import (
	"slices"
	"strings"
)

// stage is when an object is applied. What others build on comes first; traffic
// is moved last. Removal goes the other way round.
type stage int

// The stages.
const (
	foundation stage = iota // Namespaces and CustomResourceDefinitions
	config                  // ServiceAccounts, ConfigMaps, Secrets, RBAC, all that is not named elsewhere
	workloads               // workloads and Services, until they are ready
	backends                // Gateways, DestinationRules and other mesh objects that routes name
	routes                  // VirtualServices and the Gateway API's routes, when the proxies know their backends
	stages                  // how many there are
)

func (s stage) String() string {
	return [...]string{"namespaces and definitions", "accounts, configuration and secrets", "workloads and services",
		"gateways and destination rules", "routes"}[s]
}

var (
	workloadKinds = []string{"Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "Job", "CronJob", "Pod", "Service", "HorizontalPodAutoscaler", "PodDisruptionBudget", "EndpointSlice", "Endpoints"}
	waitedKinds   = []string{"Deployment", "StatefulSet", "DaemonSet", "Job", "Pod"}
	routeKinds    = []string{"VirtualService", "HTTPRoute", "GRPCRoute", "TCPRoute", "TLSRoute", "UDPRoute", "Ingress"}
	meshGroups    = []string{"networking.istio.io", "security.istio.io", "telemetry.istio.io", "extensions.istio.io", "gateway.networking.k8s.io"}
)

func stageOf(id ID) stage {
	switch {
	case id.Group == "" && id.Kind == "Namespace", id.Kind == "CustomResourceDefinition":
		return foundation
	case slices.Contains(routeKinds, id.Kind), strings.HasSuffix(id.Kind, "WebhookConfiguration"):
		return routes // a webhook that nobody answers yet would stop everything after it
	case slices.Contains(meshGroups, id.Group):
		return backends
	case slices.Contains(workloadKinds, id.Kind):
		return workloads
	}
	return config
}
