package cluster

import (
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/meshstorm/meshstorm/shift"
)

// Action is what happens, or would happen, to an object.
type Action string

// The actions.
const (
	Create    Action = "create"
	Configure Action = "configure"
	Replace   Action = "replace" // deleted with its pods kept, and made anew
	Unchanged Action = "unchanged"
	Delete    Action = "delete"
	Keep      Action = "keep"     // left the files and stays all the same; Message says why
	Conflict  Action = "conflict" // fields belong to others; nothing is written without force
	Refused   Action = "refused"  // the API server does not take it
	Skipped   Action = "skipped"  // not reached, because something before it failed
)

// FieldChange is one field that differs.
type FieldChange struct {
	Path string `json:"path"`          // ".spec.http[name=primary].timeout"
	Old  any    `json:"old,omitempty"` // as live; absent for a new field
	New  any    `json:"new,omitempty"` // as it would be; absent for one that goes
	// Managers own the live value, besides meshstorm.
	Managers []string `json:"managers,omitempty"`
}

// HeldWeight is a weight that a running shift holds against the files.
type HeldWeight struct {
	Rule   string `json:"rule"`
	Host   string `json:"host"`
	Subset string `json:"subset"`
	Weight int    `json:"weight"` // percent, in the cluster
	Files  int    `json:"files"`  // percent, in the files
}

// Change is one object's part of a change set.
type Change struct {
	Object ID     `json:"object"`
	File   string `json:"file,omitempty"` // relative to the workspace, with '/'
	Line   int    `json:"line,omitempty"` // 1-based
	Action Action `json:"action"`
	// Fields are what differs; of a Secret the values are masked.
	Fields []FieldChange `json:"fields,omitempty"`
	// Conflicts are fields that others applied; with force they are taken over.
	Conflicts []FieldConflict `json:"conflicts,omitempty"`
	// Adopts says that `kubectl apply` made the object, which is to be taken over
	// so that fields that leave the files later really go.
	Adopts bool `json:"adopts,omitempty"`
	// Held are weights that a running shift keeps, and Gone those of its weights
	// whose rule or destination the files have no more.
	Held []HeldWeight   `json:"heldByShift,omitempty"`
	Gone []shift.Weight `json:"goneFromShift,omitempty"`
	// Message says why: of a refusal, a kept object, a held pod template.
	Message string `json:"message,omitempty"`
	// Field and its line are where a refusal points to.
	Field string `json:"field,omitempty"`

	live    *unstructured.Unstructured // nil where it does not exist
	desired *unstructured.Unstructured // what is sent; nil for what is deleted
	after   *unstructured.Unstructured // what the server made of it, in a dry run or for real
	object  *Object
	stage   stage
	claim   bool // nothing differs, but meshstorm does not own it yet
	done    bool // written
	orphan  bool // a ReplicaSet that a replaced Deployment left behind
	took    time.Duration
}

// Before and After give the object as it is and as it would be, without what
// only the server writes and with masked Secrets; nil where there is none.
func (c *Change) Before() map[string]any { return visible(c.live) }

// After is the object as it would be.
func (c *Change) After() map[string]any {
	switch {
	case c.Action == Delete:
		return nil
	case c.after != nil:
		return visible(c.after)
	case c.Action == Create:
		return visible(c.desired)
	}
	return visible(c.live)
}

// ChangeSet is what an apply, undo or delete does or would do.
type ChangeSet struct {
	APIVersion string   `json:"apiVersion"` // "meshstorm.io/v1"
	Server     string   `json:"server"`
	Workspace  string   `json:"workspace"`
	Namespace  string   `json:"namespace"`
	Revision   int      `json:"revision,omitempty"` // that this apply made
	Changes    []Change `json:"changes"`            // in the order in which they happen
	// Notes are what else a person should know.
	Notes []string `json:"notes,omitempty"`
}

// Count tells how many changes have one of the actions.
func (s *ChangeSet) Count(actions ...Action) int {
	n := 0
	for i := range s.Changes {
		for _, a := range actions {
			if s.Changes[i].Action == a {
				n++
			}
		}
	}
	return n
}

// Differs reports whether applying would change anything.
func (s *ChangeSet) Differs() bool { return s.Count(Unchanged, Keep) < len(s.Changes) }
