// Package graph is the picture of a deployment: who sends requests where, in
// what shares. It takes manifests as package check reads them and what check
// found, and gives nodes and edges: Gateway, VirtualService, subset, Service,
// workload, each with the file and line that it stands in. It draws nothing and
// knows no positions.
package graph

import (
	"cmp"
	"slices"

	"github.com/meshstorm/meshstorm/check"
	"github.com/meshstorm/meshstorm/topping"
)

// Graph is what the deploy screen shows. Its JSON form is part of the studio's
// interface.
type Graph struct {
	Nodes []Node `json:"nodes" doc:"In the order of the files."`
	Edges []Edge `json:"edges"`
}

// Kinds of nodes that are no Kubernetes kind.
const (
	KindSubset   = "Subset"   // a subset of a DestinationRule
	KindExternal = "External" // an external system of the model
	KindHost     = "Host"     // what a rule names and the files do not have
)

// Node is an object, a subset of one, or what rules name without there being
// one.
type Node struct {
	ID        string  `json:"id" doc:"Kind/namespace/name; of a subset Subset/namespace/DESTINATIONRULE/NAME. It stays the same while the object keeps its name." example:"VirtualService/default/vsvc-order"`
	Kind      string  `json:"kind" doc:"The Kubernetes kind, or Subset, External (a system of the model outside the mesh), Host (named by a rule, and in no file)."`
	Layer     string  `json:"layer" enum:"routing,configuration,security,external" doc:"What it is for: routing, what requests pass; configuration, what workloads are made of and scaled by; security, who may ask whom; external, what lies outside the mesh."`
	Name      string  `json:"name"`
	Namespace string  `json:"namespace"`
	Service   string  `json:"service,omitempty" doc:"The service, that is bounded context, that it belongs to."`
	Parent    string  `json:"parent,omitempty" doc:"Of a subset, the DestinationRule's id."`
	Source    string  `json:"source,omitempty" doc:"The model element that it came from." example:"BoundedContext/order"`
	File      string  `json:"file,omitempty"`
	Line      int     `json:"line,omitempty" doc:"1-based."`
	Problems  []Issue `json:"problems" doc:"What check found about the object."`
	Data      Data    `json:"data"`
}

// Issue is a finding, in short.
type Issue struct {
	Severity string `json:"severity" enum:"error,warning,info"`
	Code     string `json:"code"`
	Message  string `json:"message"`
}

// Data is what a node shows of its object; which fields there are depends on
// the kind.
type Data struct {
	Hosts    []string          `json:"hosts,omitempty" doc:"Of a VirtualService or Gateway, as written."`
	Gateways []string          `json:"gateways,omitempty" doc:"Of a VirtualService, as NAMESPACE/NAME or mesh."`
	Mesh     bool              `json:"mesh,omitempty" doc:"A VirtualService that sidecars use."`
	Twin     string            `json:"twin,omitempty" doc:"The id of the VirtualService whose weights change together with this one's."`
	Rules    []RuleData        `json:"rules,omitempty" doc:"Of a VirtualService, the http rules in their order."`
	Servers  []ServerData      `json:"servers,omitempty" doc:"Of a Gateway."`
	Host     string            `json:"host,omitempty" doc:"Of a DestinationRule, the full host name."`
	Labels   map[string]string `json:"labels,omitempty" doc:"Of a subset or Service the labels that it selects by, of a workload those of its pods."`
	Ports    []PortData        `json:"ports,omitempty" doc:"Of a Service."`
	Replicas *int32            `json:"replicas,omitempty" doc:"Of a workload, as written; 1 where the file says nothing."`
	Images   []string          `json:"images,omitempty" doc:"Of a workload."`
	Keys     []string          `json:"keys,omitempty" doc:"Of a ConfigMap or Secret; values are not shown."`
	Note     string            `json:"note,omitempty" doc:"One fact: the replicas that an autoscaler keeps between, the size of a claim, a schedule, the action of a policy."`
	// Everything is set where no selector narrows a policy down.
	Everything bool `json:"everything,omitempty" doc:"Of a policy that is for all pods of its namespace."`
}

