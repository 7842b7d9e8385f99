package canvas

import (
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/meshstorm/meshstorm/deploy"
	"github.com/meshstorm/meshstorm/storm/msaez"
)

// canvasPrefix begins the annotations in which the original keeps positions.
const canvasPrefix = "msaez.io/"

// subsetType is the palette's name of a subset. It is a child of a
// DestinationRule on the canvas and has no object of its own.
const subsetType = "DestinationRuleSubset"

// drawing is one object of the canvas.
type drawing struct {
	index    int
	id       string
	kind     string
	group    string
	version  string
	name     string // a valid name
	original string // as drawn
	node     *yaml.Node
	upgraded string // from which API version to which; "" for neither
	box      Box
	service  *deploy.Service // the bounded context it is of; nil for all else
	done     bool            // folded or left out
}

// String is how warnings call it.
func (d *drawing) String() string {
	if d.original == "" {
		return d.kind + " without a name"
	}
	return d.kind + "/" + d.original
}

func (d *drawing) is(group, kind string) bool { return d.group == group && d.kind == kind }

// Groups of API versions.
const (
	groupIstio = "networking.istio.io"
	groupApps  = "apps"
	groupCore  = ""
)

// arrows are the canvas's relations, by element ID.
type arrows struct {
	from     map[string][]string
	children map[string][]subsetChild // subsets drawn in a DestinationRule
	parents  map[string]string        // subset element → DestinationRule element
}

// subsetChild is a subset element.
type subsetChild struct{ id, name string }

// read makes drawings of all objects that have a kind and a name.
func (t *taker) read(objects []msaez.CanvasObject, relations []msaez.CanvasRelation) {
	t.byID = map[string]*drawing{}
	t.arrows = arrows{from: map[string][]string{}, children: map[string][]subsetChild{}, parents: map[string]string{}}
	for _, r := range relations {
		t.from[r.From] = append(t.from[r.From], r.To)
	}
	for i, o := range objects {
		if o.Type == subsetType {
			t.readSubset(o)
			continue
		}
		t.taken++
		d := &drawing{index: i, id: o.ID, kind: o.Type, original: strings.TrimSpace(o.Name)}
		t.readObject(d, o)
		if !d.done {
			t.drawn = append(t.drawn, d)
			t.byID[d.id] = d
		}
	}
}

func (t *taker) readSubset(o msaez.CanvasObject) {
	element, err := fromJSON(o.Raw)
	if err != nil {
		return
	}
	if parent := text(element, "parentId"); parent != "" {
		t.parents[o.ID] = parent
		t.children[parent] = append(t.children[parent], subsetChild{o.ID, text(element, "name")})
	}
}

func (t *taker) readObject(d *drawing, o msaez.CanvasObject) {
	if len(o.Object) == 0 || string(o.Object) == "null" {
		t.leaveOut(d, "there is no object behind the drawing")
		return
	}
	node, err := fromJSON(o.Object)
	if err != nil || !isMapping(node) {
		t.leaveOut(d, "its object is not a mapping of fields")
		return
	}
	d.node = node
	if kind := text(node, "kind"); kind != "" {
		d.kind = kind
	}
	d.box = boxOf(node, Box{X: o.X, Y: o.Y, Width: o.Width, Height: o.Height})
	t.readName(d, o.Name)
	if d.done {
		return
	}
	t.readVersion(d)
	t.cleanTop(d)
	t.cleanMeta(d)
}

// readName takes the name from the object, else from the element.
func (t *taker) readName(d *drawing, element string) {
	d.original = strings.TrimSpace(text(d.node, "metadata", "name"))
	if d.original == "" {
		d.original = strings.TrimSpace(element)
	}
	if d.original == "" {
		t.leaveOut(d, "an object needs a name")
		return
	}
	d.name = validName(d.kind, d.original)
	if d.name == "" {
		t.leaveOut(d, "no valid name can be made of %q", d.original)
		return
	}
	meta := at(d.node, "metadata")
	if !isMapping(meta) {
		meta = mapping()
		set(d.node, meta, "metadata")
	}
	if text(meta, "name") == "" {
		remove(meta, "name")
		meta.Content = append([]*yaml.Node{str("name"), str(d.name)}, meta.Content...)
	}
	set(meta, str(d.name), "name")
}

