// Package deploy is the intent: which services a model stands for, which
// paths they serve, who calls whom, what the outside may reach and which
// tracks (stable, canary) exist. It takes a storm.Model and the workspace's
// settings, and gives everything that a topping needs to render objects; it
// knows no Kubernetes type, and a renderer never has to look behind it.
package deploy

import "github.com/meshstorm/meshstorm/storm"

// Model is the whole intent of one workspace.
type Model struct {
	Workspace string // the workspace's name: a DNS-1123 label
	Settings  *Settings
	Services  []*Service // in the model's order
	Externals []*External
	Calls     []*Call // in the model's order
	Problems  []Problem
}

// Service is one bounded context as it will run.
type Service struct {
	Name      string // DNS-1123 label, starts with a letter, at most 48 characters
	Source    Source
	Resources []Resource // what it serves over HTTP
	// Prefixes are the shortest paths that cover all Resources, sorted; a rule
	// for each prefix takes the prefix itself and everything below it.
	Prefixes   []Prefix
	PathPrefix string // gateway prefix such as "/shop", rewritten away; "" for none
	Exposed    bool   // reachable through the gateway
	Called     bool   // some other service calls it synchronously
	Publishes  []string
	Consumes   []string
	Tracks     []Track // stable first, then canary
	Replicas   int32   // of the stable track
	Image      string
	Port       int32 // always 8080 unset
	Health     string
	Env        []EnvVar
	Requests   ResourceList
	Limits     ResourceList
	Fallback   bool // a relation of this context is marked so
	Breaker    bool // circuitBreaker
}

// Source names the model element that something came from.
type Source struct {
	Kind storm.Kind
	ID   string
	Name string
}

// String is "Kind/Name", as the annotation meshstorm.io/source has it.
func (s Source) String() string {
	if s.Name == "" {
		return string(s.Kind) + "/" + s.ID
	}
	return string(s.Kind) + "/" + s.Name
}

// Resource is one REST path with its methods.
type Resource struct {
	Path    string // UTF-8, "/orders/{id}/cancel"; {x} stands for one segment
	Methods []string
	Source  Source
}

// Prefix is a path below which everything belongs to one service.
type Prefix struct {
	Path   string // UTF-8; may hold {x} segments
	Source Source
}

// Track is a set of pods of a service that takes a share of its traffic.
type Track struct {
	Name   string // "stable" or "canary"
	Weight int32
}

// EnvVar is an environment variable of a service's container.
type EnvVar struct {
	Name, Value string
}

// ResourceList is CPU and memory in Kubernetes' quantity notation; "" is unset.
type ResourceList struct {
	CPU    string `json:"cpu,omitempty"`
	Memory string `json:"memory,omitempty"`
}

// External is a system outside the mesh that services call.
type External struct {
	Name   string
	Source Source
}

// Call is one edge of the call graph.
type Call struct {
	From, To       string // service names; To may be an External's
	Async          bool   // through the broker
	Event          string // the event's name for async edges
	Relation       string // the relation's ID
	Source         Source // the element the call starts at
	Target         Source // the element it ends at
	Fallback       bool
	CircuitBreaker bool
}

// Problem is something about the model that people should know before they
// deploy it; check turns problems into findings.
type Problem struct {
	Code    string
	Fatal   bool // generate refuses
	Source  Source
	Message string
	Fix     string
}

// Service finds a service by name, or nil.
func (m *Model) Service(name string) *Service {
	for _, s := range m.Services {
		if s.Name == name {
			return s
		}
	}
	return nil
}
