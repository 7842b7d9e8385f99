package cluster

import (
	"errors"
	"fmt"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// refuse notes what the server does not take; what is wrong with the cluster or
// the way to it is an error.
func (ch *Change) refuse(p *Plan, err error) error {
	if ch.live == nil && (apierrors.IsNotFound(err) || meta.IsNoMatchError(err)) {
		ch.Action = Create // its namespace or its kind comes with the same apply
		return nil
	}
	if ch.live != nil && ch.Object.Kind == "Deployment" && apierrors.IsInvalid(err) && selectorsDiffer(ch.live, ch.desired) {
		if slices.Contains(p.Request.Replace, ch.Object.Name) {
			ch.Action, ch.Fields = Replace, differences(ch.live, ch.desired)
			ch.Message = "its pods serve until the new ones are ready"
			return nil
		}
		ch.Action, ch.Field = Refused, "spec.selector"
		ch.Message = fmt.Sprintf("the live Deployment selects other pods, and a selector cannot be changed; --replace %s makes it anew and keeps the old pods until the new ones are ready", ch.Object.Name)
		return nil
	}
	if !apierrors.IsInvalid(err) && !apierrors.IsForbidden(err) && !apierrors.IsBadRequest(err) && !apierrors.IsRequestEntityTooLargeError(err) {
		return fmt.Errorf("%s%s: %w", at(ch.object), ch.Object, err)
	}
	ch.Action, ch.Message, ch.Field = Refused, err.Error(), fieldOf(err)
	ch.locate()
	return nil
}

// locate sets the line of the field that is refused.
func (ch *Change) locate() {
	if ch.Field == "" || ch.object == nil || ch.object.Locate == nil {
		return
	}
	if line := ch.object.Locate(ch.Field); line > 0 {
		ch.Line = line
	}
}

// fieldOf is the field that a refusal names; "" if none.
func fieldOf(err error) string {
	status := apierrors.APIStatus(nil)
	if errors.As(err, &status) && status.Status().Details != nil {
		for _, cause := range status.Status().Details.Causes {
			if cause.Field != "" && cause.Field != "<nil>" {
				return cause.Field
			}
		}
	}
	return ""
}

func selectorsDiffer(live, desired *unstructured.Unstructured) bool {
	a, _, _ := unstructured.NestedMap(live.Object, "spec", "selector")
	b, _, _ := unstructured.NestedMap(desired.Object, "spec", "selector")
	return digest(a) != digest(b)
}
