package analyze

import (
	"fmt"
	"slices"
	"strings"

	"istio.io/istio/pkg/config"
	"istio.io/istio/pkg/config/analysis"
	"istio.io/istio/pkg/config/resource"
	"istio.io/istio/pkg/config/schema/collections"
	"istio.io/istio/pkg/config/schema/gvk"
	sresource "istio.io/istio/pkg/config/schema/resource"

	"github.com/meshstorm/meshstorm/check"
)

// world is everything the analyzers can see.
type world struct {
	objects map[config.GroupVersionKind][]*resource.Instance
	index   map[key]*resource.Instance
	broken  []check.Finding // objects that cannot be shown to the analyzers
	inputs  map[config.GroupVersionKind]bool
	opts    Options

	subsets   map[subsetKey]bool              // see shares
	meshHosts map[string][]*resource.Instance // see reword
}

type key struct {
	kind config.GroupVersionKind
	name resource.FullName
}

// buildWorld turns the documents into instances and adds what the documents
// take for granted.
func buildWorld(in *check.Input, opts Options, all []analysis.Analyzer) *world {
	w := &world{
		objects: map[config.GroupVersionKind][]*resource.Instance{},
		index:   map[key]*resource.Instance{},
		inputs:  map[config.GroupVersionKind]bool{},
		opts:    opts,
	}
	for _, a := range all {
		for _, kind := range a.Metadata().Inputs {
			w.inputs[kind] = true
		}
	}
	for _, r := range in.Resources() {
		w.addResource(r)
	}
	w.addNamespaces(in.Resources())
	w.addMeshConfig()
	w.addControlPlane()
	w.addGateways()
	w.addPods(in.Resources())
	return w
}

// add puts an instance into the world; a second object of the same name
// replaces the first, as applying both would.
func (w *world) add(i *resource.Instance) {
	o := i.Origin.(*origin)
	k := key{o.kind, o.name}
	if old, ok := w.index[k]; ok {
		at := slices.Index(w.objects[o.kind], old)
		w.objects[o.kind][at] = i
	} else {
		w.objects[o.kind] = append(w.objects[o.kind], i)
	}
	w.index[k] = i
}

// addMissing adds a made-up instance unless the files have that object.
func (w *world) addMissing(i *resource.Instance) {
	o := i.Origin.(*origin)
	if _, ok := w.index[key{o.kind, o.name}]; !ok {
		w.add(i)
	}
}

func (w *world) addResource(r *check.Resource) {
	if r.Err != nil || r.Name() == "" {
		return // another rule says so
	}
	s, ok := schemaOf(r)
	if !ok || !w.inputs[s.GroupVersionKind()] {
		return
	}
	spec, status, err := decodeOnce(r, s)
	if err != nil {
		w.reportBroken(r, err)
		return
	}
	namespace := r.Namespace()
	if s.IsClusterScoped() {
		namespace = ""
	}
	name := resource.NewFullName(resource.Namespace(namespace), resource.LocalName(r.Name()))
	i := newInstance(s, name, spec, &origin{source: r, object: r.Object})
	i.Status = status
	i.Metadata.Labels = texts(r.Object, "metadata", "labels")
	i.Metadata.Annotations = texts(r.Object, "metadata", "annotations")
	w.add(i)
}

func newInstance(s sresource.Schema, name resource.FullName, spec config.Spec, o *origin) *resource.Instance {
	o.kind, o.name = s.GroupVersionKind(), name
	return &resource.Instance{
		Metadata: resource.Metadata{Schema: s, FullName: name, Labels: map[string]string{}, Annotations: map[string]string{}},
		Message:  spec,
		Origin:   o,
	}
}

func schemaOf(r *check.Resource) (sresource.Schema, bool) {
	version := r.APIVersion()
	if _, v, ok := strings.Cut(version, "/"); ok {
		version = v
	}
	return collections.All.FindByGroupVersionAliasesKind(config.GroupVersionKind{
		Group: r.Group(), Version: version, Kind: r.Kind()})
}

// reportBroken says that Istio's code cannot read an object. For Istio's kinds
// only: strict decoding reports the others.
func (w *world) reportBroken(r *check.Resource, err error) {
	if !strings.HasSuffix(r.Group(), "istio.io") || schemaFinds(r) {
		return
	}
	t := explain("IST0106", nil)
	f := r.Finding("IST0106", check.Error, "spec", fmt.Sprintf("Istio cannot read this object: %v. %s", err, t.means))
	f.Fix = t.fix
	w.broken = append(w.broken, f)
}

// texts is the map of strings at the path; values that are no strings are
// left out.
func texts(object map[string]any, path ...string) map[string]string {
	all := map[string]string{}
	m, _ := dig(object, path...).(map[string]any)
	for k, v := range m {
		if s, ok := v.(string); ok {
			all[k] = s
		}
	}
	return all
}

func dig(object map[string]any, path ...string) any {
	var value any = object
	for _, k := range path {
		m, ok := value.(map[string]any)
		if !ok {
			return nil
		}
		value = m[k]
	}
	return value
}

// addNamespaces adds the namespaces that the objects live in and that the
// files do not define: with injection on, as meshstorm's own deployments want
// it, so that no analyzer holds its absence against the files.
func (w *world) addNamespaces(all []*check.Resource) {
	system := w.opts.istioNamespace()
	w.addMissing(namespace(system, nil))
	for _, name := range []string{"kube-system", "kube-public", "kube-node-lease"} {
		w.addMissing(namespace(name, nil))
	}
	for _, r := range all {
		if r.Err == nil && r.Namespace() != "" && r.Namespace() != system {
			w.addMissing(namespace(r.Namespace(), map[string]string{"istio-injection": "enabled"}))
		}
	}
	w.addMissing(namespace("default", map[string]string{"istio-injection": "enabled"}))
}

func namespace(name string, labels map[string]string) *resource.Instance {
	i := madeUp(gvk.Namespace, "", name)
	for k, v := range labels {
		i.Metadata.Labels[k] = v
	}
	i.Metadata.Labels["kubernetes.io/metadata.name"] = name
	return i
}

// madeUp gives an empty instance that stands for something outside the files.
func madeUp(kind config.GroupVersionKind, namespace, name string) *resource.Instance {
	s, ok := collections.All.FindByGroupVersionKind(kind)
	if !ok {
		panic("no schema for " + kind.String())
	}
	spec, err := s.NewInstance()
	if err != nil {
		panic(err)
	}
	return newInstance(s, resource.NewFullName(resource.Namespace(namespace), resource.LocalName(name)), spec, &origin{})
}
