package deploy

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/distribution/reference"

	"github.com/meshstorm/meshstorm/storm"
)

// Build derives the intent from a model and its settings. It never fails:
// what is wrong is in Problems, and Fatal tells what keeps objects from being
// made.
func Build(m *storm.Model, s *Settings) *Model {
	b := &builder{
		plurals: newPlurals(),
		source:  m,
		model:   &Model{Workspace: s.Workspace, Settings: s, Source: m},
		byID:    map[string]*Service{},
		byName:  map[string]*Service{},
	}
	for _, w := range m.Warnings {
		p := Problem{Code: CodeModel, Severity: SeverityWarning, Message: w.String(), Fix: "mend the sticker in the model; generate works around it"}
		if l, ok := m.Lookup(w.ID); ok {
			p.Source = sourceOf(l.Element)
		}
		b.problem(p)
	}
	b.services()
	b.externals()
	b.calls()
	b.checkNames()
	b.checkPaths()
	b.checkSettings()
	return b.model
}

type builder struct {
	plurals plurals
	source  *storm.Model
	model   *Model
	byID    map[string]*Service // by context ID
	byName  map[string]*Service
}

func (b *builder) problem(p Problem) { b.model.Problems = append(b.model.Problems, p) }

func sourceOf(e *storm.Element) Source { return Source{Kind: e.Kind, ID: e.ID, Name: e.Label()} }

func (b *builder) services() {
	for _, c := range b.source.Contexts {
		if c.Mirror != "" {
			continue // it runs where its original is
		}
		svc := b.service(c)
		b.model.Services = append(b.model.Services, svc)
		b.byID[c.ID] = svc
		b.byName[svc.Name] = svc
	}
}

func (b *builder) service(c *storm.Context) *Service {
	set := b.model.Settings
	svc := &Service{
		Name:     b.nameOf(c),
		Source:   sourceOf(&c.Element),
		Port:     8080,
		Plural:   b.plurals.path(c.Name),
		Replicas: 1,
		Health:   "/actuator/health",
		Requests: ResourceList{CPU: "100m", Memory: "512Mi"},
		Tracks:   []Track{{TrackStable, 100}, {TrackCanary, 0}},
	}
	own, _ := set.ServiceSettings(svc)
	svc.Resources = applyPathSettings(b.resourcesOf(c), own.Paths, svc.Source)
	svc.Prefixes = prefixesOf(svc.Resources)
	svc.Exposed = len(svc.Resources) > 0
	svc.Publishes, svc.Events = eventsOf(c), len(c.Policies) > 0
	svc.Events = svc.Events || len(svc.Publishes) > 0
	own.apply(svc)
	svc.Image, svc.Version = b.image(svc, own)
	return svc
}

// apply lays a service's settings over what was derived.
func (o ServiceSettings) apply(svc *Service) {
	if o.Replicas != nil {
		svc.Replicas = *o.Replicas
	}
	if o.Exposed != nil {
		svc.Exposed = *o.Exposed && len(svc.Resources) > 0
	}
	for i, t := range svc.Tracks {
		if o.Weights != nil {
			svc.Tracks[i].Weight = o.Weights[t.Name]
		}
	}
	overlay(&svc.Requests, o.Resources.Requests)
	overlay(&svc.Limits, o.Resources.Limits)
	svc.PathPrefix = o.PathPrefix
	svc.Health = firstOf(o.Health, svc.Health)
	svc.Env, svc.CanaryEnv = variables(o.Env), variables(o.Canary.Env)
}

func variables(values map[string]string) []EnvVar {
	var list []EnvVar
	for _, k := range slices.Sorted(maps.Keys(values)) {
		list = append(list, EnvVar{k, values[k]})
	}
	return list
}

func overlay(to *ResourceList, from ResourceList) {
	to.CPU, to.Memory = firstOf(from.CPU, to.CPU), firstOf(from.Memory, to.Memory)
}

// ServiceSettings finds what the settings say about a service, by its DNS name
// or by the name or ID on its sticker, and the key it stands under.
func (s *Settings) ServiceSettings(svc *Service) (ServiceSettings, string) {
	for _, key := range []string{svc.Name, svc.Source.Name, svc.Source.ID} {
		if o, ok := s.Services[key]; ok && key != "" {
			return o, key
		}
	}
	return ServiceSettings{}, ""
}

func (b *builder) nameOf(c *storm.Context) string {
	for _, key := range []string{c.Name, c.DisplayName, c.ID} {
		if n, ok := b.model.Settings.Names[key]; ok && key != "" {
			return n
		}
	}
	return DNSName(c.Name)
}

func eventsOf(c *storm.Context) []string {
	var names []string
	add := func(e *storm.Event) {
		if e.Mirror == "" && e.Name != "" && !slices.Contains(names, e.Name) {
			names = append(names, e.Name)
		}
	}
	for _, a := range c.Aggregates {
		for _, e := range a.Events {
			add(e)
		}
	}
	for _, e := range c.Events {
		add(e)
	}
	return names
}

