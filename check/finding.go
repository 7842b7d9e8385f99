// Package check says what is wrong with manifests and with the model behind
// them before anything is applied. It takes documents (a workspace's, or any
// YAML files), and the model and its intent where there are any; it gives
// findings with a code, a place, what will happen at run time and a fix. A
// rule is one small file: a Rule value with its test beside it.
package check

// Severity is how bad a finding is.
type Severity string

// Severities, worst first.
const (
	Error   Severity = "error"
	Warning Severity = "warning"
	Info    Severity = "info"
)

// Finding is one answer of a rule. Its JSON form is part of the public
// interface (docs/schema).
type Finding struct {
	Code     string   `json:"code"`
	Severity Severity `json:"severity"`
	Message  string   `json:"message"` // what happens at run time, and why
	File     string   `json:"file,omitempty"`
	Line     int      `json:"line,omitempty"`   // 1-based
	Column   int      `json:"column,omitempty"` // 1-based
	Object   *Object  `json:"object,omitempty"`
	Source   string   `json:"source,omitempty"`  // the model element, "BoundedContext/order"
	Fix      string   `json:"fix,omitempty"`     // the next step
	Witness  string   `json:"witness,omitempty"` // a request or value that shows it
	// Edits mend it, for Fix; none where only a person can tell what was meant.
	Edits []Edit `json:"-"`
}

// Object names the Kubernetes object a finding is about.
type Object struct {
	Kind      string `json:"kind"`
	Namespace string `json:"namespace,omitempty"`
	Name      string `json:"name"`
}
