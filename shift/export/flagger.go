package export

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

const flaggerVersion = "flagger.app/v1beta1"

// Flagger's own number where a plan's steps wait for a person.
const iterations = 10

// Flagger writes a plan as a Canary of Flagger for the Deployment, and a
// MetricTemplate where p95 is bounded and there is a Prometheus. Errors wrap
// ErrPlan.
func Flagger(p Plan) ([]*unstructured.Unstructured, []string, error) {
	if err := errors.Join(p.complete(), p.checkFlagger()); err != nil {
		return nil, nil, err
	}
	f := flagger{Plan: p}
	spec := map[string]any{
		"provider":                "istio",
		"targetRef":               map[string]any{"apiVersion": "apps/v1", "kind": "Deployment", "name": p.Deployment},
		"progressDeadlineSeconds": int64(600),
		"service":                 f.service(),
		"analysis":                f.analysis(),
	}
	if p.Prometheus != "" {
		spec["metricsServer"] = p.Prometheus
	}
	objects := []*unstructured.Unstructured{}
	if f.templated() {
		objects = append(objects, f.template())
	}
	return append(objects, object(flaggerVersion, "Canary", p.Deployment, p.Namespace, spec)), f.notes(), nil
}

func (p *Plan) checkFlagger() error {
	if p.Port < 1 || p.Port > 65535 {
		return fmt.Errorf("%w: port %d; expected the Service's port, 1 to 65535", ErrPlan, p.Port)
	}
	return nil
}

type flagger struct{ Plan }

// tests reports whether testers alone see the new version until it is promoted:
// Flagger's A/B testing, which has no weights.
func (f *flagger) tests() bool { return f.BlueGreen && f.TestersHeader != "" }

func (f *flagger) weighted() bool { return !f.BlueGreen }

// templated reports whether p95 is asked for by a query of our own; Flagger's
// built-in request-duration is the 99th percentile.
func (f *flagger) templated() bool { return f.MaxP95 > 0 && f.Prometheus != "" }

func (f *flagger) metricName() string { return f.Service + "-p95" }

func (f *flagger) service() map[string]any {
	service := map[string]any{"name": f.Service, "port": int64(f.Port), "portName": "http"}
	if len(f.Gateways) > 0 {
		service["gateways"] = words(f.Gateways)
	}
	if len(f.Hosts) > 0 {
		service["hosts"] = words(f.Hosts)
	}
	var match []any
	for _, path := range f.Paths {
		path = strings.TrimSuffix(path, "/")
		if path != "" {
			match = append(match, map[string]any{"uri": map[string]any{"exact": path}})
		}
		match = append(match, map[string]any{"uri": map[string]any{"prefix": path + "/"}})
	}
	if len(match) > 0 {
		service["match"] = match
	}
	return service
}

// interval is how often Flagger judges, and with weights how long a step lasts.
func (f *flagger) interval() time.Duration {
	if !f.weighted() {
		return f.window()
	}
	longest := time.Duration(0)
	for i := range f.Steps {
		longest = max(longest, f.pause(i))
	}
	if longest == 0 {
		return time.Minute
	}
	return max(longest, 10*time.Second)
}

func (f *flagger) analysis() map[string]any {
	analysis := map[string]any{"interval": span(f.interval()), "threshold": int64(1)}
	if f.weighted() {
		var weights []any
		for _, s := range f.Steps {
			weights = append(weights, int64(s))
		}
		analysis["stepWeights"] = weights
		analysis["maxWeight"] = int64(f.Steps[len(f.Steps)-1])
		if f.StickyCookie != "" {
			analysis["sessionAffinity"] = map[string]any{"cookieName": f.StickyCookie}
		}
	} else {
		analysis["iterations"] = f.rounds()
	}
	if f.tests() {
		analysis["match"] = []any{map[string]any{"headers": map[string]any{f.TestersHeader: map[string]any{"exact": f.TestersValue}}}}
	}
	if f.mirrors() {
		analysis["mirror"] = true
		analysis["mirrorWeight"] = int64(f.MirrorPercent)
	}
	if metrics := f.metrics(); len(metrics) > 0 {
		analysis["metrics"] = metrics
	}
	return analysis
}

func (f *flagger) mirrors() bool { return f.MirrorPercent > 0 && !f.tests() }

// rounds is how many intervals the preview of a blue-green rollout lasts.
func (f *flagger) rounds() int64 {
	preview := f.pause(0)
	if preview == 0 {
		return iterations
	}
	return int64((preview + f.interval() - 1) / f.interval())
}

// range over which a metric is asked for.
func (f *flagger) over() string { return span(max(f.interval(), time.Minute)) }

func (f *flagger) metrics() []any {
	var all []any
	if f.MaxErrorRate > 0 {
		all = append(all, map[string]any{
			"name":           "request-success-rate",
			"thresholdRange": map[string]any{"min": number(decimal(100 * (1 - f.MaxErrorRate)))},
			"interval":       f.over(),
		})
	}
	if f.MaxP95 > 0 {
		metric := map[string]any{
			"name":           "request-duration",
			"thresholdRange": map[string]any{"max": number(milliseconds(f.MaxP95))},
			"interval":       f.over(),
		}
		if f.templated() {
			metric["name"] = "p95-milliseconds"
			metric["templateRef"] = map[string]any{"name": f.metricName(), "namespace": f.Namespace}
		}
		all = append(all, metric)
	}
	return all
}

