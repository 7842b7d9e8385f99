// Package istio is istiod's own code as a library: what a control plane would
// send to a proxy, with no cluster. It takes manifests (Kubernetes, Istio and
// Gateway API objects) and gives, for an ingress gateway or the sidecar of a
// service, the listeners, routes, clusters and endpoints that Istio makes of
// them, each route with the object, rule and match that it came from. Workload
// templates stand for their pods, so that endpoints exist.
//
// Istio's packages read settings named PILOT_* from the environment when the
// program starts; they hold for this package too, as they would for istiod.
package istio

import (
	"context"
	"sync"

	"github.com/meshstorm/meshstorm/manifest"
)

// Options say which installation the manifests are meant for.
type Options struct {
	Namespace      string // of objects without one; "" is "default"
	Profile        string // Istio's installation profile; "" is "demo": it decides which gateways are there
	IstioNamespace string // "" is "istio-system"
	ClusterDomain  string // "" is "cluster.local"
}

func (o Options) complete() Options {
	if o.Namespace == "" {
		o.Namespace = "default"
	}
	if o.Profile == "" {
		o.Profile = "demo"
	}
	if o.IstioNamespace == "" {
		o.IstioNamespace = "istio-system"
	}
	if o.ClusterDomain == "" {
		o.ClusterDomain = "cluster.local"
	}
	return o
}

// Mesh is a control plane that holds some manifests. It is safe for concurrent
// use, and does not change.
type Mesh struct {
	world    *world
	plane    *plane
	plain    *plane // nil, or what was made without tokens, where their presence would show
	gateways []Proxy
	proxies  []Proxy
	groups   map[string]Proxy // sidecars of proxies, by groupOf
	problems []Problem
	entries  map[string]*entry // what is no pod, by address

	configs sync.Map // of *translation, by Proxy.key
}

// translation is a proxy's configuration, made once.
type translation struct {
	once   sync.Mutex
	done   bool
	config *Config
	err    error
}

// Problem is something about the manifests that keeps a part of them from
// having an effect: an object that cannot be decoded or that istiod refuses, a
// kind that nobody here knows (said once per kind), a delegate that is left
// out.
type Problem struct {
	Document *manifest.Document // nil where it concerns many
	Message  string
	// Note is true where it is only worth knowing: a cluster would take the
	// object, and it has no part in what requests do.
	Note bool
}

// Kinds of proxies.
const (
	Gateway = "gateway"
	Sidecar = "sidecar"
)

// Proxy is a proxy that istiod would send configuration to.
type Proxy struct {
	Kind      string // Gateway or Sidecar
	Name      string // of the gateway's workload, or of the service that the sidecar's workload belongs to
	Namespace string
	Labels    map[string]string // of its pods
	Revision  string
}

// Origin is where a route came from.
type Origin struct {
	Document *manifest.Document // the VirtualService or HTTPRoute with the rule; nil for routes that Istio makes by itself
	// Delegate is true where Document is a delegate; Root is then the
	// VirtualService that names it.
	Delegate bool
	Root     *manifest.Document
	Rule     string // its name as written, "" for none
	Field    string // field path of the rule in Document: "spec.http[1]"
	Match    string // field path of the match entry: "spec.http[1].match[0]"; "" for a rule without
}

// New starts a control plane in this process with these manifests, and stops
// its watchers when it has read them all. Documents that cannot be used become
// Problems; the error is for what leaves nothing to ask: a profile that does
// not exist, a fault in Istio's code.
func New(ctx context.Context, docs []*manifest.Document, o Options) (*Mesh, error) {
	silence()
	w, err := readWorld(ctx, docs, o.complete())
	if err != nil {
		return nil, err
	}
	w.checkDelegates()
	gateways := w.findGateways()
	p, err := buildPlane(ctx, w)
	if err != nil {
		return nil, err
	}
	var plain *plane
	if w.namedPatches {
		if plain, err = buildPlane(ctx, w.unmarked()); err != nil {
			return nil, err
		}
	}
	m := &Mesh{world: w, plane: p, plain: plain, gateways: gateways, problems: w.sortedProblems(), entries: w.namedEntries()}
	m.proxies = append(m.proxies, gateways...)
	w.matter = w.labelsThatMatter()
	groups := w.groups()
	m.proxies = append(m.proxies, groups...)
	m.groups = map[string]Proxy{}
	for _, p := range groups {
		m.groups[groupOf(w.matter, p.Namespace, p.Labels)] = p
	}
	return m, nil
}

// Close frees what the mesh holds; it may be called more than once. Nothing
// runs in a mesh between calls.
func (m *Mesh) Close() { m.configs.Clear() }

// Problems are what could not be used, in source order.
func (m *Mesh) Problems() []Problem { return m.problems }

// Gateways are the gateway proxies: the installation's, those of Deployments
// that a Gateway's selector finds, those that istiod would start for a Gateway
// API Gateway; sorted by namespace and name.
func (m *Mesh) Gateways() []Proxy { return m.gateways }

// Sidecar is the sidecar of a service's pods: NAME, NAME.NAMESPACE or a full
// host name; a workload without a Service goes by its own name. Of a service
// with several workloads it is that of the first by name. The error lists what
// is there, or says why the pods have no sidecar.
func (m *Mesh) Sidecar(service string) (Proxy, error) { return m.world.sidecar(service) }

// Proxies are the gateways, and one sidecar for each group of workloads that
// istiod sends the same outbound routes to: those of one namespace that agree
// in every label that a VirtualService's sourceLabels, a Sidecar, an
// EnvoyFilter or a DestinationRule tells workloads apart by. Workloads without
// a sidecar are left out.
func (m *Mesh) Proxies() []Proxy { return m.proxies }

// Alike is the one of Proxies that istiod sends the same outbound routes to:
// asking it saves a translation. A proxy that has none is its own.
func (m *Mesh) Alike(p Proxy) Proxy {
	if other, ok := m.groups[groupOf(m.world.matter, p.Namespace, p.Labels)]; ok && p.Kind == Sidecar {
		return other
	}
	return p
}

// Config translates for a proxy; the answer is kept.
func (m *Mesh) Config(ctx context.Context, p Proxy) (*Config, error) {
	v, _ := m.configs.LoadOrStore(p.key(), &translation{})
	t := v.(*translation)
	t.once.Lock()
	defer t.once.Unlock()
	if t.done {
		return t.config, t.err
	}
	c, err := m.translate(ctx, p)
	if ctx.Err() == nil {
		t.config, t.err, t.done = c, err, true
	}
	if err != nil {
		return nil, err
	}
	return c, nil
}

// entry is an endpoint that is no pod.
type entry struct {
	kind, name, namespace string
	doc                   *manifest.Document
}

// namedEntries are WorkloadEntries by their addresses.
func (w *world) namedEntries() map[string]*entry {
	all := map[string]*entry{}
	for _, e := range w.workloadEntries() {
		o := w.objects[key{"networking.istio.io", "WorkloadEntry", e.namespace, e.name}]
		all[e.spec.Address] = &entry{"WorkloadEntry", e.name, e.namespace, o.doc}
	}
	return all
}
