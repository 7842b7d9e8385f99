package rollout

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/meshstorm/meshstorm/cluster"
	"github.com/meshstorm/meshstorm/cluster/metrics"
	"github.com/meshstorm/meshstorm/shift"
)

// Phase is where a rollout is.
type Phase string

// The phases.
const (
	Preparing Phase = "preparing" // the canary's objects are made
	Shifting  Phase = "shifting"  // a step's weights are being written
	Watching  Phase = "watching"  // a step is measured
	Paused    Phase = "paused"    // a person must say how to go on
	Promoting Phase = "promoting"
	Aborting  Phase = "aborting"
	Promoted  Phase = "promoted"
	Aborted   Phase = "aborted"
)

// Ended reports whether nothing is left to do.
func (p Phase) Ended() bool { return p == Promoted || p == Aborted }

// Stage is a part of Promoting or Aborting.
type Stage string

// The stages, in their order.
const (
	Scale    Stage = "scale"    // the canary becomes as large as stable
	Cover    Stage = "cover"    // the canary takes all traffic
	Copy     Stage = "copy"     // stable becomes the new version
	Return   Stage = "return"   // stable takes all traffic
	Revert   Stage = "revert"   // of an abort after Copy: stable becomes the old version
	Withdraw Stage = "withdraw" // of an abort: stable takes all traffic
	Drain    Stage = "drain"    // requests that are under way end
	Remove   Stage = "remove"   // the shift ends, the canary goes
	Files    Stage = "files"    // the workspace's files get the new version
)

// Judgement is what a measurement means.
type Judgement string

// The judgements. Only Healthy lets a rollout go on by itself.
const (
	Healthy    Judgement = "healthy"
	Bad        Judgement = "bad"
	TooFew     Judgement = "too few requests"
	Unmeasured Judgement = "not measured"
)

// Verdict is a judgement with what was measured.
type Verdict struct {
	Time      time.Time `json:"time"`
	Step      int       `json:"step"`   // index in the plan's steps
	Weight    int       `json:"weight"` // percent
	Judgement Judgement `json:"judgement"`
	// Reason is a sentence: what was measured against which bound.
	Reason   string   `json:"reason"`
	Requests float64  `json:"requests"`
	Errors   float64  `json:"errors"`
	P95      *float64 `json:"p95,omitempty"` // milliseconds
	Seconds  float64  `json:"seconds"`       // that were measured
	// Stable is what the version beside it answered meanwhile; nil where nothing
	// is known of it. It is for people: no bound looks at it.
	Stable *Answered `json:"stable,omitempty"`
}

// Answered is what a workload answered.
type Answered struct {
	Requests float64  `json:"requests"`
	Errors   float64  `json:"errors"`
	P95      *float64 `json:"p95,omitempty"` // milliseconds
}

// keptVerdicts bounds the history in the state.
const keptVerdicts = 20

// State is a rollout as the cluster remembers it.
type State struct {
	APIVersion string `json:"apiVersion"` // "meshstorm.io/v1"
	Plan       Plan   `json:"plan"`
	Phase      Phase  `json:"phase"`
	Stage      Stage  `json:"stage,omitempty"`
	Step       int    `json:"step"`
	// Weight is the canary's share that was written last, or is being written.
	Weight  int       `json:"weight"`
	Started time.Time `json:"started"`
	Since   time.Time `json:"since"` // of the phase or stage
	// Mark is where the measurement of this step began.
	Mark   metrics.Mark `json:"mark,omitempty"`
	Marked time.Time    `json:"marked,omitzero"`
	// Until is when the step is judged.
	Until     time.Time `json:"until,omitzero"`
	Prolonged int       `json:"prolonged,omitempty"`
	// Reason says why it paused or was aborted; Planned that the plan wanted the
	// pause.
	Reason   string    `json:"reason,omitempty"`
	Planned  bool      `json:"planned,omitempty"`
	Failed   bool      `json:"failed,omitempty"` // aborted because of a bad verdict
	Verdicts []Verdict `json:"verdicts,omitempty"`

	// Stable and Canary are the subsets.
	Stable string `json:"stableSubset"`
	Canary string `json:"canarySubset"`
	// Replicas are stable's pods at the start.
	Replicas int32 `json:"replicas"`
	// Workspace is whose inventory the service is in; "" for none.
	Workspace string `json:"workspace,omitempty"`
	// Made are objects that are there for the canary alone, besides its
	// Deployment, and go with it. MadeSubset says that the DestinationRule got
	// the canary's subset.
	Made       []cluster.ID `json:"made,omitempty"`
	MadeSubset string       `json:"madeSubset,omitempty"` // the DestinationRule's name
	// Before are the weights of each VirtualService, by name, before the start.
	Before map[string][]shift.Weight `json:"before,omitempty"`
	// Old and New are stable's pod template before and after promoting.
	Old map[string]any `json:"oldTemplate,omitempty"`
	New map[string]any `json:"newTemplate,omitempty"`

	// Epoch counts who carried this on; Answered is the last request that was
	// heard.
	Epoch    int    `json:"epoch"`
	Answered string `json:"answered,omitempty"`
}