// image puts the reference together and takes the version label from its tag.
func (b *builder) image(svc *Service, own ServiceSettings) (image, version string) {
	s := b.model.Settings
	scm := b.source.SCM
	registry := s.Image.Registry
	if registry == "" && scm.Org != "" && scm.Repo != "" {
		registry = strings.ToLower("ghcr.io/" + scm.Org + "/" + scm.Repo) // references are lower case
	}
	image = own.Image
	if image == "" {
		image = strings.NewReplacer("{registry}", firstOf(registry, PlaceholderRegistry), "{name}", svc.Name,
			"{tag}", firstOf(s.Image.Tag, scm.Tag, "v1")).Replace(s.Image.Pattern)
	}
	version = "v1"
	if ref, err := reference.ParseNormalizedNamed(image); err == nil {
		if tagged, ok := ref.(reference.Tagged); ok {
			version = labelFrom(tagged.Tag())
		}
	}
	return image, version
}

// labelFrom makes a label's value of an image's tag: a tag may be twice as
// long and may end in "." or "-".
func labelFrom(tag string) string {
	if len(tag) > 63 {
		tag = tag[:63]
	}
	return firstOf(strings.Trim(tag, "._-"), "v1")
}

func (b *builder) externals() {
	for _, x := range b.source.Externals {
		b.model.Externals = append(b.model.Externals, &External{Name: firstOf(DNSName(x.Label()), x.ID), Source: sourceOf(x)})
	}
	for _, p := range b.source.Packages {
		b.model.Externals = append(b.model.Externals, &External{Name: firstOf(DNSName(p.Label()), p.ID), Source: sourceOf(&p.Element)})
	}
}

// calls turns relations into edges of the call graph.
func (b *builder) calls() {
	for _, r := range b.source.Relations {
		from, ok1 := b.source.Resolve(r.From)
		to, ok2 := b.source.Resolve(r.To)
		if !ok1 || !ok2 {
			continue // the reader has warned
		}
		async := r.Kind == storm.PubSub
		crossing := r.Kind == storm.Trigger && from.Kind == storm.KindPolicy && to.Kind == storm.KindCommand
		if !async && r.Kind != storm.ReqRes && !crossing {
			continue
		}
		b.call(r, from, to, async)
	}
	b.projections()
}

// projections are the edges of read models that are filled by events: a
// subscription that the model has no arrow for.
func (b *builder) projections() {
	for _, c := range b.source.Contexts {
		svc := b.byID[c.ID]
		for _, v := range c.Views {
			for _, id := range v.Events {
				event, ok := b.source.Resolve(id)
				if svc == nil || !ok {
					continue
				}
				svc.consume(event.Label())
				if from := b.byName[b.end(event)]; from != nil && from != svc {
					b.model.Calls = append(b.model.Calls, &Call{From: from.Name, To: svc.Name, Async: true, Event: event.Label(),
						Source: sourceOf(event.Element), Target: sourceOf(&v.Element)})
				}
			}
		}
	}
}

func (s *Service) consume(event string) {
	s.Events = true
	if !slices.Contains(s.Consumes, event) {
		s.Consumes = append(s.Consumes, event)
	}
}

func (b *builder) call(r *storm.Relation, from, to storm.Located, async bool) {
	caller, callee := b.end(from), b.end(to)
	if async && to.Context != nil {
		if svc := b.byID[to.Context.ID]; svc != nil {
			svc.consume(from.Label())
		}
	}
	if caller == callee && caller != "" {
		return // inside one service
	}
	if caller == "" || callee == "" {
		lost := to
		if caller == "" {
			lost = from
		}
		b.problem(Problem{Code: CodeRelation, Severity: SeverityWarning, Source: sourceOf(lost.Element),
			Message: fmt.Sprintf("the relation %s → %s leads nowhere: %s lies in no bounded context, so this call is left out of the call graph", from.Element, to.Element, lost.Element),
			Fix:     "move the sticker into the bounded context that owns it, or delete the relation"})
		return
	}
	svc := b.byName[caller]
	if svc == nil {
		return // a package calls on its own account
	}
	svc.Fallback = svc.Fallback || r.Fallback
	svc.Breaker = svc.Breaker || r.CircuitBreaker
	call := &Call{From: caller, To: callee, Async: async, Relation: r.ID, Source: sourceOf(from.Element), Target: sourceOf(to.Element),
		Fallback: r.Fallback, CircuitBreaker: r.CircuitBreaker}
	if async {
		call.Event = from.Label()
	} else if target := b.byName[callee]; target != nil {
		target.Called = true
	}
	b.model.Calls = append(b.model.Calls, call)
}

// end is the service or external system that an element belongs to.
func (b *builder) end(l storm.Located) string {
	switch {
	case l.Package != nil:
		return firstOf(DNSName(l.Package.Label()), l.Package.ID)
	case l.Kind == storm.KindExternal:
		return firstOf(DNSName(l.Label()), l.ID)
	case l.Context != nil:
		if svc := b.byID[l.Context.ID]; svc != nil {
			return svc.Name
		}
	}
	return ""
}
