package cluster

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"
	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// Right is what an apply must be allowed to do.
type Right struct {
	Verb        string `json:"verb"`
	Group       string `json:"group,omitempty"`
	Resource    string `json:"resource"`
	Subresource string `json:"subresource,omitempty"`
	Namespace   string `json:"namespace,omitempty"`
	// Optional rights only cost something when they are missing.
	Optional bool `json:"optional,omitempty"`
	// Reason is the authorizer's, of a right that is missing.
	Reason string `json:"reason,omitempty"`
}

// String is as `kubectl auth can-i` takes it.
func (r Right) String() string {
	resource := r.Resource
	if r.Group != "" {
		resource += "." + r.Group
	}
	if r.Subresource != "" {
		resource += "/" + r.Subresource
	}
	s := r.Verb + " " + resource
	if r.Namespace != "" {
		s += " in namespace " + r.Namespace
	}
	return s
}

// Rights lists what applying objects of these kinds needs. Kinds that the
// cluster does not know are left out.
func (c *Client) Rights(objects []Object, prune bool) []Right {
	var all []Right
	add := func(r Right) {
		if !slices.Contains(all, r) {
			all = append(all, r)
		}
	}
	for i := range objects {
		gvk := objects[i].GroupVersionKind()
		mapping, err := c.Mapping(gvk)
		if err != nil {
			continue
		}
		namespace := objects[i].GetNamespace()
		if namespace == "" {
			namespace = c.Namespace
		}
		if mapping.Scope.Name() != "namespace" {
			namespace = ""
		}
		verbs := []string{"get", "list", "create", "patch"}
		if prune && !slices.Contains(neverPruned, gvk.Kind) {
			verbs = append(verbs, "delete")
		}
		for _, verb := range verbs {
			add(Right{Verb: verb, Group: gvk.Group, Resource: mapping.Resource.Resource, Namespace: namespace})
		}
	}
	for resource, verbs := range map[schema.GroupResource][]string{
		{Resource: "configmaps"}:                           {"get", "list", "create", "update"}, // the inventory
		{Resource: "secrets"}:                              {"get", "list", "create", "delete"}, // the history
		{Group: "coordination.k8s.io", Resource: "leases"}: {"get", "create", "update"},         // one apply at a time
	} {
		for _, verb := range verbs {
			add(Right{Verb: verb, Group: resource.Group, Resource: resource.Resource, Namespace: c.Namespace})
		}
	}
	return all
}

// Missing asks which rights this user does not have, by
// SelfSubjectAccessReviews.
func (c *Client) Missing(ctx context.Context, rights []Right) ([]Right, error) {
	denied := make([]*Right, len(rights))
	group, each := errgroup.WithContext(ctx)
	group.SetLimit(parallel)
	for i, r := range rights {
		group.Go(func() error {
			review := &authorizationv1.SelfSubjectAccessReview{Spec: authorizationv1.SelfSubjectAccessReviewSpec{
				ResourceAttributes: &authorizationv1.ResourceAttributes{
					Namespace: r.Namespace, Verb: r.Verb, Group: r.Group, Resource: r.Resource, Subresource: r.Subresource,
				}}}
			var answer *authorizationv1.SelfSubjectAccessReview
			err := retry(each, func() (err error) {
				answer, err = c.Kube.AuthorizationV1().SelfSubjectAccessReviews().Create(each, review, metav1.CreateOptions{})
				return err
			})
			if err != nil {
				return fmt.Errorf("ask for the right to %s: %w", r, Explain(err))
			}
			if !answer.Status.Allowed {
				r.Reason = answer.Status.Reason
				denied[i] = &r
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	var all []Right
	for _, r := range denied {
		if r != nil {
			all = append(all, *r)
		}
	}
	return all, nil
}

// MendRights gives commands with which an administrator grants rights.
func MendRights(missing []Right) string {
	byResource := map[string][]string{}
	var order []string
	for _, r := range missing {
		resource := r.Resource
		if r.Group != "" {
			resource += "." + r.Group
		}
		if r.Subresource != "" {
			resource += "/" + r.Subresource
		}
		key := r.Namespace + " " + resource
		if byResource[key] == nil {
			order = append(order, key)
		}
		byResource[key] = append(byResource[key], r.Verb)
	}
	var lines []string
	for i, key := range order {
		namespace, resource, _ := strings.Cut(key, " ")
		name := fmt.Sprintf("meshstorm-%d", i+1)
		if namespace == "" {
			lines = append(lines, fmt.Sprintf("kubectl create clusterrole %s --verb=%s --resource=%s", name, strings.Join(byResource[key], ","), resource))
			continue
		}
		lines = append(lines, fmt.Sprintf("kubectl -n %s create role %s --verb=%s --resource=%s", namespace, name, strings.Join(byResource[key], ","), resource))
	}
	return strings.Join(lines, "\n")
}

// NamespaceState is what an apply wants to know of its namespace.
type NamespaceState struct {
	Exists      bool
	Terminating bool
	// Injected says that pods get a sidecar: by istio-injection=enabled,
	// istio.io/rev, or istio.io/dataplane-mode=ambient; Why is the label.
	Injected bool
	Why      string
}

// NamespaceState looks at a namespace.
func (c *Client) NamespaceState(ctx context.Context, name string) (NamespaceState, error) {
	var ns *corev1.Namespace
	err := retry(ctx, func() (err error) {
		ns, err = c.Kube.CoreV1().Namespaces().Get(ctx, name, metav1.GetOptions{})
		return err
	})
	if apierrors.IsNotFound(err) {
		return NamespaceState{}, nil
	}
	if err != nil {
		return NamespaceState{}, Explain(err)
	}
	s := NamespaceState{Exists: true, Terminating: ns.DeletionTimestamp != nil}
	switch labels := ns.Labels; {
	case labels["istio-injection"] == "enabled":
		s.Injected, s.Why = true, "istio-injection=enabled"
	case labels["istio-injection"] == "disabled":
		s.Why = "istio-injection=disabled"
	case labels["istio.io/rev"] != "":
		s.Injected, s.Why = true, "istio.io/rev="+labels["istio.io/rev"]
	case labels["istio.io/dataplane-mode"] == "ambient":
		s.Injected, s.Why = true, "istio.io/dataplane-mode=ambient"
	}
	return s, nil
}

// PrepareNamespace makes a namespace where it is missing, and labels it for
// injection.
func (c *Client) PrepareNamespace(ctx context.Context, name string) error {
	_, err := c.Kube.CoreV1().Namespaces().Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
		Name: name, Labels: map[string]string{"istio-injection": "enabled"}}}, metav1.CreateOptions{FieldManager: Manager})
	if !apierrors.IsAlreadyExists(err) {
		return Explain(err)
	}
	patch := []byte(`{"metadata":{"labels":{"istio-injection":"enabled"}}}`)
	_, err = c.Kube.CoreV1().Namespaces().Patch(ctx, name, "application/merge-patch+json", patch, metav1.PatchOptions{FieldManager: Manager})
	return Explain(err)
}

// EnsureNamespace makes a namespace where it is missing, without labels.
func (c *Client) EnsureNamespace(ctx context.Context, name string) error {
	_, err := c.Kube.CoreV1().Namespaces().Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}, metav1.CreateOptions{FieldManager: c.manager()})
	if apierrors.IsAlreadyExists(err) {
		return nil
	}
	return Explain(err)
}
