package check

import (
	"context"
	"fmt"
	"strings"

	"github.com/meshstorm/meshstorm/deploy"
)

// CodeEventWeights is the code of weights on what reads messages.
const CodeEventWeights = "MS0608"

// EventWeights looks for canaries of services that read events: no proxy
// stands between a consumer and Kafka, so weights do not divide messages.
func EventWeights() Rule {
	return Rule{
		Codes: []string{CodeEventWeights},
		Name:  "event-weights",
		Doc:   "Weights divide requests, not the messages that a service reads from Kafka.",
		Rows: []Row{
			{Code: CodeEventWeights, Severity: "warning; info",
				Means: "a canary of a context that reads events: as a member of the same consumer group it gets the messages of its partitions, whatever its weight; a warning where the context serves no requests that a weight could divide",
				Todo:  "say in the application which messages the canary reads, name the variable that pauses it in `canary.env`, or promote it at once"},
		},
		Run: func(_ context.Context, in *Input) []Finding {
			if in.Intent == nil {
				return nil
			}
			e := &eventFinder{in: in, index: newPodIndex(in.Mesh()), routed: map[string][]*split{}}
			for _, s := range in.Mesh().splits() {
				for _, host := range s.hosts() {
					e.routed[host] = append(e.routed[host], s)
				}
			}
			var found []Finding
			for _, s := range in.Intent.Services {
				if consumes(s) {
					found = append(found, e.find(s)...)
				}
			}
			return found
		},
	}
}

func consumes(s *deploy.Service) bool {
	return len(s.Consumes) > 0 || s.Events && len(s.Publishes) == 0
}

type eventFinder struct {
	in     *Input
	index  *podIndex
	routed map[string][]*split // by the hosts that they route to
}

func (e *eventFinder) find(s *deploy.Service) []Finding {
	finding, ok := e.divided(s)
	if !ok {
		return nil
	}
	events := "events"
	if len(s.Consumes) > 0 {
		events = listed(s.Consumes[:min(len(s.Consumes), 3)])
	}
	finding.Code, finding.Source = CodeEventWeights, s.Source.String()
	if len(s.Resources) == 0 {
		finding.Severity = Warning
		finding.Message = fmt.Sprintf("%s serves no requests, it reads %s from Kafka, and weights do not divide messages: a canary in the same consumer group gets all messages of the partitions that it is assigned", s.Name, events)
		finding.Fix = "take the weights away; to try a version on some of the messages, give it a consumer group and a topic of its own"
		return []Finding{finding}
	}
	finding.Severity = Info
	finding.Message = fmt.Sprintf("%s also reads %s from Kafka: its canary gets the messages of the partitions that it is assigned, whatever its share of the requests", s.Name, events)
	finding.Fix = fmt.Sprintf("see that the canary may handle events, or name the variable that keeps it from reading them in %s: services.%s.canary.env", deploy.SettingsFile, s.Name)
	if len(s.CanaryEnv) > 0 {
		var names []string
		for _, e := range s.CanaryEnv {
			names = append(names, e.Name)
		}
		finding.Message += fmt.Sprintf(", unless the application heeds %s, which canary.env sets for it", listed(names))
		finding.Fix = fmt.Sprintf("see that the image of %s consumes no events where %s is set so", s.Name, listed(names))
	}
	return []Finding{finding}
}

// divided is the place that gives a canary a share: a rule in the files, the
// canary's workload, or the settings.
func (e *eventFinder) divided(s *deploy.Service) (Finding, bool) {
	namespace := e.in.Intent.Settings.Namespace
	routed := e.routed[ResolveHost(s.Name, namespace)]
	for _, sp := range routed {
		if len(sp.sharing()) > 1 {
			return sp.vs.Finding("", "", sp.field+".route", ""), true
		}
	}
	if len(routed) > 0 && len(s.Resources) > 0 {
		return Finding{}, false
	}
	for _, i := range e.index.find(namespace, map[string]string{"app": s.Name, "track": deploy.TrackCanary}) {
		if w := e.index.mesh.Workloads[i]; w.Replicas > 0 {
			return w.Finding("", "", "metadata.name", ""), true
		}
	}
	for _, t := range s.Tracks {
		if t.Name == deploy.TrackCanary && t.Weight > 0 && len(s.Resources) == 0 {
			return Finding{File: deploy.SettingsFile}, true
		}
	}
	return Finding{}, false
}

// CodeBypass is the code of callers whose requests no weight divides.
const CodeBypass = "MS0610"

// Bypass looks for callers without a sidecar: they ask Kubernetes' Service,
// which knows no weights. Who calls whom is in the model.
func Bypass() Rule {
	return Rule{
		Codes: []string{CodeBypass},
		Name:  "bypassed-weights",
		Doc:   "A caller has no sidecar, so its requests are not divided by weight.",
		Rows: []Row{
			{Code: CodeBypass, Severity: "warning",
				Means: "a caller without a sidecar passes the weights by: its requests go to all pods of the Service alike",
				Todo:  "inject the caller's pods"},
		},
		Run: func(_ context.Context, in *Input) []Finding {
			if in.Intent == nil {
				return nil
			}
			m := in.Mesh()
			index := newPodIndex(m)
			divided := map[string]*split{}
			for _, s := range m.splits() {
				if sharing := s.sharing(); len(sharing) > 1 && s.vs.InMesh() && divided[sharing[0].host] == nil {
					divided[sharing[0].host] = s
				}
			}
			var found []Finding
			told := map[string]bool{}
			for _, c := range in.Intent.Calls {
				namespace := in.Intent.Settings.Namespace
				s := divided[ResolveHost(c.To, namespace)]
				if c.Async || s == nil || told[c.From+" "+c.To] {
					continue
				}
				told[c.From+" "+c.To] = true
				for _, i := range index.find(namespace, map[string]string{"app": c.From}) {
					w := m.Workloads[i]
					if why := m.outside(w); why != "" {
						f := w.Finding(CodeBypass, Warning, "spec.template.metadata",
							fmt.Sprintf("%s calls %s, but its pods have no sidecar (%s): their requests go to all pods of %s alike, and the weights of VirtualService %s do not hold for them",
								c.From, c.To, why, c.To, s.vs.Name()))
						f.Fix = "inject the pods of " + c.From
						found = append(found, f)
					}
				}
			}
			return found
		},
	}
}

// outside says why the injector leaves a workload's pods alone; "" where it
// does not, or where the files do not tell.
func (m *Mesh) outside(w *Workload) string {
	const inject = "sidecar.istio.io/inject"
	choice, from := w.Template.Labels[inject], "label "+inject
	if choice == "" {
		choice, from = w.Template.Annotations[inject], "annotation "+inject
	}
	ns := m.NamespaceLabels(w.Namespace())
	switch {
	case strings.EqualFold(choice, "false"):
		return from + ": false"
	case w.Template.Spec.HostNetwork:
		return "hostNetwork: true"
	case strings.EqualFold(choice, "true"), ns == nil:
		return ""
	case ns["istio-injection"] == "disabled":
		return "namespace " + w.Namespace() + " is labelled istio-injection: disabled"
	case ns["istio-injection"] == "" && ns["istio.io/rev"] == "" && ns["istio.io/dataplane-mode"] == "":
		return "namespace " + w.Namespace() + " has no label istio-injection: enabled"
	}
	return ""
}
