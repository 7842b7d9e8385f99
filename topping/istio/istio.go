// Package istio is the topping for the mesh: one Gateway, and for every service
// a VirtualService with its REST paths, a second one for callers inside the
// mesh where a synchronous call ends, and a DestinationRule whose subsets
// stable and canary select different pods. It takes the intent and gives typed
// Istio objects for the version that the settings name.
package istio

import (
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/meshstorm/meshstorm/deploy"
	"github.com/meshstorm/meshstorm/manifest"
	"github.com/meshstorm/meshstorm/topping"
)

// Topping renders the mesh. The zero value is ready.
type Topping struct{}

// Name is "istio".
func (Topping) Name() string { return "istio" }

// Title is what people see.
func (Topping) Title() string { return "Istio" }

// Group is the heading the original lists it under.
func (Topping) Group() string { return "Service Mesh" }

// Files is istio.yml.
func (Topping) Files() []string { return []string{topping.IstioFile} }

// Prefixes of object names, as users of the original know them.
const (
	VirtualServicePrefix  = "vsvc-"
	DestinationRulePrefix = "destrule-"
	MeshSuffix            = "-mesh"
)

// Names of the generated http rules of a VirtualService. WritesName takes the
// methods that are not idempotent and stands first; RuleName takes the rest.
// Before Istio 1.19 a path prefix needs a rule for each path: primary-1 and so
// on.
const (
	RuleName   = "primary"
	WritesName = "writes"
)

// Generated reports whether an http rule of this name is one that this topping
// writes.
func Generated(rule string) bool {
	return Writes(rule) || rule == RuleName || strings.HasPrefix(rule, RuleName+"-")
}

// Writes reports whether an http rule of this name is the generated one for
// methods that are not idempotent.
func Writes(rule string) bool {
	return rule == WritesName || strings.HasPrefix(rule, WritesName+"-")
}

// Render makes the Gateway and the objects of all services.
func (Topping) Render(m *deploy.Model) ([]manifest.Object, error) {
	objects := make([]manifest.Object, 0, 3*len(m.Services)+1)
	add := func(v any, comments map[string]string) {
		objects = append(objects, manifest.Object{File: topping.IstioFile, Value: v, Comments: comments})
	}
	if len(m.Services) == 0 {
		return nil, nil
	}
	add(mainGateway(m), nil)
	for _, s := range m.Services {
		if s.Exposed {
			add(edgeRoutes(m, s))
		}
		if s.Called {
			add(meshRoutes(m, s), nil)
		}
		add(destinations(m, s), nil)
	}
	return objects, nil
}

// apiVersion of the networking API: v1 came with Istio 1.22.
func apiVersion(m *deploy.Model) string {
	if m.Settings.Istio().AtLeast(1, 22) {
		return "networking.istio.io/v1"
	}
	return "networking.istio.io/v1beta1"
}

func typeMeta(m *deploy.Model, kind string) metav1.TypeMeta {
	return metav1.TypeMeta{APIVersion: apiVersion(m), Kind: kind}
}

func mainGateway(m *deploy.Model) *gateway {
	g := m.Settings.Gateway
	http := server{Port: port{80, "http", "HTTP"}, Hosts: g.Hosts}
	servers := []server{http}
	if g.TLS != nil {
		if g.TLS.Redirect == nil || *g.TLS.Redirect {
			servers[0].TLS = &serverTLS{HTTPSRedirect: true}
		}
		servers = append(servers, server{Port: port{443, "https", "HTTPS"}, Hosts: g.Hosts,
			TLS: &serverTLS{Mode: "SIMPLE", CredentialName: g.TLS.CredentialName}})
	}
	meta := topping.Meta(m, g.Name, deploy.Source{Kind: "Model", Name: m.Workspace})
	return &gateway{TypeMeta: typeMeta(m, "Gateway"), ObjectMeta: meta, Spec: gatewaySpec{Selector: g.Selector, Servers: servers}}
}

// destinations makes the subsets. They select by track, never by version, so
// that promoting a canary edits neither a selector nor a subset. The label app
// adds nothing for Envoy, which looks at the Service's pods only, but istioctl's
// analyzer takes any pod of the namespace for the subset's (IST0173).
func destinations(m *deploy.Model, s *deploy.Service) *destinationRule {
	d := &destinationRule{
		TypeMeta:   typeMeta(m, "DestinationRule"),
		ObjectMeta: topping.ServiceMeta(m, DestinationRulePrefix+s.Name, s),
		Spec:       destinationRuleSpec{Host: s.Name},
	}
	for _, t := range s.Tracks {
		d.Spec.Subsets = append(d.Spec.Subsets, subset{Name: t.Name, Labels: map[string]string{topping.AppLabel: s.Name, topping.TrackLabel: t.Name}})
	}
	return d
}

func split(host string, s *deploy.Service) []routeDestination {
	var routes []routeDestination
	for _, t := range s.Tracks {
		routes = append(routes, routeDestination{Destination: destination{host, t.Name}, Weight: t.Weight})
	}
	return routes
}

// meshRoutes gives callers inside the mesh the same split. It names the host
// in full, for istiod refuses * on the mesh gateway and a short name would
// mean another Service in another namespace.
func meshRoutes(m *deploy.Model, s *deploy.Service) *virtualService {
	host := s.Name + "." + m.Settings.Namespace + ".svc.cluster.local"
	return &virtualService{
		TypeMeta:   typeMeta(m, "VirtualService"),
		ObjectMeta: topping.ServiceMeta(m, VirtualServicePrefix+s.Name+MeshSuffix, s),
		Spec: virtualServiceSpec{
			Hosts: []string{host},
			HTTP:  meshRules(host, s),
		},
	}
}

// meshRules need no paths: all requests for the host are the service's.
func meshRules(host string, s *deploy.Service) []httpRoute {
	var writes []match
	for _, p := range s.Prefixes {
		for _, method := range p.Writes() {
			if !slices.ContainsFunc(writes, func(m match) bool { return m.Method.Exact == method }) {
				writes = append(writes, match{Method: &stringMatch{Exact: method}})
			}
		}
	}
	return withWrites(writes, httpRoute{Name: RuleName, Route: split(host, s)})
}
