package metrics

import (
	"context"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/meshstorm/meshstorm/cluster"
)

// GatewaySelectors are the labels of the pods that the namespace's Gateways run
// on, and Istio's own default.
func GatewaySelectors(ctx context.Context, c *cluster.Client) ([]map[string]string, error) {
	all := []map[string]string{{"istio": "ingressgateway"}}
	gateways, err := c.Resource(schema.GroupVersionKind{Group: "networking.istio.io", Kind: "Gateway"}, "")
	if meta.IsNoMatchError(err) {
		return all, nil
	}
	if err != nil {
		return nil, err
	}
	list, err := gateways.List(ctx, metav1.ListOptions{})
	if apierrors.IsForbidden(err) {
		return all, nil
	}
	if err != nil {
		return nil, cluster.Explain(err)
	}
	for i := range list.Items {
		selector, _, _ := unstructured.NestedStringMap(list.Items[i].Object, "spec", "selector")
		if len(selector) > 0 {
			all = append(all, selector)
		}
	}
	return all, nil
}
