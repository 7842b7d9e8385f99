package cluster

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
)

// ApplyObjectOptions say how one object is applied.
type ApplyObjectOptions struct {
	Manager string // default: the client's
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

func (e *ConflictError) Error() string {
	var all []string
	for _, c := range e.Conflicts {
		all = append(all, fmt.Sprintf("%s belongs to %s", c.Field, c.Manager))
	}
	return fmt.Sprintf("%s: %s", e.Object, strings.Join(all, "; "))
}

// ApplyObject sends one object by server-side apply. Where the object carries a
// resourceVersion it must be the live one, else the error is
// apierrors.IsConflict and not a *ConflictError. Requests that the server could
// not take for a moment (429, 5xx, connection refused) are sent again with
// back-off.
func (c *Client) ApplyObject(ctx context.Context, o *unstructured.Unstructured, a ApplyObjectOptions) (*unstructured.Unstructured, error) {
	resource, err := c.Resource(o.GroupVersionKind(), o.GetNamespace())
	if err != nil {
		return nil, err
	}
	data, err := o.MarshalJSON()
	if err != nil {
		return nil, err
	}
	options := metav1.PatchOptions{FieldManager: a.Manager, Force: &a.Force}
	if options.FieldManager == "" {
		options.FieldManager = c.manager()
	}
	if a.DryRun {
		options.DryRun = []string{metav1.DryRunAll}
	}
	var applied *unstructured.Unstructured
	err = retry(ctx, func() (err error) {
		applied, err = resource.Patch(ctx, o.GetName(), types.ApplyPatchType, data, options)
		return err
	})
	if conflicts := conflictsOf(err); len(conflicts) > 0 {
		return nil, &ConflictError{Object: IDOf(o), Conflicts: conflicts}
	}
	return applied, Explain(err)
}

// The API server names the manager in the cause's message only:
// `conflict with "kubectl-client-side-apply" using apps/v1` and, for a manager's
// subresource, `conflict with "x" with subresource "scale" using apps/v1 at …`.
var conflictWith = regexp.MustCompile(`^conflict with "((?:[^"\\]|\\.)*)"`)

func conflictsOf(err error) []FieldConflict {
	var all []FieldConflict
	if !apierrors.IsConflict(err) {
		return nil
	}
	status := apierrors.APIStatus(nil)
	if !errors.As(err, &status) || status.Status().Details == nil {
		return nil
	}
	for _, cause := range status.Status().Details.Causes {
		if cause.Type != metav1.CauseTypeFieldManagerConflict {
			continue
		}
		manager := "another manager"
		if m := conflictWith.FindStringSubmatch(cause.Message); m != nil {
			manager = m[1]
		}
		all = append(all, FieldConflict{Manager: manager, Field: cause.Field})
	}
	return all
}
