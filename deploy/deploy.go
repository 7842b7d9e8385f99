// Package deploy is the intent: which services a model stands for, which
// paths they serve, who calls whom, what the outside may reach and which
// tracks (stable, canary) exist. It takes a storm.Model and the workspace's
// settings, and gives everything that a topping needs to render objects; it
// knows no Kubernetes type, and a renderer never has to look behind it.
package deploy

import (
	"slices"

	"github.com/meshstorm/meshstorm/storm"
)

// Model is the whole intent of one workspace.
type Model struct {
	Workspace string // the workspace's name: a DNS-1123 label
	Source    *storm.Model
	// Archive is the model as JSON without images and geometry, for those who
	// read it in a cluster; empty leaves it out of the files.
	Archive []byte
	// ArchiveSettings are the settings' file, which goes with the archive: names
	// and paths depend on it.
	ArchiveSettings []byte
	Settings        *Settings
	Services        []*Service // in the model's order
	Externals       []*External
	Calls           []*Call // in the model's order
	Problems        []Problem
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
	Events     bool    // it publishes or consumes events, so it needs the broker
	Tracks     []Track // stable first, then canary
	Replicas   int32   // of the stable track
	Image      string
	Version    string // the image's tag, as a label's value
	Plural     string // the original's namePlural of the context, for routing: msaez
	Port       int32  // the container's and the Service's HTTP port
	Health     string
	Env        []EnvVar
	// CanaryEnv are the variables that only the canary's pods get, sorted; one
	// with the name of another in Env stands instead of it.
	CanaryEnv []EnvVar
	Requests  ResourceList
	Limits    ResourceList
	Fallback  bool // a relation of this context asks for a fallback
	Breaker   bool // a relation of this context asks for a circuit breaker
	// Autoscaled is true where a HorizontalPodAutoscaler owns the replicas of
	// the stable track; whoever reads the workspace's files sets it.
	Autoscaled bool
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
	// Methods are those of all resources below it, in the order they come.
	Methods []string
}

// Writes are the prefix's methods that a proxy must not repeat on its own.
func (p Prefix) Writes() []string { return slices.DeleteFunc(slices.Clone(p.Methods), Idempotent) }

// Idempotent reports whether a request of this method may be sent twice and
// mean the same as once (RFC 9110, section 9.2.2); methods that the RFC does
// not name may not.
func Idempotent(method string) bool {
	return slices.Contains([]string{"GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"}, method)
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
	Relation       string // the relation's ID; "" for events that fill a read model
	Source         Source // the element the call starts at
	Target         Source // the element it ends at
	Fallback       bool
	CircuitBreaker bool
}

// Severity of a Problem, in the words that check uses.
type Severity string

// Severities of problems.
const (
	SeverityError   Severity = "error"
	SeverityWarning Severity = "warning"
	SeverityInfo    Severity = "info"
)

// Problem is something about the model or the settings that people should know
// before they deploy; check turns problems into findings.
type Problem struct {
	Code     string
	Severity Severity
	Fatal    bool // nothing sensible can be generated
	Source   Source
	Message  string
	Fix      string
}

// Fatal returns the problems that keep a generation from being made.
func (m *Model) Fatal() []Problem {
	var fatal []Problem
	for _, p := range m.Problems {
		if p.Fatal {
			fatal = append(fatal, p)
		}
	}
	return fatal
}

// The names of the two tracks.
const (
	TrackStable = "stable"
	TrackCanary = "canary"
)

// Service finds a service by name, or nil.
func (m *Model) Service(name string) *Service {
	for _, s := range m.Services {
		if s.Name == name {
			return s
		}
	}
	return nil
}