// versions of the kinds of the palette, for objects that lost theirs.
var versions = map[string]string{
	"Deployment": "apps/v1", "ReplicaSet": "apps/v1", "StatefulSet": "apps/v1", "DaemonSet": "apps/v1",
	"Job": "batch/v1", "CronJob": "batch/v1", "Ingress": "networking.k8s.io/v1",
	"HorizontalPodAutoscaler": "autoscaling/v2", "StorageClass": "storage.k8s.io/v1",
	"Role": groupRBAC + "/v1", "RoleBinding": groupRBAC + "/v1", "ClusterRole": groupRBAC + "/v1", "ClusterRoleBinding": groupRBAC + "/v1",
	"Namespace": "v1", "Pod": "v1", "Service": "v1", "PersistentVolume": "v1", "PersistentVolumeClaim": "v1",
	"ConfigMap": "v1", "Secret": "v1", "ServiceAccount": "v1", "PodDisruptionBudget": "policy/v1",
	"Gateway": groupIstio + "/v1", "VirtualService": groupIstio + "/v1", "DestinationRule": groupIstio + "/v1",
	"ServiceEntry": groupIstio + "/v1", "Sidecar": groupIstio + "/v1",
	"Rollout": "argoproj.io/v1alpha1", "Application": "argoproj.io/v1alpha1", "Workflow": "argoproj.io/v1alpha1",
	"CustomResourceDefinition": "apiextensions.k8s.io/v1",
}

const groupRBAC = "rbac.authorization.k8s.io"

// readVersion sorts out apiVersion and kind and puts them first.
func (t *taker) readVersion(d *drawing) {
	version := text(d.node, "apiVersion")
	if version == "" {
		version = versions[d.kind]
		if version == "" {
			t.leaveOut(d, "it has no apiVersion")
			return
		}
		t.warn(d, "has no apiVersion; repaired to %s", version)
	}
	d.group, d.version = splitVersion(version)
	remove(d.node, "apiVersion")
	remove(d.node, "kind")
	d.node.Content = append([]*yaml.Node{str("apiVersion"), str(version), str("kind"), str(d.kind)}, d.node.Content...)
}

func splitVersion(apiVersion string) (group, version string) {
	if group, version, ok := strings.Cut(apiVersion, "/"); ok {
		return group, version
	}
	return "", apiVersion
}

// setVersion upgrades an object.
func (d *drawing) setVersion(apiVersion string) {
	d.group, d.version = splitVersion(apiVersion)
	set(d.node, str(apiVersion), "apiVersion")
}

// cleanTop removes what the original's panels leave at the top of an object
// ("aapiVersion") and what a cluster wrote (status).
func (t *taker) cleanTop(d *drawing) {
	remove(d.node, "status")
	var junk []string
	for key := range fields(d.node) {
		if strings.HasSuffix(key, "piVersion") && key != "apiVersion" {
			remove(d.node, key)
			junk = append(junk, key)
		}
	}
	if junk != nil {
		t.warn(d, "stray keys removed: %s", strings.Join(junk, ", "))
	}
}

// serverSet are metadata that only a cluster writes.
var serverSet = []string{"uid", "resourceVersion", "generation", "creationTimestamp", "deletionTimestamp",
	"deletionGracePeriodSeconds", "managedFields", "selfLink", "ownerReferences", "clusterName"}

// clusterAnnotations are annotations that only a cluster or kubectl writes.
var clusterAnnotations = []string{"kubectl.kubernetes.io/last-applied-configuration",
	"deployment.kubernetes.io/revision", "pv.kubernetes.io/bind-completed", "pv.kubernetes.io/bound-by-controller"}

// cleanMeta removes positions, which become layout, and what a cluster wrote.
func (t *taker) cleanMeta(d *drawing) {
	meta := at(d.node, "metadata")
	var removed []string
	for _, key := range serverSet {
		if remove(meta, key) {
			removed = append(removed, key)
		}
	}
	if removed != nil {
		t.warn(d, "what a cluster wrote is removed: metadata.%s", strings.Join(removed, ", "))
	}
	for _, key := range []string{"annotations", "labels"} {
		for name := range fields(meta, key) {
			if strings.HasPrefix(name, canvasPrefix) || slices.Contains(clusterAnnotations, name) || name == "" {
				remove(meta, key, name)
			}
		}
		if empty(meta, key) {
			remove(meta, key)
		}
	}
	for _, key := range []string{"namespace", "generateName"} {
		if strings.TrimSpace(text(meta, key)) == "" {
			remove(meta, key)
		}
	}
	if namespace := text(meta, "namespace"); namespace != "" && validName("Namespace", namespace) != namespace {
		mapped := validName("Namespace", namespace)
		t.warn(d, "namespace %q is not a valid name; repaired to %q", namespace, mapped)
		remove(meta, "namespace")
		if mapped != "" {
			set(meta, str(mapped), "namespace")
		}
	}
	if d.name != d.original {
		t.warn(d, "the name is not valid in Kubernetes; it becomes %q, and references to it follow", d.name)
	}
}