// RuleData is an http rule of a VirtualService.
type RuleData struct {
	Name     string   `json:"name,omitempty"`
	Index    int      `json:"index" doc:"0-based."`
	Line     int      `json:"line"`
	Matches  []string `json:"matches" doc:"One entry per match, in words; a request needs one of them. Empty: every request."`
	Redirect bool     `json:"redirect,omitempty"`
	Direct   bool     `json:"directResponse,omitempty"`
	Mirrors  []string `json:"mirrors,omitempty" doc:"Hosts that get copies, with the subset behind a colon."`
	Timeout  string   `json:"timeout,omitempty"`
	Fault    bool     `json:"fault,omitempty"`
	Retries  *int32   `json:"retries,omitempty"`
}

// ServerData is a server of a Gateway.
type ServerData struct {
	Port     int      `json:"port"`
	Protocol string   `json:"protocol"`
	Hosts    []string `json:"hosts"`
	TLS      string   `json:"tls,omitempty"`
}

// PortData is a port of a Service.
type PortData struct {
	Name string `json:"name,omitempty"`
	Port int    `json:"port"`
}

// Kinds of edges.
const (
	EdgeBinds   = "binds"   // Gateway → VirtualService
	EdgeRoute   = "route"   // VirtualService → Subset, or what else a rule names
	EdgeSubset  = "subset"  // Subset → Service
	EdgeSelects = "selects" // Service → workload
	EdgeRuns    = "runs"    // Subset → workload
	EdgeCalls   = "calls"   // Service → Service, ServiceEntry or External, by the model
	EdgeScales  = "scales"  // HorizontalPodAutoscaler → workload
	EdgeUses    = "uses"    // workload → ConfigMap, Secret, claim, account; claim → volume; binding → role
	EdgeBackend = "backend" // Ingress → Service
	EdgeGoverns = "governs" // policy → workload or Gateway that it selects; binding → account
)

// Edge leads from one node to another.
type Edge struct {
	ID     string   `json:"id" doc:"It stays the same while only weights change."`
	From   string   `json:"from"`
	To     string   `json:"to"`
	Kind   string   `json:"kind" enum:"binds,route,subset,selects,runs,calls,scales,uses,backend,governs" doc:"binds: Gateway to VirtualService. route: VirtualService to subset, or to the Service or host where the rule names no subset. subset: subset to the Service that it is a part of. selects: Service to workload. runs: subset to the workload whose pods it picks. calls: the model's call graph. scales: autoscaler to workload. uses: workload to the ConfigMap, Secret, claim or account that its pods are given. backend: Ingress to Service. governs: policy to the workload or Gateway whose pods it selects."`
	Rule   *RuleRef `json:"rule,omitempty" doc:"Of a route."`
	Weight *int32   `json:"weight,omitempty" doc:"Of a route, 0 to 100 as written; the only destination of a rule has 100."`
	Subset string   `json:"subset,omitempty" doc:"Of a route."`
	Label  string   `json:"label,omitempty" doc:"Of a call, the event or relation; of a use, env or volume with the path; of a backend, host and path, or protocol and share."`
	Async  bool     `json:"async,omitempty" doc:"Of a call, through the broker."`
	Line   int      `json:"line,omitempty" doc:"Of a route, where the destination is written, in the file of the VirtualService."`
}

// RuleRef names an http rule of a VirtualService.
type RuleRef struct {
	Name  string `json:"name,omitempty"`
	Index int    `json:"index" doc:"0-based."`
}

// ID is a node's.
func ID(kind, namespace, name string) string { return kind + "/" + namespace + "/" + name }

