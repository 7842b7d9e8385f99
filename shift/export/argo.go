package export

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

const argoVersion = "argoproj.io/v1alpha1"

// Argo writes a plan as a Rollout of Argo Rollouts that takes over the
// Deployment, and an AnalysisTemplate where there are bounds and a Prometheus.
// Errors wrap ErrPlan.
func Argo(p Plan) ([]*unstructured.Unstructured, []string, error) {
	if err := errors.Join(p.complete(), p.checkArgo()); err != nil {
		return nil, nil, err
	}
	a := argo{Plan: p}
	steps, first := a.steps()
	routing := map[string]any{"istio": a.istio()}
	if routes := a.managed(); len(routes) > 0 {
		routing["managedRoutes"] = routes
	}
	canary := map[string]any{"trafficRouting": routing, "steps": steps}
	objects := []*unstructured.Unstructured{}
	if p.bounded() && !p.unjudged() {
		canary["analysis"] = map[string]any{
			"templates":    []any{map[string]any{"templateName": a.analysis()}},
			"startingStep": int64(first),
			"args": []any{map[string]any{
				"name":      "canary-hash",
				"valueFrom": map[string]any{"podTemplateHashValue": "Latest"},
			}},
		}
		objects = append(objects, a.template())
	}
	spec := map[string]any{
		"workloadRef": map[string]any{"apiVersion": "apps/v1", "kind": "Deployment", "name": p.Deployment, "scaleDown": "onsuccess"},
		"strategy":    map[string]any{"canary": canary},
	}
	if p.Replicas > 0 {
		spec["replicas"] = int64(p.Replicas)
	}
	return append(objects, object(argoVersion, "Rollout", p.Deployment, p.Namespace, spec)), a.notes(), nil
}

func (p *Plan) checkArgo() error {
	var faults []error
	if len(p.VirtualServices) == 0 {
		faults = append(faults, fmt.Errorf("%w: no VirtualService; Argo Rollouts needs one whose rules it splits", ErrPlan))
	}
	for _, vs := range p.VirtualServices {
		for _, route := range vs.Routes {
			if route == "" {
				faults = append(faults, fmt.Errorf("%w: VirtualService %s has a rule without a name; Argo Rollouts finds rules by their names, so give it one", ErrPlan, vs.Name))
			}
		}
	}
	if p.DestinationRule == "" || p.StableSubset == "" || p.CanarySubset == "" {
		faults = append(faults, fmt.Errorf("%w: expected a DestinationRule with a stable and a canary subset, found %q, %q and %q", ErrPlan, p.DestinationRule, p.StableSubset, p.CanarySubset))
	}
	return errors.Join(faults...)
}

type argo struct{ Plan }

func (a *argo) analysis() string { return a.Service + "-canary" }
func (a *argo) testers() string  { return a.Service + "-testers" }
func (a *argo) mirror() string   { return a.Service + "-mirror" }

// mirrors reports whether a mirror can be made. Its route matches by itself, and
// without paths it would take other services' requests on the same host.
func (a *argo) mirrors() bool { return a.MirrorPercent > 0 && len(a.Paths) > 0 }

func (a *argo) istio() map[string]any {
	var all []any
	for _, vs := range a.VirtualServices {
		ref := map[string]any{"name": vs.Name}
		if len(vs.Routes) > 0 {
			ref["routes"] = words(vs.Routes)
		}
		all = append(all, ref)
	}
	return map[string]any{
		"virtualServices": all,
		"destinationRule": map[string]any{
			"name":             a.DestinationRule,
			"stableSubsetName": a.StableSubset,
			"canarySubsetName": a.CanarySubset,
		},
	}
}

// managed names the routes that Argo Rollouts makes; their order is that of the
// VirtualService.
func (a *argo) managed() []any {
	var all []any
	if a.TestersHeader != "" {
		all = append(all, map[string]any{"name": a.testers()})
	}
	if a.mirrors() {
		all = append(all, map[string]any{"name": a.mirror()})
	}
	return all
}

