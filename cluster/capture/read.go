package capture

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/metadata"

	"github.com/meshstorm/meshstorm/cluster"
	"github.com/meshstorm/meshstorm/deploy"
)

// unread are the kinds that controllers make of others, or that are records of
// the cluster's own; they are not even asked for.
var unread = map[schema.GroupKind]bool{
	{Kind: "Pod"}: true, {Kind: "Endpoints"}: true, {Kind: "Event"}: true, {Kind: "PodTemplate"}: true,
	{Kind: "ReplicationController"}:     false,
	{Group: "apps", Kind: "ReplicaSet"}: true, {Group: "apps", Kind: "ControllerRevision"}: true,
	{Group: "discovery.k8s.io", Kind: "EndpointSlice"}: true, {Group: "events.k8s.io", Kind: "Event"}: true,
	{Group: "coordination.k8s.io", Kind: "Lease"}: true, {Group: "coordination.k8s.io", Kind: "LeaseCandidate"}: true,
	{Group: "metrics.k8s.io", Kind: "PodMetrics"}: true, {Group: "storage.k8s.io", Kind: "CSIStorageCapacity"}: true,
}

// listing is a kind to read.
type listing struct {
	resource schema.GroupVersionResource
	kind     schema.GroupVersionKind
}

// Read takes a snapshot of the client's namespace with one LIST for each kind
// that the cluster serves. Kinds that may not be read are skipped and reported.
// Of Secrets the values are never asked for.
func Read(ctx context.Context, c *cluster.Client) (*Snapshot, error) {
	s := &Snapshot{Namespace: c.Namespace}
	version, err := c.Version(ctx)
	if err != nil && !apierrors.IsForbidden(err) {
		return nil, err
	}
	if v, err := deploy.ParseVersion(version); err == nil {
		s.Kubernetes = fmt.Sprintf("%d.%d", v.Major, v.Minor)
	}
	kinds, skipped, err := listable(c.Discovery())
	if err != nil {
		return nil, cluster.Explain(err)
	}
	s.Skipped = skipped
	meta, err := metadata.NewForConfig(c.Config)
	if err != nil {
		return nil, cluster.Explain(err)
	}
	var mu sync.Mutex
	group, each := errgroup.WithContext(ctx)
	group.SetLimit(8)
	for _, k := range kinds {
		group.Go(func() error {
			objects, err := k.list(each, c, meta)
			mu.Lock()
			defer mu.Unlock()
			s.Objects = append(s.Objects, objects...)
			if reason := skippable(err); reason != "" {
				s.Skipped = append(s.Skipped, SkippedKind{k.kind.GroupKind().String(), reason})
				return nil
			}
			return cluster.Explain(err)
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	if err := s.markKept(ctx, c); err != nil {
		return nil, err
	}
	s.sort()
	return s, nil
}

// listable are the namespaced kinds that can be listed, each in the version that
// the server prefers. A group whose own server is down is skipped.
func listable(d discovery.DiscoveryInterface) (kinds []listing, skipped []SkippedKind, err error) {
	lists, err := discovery.ServerPreferredNamespacedResources(d)
	var partly *discovery.ErrGroupDiscoveryFailed
	if errors.As(err, &partly) {
		for gv, why := range partly.Groups {
			skipped = append(skipped, SkippedKind{gv.String(), "its API cannot be reached: " + why.Error()})
		}
	} else if err != nil {
		return nil, nil, err
	}
	for _, list := range lists {
		gv, err := schema.ParseGroupVersion(list.GroupVersion)
		if err != nil {
			continue
		}
		for _, r := range list.APIResources {
			kind := gv.WithKind(r.Kind)
			if unread[kind.GroupKind()] || strings.Contains(r.Name, "/") || !slices.Contains(r.Verbs, "list") || !slices.Contains(r.Verbs, "create") {
				continue
			}
			kinds = append(kinds, listing{gv.WithResource(r.Name), kind})
		}
	}
	return kinds, skipped, nil
}

func (k listing) list(ctx context.Context, c *cluster.Client, meta metadata.Interface) ([]Object, error) {
	var objects []Object
	if k.kind.GroupKind() == (schema.GroupKind{Kind: "Secret"}) {
		list, err := meta.Resource(k.resource).Namespace(c.Namespace).List(ctx, metav1.ListOptions{})
		if err != nil {
			return nil, err
		}
		for i := range list.Items {
			objects = append(objects, secret(&list.Items[i]))
		}
		return objects, nil
	}
	list, err := c.Dynamic.Resource(k.resource).Namespace(c.Namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, err
	}
	for i := range list.Items {
		content := list.Items[i].Object
		content["apiVersion"], content["kind"] = k.kind.GroupVersion().String(), k.kind.Kind
		objects = append(objects, Object{Content: content})
	}
	return objects, nil
}

// secret is what may be known of one: its annotations are not, for kubectl
// keeps the values in them.
func secret(m *metav1.PartialObjectMetadata) Object {
	metadata := map[string]any{"name": m.Name, "namespace": m.Namespace}
	labels := map[string]any{}
	for k, v := range m.Labels {
		labels[k] = v
	}
	metadata["labels"] = labels
	if _, ok := m.Annotations["kubernetes.io/service-account.name"]; ok {
		metadata["annotations"] = map[string]any{"kubernetes.io/service-account.name": ""}
	}
	if len(m.OwnerReferences) > 0 {
		owner := m.OwnerReferences[0]
		metadata["ownerReferences"] = []any{map[string]any{"kind": owner.Kind, "name": owner.Name}}
	}
	return Object{Content: map[string]any{"apiVersion": "v1", "kind": "Secret", "metadata": metadata}}
}

// skippable says why a kind that cannot be listed is no reason to stop, "" if
// it is one.
func skippable(err error) string {
	switch {
	case err == nil:
		return ""
	case apierrors.IsForbidden(err):
		return "not permitted: you may not list it in this namespace"
	case apierrors.IsNotFound(err), apierrors.IsMethodNotSupported(err), apierrors.IsServiceUnavailable(err), apierrors.IsNotAcceptable(err):
		return "its API gives no list: " + err.Error()
	}
	return ""
}

// markKept notes what a running canary made: it goes with the canary.
func (s *Snapshot) markKept(ctx context.Context, c *cluster.Client) error {
	for i := range s.Objects {
		o := &s.Objects[i]
		name := text(o.Content, "metadata", "labels", cluster.InventoryLabel)
		if name == "" || o.ID().Kind != "ConfigMap" {
			continue
		}
		inventory, err := c.ReadInventory(ctx, s.Namespace, name)
		if err != nil {
			return err
		}
		for _, e := range inventory.Entries {
			if e.Kept == "" || e.Applied != "" {
				continue
			}
			for j := range s.Objects {
				if id := s.Objects[j].ID(); id.Group == e.Group && id.Kind == e.Kind && id.Name == e.Name {
					s.Objects[j].kept = e.Kept
				}
			}
		}
	}
	return nil
}

// sort makes the order independent of which LIST was answered first.
func (s *Snapshot) sort() {
	slices.SortFunc(s.Objects, func(a, b Object) int { return compareIDs(a.ID(), b.ID()) })
	slices.SortFunc(s.Skipped, func(a, b SkippedKind) int { return cmp.Compare(a.Kind, b.Kind) })
}
