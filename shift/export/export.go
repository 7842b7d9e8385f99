// Package export writes a rollout's plan for the engines that teams run already:
// as an Argo Rollouts Rollout or as a Flagger Canary, with the analysis that
// belongs to it. It takes a Plan and gives objects to apply, and notes: what the
// engine does otherwise than meshstorm, and what has to change before it can work.
// It speaks with no cluster, and the same plan always gives the same objects.
//
// Fields follow argo-rollouts.readthedocs.io (Rollout v1alpha1, traffic routing by
// Istio, analysis) and docs.flagger.app (Canary and MetricTemplate v1beta1).
package export

import (
	"errors"
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// ErrPlan says that a plan cannot be written for an engine.
var ErrPlan = errors.New("the plan cannot be exported")

// Plan is a rollout without what only meshstorm needs.
type Plan struct {
	Service    string
	Namespace  string
	Deployment string // whose pods are replaced; "" for the Service's name
	// Replicas of the Deployment; 0 leaves the number to the engine, which for
	// Argo Rollouts is one.
	Replicas int32
	Port     int // of the Service
	// VirtualServices hold the routes that split the traffic.
	VirtualServices []VirtualServiceRef
	DestinationRule string
	StableSubset    string
	CanarySubset    string
	Gateways        []string
	Hosts           []string
	// Paths are prefixes of the service's resources, such as /orders. Rules that
	// an engine makes by itself match these and nothing else.
	Paths []string
	Steps []int // percent for the canary, rising; not used with BlueGreen
	// Every is how long a step lasts; 0 waits for a person.
	Every time.Duration
	// Pauses take the place of Every, one for each step (two with BlueGreen:
	// before and after the switch); 0 waits for a person. Empty for none.
	Pauses       []time.Duration
	MaxErrorRate float64       // 0–1; 0 for no bound
	MaxP95       time.Duration // 0 for no bound
	// Prometheus is the address of the server that the engine asks.
	Prometheus    string
	TestersHeader string
	TestersValue  string
	StickyCookie  string // a cookie's name; "" for none
	MirrorPercent int    // 0–100; 0 for none
	// BlueGreen switches all traffic at once, after a preview.
	BlueGreen bool
}

// VirtualServiceRef names the rules of one VirtualService that are split.
type VirtualServiceRef struct {
	Name   string
	Routes []string // names of http rules
}

// complete fills in the defaults and checks what both engines need. Errors wrap
// ErrPlan and name all faults.
func (p *Plan) complete() error {
	if p.Deployment == "" {
		p.Deployment = p.Service
	}
	if p.BlueGreen {
		p.Steps = []int{0, 100}
	}
	var faults []error
	fault := func(format string, args ...any) {
		faults = append(faults, fmt.Errorf("%w: %s", ErrPlan, fmt.Sprintf(format, args...)))
	}
	if p.Service == "" || p.Namespace == "" {
		fault("expected a service and its namespace, found %q and %q", p.Service, p.Namespace)
	}
	if len(p.Steps) == 0 {
		fault("no steps; expected percents such as 5,20,50,100")
	}
	for i, s := range p.Steps {
		switch {
		case s < 0 || s > 100 || s == 0 && !p.BlueGreen:
			fault("step %d: expected 1 to 100 percent", s)
		case i > 0 && s <= p.Steps[i-1]:
			fault("step %d comes after %d: each step must be larger than the one before", s, p.Steps[i-1])
		}
	}
	if len(p.Pauses) > 0 && len(p.Pauses) != len(p.Steps) {
		fault("%d pauses for %d steps; expected one for each", len(p.Pauses), len(p.Steps))
	}
	for _, d := range append([]time.Duration{p.Every, p.MaxP95}, p.Pauses...) {
		if d < 0 {
			fault("the time %s is below zero", d)
		}
	}
	if math.IsNaN(p.MaxErrorRate) || p.MaxErrorRate < 0 || p.MaxErrorRate >= 1 {
		fault("largest error rate %v: expected a share from 0 to 1", p.MaxErrorRate)
	}
	if (p.TestersHeader == "") != (p.TestersValue == "") {
		fault("testers need a header and its value, found %q and %q", p.TestersHeader, p.TestersValue)
	}
	if p.MirrorPercent < 0 || p.MirrorPercent > 100 {
		fault("mirror %d: expected 0 to 100 percent", p.MirrorPercent)
	}
	return errors.Join(faults...)
}

func (p *Plan) pause(step int) time.Duration {
	if len(p.Pauses) > 0 {
		return p.Pauses[step]
	}
	return p.Every
}

func (p *Plan) bounded() bool { return p.MaxErrorRate > 0 || p.MaxP95 > 0 }

// unjudged reports whether there are bounds that nothing can measure.
func (p *Plan) unjudged() bool { return p.bounded() && p.Prometheus == "" }

// window is the time over which metrics are asked for: that of the shortest step,
// one to five minutes, since Prometheus must have scraped twice in it.
func (p *Plan) window() time.Duration {
	shortest := 5 * time.Minute
	for i := range p.Steps {
		if d := p.pause(i); d > 0 {
			shortest = min(shortest, d)
		}
	}
	return max(shortest, time.Minute)
}

// eventsNote is true of every engine that makes the canary's pods from the stable
// ones' template.
func (p *Plan) eventsNote() string {
	return fmt.Sprintf("if %s consumes events, its canary joins the consumer group as soon as it is ready, whatever its weight. The engine runs one pod template for both sides, so the variable of `canary.env` in meshstorm.yaml cannot be set for the canary alone.", p.Service)
}

// span writes a duration as both engines and Prometheus read it.
func span(d time.Duration) string {
	if d >= time.Minute && d%time.Minute == 0 {
		return strconv.FormatInt(int64(d/time.Minute), 10) + "m"
	}
	return strconv.FormatInt(int64((d+time.Second-1)/time.Second), 10) + "s"
}

// decimal writes a number without the traces of binary fractions.
func decimal(v float64) float64 { return math.Round(v*1e6) / 1e6 }

func written(v float64) string { return strconv.FormatFloat(decimal(v), 'f', -1, 64) }

// milliseconds is how Istio's histograms count time.
func milliseconds(d time.Duration) float64 { return decimal(float64(d) / float64(time.Millisecond)) }

// number keeps whole numbers whole, for YAML that people read.
func number(v float64) any {
	if v == math.Trunc(v) {
		return int64(v)
	}
	return v
}

// pathPattern matches a path and what lies below it, and no neighbour.
func pathPattern(path string) string {
	return regexp.QuoteMeta(strings.TrimSuffix(path, "/")) + "(/.*)?"
}

func words(all []string) []any {
	var items []any
	for _, s := range all {
		items = append(items, s)
	}
	return items
}

func object(apiVersion, kind, name, namespace string, spec map[string]any) *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": apiVersion,
		"kind":       kind,
		"metadata":   map[string]any{"name": name, "namespace": namespace},
		"spec":       spec,
	}}
}