// steps also gives the index of the first one that sets a weight.
func (a *argo) steps() (steps []any, first int) {
	add := func(name string, value map[string]any) { steps = append(steps, map[string]any{name: value}) }
	early := a.TestersHeader != "" || a.mirrors()
	switch {
	case a.BlueGreen:
		add("setCanaryScale", map[string]any{"weight": int64(100)})
	case early:
		// At weight 0 there is no canary pod, and testers would get a 503.
		add("setCanaryScale", map[string]any{"weight": int64(a.Steps[0])})
	}
	if a.TestersHeader != "" {
		add("setHeaderRoute", map[string]any{"name": a.testers(), "match": []any{map[string]any{
			"headerName":  a.TestersHeader,
			"headerValue": map[string]any{"exact": a.TestersValue},
		}}})
	}
	if a.mirrors() {
		add("setMirrorRoute", map[string]any{"name": a.mirror(), "percentage": int64(a.MirrorPercent), "match": a.mirrored()})
		steps = append(steps, a.wait(a.pause(0)))
		add("setMirrorRoute", map[string]any{"name": a.mirror()}) // without a match it is taken out
	}
	first = -1
	for i, percent := range a.Steps {
		if percent > 0 {
			if first < 0 {
				first = len(steps)
			}
			steps = append(steps, map[string]any{"setWeight": int64(percent)})
			if early && !a.BlueGreen && i == 0 {
				add("setCanaryScale", map[string]any{"matchTrafficWeight": true})
			}
		}
		steps = append(steps, a.wait(a.pause(i)))
	}
	return steps, first
}

// wait is a pause; one without an end where nothing judges the step.
func (a *argo) wait(d time.Duration) map[string]any {
	if d == 0 || a.unjudged() {
		return map[string]any{"pause": map[string]any{}}
	}
	return map[string]any{"pause": map[string]any{"duration": span(d)}}
}

func (a *argo) mirrored() []any {
	var all []any
	for _, path := range a.Paths {
		all = append(all, map[string]any{
			"method": map[string]any{"regex": "GET|HEAD"},
			"path":   map[string]any{"regex": pathPattern(path)},
		})
	}
	return all
}

func (a *argo) template() *unstructured.Unstructured {
	var metrics []any
	labels := fmt.Sprintf(`reporter="destination",destination_service_name=%q,destination_service_namespace=%q,rollouts_pod_template_hash="{{args.canary-hash}}"`, a.Service, a.Namespace)
	if a.MaxErrorRate > 0 {
		// By errors, since a version that fails every request has no series of successes.
		query := fmt.Sprintf("1 - (\n  sum(rate(istio_requests_total{%[1]s,response_code=~\"5.*\"}[%[2]s]))\n  or sum(rate(istio_requests_total{%[1]s}[%[2]s])) * 0\n)\n/ sum(rate(istio_requests_total{%[1]s}[%[2]s]))\n", labels, span(a.window()))
		metrics = append(metrics, a.metric("success-rate", query, ">= "+written(1-a.MaxErrorRate), "< "+written(1-a.MaxErrorRate)))
	}
	if a.MaxP95 > 0 {
		query := fmt.Sprintf("histogram_quantile(0.95, sum by (le) (rate(istio_request_duration_milliseconds_bucket{%s}[%s])))\n", labels, span(a.window()))
		bound := written(milliseconds(a.MaxP95))
		metrics = append(metrics, a.metric("p95-milliseconds", query, "<= "+bound, "> "+bound))
	}
	return object(argoVersion, "AnalysisTemplate", a.analysis(), a.Namespace, map[string]any{
		"args":    []any{map[string]any{"name": "canary-hash"}},
		"metrics": metrics,
	})
}

// metric says what is good and what is bad. No value, and the NaN of no requests,
// is neither: inconclusive, which pauses the rollout in the end.
func (a *argo) metric(name, query, good, bad string) map[string]any {
	const there = "len(result) > 0 && !isNaN(result[0]) && result[0] "
	return map[string]any{
		"name":              name,
		"initialDelay":      span(a.window()),
		"interval":          span(a.window()),
		"failureLimit":      int64(0),
		"inconclusiveLimit": int64(3),
		"successCondition":  there + good,
		"failureCondition":  there + bad,
		"provider":          map[string]any{"prometheus": map[string]any{"address": a.Prometheus, "query": query}},
	}
}