// Of draws the manifests of an input; findings are what check said about them.
func Of(in *check.Input, findings []check.Finding) Graph {
	b := &builder{graph: Graph{Nodes: []Node{}, Edges: []Edge{}}, in: in, mesh: in.Mesh(), known: map[string]bool{}, problems: map[string][]issueAt{}}
	for _, f := range findings {
		if f.Object != nil {
			id := ID(f.Object.Kind, f.Object.Namespace, f.Object.Name)
			b.problems[id] = append(b.problems[id], issueAt{Issue{string(f.Severity), f.Code, f.Message}, f.Line})
		}
	}
	b.gateways()
	b.destinationRules()
	b.services()
	b.workloads()
	b.virtualServices()
	b.calls()
	b.others()
	slices.SortStableFunc(b.graph.Nodes, func(x, y Node) int {
		return cmp.Or(cmp.Compare(x.File, y.File), cmp.Compare(x.Line, y.Line))
	})
	return b.graph
}

type builder struct {
	in       *check.Input
	mesh     *check.Mesh
	graph    Graph
	known    map[string]bool
	problems map[string][]issueAt
}

// issueAt knows its line: a part of an object has the problems of its lines.
type issueAt struct {
	Issue
	line int
}

// add puts an object into the graph; one that is defined twice is there once.
func (b *builder) add(r *check.Resource, data Data) string {
	id := ID(r.Kind(), r.Namespace(), r.Name())
	data.Note = noteOf(r)
	b.node(Node{
		ID: id, Kind: r.Kind(), Name: r.Name(), Namespace: r.Namespace(), Service: b.serviceOf(r),
		Source: r.Annotation(topping.SourceAnnotation), File: r.Document.Path, Line: r.Document.Line, Data: data,
	})
	return id
}

func (b *builder) node(n Node) {
	if b.known[n.ID] {
		return
	}
	b.known[n.ID] = true
	n.Layer = layerOf(n.Kind)
	if n.Problems == nil {
		n.Problems = []Issue{}
	}
	for _, p := range b.problems[n.ID] {
		n.Problems = append(n.Problems, p.Issue)
	}
	b.graph.Nodes = append(b.graph.Nodes, n)
}

func (b *builder) edge(e Edge) { b.graph.Edges = append(b.graph.Edges, e) }

// serviceOf is the service that an object's label app names.
func (b *builder) serviceOf(r *check.Resource) string {
	meta, _ := r.Object["metadata"].(map[string]any)
	labels, _ := meta["labels"].(map[string]any)
	app, _ := labels[topping.AppLabel].(string)
	if b.in.Intent != nil && b.in.Intent.Service(app) != nil {
		return app
	}
	return ""
}

func (b *builder) calls() {
	if b.in.Intent == nil {
		return
	}
	namespace := b.in.Intent.Settings.Namespace
	for _, x := range b.in.Intent.Externals {
		if b.known[ID("ServiceEntry", namespace, x.Name)] {
			continue
		}
		b.node(Node{ID: ID(KindExternal, namespace, x.Name), Kind: KindExternal, Name: x.Name, Namespace: namespace, Source: x.Source.String()})
	}
	for _, c := range b.in.Intent.Calls {
		from, to := ID("Service", namespace, c.From), ID("Service", namespace, c.To)
		for _, kind := range []string{"ServiceEntry", KindExternal} {
			if !b.known[to] {
				to = ID(kind, namespace, c.To)
			}
		}
		if !b.known[from] || !b.known[to] {
			continue // the files lack the Service
		}
		id := EdgeCalls + ":" + from + ">" + to + "#" + c.Event + c.Source.ID + ">" + c.Target.ID
		label := c.Event
		if label == "" {
			label = c.Target.Name
		}
		if !b.known[id] {
			b.known[id] = true
			b.edge(Edge{ID: id, From: from, To: to, Kind: EdgeCalls, Label: label, Async: c.Async})
		}
	}
}
