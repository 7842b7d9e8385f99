// Package apply sends objects to the lab's API server by server-side apply: what
// the lab needs itself (Istio, Kafka) and the files of `lab up -f`. It is small
// on purpose: no diff, no pruning, no shift; those belong to the cluster verbs.
package apply

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/discovery/cached/memory"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/restmapper"
)

// Client applies objects as one field manager.
type Client struct {
	Manager string // the field manager's name
	// Force takes fields over from other managers; without it a conflict is an
	// error that names them.
	Force bool

	dynamic dynamic.Interface
	mapper  *restmapper.DeferredDiscoveryRESTMapper
}

// New makes a client for a cluster.
func New(config *rest.Config, manager string) (*Client, error) {
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return nil, err
	}
	dyn, err := dynamic.NewForConfig(config)
	if err != nil {
		return nil, err
	}
	return &Client{Manager: manager, dynamic: dyn,
		mapper: restmapper.NewDeferredDiscoveryRESTMapper(memory.NewMemCacheClient(client.Discovery()))}, nil
}

// order is the one in which kinds build on each other. DestinationRules come
// before the VirtualServices that name their subsets (Istio docs, "Traffic
// Management Best Practices").
var order = []string{
	"Namespace", "CustomResourceDefinition", "PriorityClass", "ServiceAccount", "Secret", "ConfigMap", "ClusterRole",
	"ClusterRoleBinding", "Role", "RoleBinding", "Service", "EndpointSlice", "PodDisruptionBudget", "Deployment",
	"StatefulSet", "Job", "HorizontalPodAutoscaler", "DestinationRule", "ServiceEntry", "Gateway", "VirtualService",
}

func rank(kind string) int {
	if i := slices.Index(order, kind); i >= 0 {
		return i
	}
	if strings.HasSuffix(kind, "WebhookConfiguration") {
		return len(order) + 1
	}
	return len(order)
}

// Apply sends the objects, those first that others build on, and waits until
// the kinds of CustomResourceDefinitions among them can be used. Objects of a
// namespaced kind without a namespace go to namespace.
func (c *Client) Apply(ctx context.Context, objects []*unstructured.Unstructured, namespace string) error {
	objects = slices.Clone(objects)
	sort.SliceStable(objects, func(i, j int) bool { return rank(objects[i].GetKind()) < rank(objects[j].GetKind()) })
	for len(objects) > 0 {
		n := 1
		for n < len(objects) && rank(objects[n].GetKind()) == rank(objects[0].GetKind()) {
			n++
		}
		if err := c.together(ctx, objects[:n], namespace); err != nil {
			return err
		}
		objects = objects[n:]
	}
	return nil
}

