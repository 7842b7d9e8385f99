package capture

import (
	"bytes"
	"cmp"
	"maps"
	"slices"
	"strings"

	"github.com/meshstorm/meshstorm/deploy"
	"github.com/meshstorm/meshstorm/manifest"
	"github.com/meshstorm/meshstorm/topping"
	"github.com/meshstorm/meshstorm/workspace"
)

// settler writes the settings of a new workspace: what differs from defaults.
type settler struct {
	*deriver
	folder string
	set    deploy.Settings
	rest   map[*bounded][]string // paths that no sticker gives
}

// try keeps a change of the settings only if they stay valid: a live object may
// say what meshstorm.yaml cannot.
func (s *settler) try(about, what string, change func(*deploy.Settings)) {
	next := s.set
	change(&next)
	if s.valid(about, what, next) {
		s.set = next
	}
}

func (s *settler) valid(about, what string, set deploy.Settings) bool {
	data, err := manifest.Encode(set, nil)
	if err == nil {
		_, err = workspace.LoadSettings(data, s.folder, workspace.Options{})
	}
	if err != nil && what != "" {
		s.gap(about, "%s cannot be said in %s; kept in the YAML", what, workspace.SettingsFile)
	}
	return err == nil
}

const settingsHead = "# yaml-language-server: $schema=" + workspace.SchemaFile + `
# Made by ` + "`meshstorm import`" + ` of what ran. Every setting has a default; only what differs stands here.
`

func (s *settler) text() ([]byte, error) {
	data, err := manifest.Encode(s.set, nil)
	if err != nil {
		return nil, err
	}
	return slices.Concat([]byte(settingsHead), bytes.TrimLeft(data, "\n")), nil
}

// settle fills in the settings.
func (s *settler) settle(name string) {
	s.set = deploy.Settings{Workspace: name}
	if s.snap.Namespace != "default" {
		s.set.Namespace = s.snap.Namespace
	}
	s.versions()
	if !slices.ContainsFunc(s.objects, func(o Object) bool { return strings.HasSuffix(o.ID().Group, "istio.io") }) {
		s.set.Toppings = []string{"kubernetes"}
	}
	for _, c := range s.contexts {
		if deploy.DNSName(c.name) != c.name {
			put(&s.set.Names, c.name, c.name)
		}
	}
	s.gateway()
	s.images()
	for _, c := range s.contexts {
		s.service(c)
	}
}

func put[V any](m *map[string]V, key string, value V) {
	if *m == nil {
		*m = map[string]V{}
	}
	(*m)[key] = value
}

// versions says which releases to write for, where they are older than the
// default ones.
func (s *settler) versions() {
	d := deploy.DefaultSettings(s.folder)
	if v := s.snap.Kubernetes; v != "" && v != d.KubernetesVersion {
		s.try("", "", func(set *deploy.Settings) { set.KubernetesVersion = v })
	}
	old, recent := false, false
	for _, o := range s.objects {
		if o.Origin != "" || o.ID().Group != "networking.istio.io" {
			continue // YAML may be written for an older release than the one that runs
		}
		recent = recent || text(o.Content, "apiVersion") == "networking.istio.io/v1"
		old = old || text(o.Content, "apiVersion") != "networking.istio.io/v1"
	}
	if old && !recent {
		s.set.IstioVersion = "1.21" // the last release without v1
	}
}

// gateway takes the Gateway that most contexts' routes name.
func (s *settler) gateway() {
	count := map[string]int{}
	for _, o := range s.objects {
		if isVirtualService(o) {
			for _, g := range strs(o.Content, "spec", "gateways") {
				g = strings.TrimPrefix(g, s.snap.Namespace+"/")
				count[g]++
			}
		}
	}
	var best *Object
	for i, o := range s.objects {
		id := s.snap.full(o.ID())
		if id.Kind != "Gateway" || id.Group != "networking.istio.io" || id.Namespace != s.snap.Namespace {
			continue
		}
		if best == nil || count[id.Name] > count[best.ID().Name] {
			best = &s.objects[i]
		}
	}
	if best == nil {
		return
	}
	about := "Gateway/" + best.ID().Name
	d := deploy.DefaultSettings(s.folder).Gateway
	if name := best.ID().Name; name != d.Name {
		s.try(about, "its name", func(set *deploy.Settings) { set.Gateway.Name = name })
	}
	selector := map[string]string{}
	for k, v := range mapping(best.Content, "spec", "selector") {
		selector[k], _ = v.(string)
	}
	if !maps.Equal(selector, d.Selector) && len(selector) > 0 {
		s.try(about, "its selector", func(set *deploy.Settings) { set.Gateway.Selector = selector })
	}
	s.servers(about, best)
}

