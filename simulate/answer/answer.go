// Package answer is the answer to one question about a mesh, as data: what
// becomes of a request, who took it and why others did not. Package simulate
// makes answers; whoever prints, tests or compares them needs no Istio for that.
package answer

import (
	"context"

	"github.com/meshstorm/meshstorm/route"
)

// APIVersion is the version of the JSON form.
const APIVersion = "meshstorm.io/v1"

// Envoy's response flags, as its access log has them.
const (
	FlagNoRoute    = "NR"
	FlagNoCluster  = "NC"
	FlagNoUpstream = "UH"
)

// Request is a question.
type Request struct {
	Method  string         `json:"method"`
	URL     string         `json:"url"` // absolute; the scheme and port choose the listener
	Headers []route.Header `json:"headers,omitempty"`
	// From is "gateway", "gateway:NAME[.NAMESPACE]", or the service whose
	// sidecar sends it: SERVICE or SERVICE.NAMESPACE. "" is "gateway".
	From string `json:"from"`
	// Random, where set, is the random value for fractions and weights; nil
	// asks for the whole split.
	Random *uint64 `json:"random,omitempty"`
	// Brief leaves out the verdicts of the rules, for those who ask often.
	Brief bool `json:"-"`
}

// Outcomes.
const (
	OutcomeRoute       = "route"
	OutcomeRedirect    = "redirect"
	OutcomeDirect      = "direct_response"
	OutcomeNotFound    = "not_found"           // 404, flag NR
	OutcomeNoCluster   = "no_cluster"          // 503, flag NC
	OutcomeNoUpstream  = "no_healthy_upstream" // 503, flag UH
	OutcomeUnsupported = "unsupported"
)

// Answer is what happens to a request. Its JSON form is part of the public
// interface (docs/schema/route.json).
type Answer struct {
	APIVersion string  `json:"apiVersion"`
	Request    Request `json:"request"`
	Proxy      Proxy   `json:"proxy"`
	Outcome    string  `json:"outcome"`
	Status     int     `json:"status,omitempty"` // what the client gets where no upstream answers
	Flag       string  `json:"flag"`             // Envoy's response flag: NR, NC, UH
	Reason     string  `json:"reason,omitempty"` // why, in words, where it is no plain route
	Listener   string  `json:"listener,omitempty"`
	// Closed is true where nothing on the port takes the connection, so that no
	// HTTP is spoken; the outcome is not_found and the flag NR, as Envoy's is for
	// a connection without a filter chain.
	Closed    bool     `json:"closed,omitempty"`
	VHost     string   `json:"virtualHost"`
	Winner    *Winner  `json:"winner"`
	Rules     []Rule   `json:"rules"` // in istiod's order
	Unsupport []string `json:"unsupported,omitempty"`

	Destinations []Destination `json:"destinations"`
	Rewrite      *Rewrite      `json:"rewrite"`
	Redirect     *Redirect     `json:"redirect,omitempty"`
	Direct       *Direct       `json:"directResponse,omitempty"`
	Timeout      string        `json:"timeout"` // a Go duration; "" for none
	Retries      *Retries      `json:"retries"`
	Fault        *Fault        `json:"fault"`
	Mirrors      []Mirror      `json:"mirrors"`
	Headers      []string      `json:"headers"` // changes, in words
	Hash         []string      `json:"hash,omitempty"`
	CORS         *route.CORS   `json:"cors,omitempty"`

	// Effect and Decision are what the evaluator said, for callers in Go; the
	// first destination's where there are several.
	Effect   *route.Effect `json:"-"`
	RouteKey string        `json:"-"` // names the route across requests, for coverage
	// Returns are the response headers that the client gets where the upstream
	// sends none of its own (route.Config.ResponseHeaders).
	Returns []route.Header `json:"-"`
}

// Proxy is the proxy that was asked.
type Proxy struct {
	Kind      string            `json:"kind"`
	Name      string            `json:"name"`
	Namespace string            `json:"namespace"`
	Labels    map[string]string `json:"labels,omitempty"`
}

// Winner is the rule that took the request.
type Winner struct {
	VirtualService string `json:"virtualService"` // or the HTTPRoute's name; "" for Istio's own route
	Kind           string `json:"kind,omitempty"` // VirtualService, HTTPRoute
	Namespace      string `json:"namespace"`
	Rule           string `json:"rule"`
	File           string `json:"file"`
	Line           int    `json:"line"`
	Source         string `json:"source"` // the model element
}

// Rule is one route and its verdict.
type Rule struct {
	Name           string `json:"name"`
	VirtualService string `json:"virtualService,omitempty"`
	File           string `json:"file,omitempty"`
	Line           int    `json:"line,omitempty"`
	Matched        bool   `json:"matched"`
	Failed         string `json:"failed"`
}

// Destination is one share of the traffic.
type Destination struct {
	Host      string   `json:"host"`
	Subset    string   `json:"subset"`
	Port      int      `json:"port"`
	Weight    int      `json:"weight"`
	Share     float64  `json:"share"`     // 0-1
	Of100     float64  `json:"of100"`     // expected count of 100 requests
	Of1000    float64  `json:"of1000"`    // and of 1,000
	Endpoints int      `json:"endpoints"` // -1 where Istio does not know them (DNS)
	Workloads []string `json:"workloads,omitempty"`
	Cluster   string   `json:"cluster"`
	Flag      string   `json:"flag,omitempty"`   // NC or UH where this share fails
	Status    int      `json:"status,omitempty"` // what the client gets then
	Reason    string   `json:"reason,omitempty"`
}

// Rewrite is what the upstream sees instead.
type Rewrite struct {
	Path      string `json:"path,omitempty"`
	Authority string `json:"authority,omitempty"`
}

// Redirect is where the client is sent.
type Redirect struct {
	Location string `json:"location"`
	Code     int    `json:"code"`
}

// Direct is a response that the proxy makes itself.
type Direct struct {
	Status int    `json:"status"`
	Body   string `json:"body,omitempty"`
}

// Retries is the retry policy that holds.
type Retries struct {
	Attempts      int      `json:"attempts"`
	On            []string `json:"on,omitempty"`
	PerTryTimeout string   `json:"perTryTimeout,omitempty"`
	Default       bool     `json:"default,omitempty"` // Istio's own, not written in any file
}

// Fault is the fault that is injected.
type Fault struct {
	Delay      string  `json:"delay,omitempty"`
	DelayShare float64 `json:"delayShare,omitempty"`
	Abort      int     `json:"abort,omitempty"`
	AbortGRPC  int     `json:"abortGrpc,omitempty"`
	AbortShare float64 `json:"abortShare,omitempty"`
}

// Mirror is where copies go.
type Mirror struct {
	Host   string  `json:"host"`
	Subset string  `json:"subset,omitempty"`
	Port   int     `json:"port"`
	Share  float64 `json:"share"`
	Reason string  `json:"reason,omitempty"` // why the copies get lost
}

// Asker answers requests.
type Asker interface {
	Ask(ctx context.Context, r Request) (*Answer, error)
}

// RouteInfo names one route of one rule.
type RouteInfo struct {
	Key            string // as in Answer.RouteKey
	Kind           string // VirtualService, HTTPRoute
	VirtualService string
	Namespace      string
	Rule           string
	Match          string // the conditions, in words
	File           string
	Line           int
	Proxy          Proxy // one that gets it
}