func (a *argo) notes() []string {
	selector := fmt.Sprintf(`{"app":%q}`, a.Service)
	all := []string{
		fmt.Sprintf("subsets: Argo Rollouts writes its own label rollouts-pod-template-hash into both subsets of DestinationRule %s and leaves the other labels there. Its pods all have the Deployment's label track: stable, so a subset that asks for track: canary has no pods and answers 503. Take `track` out of both subsets first, in the files too: "+
			`kubectl -n %s patch destinationrule %s --type merge -p '{"spec":{"subsets":[{"name":%q,"labels":%s},{"name":%q,"labels":%s}]}}'`+" (this replaces the list: add subsets' other settings and labels where yours have some).",
			a.DestinationRule, a.Namespace, a.DestinationRule, a.StableSubset, selector, a.CanarySubset, selector),
		"labels: do not set `track` by canaryMetadata or stableMetadata. It is part of the Deployment's selector, which the Rollout takes over by workloadRef, and pods must keep matching it.",
		fmt.Sprintf("Deployment: after the first success Argo Rollouts scales Deployment %s to 0 (scaleDown: onsuccess). Take `replicas` out of the files, or `meshstorm apply` starts its pods again. An autoscaler must name the Rollout. A Deployment %s-canary of meshstorm's must be gone.", a.Deployment, a.Deployment),
		"ownership: Argo Rollouts changes weights in spec.http and labels in spec.subsets, which `meshstorm apply` lists as conflicts; --force-conflicts would set them back in the middle of a rollout. `meshstorm canary` and `shift` must not be used for this service any more.",
		"rules: each rule in virtualServices must have exactly two destinations, the stable and the canary subset. Rules without `canary` need it with weight 0.",
		"the first time nothing is rolled out by steps: making the Rollout brings up the version that runs. From then on a changed image in the Deployment starts the steps.",
		a.eventsNote(),
	}
	if a.Replicas == 0 {
		all = append(all, "replicas: the plan says none, and a Rollout without `replicas` has one pod. Set spec.replicas to the Deployment's number.")
	}
	return append(append(all, a.metricNotes()...), a.routeNotes()...)
}

func (a *argo) metricNotes() []string {
	switch {
	case a.unjudged():
		return []string{"bounds: there is no Prometheus address, so nothing is judged. Every pause waits for a person (kubectl argo rollouts promote), because missing metrics must not count as healthy."}
	case a.bounded():
		return []string{
			"metrics: the queries find the canary's pods by the label rollouts_pod_template_hash, which Prometheus must take from the pod's labels, as Istio's sample configuration does (labelmap). Without it every measurement is inconclusive and the rollout pauses.",
			"metrics: they are those of the canary's own sidecar; requests that never reached it (connection refused, no endpoint) are not in them. Argo Rollouts knows no least number of requests: a few decide as many do, none at all is inconclusive and pauses after the third time.",
		}
	}
	return []string{"bounds: the plan has none, so the steps go on whatever the canary answers."}
}

func (a *argo) routeNotes() []string {
	var all []string
	if a.TestersHeader != "" {
		all = append(all, fmt.Sprintf("testers: the route that Argo Rollouts makes matches the header %s alone, without paths, and stands first. On a gateway host that several services share it takes the testers' requests for the others too: use a header that only %s has.", a.TestersHeader, a.Service))
		if len(a.VirtualServices) > 1 {
			all = append(all, fmt.Sprintf("testers: there are several VirtualServices (%s). That header routes are made in each of them is not certain for every version of Argo Rollouts; look at them after the first step.", strings.Join(a.names(), ", ")))
		}
	}
	if a.StickyCookie != "" {
		all = append(all, fmt.Sprintf("sticky: Argo Rollouts has no session affinity for Istio, so the cookie %s is left out and clients change sides between requests.", a.StickyCookie))
	}
	switch {
	case a.mirrors():
		all = append(all, "mirror: only GET and HEAD of the paths are copied, before the first weight instead of beside all of them: it is not certain that the weights of a mirror route follow those of the rules.")
	case a.MirrorPercent > 0:
		all = append(all, "mirror: left out. The plan has no paths, and a mirror route without them would take the requests of other services on the same host.")
	}
	return all
}

func (a *argo) names() []string {
	var all []string
	for _, vs := range a.VirtualServices {
		all = append(all, vs.Name)
	}
	return all
}
