package capture

import (
	"fmt"
	"slices"
	"strings"

	"github.com/meshstorm/meshstorm/deploy"
	"github.com/meshstorm/meshstorm/manifest"
)

// kindReasons say why a kind is not in the model.
var kindReasons = map[string]string{
	"ServiceEntry": "an external host; the model draws external systems as stickers", "NetworkPolicy": "the model has no network rules",
	"AuthorizationPolicy": "the model has no access rules", "PeerAuthentication": "the model has no mTLS modes", "RequestAuthentication": "the model has no token rules",
	"EnvoyFilter": "the model has no proxy configuration", "Sidecar": "the model has no proxy scopes", "Telemetry": "the model has no telemetry settings",
	"ConfigMap": "the model has no configuration", "PersistentVolumeClaim": "the model has no storage", "StatefulSet": "the model's services are Deployments",
	"DaemonSet": "the model's services are Deployments", "Job": "the model has no jobs", "CronJob": "the model has no jobs",
	"Ingress": "the model's entrance is the Gateway", "HTTPRoute": "meshstorm generates VirtualServices", "HorizontalPodAutoscaler": "generate leaves the replicas to it",
	"Deployment": "no bounded context has this name", "Service": "no bounded context has this name", "ServiceAccount": "no bounded context has this name",
	"VirtualService": "generate would name it otherwise", "DestinationRule": "generate would name it otherwise", "Gateway": "the settings name one Gateway",
}

func kindGap(id manifest.ID) string {
	if why := kindReasons[id.Kind]; why != "" {
		return why
	}
	return "not a part of the model"
}

// gapsOf finds what the objects have and a model cannot say.
func (r *Result) gapsOf(objects []Object, s *Snapshot, m *deploy.Model) {
	d := &deriver{snap: s, objects: objects}
	selected := map[string]bool{}
	for _, o := range objects {
		id := s.full(o.ID())
		if id.Group != "" || id.Kind != "Service" || id.Namespace != s.Namespace {
			continue
		}
		about := "Service/" + id.Name
		workloads := d.selected(mapping(o.Content, "spec", "selector"))
		for _, w := range workloads {
			selected[w.ID().Kind+"/"+w.ID().Name] = true
		}
		switch {
		case text(o.Content, "spec", "type") == "ExternalName":
			r.note(about, "it stands for the external host "+text(o.Content, "spec", "externalName")+", which the model would draw as an external system")
		case len(mapping(o.Content, "spec", "selector")) == 0:
			r.note(about, "it has no selector: somebody writes its endpoints, which are not imported")
		case len(workloads) == 0:
			r.note(about, "no workload has the pods that it selects, so no bounded context stands behind it")
		}
	}
	for _, o := range objects {
		id := s.full(o.ID())
		switch {
		case workloadKinds[id.Group+"/"+id.Kind] && id.Namespace == s.Namespace && !selected[id.Kind+"/"+id.Name]:
			r.note(id.Kind+"/"+id.Name, "a workload without a Service: nobody can call it, and the model has no such thing")
		case id.Kind == "ServiceEntry":
			r.note("ServiceEntry/"+id.Name, "external hosts: "+strings.Join(strs(o.Content, "spec", "hosts"), ", "))
		case id.Kind == "DestinationRule":
			r.subsetGaps(o, s, m)
		}
	}
}

// subsetGaps names the subsets that are no tracks.
func (r *Result) subsetGaps(o Object, s *Snapshot, m *deploy.Model) {
	var others []string
	for _, subset := range items(o.Content, "spec", "subsets") {
		if name := text(subset, "name"); name != deploy.TrackStable && name != deploy.TrackCanary {
			others = append(others, name)
		}
	}
	name := s.hostOf(text(o.Content, "spec", "host"), s.full(o.ID()).Namespace)
	if len(others) > 0 && m.Service(name) != nil {
		r.note("DestinationRule/"+o.ID().Name, fmt.Sprintf("subsets %s of %s: the model's tracks are stable and canary; weights between others are kept in the YAML", strings.Join(others, ", "), name))
	}
}

// eventGaps tell what no Kubernetes object shows.
func (r *Result) eventGaps(d *deriver) {
	if len(d.contexts) == 0 {
		r.note("model", "no Service with a workload was found, so the model has no bounded context")
		return
	}
	r.note("events", "policies, events and who consumes them are not to be seen in Kubernetes objects; draw them in "+modelName+", for canaries of consumers need them")
	r.note("calls", "which service calls which one is not to be seen either; the model has no relation, so no VirtualService for callers inside the mesh is generated")
	for _, c := range d.contexts {
		if env := brokerEnv(c); env != "" {
			r.note("Service/"+c.name, "it talks to a broker ("+env+"), so it publishes or consumes events that the model does not have")
		}
	}
}

const modelName = "storm.json"

// brokerEnv is a variable of a context's container that looks like a broker's
// address. Its value may be a secret, so only the name is told.
func brokerEnv(c *bounded) string {
	for _, e := range items(c.container(), "env") {
		name := strings.ToUpper(text(e, "name"))
		if slices.ContainsFunc([]string{"KAFKA", "RABBIT", "AMQP", "BROKERS", "PULSAR", "NATS_"}, func(word string) bool { return strings.Contains(name, word) }) {
			return text(e, "name")
		}
	}
	return ""
}
