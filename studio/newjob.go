package studio

// NewJob says what to run: a verb, where, and what the verb takes.
type NewJob struct {
	Verb      string `json:"verb" enum:"lab-up,lab-down,istio-install,istio-label,apply,undo,delete,canary-start,canary-promote,canary-abort,canary-pause,canary-resume,shift,load"`
	Workspace string `json:"workspace,omitempty" doc:"Its id; needed by all but lab-up, lab-down, istio-install and load."`
	Context   string `json:"context,omitempty" maxLength:"500" doc:"A context as /contexts lists them; missing: the current one."`

	Apply  *ApplyJob  `json:"apply,omitempty"`
	Undo   *UndoJob   `json:"undo,omitempty"`
	Istio  *IstioJob  `json:"istio,omitempty"`
	Canary *CanaryJob `json:"canary,omitempty" doc:"Needed by the canary verbs."`
	Shift  *ShiftJob  `json:"shift,omitempty" doc:"Needed by shift."`
	Load   *LoadJob   `json:"load,omitempty" doc:"Needed by load."`
}

// ApplyJob is what apply takes. It runs with --yes: a namespace that is missing
// is made and labelled, and objects of kubectl apply are taken over; the diff
// names both before.
type ApplyJob struct {
	ForceConflicts bool   `json:"forceConflicts,omitempty" doc:"Take over fields that other managers applied."`
	Adopt          bool   `json:"adopt,omitempty" doc:"Take over objects that kubectl apply made."`
	TakeWeights    bool   `json:"takeWeights,omitempty" doc:"Give routes the weights of the files, and end running shifts."`
	Note           string `json:"note,omitempty" maxLength:"500" doc:"For the history."`
}

// UndoJob is what undo takes.
type UndoJob struct {
	Revision       int  `json:"revision,omitempty" minimum:"0" doc:"Missing: the one before the current."`
	ForceConflicts bool `json:"forceConflicts,omitempty"`
	DryRun         bool `json:"dryRun,omitempty" doc:"Only say what would change: the result is a change set as diff gives it."`
}

// IstioJob is what istio install and istio label take.
type IstioJob struct {
	Profile string `json:"profile,omitempty" pattern:"^[a-z0-9-]{1,40}$" doc:"Default: demo."`
	Restart bool   `json:"restart,omitempty" doc:"With istio-label: restart the workloads whose pods are not as the label says."`
}

// CanaryJob is what the canary verbs take; all but service are for canary-start,
// and next for canary-resume.
type CanaryJob struct {
	Service      string            `json:"service" pattern:"^[a-z0-9]([-a-z0-9.]{0,250}[a-z0-9])?$"`
	Image        string            `json:"image,omitempty" pattern:"^[A-Za-z0-9][A-Za-z0-9._:/@-]{0,300}$" example:"shop/order:v2"`
	Steps        []int             `json:"steps,omitempty" maxItems:"100" doc:"Percent, the last one 100. Default: 5, 20, 50, 100."`
	Every        string            `json:"every,omitempty" pattern:"^[0-9a-zµ.]{1,20}$" example:"2m" doc:"How long each step is watched; 0 waits for canary-resume after each."`
	Header       string            `json:"header,omitempty" maxLength:"300" example:"x-canary: true" doc:"Requests with it always go to the canary."`
	Sticky       string            `json:"sticky,omitempty" maxLength:"100" doc:"Name of a cookie that keeps each client on its side."`
	Strategy     string            `json:"strategy,omitempty" enum:"canary,blue-green"`
	MinRequests  int               `json:"minRequests,omitempty" minimum:"0" doc:"Requests that a step must see to be judged."`
	MaxErrorRate string            `json:"maxErrorRate,omitempty" pattern:"^[0-9.]{1,20}%?$" example:"1%"`
	MaxP95       string            `json:"maxP95,omitempty" pattern:"^[0-9a-zµ.]{1,20}$" example:"500ms"`
	AcceptEvents bool              `json:"acceptEvents,omitempty" doc:"Start though the canary will consume events whatever its weight."`
	CanaryEnv    map[string]string `json:"canaryEnv,omitempty" maxProperties:"50" doc:"For the canary only, such as the variable that keeps it from consuming events."`
	Force        bool              `json:"force,omitempty" doc:"With canary-promote: in spite of what was measured."`
	Next         bool              `json:"next,omitempty" doc:"With canary-resume: go to the next step even if this one had too few requests or could not be measured."`
	DryRun       bool              `json:"dryRun,omitempty" doc:"With canary-start: only say what would be done; the result is docs/schema/canary-start.json."`
}

// ShiftJob is what shift takes.
type ShiftJob struct {
	Service string         `json:"service" pattern:"^[a-z0-9]([-a-z0-9.]{0,250}[a-z0-9])?$"`
	Weights map[string]int `json:"weights,omitempty" doc:"Percent by subset, 100 in sum." example:"{\"stable\":90,\"canary\":10}"`
	Force   bool           `json:"force,omitempty" doc:"Move traffic to subsets without ready pods too, which is then answered with 503."`
	End     bool           `json:"end,omitempty" doc:"Give the weights of the files back, or those said, and hold nothing any more."`
}

// LoadJob sends requests to the lab's gateway; other clusters are not for that.
type LoadJob struct {
	Method  string            `json:"method,omitempty" pattern:"^[A-Z]{1,20}$" doc:"Default: GET."`
	Path    string            `json:"path" pattern:"^/" maxLength:"2000" example:"/orders"`
	Host    string            `json:"host,omitempty" maxLength:"255" doc:"The Host header."`
	Headers map[string]string `json:"headers,omitempty"`
	Body    string            `json:"body,omitempty" maxLength:"65536"`
	Rate    float64           `json:"rate" exclusiveMinimum:"0" maximum:"1000" doc:"Requests per second."`
	Seconds int               `json:"seconds" minimum:"1" maximum:"3600"`
}

// LoadSeen is what a load has seen so far, once a second.
type LoadSeen struct {
	Sent   int     `json:"sent"`
	OK     int     `json:"ok"`
	Errors int     `json:"errors" doc:"Answers 5xx, and requests without an answer."`
	P50    float64 `json:"p50" doc:"Milliseconds."`
	P95    float64 `json:"p95" doc:"Milliseconds."`
	// Answered are the answers by status code, Failures the first reasons of those
	// that did not come.
	Answered map[int]int    `json:"answered"`
	Failures map[string]int `json:"failures"`
}
