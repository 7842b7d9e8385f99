package cluster

import (
	"context"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// ApplyObjectOptions say how one object is applied.
type ApplyObjectOptions struct {
	Manager string // default: Manager
	Force   bool   // take fields over from other managers
	DryRun  bool   // ask the server, change nothing
}

// FieldConflict is a field that another manager owns.
type FieldConflict struct {
	Manager string `json:"manager"` // "kubectl-client-side-apply"
	Field   string `json:"field"`   // ".spec.http"
}

// ConflictError says that fields belong to somebody else; nothing was written.
type ConflictError struct {
	Object    ID
	Conflicts []FieldConflict
}

func (e *ConflictError) Error() string { panic("not written yet") }

// ApplyObject sends one object by server-side apply. Where the object carries a
// resourceVersion it must be the live one, else the error is
// apierrors.IsConflict and not a *ConflictError. Requests that the server could
// not take for a moment (429, 5xx, connection refused) are sent again with
// back-off, until ctx ends.
func (c *Client) ApplyObject(ctx context.Context, o *unstructured.Unstructured, a ApplyObjectOptions) (*unstructured.Unstructured, error) {
	panic("not written yet")
}

// Owned gives the part of a live object that a manager applied: what it would
// have to send to own the same fields again, with apiVersion, kind, name and
// namespace. nil where the manager applied nothing.
func Owned(live *unstructured.Unstructured, manager string) (*unstructured.Unstructured, error) {
	panic("not written yet")
}
