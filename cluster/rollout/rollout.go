// Package rollout moves a service's traffic to a new version and back: canaries
// by steps that are judged by what the new pods really answer, blue-green, and
// weights set by hand. It takes a plan and a cluster, and gives a state machine
// whose every transition is written to the cluster before it acts, so that any
// process can go on where another one was cut off.
//
// The state is a ConfigMap meshstorm-canary-SERVICE, and whoever carries it on
// holds the Lease of the same name. Weights lie in the VirtualServices as package
// shift lays them out. Other processes ask the holder for an end (Promote, Abort)
// through the same ConfigMap.
//
//	preparing → shifting ⇄ watching → promoting (scale, cover, copy, return, drain, remove, files) → promoted
//	                ↑         ↓
//	                └──── paused          from anywhere: aborting (revert, withdraw, drain, remove) → aborted
package rollout

import (
	"errors"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/meshstorm/meshstorm/shift"
)

// Strategy is how traffic goes to the new version.
type Strategy string

// The strategies.
const (
	Canary    Strategy = "canary"     // in steps
	BlueGreen Strategy = "blue-green" // all at once, after a preview
)

// Defaults of a Plan.
const (
	DefaultMinRequests = 50
	DefaultMaxErrors   = 0.01
	DefaultEvery       = 2 * time.Minute
	DefaultDrain       = 10 * time.Second
	// Prolongations is how often a step with too few requests is prolonged
	// before the rollout pauses.
	Prolongations = 3
)

// DefaultSteps are the shares of a canary, in percent.
func DefaultSteps() []int { return []int{5, 20, 50, 100} }

// Bounds are what the new version must keep to.
type Bounds struct {
	MaxErrorRate float64 `json:"maxErrorRate"` // 0–1
	// MaxP95 is the longest 95th percentile of the answers' time; 0 for none.
	MaxP95 metav1.Duration `json:"maxP95,omitzero"`
	// MinRequests is how many requests a step must see to be judged.
	MinRequests int `json:"minRequests"`
}

// Plan is what a rollout is to do.
type Plan struct {
	ID        string          `json:"id"` // set by Start
	Service   string          `json:"service"`
	Namespace string          `json:"namespace"`
	Strategy  Strategy        `json:"strategy"`
	Image     string          `json:"image"`
	Container string          `json:"container"` // whose image it is; found by Start where it is ""
	Steps     []int           `json:"steps"`     // percent for the canary, rising
	Every     metav1.Duration `json:"every"`     // how long each step is watched; 0 pauses after each
	Bounds    Bounds          `json:"bounds"`
	// Drain is how long requests that are under way have before pods go.
	Drain metav1.Duration `json:"drain"`
	// Testers sends requests with this header to the canary from the start. The
	// subsets of Testers and Mirror are filled in by Start.
	Testers *shift.Testers `json:"testers,omitempty"`
	// Sticky is a cookie's name; a client stays on the side it was sent to first.
	Sticky string        `json:"sticky,omitempty"`
	Mirror *shift.Mirror `json:"mirror,omitempty"`
	// Env and Annotations belong to the new version: promoting keeps them.
	Env         map[string]string `json:"env,omitempty"`
	Annotations map[string]string `json:"annotations,omitempty"` // of the pods
	// CanaryEnv is for the canary's pods alone, such as the variable that keeps
	// them from consuming events; promoting drops it.
	CanaryEnv map[string]string `json:"canaryEnv,omitempty"`
	// ForceConflicts takes spec.http and pod templates over from other managers.
	ForceConflicts bool `json:"forceConflicts,omitempty"`
	// NoWrite leaves the workspace's files alone at the end.
	NoWrite bool `json:"noWrite,omitempty"`
}

// ErrPlan says that a plan makes no sense.
var ErrPlan = errors.New("the plan cannot be carried out")

// cookieName is what package shift can match in a cookie header.
var cookieName = regexp.MustCompile(`^[A-Za-z0-9_-]+$`)

// Complete fills in the defaults and checks the plan. Errors wrap ErrPlan.
func (p *Plan) Complete() error {
	if p.Strategy == "" {
		p.Strategy = Canary
	}
	if p.Strategy == BlueGreen {
		p.Steps = []int{0, 100}
	}
	if len(p.Steps) == 0 {
		p.Steps = DefaultSteps()
	}
	var faults []error
	fault := func(format string, args ...any) {
		faults = append(faults, fmt.Errorf("%w: %s", ErrPlan, fmt.Sprintf(format, args...)))
	}
	if p.Strategy != Canary && p.Strategy != BlueGreen {
		fault("strategy %q: expected canary or blue-green", p.Strategy)
	}
	if strings.TrimSpace(p.Image) == "" {
		fault("no image; name the new version with --image")
	}
	for i, s := range p.Steps {
		switch {
		case s < 0 || s > 100 || s == 0 && p.Strategy == Canary:
			fault("step %d: expected percents from 1 to 100", s)
		case i > 0 && s <= p.Steps[i-1]:
			fault("step %d comes after %d: each step must be larger than the one before", s, p.Steps[i-1])
		}
	}
	if p.Every.Duration < 0 || p.Drain.Duration < 0 {
		fault("times below zero are not possible")
	}
	if b := p.Bounds; math.IsNaN(b.MaxErrorRate) || b.MaxErrorRate < 0 || b.MaxErrorRate > 1 {
		fault("largest error rate %v: expected 0 to 100 %%", b.MaxErrorRate)
	}
	if p.Bounds.MaxP95.Duration < 0 || p.Bounds.MinRequests < 1 {
		fault("the bound of p95 must not be below zero, and at least 1 request must be asked for")
	}
	if m := p.Mirror; m != nil && (m.Percent < 1 || m.Percent > 100) {
		fault("mirror %d: expected 1 to 100 percent", m.Percent)
	}
	if p.Sticky != "" && !cookieName.MatchString(p.Sticky) {
		fault("%q is no cookie's name", p.Sticky)
	}
	return errors.Join(faults...)
}

// share is the largest step below 100: what the canary must bear before it is
// made as large as stable.
func (p *Plan) share() int {
	largest := 0
	for _, s := range p.Steps {
		if s < 100 {
			largest = s
		}
	}
	return largest
}

// size is how many pods the canary needs to take percent of what stable pods
// take now.
func (p *Plan) size(percent int, stable int32) int32 {
	if p.Strategy == BlueGreen || percent == 100 {
		return max(stable, 1)
	}
	need := max(percent, p.share())
	return max(int32(math.Ceil(float64(stable)*float64(need)/100)), 1)
}

// last reports whether a step is the last one.
func (p *Plan) last(step int) bool { return step >= len(p.Steps)-1 }

// promotes reports whether the plan goes to the end by itself.
func (p *Plan) promotes() bool { return slices.Contains(p.Steps, 100) }

// Deployment is the name of the canary's.
func (p *Plan) Deployment() string { return p.Service + "-canary" }

// Name is that of a rollout's ConfigMap and Lease.
func Name(service string) string { return "meshstorm-canary-" + service }

// Owner is what the inventory says of objects that a canary keeps.
func Owner(service string) string { return "canary of " + service }
