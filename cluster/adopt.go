package cluster

import (
	"context"
	"fmt"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/client-go/util/csaupgrade"
)

// clientSideManager is who `kubectl apply` (without --server-side) writes as.
const clientSideManager = "kubectl-client-side-apply"

// clientSide names the manager of `kubectl apply` on an object, "" without one.
func clientSide(live *unstructured.Unstructured) string {
	for _, entry := range live.GetManagedFields() {
		if entry.Manager == clientSideManager && entry.Operation == metav1.ManagedFieldsOperationUpdate && entry.Subresource == "" {
			return entry.Manager
		}
	}
	return ""
}

// adopt makes the fields that `kubectl apply` owns meshstorm's, so that those
// that the files do not have go with the apply that follows.
func (c *Client) adopt(ctx context.Context, ch *Change) error {
	resource, err := c.Resource(ch.desired.GroupVersionKind(), ch.Object.Namespace)
	if err != nil {
		return err
	}
	for live := ch.live; live != nil && clientSide(live) != ""; {
		patch, err := csaupgrade.UpgradeManagedFieldsPatch(live, sets.New(clientSideManager), c.manager())
		if err != nil || len(patch) == 0 {
			return err
		}
		err = retry(ctx, func() error {
			_, err := resource.Patch(ctx, ch.Object.Name, types.JSONPatchType, patch, metav1.PatchOptions{FieldManager: c.manager()})
			return err
		})
		if err == nil {
			return nil
		}
		// The patch holds the resourceVersion: somebody wrote meanwhile.
		if !apierrors.IsConflict(err) && !apierrors.IsInvalid(err) || ctx.Err() != nil {
			return fmt.Errorf("take %s over from kubectl: %w", ch.Object, Explain(err))
		}
		if live, err = c.Get(ctx, ch.desired.GroupVersionKind(), ch.Object); err != nil {
			return err
		}
	}
	return nil
}

// leftBehind are the fields that `kubectl apply` set, the files do not, and so
// go with the adoption.
func (c *Client) leftBehind(ch *Change) []FieldChange {
	upgraded := ch.live.DeepCopy()
	if csaupgrade.UpgradeManagedFields(upgraded, sets.New(clientSideManager), c.manager()) != nil {
		return nil
	}
	owned, err := Owned(upgraded, c.manager())
	if err != nil || owned == nil {
		return nil
	}
	var all []FieldChange
	absent("", bare(owned), ch.desired.Object, &all)
	return all
}

// absent lists what a has and b does not, at any depth.
func absent(path string, a, b any, all *[]FieldChange) {
	switch x := a.(type) {
	case map[string]any:
		y, _ := b.(map[string]any)
		for key, v := range x {
			if _, there := y[key]; !there {
				*all = append(*all, FieldChange{Path: path + "." + quoteField(key), Old: v, Managers: []string{clientSideManager}})
				continue
			}
			absent(path+"."+quoteField(key), v, y[key], all)
		}
	case []any:
		y, _ := b.([]any)
		p, named := byName(x)
		q, bothNamed := byName(y)
		if !named || !bothNamed {
			return // atomic, or told apart by what only the server knows
		}
		for name, item := range p {
			if q[name] == nil {
				*all = append(*all, FieldChange{Path: fmt.Sprintf("%s[name=%s]", path, name), Old: item, Managers: []string{clientSideManager}})
				continue
			}
			absent(fmt.Sprintf("%s[name=%s]", path, name), item, q[name], all)
		}
	}
	slices.SortFunc(*all, func(a, b FieldChange) int { return compareText(a.Path, b.Path) })
}