func (f *flagger) template() *unstructured.Unstructured {
	query := `histogram_quantile(0.95, sum by (le) (rate(istio_request_duration_milliseconds_bucket{` +
		`reporter="destination",destination_workload_namespace="{{ namespace }}",destination_workload=~"{{ target }}"` +
		"}[{{ interval }}])))\n"
	return object(flaggerVersion, "MetricTemplate", f.metricName(), f.Namespace, map[string]any{
		"provider": map[string]any{"type": "prometheus", "address": f.Prometheus},
		"query":    query,
	})
}

func (f *flagger) notes() []string {
	all := []string{
		fmt.Sprintf("objects: Flagger owns the VirtualService and the DestinationRules. It makes VirtualService %[1]s, DestinationRules %[1]s-primary and %[1]s-canary, Services %[1]s-primary and %[1]s-canary and Deployment %[2]s-primary, and splits between these hosts, not between subsets. Take %[3]s out of the workspace's files before, or two VirtualServices claim the same paths.", f.Service, f.Deployment, f.replaced()),
		fmt.Sprintf("Service: Flagger takes Service %[1]s over and makes it select the pods of %[2]s-primary, and scales Deployment %[2]s to 0 between rollouts. `meshstorm apply` would undo both: take the Service and `replicas` out of the files. `meshstorm canary` and `shift` must not be used for this service any more.", f.Service, f.Deployment),
		fmt.Sprintf("labels: Flagger renames one label of the selector for the primary (app: %s becomes %s-primary, if `app` is among its -selector-labels) and leaves `track: stable` on all pods. Dashboards and policies that select by app must know the new name; a selector by track no longer tells the sides apart.", f.Service, f.Deployment),
		"rules: Flagger writes one rule for all methods. What the rules of the files have beyond paths (retries: 0 for commands, timeouts, faults) is lost; give it in spec.service of the Canary.",
		"threshold: the first failed check takes the canary back (threshold: 1). Flagger takes a check without any value for a failed one too, and knows no least number of requests: it needs steady traffic.",
		f.eventsNote(),
	}
	if len(f.Paths) == 0 {
		all = append(all, "match: the plan has no paths, so the rule takes every path of its hosts.")
	}
	if slices.Contains(f.Hosts, "*") {
		all = append(all, "hosts: `*` is not possible inside the mesh. Callers there are split only if the gateways have `mesh` and the hosts are real names.")
	} else if len(f.Gateways) > 0 && !slices.Contains(f.Gateways, "mesh") {
		all = append(all, "gateways: callers inside the mesh are split only if `mesh` is among the gateways.")
	}
	return append(append(all, f.planNotes()...), f.routeNotes()...)
}

// replaced are the objects that Flagger's take the place of.
func (f *flagger) replaced() string {
	var all []string
	for _, vs := range f.VirtualServices {
		all = append(all, "VirtualService "+vs.Name)
	}
	if f.DestinationRule != "" {
		all = append(all, "DestinationRule "+f.DestinationRule)
	}
	if len(all) == 0 {
		return "those for this service"
	}
	return strings.Join(all, ", ")
}

// planNotes tell what becomes of times and bounds.
func (f *flagger) planNotes() []string {
	var all []string
	waits, differ := false, false
	for i := range f.Steps {
		waits = waits || f.pause(i) == 0
		differ = differ || f.pause(i) != f.pause(0)
	}
	if waits {
		all = append(all, "pauses: Flagger does not wait for a person at a step. Add a webhook of type confirm-traffic-increase or confirm-promotion to the analysis, or the rollout goes on by itself.")
	}
	if differ {
		all = append(all, fmt.Sprintf("pauses: Flagger has one interval for all steps; it is the longest one, %s.", span(f.interval())))
	}
	if f.weighted() && f.Steps[len(f.Steps)-1] < 100 {
		all = append(all, fmt.Sprintf("promotion: after the step of %d %% Flagger promotes by itself, where meshstorm would stay there.", f.Steps[len(f.Steps)-1]))
	}
	switch {
	case !f.bounded():
		all = append(all, "bounds: the plan has none, so the steps go on whatever the canary answers.")
	case f.Prometheus == "":
		all = append(all, "bounds: the plan names no Prometheus, so Flagger asks the one of its own -metrics-server.")
	}
	if f.MaxP95 > 0 && !f.templated() {
		all = append(all, "p95: Flagger's request-duration is the 99th percentile, so the same bound is stricter than the plan's. With a Prometheus address a MetricTemplate for p95 is written instead.")
	}
	return all
}

func (f *flagger) routeNotes() []string {
	var all []string
	switch {
	case f.tests():
		all = append(all, "testers: this is Flagger's A/B testing. Requests with the header see the new version for all iterations, then everybody does.")
	case f.TestersHeader != "":
		all = append(all, fmt.Sprintf("testers: Flagger has either weights or a header, not both. The header %s is left out; for testers only, export the plan as blue-green.", f.TestersHeader))
	}
	switch {
	case f.StickyCookie != "" && f.weighted():
		all = append(all, "sticky: Flagger's cookie keeps those on the canary who were sent there; for how the others are kept, see its session affinity for your version. It writes the cookie's value itself and lets it live a day (maxAge).")
	case f.StickyCookie != "":
		all = append(all, "sticky: without weights there is no cookie; it is left out.")
	}
	switch {
	case f.mirrors():
		all = append(all, "mirror: Flagger mirrors for one interval before the first weight, and all methods: commands are executed and published twice. Leave it out for a service that takes commands.")
	case f.MirrorPercent > 0:
		all = append(all, "mirror: Flagger does not mirror in A/B testing; it is left out.")
	}
	return all
}
