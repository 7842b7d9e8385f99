package cluster_test

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/yaml"

	"github.com/meshstorm/meshstorm/cluster"
	"github.com/meshstorm/meshstorm/internal/labtest"
)

func TestMain(m *testing.M) { os.Exit(labtest.Main(m)) }

// objects reads YAML documents.
func objects(t testing.TB, text string) []cluster.Object {
	t.Helper()
	var all []cluster.Object
	for i, doc := range strings.Split(text, "\n---\n") {
		o := &unstructured.Unstructured{}
		data, err := yaml.YAMLToJSON([]byte(doc))
		if err != nil {
			t.Fatal(err)
		}
		if err := o.UnmarshalJSON(data); err != nil {
			t.Fatal(err)
		}
		all = append(all, cluster.Object{Unstructured: o, File: "test.yml", Line: i + 1})
	}
	return all
}

const settings = `apiVersion: v1
kind: ConfigMap
metadata: {name: settings}
data: {color: blue, size: small}`

const mesh = settings + `
---
apiVersion: v1
kind: Service
metadata: {name: shop}
spec:
  selector: {app: shop}
  ports: [{name: http, port: 8080}]
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: shop}
spec:
  host: shop
  subsets: [{name: stable, labels: {track: stable}}, {name: canary, labels: {track: canary}}]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: shop}
spec:
  hosts: [shop]
  http:
  - name: primary
    route:
    - destination: {host: shop, subset: stable}
      weight: 100
    - destination: {host: shop, subset: canary}
      weight: 0`

func request(t testing.TB, text string) cluster.Request {
	return cluster.Request{Workspace: "shop", Objects: objects(t, text), Prune: true}
}

// apply plans and applies.
func apply(t testing.TB, c *cluster.Client, r cluster.Request) *cluster.ChangeSet {
	t.Helper()
	set, err := tryApply(t.Context(), c, r, cluster.ApplyOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return set
}

func tryApply(ctx context.Context, c *cluster.Client, r cluster.Request, o cluster.ApplyOptions) (*cluster.ChangeSet, error) {
	plan, err := c.Plan(ctx, r)
	if err != nil {
		return nil, err
	}
	if problems := plan.Problems(); len(problems) > 0 {
		return nil, fmt.Errorf("%d problems: %+v", len(problems), problems)
	}
	return c.Apply(ctx, plan, o)
}

// actions tells what happened to what, such as "create configmap/settings".
func actions(set *cluster.ChangeSet) []string {
	var all []string
	for _, ch := range set.Changes {
		all = append(all, string(ch.Action)+" "+strings.ToLower(ch.Object.Kind)+"/"+ch.Object.Name)
	}
	return all
}

func want(t testing.TB, got []string, all ...string) {
	t.Helper()
	if !slices.Equal(got, all) {
		t.Errorf("got\n  %s\nwant\n  %s", strings.Join(got, "\n  "), strings.Join(all, "\n  "))
	}
}

var kinds = map[string]schema.GroupVersionKind{
	"ConfigMap":       {Version: "v1", Kind: "ConfigMap"},
	"Secret":          {Version: "v1", Kind: "Secret"},
	"Service":         {Version: "v1", Kind: "Service"},
	"Deployment":      {Group: "apps", Version: "v1", Kind: "Deployment"},
	"ReplicaSet":      {Group: "apps", Version: "v1", Kind: "ReplicaSet"},
	"DestinationRule": {Group: "networking.istio.io", Version: "v1", Kind: "DestinationRule"},
	"VirtualService":  {Group: "networking.istio.io", Version: "v1", Kind: "VirtualService"},
}

// live reads an object, nil where there is none.
func live(t testing.TB, c *cluster.Client, kind, name string) *unstructured.Unstructured {
	t.Helper()
	gvk := kinds[kind]
	o, err := c.Get(t.Context(), gvk, cluster.ID{Group: gvk.Group, Kind: kind, Namespace: c.Namespace, Name: name})
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// text reads a field of an object.
func text(o *unstructured.Unstructured, path ...string) string {
	s, _, _ := unstructured.NestedString(o.Object, path...)
	return s
}

// patch changes an object as another manager.
func patch(t testing.TB, c *cluster.Client, manager, kind, name, merge string) {
	t.Helper()
	resource, err := c.Resource(kinds[kind], c.Namespace)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := resource.Patch(t.Context(), name, "application/merge-patch+json", []byte(merge), metav1.PatchOptions{FieldManager: manager}); err != nil {
		t.Fatal(err)
	}
}

// eventually asks until the answer is yes or the test's time is over.
func eventually(t testing.TB, what string, ask func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !ask(); {
		if time.Now().After(deadline) {
			t.Fatalf("never: %s", what)
		}
		select {
		case <-t.Context().Done():
			t.Fatal(t.Context().Err())
		case <-time.After(20 * time.Millisecond):
		}
	}
}
