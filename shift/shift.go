// Package shift knows how a VirtualService looks while its traffic is moved
// between subsets: it takes the object that the files (or the cluster) ask for
// and the state of a shift, and gives the object to apply. It speaks with no
// cluster and is a pure function of its input, so that `apply`, `diff`, `canary`
// and the studio always agree.
//
// Istio's lists are atomic for server-side apply, so spec.http as a whole belongs
// to the field manager "meshstorm". A running shift is the annotation
// meshstorm.io/shift, the only field that the manager "meshstorm-shift" owns.
// The final object is always Overlay(desired, state): rules that an earlier
// overlay added are taken out, weights are set by (rule, host, subset), never by
// index, and testers', sticky and mirror rules are made anew from the desired
// rules. Overlay is idempotent.
package shift

import (
	"errors"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Annotation holds the State of a running shift, as JSON.
const Annotation = "meshstorm.io/shift"

// Manager is the field manager that owns the annotation and nothing else.
const Manager = "meshstorm-shift"

// RulePrefix starts the names of the http rules that Overlay adds; a rule with
// such a name is Overlay's, whoever wrote it.
const RulePrefix = "meshstorm-canary-"

// Names of the added rules, in the order in which they stand before the rule
// they precede; the name of that rule follows.
const (
	RuleTesters      = RulePrefix + "testers-"
	RuleStickyCanary = RulePrefix + "sticky-canary-"
	RuleStickyStable = RulePrefix + "sticky-stable-"
	RuleMirror       = RulePrefix + "mirror-"
)

// ErrState says that the annotation's text is no State.
var ErrState = errors.New("the annotation " + Annotation + " cannot be read")

// State is a running shift of one VirtualService.
type State struct {
	// Plan is the id of the rollout that this belongs to; "" for `shift`.
	Plan  string    `json:"plan,omitempty"`
	Since time.Time `json:"since"`
	// Weights are what the shift holds, for each rule and host that it moves.
	Weights []Weight `json:"weights"`
	// Testers sends requests with this header to Subset, whatever the weights.
	Testers *Testers `json:"testers,omitempty"`
	// Sticky keeps a client on the side that it was first sent to.
	Sticky *Sticky `json:"sticky,omitempty"`
	// Mirror copies a share of the requests to a subset.
	Mirror *Mirror `json:"mirror,omitempty"`
}

// Weight is one subset's share of a rule.
type Weight struct {
	Rule   string `json:"rule"` // the http rule's name; "" for all rules without one
	Host   string `json:"host"` // as the destination writes it
	Subset string `json:"subset"`
	Weight int    `json:"weight"` // 0–100; the weights of a rule and host add up to 100
}

// Testers is a header that chooses the canary.
type Testers struct {
	Header string `json:"header"`
	Value  string `json:"value"` // matched exactly
	Subset string `json:"subset"`
}

// Sticky is a cookie that remembers the side. Only the weighted rule sets it,
// one value per destination; the rules that read it stand before.
type Sticky struct {
	Cookie string `json:"cookie"` // the cookie's name
	Stable string `json:"stable"` // subsets, which are the cookie's values too
	Canary string `json:"canary"`
	// MaxAge is how long a browser keeps it; 0 for its session.
	MaxAge metav1.Duration `json:"maxAge,omitzero"`
	// Off stops reading the cookie while the weights change at an end of a
	// canary, so that no client stays behind.
	Off bool `json:"off,omitempty"`
}

// Mirror copies requests to a subset; the answers are dropped.
type Mirror struct {
	Subset  string `json:"subset"`
	Percent int    `json:"percent"` // 1–100
	// Unsafe mirrors commands too (POST, PUT, PATCH, DELETE), which are then
	// executed and published twice. Without it rules for GET and HEAD are split
	// off, and only these mirror.
	Unsafe bool `json:"unsafe,omitempty"`
}

// Report says what Overlay did.
type Report struct {
	Held []Weight // weights in the result that differ from the desired ones
	Gone []Weight // weights of the state whose rule, host or subset is no more
	// New are rules that came with the desired object, hold the same host and
	// subsets, and got the shift's weights.
	New []string
}
