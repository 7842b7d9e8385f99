package istio

import (
	"context"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes/scheme"

	"istio.io/istio/pkg/config"

	"github.com/meshstorm/meshstorm/manifest"
)

// world is what the documents say, and what they take for granted.
type world struct {
	opts       Options
	objects    map[key]*object
	order      []*object
	namespaces map[string]*corev1.Namespace // those that the documents define

	configs   []config.Config // Istio's objects, with tokens for names
	gatewayed []*object       // objects of the Gateway API and what it refers to
	services  []*service
	workloads []*workload

	byAddress       map[string]*workload
	byLabel         map[string][]*workload
	profileGateways map[key]bool
	matter          []string // labels that tell groups of workloads apart
	usesGatewayAPI  bool
	namedPatches    bool // an EnvoyFilter asks for routes by name
	plain           bool // names are as written

	tokens   *tokens
	problems []placed
}

// placed is a problem with its place in the order of the documents.
type placed struct {
	index int
	Problem
}

// service is a Service with the document that it is from, nil for one that is
// made up.
type service struct {
	*corev1.Service
	object *object
}

func (w *world) problem(o *object, format string, args ...any) {
	p := placed{index: 1 << 30, Problem: Problem{Message: fmt.Sprintf(format, args...)}}
	if o != nil {
		p.index = o.index
		p.Document = o.doc
		p.Message = o.String() + ": " + p.Message
	}
	w.problems = append(w.problems, p)
}

// note is a problem that is only worth knowing.
func (w *world) note(o *object, format string, args ...any) {
	w.problem(o, format, args...)
	w.problems[len(w.problems)-1].Note = true
}

func (w *world) sortedProblems() []Problem {
	slices.SortStableFunc(w.problems, func(a, b placed) int { return a.index - b.index })
	all := make([]Problem, len(w.problems))
	for i, p := range w.problems {
		all[i] = p.Problem
	}
	return all
}

// readWorld sorts the documents by what they are for.
func readWorld(ctx context.Context, docs []*manifest.Document, opts Options) (*world, error) {
	profile, err := profileOf(opts.Profile)
	if err != nil {
		return nil, err
	}
	w := &world{opts: opts, objects: map[key]*object{}, namespaces: map[string]*corev1.Namespace{},
		profileGateways: map[key]bool{}, tokens: newTokens()}
	for i, d := range docs {
		if i%256 == 0 && ctx.Err() != nil {
			return nil, fmt.Errorf("read manifests: %w", ctx.Err())
		}
		o, err := readObject(d, i, opts.Namespace)
		if err != nil {
			w.problems = append(w.problems, placed{i, Problem{Document: d, Message: fmt.Sprintf("%s:%d: the document cannot be read as an object: %v", d.Path, d.Line, err)}})
			continue
		}
		if o != nil {
			w.add(o)
		}
	}
	w.order = slices.DeleteFunc(w.order, func(o *object) bool { return w.objects[o.key()] != o })
	unknown := &unknownKinds{first: map[schema.GroupVersionKind]*object{}, count: map[schema.GroupVersionKind]int{}}
	for _, o := range w.order {
		if err := w.sort(o, unknown); err != nil {
			w.problem(o, "it cannot be decoded, and has no effect here: %v", err)
		}
	}
	unknown.report(w)
	w.addProfileGateways(profile)
	w.addGatewayAPIGateways()
	w.settleWorkloads()
	return w, nil
}

// add keeps an object; a second one of the same name replaces the first, as
// applying both would.
func (w *world) add(o *object) {
	if old, ok := w.objects[o.key()]; ok {
		w.note(o, "replaces the object of the same name at %s:%d", old.doc.Path, old.doc.Line)
	}
	w.objects[o.key()] = o
	w.order = append(w.order, o)
}

// sort puts one object where it belongs.
func (w *world) sort(o *object, unknown *unknownKinds) error {
	if s, ok := o.istioSchema(); ok {
		w.addIstio(o, s)
		return nil
	}
	switch o.group {
	case "gateway.networking.k8s.io", "gateway.networking.x-k8s.io":
		if err := o.admit(); err != nil {
			w.problem(o, "the API server refuses this object, so it is not used: %v", err)
			delete(w.objects, o.key())
			return nil
		}
		w.usesGatewayAPI = true
		w.gatewayed = append(w.gatewayed, o)
		return nil
	case "", "apps", "argoproj.io", "discovery.k8s.io":
		if known, err := w.addKubernetes(o); known || err != nil {
			return err
		}
	case "networking.k8s.io":
		if o.kind == "Ingress" {
			w.note(o, "routes of an Ingress are not translated here; a VirtualService or an HTTPRoute would be")
		}
	}
	gvk := schema.GroupVersionKind{Group: o.group, Version: o.version, Kind: o.kind}
	if !scheme.Scheme.Recognizes(gvk) && !strings.HasSuffix(o.group, "apiextensions.k8s.io") {
		unknown.add(gvk, o)
	}
	return nil
}

func (w *world) addKubernetes(o *object) (known bool, err error) {
	switch o.kind {
	case "Namespace":
		ns := &corev1.Namespace{}
		if err := o.into(ns); err != nil {
			return true, err
		}
		ns.Namespace = ""
		w.namespaces[o.name] = ns
	case "Service":
		s := &corev1.Service{}
		if err := o.into(s); err != nil {
			return true, err
		}
		for i := range s.Spec.Ports {
			if s.Spec.Ports[i].Protocol == "" {
				s.Spec.Ports[i].Protocol = corev1.ProtocolTCP
			}
		}
		w.services = append(w.services, &service{s, o})
	case "Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "ReplicationController", "Rollout", "Pod":
		return true, w.addWorkload(o)
	case "Secret", "ConfigMap":
		w.gatewayed = append(w.gatewayed, o)
	default:
		return false, nil
	}
	return true, nil
}

func (w *world) serviceByName(namespace, name string) *service {
	for _, s := range w.services {
		if s.Namespace == namespace && s.Name == name {
			return s
		}
	}
	return nil
}

// unknownKinds gathers the kinds that nothing here knows.
type unknownKinds struct {
	first map[schema.GroupVersionKind]*object
	count map[schema.GroupVersionKind]int
}

func (u *unknownKinds) add(gvk schema.GroupVersionKind, o *object) {
	if u.first[gvk] == nil {
		u.first[gvk] = o
	}
	u.count[gvk]++
}

// report says each unknown kind once; where the documents define it
// themselves, that it is theirs.
func (u *unknownKinds) report(w *world) {
	for gvk, o := range u.first {
		own := ""
		for _, d := range w.order {
			if d.kind == "CustomResourceDefinition" && strings.HasSuffix(d.name, "."+gvk.Group) {
				own = ", which " + d.String() + " may define,"
			}
		}
		w.note(o, "the kind %s of %s%s has no effect on routes that is known here (%d objects of it)",
			gvk.Kind, gvk.GroupVersion(), own, u.count[gvk])
	}
}
