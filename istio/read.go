package istio

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"istio.io/istio/pkg/config"
	"istio.io/istio/pkg/config/schema/collections"
	"istio.io/istio/pkg/config/schema/resource"

	"github.com/meshstorm/meshstorm/manifest"
)

// object is a document that was read as far as its metadata.
type object struct {
	doc       *manifest.Document
	kind      string
	group     string
	version   string
	name      string
	namespace string // "" for objects of the cluster
	meta      metav1.ObjectMeta
	json      []byte // the whole object
	spec      json.RawMessage
	index     int // in source order
}

// key identifies an object in a mesh.
type key struct{ group, kind, namespace, name string }

func (o *object) key() key { return key{o.group, o.kind, o.namespace, o.name} }

// String names the object and its place, for messages.
func (o *object) String() string {
	name := o.name
	if o.namespace != "" {
		name = o.namespace + "/" + name
	}
	if o.doc == nil {
		return o.kind + " " + name
	}
	return fmt.Sprintf("%s %s (%s:%d)", o.kind, name, o.doc.Path, o.doc.Line)
}

// clusterKinds are the Kubernetes kinds without a namespace that matter here.
var clusterKinds = map[string]bool{
	"Namespace": true, "GatewayClass": true, "CustomResourceDefinition": true, "ClusterRole": true, "ClusterRoleBinding": true,
	"MutatingWebhookConfiguration": true, "ValidatingWebhookConfiguration": true, "PersistentVolume": true, "StorageClass": true,
	"Node": true, "PriorityClass": true, "IngressClass": true,
}

// readObject reads a document's metadata; nil where it holds no object.
func readObject(d *manifest.Document, index int, namespace string) (*object, error) {
	if d == nil || d.Node == nil || d.ID.Kind == "" || d.ID.Name == "" {
		return nil, nil
	}
	data, err := d.JSON()
	if err != nil {
		return nil, err
	}
	var head struct {
		Metadata metav1.ObjectMeta `json:"metadata"`
		Spec     json.RawMessage   `json:"spec"`
	}
	if err := json.Unmarshal(data, &head); err != nil {
		return nil, err
	}
	o := &object{doc: d, kind: d.ID.Kind, group: d.ID.Group, version: d.APIVersion, name: d.ID.Name,
		namespace: d.ID.Namespace, meta: head.Metadata, json: data, spec: head.Spec, index: index}
	if _, v, ok := strings.Cut(o.version, "/"); ok {
		o.version = v
	}
	switch {
	case clusterKinds[o.kind]:
		o.namespace = ""
	case o.namespace == "":
		o.namespace = namespace
	}
	o.meta.Namespace, o.meta.Name = o.namespace, o.name
	return o, nil
}

// into decodes the whole object into a typed one. The API server fills in what
// is missing; the rest of this package does that where it reads.
func (o *object) into(typed any) error {
	if err := json.Unmarshal(o.json, typed); err != nil {
		return err
	}
	if m, ok := typed.(metav1.Object); ok {
		m.SetNamespace(o.namespace)
	}
	return nil
}

// istioSchema finds the kind among Istio's own.
func (o *object) istioSchema() (resource.Schema, bool) {
	return collections.Pilot.FindByGroupVersionAliasesKind(
		config.GroupVersionKind{Group: o.group, Version: o.version, Kind: o.kind})
}

// epoch stands for the creation of objects that do not say when they were
// created: all at once, as by one kubectl apply, so that names decide the order.
var epoch = time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)

// config decodes one of Istio's objects, and says what of it the API server
// would drop as unknown.
func (o *object) config(s resource.Schema, domain string) (c config.Config, unknown error, err error) {
	spec, err := s.NewInstance()
	if err != nil {
		return c, nil, err
	}
	content := string(o.spec)
	if content == "" || content == "null" {
		content = "{}"
	}
	if bytes.Contains(o.spec, []byte("null")) && emptyItem(o.spec) {
		return c, nil, fmt.Errorf("a list has an item without a value")
	}
	if unknown = config.ApplyJSONStrict(spec, content); unknown != nil {
		if spec, err = s.NewInstance(); err != nil {
			return c, nil, err
		}
		if err := config.ApplyJSON(spec, content); err != nil {
			return c, nil, err
		}
	}
	c = config.Config{
		Meta: config.Meta{
			GroupVersionKind: s.GroupVersionKind(), Name: o.name, Namespace: o.namespace, Domain: domain,
			Labels: o.meta.Labels, Annotations: o.meta.Annotations, ResourceVersion: "1", Generation: 1,
			CreationTimestamp: created(o.meta),
		},
		Spec: spec,
	}
	return c, unknown, nil
}

func created(m metav1.ObjectMeta) time.Time {
	if m.CreationTimestamp.IsZero() {
		return epoch
	}
	return m.CreationTimestamp.Time
}

// emptyItem tells whether a list has a null in it: the API server refuses
// that, and Istio's code relies on it.
func emptyItem(data []byte) bool {
	var v any
	if json.Unmarshal(data, &v) != nil {
		return false
	}
	var walk func(v any) bool
	walk = func(v any) bool {
		switch v := v.(type) {
		case []any:
			for _, item := range v {
				if item == nil || walk(item) {
					return true
				}
			}
		case map[string]any:
			for _, item := range v {
				if walk(item) {
					return true
				}
			}
		}
		return false
	}
	return walk(v)
}
