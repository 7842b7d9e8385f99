package cluster

import (
	"context"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// Neighbours gives the live Gateways and the VirtualServices bound to gateways,
// of all namespaces, that are not a workspace's: neither among its objects nor in
// its inventory. Where none of the objects is bound to a gateway it reads nothing
// and gives none. An error may be a lack of rights (apierrors.IsForbidden).
func (c *Client) Neighbours(ctx context.Context, workspace string, objects []Object) ([]*unstructured.Unstructured, error) {
	ours := map[ID]bool{}
	bound := false
	for i := range objects {
		id := IDOf(objects[i].Unstructured)
		if id.Namespace == "" {
			id.Namespace = c.Namespace
		}
		ours[id] = true
		bound = bound || isVirtualService(id) && atGateway(objects[i].Unstructured)
	}
	if !bound {
		return nil, nil
	}
	inventory, err := c.ReadInventory(ctx, c.Namespace, workspace)
	if err != nil {
		return nil, err
	}
	var all []*unstructured.Unstructured
	for _, kind := range []string{"Gateway", "VirtualService"} {
		live, err := c.listEverywhere(ctx, schema.GroupVersionKind{Group: "networking.istio.io", Kind: kind})
		if err != nil {
			return nil, err
		}
		for _, o := range live {
			id := IDOf(o)
			if ours[id] || inventory.Find(id) != nil || o.GetDeletionTimestamp() != nil || kind == "VirtualService" && !atGateway(o) {
				continue
			}
			o.SetManagedFields(nil)
			unstructured.RemoveNestedField(o.Object, "status")
			all = append(all, o)
		}
	}
	return all, nil
}

// atGateway reports whether a VirtualService is bound to a gateway, or is one
// that others delegate to, which has no hosts.
func atGateway(vs *unstructured.Unstructured) bool {
	hosts, _, _ := unstructured.NestedStringSlice(vs.Object, "spec", "hosts")
	names, _, _ := unstructured.NestedStringSlice(vs.Object, "spec", "gateways")
	return len(hosts) == 0 || slices.ContainsFunc(names, func(name string) bool { return !strings.EqualFold(name, "mesh") })
}

// listEverywhere lists a kind in all namespaces; none where the cluster does not
// have it.
func (c *Client) listEverywhere(ctx context.Context, gvk schema.GroupVersionKind) ([]*unstructured.Unstructured, error) {
	mapping, err := c.Mapping(gvk)
	if meta.IsNoMatchError(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var list *unstructured.UnstructuredList
	err = retry(ctx, func() (err error) {
		list, err = c.Dynamic.Resource(mapping.Resource).List(ctx, metav1.ListOptions{})
		return err
	})
	if err != nil {
		return nil, Explain(err)
	}
	all := make([]*unstructured.Unstructured, len(list.Items))
	for i := range list.Items {
		all[i] = &list.Items[i]
	}
	return all, nil
}