// together sends objects that do not depend on each other, some at a time.
func (c *Client) together(ctx context.Context, objects []*unstructured.Unstructured, namespace string) error {
	group, each := errgroup.WithContext(ctx)
	group.SetLimit(8)
	for _, o := range objects {
		group.Go(func() error {
			if err := c.one(each, o, namespace); err != nil {
				return fmt.Errorf("apply %s: %w", describe(o), err)
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	if objects[0].GetKind() == "CustomResourceDefinition" {
		return c.established(ctx, objects)
	}
	return nil
}

func (c *Client) one(ctx context.Context, o *unstructured.Unstructured, namespace string) error {
	resource, err := c.resource(o, namespace)
	if err != nil {
		return err
	}
	data, err := o.MarshalJSON()
	if err != nil {
		return err
	}
	_, err = resource.Patch(ctx, o.GetName(), types.ApplyPatchType, data, metav1.PatchOptions{FieldManager: c.Manager, Force: &c.Force})
	return err
}

// Delete removes the objects, in reverse order; what is gone already is no
// error.
func (c *Client) Delete(ctx context.Context, objects []*unstructured.Unstructured, namespace string) error {
	objects = slices.Clone(objects)
	sort.SliceStable(objects, func(i, j int) bool { return rank(objects[i].GetKind()) > rank(objects[j].GetKind()) })
	for _, o := range objects {
		resource, err := c.resource(o, namespace)
		if err != nil {
			return err
		}
		background := metav1.DeletePropagationBackground
		err = resource.Delete(ctx, o.GetName(), metav1.DeleteOptions{PropagationPolicy: &background})
		if err != nil && !apierrors.IsNotFound(err) {
			return fmt.Errorf("delete %s: %w", describe(o), err)
		}
	}
	return nil
}

func (c *Client) resource(o *unstructured.Unstructured, namespace string) (dynamic.ResourceInterface, error) {
	gvk := o.GroupVersionKind()
	mapping, err := c.mapper.RESTMapping(gvk.GroupKind(), gvk.Version)
	if meta.IsNoMatchError(err) {
		c.mapper.Reset()
		mapping, err = c.mapper.RESTMapping(gvk.GroupKind(), gvk.Version)
	}
	if err != nil {
		return nil, err
	}
	if mapping.Scope.Name() != meta.RESTScopeNameNamespace {
		return c.dynamic.Resource(mapping.Resource), nil
	}
	if o.GetNamespace() != "" {
		namespace = o.GetNamespace()
	}
	return c.dynamic.Resource(mapping.Resource).Namespace(namespace), nil
}

var definitionsResource = schema.GroupVersionResource{Group: "apiextensions.k8s.io", Version: "v1", Resource: "customresourcedefinitions"}

// established waits until the API server serves the kinds.
func (c *Client) established(ctx context.Context, definitions []*unstructured.Unstructured) error {
	if len(definitions) == 0 {
		return nil
	}
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for _, d := range definitions {
		for {
			live, err := c.dynamic.Resource(definitionsResource).Get(ctx, d.GetName(), metav1.GetOptions{})
			if err != nil && !apierrors.IsNotFound(err) {
				return err
			}
			if err == nil && condition(live, "Established") {
				break
			}
			select {
			case <-ctx.Done():
				return fmt.Errorf("wait for %s to be served: %w", describe(d), ctx.Err())
			case <-tick.C:
			}
		}
	}
	c.mapper.Reset()
	return nil
}

func condition(o *unstructured.Unstructured, kind string) bool {
	conditions, _, _ := unstructured.NestedSlice(o.Object, "status", "conditions")
	for _, entry := range conditions {
		if m, ok := entry.(map[string]any); ok && m["type"] == kind {
			return m["status"] == "True"
		}
	}
	return false
}

func describe(o *unstructured.Unstructured) string {
	if ns := o.GetNamespace(); ns != "" {
		return o.GetKind() + " " + ns + "/" + o.GetName()
	}
	return o.GetKind() + " " + o.GetName()
}

// Read collects the objects of YAML and JSON files, and of folders with all
// they hold. The error names the file.
func Read(paths ...string) ([]*unstructured.Unstructured, error) {
	var all []*unstructured.Unstructured
	for _, path := range paths {
		files, err := expand(path)
		if err != nil {
			return nil, err
		}
		for _, file := range files {
			data, err := os.ReadFile(file)
			if err != nil {
				return nil, err
			}
			objects, err := Parse(data)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", file, err)
			}
			all = append(all, objects...)
		}
	}
	return all, nil
}

// expand lists the manifests of a path. Of a workspace it is its
// kubernetes/template folder alone.
func expand(path string) ([]string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		return []string{path}, nil
	}
	if _, err := os.Stat(filepath.Join(path, "storm.json")); err == nil {
		path = filepath.Join(path, "kubernetes", "template")
	}
	var files []string
	err = filepath.WalkDir(path, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && p != path && strings.HasPrefix(d.Name(), ".") {
			return filepath.SkipDir
		}
		switch filepath.Ext(p) {
		case ".yml", ".yaml", ".json":
			if !d.IsDir() {
				files = append(files, p)
			}
		}
		return nil
	})
	if err == nil && len(files) == 0 {
		err = fmt.Errorf("%s has no .yml, .yaml or .json file: `meshstorm generate` writes a workspace's", path)
	}
	return files, err
}

// Parse reads the objects of a YAML stream or JSON document; Lists are taken
// apart, empty documents left out.
func Parse(data []byte) ([]*unstructured.Unstructured, error) {
	var all []*unstructured.Unstructured
	decoder := utilyaml.NewYAMLOrJSONDecoder(bytes.NewReader(data), 4096)
	for n := 1; ; n++ {
		var content map[string]any
		if err := decoder.Decode(&content); errors.Is(err, io.EOF) {
			return all, nil
		} else if err != nil {
			return nil, fmt.Errorf("document %d: %w", n, err)
		}
		if len(content) == 0 {
			continue
		}
		o := &unstructured.Unstructured{Object: content}
		if o.IsList() {
			list, err := o.ToList()
			if err != nil {
				return nil, fmt.Errorf("document %d: %w", n, err)
			}
			for i := range list.Items {
				all = append(all, &list.Items[i])
			}
			continue
		}
		if o.GetKind() == "" || o.GetAPIVersion() == "" || o.GetName() == "" {
			return nil, fmt.Errorf("document %d: apiVersion, kind and metadata.name are needed", n)
		}
		all = append(all, o)
	}
}