func (s *settler) servers(about string, gateway *Object) {
	servers := items(gateway.Content, "spec", "servers")
	if len(servers) == 0 {
		return
	}
	if hosts := strs(servers[0], "hosts"); !slices.Equal(hosts, []string{"*"}) && len(hosts) > 0 {
		s.try(about, "its hosts", func(set *deploy.Settings) { set.Gateway.Hosts = hosts })
	}
	for _, server := range servers {
		credential := text(server, "tls", "credentialName")
		if credential == "" {
			continue
		}
		tls := &deploy.TLSSettings{CredentialName: credential}
		redirects := slices.ContainsFunc(servers, func(x map[string]any) bool { return dig(x, "tls", "httpsRedirect") == true })
		if !redirects {
			tls.Redirect = &redirects
		}
		s.try(about, "its certificate", func(set *deploy.Settings) { set.Gateway.TLS = tls })
		return
	}
}

// images finds the registry and the tag that most images have.
func (s *settler) images() {
	registries, tags := map[string]int{}, map[string]int{}
	for _, c := range s.contexts {
		if registry, tag, ok := pattern(c); ok {
			registries[registry]++
			tags[tag]++
		}
	}
	if registry := most(registries); registry != "" && registry != deploy.PlaceholderRegistry {
		s.try("", "", func(set *deploy.Settings) { set.Image.Registry = registry })
	}
	if tag := most(tags); tag != "" && tag != "v1" {
		s.try("", "", func(set *deploy.Settings) { set.Image.Tag = tag })
	}
}

// pattern reads an image as REGISTRY/NAME:TAG of its own context.
func pattern(c *bounded) (registry, tag string, ok bool) {
	image := text(c.container(), "image")
	registry, rest, ok := strings.Cut(image, "/"+c.name+":")
	return registry, rest, ok && rest != "" && !strings.ContainsAny(rest, "/@:")
}

func most(count map[string]int) string {
	best := ""
	for v, n := range count {
		if n > count[best] || n == count[best] && v < best {
			best = v
		}
	}
	return best
}

// service says what is special about one context.
func (s *settler) service(c *bounded) {
	about := "Service/" + c.name
	edit := func(what string, change func(*deploy.ServiceSettings)) {
		own := s.set.Services[c.name]
		change(&own)
		// Only this one, for there may be thousands.
		if s.valid(about, what, deploy.Settings{Workspace: s.set.Workspace, Services: map[string]deploy.ServiceSettings{c.name: own}}) {
			put(&s.set.Services, c.name, own)
		}
	}
	image := text(c.container(), "image")
	registry, tag, ok := pattern(c)
	if image != "" && (!ok || registry != cmp.Or(s.set.Image.Registry, deploy.PlaceholderRegistry) || tag != cmp.Or(s.set.Image.Tag, "v1")) {
		edit("its image", func(own *deploy.ServiceSettings) { own.Image = image })
	}
	if n, ok := number(c.workload().Content, "spec", "replicas"); ok && n != 1 && n >= 0 && n < 1<<20 && !autoscaled(s.objects, c.workload().ID().Name) {
		replicas := int32(n)
		edit("its replicas", func(own *deploy.ServiceSettings) { own.Replicas = &replicas })
	}
	if paths := s.rest[c]; len(paths) > 0 {
		edit("its paths", func(own *deploy.ServiceSettings) { own.Paths.Add = unique(paths) })
	}
	if len(c.paths) > 0 && !c.exposed {
		no := false
		edit("", func(own *deploy.ServiceSettings) { own.Exposed = &no })
	}
	if c.prefix != "" {
		edit("its path prefix "+c.prefix, func(own *deploy.ServiceSettings) { own.PathPrefix = c.prefix })
	}
	s.weights(c, edit)
	if health := text(c.container(), "readinessProbe", "httpGet", "path"); health != "" && health != "/actuator/health" {
		edit("its health path", func(own *deploy.ServiceSettings) { own.Health = health })
	}
}

func (s *settler) weights(c *bounded, edit func(string, func(*deploy.ServiceSettings))) {
	if len(c.shares) == 0 {
		return
	}
	for _, share := range c.shares[1:] {
		if !maps.Equal(share, c.shares[0]) {
			s.gap("Service/"+c.name, "its rules have different weights; the settings know one split for a service, so the others are kept in the YAML")
			return
		}
	}
	if c.shares[0][deploy.TrackStable] != 100 {
		edit("its weights", func(own *deploy.ServiceSettings) { own.Weights = c.shares[0] })
	}
}

// autoscaled tells whether an autoscaler owns the replicas of a Deployment.
func autoscaled(objects []Object, name string) bool {
	return slices.ContainsFunc(objects, func(o Object) bool {
		return o.ID().Kind == "HorizontalPodAutoscaler" && text(o.Content, "spec", "scaleTargetRef", "kind") == "Deployment" &&
			text(o.Content, "spec", "scaleTargetRef", "name") == name
	})
}

// workspaceName is the name that the objects themselves carry, where it is one
// for all contexts, else the folder's.
func (d *deriver) workspaceName(folder string) string {
	name := ""
	for _, c := range d.contexts {
		label := text(c.service.Content, "metadata", "labels", topping.PartOf)
		if label == "" || name != "" && label != name || label != workspace.Name(label) {
			return workspace.Name(folder)
		}
		name = label
	}
	return cmp.Or(name, workspace.Name(folder))
}
