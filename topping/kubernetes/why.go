package kubernetes

import (
	"strings"

	"github.com/meshstorm/meshstorm/deploy"
	"github.com/meshstorm/meshstorm/manifest"
	"github.com/meshstorm/meshstorm/topping"
)

var rules = append(topping.CommonRules(), []topping.Rule{
	{Kind: "Service", Path: "spec.selector", Text: "all pods of the context, stable and canary alike; the mesh tells the tracks apart by subsets"},
	{Kind: "Service", Path: "spec.ports", Text: "port 8080, as every service of the original listens in a cluster; Istio takes the protocol from the name http"},

	{Kind: "Deployment", Path: "spec.replicas", Text: "how many pods the track runs (the canary one, while it has a share of the traffic); left out where a HorizontalPodAutoscaler decides", Setting: "services.{service}.replicas"},
	{Kind: "Deployment", Path: "spec.selector", Text: "app and track: both stay for good, for a selector cannot be changed; the version may"},
	{Kind: "Deployment", Path: "spec.strategy", Text: "a new pod is ready before an old one goes (maxUnavailable 0), so an update loses no capacity"},
	{Kind: "Deployment", Path: "spec.template.metadata.labels", Text: "app and track select the pod, version is for people and telemetry and is the image's tag", Setting: "image.tag"},
	{Kind: "Deployment", Path: "spec.template.metadata.annotations", Text: "the container starts after its proxy, so that calls and broker connections at start do not fail"},
	{Kind: "Deployment", Path: "spec.template.spec", Text: "one container per bounded context"},
	{Kind: "Deployment", Path: "spec.template.spec.serviceAccountName", Text: "an account of its own gives the service an identity of its own in the mesh"},
	{Kind: "Deployment", Path: "spec.template.spec.terminationGracePeriodSeconds", Text: "5 s preStop, 30 s for Spring's graceful shutdown and 5 s for the proxy to drain"},
	{Kind: "Deployment", Path: "spec.template.spec.securityContext", Text: "the Pod Security Standard that the settings name", Setting: "security"},
	{Kind: "Deployment", Path: "spec.template.spec.containers.*.securityContext", Text: "no privilege escalation and no capabilities: the services need none", Setting: "security"},
	{Kind: "Deployment", Path: "spec.template.spec.containers.*.image", Text: "made from image.pattern, or given whole for this service", Setting: "image.pattern"},
	{Kind: "Deployment", Path: "spec.template.spec.containers.*.ports", Text: "the port that the Service sends to"},
	{Kind: "Deployment", Path: "spec.template.spec.containers.*.env", Text: "the broker's address, because this context publishes or consumes events; what the settings add; and on the canary what canary.env sets for its pods alone", Setting: "kafka.brokers"},
	{Kind: "Deployment", Path: "spec.template.spec.containers.*.resources", Text: "what a pod reserves, so that the scheduler and an autoscaler have something to reckon with", Setting: "services.{service}.resources"},
	{Kind: "Deployment", Path: "spec.template.spec.containers.*.startupProbe", Text: "the service may take 120 s to start before liveness counts", Setting: "services.{service}.health"},
	{Kind: "Deployment", Path: "spec.template.spec.containers.*.readinessProbe", Text: "a pod gets traffic only while it answers", Setting: "services.{service}.health"},
	{Kind: "Deployment", Path: "spec.template.spec.containers.*.livenessProbe", Text: "a pod that no longer answers is restarted", Setting: "services.{service}.health"},
	{Kind: "Deployment", Path: "spec.template.spec.containers.*.lifecycle", Text: "waits 5 s before SIGTERM, until every proxy has heard that the pod leaves; a sleep action from Kubernetes 1.30 on, a command before", Setting: "kubernetesVersion"},

	{Kind: "PodDisruptionBudget", Path: "spec", Text: "with more than one replica, a node drain may take one pod of the stable track at a time", Setting: "services.{service}.replicas"},

	{Kind: "StatefulSet", Path: "spec", Text: "a one-broker Kafka for development, because kafka.mode is dev", Setting: "kafka.mode"},
	{Kind: "ConfigMap", Path: "binaryData", Text: "the model, compressed, without images and geometry, in parts that kubectl apply takes"},
}...)

// Why explains a field.
func (Topping) Why(m *deploy.Model, id manifest.ID, field string) (topping.Reason, bool) {
	svc := m.Service(id.Name)
	if svc == nil && id.Kind == "Deployment" {
		svc = m.Service(strings.TrimSuffix(id.Name, CanarySuffix))
	}
	broker := m.Settings.Kafka.Mode == "dev" && strings.HasPrefix(m.Settings.Kafka.Brokers, id.Name+":")
	archive := id.Kind == "ConfigMap" && strings.HasPrefix(id.Name, m.Workspace+"-model-")
	if svc == nil && !broker && !archive {
		return topping.Reason{}, false
	}
	rule, ok := topping.Find(rules, id.Kind, field)
	if !ok {
		return topping.Reason{}, false
	}
	r := rule.Reason(svc)
	if rule.Path == "apiVersion" {
		r.Setting = "" // these kinds have one version in all releases that are supported
	}
	if svc == nil {
		r.Source = "Model/" + m.Workspace
		if broker {
			r.Setting = "kafka.mode"
		}
		return r, true
	}
	own, key := m.Settings.ServiceSettings(svc)
	switch {
	case rule.Setting == "image.pattern" && own.Image != "":
		r.Setting = "services." + key + ".image"
	case strings.HasSuffix(rule.Path, ".env") && id.Name == svc.Name+CanarySuffix && len(own.Canary.Env) > 0:
		r.Setting = "services." + key + ".canary.env"
	}
	return r, true
}