// ErrState says that what the cluster remembers cannot be read.
var ErrState = errors.New("the rollout's state cannot be read")

// Encode is the state as JSON.
func (s *State) Encode() (string, error) {
	text, err := json.Marshal(s)
	return string(text), err
}

// Decode reads what Encode wrote. Errors wrap ErrState.
func Decode(text string) (*State, error) {
	s := &State{}
	if err := json.Unmarshal([]byte(text), s); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrState, err)
	}
	switch {
	case s.Plan.Service == "" || s.Plan.Namespace == "" || s.Phase == "":
		return nil, fmt.Errorf("%w: the service, namespace or phase is missing", ErrState)
	case len(s.Plan.Steps) == 0 || s.Step < 0 || s.Step >= len(s.Plan.Steps):
		return nil, fmt.Errorf("%w: step %d of %d", ErrState, s.Step, len(s.Plan.Steps))
	case s.Weight < 0 || s.Weight > 100:
		return nil, fmt.Errorf("%w: weight %d", ErrState, s.Weight)
	}
	return s, nil
}

// percent is the weight of the present step.
func (s *State) percent() int { return s.Plan.Steps[s.Step] }

func (s *State) enter(now time.Time, phase Phase, stage Stage) {
	s.Phase, s.Stage, s.Since = phase, stage, now
}

func (s *State) pause(now time.Time, planned bool, format string, args ...any) {
	s.enter(now, Paused, "")
	s.Planned, s.Reason = planned, fmt.Sprintf(format, args...)
}

// abort begins the way back.
func (s *State) abort(now time.Time, failed bool, reason string) {
	stage := Withdraw
	if s.Old != nil {
		stage = Revert // stable may hold the new version already
	}
	s.enter(now, Aborting, stage)
	s.Failed, s.Reason = failed, reason
}

func (s *State) judged(v Verdict) {
	s.Verdicts = append(s.Verdicts, v)
	if n := len(s.Verdicts) - keptVerdicts; n > 0 {
		s.Verdicts = s.Verdicts[n:]
	}
}

// Traffic is how requests are to be sent.
type Traffic struct {
	Weights map[string]int // percent by subset
	Testers *shift.Testers
	Sticky  *shift.Sticky
	Mirror  *shift.Mirror
}

// split is the traffic of a step.
func (s *State) split(percent int) Traffic {
	t := Traffic{Weights: map[string]int{s.Stable: 100 - percent, s.Canary: percent}, Testers: s.Plan.Testers, Mirror: s.Plan.Mirror}
	if percent == 100 {
		t.Mirror = nil // it would double what the canary gets anyway
	}
	if s.Plan.Sticky != "" && percent > 0 {
		t.Sticky = &shift.Sticky{Cookie: s.Plan.Sticky, Stable: s.Stable, Canary: s.Canary, Off: percent == 100}
	}
	return t
}

// all sends everything to one subset, and nobody is kept elsewhere.
func (s *State) all(subset string) Traffic {
	other := s.Canary
	if subset == s.Canary {
		other = s.Stable
	}
	t := Traffic{Weights: map[string]int{subset: 100, other: 0}}
	if subset == s.Canary {
		t.Testers = s.Plan.Testers
	}
	return t
}

// number is a measured value for JSON, nil where there is none.
func number(v float64) *float64 {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return nil
	}
	return &v
}
